"""Datasets without pixels, completed from the reader's own copy.

Photographs and paintings that may not be redistributed are published by name: `file_name`, the
SHA-256 of the file in `file_sha256`, and, where only a part of it counts, that part in `crop_box`
(left, top, right, bottom in pixels of the upright image). A reader who has the files names their
folder. A file is used only where its hash is the published one.
"""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from aas_bench.errors import InputError
from aas_bench.files import file_sha256, json_value, write_atomically
from aas_bench.tables.images import crop, image_homes, open_image, png_bytes
from aas_bench.tables.schema import CROP_BOX, FILE_NAME, FILE_SHA256, IMAGE_DISTORTED, PAIR_ID

if TYPE_CHECKING:
    from datasets import Dataset

OnMissing: TypeAlias = Literal["raise", "drop"]
Problem: TypeAlias = Literal["missing", "differs", "unreadable", "link"]

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
_THREADS: Final = 8
_WORDS: Final[Mapping[Problem, str]] = {
    "missing": "missing",
    "differs": "differ from the published ones",
    "unreadable": "cannot be read",
    "link": "are links out of the folder",
}
_MEND: Final = (
    'Complete the folder, or go on without these rows: on_missing="drop" (--missing-images drop).'
)
_SAVE_EVERY: Final = 64
_CROPS: Final = "1"
"""Changes where the way a crop is made or stored does: older crops in the cache are left alone."""


def image_key(name: str) -> str:
    """What two spellings of one image name share: no folder, no suffix, no case, one Unicode form.

    >>> image_key("Ava/810008.JPG") == image_key("810008.jpeg")
    True
    """
    base = unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2])
    stem, dot, suffix = base.rpartition(".")
    return (stem if dot and f".{suffix.lower()}" in SUFFIXES else base).casefold()


class ImageFolder:
    """The images below a folder, by `image_key`.

    Nested folders are searched. Links that lead out of the folder are not followed: they are
    counted in `links_out`.

    Args:
        path: The folder.

    Raises:
        InputError: There is no such folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if not Path(path).is_dir():
            msg = f"{os.fspath(path)}: there is no such folder. Give the folder of your images."
            raise InputError(msg)
        self.path = Path(path).resolve()
        homes = image_homes(self.path)
        self.files: dict[str, list[Path]] = {}
        self.links_out: set[str] = set()
        for file in _files(self.path):
            key = image_key(file.name)
            target = file.resolve() if file.is_symlink() else self.path
            if not any(target.is_relative_to(home) for home in homes):
                self.links_out.add(key)
            else:
                self.files.setdefault(key, []).append(file)

    def candidates(self, name: str) -> list[Path]:
        """The files that may be the image, sorted; several where folders repeat a name."""
        return self.files.get(image_key(name), [])

    def is_linked_out(self, name: str) -> bool:
        """Whether a link of this name leads out of the folder."""
        return image_key(name) in self.links_out


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):  # does not follow links to folders
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES):
                yield Path(root, name)


class Hashes:
    """Hashes of the files of one folder, remembered between runs by path, size and time.

    Args:
        folder: The folder; each folder has a memory of its own in the cache of `huggingface_hub`.
    """

    def __init__(self, folder: Path) -> None:
        from huggingface_hub import cached_assets_path

        name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
        self.folder = folder
        self.cache = cached_assets_path("aas_bench", namespace="own_images", subfolder=name)
        self.known: dict[str, list[int | str]] = self._read()
        self.n_read = 0

    @property
    def _file(self) -> Path:
        return self.cache / "sha256.json"

    def _read(self) -> dict[str, list[int | str]]:
        try:
            known = json_value(self._file.read_bytes())
        except (OSError, ValueError):  # absent or damaged: hashed again
            return {}
        return known if isinstance(known, dict) else {}

    def sha256(self, file: Path) -> str:
        """The hash of a file below the folder.

        Raises:
            OSError: The file cannot be read.
        """
        state = file.stat()
        name = str(file.relative_to(self.folder))
        stored = self.known.get(name)
        if stored is not None and stored[:2] == [state.st_size, state.st_mtime_ns]:
            return str(stored[2])
        sha256 = file_sha256(file)
        self.known[name] = [state.st_size, state.st_mtime_ns, sha256]
        self.n_read += 1
        return sha256

    def read_all(self, files: Iterable[Path]) -> None:
        """Hash files that are not known yet, several at once, and remember them."""
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(self._try, files))
        self.save()

    def _try(self, file: Path) -> None:
        try:
            self.sha256(file)
        except OSError:
            return  # told where the file is asked for

    def save(self) -> None:
        """Remember the hashes for the next run."""
        if self.n_read:
            content = json.dumps(self.known, sort_keys=True).encode()
            write_atomically(self._file, content)
            self.n_read = 0


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where an image is, or why it is not used."""

    path: Path | None
    problem: Problem | None


