"""Whether a record may stand on the leaderboard: its numbers must follow from its scores."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import AasBenchError, StoreError
from aas_bench.measure.clean_up import clean_up_measurements, load_clean_up
from aas_bench.measure.measurement import Measurement
from aas_bench.measure.summary import STANDARD, standard
from aas_bench.records.collection import Refused, Results, flags_of, load_results, read_record
from aas_bench.records.make_records import redacted
from aas_bench.records.published import published_measurements, published_sources
from aas_bench.records.record import Record
from aas_bench.records.scores_file import scores_only
from aas_bench.tables.schema import MODEL
from aas_bench.tables.scores import ScoreTable, load_scores
from aas_bench.tasks.catalog import DEFAULT

if TYPE_CHECKING:
    import pandas as pd

TOLERANCE: Final = 1e-9
MOST_PAIRS: Final = 100_000
MOST_BYTES: Final = 32 * 1024 * 1024
_MOST_SHOWN: Final = 5


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one file.

    Attributes:
        file: Relative to the folder that was checked.
        id: The record's id; None where the file is no record.
        refused: Why it is not accepted, one line each; empty: accepted.
        flags: What a reader must be told although it is accepted.
    """

    file: str
    id: str | None
    refused: tuple[str, ...]
    flags: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "file": self.file,
            "id": self.id,
            "refused": list(self.refused),
            "flags": list(self.flags),
        }


def check_folder(folder: Path) -> tuple[Verdict, ...]:
    """Check every record under a folder; files that are no records are refused.

    Raises:
        InputError: There is no such folder.
    """
    results = load_results(folder)
    broken = [
        Verdict(file=each.file, id=None, refused=(each.reason,), flags=())
        for each in results.refused
    ]
    checked = [
        _verdict(f"{record.id}.json", record, folder / record.id) for record in results.records
    ]
    return tuple(sorted([*broken, *checked], key=lambda verdict: verdict.file))


def accepted(folder: Path) -> Results:
    """The records of a folder that may be shown; the others are among the refused, with why.

    A record is recomputed once for one content of it and of its scores.

    Raises:
        InputError: There is no such folder.
    """
    results = load_results(folder)
    shown, refused = [], list(results.refused)
    for record in results.records:
        objections = _known_objections(record, folder / record.id)
        if objections:
            told = "; ".join(objections)
            refused.append(Refused(file=f"{record.id}.json", reason=f"not accepted: {told}"))
        else:
            shown.append(record)
    names = {record.id for record in shown}
    return Results(
        records=tuple(shown),
        refused=tuple(refused),
        flagged=tuple(flag for flag in results.flagged if flag.id in names),
    )


def _known_objections(record: Record, place: Path) -> tuple[str, ...]:
    key = hashlib.sha256(record.to_json().encode())
    if record.scores is not None:
        file = place.parent / record.scores.file
        with suppress(OSError):
            if not file.is_symlink() and file.stat().st_size <= MOST_BYTES:
                key.update(file.read_bytes())
    told = key.hexdigest()
    if told not in _OBJECTIONS:
        _OBJECTIONS[told] = tuple(_objections(record, place.parent))
    return _OBJECTIONS[told]


_OBJECTIONS: Final[dict[str, tuple[str, ...]]] = {}
"""What was found against a record before, by the content of it and of its scores."""


def check_file(file: Path) -> Verdict:
    """Check one record file, with its scores beside it."""
    record = read_record(file)
    if isinstance(record, str):
        return Verdict(file=file.name, id=None, refused=(record,), flags=())
    return _verdict(file.name, record, file)


def _verdict(name: str, record: Record, place: Path) -> Verdict:
    return Verdict(
        file=name,
        id=record.id,
        refused=tuple(_objections(record, place.parent)),
        flags=tuple(each.reason for each in flags_of(record)),
    )


def _objections(record: Record, folder: Path) -> Iterator[str]:
    if record.status == "measured":
        if redacted(record.provenance) != record.provenance:
            yield "the provenance names a folder of a machine; leave file names only"
        yield from _against_scores(record, folder)
    elif record.measurements != published_measurements().get(record.id, ()):
        yield "the figures are not those of aas_bench/records/paper.json"
    elif record.source != published_sources().get(record.id):
        yield "the source is not that of aas_bench/records/paper.json"


