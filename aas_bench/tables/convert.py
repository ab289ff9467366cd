"""Turn the rows of a pair table of any known form into canonical rows, one at a time.

The same converter serves tables in memory, on disk and streamed. Embedded images pass by it
untouched; it only turns file names of images into paths.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import SchemaError
from aas_bench.tables import authors, cells
from aas_bench.tables.cells import Reader, Row
from aas_bench.tables.forms import View
from aas_bench.tables.schema import (
    DIMENSIONS,
    IMAGE_COLUMNS,
    IMAGE_ORIGINAL,
    INDEX,
    LABEL,
    MODEL,
    PAIR_COLUMNS,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    pair_features,
)
from aas_bench.tasks.taxonomy import HAPPY

if TYPE_CHECKING:
    from datasets import Features

LABEL_SOURCE: Final = "label_source"


@dataclass(frozen=True, kw_only=True)
class RowConverter:
    """(row, row number) -> the columns of `features`.

    Attributes:
        features: The canonical columns without embedded images, then the further ones.
        readers: How to read each of them.
        faults: Takes what is wrong with the rows; None: the first fault raises.
    """

    features: Features
    readers: Mapping[str, Reader]
    faults: list[str] | None

    def __call__(self, row: Row, number: int) -> dict[str, Any]:
        """The canonical row; null in each column that has a fault.

        Raises:
            SchemaError: A cell is at fault and `faults` is None.
        """
        out = {}
        for name, read in self.readers.items():
            try:
                out[name] = read(row, number)
            except SchemaError as error:
                fault = f"row {number}: {name}: {error}"
                if self.faults is None:
                    msg = f"{fault}. Mend the row."
                    raise SchemaError(msg) from error
                self.faults.append(fault)
                out[name] = None
        return out


def row_converter(
    features: Features,
    *,
    view: View,
    skip: Collection[str],
    label: str | None,
    root: Path | None,
    faults: list[str] | None,
) -> RowConverter:
    """The converter of a table with these features.

    Args:
        features: The columns of the table.
        view: Which pair to see in a row.
        skip: Columns to leave out: embedded images, and images of other views.
        label: Which label column to take; see `authors.label_columns`.
        root: The folder that file names of images are relative to; None: there is none.
        faults: See `RowConverter`.

    Raises:
        SchemaError: `label` asks for a column that is not there, or an image column holds
            neither images nor file names.
    """
    from datasets import Features, Value

    ours = view.renames(features)
    read = {ours.get(n, n): partial(cells.cell, n, f) for n, f in features.items()}
    images = {ours.get(n, n): n for n in features if n not in skip}
    readers = _pair_readers(read, view)
    for name in IMAGE_COLUMNS:
        if name in images:
            folder = _image_folder(images[name], features[images[name]], root)
            readers[name] = partial(cells.image_file, read[name], folder)
    if view.alone:
        readers[IMAGE_ORIGINAL] = partial(cells.constant, None)
    readers[LABEL], source = _label_reader(read, view, label)
    canonical = pair_features()
    types: dict[str, Any] = {name: canonical[name] for name in PAIR_COLUMNS if name in readers}
    if source is not None:
        types[LABEL_SOURCE] = Value("string")
        readers[LABEL_SOURCE] = partial(cells.constant, source)
    for name, feature in features.items():
        if name in skip or ours.get(name, name) in types:
            continue
        for extra, extra_type, reader in _extras(name, feature):
            types[extra], readers[extra] = extra_type, reader
    ordered = {name: readers[name] for name in types}
    return RowConverter(features=Features(types), readers=ordered, faults=faults)


def _pair_readers(read: Mapping[str, Reader], view: View) -> dict[str, Reader]:
    """The readers of the pair columns that are neither images nor the label."""
    asked = next((read[n] for n in (DIMENSIONS, *view.dimensions) if n in read), None)
    readers: dict[str, Reader] = {
        INDEX: partial(cells.index, read.get(INDEX)),
        MODEL: partial(cells.model, read.get(MODEL), view.model),
        PROMPT_ORIGINAL: partial(cells.prompt, read.get(PROMPT_ORIGINAL)),
        PROMPT_DISTORTED: partial(cells.prompt, read.get(PROMPT_DISTORTED), required=True),
        DIMENSIONS: partial(cells.dimensions, asked),
    }
    if view.emotion is not None:
        readers[PROMPT_ORIGINAL] = partial(cells.slotted_prompt, read["prompt"], HAPPY)
        readers[PROMPT_DISTORTED] = partial(cells.slotted_prompt, read["prompt"], view.emotion)
        readers[DIMENSIONS] = partial(cells.constant, [view.emotion])
    readers[PAIR_ID] = partial(
        cells.pair_id, read.get(PAIR_ID), readers[MODEL], readers[INDEX], view.emotion
    )
    return readers


def _label_reader(
    read: Mapping[str, Reader], view: View, label: str | None
) -> tuple[Reader, str | None]:
    """How to read the label, and where it comes from; None: from a column of that name."""
    if label is None and LABEL not in read and view.label is not None:
        return partial(cells.constant, int(view.label)), "construction"
    votes = authors.label_columns(read, label=label)
    source = {0: "none", 1: "".join(votes)}.get(len(votes), f"majority of {', '.join(votes)}")
    reader = partial(cells.label, [read[name] for name in votes])
    return reader, None if votes == (LABEL,) else source


def _image_folder(column: str, feature: Any, root: Path | None) -> Path:
    """The folder of the images that a column names."""
    if getattr(feature, "dtype", None) not in ("string", "large_string"):
        msg = f"column {column!r} holds {feature}. Give images, or file names of images."
        raise SchemaError(msg)
    if root is None:
        msg = f"column {column!r} holds text, not images. Embed the images in the table."
        raise SchemaError(msg)
    return root


def _extras(name: str, feature: Any) -> Iterator[tuple[str, Any, Reader]]:
    """A further column as it is, or its scores as flat numbers."""
    from datasets import Value

    read = partial(cells.cell, name, None)
    if isinstance(feature, dict) and feature and all(map(authors.is_cell, feature)):
        fields = {field: (field, inner) for field, inner in feature.items()}
    elif authors.is_cell(name):
        fields = {name: (None, feature)}
    else:
        yield name, feature, read
        return
    for flat, (field, inner) in fields.items():
        yield flat, Value("float64"), partial(cells.score, read, field, 0)
        if hasattr(inner, "feature"):
            yield f"{flat}_sigma", Value("float64"), partial(cells.score, read, field, 1)
