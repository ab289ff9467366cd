"""From a generator's images to its result record and its report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, get_args

from aas_bench.files import json_bytes, whole_file, write_atomically
from aas_bench.judges.catalog import can_rate
from aas_bench.measure.analyses.recognise import recognised
from aas_bench.measure.clean_up import clean_up, clean_up_table
from aas_bench.measure.compare import Made
from aas_bench.measure.judged import summarise_judgements
from aas_bench.measure.results import Summary
from aas_bench.measure.summary import STANDARD, standard
from aas_bench.pages.report import write_report
from aas_bench.records.make_records import CLEAN_UP, RESULT, SCORES
from aas_bench.run.generate import Generated
from aas_bench.run.judge import RUBRICS, By, Judgements, judge
from aas_bench.run.made_images import MEASURED
from aas_bench.run.pool import Engine
from aas_bench.run.provenance import provenance, versions
from aas_bench.run.score import score
from aas_bench.tables.judge_columns import with_judgements, with_ratings
from aas_bench.tables.scores import ScoreTable
from aas_bench.tasks.catalog import task_of

REWARDS: Final = ("effect-match", "average-taste", "polish")
"""Built-in reward models, none of which needs weights."""

_FORMAT: Final = 1
_TOLD: Final = ("submission", "prompts", "seed", "coverage")
"""What the report tells of the run."""


@dataclass(frozen=True, kw_only=True)
class GeneratorResult:
    """One submission, made and measured.

    Attributes:
        record: What `result.json` holds.
        summary: What was measured; None in image-to-image mode.
        table: Its scores, as in `scores.parquet`; None likewise.
        report: The report's page; None likewise.
    """

    record: dict[str, Any]
    summary: Summary | None = None
    table: ScoreTable | None = None
    report: Path | None = None

    @property
    def made(self) -> Made | None:
        """What it is compared with its base by; None without scores."""
        if self.table is None:
            return None
        facts = self.record["submission"]
        return Made(id=facts["id"], family=facts["family"], base=facts["base"], table=self.table)


def measure_generator(
    generated: Generated,
    rewards: Sequence[str] = REWARDS,
    *,
    device: str | None = None,
    dtype: str | None = None,
    batch_size: int | None = None,
    accept_prompt_blind: bool = False,
    judges: Sequence[str] = (),
    judge_options: Mapping[str, Any] | None = None,
    progress: bool = True,
    engine: Engine | None = None,
) -> GeneratorResult:
    """Score what was made, ask judges about it where some are named, and measure it.

    Writes `result.json` and, unless it started from seed images, `scores.parquet`, from which the
    `measurements` of the result follow, and `report/`; from seed images `clean_up.parquet`, from
    which its `clean_up` follows.

    Pairs that lack an image lack scores: they lower every coverage and are never filled in.
    Apart from `measured` and `provenance`, equal images give an equal record.

    Args:
        generated: What `generate` returned.
        rewards: Reward models to score with; with seed images none is used.
        device: Where reward models run; see `load_reward`.
        dtype: Their number format; see `load_reward`.
        batch_size: Items of one call to them; None: each model's own.
        accept_prompt_blind: Go on with one to which all prompts are one; see `score`.
        judges: Judges to ask, in each way; what they say of each pair stands beside the scores.
        judge_options: How they are reached; see `load_judge`.
        progress: Show the scoring's rate and remaining time, where stderr is a terminal.
        engine: Workers that score; see `score`.

    Raises:
        InputError: A reward model or a judge is unknown.
        BackendError: A reward model failed.
        StoreError: The run directory is in use or damaged.
    """
    record = _facts(generated)
    summary = table = report = None
    if generated.variants == ("distorted",):
        moved = clean_up_table(generated)
        with whole_file(generated.path / CLEAN_UP) as stream:
            moved.to_parquet(stream, index=False)
        record["analysis"] = asdict(STANDARD)
        record["clean_up"] = clean_up(moved, STANDARD)
    else:
        pairs = generated.pairs()
        out = generated.path / "scores" / _scores_key(generated, rewards)
        # The question is what a generator makes, not what a reward model reads: no placebos.
        table = score(
            pairs,
            list(rewards),
            placebos="none",
            out=out,
            # A run of fewer prompts, or of other reward models, has scored some of it already.
            known=sorted(out.parent.glob("*")),
            progress=progress,
            device=device,
            dtype=dtype,
            batch_size=batch_size,
            accept_prompt_blind=accept_prompt_blind,
            engine=engine,
        )
        if judges:
            table, record["judged"] = _judged(
                generated, table, judges, judge_options or {}, shown=progress
            )
        table.save(generated.path / SCORES)
        told = {name: record[name] for name in _TOLD}
        task = task_of(generated.prompts.source)
        summary = standard(table, task=task, report=recognised(table), run=told)
        record["analysis"] = asdict(summary.analysis)
        record["measurements"] = [each.to_dict() for each in summary.measurements("generator")]
        title = f"{generated.submission.name}: does it honour the request?"
        folder = generated.path / "report"
        complete = generated.complete()  # the gallery shows pairs side by side
        shown = pairs.select(complete) if complete else None
        report = write_report(summary, table, pairs=shown, out=folder, title=title)
    record["provenance"] = provenance(seed=generated.seed)
    write_atomically(generated.path / RESULT, json_bytes(record))
    return GeneratorResult(record=record, summary=summary, table=table, report=report)


def _facts(generated: Generated) -> dict[str, Any]:
    """What is known without scores."""
    submission = generated.submission
    return {
        "format": _FORMAT,
        "submission": {
            **submission.identity(generated.preset),
            "name": submission.name,
            "family": submission.family,
            "base": submission.base,
            "alignment": submission.alignment,
            "licence": submission.licence,
        },
        "generator": dict(generated.generator),
        "prompts": generated.prompts.to_dict(),
        "seed": generated.seed,
        "mode": "text-to-image" if len(generated.variants) > 1 else "image-to-image",
        "coverage": generated.coverage(),
        MEASURED: generated.measured(),
    }


def _judged(
    generated: Generated,
    table: ScoreTable,
    judges: Sequence[str],
    options: Mapping[str, Any],
    *,
    shown: bool,
) -> tuple[ScoreTable, dict[str, Any]]:
    """The table with what judges say of each pair; how they were asked, and what is missing."""
    pairs, place = generated.pairs(), generated.path / "judged" / _scores_key(generated, judges)
    asked: list[Mapping[str, Any]] = []
    missing, answers, told = {}, {}, {}

    def ask(by: By, judges: Sequence[str]) -> Judgements:
        said = judge(pairs, [*judges], by=by, out=place / by, progress=shown, **options)
        summary = summarise_judgements(said)
        missing[by] = {name: each.n_missing for name, each in summary.judges.items()}
        answers[by] = {name: dict(each.statuses) for name, each in summary.judges.items()}
        write_atomically(place / by / "summary.json", json_bytes(summary.to_dict()))
        return said

    for by in get_args(By):
        if by != "dimensions":
            said = ask(by, judges)
            table = with_judgements(table, said.frame)
            asked, told[by] = [*said.identities], RUBRICS[by].identity()
    facts: dict[str, Any] = {"judges": asked, "instructions": told}
    facts |= {"missing": missing, "answers": answers}
    if raters := [each for each in judges if can_rate(each)]:
        said = ask("dimensions", raters)
        table = with_ratings(table, said.frame, said.judges)
        facts["raters"] = [*said.identities]
    return table, facts


def _scores_key(generated: Generated, rewards: Sequence[str]) -> str:
    """Another folder for other images, reward models or versions: a retry begins a new scoring."""
    images = sorted((*key, record["sha256"]) for key, record in generated.records.items())
    text = json.dumps([images, list(rewards), versions()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
