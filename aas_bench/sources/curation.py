"""How the photographs were chosen and captioned: the authors' files, in every form they have.

Curation: `curation.json`, one object per *commit* of the curating agent (its search query, its
message, thresholds and the images it kept), or their published table of images in either of two
schemas (`filename`, `query`, `message`; or `file_name`, `class_keys`, `queries`, `messages`,
`source_datasets`, `annotations_json`).

Captions: a folder of JSON files, one per captioned image (`commit`, `image_path`, `response` with
`anti_aesthetic_elements`, `objective_caption`, `anti_aesthetic_caption`), or a table of photographs
beside their clean generations (`file_name`, `anti_aesthetic_caption`, `clean_caption`, scores).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, SchemaError
from aas_bench.files import json_value
from aas_bench.tables.authors import PHOTO_CELLS, is_null, parse_dimensions
from aas_bench.tables.formats import read_frame
from aas_bench.tables.user_images import image_key

if TYPE_CHECKING:
    import pandas as pd

_NAMES: Final = ("file_name", "filename", "image_path")
_ANTI: Final = ("anti_aesthetic_caption", "caption", "prompt_distorted")
_CLEAN: Final = ("clean_caption", "prompt_original")


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One search of the curating agent and what it kept.

    Attributes:
        key: Its name.
        query: What it searched for.
        message: What it says it kept.
        source: The pool that was searched, "photos" for AVA.
        threshold: Least similarity of an image with the query.
        negative_prompts: What images should not resemble.
        negative_threshold: Greatest similarity with those.
        images: File names, in its order.
    """

    key: str
    query: str | None
    message: str | None
    source: str | None
    threshold: float | None
    negative_prompts: tuple[str, ...]
    negative_threshold: float | None
    images: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Curated:
    """One photograph, once, however many commits kept it.

    Attributes:
        file_name: Its file in the source collection.
        index: Its place among all, in order of first appearance; the authors' index.
        commits: The commits that kept it, in order; so also `queries`, `messages`, `sources`.
        annotations: What else their table says of it, as JSON texts.
    """

    file_name: str
    index: int
    commits: tuple[str, ...]
    queries: tuple[str, ...]
    messages: tuple[str, ...]
    sources: tuple[str, ...]
    annotations: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Caption:
    """What is said of one photograph in one place.

    Attributes:
        file_name: Its file in the source collection.
        origin: The file, and in a table the row, that says it.
        elements: Elements of the taxonomy as written, unchecked.
        category: The main one, where one is named.
        objective: What is on it, in a vision-language model's words.
        anti_aesthetic: The same with how it looks.
        clean: What is on it, in a few words.
        human_score: Mean AVA rating as the table has it.
        scores: (`<reward>_<cell>`, score).
        index: Its index as the table has it.
        image: File of the photograph, where one is named.
        clean_image: File of its clean counterpart, where one is named.
    """

    file_name: str
    origin: str
    elements: tuple[str, ...] = ()
    category: str | None = None
    objective: str | None = None
    anti_aesthetic: str | None = None
    clean: str | None = None
    human_score: float | None = None
    scores: tuple[tuple[str, float], ...] = ()
    index: int | None = None
    image: str | None = None
    clean_image: str | None = None


@dataclass(frozen=True, kw_only=True)
class SourceFault:
    """A file, or a row of one, that was passed over, and why."""

    where: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Curation:
    """The commits (empty where the source does not tell them apart) and the photographs."""

    commits: tuple[Commit, ...]
    photos: tuple[Curated, ...]


def read_curation(path: Path) -> Curation:
    """Read a curation in any of its forms; see the module.

    Args:
        path: `curation.json`, a table, or a folder of Parquet files.

    Raises:
        InputError: It is absent or cannot be read.
        SchemaError: It is of none of the forms.
    """
    if path.suffix.lower() == ".json":
        document = _json(path)
        if isinstance(document, dict):
            commits = tuple(_commit(path, key, entry) for key, entry in document.items())
            return Curation(commits=commits, photos=tuple(_photos(commits)))
    return Curation(commits=(), photos=tuple(_table_photos(path)))


def _commit(path: Path, key: str, entry: Any) -> Commit:
    images = entry.get("images") if isinstance(entry, dict) else None
    if not isinstance(images, list) or not all(isinstance(name, str) for name in images):
        msg = f"{path}: {key!r} has no list of images. Each commit holds its query and its images."
        raise SchemaError(msg)
    return Commit(
        key=key,
        query=entry.get("query"),
        message=entry.get("message"),
        source=entry.get("dataset"),
        threshold=entry.get("threshold"),
        negative_prompts=tuple(entry.get("negative_prompts") or ()),
        negative_threshold=entry.get("negative_threshold"),
        images=tuple(images),
    )


def _photos(commits: Iterable[Commit]) -> Iterator[Curated]:
    kept: dict[str, tuple[str, list[Commit]]] = {}
    for commit in commits:
        for name in dict.fromkeys(commit.images):
            kept.setdefault(image_key(name), (name, []))[1].append(commit)
    for index, (name, its) in enumerate(kept.values()):
        yield Curated(
            file_name=_base(name),
            index=index,
            commits=tuple(commit.key for commit in its),
            queries=tuple(commit.query or "" for commit in its),
            messages=tuple(commit.message or "" for commit in its),
            sources=tuple(commit.source or "" for commit in its),
        )


