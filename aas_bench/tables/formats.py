"""Table files of every kind, read into columns without their images; text in `text_tables.py`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, SchemaError, first_line, raise_faults
from aas_bench.files import files_like
from aas_bench.tables.schema import Columns, n_rows, repeated_columns, series

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES: Final = (
    ".parquet",
    ".feather",
    ".arrow",
    ".jsonl",
    ".ndjson",
    ".json",
    ".csv",
    ".tsv",
)
PACKED: Final = (".gz", ".bz2", ".xz", ".zst", ".zip")
"""What may follow the suffix of a text table."""

_ARCHIVES: Final = (".zip", ".tar", ".tgz", ".7z", ".rar")

MAX_CELL: Final = 16 * 2**20
"""Bytes of a cell of a binary table."""

MAX_CELLS: Final = 2**29
"""Cells of a binary table, which a small file may claim: as numbers they take 4 GiB."""


MAX_REPEATED: Final = 4 * 2**30
"""Bytes of text that a Parquet file may come to; its dictionaries hold what repeats only once."""

_SUSPECT: Final = 2**28
_SMALL_IMAGE: Final = 2**14
_INCOMPRESSIBLE: Final = 8
_LARGE_DICTIONARY: Final = 2**21


def table_kind(path: str | os.PathLike[str]) -> str | None:
    """Which of `TABLE_SUFFIXES` a file is by its name, what it is packed with left out; or None."""
    name = os.fspath(path).lower()
    packing = next((suffix for suffix in PACKED if name.endswith(suffix)), "")
    kind = Path(name.removesuffix(packing)).suffix
    return kind if kind in (TABLE_SUFFIXES[3:] if packing else TABLE_SUFFIXES) else None


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
        msg = f"{file}: there is no such file.{files_like(file) or ' Check the path.'}"
        raise InputError(msg)
    if file.suffix.lower() in _ARCHIVES and table_kind(file) is None:
        msg = f"{file}: is an archive. Unpack it, and give the folder or the table in it."
        raise InputError(msg)
    if table_kind(file) is None:
        msg = f"{file}: cannot read {file.suffix or 'a file without suffix'!r}. Give {kinds}."
        raise InputError(msg)
    return file


def read_columns(path: str | os.PathLike[str], *, images: bool = False) -> Columns:
    """Read a table into memory.

    Args:
        path: A file that ends in one of `TABLE_SUFFIXES`; a text table may be packed (`PACKED`).
            JSON holds objects, as a list or one a line, or one object of columns. CSV has cells
            between commas, tabs, semicolons or bars, and with other marks than commas may have
            decimal commas; only an empty cell is null there.
        images: Whether to read columns of embedded images too.

    Raises:
        InputError: The file is absent, of another type or damaged.
        SchemaError: It has no rows, or lines that are not objects.
    """
    file = table_path(path)
    kind = table_kind(file)
    if kind == ".parquet":
        columns = _read_parquet(file)
    elif kind in (".feather", ".arrow"):
        columns = _read_arrow(file, images=images)
    else:
        from aas_bench.tables.text_tables import read_text_table

        columns = read_text_table(file, kind or "")
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


def _unreadable(file: Path | str, kind: str, error: Exception) -> Exception:
    """What to raise where Arrow could not read; it says OSError of damaged content too."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    msg = f"{file}: is not readable {kind} ({first_line(error):.200}). Write it again."
    return InputError(msg)


def frame_columns(frame: pd.DataFrame) -> Columns:
    """The columns of a frame; those of Python objects as lists, so that each keeps its type."""
    return {
        str(name): column.to_numpy() if column.dtype.kind in "iufb" else column.tolist()
        for name, column in frame.items()
    }


def _read_parquet(file: Path) -> Columns:
    return parquet_columns(file, str(file))


def parquet_columns(
    source: Path | IO[bytes], file: str, wanted: Callable[[str], bool] | None = None
) -> Columns:
    """The columns of a Parquet file without images, of which no byte is read.

    Args:
        source: The file, or what reads it piece by piece.
        file: What to call it.
        wanted: Which columns, by name; None: all.

    Raises:
        InputError: It is damaged.
        SchemaError: It holds a class that has no name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(source, pre_buffer=True) as opened:
            _refuse_misfit(source, file, opened)
            schema = opened.schema_arrow
            names = [f.name for f in schema if not is_image_type(f.type)]
            names = names if wanted is None else [name for name in names if wanted(name)]
            _refuse_large_cells(file, opened, names)
            _refuse_repetition(opened, source, file, lambda name: name in names)
            table = opened.read(columns=list(dict.fromkeys(names)))
        table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, "Parquet", error) from error
    return _arrow_columns(file, table, schema)


def _refuse_misfit(source: Path | IO[bytes], file: str, parquet: Any) -> None:
    """Before the metadata of any column is looked at."""
    from aas_bench.tables.parquet_footer import misfit

    if (name := misfit(source, parquet)) is not None:
        msg = f"{file}: the statistics of {name!r} do not fit the column. Write it again."
        raise InputError(msg)


def _refuse_large_cells(file: str, parquet: Any, names: Collection[str]) -> None:
    """Before anything is read: not too many cells, and none with more than `MAX_CELL` a row.

    One large cell among many small ones shows when the column has been read; see `_large_cell`.
    """
    n = parquet.metadata.num_rows
    if n * len(names) > MAX_CELLS:
        msg = f"{file}: {n:,} rows of {len(names)} columns are too many. Split the table."
        raise InputError(msg)
    for group in range(parquet.num_row_groups):
        rows = parquet.metadata.row_group(group)
        for column in map(rows.column, range(rows.num_columns)):
            large = column.total_uncompressed_size > MAX_CELL * max(rows.num_rows, 1)
            name = column.path_in_schema.partition(".")[0]
            if large and name in names:
                raise _large_cell(file, name)


def refuse_repetition(source: Path | IO[bytes], file: str) -> None:
    """Before anything is read: not more text or bytes than `MAX_REPEATED` out of a dictionary.

    A column that repeats one long value holds it once, and a number for each row: a file of some
    kilobytes can fill any memory. What a column may come to follows from its metadata; where that
    is too much, what it does come to is counted without unfolding it.

    Args:
        source: The Parquet file.
        file: What to call it.

    Raises:
        InputError: It holds more.
        pyarrow.ArrowException: It is damaged.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(source) as opened:
        _refuse_misfit(source, file, opened)
        _refuse_repetition(opened, source, file, lambda _: True)


