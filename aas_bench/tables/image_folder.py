"""Find images by name in a folder of the reader's, and know their hashes without reading twice."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from aas_bench.errors import InputError
from aas_bench.files import file_sha256, write_atomically

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
_THREADS: Final = 8


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
        self.files: dict[str, list[Path]] = {}
        self.links_out: set[str] = set()
        for file in _files(self.path):
            key = image_key(file.name)
            if file.is_symlink() and not file.resolve().is_relative_to(self.path):
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
            known = json.loads(self._file.read_bytes())
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