class UserImages:
    """The reader's folder, asked row by row.

    Args:
        folder: The folder of the reader's images; nested folders are searched, a name is found
            whatever its case and suffix.
        on_missing: What becomes of rows whose image is absent or another one.
        name: What to call the table in messages.

    Raises:
        InputError: There is no such folder.
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, on_missing: OnMissing = "raise", name: str
    ) -> None:
        self.images = ImageFolder(folder)
        self.hashes = Hashes(self.images.path)
        self.on_missing, self.name, self.given = on_missing, name, os.fspath(folder)

    def find(self, file_name: str, sha256: str) -> Found:
        """The file of this name whose hash is `sha256`."""
        unread = False
        for file in self.images.candidates(file_name):
            try:
                if self.hashes.sha256(file) == sha256:
                    return Found(path=file, problem=None)
            except OSError:
                unread = True
        if self.images.candidates(file_name):
            return Found(path=None, problem="unreadable" if unread else "differs")
        linked = self.images.is_linked_out(file_name)
        return Found(path=None, problem="link" if linked else "missing")

    def cell(self, row: Mapping[str, Any]) -> dict[str, Any] | None:
        """The image of a streamed row, undecoded; None: leave the row out.

        Raises:
            InputError: The image is absent or another one, and `on_missing` is "raise".
        """
        found = self.find(row[FILE_NAME], row[FILE_SHA256])
        if self.hashes.n_read >= _SAVE_EVERY:
            self.hashes.save()
        if found.path is not None:
            return _cell(found.path, row.get(CROP_BOX))
        said = f"{self.name}: {row[FILE_NAME]} in {self.given} is {found.problem}"
        if self.on_missing == "raise":
            raise InputError(f"{said}. {_MEND}")
        warnings.warn(f"{said}: the row is left out.", stacklevel=2)
        return None

    def join(self, pairs: Dataset) -> Dataset:
        """The pairs with `image_distorted` from the folder.

        Where images are cropped, the crops are made once and kept in the cache; else the column
        points at the files.

        Raises:
            InputError: Images are absent or other ones and `on_missing` is "raise"; or not one is
                there.
        """
        from datasets import Image, concatenate_datasets

        wanted = [n for n in (PAIR_ID, FILE_NAME, FILE_SHA256, CROP_BOX) if n in pairs.features]
        rows = pairs.select_columns(wanted).to_list()
        known = {f for row in rows for f in self.images.candidates(row[FILE_NAME])}
        self.hashes.read_all(sorted(known))
        found = [self.find(row[FILE_NAME], row[FILE_SHA256]) for row in rows]
        self._tell(rows, found)
        column = self._column(rows, found).cast_column(IMAGE_DISTORTED, Image())
        joined = concatenate_datasets([pairs, column], axis=1)
        kept = [number for number, each in enumerate(found) if each.path is not None]
        return joined if len(kept) == len(rows) else joined.select(kept)

    def _tell(self, rows: Sequence[Mapping[str, Any]], found: Sequence[Found]) -> None:
        """Say what is missing; raise where that is wanted, or where nothing was found."""
        bad = [
            {PAIR_ID: row[PAIR_ID], FILE_NAME: row[FILE_NAME], "problem": each.problem}
            for row, each in zip(rows, found, strict=True)
            if each.problem is not None
        ]
        if not bad:
            return
        listed = self.hashes.cache / f"{self.name.replace('/', '--')[-80:]}.not-found.jsonl"
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in bad)
        write_atomically(listed, lines.encode())
        n = {p: sum(row["problem"] == p for row in bad) for p in _WORDS}
        what = ", ".join(f"{n[p]:,} {words}" for p, words in _WORDS.items() if n[p])
        said = (
            f"{self.name}: {len(rows) - len(bad):,} of {len(rows):,} images found in "
            f"{self.given}; {what}: listed in {listed}"
        )
        if len(bad) == len(rows):
            msg = f"{said}. Check that this is the folder of your copy."
            raise InputError(msg)
        if self.on_missing == "raise":
            raise InputError(f"{said}. {_MEND}")
        warnings.warn(f"{said}. These rows are left out.", stacklevel=5)

    def _column(self, rows: Sequence[Mapping[str, Any]], found: Sequence[Found]) -> Dataset:
        """The undecoded images; null where there is none."""
        from datasets import Dataset, Features, Image, List, Value

        paths = [None if each.path is None else str(each.path) for each in found]
        image = Features({IMAGE_DISTORTED: Image(decode=False)})
        if all(row.get(CROP_BOX) is None for row in rows):
            cells = [None if path is None else {"bytes": None, "path": path} for path in paths]
            return Dataset.from_dict({IMAGE_DISTORTED: cells}, features=image)
        table = {"path": paths, "box": [row.get(CROP_BOX) for row in rows]}
        types = Features({"path": Value("string"), "box": List(Value("int32"))})
        key = json.dumps([_CROPS, table, [row[FILE_SHA256] for row in rows]])
        fingerprint = hashlib.sha256(key.encode()).hexdigest()[:32]
        return Dataset.from_dict(table, features=types).map(
            _cropped,
            features=image,
            remove_columns=["path", "box"],
            cache_file_name=str(self.hashes.cache / f"crops-{fingerprint}.arrow"),
            load_from_cache_file=True,
            new_fingerprint=fingerprint,
            writer_batch_size=32,
            desc="Cropping",
        )


def _cropped(row: Mapping[str, Any]) -> dict[str, Any]:
    cell = None if row["path"] is None else _cell(Path(row["path"]), row["box"])
    return {IMAGE_DISTORTED: cell}


def _cell(path: Path, box: Sequence[int] | None) -> dict[str, Any]:
    if box is None:
        return {"bytes": None, "path": str(path)}
    name = str(path)
    return {"bytes": png_bytes(crop(open_image(path, name=name), box, name=name)), "path": None}
