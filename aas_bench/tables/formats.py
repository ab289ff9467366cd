"""Table files: one row of `_READERS` for each kind, all read into columns without their images."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, SchemaError, raise_faults
from aas_bench.tables.schema import (
    MODEL,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    Columns,
    n_rows,
    series,
)

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES: Final = (".parquet", ".jsonl", ".json", ".csv")
_OTHER_DELIMITERS: Final = {";": "semicolons (;)", "\t": "tabs", "|": "bars (|)"}
_TEXT_COLUMNS: Final = (PAIR_ID, MODEL, PROMPT_ORIGINAL, PROMPT_DISTORTED)


def table_path(path: str | os.PathLike[str]) -> Path:
    """The path of an existing table file.

    Raises:
        InputError: There is no such file, or its name does not end in `TABLE_SUFFIXES`.
    """
    file = Path(path)
    kinds = ", ".join(TABLE_SUFFIXES)
    if file.is_dir():
        msg = f"{file} is a folder. Give one table file ({kinds})."
        raise InputError(msg)
    if not file.exists():
        msg = f"{file}: there is no such file. Check the path."
        raise InputError(msg)
    if file.suffix.lower() not in TABLE_SUFFIXES:
        msg = f"{file}: cannot read {file.suffix or 'a file without suffix'!r}. Give {kinds}."
        raise InputError(msg)
    return file


def read_columns(path: str | os.PathLike[str]) -> Columns:
    """Read a table into memory, leaving out columns of embedded images.

    Args:
        path: A file that ends in one of `TABLE_SUFFIXES`. JSON holds a list of objects. In CSV
            only an empty cell is null.

    Raises:
        InputError: The file is absent, of another type or damaged.
        SchemaError: It has no rows, or lines that are not objects.
    """
    file = table_path(path)
    try:
        columns = _READERS[file.suffix.lower()](file)
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    if not columns or not n_rows(columns):
        msg = f"{file}: the table is empty. Give at least one row and one column."
        raise SchemaError(msg)
    return columns


def read_frame(path: str | os.PathLike[str]) -> pd.DataFrame:
    """The columns of `read_columns` as a frame."""
    import pandas as pd

    columns = read_columns(path)
    frame: pd.DataFrame = pd.DataFrame({name: series(each) for name, each in columns.items()})
    return frame


def read_lines(file: Path) -> tuple[Columns, dict[int, str]]:
    """The objects of a JSON lines file as columns, and what is wrong with the other lines.

    Raises:
        InputError: It cannot be read.
    """
    rows: list[dict[str, Any]] = []
    broken: dict[int, str] = {}
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            broken[number] = f"is not JSON ({error.msg})"
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            broken[number] = "is not an object"
    return _columns(rows), broken


def frame_columns(frame: pd.DataFrame) -> Columns:
    """The columns of a frame; those of Python objects as lists, so that each keeps its type."""
    return {
        str(name): column.to_numpy() if column.dtype.kind in "iufb" else column.tolist()
        for name, column in frame.items()
    }


def _unreadable(file: Path, error: Exception) -> InputError:
    return InputError(
        f"{file}: cannot be read ({_first_line(error)}). Check the file and its encoding."
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def _read_parquet(file: Path) -> Columns:
    return parquet_columns(file, str(file))


def parquet_columns(source: Path | IO[bytes], file: str) -> Columns:
    """The columns of a Parquet file without images, of which no byte is read.

    Args:
        source: The file, or what reads it piece by piece.
        file: What to call it.

    Raises:
        InputError: It is damaged.
        SchemaError: It holds a class that has no name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(source, pre_buffer=True) as opened:
            schema = opened.schema_arrow
            names = [f.name for f in schema if not is_image_type(f.type)]
            table = opened.read(columns=list(dict.fromkeys(names)))
    except pa.ArrowException as error:
        msg = f"{file}: is not readable Parquet ({_first_line(error)}). Write it again."
        raise InputError(msg) from error
    columns = dict(zip(table.column_names, table.columns, strict=True))
    for name, classes in _class_names(schema).items():
        try:
            columns[name] = _named(columns[name], classes)
        except IndexError as error:
            msg = (
                f"{file}: {name} holds a class that its {len(classes)} names lack. Write it again."
            )
            raise SchemaError(msg) from error
    return columns


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Column -> what its numbers stand for, where `datasets` wrote class labels, also in lists."""
    from datasets import ClassLabel, Features

    if b"huggingface" not in (schema.metadata or {}):
        return {}
    features = Features.from_arrow_schema(schema)
    labels = {name: getattr(feature, "feature", feature) for name, feature in features.items()}
    return {name: f.names for name, f in labels.items() if isinstance(f, ClassLabel)}


def _named(column: Any, names: list[str]) -> Any:
    """A column of classes, or of lists of classes, by name; null stays null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    array = column.combine_chunks()
    if not pa.types.is_integer(array.type):
        ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(array), 0)).cast(pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
        named = _named(pa.chunked_array([array.flatten()]), names)
        return pa.chunked_array([pa.ListArray.from_arrays(offsets, named, mask=array.is_null())])
    span = pc.min_max(array).as_py()
    if len(array) > array.null_count and not 0 <= span["min"] <= span["max"] < len(names):
        raise IndexError(span)
    return pa.array(names, pa.string()).take(array)


def is_image_type(arrow_type: Any) -> bool:
    """Whether an Arrow type is that of embedded images: bytes, or a struct of bytes and path."""
    import pyarrow as pa

    if pa.types.is_struct(arrow_type):
        return {field.name for field in arrow_type} == {"bytes", "path"}
    return bool(pa.types.is_binary(arrow_type) or pa.types.is_large_binary(arrow_type))


def _read_csv(file: Path) -> Columns:
    import pyarrow as pa
    from pyarrow import csv

    # Arrow, because its floats are exact in every version; those of pandas are not.
    cells = csv.ConvertOptions(
        null_values=[""],
        strings_can_be_null=True,
        column_types=dict.fromkeys(_TEXT_COLUMNS, pa.string()),
    )
    try:
        table = csv.read_csv(
            file,
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=cells,
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return {}
        msg = f"{file}: is not readable CSV ({_first_line(error)}). Quote cells that hold commas."
        raise InputError(msg) from error
    if len(table.column_names) == 1:
        _refuse_delimiter(file, table.column_names[0])
    repeated = sorted({n for n in table.column_names if table.column_names.count(n) > 1})
    raise_faults(file, [f"two columns are called {n!r}" for n in repeated], "Rename one of them.")
    coded = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if coded:
        msg = f"{file}: the text of {coded[0]!r} is not UTF-8. Save the file in UTF-8."
        raise InputError(msg)
    texts = [
        field.with_type(pa.string()) if pa.types.is_temporal(field.type) else field
        for field in table.schema
    ]
    return dict(zip(table.column_names, table.cast(pa.schema(texts)).columns, strict=True))


def _refuse_delimiter(file: Path, header: str) -> None:
    """Say so where the one column that was found is several, between other marks than commas."""
    for mark, name in _OTHER_DELIMITERS.items():
        if mark in header:
            msg = f"{file}: cells stand between {name} instead of commas. Save it with commas."
            raise SchemaError(msg)


def _read_jsonl(file: Path) -> Columns:
    columns, broken = read_lines(file)
    faults = [f"line {number} {fault}" for number, fault in broken.items()]
    raise_faults(file, faults, "Each line holds one JSON object.")
    return columns


def _read_json(file: Path) -> Columns:
    try:
        rows = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        msg = f"{file}: is not JSON ({error}). One object a line belongs in a .jsonl file."
        raise InputError(msg) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        msg = f"{file}: is not a list of objects. Write [{{...}}, {{...}}], one object per row."
        raise SchemaError(msg)
    return _columns(rows)


def _columns(rows: Iterable[Mapping[str, Any]]) -> Columns:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


_READERS: Final[dict[str, Callable[[Path], Columns]]] = {
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
}