def _refuse_repetition(
    opened: Any, source: Path | IO[bytes], file: str, wanted: Callable[[str], bool]
) -> None:
    """The same of a file that is open: from the Hub, each opening fetches 64 KiB again."""
    n_bytes = 0
    metadata = opened.metadata
    images = {field.name for field in opened.schema_arrow if is_image_type(field.type)}
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group)
        for column in map(rows.column, range(rows.num_columns)):
            path = column.path_in_schema
            name = path.partition(".")[0]
            if column.physical_type != "BYTE_ARRAY" or not wanted(name):
                continue
            if _may_repeat_much(column, image=name in images):
                found = _unfolded(source, group, path)
                # Images are read row by row later on; texts are held, so that they add up.
                n_bytes = max(n_bytes, found) if name in images else n_bytes + found
            if n_bytes > MAX_REPEATED:
                msg = (
                    f"{file}: {name!r} repeats long values to more than {MAX_REPEATED:,} bytes. "
                    "Leave the column out."
                )
                raise InputError(msg)


def _may_repeat_much(column: Any, *, image: bool) -> bool:
    """Whether a column's metadata leaves open that it comes to too much.

    Of images nearly any would, by their size; those that are stored as pictures are, each by itself
    and hardly compressed, are not read twice.
    """
    most = column.num_values * column.total_uncompressed_size
    if not image:
        return bool(most > _SUSPECT)
    shared = column.dictionary_page_offset
    folded = (
        column.total_uncompressed_size < _SMALL_IMAGE * column.num_values
        or column.total_uncompressed_size > _INCOMPRESSIBLE * column.total_compressed_size
        or (shared is not None and column.data_page_offset - shared > _LARGE_DICTIONARY)
    )
    return bool(most > MAX_REPEATED and folded)


def _unfolded(source: Path | IO[bytes], group: int, path: str) -> int:
    """Bytes of the values of a column of text or bytes, read as its dictionary and numbers."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if not isinstance(source, Path):
        source.seek(0)
    with pq.ParquetFile(source, read_dictionary=[path]) as opened:
        column = opened.read_row_group(group, columns=[path]).column(0)
    return sum(_n_bytes(chunk, pc) for chunk in column.chunks)


def _n_bytes(array: Any, pc: Any) -> int:
    """Bytes of the text in an array, whatever it is nested in."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_dictionary(kind):
        return pc.sum(pc.binary_length(array.dictionary).take(array.indices)).as_py() or 0
    if pa.types.is_struct(kind):
        return sum(_n_bytes(each, pc) for each in array.flatten())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _n_bytes(array.flatten(), pc)
    return int(array.nbytes)


def _large_cell(file: Path | str, name: str) -> InputError:
    return InputError(f"{file}: cells of {name!r} exceed {MAX_CELL:,} bytes. Leave the column out.")


def _exceeds(column: Any) -> bool:
    """Whether a cell of text or bytes is larger than `MAX_CELL`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    return bool(text and (pc.max(pc.binary_length(column)).as_py() or 0) > MAX_CELL)


def _read_arrow(file: Path, *, images: bool) -> Columns:
    """Arrow's own files: Feather, and the streams that `datasets` saves."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(file)) as source:
            try:
                opened = pa.ipc.open_file(source)
            except (pa.ArrowException, OSError):
                source.seek(0)
                opened = pa.ipc.open_stream(source)
            table = opened.read_all()
        schema = table.schema
        if not images:
            table = table.select([i for i, f in enumerate(schema) if not is_image_type(f.type)])
        # Arrow believes the positions that a file states; one before its values would be followed.
        table.validate(full=True)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, "Arrow", error) from error
    return _arrow_columns(file, table, schema)


def _arrow_columns(file: Path | str, table: Any, schema: Any) -> Columns:
    """The columns of an Arrow table, classes and categories by their names."""
    import pyarrow as pa

    raise_faults(file, repeated_columns(table.column_names), "Rename one of them.")
    columns = {
        name: column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    large = next((name for name, column in columns.items() if _exceeds(column)), None)
    if large is not None:
        raise _large_cell(file, large)
    for name, classes in _class_names(schema).items():
        if name not in columns:
            continue
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
    if b"huggingface" not in (schema.metadata or {}):
        return {}
    from datasets import ClassLabel, Features

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
