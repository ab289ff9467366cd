"""LAPIS: paintings and drawings from WikiArt, each rated by about two dozen people.

Maerten et al., "LAPIS: A novel dataset for personalized image aesthetic assessment", CVPR
Workshops 2025 (arXiv 2504.07670). Read are its table of images (one row each: `image_filename`,
`artist`, `title`, `style`, `genre`, `mean_response`, `std_response`, `number of raters`), its table
of ratings (one row per person and image: `image_filename`, `response`), of which only mean,
deviation and number are kept and nothing about the person, and the authors' table of captions and
scores. Ratings run from 0 to 100.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from aas_bench.errors import InputError, SchemaError
from aas_bench.sources.curation import SourceFault
from aas_bench.tables.authors import is_null, split_score
from aas_bench.tables.formats import read_frame
from aas_bench.tables.schema import DIDP
from aas_bench.tables.user_images import SUFFIXES, image_key

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "file_name": ("image_filename", "file_name", "filename", "imgName", "imageName", "image"),
    "lapis_id": ("image_id", "lapis_id"),
    "artist": ("artist", "artist_name"),
    "title": ("title", "painting_title"),
    "style": ("style", "art_style"),
    "genre": ("genre", "art_genre"),
    "human_score": ("mean_response", "meanScore", "mean_score", "mean_rating", "human_score"),
    "human_score_sd": ("std_response", "std_rating", "human_score_sd"),
    "n_ratings": ("number of raters", "n_raters", "number_of_raters", "n_ratings"),
    "response": ("response", "rating"),
    "caption": ("caption", "prompt_distorted"),
    "index": ("index", "i"),
}
"""Our name -> the names under which LAPIS, its users and the authors give it; the first wins."""

_OTHER_NUMBERS: Final = ("min_response", "max_response", "mean_response_bin", "age")

Row: TypeAlias = Mapping[str, Any]

RATING_RANGE: Final = (0.0, 100.0)
_YEAR: Final = re.compile(r"\b1\d{3}\b|\b20\d{2}\b")
_QUOTED: Final = re.compile(
    r"[\"\u201c\u201d\u00ab]([^\"\u201c\u201d\u00ab\u00bb]{2,80})"
    r"[\"\u201c\u201d\u00bb]"
)
_SIGNED: Final = re.compile(r"\b(?:sign(?:ed|ature)\w*|titled?|entitled|inscri\w+|reads?|label\w*)")
_REACH: Final = 60
_LEAST_TITLE: Final = 8
_LEAST_NAME: Final = 4


@dataclass(frozen=True, kw_only=True)
class Painting:
    """One painting.

    Attributes:
        index: Its index in the captions' table, else its place there.
        file_name: Its file in LAPIS.
        caption: What is to be seen on it, in a vision-language model's words.
        lapis_id: Its number in LAPIS; None where not known, and so below.
        artist: As LAPIS writes it, e.g. "boris-kustodiev".
        title: As LAPIS writes it, without the suffix of a file.
        style: Art-historical style.
        genre: What it depicts.
        human_score: Mean rating, 0 to 100.
        human_score_sd: Its standard deviation over the raters.
        n_ratings: Number of raters.
        scores: (`<reward>_didp`, score under the caption).
    """

    index: int
    file_name: str
    caption: str
    lapis_id: int | None = None
    artist: str | None = None
    title: str | None = None
    style: str | None = None
    genre: str | None = None
    human_score: float | None = None
    human_score_sd: float | None = None
    n_ratings: int | None = None
    scores: tuple[tuple[str, float], ...] = ()

    def doubts(self) -> Iterator[str]:
        """Why its caption may say more than what is to be seen."""
        for words in quoted_marks(self.caption):
            yield f"its caption quotes {words!r}, which may be a signature or a title"
        said = f" {_words(self.caption)} "
        title = _words(_YEAR.sub(" ", self.title or ""))
        if len(title) >= _LEAST_TITLE and f" {title} " in said:
            yield f"its caption holds its title, {title!r}"
        name = _words(self.artist or "").rpartition(" ")[2]
        if len(name) >= _LEAST_NAME and f" {name} " in said:
            yield f"its caption names its artist, {name!r}"


@dataclass(frozen=True, kw_only=True)
class Paintings:
    """The captioned paintings, and what the sources got wrong.

    Attributes:
        paintings: In the order of the captions.
        faults: Rows that were passed over.
        n_uncaptioned: Annotated paintings that no caption names.
        annotated: Whether there were annotations.
    """

    paintings: tuple[Painting, ...]
    faults: tuple[SourceFault, ...]
    n_uncaptioned: int
    annotated: bool


def quoted_marks(caption: str) -> list[str]:
    """Text in quotation marks that a caption gives beside a word for signatures and titles."""
    return [
        found.group(1).strip(" ,.;")
        for found in _QUOTED.finditer(caption)
        if _SIGNED.search(caption[max(0, found.start() - _REACH) : found.end() + _REACH].lower())
    ]


def read_paintings(
    captions: Path, *, annotations: Path | None = None, rewards: Collection[str] = ()
) -> Paintings:
    """Join captions and scores with LAPIS's annotations by the name of the file.

    Args:
        captions: A table with one row per painting: file name and caption (the authors'
            `art.jsonl`; or LAPIS's own table of images with a column `caption`), and scores in
            `<reward>` or `<reward>_didp`.
        annotations: LAPIS's table of images or of ratings; None: what `captions` holds.
        rewards: Reward models to take scores of.

    Raises:
        InputError: A table cannot be read.
        SchemaError: A table lacks the file names or the captions.
    """
    faults: list[SourceFault] = []
    known = _annotations(annotations, faults) if annotations else {}
    rows, columns = _table(captions, needs=("file_name", "caption"))
    _refuse_further_scores(captions, rows, columns, rewards)
    found: list[Painting] = []
    seen: set[str] = set()
    for number, row in enumerate(rows):
        where = f"{captions.name} row {number}"
        name = _text(row[columns["file_name"]])
        caption = _text(row[columns["caption"]])
        try:
            if name is None or caption is None:
                raise SchemaError("it has no caption" if name else "it names no image")
            if image_key(name) in seen:
                msg = f"{name} stands twice"
                raise SchemaError(msg)
            values = known.get(image_key(name)) or _values(row, columns)
            index = _number(row, columns.get("index"))
            painting = Painting(
                index=number if index is None else int(index),
                file_name=_base(name),
                caption=caption,
                scores=tuple(_scores(row, rewards)),
                **values,
            )
        except SchemaError as error:
            faults.append(SourceFault(where=where, reason=str(error)))
            continue
        seen.add(image_key(name))
        found.append(painting)
    return Paintings(
        paintings=tuple(found),
        faults=tuple(faults),
        n_uncaptioned=len(known.keys() - seen),
        annotated=annotations is not None,
    )


def _table(path: Path, *, needs: Sequence[str]) -> tuple[Sequence[Row], dict[str, str]]:
    """The rows, and our name -> their column."""
    frame = read_frame(path)
    columns = {
        ours: theirs[0]
        for ours, names in COLUMNS.items()
        if (theirs := [name for name in names if name in frame])
    }
    missing = [name for name in needs if name not in columns]
    if missing:
        wanted = "; ".join(f"{name} ({', '.join(COLUMNS[name])})" for name in missing)
        msg = f"{path}: no column for {wanted}. There is {', '.join(map(str, frame.columns))}."
        raise SchemaError(msg)
    rows = [{str(n): value for n, value in row.items()} for row in frame.to_dict("records")]
    return rows, columns


def _refuse_further_scores(
    path: Path, rows: Sequence[Row], columns: Mapping[str, str], rewards: Collection[str]
) -> None:
    """No score of the source is passed over in silence."""
    taken = {*columns.values(), *rewards, *(f"{reward}_{DIDP}" for reward in rewards)}
    numbers = {n for row in rows for n, value in row.items() if isinstance(value, float)}
    left = sorted(n for n in numbers - taken if n not in _OTHER_NUMBERS)
    if left:
        msg = f"{path} also holds scores: {', '.join(left)}. Name every one with --reward."
        raise InputError(msg)


def _annotations(path: Path, faults: list[SourceFault]) -> dict[str, dict[str, Any]]:
    """What LAPIS says of each painting, by `image_key`; ratings one by one are summed up."""
    rows, columns = _table(path, needs=("file_name",))
    found: dict[str, dict[str, Any]] = {}
    responses: dict[str, list[float]] = {}
    for number, row in enumerate(rows):
        name = _text(row[columns["file_name"]])
        try:
            if name is None:
                raise SchemaError("it names no image")
            key = image_key(name)
            if key not in found:
                found[key] = _values(row, columns)
            response = _number(row, columns.get("response"))
            _check_rating("rating", response)
        except SchemaError as error:
            faults.append(SourceFault(where=f"{path.name} row {number}", reason=str(error)))
            continue
        if response is not None:
            responses.setdefault(key, []).append(response)
    for key, given in responses.items():
        found[key] |= {
            "human_score": float(np.mean(given)),
            "human_score_sd": float(np.std(given, ddof=1)) if len(given) > 1 else None,
            "n_ratings": len(given),
        }
    return found


def _values(row: Row, columns: Mapping[str, str]) -> dict[str, Any]:
    texts = {n: _text(row.get(columns.get(n, ""))) for n in ("artist", "title", "style", "genre")}
    numbers = {n: _number(row, columns.get(n)) for n in ("human_score", "human_score_sd")}
    wholes = {n: _number(row, columns.get(n)) for n in ("lapis_id", "n_ratings")}
    _check_rating("mean rating", numbers["human_score"])
    title = texts["title"]
    return {
        **texts,
        "title": _without_suffix(title) if title else None,
        **numbers,
        **{name: None if value is None else int(value) for name, value in wholes.items()},
    }


def _check_rating(name: str, value: float | None) -> None:
    low, high = RATING_RANGE
    if value is not None and not low <= value <= high:
        msg = f"its {name} {value} is outside {low:g} to {high:g}"
        raise SchemaError(msg)


def _scores(row: Row, rewards: Collection[str]) -> Iterator[tuple[str, float]]:
    for reward in rewards:
        cell = f"{reward}_{DIDP}"
        given = next((row[name] for name in (cell, reward) if name in row), None)
        value, _ = split_score(given)
        if not is_null(value):
            yield cell, _float(value, reward)


def _number(row: Row, column: str | None) -> float | None:
    value = None if column is None else row.get(column)
    return None if column is None or is_null(value) else _float(value, column)


def _float(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        msg = f"its {name} {value!r:.40} is not a number"
        raise SchemaError(msg)
    return number


def _text(value: Any) -> str | None:
    return None if is_null(value) or not str(value).strip() else str(value).strip()


def _words(text: str) -> str:
    """The words of a text in lower case with single blanks."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def _without_suffix(name: str) -> str:
    return next((name[: -len(s)] for s in SUFFIXES if name.lower().endswith(s)), name)


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]