def _against_scores(record: Record, folder: Path) -> Iterator[str]:
    assert record.scores is not None
    file = folder / record.scores.file
    if file.is_symlink() or not file.is_file():
        yield f"its scores {record.scores.file} are not beside it"
        return
    if file.stat().st_size > MOST_BYTES:
        yield f"its scores are larger than {MOST_BYTES:,} bytes"
        return
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    if sha256 != record.scores.sha256:
        yield f"its scores have the checksum {sha256}, not {record.scores.sha256}"
        return
    try:
        _refuse_huge(file)
        moved = load_clean_up(file)
        if moved is not None:
            unfit = list(_unfit_clean_up(record, moved))
            found = clean_up_measurements(moved, STANDARD)
        else:
            table = load_scores(file)
            unfit = list(_unfit(record, table))
            found = standard(table, task=record.task).measurements(record.subject.kind)
    except AasBenchError as error:
        yield f"its scores cannot be used: {' '.join(str(error).replace(str(file), '').split())}"
        return
    yield from unfit
    yield from _differences(record.measurements, found)


def _refuse_huge(file: Path) -> None:
    """Refuse by the declared size: a small file can claim a huge table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        n_rows = pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError) as error:
        msg = f"not readable Parquet ({error}). Write it again."
        raise StoreError(msg) from error
    if n_rows > MOST_PAIRS:
        msg = f"{n_rows:,} rows; the most is {MOST_PAIRS:,}. Leave out what is not of the task."
        raise StoreError(msg)


def _unfit_clean_up(record: Record, table: pd.DataFrame) -> Iterator[str]:
    assert record.scores is not None
    if len(table) != record.scores.n_pairs:
        yield f"its scores hold {len(table)} seed images, not {record.scores.n_pairs}"
    if record.subject.kind != "generator":
        yield "its scores are those of a generator that was given seed images"
    makers = sorted(set(table[MODEL].astype(str)))
    if makers != [record.subject.name]:
        yield f"its scores are of images by {', '.join(makers)[:200]}"
    if record.task != DEFAULT.name:
        yield f"seed images are of the task {DEFAULT.name}, not {record.task}"


def _unfit(record: Record, table: ScoreTable) -> Iterator[str]:
    assert record.scores is not None
    if len(table) != record.scores.n_pairs:
        yield f"its scores hold {len(table)} pairs, not {record.scores.n_pairs}"
    judged = record.subject.kind == "generator"
    kept = scores_only(table, table.rewards, judged=judged).frame
    extra = [str(name) for name in table.frame.columns if name not in kept]
    if extra:
        yield f"its scores hold columns that do not belong there: {', '.join(extra)[:200]}"
    if record.subject.kind == "reward_model" and table.rewards != (record.subject.name,):
        yield f"its scores are those of {', '.join(table.rewards)[:200]}"
    if record.subject.kind == "generator":
        makers = sorted(set(table.frame[MODEL].astype(str)))
        if makers != [record.subject.name]:
            yield f"its scores are of images by {', '.join(makers)[:200]}"


def _differences(told: tuple[Measurement, ...], found: tuple[Measurement, ...]) -> Iterator[str]:
    """What the record says and its scores do not, or the other way round; the first few."""
    theirs = {each.key: each for each in told}
    ours = {each.key: each for each in found}
    lines = [f"{_name(key)}: not among what its scores give" for key in theirs if key not in ours]
    lines += [
        f"{_name(key)}: left out; it is {ours[key].value}" for key in ours if key not in theirs
    ]
    for key in theirs.keys() & ours.keys():
        lines += _differing(theirs[key].to_dict(), ours[key].to_dict(), _name(key))
    yield from sorted(lines)[:_MOST_SHOWN]
    if len(lines) > _MOST_SHOWN:
        yield f"and {len(lines) - _MOST_SHOWN} more differences"


def _differing(told: Mapping[str, Any], found: Mapping[str, Any], name: str) -> Iterator[str]:
    for field in ("value", "low", "high", "n", "n_clusters", "coverage", "reason"):
        if not _equal(told[field], found[field]):
            yield f"{name}: {field} is {told[field]}, recomputed {found[field]}"


def _equal(told: Any, found: Any) -> bool:
    if isinstance(told, float) and isinstance(found, float):
        return math.isclose(told, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(told == found)


def _name(key: tuple[Any, ...]) -> str:
    return " ".join(str(part) for part in key if part is not None)
