"""The folder of records: read all of them, refuse what is broken, flag what is not whole."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from aas_bench.errors import InputError
from aas_bench.files import whole_file
from aas_bench.records.record import SCHEMA_VERSION, Record, Status
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.task import Kind

SCHEMA_FILE: Final = "schema.json"
MAX_BYTES: Final = 4 * 1024 * 1024
LEAST_COVERAGE: Final = 0.95
_MOST_FAULTS: Final = 3

_RECORD: Final[TypeAdapter[Record]] = TypeAdapter(Record)


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A file that is no record. `file` is relative to the folder; both are text to show."""

    file: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Flagged:
    """A record that must not be shown as if whole."""

    id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Results:
    """All records of a folder.

    Attributes:
        records: The good ones, by id.
        refused: Files that are left out, with the reason.
        flagged: Records with a flaw, with the reason.
    """

    records: tuple[Record, ...]
    refused: tuple[Refused, ...]
    flagged: tuple[Flagged, ...]

    def of(
        self, *, kind: Kind | None = None, task: str | None = None, status: Status | None = None
    ) -> tuple[Record, ...]:
        """The records of one kind, task and status; None means any."""
        return tuple(
            each
            for each in self.records
            if kind in (None, each.subject.kind)
            and task in (None, each.task)
            and status in (None, each.status)
        )

    def flags(self) -> Mapping[str, str]:
        """Record id -> why it is flagged."""
        found: dict[str, str] = {}
        for each in self.flagged:
            found[each.id] = "; ".join(filter(None, (found.get(each.id), each.reason)))
        return found


def load_results(folder: str | os.PathLike[str]) -> Results:
    """Read every `*.json` under the folder (but `schema.json`); links and hidden files are skipped.

    Refused: what is no JSON or larger than `MAX_BYTES`, another schema version, a field that the
    schema does not allow, and every file of an id that occurs twice. Flagged: a coverage below
    `LEAST_COVERAGE`.

    Raises:
        InputError: There is no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        msg = f"there is no folder {str(root)!r}. Give the folder of the result records."
        raise InputError(msg)
    read = {file: read_record(root / file) for file in record_files(root)}
    owners: dict[str, list[str]] = defaultdict(list)
    for file, each in read.items():
        if isinstance(each, Record):
            owners[each.id].append(file)
    records, refused = [], []
    for file, each in read.items():
        if isinstance(each, str):
            refused.append(Refused(file=file, reason=each))
        elif len(owners[each.id]) > 1:
            others = [other for other in owners[each.id] if other != file]
            reason = f"the id {each.id} is also that of {', '.join(others[:3])}. Keep one."
            refused.append(Refused(file=file, reason=reason))
        else:
            records.append(each)
    records.sort(key=lambda record: record.id)
    return Results(
        records=tuple(records),
        refused=tuple(refused),
        flagged=tuple(flag for record in records for flag in flags_of(record)),
    )


def record_files(root: Path) -> list[str]:
    """The record files under a folder, relative, in order; symbolic links are not followed."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(folder) / name
            if name.endswith(".json") and not name.startswith(".") and not path.is_symlink():
                found.append(path.relative_to(root).as_posix())
    return sorted(name for name in found if name != SCHEMA_FILE)


def read_record(path: Path) -> Record | str:
    """The record of one file, or why it is refused."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return parse_record(data)


def parse_record(data: bytes | str) -> Record | str:
    """The record in this JSON text, or why it is refused, in one line."""
    if len(data) > MAX_BYTES:
        return f"is larger than {MAX_BYTES:,} bytes"
    try:
        return _RECORD.validate_json(data)
    except ValidationError as error:
        return _reason(data, error)


def _reason(data: bytes | str, error: ValidationError) -> str:
    try:
        document = from_json(data, allow_inf_nan=False)
    except ValueError as broken:
        return f"is not JSON: {broken}"
    if not isinstance(document, dict):
        return "is not one JSON object"
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        return f"has schema version {version!r:.40}; this package reads {SCHEMA_VERSION}"
    faults = error.errors(include_url=False, include_input=False)
    shown = [_fault(each) for each in faults[:_MOST_FAULTS]]
    more = len(faults) - len(shown)
    return "; ".join([*shown, *([f"and {more} more"] if more > 0 else [])])


def _fault(fault: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    text = f"{where}: {fault['msg']}" if where else str(fault["msg"])
    text = text.replace("Value error, ", "")
    return "".join(mark if mark.isprintable() else " " for mark in text)[:300]


def flags_of(record: Record) -> Iterator[Flagged]:
    """The flaws of a record: too few pairs of its task, and its lowest coverage."""
    expected = TASKS[record.task].expected_pairs(record.subject.kind)
    n_pairs = record.scores.n_pairs if record.scores else None
    if expected and n_pairs and n_pairs < LEAST_COVERAGE * expected:
        text = f"{n_pairs:,} of the task's {expected:,} pairs"
        yield Flagged(id=record.id, reason=text)
    low = [
        each
        for each in record.measurements
        if each.coverage is not None and each.coverage < LEAST_COVERAGE
    ]
    if low:
        worst = min(low, key=lambda each: each.coverage or 0.0)
        text = f"{len(low)} of {len(record.measurements)} figures rest on less than "
        text += f"{LEAST_COVERAGE:.0%} of the pairs; {worst.measure} on {worst.coverage:.2%}"
        yield Flagged(id=record.id, reason=text)


def save_record(record: Record, folder: Path) -> Path:
    """Write a record to `folder/<id>.json`, whole or not at all."""
    path = folder / f"{record.id}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(record.to_json().encode())
    return path


def rows(records: Iterable[Record]) -> Iterator[dict[str, Any]]:
    """One flat row a measurement, and one without a measure for a record that has none."""
    for record in records:
        subject = record.subject.model_dump()
        flagged = "; ".join(each.reason for each in flags_of(record))
        facts = {
            "record": record.id,
            "status": record.status,
            "task": record.task,
            **{"subject" if name == "id" else name: value for name, value in subject.items()},
            "created": record.created,
            "source": None if record.source is None else record.source.url,
            "location": None if record.source is None else record.source.location,
            "flag": flagged or None,
        }
        for each in record.measurements or (None,):
            yield facts | (dict.fromkeys(_MEASUREMENT) if each is None else each.to_dict())


def collect(results: Results, path: str | os.PathLike[str]) -> Path:
    """Write all good records as one tidy Parquet table; equal records give equal bytes.

    Raises:
        InputError: The folder of `path` does not exist.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(list(rows(results.records)), schema=_arrow_schema())
    with whole_file(path) as file:
        pq.write_table(table, file, compression="zstd")
    return Path(path)


_MEASUREMENT: Final = (
    "measure",
    "reward",
    "by",
    "group",
    "at",
    "value",
    "low",
    "high",
    "n",
    "n_clusters",
    "coverage",
    "reason",
)


def _arrow_schema() -> Any:
    import pyarrow as pa

    text = ("record", "status", "task", "subject", "name", "kind", "family", "base", "alignment")
    numbers = {"at", "value", "low", "high", "coverage"}
    counts = {"n", "n_clusters"}
    return pa.schema(
        [
            *((name, pa.string()) for name in text),
            ("open_weights", pa.bool_()),
            *((name, pa.string()) for name in ("repo", "revision", "licence")),
            ("created", pa.date32()),
            *((name, pa.string()) for name in ("source", "location", "flag")),
            *(
                (
                    name,
                    pa.float64()
                    if name in numbers
                    else (pa.int64() if name in counts else pa.string()),
                )
                for name in _MEASUREMENT
            ),
        ]
    )
