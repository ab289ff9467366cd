"""Find and open a pair table, wherever it is: built in, a file, a folder, on the Hub, in memory."""

from __future__ import annotations

import glob
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aas_bench.errors import BackendError, InputError, SchemaError
from aas_bench.files import silence_loggers
from aas_bench.registry import Registry, import_object
from aas_bench.tables.authors import plain
from aas_bench.tables.formats import frame_columns, read_columns, table_kind

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset, IterableDataset

    from aas_bench.tasks.task import Task

Source: TypeAlias = "str | os.PathLike[str] | Dataset | IterableDataset | pd.DataFrame"

PAIRS_CONFIG: Final = "pairs"

_HUB_ID: Final = re.compile(r"[\w.-]+/[\w.-]+")
_LINES: Final = Path("metadata.jsonl")
_SAVED: Final = ("state.json", "dataset_dict.json")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A table as it is at its source.

    Attributes:
        data: The rows.
        name: What to call the source in errors.
        root: The folder that file names of images are relative to; None where there is none.
        hub_id: Its id where it was streamed from the Hub.
    """

    data: Dataset | IterableDataset
    name: str
    root: Path | None = None
    hub_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `load_pairs` was asked for besides the source.

    `preferred` is the configuration that is taken, if it is there, where none was asked for.
    """

    config: str | None
    split: str | None
    streaming: bool
    revision: str | None
    preferred: str = PAIRS_CONFIG


