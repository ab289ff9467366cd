"""The columns of any table without its images: of the Hub's Parquet files only those bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import SchemaError
from aas_bench.registry import import_object
from aas_bench.tables.formats import (
    TABLE_SUFFIXES,
    frame_columns,
    is_image_type,
    parquet_columns,
    read_columns,
)
from aas_bench.tables.open import (
    HF,
    NotOnHubError,
    Options,
    Reference,
    Source,
    checked_name,
    commit_of,
    dataset_builder,
    hub_copy,
    hub_files,
    is_frame,
    one_line,
    one_split,
    open_source,
    polars_columns,
    refuse_remote,
    snapshot_address,
)
from aas_bench.tables.reader import cell, class_labels
from aas_bench.tables.schema import Columns, n_rows
from aas_bench.tasks.catalog import TASKS

if TYPE_CHECKING:
    import pyarrow as pa

SCORES: Final = "scores.parquet"
"""The table of a run directory."""


@dataclass(frozen=True, kw_only=True)
class StoredColumns:
    """Columns as they are stored.

    Attributes:
        columns: Name -> values.
        name: What to call the table.
        commit: The Hub's commit that it was read at; None where it is not from the Hub.
        file: The file, where it is one on this machine.
    """

    columns: Columns
    name: str
    commit: str | None = None
    file: Path | None = None


def read_without_images(source: Source, options: Options | None = None) -> StoredColumns:
    """The columns of whatever `load_pairs` takes, of a run directory or of a build.

    Raises:
        InputError: There is no such table, or it cannot be read.
        SchemaError: It has no rows.
        BackendError: The Hub cannot be reached.
    """
    options = options or Options(config=None, split=None, streaming=False, revision=None)
    found = _read(source, options)
    if not n_rows(found.columns):
        msg = f"{found.name}: the table is empty. Give at least one row and one column."
        raise SchemaError(msg)
    return found


def _read(source: Any, options: Options) -> StoredColumns:
    if is_frame(source, "pandas"):
        return StoredColumns(columns=frame_columns(source), name="the DataFrame")
    if is_frame(source, "polars"):
        return StoredColumns(columns=polars_columns(source), name="the DataFrame")
    if not isinstance(source, (str, os.PathLike)):
        return _of_rows(open_source(source, options).data, f"the {type(source).__name__}")
    name, path = checked_name(source), Path(source)
    if path.is_dir():
        return _folder(path, options)
    if path.exists() or (path.suffix.lower() in TABLE_SUFFIXES and not name.startswith(HF)):
        refuse_remote(name, options)
        columns = read_columns(path)
        return StoredColumns(columns=columns, name=name, file=path, commit=_commit(path))
    task, _, revision = name.partition("@")
    if task in TASKS:
        options = Reference(id=task, revision=revision or None).asked(options)
        return _task(task, options)
    reference = Reference.of(name)
    if reference is None:  # no name at all, or a wrong one: the error that says so
        return _of_rows(open_source(source, options).data, name)
    return _hub(reference, reference.asked(options))


def _task(name: str, options: Options) -> StoredColumns:
    task = TASKS[name]
    if task.build is not None:
        return _of_rows(import_object(task.build)(), name)
    try:
        return _hub(Reference(id=task.hub_id), options)
    except NotOnHubError:
        if task.authors_id is None:
            raise
        return _hub(Reference(id=task.authors_id), options)


def _folder(folder: Path, options: Options) -> StoredColumns:
    if (folder / SCORES).is_file():
        return _read(folder / SCORES, options)
    marks = ("state.json", "dataset_dict.json", *(f"metadata{s}" for s in TABLE_SUFFIXES))
    if any((folder / mark).is_file() for mark in marks):
        return _of_rows(open_source(folder, options).data, str(folder))
    return _data_files(str(folder), options, commit=_commit(folder))


def _commit(path: Path) -> str | None:
    return snapshot_address(path).rpartition("@")[2] or None


def _hub(reference: Reference, options: Options) -> StoredColumns:
    if reference.path is None:
        return _data_files(reference.id, options, commit=None)
    commit, files = hub_files(reference, options)
    name = f"{reference.id}/{reference.path}"
    if all(file.endswith(".parquet") for file in files):
        columns = _parquet_files([f"{HF}{file}" for file in files], name)
    else:
        columns = read_columns(hub_copy(reference.id, files, commit))
    return StoredColumns(columns=columns, name=name, commit=commit)


def _data_files(name: str, options: Options, *, commit: str | None) -> StoredColumns:
    """The data files of one configuration and one split, of a folder or on the Hub."""
    builder = dataset_builder(name, options)
    commit = commit or (None if Path(name).exists() else builder.hash)
    files = one_split(dict(builder.config.data_files or {}), name, options.split)
    if not files or not all(str(file).endswith(".parquet") for file in files):
        data = open_source(name, replace(options, streaming=True, revision=options.revision)).data
        return replace(_of_rows(data, name), commit=commit)
    return StoredColumns(columns=_parquet_files(files, name), name=name, commit=commit)


def _parquet_files(files: list[str], name: str) -> Columns:
    """The columns of all files together; those of the Hub are read by byte ranges."""
    import pyarrow as pa
    from huggingface_hub import HfFileSystem

    tables = []
    with one_line(name):
        for file in map(str, files):
            if not file.startswith(HF):
                tables.append(pa.table(parquet_columns(Path(file), file)))
                continue
            # No read-ahead: it would fetch the images between the columns.
            with HfFileSystem().open(file, "rb", cache_type="none") as opened:
                tables.append(pa.table(parquet_columns(opened, file)))
        whole = pa.concat_tables(tables, promote_options="permissive")
    return dict(zip(whole.column_names, whole.columns, strict=True))


def _of_rows(data: Any, name: str) -> StoredColumns:
    """The small columns of an open table; class labels by name."""
    from datasets import Features, IterableDataset

    if isinstance(data, IterableDataset):
        data = data._resolve_features().decode(False)
    features: Features = data.features
    schema: pa.Schema = features.arrow_schema
    small = [field.name for field in schema if not _holds_images(field.type)]
    data = data.select_columns(small).with_format(None)
    if isinstance(data, IterableDataset):
        rows = list(data)
        columns: Columns = {n: [row[n] for row in rows] for n in small}
    else:
        table = data.with_format("arrow")[:]
        columns = dict(zip(table.column_names, table.columns, strict=True))
    for column, label in class_labels(features).items():
        if column in columns:
            values = columns[column]
            values = values.to_pylist() if hasattr(values, "to_pylist") else values
            columns[column] = [_named(label, value) for value in values]
    return StoredColumns(columns=columns, name=name, commit=commit_of(data))


def _named(label: Any, value: Any) -> Any:
    """A class by its name; the class -1 is none."""
    if isinstance(value, list):
        return [_named(label, each) for each in value]
    return None if value is None or value < 0 else cell(value, label)


def _holds_images(kind: Any) -> bool:
    """Whether a column is one of images, or a struct of such."""
    import pyarrow as pa

    if is_image_type(kind):
        return True
    return pa.types.is_struct(kind) and any(_holds_images(field.type) for field in kind)
