"""Find and open a pair table, wherever it is: built in, a file, a folder, on the Hub, in memory."""

from __future__ import annotations

import glob
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aas_bench.errors import BackendError, InputError, SchemaError, first_line
from aas_bench.files import LONGEST_PART, files_like, silence_loggers
from aas_bench.registry import Registry, import_object
from aas_bench.tables.authors import plain
from aas_bench.tables.formats import (
    frame_columns,
    read_columns,
    refuse_repetition,
    table_kind,
    table_path,
)

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    from datasets import Dataset, DatasetBuilder, IterableDataset

    from aas_bench.tables.schema import Columns
    from aas_bench.tasks.task import Task

Source: TypeAlias = (
    "str | os.PathLike[str] | Dataset | IterableDataset | pd.DataFrame | pl.DataFrame"
)

PAIRS_CONFIG: Final = "pairs"

HF: Final = "hf://"
_REFERENCE: Final = re.compile(
    r"(?P<hf>hf://datasets/)?(?P<id>[\w.-]+/[\w.-]+)"
    r"(@(?P<revision>refs/(pr|convert)/[\w.-]+|[\w.%-]+))?(/(?P<path>.+))?"
)
_ADDRESS: Final = re.compile(r"hf://datasets/(?P<id>[^@]+)@(?P<commit>[0-9a-f]{40})(/|$)")
_SNAPSHOT: Final = re.compile(r"/datasets--([^/]+?)--([^/]+)/snapshots/([0-9a-f]{40})(/|$)")
_LONG: Final = 2**28
_LINES: Final = Path("metadata.jsonl")
_SAVED: Final = ("state.json", "dataset_dict.json")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A dataset on the Hub, or files of it: `owner/name@revision`, `hf://datasets/owner/name/...`.

    Attributes:
        id: owner/name.
        revision: Branch, tag or commit; None where it is not said.
        path: The file, folder or pattern within it; None: the dataset.
    """

    id: str
    revision: str | None = None
    path: str | None = None

    @classmethod
    def of(cls, name: str) -> Reference | None:
        """What a name refers to on the Hub; None where it can be nothing there."""
        match = _REFERENCE.fullmatch(name)
        if match is None or (match["path"] and not match["hf"]):
            return None
        revision = match["revision"] and match["revision"].replace("%2F", "/")
        return cls(id=match["id"], revision=revision, path=match["path"])

    def url(self, revision: str) -> str:
        """Its address at a revision."""
        pinned = f"{HF}datasets/{self.id}@{revision.replace('/', '%2F')}"
        return pinned if self.path is None else f"{pinned}/{self.path}"

    def asked(self, options: Options) -> Options:
        """The options with its revision.

        Raises:
            InputError: They ask for another one.
        """
        if self.revision is None or self.revision == options.revision:
            return options
        if options.revision is not None:
            msg = (
                f"{self.id} is asked for at {self.revision!r} and at {options.revision!r}. "
                "Give one revision."
            )
            raise InputError(msg)
        return replace(options, revision=self.revision)


def without_revision(name: str) -> str:
    """A reference without the revision it names; any other name as it is."""
    head, _, revision = name.partition("@")
    if Path(name).exists() or not revision:
        return name
    if head.isidentifier():
        return head
    found = Reference.of(name)
    if found is None:
        return name
    return found.id if found.path is None else f"{HF}datasets/{found.id}/{found.path}"


def hub_home(data: Any) -> tuple[str, str] | None:
    """The id and the commit of the Hub's dataset that a table was read from; None: of none, or two.

    `datasets` itself notes where its files came from; the reader of pairs passes that on.
    """
    urls = (data.info.download_checksums if getattr(data, "info", None) else None) or {}
    found = {(match["id"], match["commit"]) for url in urls if (match := _ADDRESS.match(url))}
    return found.pop() if len(found) == 1 else None


def commit_of(data: Any) -> str | None:
    """The commit of `hub_home`."""
    home = hub_home(data)
    return None if home is None else home[1]


def note_commit(data: Any, address: str) -> None:
    """Note where a table that does not say so was read from."""
    if hub_home(data) is None and _ADDRESS.match(address):
        data.info.download_checksums = {address: {"num_bytes": None, "checksum": None}}


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A table as it is at its source.

    Attributes:
        data: The rows.
        name: What to call the source in errors.
        root: The folder that file names of images are relative to; None where there is none.
        hub_id: Its id where it was streamed from the Hub.
        theirs: Column of `data` -> what it is at the source, where that is called otherwise.
    """

    data: Dataset | IterableDataset
    name: str
    root: Path | None = None
    hub_id: str | None = None
    theirs: Mapping[str, str] = field(default_factory=dict)


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


