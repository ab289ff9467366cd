"""A run directory: killed at any instant, it can be continued by the same command.

    RUN/manifest.json             what the run depends on; written first, changed only to grow
    RUN/parts/part-00000.parquet  the rows of one part; complete or absent
    RUN/parts/part-00000.sha256   its checksum, written after it, as `sha256sum -c` reads it
    RUN/parts-2/, RUN/parts-3/    those of the second and third round, where a run was grown
    RUN/lock                      held by the one process that writes

A round begins with one whole write of the manifest, which keeps what the earlier ones depended on;
their parts stay and are what a later round need not make again. What a run ends with
(`scores.parquet`, `run.json`) is written last.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from aas_bench.errors import InputError, StoreError
from aas_bench.files import ASIDE, json_bytes, json_value, whole_file, write_atomically

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST: Final = "manifest.json"
PARTS: Final = "parts"
_LOCK: Final = "lock"
_HELD: Final = (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
_FORMAT: Final = 1
_PARQUET: Final = {"compression": "zstd"}
_MOST_SHOWN: Final = 5
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:/")
"""As a path shows s3://bucket/run; the letter of a drive is one letter."""
_SHORTEST_HASH: Final = 16
ROW_GROUP: Final = 4096
"""Rows of a finished table that are held at once while it is written."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """What a run held before it was grown.

    Attributes:
        spec: What it depended on.
        parts: The folder of its parts, finished or not.
    """

    spec: Mapping[str, Any]
    parts: Path

    def tables(self) -> Iterator[pa.Table]:
        """Its whole parts, in order."""
        for file in sorted(self.parts.glob("part-*.parquet")):
            if (table := _read_part(file)) is not None:
                yield table


Grow: TypeAlias = Callable[[Path, "tuple[Round, ...]"], None]
"""Raises StoreError where a run may not go on from these rounds under another specification."""


class RunDirectory:
    """One run on disk; made by `open_run`.

    Args:
        path: The directory.
        parts: The folder in it where the parts of this round are.
        earlier: The rounds before, first to last.
    """

    def __init__(self, path: Path, *, parts: str = PARTS, earlier: tuple[Round, ...] = ()) -> None:
        self.path = path
        self.earlier = earlier
        self._parts = path / parts

    def part(self, number: int) -> pa.Table | None:
        """A finished part; None where it is absent, half-written or damaged."""
        return _read_part(self._part_file(number))

    def write_part(self, number: int, table: pa.Table) -> None:
        """Store a part, whole or not at all."""
        content = parquet_bytes(table)
        file = self._part_file(number)
        checksum = f"{hashlib.sha256(content).hexdigest()}  {file.name}\n"
        file.parent.mkdir(exist_ok=True)
        write_atomically(file, content)
        write_atomically(file.with_suffix(".sha256"), checksum.encode("ascii"))

    def write_table(self, name: str, tables: Iterable[pa.Table], schema: pa.Schema) -> Path:
        """Store one table of several, whole or not at all, and hold few of its rows at once.

        Args:
            name: Of the file.
            tables: Its rows, in order; equal rows give equal bytes, however they are cut.
            schema: That of the tables.
        """
        import pyarrow.parquet as pq

        path = self.path / name
        with whole_file(path) as file, pq.ParquetWriter(file, schema, **_PARQUET) as writer:
            for table in _of_rows(tables, ROW_GROUP):
                writer.write_table(table, row_group_size=ROW_GROUP)
        return path

    def write(self, name: str, content: bytes) -> Path:
        """Store a file of the run, whole or not at all."""
        return write_atomically(self.path / name, content)

    def write_json(self, name: str, value: Mapping[str, Any]) -> Path:
        """Store JSON values under `name`; NaN is refused."""
        return self.write(name, json_bytes(value))

    def _part_file(self, number: int) -> Path:
        return self._parts / f"part-{number:05d}.parquet"


@contextmanager
def open_run(
    path: str | os.PathLike[str],
    *,
    kind: str,
    spec: Mapping[str, Any],
    version: int = _FORMAT,
    grow: Grow | None = None,
) -> Iterator[RunDirectory]:
    """Make the run directory `path`, or continue or grow the one that is there.

    Holds a lock that the operating system releases however the process ends. A new directory in
    which an error left nothing but its manifest is taken away again.

    Args:
        path: The directory; made where absent.
        kind: What the run makes, e.g. "scores".
        spec: All that its results depend on, as JSON values.
        version: Of the layout of what the run stores.
        grow: Asked where the specification differs from that of the run that is there; None: a
            run of this kind does not grow.

    Raises:
        InputError: `path` is a file, or holds files that belong to no run.
        StoreError: Another process writes to it, its manifest is damaged, or it was made by
            another specification; the message names what differs.
    """
    root = Path(path)
    _check_free_or_run(root)
    new = [folder for folder in (root, *root.parents) if not folder.exists()]
    (root / PARTS).mkdir(parents=True, exist_ok=True)
    with _locked(root):
        for stale in (*root.glob(f"{ASIDE}*"), *root.glob(f"*/{ASIDE}*")):
            stale.unlink()
        manifest = {"format": version, "kind": kind, "spec": spec}
        if (root / MANIFEST).exists():
            run = _continued(root, json.loads(json_bytes(manifest)), grow)
        else:
            run = RunDirectory(root)
            run.write_json(MANIFEST, manifest)
        try:
            yield run
        except Exception:
            if new and _holds_nothing(root):
                shutil.rmtree(root)
                _remove_empty(new[1:])
            raise


def rounds_of(
    path: Path, *, kind: str | None = None, version: int | None = None
) -> tuple[Round, ...]:
    """What a run directory holds, first round to last; nothing where it is none of this kind.

    Args:
        path: The directory.
        kind: What the run makes; None: whatever it is.
        version: Of the layout of what it stores; None: any.
    """
    try:
        stored = json_value((path / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return ()
    if not isinstance(stored, dict) or "spec" not in stored:
        return ()
    if kind not in (None, stored.get("kind")) or version not in (None, stored.get("format")):
        return ()
    return _rounds(path, stored)


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file; equal tables give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, **_PARQUET)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _of_rows(tables: Iterable[pa.Table], n: int) -> Iterator[pa.Table]:
    """The same rows in tables of n, each column in one piece; the last has what is left."""
    import pyarrow as pa

    held: list[pa.Table] = []
    for table in tables:
        held.append(table)
        while sum(map(len, held)) >= n:
            whole = pa.concat_tables(held)
            yield whole.slice(0, n).combine_chunks()
            held = [whole.slice(n)]
    if sum(map(len, held)):
        yield pa.concat_tables(held).combine_chunks()


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    with (root / _LOCK).open("ab") as file:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = f"{root}: another process writes to this run. Wait for it, or stop it."
            if error.errno not in _HELD:
                msg = f"{root} cannot be locked ({error.strerror}). Give a folder on another disk."
            raise StoreError(msg) from error
        yield


def _check_free_or_run(root: Path) -> None:
    if _ADDRESS.match(str(root)):
        msg = f"{root} is an address and no folder. Give a folder, and copy it when it is done."
        raise InputError(msg)
    if root.exists() and not root.is_dir():
        msg = f"{root} is a file. Give a directory for the run."
        raise InputError(msg)
    if not root.exists() or (root / MANIFEST).exists():
        return
    foreign = [p.name for p in root.iterdir() if p.name not in {_LOCK, PARTS}]
    foreign = [name for name in foreign if not name.startswith(ASIDE)]
    if foreign:
        msg = f"{root} holds {sorted(foreign)[0]!r} and no run. Give a new or empty directory."
        raise InputError(msg)


def _remove_empty(folders: Iterable[Path]) -> None:
    """Take away folders, the innermost first, up to one that is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _holds_nothing(root: Path) -> bool:
    """Whether a run that was begun stored nothing: no file but the manifest and the lock."""
    files = {file.relative_to(root).as_posix() for file in root.rglob("*") if file.is_file()}
    return files <= {_LOCK, MANIFEST}


