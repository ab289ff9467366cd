"""The one reader of pair tables: a row of any known form -> its pairs, and what is wrong with it.

A table collects what it gives, a stream yields it, a builder keeps the faults (`pairs.py`).
A reader can be sent to the worker processes of a data loader.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aas_bench.errors import SchemaError
from aas_bench.tables import authors
from aas_bench.tables.forms import EMOTION_SLOT, Form, PairColumns
from aas_bench.tables.images import TrustedPaths, image_fault, image_file, is_image
from aas_bench.tables.schema import (
    DIMENSIONS,
    IMAGE_COLUMNS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    INDEX,
    LABEL,
    LABEL_SOURCE,
    MODEL,
    PAIR_COLUMNS,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    pair_features,
    pair_name,
)
from aas_bench.tasks.taxonomy import HAPPY

if TYPE_CHECKING:
    from datasets import Features

Row: TypeAlias = Mapping[str, Any]
Pair: TypeAlias = dict[str, Any]

_TEXT: Final = ("string", "large_string")


@dataclass(frozen=True, kw_only=True)
class _Score:
    """Where a flat column of numbers comes from: the score (part 0) or its sigma (part 1)."""

    column: str
    field: str | None
    part: int


class PairReader:
    """Reads one pair of each row of a table.

    Args:
        features: The columns of the table; images undecoded, a struct of them taken apart.
        form: The form of the table.
        columns: Which of the form's pairs to read.
        label: Which label column to take; see `authors.label_columns`.
        folder: The folder that file names of images are relative to; None: there is none.
        trusted: Where images may lie that are given by their path.

    Attributes:
        features: The columns of the pairs without embedded images: canonical, then further ones.
        images: Embedded image column -> its name in the pairs.

    Raises:
        SchemaError: `label` asks for a column that is not there, or an image column holds neither
            images nor file names.
    """

    def __init__(
        self,
        features: Features,
        form: Form,
        columns: PairColumns,
        *,
        label: str | None,
        folder: Path | None,
        trusted: TrustedPaths,
    ) -> None:
        from datasets import Features, Value

        ours = columns.renames(features)
        named = {theirs: ours.get(theirs, theirs) for theirs in features}
        embedded = embedded_images(features, form)
        others = {n for n in form.images if n in named and named[n] not in IMAGE_COLUMNS}
        self._columns, self._folder, self._trusted = columns, folder, trusted
        self._their = {ours: theirs for theirs, ours in named.items()}
        self._classes = class_labels(features)
        self.images = {n: named[n] for n in embedded if n not in others}
        small = {n: f for n, f in features.items() if n not in {*embedded, *others}}
        self._files = [n for n in IMAGE_COLUMNS if self._their.get(n) in small]
        for name in self._files:
            _check_names(self._their[name], features[self._their[name]], folder)
        self._asked = next((n for n in (DIMENSIONS, *columns.dimensions) if n in self._their), None)
        self._built = LABEL not in self._their and label is None and columns.label is not None
        votes = () if self._built else authors.label_columns(self._their, label=label)
        self._votes, self._label_source = votes, _label_source(votes, built=self._built)
        canonical: dict[str, Any] = {
            name: feature
            for name, feature in pair_features().items()
            if name not in IMAGE_COLUMNS or self._absent(name) or name in self._files
        }
        if self._label_source is not None:
            canonical[LABEL_SOURCE] = Value("string")
        self._further: dict[str, str | _Score] = {}
        further: dict[str, Any] = {}
        for name, feature in small.items():
            if named[name] not in canonical:
                for flat, kind, source in _further(name, feature):
                    further[flat], self._further[flat] = kind, source
        self.features = Features(canonical | further)

    def sources(self) -> authors.Origins:
        """Column of the pairs -> the columns that it is read from; () where it is made."""
        named = self._their
        found: authors.Origins = {
            name: (named[name],) if name in named else () for name in self.features
        }
        for name, source in self._further.items():
            found[name] = (source.column if isinstance(source, _Score) else source,)
        found |= {ours: (theirs,) for theirs, ours in self.images.items()}
        found[DIMENSIONS] = () if self._asked is None else (self._their[self._asked],)
        found[LABEL] = tuple(self._their[vote] for vote in self._votes)
        if self._columns.emotion is not None:
            prompt = (self._their["prompt"],)
            found |= {PROMPT_ORIGINAL: prompt, PROMPT_DISTORTED: prompt, DIMENSIONS: ()}
        return found

    def read(self, row: Row, number: int) -> tuple[Pair, list[str]]:
        """The columns of `features`, and what is wrong with them; null where something is."""
        pair: Pair = {}
        faults = []
        for name in self.features:
            try:
                pair[name] = self._value(name, row, number)
            except SchemaError as error:
                pair[name] = None
                faults.append(f"row {number}: {name}: {error}")
        return pair, faults

    def read_all(self, row: Row, number: int) -> tuple[Pair, list[str]]:
        """As `read`, with the embedded images, undecoded."""
        pair, faults = self.read(row, number)
        for theirs, ours in self.images.items():
            pair[ours] = row[theirs]
            fault = image_fault(row[theirs], self._trusted)
            faults += [f"row {number}: {ours}: {fault}"] if fault else []
        return pair, faults

    def _value(self, name: str, row: Row, number: int) -> Any:
        source = self._further.get(name)
        if source is None:
            return _READERS[name](self, row, number)
        return _score(row, source) if isinstance(source, _Score) else _known(row[source])

    def _cell(self, name: str, row: Row) -> Any:
        """A value by its canonical name, class labels by theirs; None where there is no column."""
        column = self._their.get(name)
        return None if column is None else cell(row[column], self._classes.get(column))

    def _absent(self, name: str) -> bool:
        return name == IMAGE_ORIGINAL and self._columns.alone

    def _image(self, name: str, row: Row) -> dict[str, Any] | None:
        if self._absent(name):
            return None
        assert self._folder is not None  # checked for every column of file names
        return image_file(self._cell(name, row), self._folder)

    def _index(self, row: Row, number: int) -> int:
        """A whole number; the row number where there is no column."""
        return authors.read_whole(self._cell(INDEX, row)) if INDEX in self._their else number

    def _model(self, row: Row, number: int) -> str:
        value = self._cell(MODEL, row)
        return self._columns.model if value is None else str(value)

    def _pair_id(self, row: Row, number: int) -> str:
        """The given id, or a made one; followed by the emotion where a row holds several pairs."""
        value = self._cell(PAIR_ID, row)
        if value is None:
            if PAIR_ID in self._their:
                msg = "is null"
                raise SchemaError(msg)
            value = pair_name(self._model(row, number), self._index(row, number))
        emotion = self._columns.emotion
        return str(value) if emotion is None else f"{value}/{emotion}"

    def _prompt(self, name: str, row: Row) -> str | None:
        emotion = self._columns.emotion
        if emotion is None:
            return _text(self._cell(name, row), required=name == PROMPT_DISTORTED)
        template = _text(self._cell("prompt", row), required=True) or ""
        if EMOTION_SLOT not in template:
            msg = f"the prompt has no {EMOTION_SLOT} slot"
            raise SchemaError(msg)
        return template.replace(EMOTION_SLOT, HAPPY if name == PROMPT_ORIGINAL else emotion)

    def _dimensions(self, row: Row, number: int) -> list[str]:
        if self._columns.emotion is not None:
            return [self._columns.emotion]
        return [] if self._asked is None else authors.parse_dimensions(self._cell(self._asked, row))

    def _label(self, row: Row, number: int) -> int:
        if self._built and self._columns.label is not None:
            return int(self._columns.label)
        return authors.label_value([self._cell(name, row) for name in self._votes])


_READERS: Final[Mapping[str, Callable[[PairReader, Row, int], Any]]] = {
    PAIR_ID: PairReader._pair_id,
    INDEX: PairReader._index,
    MODEL: PairReader._model,
    IMAGE_ORIGINAL: lambda self, row, _: self._image(IMAGE_ORIGINAL, row),
    IMAGE_DISTORTED: lambda self, row, _: self._image(IMAGE_DISTORTED, row),
    PROMPT_ORIGINAL: lambda self, row, _: self._prompt(PROMPT_ORIGINAL, row),
    PROMPT_DISTORTED: lambda self, row, _: self._prompt(PROMPT_DISTORTED, row),
    DIMENSIONS: PairReader._dimensions,
    LABEL: PairReader._label,
    LABEL_SOURCE: lambda self, row, _: self._label_source,
}


def embedded_images(features: Mapping[str, Any], form: Form) -> list[str]:
    """The columns of a table that hold images.

    They are `Image`s, structs of bytes and path, or plain bytes where the form has an image.
    """
    return [
        name
        for name, feature in features.items()
        if is_image(feature)
        or (_is_bytes(feature) and authors.RENAMED.get(name, name) in form.images)
    ]


def cell(value: Any, classes: Any = None) -> Any:
    """A value of a table; class labels, also in lists, by their names, and nan as None.

    Args:
        value: As it is stored.
        classes: The ClassLabel of the column, if it is one or a list of such.
    """
    value = _known(value)
    if value is None or classes is None:
        return value
    return classes.int2str(value)


def class_labels(features: Mapping[str, Any]) -> dict[str, Any]:
    """Column -> its ClassLabel, for the columns of classes and of lists of classes."""
    return {name: label for name, f in features.items() if (label := _class_label(f))}


def ordered(columns: Iterable[str]) -> list[str]:
    """The canonical columns among these, then the others."""
    names = list(columns)
    return [n for n in PAIR_COLUMNS if n in names] + [n for n in names if n not in PAIR_COLUMNS]


def _class_label(feature: Any) -> Any:
    inner = getattr(feature, "feature", feature)
    return inner if hasattr(inner, "int2str") else None


def _known(value: Any) -> Any:
    return None if authors.is_null(value) else value


def _text(value: Any, *, required: bool) -> str | None:
    text = authors.read_prompt(value)
    if text is None and required:
        msg = "is null" if value is None else "is empty"
        raise SchemaError(msg)
    return text


def _score(row: Row, source: _Score) -> float | None:
    value = _known(row[source.column])
    if source.field is not None and value is not None:
        value = value.get(source.field)
    number = authors.read_number(authors.split_score(value)[source.part])
    return None if math.isnan(number) else number


def _label_source(votes: tuple[str, ...], *, built: bool) -> str | None:
    """Where the label comes from; None: from a column of that name."""
    if built:
        return "construction"
    if len(votes) > 1:
        return f"majority of {', '.join(votes)}"
    return None if votes == (LABEL,) else "".join(votes) or "none"


def _check_names(column: str, feature: Any, folder: Path | None) -> None:
    if getattr(feature, "dtype", None) not in _TEXT:
        msg = f"column {column!r} holds {feature}. Give images, or file names of images."
        raise SchemaError(msg)
    if folder is None:
        msg = f"column {column!r} holds text, not images. Embed the images in the table."
        raise SchemaError(msg)


def _further(name: str, feature: Any) -> Iterator[tuple[str, Any, str | _Score]]:
    """A further column as it is, or its scores as flat numbers."""
    from datasets import Value

    if isinstance(feature, dict) and feature and all(map(authors.is_cell, feature)):
        fields = {field: (field, inner) for field, inner in feature.items()}
    elif authors.is_cell(name):
        fields = {name: (None, feature)}
    else:
        yield name, feature, name
        return
    for flat, (field, inner) in fields.items():
        yield flat, Value("float64"), _Score(column=name, field=field, part=0)
        # Text may be a list, too: '[0.94, 0.1]'.
        if hasattr(inner, "feature") or getattr(inner, "dtype", None) in _TEXT:
            yield f"{flat}_sigma", Value("float64"), _Score(column=name, field=field, part=1)


def _is_bytes(feature: Any) -> bool:
    return getattr(feature, "dtype", None) in ("binary", "large_binary")