def check_findable(source: str | os.PathLike[str]) -> None:
    """Refuse a name under which nothing can be, before anything is imported to open it.

    Raises:
        InputError: There is no such file or folder, or no table can be read from such a file.
        UnknownNameError: A bare word that no task is called.
    """
    name, path = checked_name(source), Path(source)
    if path.is_dir() or (path.suffix.lower() == ".parquet" and path.is_file()):
        return
    if "://" in name and not name.startswith(HF) and not path.exists():
        msg = f"{name}: addresses are not read, but for hf://. Copy it to this machine first, or "
        raise InputError(f"{msg}load it in Python with datasets, as docs/scale.md shows.")
    if path.exists() or (table_kind(path) and not name.startswith(HF)):
        table_path(path)
        return
    if name.partition("@")[0] in _tasks() or Reference.of(name) is not None:
        return
    near = files_like(path)
    if path.parent == Path() and not near:
        _tasks()[name]  # raises with the nearest names
    msg = f"{name}: there is no such file or folder.{near or ' Check the path.'}"
    raise InputError(msg)


def open_source(source: Source, options: Options) -> Opened:
    """Open a task by name, else a file or folder, else a Hub id; or what is open already.

    Raises:
        InputError: There is none of these, or it cannot be read.
        UnknownNameError: A bare word that no task is called.
        BackendError: The Hub cannot be reached.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _in_memory(source, options)
    check_findable(source)
    name, path = os.fspath(source), Path(source)
    task, _, revision = name.partition("@")
    if task.isidentifier() and task in _tasks() and not path.exists():
        options = Reference(id=task, revision=revision or None).asked(options)
        return _open_task(_tasks()[task], options)
    if path.is_dir():
        # `datasets` calls what it builds after the folder, and `.` has no name.
        return _noted(_open_folder(path if path.name else path.resolve(), options), path)
    if path.exists():
        return _noted(_open_file(path, options), path)
    reference = Reference.of(name)
    assert reference is not None  # `check_findable` let nothing else through
    return _open_hub(reference, options)


def checked_name(source: str | os.PathLike[str]) -> str:
    """A source as text.

    Raises:
        InputError: It can name no source at all.
    """
    name = os.fspath(source)
    if not name.strip():
        msg = "the name of the data is empty. Give a task, a table, a folder or a Hub id."
        raise InputError(msg)
    if any(len(os.fsencode(part)) > LONGEST_PART for part in Path(name).parts):
        msg = f"{name[:40]!r}... is too long for a name. Give a task, a table or a Hub id."
        raise InputError(msg)
    return name


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
    elif is_frame(source, "pandas"):
        data = _rows(_dataset(frame_columns(source), name), options)
    elif is_frame(source, "polars"):
        data = _rows(_dataset(polars_columns(source), name), options)
    else:
        msg = f"a {type(source).__name__} is no table. Give a Dataset, a frame, a name or a path."
        raise InputError(msg)
    refuse_remote(name, options)
    return Opened(data=data, name=name)


def is_frame(source: Any, library: str) -> bool:
    """Whether something is a DataFrame of pandas or polars, which is not imported to find out."""
    module = sys.modules.get(library)
    return module is not None and isinstance(source, module.DataFrame)


def polars_columns(frame: pl.DataFrame) -> Columns:
    """The columns of a frame of Polars as Arrow columns of the types that `datasets` knows."""
    import pyarrow as pa

    table = frame.to_arrow(compat_level=_oldest())
    plain = pa.schema([field.with_type(_plain_type(field.type)) for field in table.schema])
    return dict(zip(table.column_names, table.cast(plain).columns, strict=True))


def _oldest() -> Any:
    """The level of Arrow types that every reader knows: no views of strings."""
    return sys.modules["polars"].CompatLevel.oldest()


def _plain_type(kind: Any) -> Any:
    """An Arrow type without large offsets, categories or views."""
    import pyarrow as pa
    import pyarrow.types as kinds

    if kinds.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if kinds.is_large_string(kind) or kinds.is_string_view(kind):
        return pa.string()
    if kinds.is_large_binary(kind) or kinds.is_binary_view(kind):
        return pa.binary()
    if kinds.is_list(kind) or kinds.is_large_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if kinds.is_struct(kind):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in kind])
    return kind


def _tasks() -> Registry[Task]:
    from aas_bench.tasks.catalog import TASKS  # not read for a path

    return TASKS


def _open_task(task: Task, options: Options) -> Opened:
    if task.build is not None:
        refuse_remote(task.name, options)
        return Opened(data=_rows(import_object(task.build)(), options), name=task.name)
    try:
        return _open_hub(Reference(id=task.hub_id), options)
    except NotOnHubError as error:
        if task.authors_id is None:
            raise
        warnings.warn(f"{error} Reading the authors' own table, {task.authors_id}.", stacklevel=4)
        return _open_hub(Reference(id=task.authors_id), options)


def _open_file(file: Path, options: Options) -> Opened:
    refuse_remote(str(file), options)
    if file.suffix.lower() != ".parquet" or not file.is_file():
        from aas_bench.tables.folders import image_names, with_images

        columns = read_columns(file, images=True)
        data = _rows(_dataset(with_images(columns), str(file)), options)
        return Opened(data=data, name=str(file), root=file.parent, theirs=image_names(columns))
    from datasets import Dataset, IterableDataset
    from pyarrow.dataset import ParquetFragmentScanOptions

    # Not load_dataset("parquet"): that reports each load to a server first.
    with one_line(str(file)):
        if _may_be_long(file):
            refuse_repetition(file, str(file))
        kind = IterableDataset if options.streaming else Dataset
        scan = ParquetFragmentScanOptions(pre_buffer=False)  # else all that was read is kept
        data = kind.from_parquet(glob.escape(str(file)), fragment_scan_options=scan)
    return Opened(data=data, name=str(file), root=file.parent)


def _may_be_long(file: Path) -> bool:
    """Whether rows times bytes of a Parquet file are so many that what it repeats could matter."""
    import pyarrow.parquet as pq

    metadata = pq.read_metadata(file)
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    return any(group.num_rows * group.total_byte_size > _LONG for group in groups)


def snapshot_address(path: Path) -> str:
    """The address on the Hub of a folder or file in the Hub's cache; empty where it is not there.

    Links are not followed: that of a file leads out of the snapshot, to where its bytes are kept.
    """
    match = _SNAPSHOT.search(path.absolute().as_posix())
    return "" if match is None else f"{HF}datasets/{match[1]}/{match[2]}@{match[3]}"


def _open_folder(folder: Path, options: Options) -> Opened:
    name = str(folder)
    if any((folder / mark).is_file() for mark in _SAVED):
        from datasets import load_from_disk

        with one_line(name):
            saved = load_from_disk(name)
        data = _rows(one_split(saved, name, options.split), options)
        return Opened(data=data, name=name, root=folder)
    from aas_bench.tables.folders import folder_table

    found = folder_table(folder)
    if found is not None:
        refuse_remote(name, options)
        data = _rows(_dataset(found.columns, str(found.table)), options)
        return Opened(data=data, name=name, root=folder, theirs=found.theirs)
    if options.revision is not None:
        msg = f"{name} is a folder and has no revision. Leave out revision."
        raise InputError(msg)
    return Opened(data=_load(name, options), name=name, root=folder)


def _open_hub(reference: Reference, options: Options) -> Opened:
    options = reference.asked(options)
    if reference.path is None:
        data = _load(reference.id, options)
        return Opened(data=data, name=reference.id, hub_id=reference.id)
    commit, files = hub_files(reference, options)
    name = f"{reference.id}/{reference.path}"
    pinned = [f"{HF}{file}" for file in files]
    if all(file.endswith(".parquet") for file in files):
        from datasets import Dataset, IterableDataset

        with one_line(name):
            kind = IterableDataset if options.streaming else Dataset
            data = kind.from_parquet([glob.escape(url) for url in pinned])
        note_commit(data, f"{HF}datasets/{reference.id}@{commit}")
        return Opened(data=data, name=name, hub_id=reference.id)
    file = hub_copy(reference.id, files, commit)
    return _noted(_open_file(file, replace(options, revision=None)), file)


def _noted(opened: Opened, path: Path) -> Opened:
    """The same, with the commit of a file or folder in the Hub's cache."""
    note_commit(opened.data, snapshot_address(path))
    return opened


