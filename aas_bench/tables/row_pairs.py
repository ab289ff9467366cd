"""The pairs of one row after another: a bad row is told apart from its neighbours.

`load_pairs` reads a table whole and refuses it for any fault; whoever builds a dataset from a table
wants the good rows and a list of the bad ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, SchemaError
from aas_bench.tables.convert import RowConverter, row_converter
from aas_bench.tables.embedded import TrustedPaths, embedded_images, image_fault, is_image
from aas_bench.tables.forms import View, match_form
from aas_bench.tables.schema import IMAGE_COLUMNS
from aas_bench.tables.sources import Opened, Options, open_source

if TYPE_CHECKING:
    from datasets import Dataset, Features

_LINES: Final = ".jsonl"
_METADATA: Final = f"metadata{_LINES}"
_STRUCT: Final = "images"


class RowPairs:
    """A pair table of any known form, row by row.

    Args:
        opened: The table, not streamed.
        broken: Line number -> what is wrong with it, for lines that could not become rows.
        label: Which label column to take; see `authors.label_columns`.

    Attributes:
        name: What to call the table.
        form: Its form.
        broken: As given.

    Raises:
        SchemaError: The table is of no known form.
    """

    def __init__(
        self,
        opened: Opened,
        *,
        broken: Mapping[int, str] | None = None,
        label: str | None = None,
    ) -> None:
        self.name, self.broken = opened.name, dict(broken or {})
        self.trusted = TrustedPaths.of(opened)
        features = _flat(opened.data.features)
        self.form = match_form(list(features), opened.name)
        embedded = frozenset(embedded_images(features, self.form))
        self.data = _undecoded(opened.data)
        self.table_features = features
        self._plans = [
            self._plan(view, features, embedded, opened, label) for view in self.form.views
        ]

    def __len__(self) -> int:
        """How many rows there are, the broken lines not counted."""
        return len(self.data)

    @property
    def features(self) -> Features:
        """The pair columns and the further ones, of every pair."""
        from datasets import Features, Image

        converter, images = self._plans[0]
        shown = {name: Image() for name in images.values()}
        return Features({**converter.features, **shown})

    def row(self, number: int) -> dict[str, Any]:
        """A row as it is, images undecoded, a struct of images taken apart."""
        row: dict[str, Any] = _flat(self.data[number])
        return row

    def pairs(self, number: int) -> list[dict[str, Any]]:
        """The pairs of a row, in the canonical schema; images as `{"bytes", "path"}`.

        Raises:
            SchemaError: Something is wrong with the row.
        """
        row = self.row(number)
        return [self._pair(converter, images, row, number) for converter, images in self._plans]

    def _pair(
        self,
        converter: RowConverter,
        images: Mapping[str, str],
        row: Mapping[str, Any],
        number: int,
    ) -> dict[str, Any]:
        pair = converter(row, number)
        for theirs, ours in images.items():
            cell = {"bytes": row[theirs], "path": None} if _bytes(row[theirs]) else row[theirs]
            fault = image_fault(cell, self.trusted)
            if fault:
                msg = f"row {number}: {ours}: {fault}. Mend the row."
                raise SchemaError(msg)
            pair[ours] = cell
        return pair

    def _plan(
        self,
        view: View,
        features: Features,
        embedded: frozenset[str],
        opened: Opened,
        label: str | None,
    ) -> tuple[RowConverter, dict[str, str]]:
        """The converter, and embedded image column -> its name in the pairs."""
        ours = view.renames(features)
        other = {n for n in self.form.images if ours.get(n, n) not in IMAGE_COLUMNS}
        images = {n: ours.get(n, n) for n in features if n in embedded - other}
        try:
            converter = row_converter(
                features,
                view=view,
                skip=embedded | other,
                label=label,
                root=opened.root,
                faults=None,
            )
        except SchemaError as error:
            msg = f"{opened.name}: {error}"
            raise SchemaError(msg) from error
        return converter, images


def open_row_pairs(source: str | os.PathLike[str], *, label: str | None = None) -> RowPairs:
    """Open a pair table for reading row by row.

    Of JSON lines, and of a folder with `metadata.jsonl`, lines that are no JSON objects are left
    out and told in `broken`; every other source must be readable as a whole.

    Args:
        source: What `load_pairs` takes.
        label: Which label column to take.

    Raises:
        InputError: The source does not exist, is empty or cannot be read.
        SchemaError: It is of no known form.
        BackendError: The Hub cannot be reached.
    """
    opened, broken = open_rows(source)
    return RowPairs(opened, broken=broken, label=label)


def open_rows(source: str | os.PathLike[str]) -> tuple[Opened, dict[int, str]]:
    """A table of any columns and its broken lines; see `open_row_pairs`.

    Raises:
        InputError: The source does not exist, is empty or cannot be read.
        BackendError: The Hub cannot be reached.
    """
    path = Path(source)
    file = path / _METADATA if path.is_dir() else path
    if file.suffix.lower() == _LINES and file.is_file():
        rows, broken = _read_lines(file)
        opened = Opened(data=_table(rows, file), name=str(source), root=file.parent)
        return opened, broken
    options = Options(config=None, split=None, streaming=False, revision=None)
    return open_source(source, options), {}


def _read_lines(file: Path) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """The objects of a JSON lines file, and what is wrong with the other lines."""
    rows: list[dict[str, Any]] = []
    broken: dict[int, str] = {}
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file}: cannot be read ({error}). Check the file and its encoding."
        raise InputError(msg) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            broken[number] = f"is not JSON ({error})"
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            broken[number] = "is not an object"
    if not rows:
        msg = f"{file}: holds no rows. Give at least one JSON object a line."
        raise InputError(msg)
    return rows, broken


def _table(rows: list[dict[str, Any]], file: Path) -> Dataset:
    """The rows as a table; `<column>_file_name` becomes `<column>`, as in image folders."""
    import pyarrow as pa
    from datasets import Dataset

    columns = {
        name: [row.get(name) for row in rows]
        for name in dict.fromkeys(name for row in rows for name in row)
    }
    renamed = {
        name: name.removesuffix("file_name").rstrip("_") or "image"
        for name in columns
        if name.endswith("file_name")
    }
    try:
        return Dataset.from_dict({renamed.get(n, n): values for n, values in columns.items()})
    except (pa.ArrowException, TypeError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        msg = f"{file}: a column mixes types ({reason}). Give each column one type."
        raise SchemaError(msg) from error


def _flat(values: Any) -> Any:
    """Columns, with the fields of the struct `images` as columns of their own."""
    inner = values.get(_STRUCT)
    if not isinstance(inner, dict):
        return values
    flat = {name: value for name, value in values.items() if name != _STRUCT}
    flat |= {f"{_STRUCT}.{name}": value for name, value in inner.items()}
    return type(values)(flat)


def _undecoded(data: Dataset) -> Dataset:
    from datasets import Image

    for name, feature in data.features.items():
        if is_image(feature):
            data = data.cast_column(name, Image(decode=False))
        elif name == _STRUCT and isinstance(feature, dict) and any(map(is_image, feature.values())):
            fields = {n: Image(decode=False) if is_image(f) else f for n, f in feature.items()}
            data = data.cast_column(name, fields)
    return data


def _bytes(value: Any) -> bool:
    return isinstance(value, (bytes, bytearray))
