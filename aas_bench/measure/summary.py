"""From a score table to every number that is shown anywhere: `summarise`.

This is the one place where scores become numbers. The page, the command line, the dataset cards and
the leaderboard read its `Summary`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.measure.analyses.generator_means import HPSV3_LEADERBOARD, read_generators
from aas_bench.measure.analyses.recognise import recognised
from aas_bench.measure.analyses.task_report import TaskReport
from aas_bench.measure.analyses.task_scores import TaskScores
from aas_bench.measure.measures import MEASURES, Scope
from aas_bench.measure.origin import origin
from aas_bench.measure.results import ByName, Figures, Group, RewardSummary, Summary, Truncation
from aas_bench.measure.row_findings import table_findings
from aas_bench.measure.rows import (
    default_grouping,
    models,
    n_wordings,
    read_groups,
)
from aas_bench.measure.view import View, Views
from aas_bench.registry import import_object
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Mask, OnMissing, Ties
from aas_bench.stats.override import OUTCOMES, outcomes
from aas_bench.stats.resolution import difference
from aas_bench.tables.schema import PAIR_ID, score_column
from aas_bench.tables.scores import ScoreTable
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.task import Task

__all__ = ["STANDARD", "Summary", "measure_scores", "standard", "summarise", "verdicts"]

FAILED: Final = 0.1
"""Share of images that may have failed, where no label says which: bounds are given for it."""
VERDICTS: Final = (*OUTCOMES, "asked", "polished", "tied")
"""What a reward model can have done with a pair."""
STANDARD: Final = Analysis(on_missing="drop")
"""How records, generators' runs and the leaderboard are analysed, so that all of them compare."""


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
    revision: str | None = None,
    command: str | None = None,
    created: str | None = None,
    run: Mapping[str, Any] | None = None,
    pairs: Any = None,
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
        n_resamples: Sign flips of a test with many clusters.
        seed: Seed of the sign flips.
        confidence_level: Of every interval, in (0, 1).
        ties: "original" counts equal scores as a choice of I_o, "half" as half a choice,
            "distorted" as one of I_a. Where there are ties, what rests on this is given under
            all three.
        on_missing: "raise", or "drop" unscored pairs and lower the coverage.
        source: File or dataset that the table came from; a file's hash goes into the provenance.
        revision: The Hub's commit of the pairs or the table, for the provenance.
        command: Command line that asked for this, for the provenance.
        created: Time stamp for the provenance; without it the result depends on its inputs only.
        run: What is known about how the scores were made (models, revisions, dtypes).
        pairs: The scored pairs with their images, of which a notebook shows a few.

    Returns:
        Summary; `to_dict()` is valid JSON.

    Raises:
        InputError: The table is empty, a reward model is not in it, or `generators` is no table
            of means.
        UnknownNameError: No task is called `task`.
        SchemaError: The table has no column `by`, or lacks what the analysis of the task needs.
        MissingScoresError: A pair has no score and `on_missing` is "raise".

    Example:
        >>> import pandas as pd
        >>> from aas_bench import ScoreTable, summarise
        >>> frame = pd.DataFrame({"r_oidp": [0.2, 0.9], "r_didp": [0.7, 0.4], "label": [1, 1]})
        >>> summary = summarise(ScoreTable.from_frame(frame), confidence_level=0.9)
        >>> found = summary.rewards["r"].headline
        >>> found.value, found.n, found.low < 0.5 < found.high
        (0.5, 2, True)
    """
    asked = recognised(table) if task is None else TASKS[task]
    return measure_scores(
        table,
        Analysis(
            confidence_level=confidence_level,
            ties=ties,
            on_missing=on_missing,
            n_resamples=n_resamples,
            seed=seed,
        ),
        by=by,
        task=asked,
        report=asked,
        generators=generators,
        rewards=rewards,
        source=source,
        revision=revision,
        command=command,
        created=created,
        run=run,
        pairs=pairs,
    )


def standard(
    table: ScoreTable,
    *,
    task: str | None = None,
    report: Task | None = None,
    run: Mapping[str, Any] | None = None,
) -> Summary:
    """The Summary whose measurements a record of these scores holds.

    Args:
        table: The scores of one reward model, or of all that measured a generator.
        task: The task of the pairs; says what the groups are called and what else is measured.
        report: The task whose report to add; no measurement rests on it.
        run: See `summarise`.

    Raises:
        InputError: The table is empty.
        UnknownNameError: No task is called `task`.
    """
    facts = None if task is None else TASKS[task]
    return measure_scores(table, STANDARD, task=facts, report=report, run=run)


def measure_scores(
    table: ScoreTable,
    analysis: Analysis,
    *,
    task: Task | None,
    report: Task | None,
    by: str | None = None,
    generators: str | Path | None = None,
    rewards: Sequence[str] | None = None,
    source: str | Path | None = None,
    revision: str | None = None,
    command: str | None = None,
    created: str | None = None,
    run: Mapping[str, Any] | None = None,
    pairs: Any = None,
) -> Summary:
    """`summarise` with its options as one value, and the report of a task apart from its facts.

    Args:
        table: As in `summarise`, and so are the arguments that are not named here.
        analysis: How the table is analysed.
        task: The task whose facts apply: what groups are called, what else is measured.
        report: The task whose report to add; None adds none.
        by: As in `summarise`.
        generators: As in `summarise`.
        rewards: As in `summarise`.
        source: As in `summarise`.
        revision: As in `summarise`.
        command: As in `summarise`.
        created: As in `summarise`.
        run: As in `summarise`.
        pairs: As in `summarise`.
    """
    names = _rewards(table, rewards)
    facts = task or report
    views = Views.of(table, analysis, paired=facts is None or facts.paired)
    column = by if by is not None else default_grouping(table.frame)
    groups = {} if column is None else _groups(views, column)
    own = () if facts is None else facts.measures
    return Summary(
        rewards=ByName({name: _reward(views, name, groups, own) for name in names}),
        task=None if report is None else _task(views, report, names, generators),
        measure="chosen" if views.label is None else "accuracy",
        n_rows=len(table.frame),
        n_pairs=int(views.rows.sum()),
        n_clusters=len(np.unique(views.clusters[views.rows])),
        n_wordings=n_wordings(table.frame),
        models=models(table.frame),
        by=column,
        groups=facts.groups if facts is not None and by is None and column else column,
        shared=_figures(views.view(names[0]), ("table",), own),
        doctor=table_findings(views, names) if views.paired else (),
        analysis=analysis,
        provenance=origin(
            source=source,
            revision=revision,
            command=command,
            created=created,
            run=run,
            options=asdict(analysis),
        ),
        table=table,
        pairs=pairs,
    )


def verdicts(table: ScoreTable, reward: str) -> list[str | None]:
    """What the reward model did with each row.

    Returns:
        "tied" where both images score the same under the distorted prompt; else one of `OUTCOMES`;
        "asked" or "polished" where only the scores under the distorted prompt exist; None where
        those are missing too.
    """
    names = (*VERDICTS, None)  # -1 is the last
    return [names[code] for code in verdict_codes(table, reward)]


def verdict_codes(table: ScoreTable, reward: str) -> NDArray[np.int8]:
    """`verdicts` as places in `VERDICTS`, -1 where there is none; shape (n,)."""
    cells = table.cells(reward)
    codes = outcomes(cells.oiop, cells.oidp, cells.diop, cells.didp)
    margin = difference(cells.didp, cells.oidp)
    plain = np.where(margin > 0, VERDICTS.index("asked"), VERDICTS.index("polished"))
    found = np.where(margin == 0, VERDICTS.index("tied"), np.where(codes >= 0, codes, plain))
    return np.where(np.isnan(margin), -1, found).astype(np.int8)


def figures_of(view: View) -> Group:
    """The headline, choices, outcomes and placebos of some rows, as a report gives a group's."""
    return Group(**_headline(view), figures={})