def _continued(root: Path, manifest: dict[str, Any], grow: Grow | None) -> RunDirectory:
    """The run that is there, in the round of this specification."""
    try:
        stored = json_value((root / MANIFEST).read_bytes())
        if not isinstance(stored, dict):
            msg = "it is no JSON object"
            raise ValueError(msg)
    except (OSError, ValueError) as error:
        msg = f"{root / MANIFEST} is damaged ({error}). Delete {root} and run again."
        raise StoreError(msg) from error
    if stored.get("kind") != manifest["kind"]:
        msg = f"{root} is a run of {stored.get('kind')}, not of {manifest['kind']}."
        raise StoreError(f"{msg} Give another directory.")
    if stored.get("format") != manifest["format"]:
        msg = f"{root} was made by another version of aas-bench, which stored a run otherwise."
        raise StoreError(f"{msg} Give another directory, or delete this one.")
    rounds = _rounds(root, stored)
    if stored["spec"] == manifest["spec"]:
        return RunDirectory(root, parts=rounds[-1].parts.name, earlier=rounds[:-1])
    if grow is None:
        refuse_other(root, stored["spec"], manifest["spec"])
    grow(root, rounds)
    parts = f"{PARTS}-{len(rounds) + 1}"
    earlier = [{"parts": each.parts.name, "spec": each.spec} for each in rounds]
    run = RunDirectory(root, parts=parts, earlier=rounds)
    run.write_json(MANIFEST, manifest | {"parts": parts, "earlier": earlier})
    return run


