"""Folders of images with their prompts, in the layouts that people have, as one table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from aas_bench.errors import InputError, SchemaError, raise_faults
from aas_bench.files import json_value
from aas_bench.tables.formats import TABLE_SUFFIXES, read_columns, table_kind
from aas_bench.tables.schema import (
    FILE_SHA256,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    INDEX,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    Columns,
    values,
)
from aas_bench.tables.user_images import SUFFIXES

_METADATA: Final = tuple(f"metadata{suffix}" for suffix in TABLE_SUFFIXES)
_BINARY: Final = (".parquet", ".feather", ".arrow")
_ABOUT: Final = ("croissant.json", "dataset_info.json", "dataset_infos.json")
_ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz")
_ROLES: Final = ("original", "distorted")
_ROLE_AT_END: Final = re.compile(r"(?P<id>.+)[_.-](?P<role>original|distorted)", re.IGNORECASE)
_KEYS: Final = ("id", PAIR_ID, INDEX, "file_name", "filename", "image")
_LAYOUT: Final = (
    "Lay them out as original/ and distorted/ with the same file names, and beside the two "
    "folders prompts.csv with id, prompt_original and prompt_distorted."
)

Found = dict[str, dict[str, str]]
"""Name of a pair -> "original" or "distorted" -> its file, relative to the folder."""


@dataclass(frozen=True, kw_only=True)
class FolderTable:
    """The table of a folder of images.

    Attributes:
        columns: Its columns, those of images with the names of their files.
        table: Where the rows were read: a table, or the folder.
        theirs: Column -> what it is in the folder, where that is called otherwise.
    """

    columns: Columns
    table: Path
    theirs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Path) -> FolderTable:
        """A table that names the images itself."""
        columns = read_columns(table)
        return cls(columns=with_images(columns), table=table, theirs=image_names(columns))


def folder_table(folder: Path) -> FolderTable | None:
    """The table of a folder of images, with the names of their files, and where it was read.

    Known are a table `metadata.*` or any one text table that names the files; and images that are
    told apart by the end of their names (`17_original.png`), by their own names
    (`17/original.png`) or by a folder (`original/17.png`), with one table of prompts, or with the
    prompts beside the images (`prompt.txt`, `17.txt`, `metadata.jsonl` as GenEval writes it).

    Returns:
        None where the folder is laid out otherwise: it is for `datasets` to read.

    Raises:
        InputError: It holds images that nothing pairs, or one archive.
        SchemaError: Images and rows do not fit each other.
    """
    metadata = next((folder / m for m in _metadata_names() if (folder / m).is_file()), None)
    if metadata is not None:
        return FolderTable.of(metadata)
    files = [f for f in sorted(folder.iterdir()) if f.is_file()]
    if any(table_kind(f) in _BINARY for f in _below(folder)):
        return None
    tables = [f for f in files if table_kind(f) and f.name not in _ABOUT]
    pairs = _pairs(folder)
    if pairs and (len(tables) != 1 or not _names_images(tables[0])):
        return _joined(folder, pairs, tables)
    if len(tables) == 1:
        return FolderTable.of(tables[0])
    _refuse_unpaired(folder, files)
    return None


def image_pairs(folders: Sequence[Path], question: str | None) -> Columns:
    """The pairs of images without a table, with the prompts beside them or one request for all.

    Args:
        folders: One folder whose images are told apart as `folder_table` has it, or two with the
            same file names: the original images, then the distorted ones.
        question: What the images are to do; None takes the prompts that stand beside them.

    Returns:
        `pair_id`, both images as paths, `prompt_distorted`.

    Raises:
        InputError: There is no such folder, nothing pairs the images, or a prompt is lacking.
        SchemaError: An image has no counterpart.
    """
    for folder in folders:
        if not folder.is_dir():
            msg = f"there is no folder {str(folder)!r}. Give --images FOLDER."
            raise InputError(msg)
    if len(folders) == 1:
        pairs = {
            key: {role: folders[0] / name for role, name in roles.items()}
            for key, roles in _pairs(folders[0]).items()
        }
    elif len(folders) == 2:
        pairs = _side_by_side(folders)
    else:
        msg = f"{len(folders)} folders. Give one, or two: --images ORIGINAL --images DISTORTED."
        raise InputError(msg)
    where = " and ".join(map(str, folders))
    if not pairs:
        msg = (
            f"{where}: nothing says which images are pairs. Name them 17_original.png and "
            "17_distorted.png, or give two folders: --images ORIGINAL --images DISTORTED."
        )
        raise InputError(msg)
    faults = [f"{k!r} has no image {r}" for k in pairs for r in _ROLES if r not in pairs[k]]
    raise_faults(where, faults, "Each pair needs both images.")
    prompts = {k: question or _prompt_of(files["distorted"]) for k, files in pairs.items()}
    if lacking := [key for key, text in prompts.items() if not text]:
        msg = (
            f"{where}: no prompt stands beside {lacking[0]!r}. Say what all images are to do: "
            "--question TEXT; or give --data FOLDER where a table holds the prompts."
        )
        raise InputError(msg)
    return {
        PAIR_ID: list(pairs),
        IMAGE_ORIGINAL: [str(files["original"]) for files in pairs.values()],
        IMAGE_DISTORTED: [str(files["distorted"]) for files in pairs.values()],
        PROMPT_DISTORTED: list(prompts.values()),
    }


def _side_by_side(folders: Sequence[Path]) -> dict[str, dict[str, Path]]:
    """The images of two folders by their name without suffix."""
    found: dict[str, dict[str, Path]] = {}
    for role, folder in zip(_ROLES, folders, strict=True):
        for name in _images(folder):
            key = PurePosixPath(name).with_suffix("").as_posix()
            if role in found.setdefault(key, {}):
                msg = f"{folder}: two files are {key!r}. Keep one of them."
                raise InputError(msg)
            found[key][role] = folder / name
    return found


def _prompt_of(image: Path) -> str | None:
    return _prompt_beside(image.parent.parent, f"{image.parent.name}/{image.name}")


def _below(folder: Path) -> Iterator[Path]:
    for root, _, names in os.walk(folder):  # does not follow links to folders
        yield from (Path(root, name) for name in names)


def _metadata_names() -> Iterator[str]:
    yield from _METADATA
    yield from (f"{name}{packing}" for name in _METADATA[3:] for packing in (".gz", ".bz2", ".zst"))


def with_images(columns: Columns) -> Columns:
    """The columns; `<column>_file_name` and `file_name` become the images that they name."""
    return {_image_name(name, columns): column for name, column in columns.items()}


def image_names(columns: Columns) -> dict[str, str]:
    """Column of `with_images` -> the column that names its files, where it is called otherwise."""
    names = {_image_name(name, columns): name for name in columns}
    return {ours: theirs for ours, theirs in names.items() if ours != theirs}


def _image_name(name: str, columns: Mapping[str, Any]) -> str:
    bare = name.strip()
    if bare.lower() in ("file_name", "filename"):
        return "image" if "image" not in columns and FILE_SHA256 not in columns else name
    if bare.lower().endswith("_file_name"):
        return bare[: -len("_file_name")]
    return name


def _names_images(table: Path) -> bool:
    """Whether a table names files of both images itself."""
    columns = with_images(read_columns(table))
    return {IMAGE_ORIGINAL, IMAGE_DISTORTED} <= {n.strip().lower() for n in columns}


def _pairs(folder: Path) -> Found:
    """The images below a folder that say which of a pair they are; none where one role lacks."""
    found: Found = {}
    faults = []
    for name in _images(folder):
        told = _role(PurePosixPath(name))
        if told is None:
            continue
        key, role = told
        if role in found.setdefault(key, {}):
            faults.append(f"two files are image {role} of {key!r}")
        found[key][role] = name
    if not all(any(role in roles for roles in found.values()) for role in _ROLES):
        return {}
    raise_faults(folder, faults, "Keep one of them.")
    return found


def _images(folder: Path) -> Iterator[str]:
    for root, folders, names in os.walk(folder):  # does not follow links to folders
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(root, name).relative_to(folder).as_posix()


def _role(path: PurePosixPath) -> tuple[str, str] | None:
    """The pair and the role that an image's name or a folder above it tells."""
    parts = [*path.parts[:-1], path.stem]
    at = next((i for i, part in enumerate(parts) if part.lower() in _ROLES), None)
    if at is not None and len(parts) > 1:
        key = "/".join(parts[:at] + parts[at + 1 :])
        return _plain(key), parts[at].lower()
    end = _ROLE_AT_END.fullmatch(parts[-1])
    return None if end is None else (_plain(end["id"]), end["role"].lower())