def hub_files(reference: Reference, options: Options) -> tuple[str, list[str]]:
    """The commit that a reference to files stands for, and their addresses there without `hf://`.

    Raises:
        InputError: There is no such dataset or file, or the options name what a file has not.
        BackendError: The Hub cannot be reached.
    """
    from huggingface_hub import HfApi, HfFileSystem

    name = f"{reference.id}/{reference.path}"
    refuse_remote(name, replace(options, revision=None))
    with one_line(reference.id):
        commit = str(HfApi().dataset_info(reference.id, revision=options.revision).sha)
    with one_line(name):
        pattern = reference.url(commit).removeprefix(HF)
        if not PurePosixPath(pattern).suffix:
            pattern = f"{pattern.rstrip('/')}/*.parquet"
        files = sorted(HfFileSystem().glob(pattern))
    if not files:
        msg = f"{name}: there is no such file at {commit[:7]}. Check the path."
        raise InputError(msg)
    return commit, files


def hub_copy(hub_id: str, files: list[str], commit: str) -> Path:
    """The one file of these in the Hub's cache, where the files beside it may be, too."""
    from huggingface_hub import hf_hub_download

    if len(files) > 1:
        msg = f"{hub_id}: {len(files)} files that are not Parquet. Name one of them."
        raise InputError(msg)
    path = files[0].partition(f"@{commit}/")[2]
    with one_line(hub_id):
        return Path(hf_hub_download(hub_id, path, repo_type="dataset", revision=commit))