def open_source(source: Source, options: Options) -> Opened:
    """Open a task by name, else a file or folder, else a Hub id; or what is open already.

    Raises:
        InputError: There is none of these, or it cannot be read.
        UnknownNameError: A bare word that no task is called.
        BackendError: The Hub cannot be reached.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _in_memory(source, options)
    name, path = os.fspath(source), Path(source)
    if not name.strip():
        msg = "the name of the data is empty. Give a task, a table, a folder or a Hub id."
        raise InputError(msg)
    if name.isidentifier() and name in _tasks():
        return _open_task(_tasks()[name], options)
    if path.is_dir():
        # `datasets` calls what it builds after the folder, and `.` has no name.
        return _open_folder(path if path.name else path.resolve(), options)
    if path.exists() or table_kind(path):
        return _open_file(path, options)
    if _HUB_ID.fullmatch(name):
        return _open_hub(name, options)
    if path.parent == Path():
        return _open_task(_tasks()[name], options)  # raises with the nearest names
    msg = f"{name}: there is no such file or folder. Check the path."
    raise InputError(msg)


def open_rows(source: str | os.PathLike[str]) -> tuple[Opened, dict[int, str]]:
    """A table of any columns, and line number -> what is wrong with a line that is no row.

    Only JSON lines, also those of a folder with `metadata.jsonl`, can have such lines; every other
    source must be readable as a whole.

    Raises:
        InputError: The source does not exist, is empty or cannot be read.
        BackendError: The Hub cannot be reached.
    """
    path = Path(source)
    file = path / _LINES if path.is_dir() else path
    if file.suffix.lower() == _LINES.suffix and file.is_file():
        from aas_bench.tables.folders import with_images
        from aas_bench.tables.text_tables import read_lines

        columns, broken = read_lines(file)
        if not columns:
            msg = f"{file}: holds no rows. Give at least one JSON object a line."
            raise InputError(msg)
        data = _dataset(with_images(columns), str(file))
        return Opened(data=data, name=str(source), root=file.parent), broken
    options = Options(config=None, split=None, streaming=False, revision=None)
    return open_source(source, options), {}


def _in_memory(source: Any, options: Options) -> Opened:
    from datasets import Dataset, IterableDataset

    name = f"the {type(source).__name__}"
    if isinstance(source, IterableDataset):
        data: Any = source
    elif isinstance(source, Dataset):
        data = _rows(source, options)
    elif "pandas" in sys.modules and isinstance(source, sys.modules["pandas"].DataFrame):
        data = _rows(_dataset(frame_columns(source), name), options)
    else:
        msg = f"a {type(source).__name__} is no pair table. Give a Dataset, a name or a path."
        raise InputError(msg)
    _refuse_remote(name, options)
    return Opened(data=data, name=name)


def _tasks() -> Registry[Task]:
    from aas_bench.tasks.catalog import TASKS  # not read for a path

    return TASKS


def _open_task(task: Task, options: Options) -> Opened:
    if task.build is not None:
        _refuse_remote(task.name, options)
        return Opened(data=_rows(import_object(task.build)(), options), name=task.name)
    try:
        return _open_hub(task.hub_id, options)
    except _NotOnHubError as error:
        if task.authors_id is None:
            raise
        warnings.warn(f"{error} Reading the authors' own table, {task.authors_id}.", stacklevel=4)
        return _open_hub(task.authors_id, options)


def _open_file(file: Path, options: Options) -> Opened:
    _refuse_remote(str(file), options)
    if file.suffix.lower() != ".parquet" or not file.is_file():
        from aas_bench.tables.folders import with_images

        data = _rows(_dataset(with_images(read_columns(file, images=True)), str(file)), options)
        return Opened(data=data, name=str(file), root=file.parent)
    from datasets import Dataset, IterableDataset

    # Not load_dataset("parquet"): that reports each load to a server first.
    with _one_line(str(file)):
        kind = IterableDataset if options.streaming else Dataset
        data = kind.from_parquet(glob.escape(str(file)))
    return Opened(data=data, name=str(file), root=file.parent)


def _open_folder(folder: Path, options: Options) -> Opened:
    from datasets import load_from_disk

    name = str(folder)
    if any((folder / mark).is_file() for mark in _SAVED):
        with _one_line(name):
            saved = load_from_disk(name)
        data = _rows(_one_split(saved, name, options.split), options)
        return Opened(data=data, name=name, root=folder)
    from aas_bench.tables.folders import folder_table

    found = folder_table(folder)
    if found is not None:
        _refuse_remote(name, options)
        columns, table = found
        data = _rows(_dataset(columns, str(table)), options)
        return Opened(data=data, name=name, root=folder)
    if options.revision is not None:
        msg = f"{name} is a folder and has no revision. Leave out revision."
        raise InputError(msg)
    return Opened(data=_load(name, options), name=name, root=folder)


def _open_hub(hub_id: str, options: Options) -> Opened:
    return Opened(data=_load(hub_id, options), name=hub_id, hub_id=hub_id)


def _load(name: str, options: Options) -> Any:
    """One configuration and one split of a folder or a Hub dataset."""
    from datasets import get_dataset_config_names, get_dataset_default_config_name, load_dataset

    with _one_line(name):
        configs = get_dataset_config_names(name, revision=options.revision)
        config: str | None = options.config or options.preferred
        if options.config is None and config not in configs:
            config = get_dataset_default_config_name(name, revision=options.revision)
    if config not in configs:
        problem = "has several configurations" if config is None else f"has none called {config!r}"
        msg = f"{name} {problem}. Choose one with config= (--config): {', '.join(configs)}."
        raise InputError(msg)
    with _one_line(name):
        loaded = load_dataset(
            name,
            config,
            split=options.split,
            streaming=options.streaming,
            revision=options.revision,
        )
    return _one_split(loaded, name, options.split)


def _one_split(loaded: Any, name: str, split: str | None) -> Any:
    """The split asked for, or the only one; what has no splits as it is."""
    if not isinstance(loaded, dict):
        return loaded
    if split is None and len(loaded) == 1:
        return next(iter(loaded.values()))
    if split in loaded:
        return loaded[split]
    problem = "has several splits" if split is None else f"has no split {split!r}"
    msg = f"{name} {problem}. Choose one with split= (--split): {', '.join(loaded)}."
    raise InputError(msg)


def _refuse_remote(name: str, options: Options) -> None:
    given = [o for o in ("config", "split", "revision") if getattr(options, o) is not None]
    if given:
        msg = f"{name} has no {' and no '.join(given)}. Leave out {', '.join(given)}."
        raise InputError(msg)


def _rows(data: Any, options: Options) -> Any:
    return data.to_iterable_dataset() if options.streaming else data


def _dataset(columns: Mapping[str, Any], name: str) -> Dataset:
    import pyarrow as pa
    from datasets import Dataset

    try:
        table = pa.table({column: _of_one_type(each) for column, each in columns.items()})
        fields = [
            field.with_type(pa.string()) if pa.types.is_large_string(field.type) else field
            for field in table.schema
        ]
        return Dataset(table.cast(pa.schema(fields)))
    except (pa.ArrowException, OverflowError) as error:
        reason = str(error.args[0]).split("\n", 1)[0]
        msg = f"{name}: a column mixes types ({reason}). Give each column one type."
        raise SchemaError(msg) from error


def _of_one_type(column: Any) -> Any:
    """Numbers beside text, or too long for Arrow, as text: each is read alone later on."""
    if not isinstance(column, list):
        return column
    kinds = {type(value) for value in column} - {type(None)}
    long = int in kinds and any(type(v) is int and abs(v) > 2**53 for v in column)
    if kinds <= {str, int, float} and ((len(kinds) > 1 and (str in kinds or long)) or long):
        return [None if value is None else str(value) for value in column]
    return column if kinds <= {str, int, float, bool, dict, bytes} else list(map(plain, column))


class _NotOnHubError(InputError):
    """No dataset of this id can be seen."""


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    """Say in one line why `datasets` could not open a table."""
    import pyarrow as pa
    from datasets.exceptions import DatasetNotFoundError, DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        with silence_loggers("datasets", "huggingface_hub"):
            yield
    except DatasetNotFoundError as error:
        raise _not_found(name, str(error)) from error
    except (ConnectionError, HfHubHTTPError) as error:
        msg = (
            f"{name}: the Hub does not answer and the dataset is not in the cache "
            f"({_first_line(error)}). Connect to the network, or give a local copy."
        )
        raise BackendError(msg, retryable=True) from error
    except (DatasetsError, FileNotFoundError, pa.ArrowException, ValueError, RuntimeError) as error:
        cause = _first_line(error.__cause__ or error).rstrip(".")
        msg = f"{name}: cannot be read as a dataset ({cause}). Check what it holds."
        raise InputError(msg) from error


def _not_found(name: str, reason: str) -> InputError:
    if "gated" in reason:
        return InputError(
            f"{name} is gated. Accept its terms on https://huggingface.co/datasets/{name}, "
            "then log in with: hf auth login."
        )
    if reason.startswith("Revision"):
        return InputError(f"{reason.rstrip('.')}. Give a branch, a tag or a full commit hash.")
    return _NotOnHubError(
        f"there is no folder {name!r} here and no dataset of that name on the Hub, or it is "
        "private. Check the spelling, or log in with: hf auth login."
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