def _joined(folder: Path, pairs: Found, tables: Sequence[Path]) -> FolderTable:
    """The images beside the prompts of one table, or of files beside the images."""
    theirs = _files_of(pairs)
    if not tables:
        theirs |= {PAIR_ID: "names of the images", PROMPT_DISTORTED: "texts beside the images"}
        return FolderTable(columns=_beside(folder, pairs), table=folder, theirs=theirs)
    if len(tables) != 1:
        msg = f"{folder}: {len(tables)} tables beside the images. Put one there, with the prompts."
        raise InputError(msg)
    (table,) = tables
    columns = read_columns(table)
    key = next((c for k in _KEYS for c in columns if c.strip().lower() == k), None)
    if key is None:
        msg = (
            f"{table}: no column id or index. Add one that holds what stands before _original, or "
            "the file's name."
        )
        raise SchemaError(msg)
    keys = _matched([_stem(str(value)) for value in values(columns[key])], pairs)
    faults = [
        f"{key} {k!r} has no image {role}"
        for k in keys
        for role in _ROLES
        if role not in pairs.get(k, {})
    ]
    faults += [f"images of {k!r} have no row" for k in sorted(pairs.keys() - set(keys))]
    raise_faults(table, faults, "Each row needs both images, each image its row.")
    if "prompt" in columns and PROMPT_DISTORTED not in columns:
        columns[PROMPT_DISTORTED] = columns.pop("prompt")
        theirs[PROMPT_DISTORTED] = "prompt"
    if key not in ("id", PAIR_ID, INDEX):
        columns = {PAIR_ID: keys} | columns
        del columns[key]
        theirs[PAIR_ID] = key
    images = _image_columns(pairs, keys)
    return FolderTable(columns=columns | images, table=table, theirs=theirs)


