"""The paper's figures as records, and the subjects that still wait for theirs.

`paper.json` holds figures only, as printed; a null is not in the paper. Some generators were added
to the authors' page after the paper and say so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from aas_bench.generators.spec import Submission, load_submission
from aas_bench.measure.measures import MEASURES
from aas_bench.measure.printed import printed_interval
from aas_bench.records.record import SCHEMA_VERSION, Measurement, Record, Source, Status, Subject
from aas_bench.rewards.catalog import REWARDS
from aas_bench.tasks.catalog import TASKS

NO_INTERVAL: Final = "published without an interval"
WILSON: Final = "Wilson interval from the printed n"


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the paper's tables: what it measures, and the decimals it is printed with."""

    measure: str
    reward: str | None = None
    digits: int = 3


GENERATOR_COLUMNS: Final[Mapping[str, Column]] = {
    "delta_hpsv2": Column(measure="delta", reward="hpsv2"),
    "delta_hpsv3": Column(measure="delta", reward="hpsv3"),
    "hpsv3_after": Column(measure="after", reward="hpsv3"),
    "delta_image_reward": Column(measure="delta", reward="image-reward"),
    "delta_rater": Column(measure="delta", reward="rater"),
    "rater_after": Column(measure="after", reward="rater"),
    "llm_win": Column(measure="llm_win"),
    "special_effects_diff": Column(measure="special_effects_diff", digits=2),
    "main_concepts_diff": Column(measure="main_concepts_diff", digits=2),
}
REWARD_COLUMNS: Final[Mapping[str, Column]] = {
    "accuracy": Column(measure="accuracy"),
    "f1": Column(measure="f1"),
    "auroc": Column(measure="auroc"),
}
EMOTIONS: Final = ("angry", "fearful", "sad")
EMOTION_DIGITS: Final = 2


