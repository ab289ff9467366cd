"""One leaderboard result as checked data: frozen, strict, bounded, and plain text throughout."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.dataclasses import dataclass

from aas_bench.measure import measurement
from aas_bench.measure.measures import MEASURES
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.task import Kind

SCHEMA_VERSION: Final = 1
MOST_MEASUREMENTS: Final = 5000
_JSON: Final[dict[str, Any]] = {"allow_nan": False, "ensure_ascii": False}

Status: TypeAlias = Literal["measured", "published", "pending"]


def _printable(text: str) -> str:
    if not text.isprintable():
        msg = "a character that cannot be printed or that steers the text is not allowed"
        raise ValueError(msg)
    return text


def _finite(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    json.dumps(value, allow_nan=False)
    return value


def _measure(name: str) -> str:
    return MEASURES[name].name


def _task(name: str) -> str:
    return TASKS[name].name


_SLUG: Final = r"[a-z0-9]+([._-]+[a-z0-9]+)*"
Slug: TypeAlias = Annotated[str, StringConstraints(pattern=rf"^{_SLUG}$", max_length=64)]
RecordId: TypeAlias = Annotated[
    str, StringConstraints(pattern=rf"^{_SLUG}/{_SLUG}/{_SLUG}$", max_length=200)
]
Text: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)
]
Url: TypeAlias = Annotated[
    str,
    StringConstraints(
        pattern=r"^https://[A-Za-z0-9.-]+(/[A-Za-z0-9._~/?#=&%+-]*)?$", max_length=300
    ),
]
Repo: TypeAlias = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200
    ),
]
Revision: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
MeasureName: TypeAlias = Annotated[
    str, AfterValidator(_measure), WithJsonSchema({"enum": list(MEASURES)})
]
TaskName: TypeAlias = Annotated[str, AfterValidator(_task), WithJsonSchema({"enum": list(TASKS)})]


_STRICT: Final = ConfigDict(
    extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
)


class Strict(BaseModel):
    """Frozen; refuses unknown keys, other types and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, **_STRICT)


class Subject(Strict):
    """What a record is about. Names are data: text to show, never markup or a path."""

    id: Slug
    """Lower-case letters and digits joined by . _ or -, at most 64."""
    name: Text
    """The name that people read."""
    kind: Kind
    """A reward model or an image generator."""
    family: Slug | None = None
    """Generators that go back to one base model share it."""
    base: Slug | None = None
    """Id of the subject that this one was aligned from."""
    alignment: (
        Literal["base", "aesthetic", "narrow", "instruction", "distilled", "mitigated", "closed"]
        | None
    ) = None
    """What a generator was aligned for."""
    open_weights: bool | None = None
    """Whether its weights can be had; left out where it has none."""
    repo: Repo | None = None
    """Its Hub repository."""
    revision: Revision | None = None
    """The commit that was measured."""
    licence: Annotated[str, StringConstraints(min_length=1, max_length=400)] | None = Field(
        default=None
    )
    """Licence of the weights, or terms of the service."""

    @model_validator(mode="after")
    def _one_line(self) -> Subject:
        _printable(self.licence or "")
        return self