def _groups(views: Views, column: str) -> dict[str, Mask]:
    """The rows of each group that a headline can rest on."""
    groups = read_groups(views.table.frame, column)
    masks = {name: views.rows & groups.mask(name) for name in groups}
    return {name: mask for name, mask in masks.items() if np.any(mask)}


def _task(
    views: Views, task: Task, rewards: tuple[str, ...], generators: str | Path | None
) -> TaskReport:
    if task.analysis is None:
        return TaskReport(task=task.name, question=task.question, paired=task.paired, findings={})
    scores = TaskScores(
        task=task,
        views=views,
        rewards=rewards,
        generators=(HPSV3_LEADERBOARD,) if generators is None else read_generators(generators),
    )
    report: TaskReport = import_object(task.analysis)(scores)
    return report


def _reward(
    views: Views, name: str, groups: Mapping[str, Mask], own: tuple[str, ...]
) -> RewardSummary:
    if views.analysis.on_missing == "raise":
        _refuse_missing(views, name)
    view = views.view(name)
    return RewardSummary(
        **_headline(view),
        figures=_figures(view, ("group", "whole"), own),
        placebos=view.placebos,
        rescaling=view.rescaling,
        outcomes=view.outcomes(),
        knob=view.knob,
        generator=view.shift,
        by={group: _group(views.view(name, rows), own) for group, rows in groups.items()},
        dose=view.dose,
        consistency=view.consistency,
        truncation=_truncation(views, name, own),
        coverage=view.coverage(),
        failed=view.failed(FAILED),
    )