def _files_of(pairs: Found) -> dict[str, str]:
    """Image column -> the first of its files, to say which they are."""
    columns = (IMAGE_ORIGINAL, IMAGE_DISTORTED)
    return {
        column: f"{next(roles[role] for roles in pairs.values() if role in roles)}, ..."
        for column, role in zip(columns, _ROLES, strict=True)
    }


def _matched(keys: list[str], pairs: Found) -> list[str]:
    """The keys of a table as those of the images; the last part of a path does where it is one."""
    short: dict[str, list[str]] = {}
    for key in pairs:
        short.setdefault(_plain(key.rpartition("/")[2]), []).append(key)
    return [key if key in pairs or len(short.get(key, [])) != 1 else short[key][0] for key in keys]


def _beside(folder: Path, pairs: Found) -> Columns:
    """The pairs with the prompts that stand in files beside their images."""
    faults = [
        f"{key!r} has no image {role}" for key in pairs for role in _ROLES if role not in pairs[key]
    ]
    prompts = {
        role: {k: _prompt_beside(folder, f[role]) for k, f in pairs.items() if role in f}
        for role in _ROLES
    }
    faults += [f"{key!r} has no prompt" for key, text in prompts["distorted"].items() if not text]
    raise_faults(folder, faults, _LAYOUT)
    keys = list(pairs)
    return {
        PAIR_ID: keys,
        PROMPT_ORIGINAL: [
            None if prompts["original"][k] == prompts["distorted"][k] else prompts["original"][k]
            for k in keys
        ],
        PROMPT_DISTORTED: [prompts["distorted"][k] for k in keys],
        **_image_columns(pairs, keys),
    }


def _prompt_beside(folder: Path, image: str) -> str | None:
    """The prompt of an image: in its own text file, or in one of its folder or the one above."""
    path = PurePosixPath(image)
    end = _ROLE_AT_END.fullmatch(path.stem)
    stems = [path.stem, *([end["id"]] if end else [])]
    names = [path.parent / f"{s}{x}" for s in stems for x in (".txt", ".json")]
    names += [up / n for up in path.parents[:2] for n in ("prompt.txt", "metadata.jsonl")]
    for name in names:
        file = folder / name
        if file.is_file() and file.resolve().is_relative_to(folder.resolve()):
            return _prompt_in(file)
    return None


def _prompt_in(file: Path) -> str | None:
    text = file.read_text(encoding="utf-8-sig", errors="replace").strip()
    if file.suffix == ".txt":
        return text or None
    try:
        prompt = json_value(text).get("prompt")
    except (ValueError, AttributeError):
        return None
    return prompt if isinstance(prompt, str) else None


def _image_columns(pairs: Found, keys: Sequence[str]) -> Columns:
    return {
        IMAGE_ORIGINAL: [pairs[k]["original"] for k in keys],
        IMAGE_DISTORTED: [pairs[k]["distorted"] for k in keys],
    }


def _refuse_unpaired(folder: Path, files: Sequence[Path]) -> None:
    """Say what must change where nothing in a folder pairs its images."""
    archives = [f for f in files if f.name.lower().endswith(_ARCHIVES) and not table_kind(f)]
    if len(archives) == 1 and len(files) == 1:
        msg = f"{folder}: holds the archive {archives[0].name}. Unpack it, and give that folder."
        raise InputError(msg)
    image = next(_images(folder), None)
    if image is None:
        return
    tables = [f for f in _below(folder) if table_kind(f)]
    lone = all(f.parent != folder and (f.parent / "samples").is_dir() for f in tables)  # GenEval's
    if lone:
        msg = f"{folder}: nothing pairs its images ({image}, ...). {_LAYOUT}"
        raise InputError(msg)


def _stem(name: str) -> str:
    """What a row calls its pair: a file's name without folder of a role and suffix."""
    slashed = name.strip().replace("\\", "/")
    if slashed.lower().endswith(SUFFIXES):
        slashed = slashed.rpartition(".")[0]
        told = _role(PurePosixPath(f"{slashed}.png"))
        return told[0] if told else _plain(slashed)
    return _plain(slashed)


def _plain(identity: str) -> str:
    """A number without leading zeros, anything else as it is."""
    return str(int(identity)) if identity.isdecimal() else identity
