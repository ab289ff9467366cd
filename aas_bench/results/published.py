"""The paper's figures as records, and the subjects that still wait for theirs.

`paper.json` holds figures only, as printed; a null is not in the paper.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from aas_bench.generators.spec import Submission, load_submission
from aas_bench.results.record import SCHEMA_VERSION, Measurement, Record, Source, Status, Subject
from aas_bench.rewards.catalog import REWARDS

NO_INTERVAL: Final = "published without an interval"


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
    return (*_generators(specs), *_rewards(), *_emotions(), _photographs(), _paintings())


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


def _generators(specs: Mapping[str, Submission]) -> Iterator[Record]:
    n = paper()["generators"]["n"]
    for name, row in figures("generators").items():
        found = tuple(
            Measurement(
                measure=column.measure,
                reward=column.reward,
                value=float(row[key]),
                n=n,
                reason=NO_INTERVAL,
            )
            for key, column in GENERATOR_COLUMNS.items()
            if row[key] is not None
        )
        subject = generator_subject(specs[name])
        yield _record("wide_spectrum", subject, found, "generators")


def _rewards() -> Iterator[Record]:
    for name, row in figures("reward_models").items():
        found = tuple(
            Measurement(measure=column.measure, value=row[key], reason=NO_INTERVAL)
            for key, column in REWARD_COLUMNS.items()
            if row[key] is not None
        )
        yield _record("wide_spectrum", reward_subject(name, row["name"]), found, "reward_models")


def _emotions() -> Iterator[Record]:
    n = paper()["emotions"]["n"]
    for name, row in figures("emotions").items():
        found = tuple(
            Measurement(
                measure="accuracy",
                by="emotion",
                group=emotion,
                value=row[emotion],
                n=n,
                reason=NO_INTERVAL,
            )
            for emotion in EMOTIONS
        )
        yield _record("emotion_bias", reward_subject(name, row["name"]), found, "emotions")


def _photographs() -> Record:
    n = paper()["photographs"]["n"]
    found = tuple(
        Measurement(
            measure="gap",
            by=None if category is None else "category",
            group=category,
            value=float(gap),
            n=n if category is None else None,
            reason=reason or NO_INTERVAL,
        )
        for category, gap, reason in paper()["photographs"]["rows"]
    )
    return _record("ava_photos", reward_subject("hpsv3", "HPSv3"), found, "photographs")


def _paintings() -> Record:
    found = tuple(
        Measurement(
            measure=measure,
            by=None if painting is None else "painting",
            group=painting,
            value=float(value),
            n=n,
            reason=NO_INTERVAL,
        )
        for measure, painting, value, n in paper()["paintings"]["rows"]
    )
    return _record("lapis_art", reward_subject("hpsv3", "HPSv3"), found, "paintings")


def _record(task: str, subject: Subject, found: tuple[Measurement, ...], table: str) -> Record:
    source = Source(title=paper()["title"], url=paper()["url"], location=paper()[table]["location"])
    status: Status = "published" if found else "pending"
    return Record(
        schema_version=SCHEMA_VERSION,
        id=f"{task}/{subject.id}/{status}",
        status=status,
        subject=subject,
        task=task,
        measurements=found,
        source=source if found else None,
    )