def _table_photos(path: Path) -> Iterator[Curated]:
    rows = list(_rows(path))
    seen: set[str] = set()
    for number, row in rows:
        name = _text(_first(row, ("filename", "file_name", "original_path")))
        if name is None:
            msg = (
                f"{path}: row {number} names no image. A table of images needs the column "
                "filename or file_name; a curation.json holds one object per commit."
            )
            raise SchemaError(msg)
        if image_key(name) in seen:
            continue
        seen.add(image_key(name))
        yield Curated(
            file_name=_base(name),
            index=len(seen) - 1,
            commits=_texts(row.get("class_keys")),
            queries=_texts(_first(row, ("queries", "query"))),
            messages=_texts(_first(row, ("messages", "message"))),
            sources=_texts(row.get("source_datasets")),
            annotations=_texts(row.get("annotations_json")),
        )


def read_captions(path: Path) -> tuple[tuple[Caption, ...], tuple[SourceFault, ...]]:
    """Read captions in any of their forms; see the module. A broken file costs only itself.

    Args:
        path: A folder of JSON files (nested ones too), a JSON list of such objects, or a table.

    Raises:
        InputError: It is absent or, a table, cannot be read.
    """
    if not path.exists():
        msg = f"{path}: there are no captions. Give a folder of JSON files or a table."
        raise InputError(msg)
    captions: list[Caption] = []
    faults: list[SourceFault] = []
    for origin, entry in _entries(path, faults):
        try:
            captions.append(_caption(entry, origin))
        except SchemaError as error:
            faults.append(SourceFault(where=origin, reason=str(error)))
    return tuple(captions), tuple(faults)


def _entries(path: Path, faults: list[SourceFault]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each caption with where it stands; files that are no JSON object go to `faults`."""
    if not path.is_dir():
        for number, row in _rows(path):
            yield f"{path.name} row {number}", row
        return
    for file in sorted(path.rglob("*.json")):
        origin = file.relative_to(path).as_posix()
        try:
            entry = _json(file)
        except InputError:
            faults.append(SourceFault(where=origin, reason="is not JSON"))
            continue
        if isinstance(entry, dict):
            yield origin, {"image_path": file.stem, **entry}
        else:
            faults.append(SourceFault(where=origin, reason="is not a JSON object"))


def _caption(entry: Mapping[str, Any], origin: str) -> Caption:
    response = entry.get("response", {})
    if not isinstance(response, Mapping):
        msg = f"its response is {response!r:.40}, not an object"
        raise SchemaError(msg)
    said = {**entry, **response}
    name = _text(_first(said, _NAMES))
    if name is None:
        msg = "it names no image"
        raise SchemaError(msg)
    category = _text(said.get("category"))
    elements = parse_dimensions(_first(said, ("anti_aesthetic_elements", "elements")))
    return Caption(
        file_name=_base(name),
        origin=origin,
        elements=tuple(dict.fromkeys([*elements, *([category] if category else [])])),
        category=category,
        objective=_text(said.get("objective_caption")),
        anti_aesthetic=_text(_first(said, _ANTI)),
        clean=_text(_first(said, _CLEAN)),
        human_score=_number(said, "human_score"),
        scores=tuple(_scores(said)),
        index=None if (index := _number(said, "index")) is None else int(index),
        image=_text(said.get("image")),
        clean_image=_text(said.get("clean_image")),
    )


def _scores(said: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name in said:
        reward, _, ending = name.rpartition("_")
        cell = PHOTO_CELLS.get(ending, ending if ending in PHOTO_CELLS.values() else None)
        if reward and cell and (score := _number(said, name)) is not None:
            yield f"{reward}_{cell}", score


def _number(said: Mapping[str, Any], name: str) -> float | None:
    value = said.get(name)
    if is_null(value):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        msg = f"its {name} {value!r:.40} is not a number"
        raise SchemaError(msg)
    return float(value)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a table, or of all Parquet files below a folder."""
    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not files:
        msg = f"{path}: there is no Parquet file in this folder. Give a table."
        raise InputError(msg)
    number = 0
    for file in files:
        frame: pd.DataFrame = read_frame(file)
        for row in frame.to_dict("records"):
            yield number, {str(name): value for name, value in row.items()}
            number += 1


def _json(path: Path) -> Any:
    try:
        return json_value(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read as JSON ({str(error).splitlines()[0]}). Check the file."
        raise InputError(msg) from error


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[n] for n in names if n in row and not is_null(row[n])), None)


def _text(value: Any) -> str | None:
    """Text without blanks around it; None where there is none."""
    if is_null(value):
        return None
    if not isinstance(value, str):
        msg = f"{value!r:.40} is not text"
        raise SchemaError(msg)
    return value.strip() or None


def _texts(value: Any) -> tuple[str, ...]:
    """A list of texts, or one text."""
    if is_null(value):
        return ()
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]
