"""The authors' tables without their images: only the columns asked for are ever read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aas_bench.errors import InputError, SchemaError
from aas_bench.tables.formats import (
    is_image_type,
    parquet_columns,
    read_frame,
    table_kind,
    table_path,
)
from aas_bench.tables.open import HF, Options, Reference, hub_files

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def read_columns(
    source: str | os.PathLike[str],
    wanted: Callable[[str], bool],
    *,
    revision: str | None = None,
) -> pd.DataFrame:
    """Some columns of a table as they are stored; images are neither fetched nor decoded.

    Args:
        source: A table file, a folder of Parquet files or one that `datasets` saved, or a dataset
            on the Hub (`owner/name`, also `@revision`, or files of it, `hf://datasets/...`), of
            which the Parquet files are read without its card.
        wanted: Whether a column is read, by its name; image columns never are.
        revision: Branch, tag or commit on the Hub.

    Raises:
        InputError: There is no such table, or it cannot be read.
        SchemaError: None of its columns is wanted.
        BackendError: The Hub cannot be reached.
    """
    path, name = Path(source), os.fspath(source)
    if path.is_dir():
        tables = _folder(path, wanted)
    elif (reference := Reference.of(name)) is None or path.exists() or _is_file(name):
        tables = _file(table_path(path), wanted)
    else:
        tables = _hub(reference, revision, wanted)
    frame = _one_frame(tables, name)
    if frame.empty:
        msg = f"{name}: no column of scores. Give a table in the authors' schema."
        raise SchemaError(msg)
    return frame


def _file(path: Path, wanted: Callable[[str], bool]) -> Iterator[pd.DataFrame | pa.Table]:
    if path.suffix.lower() == ".parquet":
        with path.open("rb") as file:
            yield _parquet(file, wanted, str(path))
        return
    frame = read_frame(path)
    yield frame[[column for column in frame.columns if wanted(str(column))]]


def _folder(path: Path, wanted: Callable[[str], bool]) -> Iterator[pa.Table]:
    files = sorted(path.rglob("*.parquet"))
    if not files and (path / "state.json").is_file():
        from datasets import load_from_disk

        saved = load_from_disk(str(path)).data.table  # memory-mapped, so nothing else is read
        yield saved.select(_columns(saved.schema, wanted))
        return
    if not files:
        msg = f"{path} holds no Parquet file and was not saved by datasets. Give another folder."
        raise InputError(msg)
    for each in files:
        yield from _file(each, wanted)


def _hub(
    reference: Reference, revision: str | None, wanted: Callable[[str], bool]
) -> Iterator[pa.Table]:
    """Byte ranges of the Parquet files; the card, which may be at odds with them, is not read."""
    from huggingface_hub import HfFileSystem

    options = Options(config=None, split=None, streaming=False, revision=revision)
    files = replace(reference, path=reference.path or "**/*.parquet")
    for name in hub_files(files, reference.asked(options))[1]:
        with HfFileSystem().open(f"{HF}{name}", "rb", cache_type="none") as file:
            yield _parquet(file, wanted, name)


def _is_file(name: str) -> bool:
    return not name.startswith(HF) and table_kind(name) is not None


def _parquet(file: Any, wanted: Callable[[str], bool], name: str) -> pa.Table:
    import pyarrow as pa

    return pa.table(parquet_columns(file, name, wanted))


def _columns(schema: pa.Schema, wanted: Callable[[str], bool]) -> list[str]:
    return [field.name for field in schema if wanted(field.name) and not is_image_type(field.type)]


def _one_frame(tables: Iterator[Any], name: str) -> pd.DataFrame:
    import pandas as pd

    frames = [each if isinstance(each, pd.DataFrame) else each.to_pandas() for each in tables]
    if len({tuple(frame.columns) for frame in frames}) > 1:
        msg = f"{name}: its files have different columns. Give the files of one table."
        raise SchemaError(msg)
    joined: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return joined