def _group(view: View, own: tuple[str, ...]) -> Group:
    return Group(**_headline(view), figures=_figures(view, ("group",), own))


def _headline(view: View) -> dict[str, Any]:
    chosen = view.chosen if view.preference is None else None
    return {
        "n": view.n,
        "preference": view.preference,
        "chosen": chosen,
        "choices": view.choices,
        "override": view.override,
        "placebo": view.placebo,
    }


def _figures(view: View, scopes: tuple[Scope, ...], own: tuple[str, ...]) -> Figures:
    found = {
        row.name: tuple(
            # A group that holds every pair is the same view; what has places of its own is not its.
            placed
            for placed in row.compute(view)
            if placed.by is None or scopes != ("group",)
        )
        for row in MEASURES.values()
        if row.compute is not None and row.scope in scopes and (not row.own or row.name in own)
    }
    return {name: placed for name, placed in found.items() if placed}


def _truncation(views: Views, name: str, own: tuple[str, ...]) -> Truncation | None:
    cuts = views.table.cuts(name)
    if cuts is None:
        return None
    whole = views.rows & ~(cuts.original | cuts.distorted)
    return Truncation(
        n_cut_original=int(np.sum(cuts.original & views.rows)),
        n_cut_distorted=int(np.sum(cuts.distorted & views.rows)),
        untruncated=_group(views.view(name, whole), own) if np.any(whole) else None,
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


def _refuse_missing(views: Views, name: str) -> None:
    cells = views.cells(name)
    missing = np.isnan(cells.didp) | (views.paired & np.isnan(cells.oidp))
    if views.has_four(name):
        missing |= np.isnan(cells.oiop) | np.isnan(cells.diop)
    if not missing.any():
        return
    _refuse_absent_columns(views, name)
    first = views.table.frame.loc[missing, PAIR_ID].astype(str).head(3)
    msg = (
        f"{int(missing.sum())} of {len(missing)} pairs lack a score of {name!r}, e.g. "
        f"{', '.join(first)}. Score them, or drop them and report the coverage: "
        'on_missing="drop" (--on-missing drop).'
    )
    raise MissingScoresError(msg)


def _refuse_absent_columns(views: Views, name: str) -> None:
    """Name the columns where a whole one is absent: the rows are not at fault then."""
    there = set(views.table.frame.columns)
    needed = ["oidp", "didp"] if views.paired else ["didp"]
    absent = [c for cell in needed if (c := score_column(name, cell)) not in there]
    if absent:
        msg = f"the table has no column {' and no '.join(absent)}. Add the scores of all pairs."
        raise MissingScoresError(msg)
