"""A run directory: killed at any instant, it can be continued by the same command.

    RUN/manifest.json             what the run depends on; written first, never changed
    RUN/parts/part-00000.parquet  the rows of one part; complete or absent
    RUN/parts/part-00000.sha256   its checksum, written after it, as `sha256sum -c` reads it
    RUN/lock                      held by the one process that writes

What a run ends with (`scores.parquet`, `run.json`) is written last.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, StoreError
from aas_bench.files import ASIDE, json_bytes, write_atomically

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST: Final = "manifest.json"
PARTS: Final = "parts"
_LOCK: Final = "lock"
_FORMAT: Final = 1
_MOST_SHOWN: Final = 5
_ADDRESS: Final = re.compile(r"[a-z][a-z0-9+.-]+:/")
"""As a path shows s3://bucket/run; the letter of a drive is one letter."""


class RunDirectory:
    """One run on disk; made by `open_run`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def part(self, number: int) -> pa.Table | None:
        """A finished part; None where it is absent, half-written or damaged."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = self._part_file(number)
        try:
            content = file.read_bytes()
            checksum = file.with_suffix(".sha256").read_text(encoding="ascii").split()
        except (OSError, UnicodeDecodeError):
            return None
        if checksum[:1] != [hashlib.sha256(content).hexdigest()]:
            return None
        return pq.read_table(pa.BufferReader(content))

    def write_part(self, number: int, table: pa.Table) -> None:
        """Store a part, whole or not at all."""
        content = parquet_bytes(table)
        file = self._part_file(number)
        checksum = f"{hashlib.sha256(content).hexdigest()}  {file.name}\n"
        write_atomically(file, content)
        write_atomically(file.with_suffix(".sha256"), checksum.encode("ascii"))

    def write(self, name: str, content: bytes) -> Path:
        """Store a file of the run, whole or not at all."""
        return write_atomically(self.path / name, content)

    def write_json(self, name: str, value: Mapping[str, Any]) -> Path:
        """Store JSON values under `name`; NaN is refused."""
        return self.write(name, json_bytes(value))

    def _part_file(self, number: int) -> Path:
        return self.path / PARTS / f"part-{number:05d}.parquet"


@contextmanager
def open_run(
    path: str | os.PathLike[str], *, kind: str, spec: Mapping[str, Any]
) -> Iterator[RunDirectory]:
    """Make the run directory `path`, or continue the one that is there.

    Holds a lock that the operating system releases however the process ends.

    Args:
        path: The directory; made where absent.
        kind: What the run makes, e.g. "scores".
        spec: All that its results depend on, as JSON values.

    Raises:
        InputError: `path` is a file, or holds files that belong to no run.
        StoreError: Another process writes to it, its manifest is damaged, or it was made by
            another specification; the message names what differs.
    """
    root = Path(path)
    _check_free_or_run(root)
    (root / PARTS).mkdir(parents=True, exist_ok=True)
    with _locked(root):
        for stale in (*root.glob(f"{ASIDE}*"), *root.glob(f"*/{ASIDE}*")):
            stale.unlink()
        run = RunDirectory(root)
        manifest = {"format": _FORMAT, "kind": kind, "spec": spec}
        if (root / MANIFEST).exists():
            _check_same(root, manifest)
        else:
            run.write_json(MANIFEST, manifest)
        yield run


def parquet_bytes(table: pa.Table) -> bytes:
    """The table as a Parquet file; equal tables give equal bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


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


def _check_same(root: Path, manifest: Mapping[str, Any]) -> None:
    try:
        stored = json.loads((root / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        msg = f"{root / MANIFEST} is damaged ({error}). Delete {root} and run again."
        raise StoreError(msg) from error
    there, now = _flat(stored), _flat(json.loads(json_bytes(manifest)))
    keys = sorted(key for key in there.keys() | now.keys() if there.get(key) != now.get(key))
    if not keys:
        return
    shown = [f"{k} was {there.get(k)!r:.80}, is {now.get(k)!r:.80}" for k in keys[:_MOST_SHOWN]]
    if len(keys) > _MOST_SHOWN:
        shown.append(f"and {len(keys) - _MOST_SHOWN} more")
    msg = (
        f"{root} was made by another configuration: {'; '.join(shown)}. "
        "Repeat the first command to continue it, or give another directory."
    )
    raise StoreError(msg)


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