def _load(name: str, options: Options) -> Any:
    """One configuration and one split of a folder or a Hub dataset."""
    builder = dataset_builder(name, options)
    with one_line(name):
        if options.streaming:
            loaded = builder.as_streaming_dataset(split=options.split)
        else:
            builder.download_and_prepare()
            loaded = builder.as_dataset(split=options.split)
    data = one_split(loaded, name, options.split)
    if not Path(name).exists():
        note_commit(data, f"{HF}datasets/{name}@{builder.hash}")
    return data


def dataset_builder(name: str, options: Options) -> DatasetBuilder:
    """What reads one configuration of a folder or a Hub dataset; its `hash` is the Hub's commit.

    Raises:
        InputError: There is no such dataset, or none of its configurations is the one.
        BackendError: The Hub cannot be reached.
    """
    from datasets import (
        get_dataset_config_names,
        get_dataset_default_config_name,
        load_dataset_builder,
    )

    with one_line(name):
        configs = get_dataset_config_names(name, revision=options.revision)
        config: str | None = options.config or options.preferred
        if options.config is None and config not in configs:
            config = get_dataset_default_config_name(name, revision=options.revision)
    if config not in configs:
        problem = "has several configurations" if config is None else f"has none called {config!r}"
        msg = f"{name} {problem}. Choose one with config= (--config): {', '.join(configs)}."
        raise InputError(msg)
    with one_line(name):
        return load_dataset_builder(name, config, revision=options.revision)


def one_split(loaded: Any, name: str, split: str | None) -> Any:
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


def refuse_remote(name: str, options: Options) -> None:
    """Refuse options that only a dataset on the Hub has, or one laid out like it.

    Raises:
        InputError: One of them is given.
    """
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


class NotOnHubError(InputError):
    """No dataset of this id can be seen."""


@contextmanager
def one_line(name: str) -> Iterator[None]:
    """Say in one line why `datasets` could not open a table."""
    import pyarrow as pa
    from datasets.exceptions import DatasetNotFoundError, DatasetsError

    # HTTPError is that of whichever client this version of the Hub's client uses.
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        with silence_loggers("datasets", "huggingface_hub"):
            yield
    except InputError:
        raise
    except DatasetNotFoundError as error:
        raise _not_found(name, str(error)) from error
    except RepositoryNotFoundError as error:
        raise _not_found(name, "") from error
    except RevisionNotFoundError as error:
        raise _not_found(name, f"Revision of {name} not found") from error
    except (ConnectionError, HTTPError, HfHubHTTPError) as error:
        msg = (
            f"{name}: the Hub does not answer and the dataset is not in the cache "
            f"({first_line(error)}). Connect to the network, or give a local copy."
        )
        raise BackendError(msg, retryable=True) from error
    except (DatasetsError, FileNotFoundError, pa.ArrowException, ValueError, RuntimeError) as error:
        if isinstance(error.__cause__, GatedRepoError):  # of a file of a dataset that itself shows
            raise _not_found("/".join(name.split("/")[:2]), "gated") from error
        raise _damaged(name, error.__cause__ or error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(name, error) from error  # Arrow says so of a damaged file


def _damaged(name: str, error: BaseException) -> InputError:
    cause = first_line(error)
    return InputError(f"{name}: cannot be read as a dataset ({cause}). Check what it holds.")


def _not_found(name: str, reason: str) -> InputError:
    if "gated" in reason:
        return InputError(
            f"{name} is gated. Accept its terms on https://huggingface.co/datasets/{name}, "
            "then log in with: hf auth login."
        )
    if reason.startswith("Revision"):
        return InputError(f"{reason.rstrip('.')}. Give a branch, a tag or a full commit hash.")
    return NotOnHubError(
        f"there is no folder {name!r} here and no dataset of that name on the Hub, or it is "
        "private. Check the spelling, or log in with: hf auth login."
    )