def _rounds(root: Path, stored: Mapping[str, Any]) -> tuple[Round, ...]:
    last = {"parts": stored.get("parts", PARTS), "spec": stored["spec"]}
    return tuple(
        Round(spec=each["spec"], parts=root / each["parts"])
        for each in (*stored.get("earlier", ()), last)
    )


def _read_part(file: Path) -> pa.Table | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        content = file.read_bytes()
        checksum = file.with_suffix(".sha256").read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return None
    if checksum[:1] != [hashlib.sha256(content).hexdigest()]:
        return None
    try:
        return pq.read_table(pa.BufferReader(content))
    except pa.ArrowException:
        return None


def refuse_other(root: Path, there: Any, now: Any) -> NoReturn:
    """Raise the StoreError of a run that was made by another specification."""
    msg = (
        f"{root} was made by another configuration: {differences(there, now)}. "
        "Repeat the first command to continue it, or give another directory."
    )
    raise StoreError(msg)


def differences(there: Any, now: Any) -> str:
    """What differs between two JSON values, in one clause; sums are named and not shown."""
    before, after = _flat(there), _flat(now)
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    names = dict.fromkeys(_difference(key, before.get(key), after.get(key)) for key in keys)
    shown = list(names)[:_MOST_SHOWN]
    if len(names) > _MOST_SHOWN:
        shown.append(f"and {len(names) - _MOST_SHOWN} more")
    return "; ".join(shown)


def _difference(key: str, before: Any, after: Any) -> str:
    if _is_sum(before) or _is_sum(after):
        # The last word only says what kind of sum it is.
        return f"other {key.rpartition('.')[0] or key}"
    return f"{key} was {before!r:.80}, is {after!r:.80}"


def _is_sum(value: Any) -> bool:
    """Whether a value says nothing to people: a hash."""
    if not isinstance(value, str) or len(value) < _SHORTEST_HASH:
        return False
    return all(letter in "0123456789abcdef" for letter in value)


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    """Leaves of nested JSON by dotted path; an empty container is a leaf."""
    if isinstance(value, dict) and value:
        return {
            leaf: v
            for key, inner in value.items()
            for leaf, v in _flat(inner, f"{path}.{key}" if path else key).items()
        }
    if isinstance(value, list) and value:
        return {
            leaf: v
            for i, inner in enumerate(value)
            for leaf, v in _flat(inner, f"{path}[{i}]").items()
        }
    return {path: value}