@dataclass(frozen=True, kw_only=True, config=_STRICT)
class Measurement(measurement.Measurement):
    """One number with its interval and what it rests on: one row of the collected table."""

    measure: MeasureName
    """A name of `measure/measures.py`."""
    reward: Text | None = None
    """The reward model that measured a generator."""
    by: Slug | None = None
    """What the pairs are grouped by, e.g. dimensions, emotion, category."""
    group: Text | None = None
    """The group of `by` that the number is for."""
    at: float | None = None
    """Preference strength or dose, where the measure has one."""
    value: float | None
    """The number; null where it is undefined, with the reason."""
    low: float | None = None
    """Lower end of the 95 % interval."""
    high: float | None = None
    """Upper end of the 95 % interval."""
    n: Annotated[int, Field(ge=0)] | None = None
    """Pairs that it rests on."""
    n_clusters: Annotated[int, Field(ge=0)] | None = None
    """Independent base prompts or scenes among them."""
    coverage: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the pairs that could be used; null where a source does not say."""
    reason: Text | None = None
    """Why there is no value or no interval."""

    @model_validator(mode="after")
    def _consistent(self) -> Measurement:
        if self.value is None and self.reason is None:
            msg = "a measurement without a value needs a reason"
            raise ValueError(msg)
        if (self.by is None) != (self.group is None):
            msg = "by and group stand together or not at all"
            raise ValueError(msg)
        if self.low is not None and self.high is not None and self.low > self.high:
            msg = f"low {self.low} lies above high {self.high}"
            raise ValueError(msg)
        least, most = MEASURES[self.measure].range
        for name in ("value", "low", "high"):
            found = getattr(self, name)
            if found is not None and not _within(found, least, most):
                msg = f"{name} {found:.6g} of {self.measure} lies outside {_told(least, most)}"
                raise ValueError(msg)
        return self

    @classmethod
    def of(cls, found: measurement.Measurement) -> Measurement:
        """A number that was computed, as a record holds it."""
        return cls(**found.to_dict())


def _within(value: float, least: float | None, most: float | None) -> bool:
    """Whether a value can be; beyond an end only by the last bits of a float."""
    room = 1e-9
    return (least is None or value >= least - room) and (most is None or value <= most + room)


def _told(least: float | None, most: float | None) -> str:
    ends = ("-inf" if least is None else f"{least:g}", "inf" if most is None else f"{most:g}")
    return f"{ends[0]} to {ends[1]}"


class Source(Strict):
    """Where published figures stand."""

    title: Text
    """Title of the publication."""
    url: Url
    """Its address."""
    location: Text
    """Table or section."""


class Scores(Strict):
    """The per-pair scores that the aggregates are recomputed from."""

    file: Annotated[str, StringConstraints(pattern=rf"^{_SLUG}\.parquet$", max_length=100)]
    """A Parquet file in the record's folder, by its bare name."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    """Checksum of that file."""
    n_pairs: int = Field(ge=1)
    """Rows of that file."""


class Record(Strict):
    """One result of one subject on one task."""

    schema_version: Literal[1]
    """Version of this schema."""
    id: RecordId
    """`<task>/<subject id>/<status or run tag>`; unique."""
    status: Status
    """Measured here from scores, taken from a publication, or not there yet."""
    subject: Subject
    """What the record is about."""
    task: TaskName
    """The dataset, by its name (`aas-bench list tasks`)."""
    measurements: tuple[Measurement, ...] = Field(default=(), max_length=MOST_MEASUREMENTS)
    """The numbers."""
    source: Source | None = None
    """Where published figures, or published per-pair scores, stand."""
    subset: Text | None = None
    """Which part of the task's pairs the scores are of; left out where they are all."""
    scores: Scores | None = None
    """What measured figures are recomputed from."""
    provenance: Annotated[dict[str, JsonValue], AfterValidator(_finite)] | None = None
    """How it was measured: versions, revision, seed, time."""
    created: date | None = None
    """The day of the measurement."""

    @model_validator(mode="after")
    def _consistent(self) -> Record:
        problems = [*self._faults()]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _faults(self) -> list[str]:
        task, subject, _ = self.id.split("/")
        needs = {
            f"the id names task {task!r}, the record {self.task!r}": task == self.task,
            f"the id names subject {subject!r}, the record {self.subject.id!r}": subject
            == self.subject.id,
            "a published record needs its source": self.status != "published"
            or self.source is not None,
            "a measured record needs its scores and provenance": self.status != "measured"
            or None not in (self.scores, self.provenance),
            "a pending record has no measurements": self.status != "pending"
            or not self.measurements,
            "a record that is not pending has measurements": self.status == "pending"
            or bool(self.measurements),
        }
        faults = [text for text, met in needs.items() if not met]
        keys = [each.key for each in self.measurements]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            faults.append(
                f"two measurements are {' '.join(str(k) for k in twice if k is not None)}"
            )
        return faults

    def get(
        self,
        measure: str,
        *,
        reward: str | None = None,
        by: str | None = None,
        group: str | None = None,
        at: float | None = None,
    ) -> Measurement | None:
        """The one measurement of exactly this key; None where the record has none."""
        wanted = (measure, reward, by, group, at)
        return next((each for each in self.measurements if each.key == wanted), None)

    def to_json(self) -> str:
        """The record's file: one measurement a line, fields at their default left out."""
        document = self.model_dump(mode="json", exclude_defaults=True)
        lines = [json.dumps(each, **_JSON) for each in document.pop("measurements", ())]
        head = json.dumps(document, indent=1, **_JSON)
        if not lines:
            return f"{head}\n"
        block = ",\n  ".join(lines)
        return f'{head[:-2]},\n "measurements": [\n  {block}\n ]\n}}\n'


def json_schema() -> str:
    """The JSON Schema of a record file, for editors; ends with a line feed."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Record.model_json_schema(),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
