"""The Hub's two evaluation formats: `eval.yaml` of a benchmark, `.eval_results/` of a model.

`eval.yaml` stands at the root of a benchmark's dataset repository and names its leaderboards. A
model's numbers stand in its own repository, one list of entries a file, one number a task. The Hub
ranks by the value, so only measures whose higher end is better are given to it.

Sources: hub-docs, `docs/hub/eval-results.md` and `eval_results.yaml`; huggingface.js,
`packages/tasks/src/eval.ts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic import model_validator as validated

from aas_bench.errors import SchemaError
from aas_bench.measure.measures import MEASURES
from aas_bench.records.address import RESULTS_REPO
from aas_bench.records.record import Measurement, Record
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.task import HubBenchmark

if TYPE_CHECKING:
    from huggingface_hub import EvalResultEntry

FRAMEWORK: Final = "aas-bench"
EVAL_YAML: Final = "eval.yaml"
MODEL_FILE: Final = ".eval_results/aas-bench.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=96)]


class YamlTask(_Strict):
    """One leaderboard in `eval.yaml`."""

    id: _Name
    config: _Name | None = None
    split: _Name = "test"


class EvalYaml(_Strict):
    """`eval.yaml` as documented, without what only the framework inspect-ai reads."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    description: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    evaluation_framework: _Name
    tasks: list[YamlTask] = Field(min_length=1)

    @validated(mode="after")
    def _unique(self) -> EvalYaml:
        ids = [task.id for task in self.tasks]
        if len(set(ids)) < len(ids):
            msg = "two tasks have one id"
            raise ValueError(msg)
        return self


def eval_yaml(task: str) -> str | None:
    """`eval.yaml` of the dataset of a task; None where it has no leaderboard."""
    row = TASKS[task]
    if not row.benchmarks:
        return None
    document = {
        "name": f"AAS-Bench: {task.replace('_', ' ')}",
        "description": (
            "Do reward models and generators honour a prompt that asks for an unpretty image? "
            f"Here: {row.summary}."
        ),
        "evaluation_framework": FRAMEWORK,
        "tasks": [{"id": b.id, "config": b.config, "split": "test"} for b in row.benchmarks],
    }
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)
    parse_eval_yaml(text)
    return text


def parse_eval_yaml(text: str) -> EvalYaml:
    """Check the text of an `eval.yaml` against the documented fields.

    Raises:
        SchemaError: It is no YAML, or a field is unknown, missing or of another type.
    """
    try:
        return EvalYaml.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as error:
        msg = (
            f"eval.yaml: {' '.join(str(error).split())[:300]}. See the Hub's docs on eval results."
        )
        raise SchemaError(msg) from error


def eval_entries(record: Record) -> list[EvalResultEntry]:
    """What a record says to the Hub's leaderboards: at most one number for each.

    The entries have no `verifyToken`: the Hub marks a result as verified, never its author.
    """
    from huggingface_hub import EvalResultEntry

    assert record.created is not None
    task = TASKS[record.task]
    return [
        EvalResultEntry(
            dataset_id=task.hub_id,
            task_id=benchmark.id,
            value=found.value,
            date=record.created.isoformat(),
            source_url=f"https://huggingface.co/datasets/{RESULTS_REPO}/blob/main/{path(record)}",
            source_name="AAS-Bench, recomputed from its per-pair scores",
            notes=_notes(benchmark, found),
        )
        for benchmark in task.benchmarks
        if (found := figure_for(benchmark, record)) is not None
    ]


def figure_for(benchmark: HubBenchmark, record: Record) -> Measurement | None:
    """The number of a record of its task for this leaderboard; None where it has none."""
    if record.subject.kind != benchmark.kind:
        return None
    found = record.get(benchmark.measure, reward=benchmark.reward)
    return None if found is None or found.value is None else found


def path(record: Record) -> str:
    """Where a record stands in the results dataset."""
    return f"records/{record.id}.json"


def model_files(
    records: Iterable[Record], flags: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The `.eval_results` files by model repository, and why other records have none.

    Only a measured, unflagged record of all pairs gives entries, of a subject with a repository of
    its own; of several on one leaderboard the newest counts.

    Args:
        records: Accepted records.
        flags: Record id -> why it must not be shown as if whole.

    Returns:
        Repository -> text of its file; record id -> why it is left out.
    """
    everything = list(records)
    base_repos = {r.subject.id: r.subject.repo for r in everything}
    entries: dict[str, dict[tuple[str, str], EvalResultEntry]] = {}
    skipped: dict[str, str] = {}
    for record in sorted(everything, key=lambda r: (str(r.created), r.id)):
        reason = _why_not(record, flags, base_repos)
        found = [] if reason else eval_entries(record)
        if not found:
            skipped[record.id] = reason or "no leaderboard on the Hub takes its measures"
        for entry in found:
            assert record.subject.repo is not None
            entries.setdefault(record.subject.repo, {})[entry.dataset_id, entry.task_id] = entry
    return {repo: entries_text(list(of.values())) for repo, of in entries.items()}, skipped


def entries_text(entries: list[EvalResultEntry]) -> str:
    """The text of a `.eval_results` file, read back to be sure that it says the same.

    Raises:
        SchemaError: The Hub's own parser reads something else.
    """
    from huggingface_hub import eval_result_entries_to_yaml, parse_eval_result_entries

    text = yaml.safe_dump(
        eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True, width=1000
    )
    if parse_eval_result_entries(yaml.safe_load(text)) != entries:
        msg = "an evaluation result does not survive its file. Report this as a defect."
        raise SchemaError(msg)
    return text


def _why_not(
    record: Record, flags: Mapping[str, str], base_repos: Mapping[str, str | None]
) -> str | None:
    subject = record.subject
    if record.status != "measured":
        return f"is {record.status}, not measured"
    if record.subset is not None:
        return f"rests on a subset: {record.subset}"
    if subject.repo is None:
        return "its subject has no repository on the Hub"
    if record.id in flags:
        return flags[record.id]
    if subject.base is not None and base_repos.get(subject.base) == subject.repo:
        return "its repository is that of its base model"
    if record.created is None:
        return "it has no date"
    return None


def _notes(benchmark: HubBenchmark, found: Measurement) -> str:
    """Interval, n and coverage, since the Hub shows one bare number."""
    label = MEASURES[benchmark.measure].label.lower()
    by = f" by {benchmark.reward}" if benchmark.reward else ""
    text: list[Any] = [f"{label}{by}"]
    if found.low is not None and found.high is not None:
        text.append(f"95 % interval {found.low:.3f} to {found.high:.3f}")
    text.append(f"n = {found.n}")
    if found.coverage is not None:
        text.append(f"coverage {found.coverage:.1%}")
    return ", ".join(text)
