"""The table as it stood on a day: frozen under a version, and what changed between two."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from aas_bench.errors import InputError, StoreError
from aas_bench.files import file_sha256, json_value, write_atomically
from aas_bench.records.collection import Results, collect
from aas_bench.version import __version__

TABLE: Final = "records.parquet"
FACTS: Final = "snapshot.json"
_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY: Final = ("record", "measure", "reward", "by", "group", "at")
_TOLERANCE: Final = 1e-12

Kind: TypeAlias = Literal["new", "gone", "changed"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One figure that differs between two snapshots.

    Attributes:
        record: Id of the record.
        measure: A name of `measure/measures.py`; "" where the record has no figures.
        of: Reward model, group and strength or dose, as far as the figure has them.
        kind: "new" where the earlier has no such figure, "gone" where the later has none.
        before: The earlier value.
        after: The later value.
    """

    record: str
    measure: str
    of: str
    kind: Kind
    before: float | None
    after: float | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def freeze(results: Results, folder: Path, *, version: str, today: date) -> Path:
    """Write the accepted records as one dated table that is never written again.

    Args:
        results: The records.
        folder: Where snapshots are kept; the new one is `folder/<version>`.
        version: Its name: letters, digits, dots, dashes.
        today: The day it is of.

    Returns:
        The snapshot's folder.

    Raises:
        InputError: The version is no name, is taken, or there is no record.
    """
    if not _VERSION.fullmatch(version):
        msg = f"{version!r:.80} is no version. Use letters, digits, dots and dashes: 2026-11-28."
        raise InputError(msg)
    if not results.records:
        msg = "there is no accepted record to freeze. Add results first: aas-bench results add."
        raise InputError(msg)
    place = folder / version
    if (place / FACTS).exists():
        msg = f"{place} is frozen already. Give another --version."
        raise InputError(msg)
    place.mkdir(parents=True, exist_ok=True)
    table = collect(results, place / TABLE)
    facts = {
        "version": version,
        "date": today.isoformat(),
        "records": len(results.records),
        "sha256": file_sha256(table),
        "aas_bench": __version__,
    }
    write_atomically(place / FACTS, (json.dumps(facts, indent=1) + "\n").encode())
    return place


def read(place: Path) -> list[dict[str, Any]]:
    """The rows of a snapshot, or of a Parquet table that `results collect` wrote.

    Raises:
        InputError: There is no such snapshot.
        StoreError: Its table is not the one that was frozen.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = place / TABLE if place.is_dir() else place
    if not file.is_file():
        msg = f"{place} is no snapshot. Give a folder that `aas-bench results snapshot` wrote."
        raise InputError(msg)
    if place.is_dir() and (place / FACTS).is_file():
        facts = json_value((place / FACTS).read_text("utf-8"))
        if facts.get("sha256") != file_sha256(file):
            msg = f"{file} is not the table that was frozen. Restore it, or freeze anew."
            raise StoreError(msg)
    try:
        found: list[dict[str, Any]] = pq.read_table(file).to_pylist()
    except pa.ArrowException as error:
        msg = f"{file} is not readable Parquet ({error}). Freeze it again."
        raise StoreError(msg) from error
    if found and not set(_KEY) <= found[0].keys():
        msg = f"{file} is no table of records. Give one that `aas-bench results` wrote."
        raise InputError(msg)
    return found


def changes(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> tuple[Change, ...]:
    """What differs, by record and measure; equal figures are left out."""
    old, new = _by_key(before), _by_key(after)
    found = []
    for key in sorted(old.keys() | new.keys(), key=lambda key: tuple(map(str, key))):
        mine, theirs = old.get(key), new.get(key)
        values = tuple(None if each is None else each["value"] for each in (mine, theirs))
        kind: Kind = "new" if mine is None else "gone" if theirs is None else "changed"
        if kind == "changed" and _equal(*values):
            continue
        record, measure, *rest = key
        found.append(
            Change(
                record=record,
                measure=measure or "",
                of=", ".join(str(part) for part in rest if part is not None),
                kind=kind,
                before=values[0],
                after=values[1],
            )
        )
    return tuple(found)


def _by_key(found: list[dict[str, Any]]) -> Mapping[tuple[Any, ...], dict[str, Any]]:
    return {tuple(row[name] for name in _KEY): row for row in found}


def _equal(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return abs(a - b) <= _TOLERANCE * max(1.0, abs(a), abs(b))
