"""Table files: Parquet, JSONL, JSON and CSV, read without their images."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, SchemaError
from aas_bench.tables.authors import is_null
from aas_bench.tables.schema import MODEL, PAIR_ID, PROMPT_DISTORTED, PROMPT_ORIGINAL

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES: Final = (".parquet", ".jsonl", ".json", ".csv")
_MOST_FAULTS: Final = 5
_OTHER_DELIMITERS: Final = {";": "semicolons (;)", "\t": "tabs", "|": "bars (|)"}
_TEXT_COLUMNS: Final = (PAIR_ID, MODEL, PROMPT_ORIGINAL, PROMPT_DISTORTED)


def raise_faults(source: object, faults: Iterable[str], mend: str) -> None:
    """Raise one SchemaError that holds every fault found, in one line; nothing where none is."""
    found = list(faults)
    if not found:
        return
    more = len(found) - _MOST_FAULTS
    shown = "; ".join(found[:_MOST_FAULTS]) + (f"; and {more} more" if more > 0 else "")
    msg = f"{source}: {shown}. {mend}"
    raise SchemaError(msg)


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


def read_frame(path: str | os.PathLike[str]) -> pd.DataFrame:
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
        frame = _READERS[file.suffix.lower()](file)
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file}: cannot be read ({_first_line(error)}). Check the file and its encoding."
        raise InputError(msg) from error
    if frame.empty:
        msg = f"{file}: the table is empty. Give at least one row and one column."
        raise SchemaError(msg)
    return frame


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def _read_parquet(file: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(file)
        names = [f.name for f in schema if not is_image_type(f.type)]
        table = pq.read_table(file, columns=list(dict.fromkeys(names)))
    except pa.ArrowException as error:
        msg = f"{file}: is not readable Parquet ({_first_line(error)}). Write it again."
        raise InputError(msg) from error
    frame: pd.DataFrame = table.to_pandas(ignore_metadata=True)
    for name, names in _class_names(schema).items():
        try:
            frame[name] = [_named(value, names) for value in frame[name]]
        except IndexError as error:
            msg = f"{file}: {name} holds a class that its {len(names)} names lack. Write it again."
            raise SchemaError(msg) from error
    return frame


def _class_names(schema: Any) -> dict[str, list[str]]:
    """Column -> what its numbers stand for, where `datasets` wrote class labels, also in lists."""
    from datasets import ClassLabel, Features

    if b"huggingface" not in (schema.metadata or {}):
        return {}
    features = Features.from_arrow_schema(schema)
    labels = {name: getattr(feature, "feature", feature) for name, feature in features.items()}
    return {name: f.names for name, f in labels.items() if isinstance(f, ClassLabel)}


def _named(value: Any, names: list[str]) -> Any:
    """A class, or a list of classes, by name; null stays null."""
    if is_null(value):
        return None
    if hasattr(value, "__len__"):
        return [_named(each, names) for each in value]
    if value < 0:
        raise IndexError(value)
    return names[int(value)]


def is_image_type(arrow_type: Any) -> bool:
    """Whether an Arrow type is that of embedded images: bytes, or a struct of bytes and path."""
    import pyarrow as pa

    if pa.types.is_struct(arrow_type):
        return {field.name for field in arrow_type} == {"bytes", "path"}
    return bool(pa.types.is_binary(arrow_type) or pa.types.is_large_binary(arrow_type))


def _read_csv(file: Path) -> pd.DataFrame:
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
            return _frame([])
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
    frame: pd.DataFrame = table.cast(pa.schema(texts)).to_pandas()
    return frame


def _refuse_delimiter(file: Path, header: str) -> None:
    """Say so where the one column that was found is several, between other marks than commas."""
    for mark, name in _OTHER_DELIMITERS.items():
        if mark in header:
            msg = f"{file}: cells stand between {name} instead of commas. Save it with commas."
            raise SchemaError(msg)


def _read_jsonl(file: Path) -> pd.DataFrame:
    rows, faults = [], []
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                faults.append(f"line {number} is not JSON ({error.msg})")
                continue
            if isinstance(row, dict):
                rows.append(row)
            else:
                faults.append(f"line {number} is not an object")
    raise_faults(file, faults, "Each line holds one JSON object.")
    return _frame(rows)


def _read_json(file: Path) -> pd.DataFrame:
    try:
        rows = json.loads(file.read_text(encoding="utf-8-sig"))
    except json.JSONDecodeError as error:
        msg = f"{file}: is not JSON ({error}). One object a line belongs in a .jsonl file."
        raise InputError(msg) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        msg = f"{file}: is not a list of objects. Write [{{...}}, {{...}}], one object per row."
        raise SchemaError(msg)
    return _frame(rows)


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    names = list(dict.fromkeys(name for row in rows for name in row))
    frame: pd.DataFrame = pd.DataFrame(
        {name: pd.Series([row.get(name) for row in rows]) for name in names}
    )
    return frame


_READERS: Final[dict[str, Callable[[Path], pd.DataFrame]]] = {
    ".parquet": _read_parquet,
    ".jsonl": _read_jsonl,
    ".json": _read_json,
    ".csv": _read_csv,
}
