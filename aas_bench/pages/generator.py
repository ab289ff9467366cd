"""From a generator's images to its result record and its report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aas_bench.files import json_bytes, write_atomically
from aas_bench.measure.clean_up import clean_up
from aas_bench.measure.results import RewardSummary
from aas_bench.measure.summary import summarise
from aas_bench.pages.report import write_report
from aas_bench.run.generate import Generated
from aas_bench.run.images import MEASURED
from aas_bench.run.provenance import provenance, versions
from aas_bench.run.score import score
from aas_bench.stats.estimate import Estimate
from aas_bench.tables.scores import ScoreTable

RESULT: Final = "result.json"
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
        table: Its scores; None in image-to-image mode.
        report: The report's page; None in image-to-image mode.
    """

    record: dict[str, Any]
    table: ScoreTable | None
    report: Path | None


def measure_generator(
    generated: Generated,
    rewards: Sequence[str] = REWARDS,
    *,
    n_resamples: int = 1000,
    device: str | None = None,
    progress: bool = True,
) -> GeneratorResult:
    """Score what was made, write `result.json` and, unless it started from seed images, `report/`.

    Pairs that lack an image lack scores: they lower every coverage and are never filled in.
    Apart from `measured` and `provenance`, equal images give an equal record.

    Args:
        generated: What `generate` returned.
        rewards: Reward models to score with; with seed images none is used.
        n_resamples: Bootstrap resamples for the intervals.
        device: Where reward models run; see `load_reward`.
        progress: Show the scoring's rate and remaining time, where stderr is a terminal.

    Raises:
        InputError: A reward model is unknown.
        BackendError: A reward model failed.
        StoreError: The run directory is in use or damaged.
    """
    record = _facts(generated)
    table = report = None
    if generated.variants == ("distorted",):
        record["clean_up"] = clean_up(generated, n_resamples=n_resamples, seed=generated.seed)
    else:
        pairs = generated.pairs()
        out = generated.path / "scores" / _scores_key(generated, rewards)
        table = score(pairs, list(rewards), out=out, progress=progress, device=device)
        summary = summarise(
            table,
            n_resamples=n_resamples,
            seed=generated.seed,
            on_missing="drop",
            run={name: record[name] for name in _TOLD},
        )
        record["rewards"] = {name: _reward(each) for name, each in summary.rewards.items()}
        title = f"{generated.submission.name}: does it honour the request?"
        folder = generated.path / "report"
        complete = generated.complete()  # the gallery shows pairs side by side
        shown = pairs.select(complete) if complete else None
        report = write_report(summary, table, pairs=shown, out=folder, title=title)
    record["provenance"] = provenance(seed=generated.seed)
    write_atomically(generated.path / RESULT, json_bytes(record))
    return GeneratorResult(record=record, table=table, report=report)


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


def _reward(summary: RewardSummary) -> dict[str, Any]:
    """The shift, the choice and the four outcomes under one reward model."""
    none = Estimate(value=None, n=0, coverage=0.0, reason="no pair has all four scores")
    shift, override = summary.generator, summary.override
    return {
        "delta": (none if shift is None else shift.delta).to_dict(),
        "after": (none if shift is None else shift.after).to_dict(),
        "chosen": summary.headline.to_dict(),
        "override": None if override is None else override.to_dict(),
        "coverage": summary.coverage,
    }


def _scores_key(generated: Generated, rewards: Sequence[str]) -> str:
    """Another folder for other images, reward models or versions: a retry begins a new scoring."""
    images = sorted((*key, record["sha256"]) for key, record in generated.records.items())
    text = json.dumps([images, list(rewards), versions()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