@cache
def paper() -> dict[str, Any]:
    """The figures by table: `columns` and `rows`, and where they stand."""
    text = Path(__file__).with_name("paper.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def figures(table: str) -> dict[str, dict[str, Any]]:
    """The rows of one table by the id in their first column; each by column name."""
    columns = paper()[table]["columns"]
    return {row[0]: dict(zip(columns, row, strict=True)) for row in paper()[table]["rows"]}


def published_records(submissions: Path) -> tuple[Record, ...]:
    """Every record that the paper gives, and a pending one for each generator without figures.

    Args:
        submissions: Folder of the submission files, which say what each generator is.

    Raises:
        SpecError: A submission is broken.
        KeyError: A generator of the paper has no submission.
    """
    specs = {s.id: s for s in map(load_submission, sorted(submissions.glob("*.yaml")))}
    return tuple(_record(each, specs) for each in _entries())


@cache
def published_measurements() -> dict[str, tuple[Measurement, ...]]:
    """What each record that is not measured holds, by record id."""
    return {each.id: each.found for each in _entries()}


@cache
def published_sources() -> dict[str, Source | None]:
    """Where the figures of each record that is not measured stand, by record id."""
    return {each.id: _source_of(each) for each in _entries()}


def generator_subject(spec: Submission) -> Subject:
    """What a submission says of its generator; the repository is that of its own weights."""
    own = list(spec.sources().values())
    weights = own[-1] if own else None
    local = weights is None or weights.repo.startswith((".", "/"))
    return Subject(
        id=spec.id,
        name=spec.name,
        kind="generator",
        family=spec.family,
        base=spec.base,
        alignment=spec.alignment,
        open_weights=None if spec.backend == "builtin" else spec.alignment != "closed",
        repo=None if local or weights is None else weights.repo,
        revision=None if local or weights is None else weights.revision,
        licence=spec.licence,
    )


def reward_subject(subject_id: str, name: str) -> Subject:
    """What the catalog says of a reward model; a name that it does not hold stands alone."""
    row = REWARDS[subject_id] if subject_id in REWARDS else None  # noqa: SIM401 - get() raises too
    weights = None if row is None else row.weights
    return Subject(
        id=subject_id,
        name=name,
        kind="reward_model",
        open_weights=None if weights is None else True,
        repo=None if weights is None else weights.repo,
        revision=None if weights is None else weights.revision,
        licence=None if row is None else row.licence,
    )


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One record before what is known of its subject."""

    subject: str
    name: str | None
    """None for a generator: its submission says."""
    table: str
    found: tuple[Measurement, ...]

    @property
    def task(self) -> str:
        return next(task.name for task in TASKS.values() if self.table in task.paper)

    @property
    def status(self) -> Status:
        return "published" if self.found else "pending"

    @property
    def id(self) -> str:
        return f"{self.task}/{self.subject}/{self.status}"


def _entries() -> Iterator[_Entry]:
    yield from _generators()
    yield from _rewards()
    yield from _emotions()
    yield _hpsv3("photographs", _photographs())
    yield _hpsv3("paintings", _paintings())


def _generators() -> Iterator[_Entry]:
    table = paper()["generators"]
    place = dict.fromkeys(table["appendix"]["columns"], table["appendix"]["location"])
    for name, row in figures("generators").items():
        found = tuple(
            _figure(
                column.measure, row[key], reward=column.reward, n=table["n"], place=place.get(key)
            )
            for key, column in GENERATOR_COLUMNS.items()
            if row[key] is not None
        )
        yield _Entry(subject=name, name=None, table="generators", found=found)


def _rewards() -> Iterator[_Entry]:
    for subject, row in figures("reward_models").items():
        found = tuple(
            _figure(column.measure, row[key])
            for key, column in REWARD_COLUMNS.items()
            if row[key] is not None
        )
        yield _Entry(subject=subject, name=row["name"], table="reward_models", found=found)


def _emotions() -> Iterator[_Entry]:
    n = paper()["emotions"]["n"]
    for subject, row in figures("emotions").items():
        found = tuple(
            _figure("accuracy", row[emotion], by="emotion", group=emotion, n=n)
            for emotion in EMOTIONS
        )
        yield _Entry(subject=subject, name=row["name"], table="emotions", found=found)


def _photographs() -> Iterator[Measurement]:
    n = paper()["photographs"]["n"]
    for category, gap, reason in paper()["photographs"]["rows"]:
        if category is None:
            yield _figure("gap", gap, n=n)
        else:
            yield _figure("gap", gap, by="category", group=category, reason=reason or NO_INTERVAL)


def _paintings() -> Iterator[Measurement]:
    for measure, painting, value, n in paper()["paintings"]["rows"]:
        by = None if painting is None else "painting"
        yield _figure(measure, value, by=by, group=painting, n=n)


def _hpsv3(table: str, found: Iterator[Measurement]) -> _Entry:
    return _Entry(subject="hpsv3", name="HPSv3", table=table, found=tuple(found))


def _figure(
    measure: str,
    value: float,
    *,
    reason: str = NO_INTERVAL,
    place: str | None = None,
    n: int | None = None,
    **where: Any,
) -> Measurement:
    """One figure as printed; a share of a printed n has the interval that this n gives it.

    Args:
        measure: A name of `MEASURES`.
        value: As printed.
        reason: Why it has no interval of the source's.
        place: Where it stands, if not where the record's source says.
        n: Prompts, as printed.
        where: The other fields that tell measurements apart.
    """
    low = high = None
    if n is not None and n > 1 and MEASURES[measure].unit == "share":
        (low, high), reason = printed_interval(value, n), WILSON
    told = f"{reason}; {place}" if place else reason
    return Measurement(
        measure=measure, value=float(value), low=low, high=high, n=n, reason=told, **where
    )


def _source_of(entry: _Entry) -> Source | None:
    """Where a record's figures stand; None for one without figures."""
    if not entry.found:
        return None
    place = paper()[entry.table]
    later = place.get("after_the_paper", {})
    if entry.subject in later.get("ids", ()):
        return Source(title=later["title"], url=later["url"], location=later["location"])
    return Source(title=paper()["title"], url=paper()["url"], location=place["location"])


def _record(entry: _Entry, specs: Mapping[str, Submission]) -> Record:
    return Record(
        schema_version=SCHEMA_VERSION,
        id=entry.id,
        status=entry.status,
        subject=generator_subject(specs[entry.subject])
        if entry.name is None
        else reward_subject(entry.subject, entry.name),
        task=entry.task,
        measurements=entry.found,
        source=_source_of(entry),
    )
