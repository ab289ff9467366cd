"""From a score table to every number that is shown anywhere: `summarise`.

This is the one place where scores become numbers. The page, the command line, the dataset cards and
the leaderboard read its `Summary`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.measure.analyses.generator_means import HPSV3_LEADERBOARD, read_generators
from aas_bench.measure.analyses.recognise import recognised
from aas_bench.measure.analyses.task_report import TaskReport
from aas_bench.measure.analyses.task_scores import TaskScores
from aas_bench.measure.origin import origin
from aas_bench.measure.results import Group, Measure, RewardSummary, Summary, Truncation
from aas_bench.measure.rows import (
    default_grouping,
    group_masks,
    headline_rows,
    models,
    n_wordings,
    reworded_rows,
)
from aas_bench.registry import import_object
from aas_bench.stats.consistency import Consistency, paraphrase_consistency
from aas_bench.stats.dose import DoseResponse, dose_response
from aas_bench.stats.estimate import Labels, Mask, OnMissing, Scores, Ties
from aas_bench.stats.generation import generator_shift
from aas_bench.stats.override import OUTCOMES, outcomes, override
from aas_bench.stats.preference import chosen, preference
from aas_bench.stats.strength import strength_curve
from aas_bench.tables.schema import PAIR_ID, score_column
from aas_bench.tables.scores import Cells, ScoreTable
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.task import Task

__all__ = ["Summary", "summarise", "verdicts"]


def summarise(
    table: ScoreTable,
    *,
    by: str | None = None,
    task: str | None = None,
    generators: str | Path | None = None,
    rewards: Sequence[str] | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    confidence_level: float = 0.95,
    ties: Ties = "original",
    on_missing: OnMissing = "raise",
    source: str | Path | None = None,
    command: str | None = None,
    created: str | None = None,
    run: Mapping[str, Any] | None = None,
) -> Summary:
    """Compute all statistics of all reward models on one score table.

    Where the table holds several wordings of one request (columns `item` and `wording`), every
    figure rests on one row per item, that with the smallest wording, so that a pair counts once;
    only the paraphrase consistency reads more: all rows
    of the items that exist in every wording. A pair counts in each group it belongs to, so
    groups read from a list column (`dimensions`) overlap. What was not measured is None: without
    labels in {0, 1} the share that chose I_a replaces the preference, and without the scores
    under the original prompt there is no override analysis, knob or generator shift.

    Args:
        table: One row per pair (and wording), four scores per reward model.
        by: Column to group by; None groups by `dimensions` where a pair has any.
        task: Whose analysis to add, a name of `aas-bench list tasks`; None: the task that the
            columns tell, if any.
        generators: CSV or JSON of generators' means, for the rank of paintings; None: the
            published table, for hpsv3 alone.
        rewards: Reward models to report, in this order; None means all of the table.
        n_resamples: Bootstrap resamples of the clusters.
        seed: Seed of the bootstrap.
        confidence_level: Of every interval, in (0, 1).
        ties: "original" counts equal scores as a choice of I_o, "half" as half a choice.
        on_missing: "raise", or "drop" unscored pairs and lower the coverage.
        source: File that the table came from; its hash goes into the provenance.
        command: Command line that asked for this, for the provenance.
        created: Time stamp for the provenance; without it the result depends on its inputs only.
        run: What is known about how the scores were made (models, revisions, dtypes).

    Returns:
        Summary; `to_dict()` is valid JSON.

    Raises:
        InputError: The table is empty, a reward model is not in it, or `generators` is no table
            of means.
        UnknownNameError: No task is called `task`.
        SchemaError: The table has no column `by`, or lacks what the analysis of the task needs.
        MissingScoresError: A pair has no score and `on_missing` is "raise".
    """
    names = _rewards(table, rewards)
    asked = recognised(table) if task is None else TASKS[task]
    rows = headline_rows(table.frame)
    labelled = table.label is not None and bool(np.any(table.label[rows] >= 0))
    by = by if by is not None else default_grouping(table.frame)
    work = _Work(
        table=table,
        paired=asked is None or asked.paired,
        rows=rows,
        groups={} if by is None else group_masks(table.frame, by),
        measure="accuracy" if labelled else "chosen",
        ties=ties,
        options={
            "n_resamples": n_resamples,
            "seed": seed,
            "confidence_level": confidence_level,
            "on_missing": on_missing,
        },
    )
    return Summary(
        rewards={name: _reward(work, name) for name in names},
        task=None if asked is None else _task(work, asked, names, generators),
        measure=work.measure,
        n_rows=len(table.frame),
        n_pairs=int(rows.sum()),
        n_clusters=len(np.unique(table.clusters[rows])),
        n_wordings=n_wordings(table.frame),
        models=models(table.frame),
        by=by,
        provenance=origin(
            source=source,
            command=command,
            created=created,
            run=run,
            options={**work.options, "ties": ties},
        ),
    )


def verdicts(table: ScoreTable, reward: str) -> list[str | None]:
    """What the reward model did with each row.

    Returns:
        One of `OUTCOMES`; "asked" or "polished" where only the scores under the distorted prompt
        exist (equal scores count as "polished"); None where those are missing too.
    """
    cells = table.cells(reward)
    codes = outcomes(cells.oiop, cells.oidp, cells.diop, cells.didp)
    margin = cells.didp - cells.oidp
    plain = np.where(margin > 0, "asked", "polished")
    return [
        OUTCOMES[code] if code >= 0 else (None if np.isnan(m) else str(choice))
        for code, m, choice in zip(codes, margin, plain, strict=True)
    ]


@dataclass(frozen=True, kw_only=True)
class _Work:
    """One table and how to read it."""

    table: ScoreTable
    paired: bool
    rows: Mask
    groups: Mapping[str, Mask]
    measure: Measure
    ties: Ties
    options: dict[str, Any]

    def label(self, rows: Mask) -> Labels | None:
        label = self.table.label
        return label[rows] if label is not None and self.measure == "accuracy" else None

    def keywords(self, rows: Mask) -> dict[str, Any]:
        # Where images stand alone, every margin is missing by nature and none by fault.
        on_missing = self.options["on_missing"] if self.paired else "drop"
        return {**self.options, "on_missing": on_missing, "clusters": self.table.clusters[rows]}


def _task(
    work: _Work, task: Task, rewards: tuple[str, ...], generators: str | Path | None
) -> TaskReport:
    if task.analysis is None:
        return TaskReport(task=task.name, question=task.question, paired=task.paired, findings={})
    scores = TaskScores(
        task=task,
        table=work.table,
        rows=work.rows,
        rewards=rewards,
        ties=work.ties,
        options=work.options,
        generators=(HPSV3_LEADERBOARD,) if generators is None else read_generators(generators),
    )
    report: TaskReport = import_object(task.analysis)(scores)
    return report


def _reward(work: _Work, name: str) -> RewardSummary:
    cells = work.table.cells(name)
    if work.options["on_missing"] == "raise":
        _refuse_missing(work, name, cells)
    rows = work.rows
    head = _group(work, cells, rows)
    margin = cells.didp - cells.oidp
    four = head.override is not None
    codes = outcomes(*_four(cells, rows))
    return RewardSummary(
        n=head.n,
        preference=head.preference,
        chosen=head.chosen,
        override=head.override,
        outcomes={o: int(np.sum(codes == i)) for i, o in enumerate(OUTCOMES)} if four else None,
        knob=strength_curve(
            margin[rows],
            (cells.diop - cells.oiop)[rows],
            work.label(rows),
            **work.keywords(rows),
        )
        if four
        else None,
        generator=generator_shift(cells.oiop[rows], cells.diop[rows], **work.keywords(rows))
        if four
        else None,
        by={
            group: _group(work, cells, rows & mask)
            for group, mask in work.groups.items()
            if np.any(rows & mask)
        },
        dose=_dose(work, margin),
        consistency=_consistency(work, margin),
        truncation=_truncation(work, name, cells),
        coverage=float(np.mean(~np.isnan((margin if work.paired else cells.didp)[rows]))),
    )


def _group(work: _Work, cells: Cells, rows: Mask) -> Group:
    margin = (cells.didp - cells.oidp)[rows]
    label = work.label(rows)
    keywords = work.keywords(rows)
    four = _has_four(cells, work.rows)
    return Group(
        n=int(rows.sum()),
        preference=None if label is None else preference(margin, label, ties=work.ties, **keywords),
        chosen=chosen(margin, **keywords) if label is None else None,
        override=override(*_four(cells, rows), **keywords) if four else None,
    )


def _four(cells: Cells, rows: Mask) -> tuple[Scores, Scores, Scores, Scores]:
    return cells.oiop[rows], cells.oidp[rows], cells.diop[rows], cells.didp[rows]


def _has_four(cells: Cells, rows: Mask) -> bool:
    """Whether the original prompt was scored at all (it is absent in some tasks)."""
    return not np.all(np.isnan(cells.oiop[rows]) | np.isnan(cells.diop[rows]))


def _truncation(work: _Work, name: str, cells: Cells) -> Truncation | None:
    cuts = work.table.cuts(name)
    if cuts is None:
        return None
    whole = work.rows & ~(cuts.original | cuts.distorted)
    return Truncation(
        n_cut_original=int(np.sum(cuts.original & work.rows)),
        n_cut_distorted=int(np.sum(cuts.distorted & work.rows)),
        untruncated=_group(work, cells, whole) if np.any(whole) else None,
    )


def _dose(work: _Work, margin: Scores) -> DoseResponse | None:
    frame = work.table.frame[work.rows]
    if not {"dose", "effect", "scene"} <= set(frame.columns):
        return None
    return dose_response(
        margin[work.rows],
        frame["dose"].to_numpy(dtype=np.float64),
        frame["effect"].to_numpy(),
        frame["scene"].to_numpy(),
        **work.options,
    )


def _consistency(work: _Work, margin: Scores) -> Consistency | None:
    frame = work.table.frame
    rows = reworded_rows(frame)
    if not np.any(rows):
        return None
    return paraphrase_consistency(
        margin[rows],
        frame["item"].to_numpy()[rows],
        frame["wording"].to_numpy()[rows],
        work.label(rows),
        **work.keywords(rows),
    )


def _rewards(table: ScoreTable, wanted: Sequence[str] | None) -> tuple[str, ...]:
    if len(table.frame) == 0:
        msg = "the score table has no rows. Give a table with at least one pair."
        raise InputError(msg)
    unknown = [name for name in wanted or () if name not in table.rewards]
    if unknown:
        msg = (
            f"the table has no scores of {', '.join(map(repr, unknown))}. "
            f"It has: {', '.join(table.rewards)}."
        )
        raise InputError(msg)
    return tuple(wanted) if wanted else table.rewards


def _refuse_missing(work: _Work, name: str, cells: Cells) -> None:
    missing = np.isnan(cells.didp) | (work.paired & np.isnan(cells.oidp))
    if _has_four(cells, work.rows):
        missing |= np.isnan(cells.oiop) | np.isnan(cells.diop)
    if not missing.any():
        return
    _refuse_absent_columns(work, name)
    first = work.table.frame.loc[missing, PAIR_ID].astype(str).head(3)
    msg = (
        f"{int(missing.sum())} of {len(missing)} pairs lack a score of {name!r}, e.g. "
        f"{', '.join(first)}. Score them, or drop them and report the coverage: "
        'on_missing="drop" (--on-missing drop).'
    )
    raise MissingScoresError(msg)


def _refuse_absent_columns(work: _Work, name: str) -> None:
    """Name the columns where a whole one is absent: the rows are not at fault then."""
    there = set(work.table.frame.columns)
    needed = ["oidp", "didp"] if work.paired else ["didp"]
    absent = [c for cell in needed if (c := score_column(name, cell)) not in there]
    if absent:
        msg = f"the table has no column {' and no '.join(absent)}. Add the scores of all pairs."
        raise MissingScoresError(msg)
