"""What the scores of a build say of its reward models, for the top of its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from aas_bench.errors import InputError
from aas_bench.measure.summary import STANDARD, standard
from aas_bench.measure.view import View, Views
from aas_bench.tables.schema import LABEL, MODEL, Label
from aas_bench.tables.scores import ScoreTable
from aas_bench.tasks.task import Task
from aas_bench.words import SHARE, UNDEFINED, Spelling

if TYPE_CHECKING:
    import pandas as pd

    from aas_bench.stats.estimate import Estimate

_LABELS: Final = {label.name.lower(): int(label) for label in Label}
_ACCURACY: Final = "how often the higher score is that of the image that the label names"
_CHOSEN: Final = "how often the image that was asked for scores higher under its prompt"
_MEAN: Final = Spelling(digits=2)


@dataclass(frozen=True, kw_only=True)
class Results:
    """A table of estimates with their intervals, in words.

    Attributes:
        title: What the cells hold.
        rewards: The reward models.
        lines: Generator -> a cell for each reward model; `all` is every pair.
        moved: Reward model -> kind of placebo, understood share, override rate; empty without
            scores under any placebo.
    """

    title: str
    rewards: tuple[str, ...]
    lines: Mapping[str, tuple[str, ...]]
    moved: Mapping[str, tuple[str, ...]]


def results(rows: pd.DataFrame, task: Task) -> Results | None:
    """Recomputed from the rows of a configuration; None where they hold no scores.

    Args:
        rows: All columns but images; class labels by their names.
        task: The task that they are of.
    """
    try:
        table = ScoreTable.from_frame(_numbered(rows), source=task.name)
    except InputError:  # no scores, as in a table of prompts
        return None
    scored = [name for name in table.rewards if not np.all(np.isnan(table.cells(name).didp))]
    if not scored:
        return None
    if not task.paired:
        return _alone(table, task, scored)
    views = Views.of(table, STANDARD)
    models = table.frame[MODEL].to_numpy()
    parts = {str(name): models == name for name in dict.fromkeys(models)}
    masks = {name: views.rows & mask for name, mask in parts.items()}
    if len(masks) > 1:
        masks["all"] = views.rows
    moved = {name: views.view(name).placebo for name in scored}
    return Results(
        title=_CHOSEN if views.label is None else _ACCURACY,
        rewards=tuple(scored),
        lines={
            model: tuple(_cell(_choice(views.view(name, mask)), SHARE) for name in scored)
            for model, mask in masks.items()
        },
        moved={
            name: (
                found.kind or UNDEFINED,
                _cell(found.understood, SHARE),
                _cell(found.override_rate, SHARE),
            )
            for name, found in moved.items()
            if found is not None
        },
    )


def _numbered(rows: pd.DataFrame) -> pd.DataFrame:
    """With labels as the score table takes them: 1, 0 or -1."""
    if LABEL not in rows:
        return rows
    numbered: pd.DataFrame = rows.assign(
        **{LABEL: [_LABELS.get(label, label) for label in rows[LABEL]]}
    )
    return numbered


def _choice(view: View) -> Estimate:
    return view.chosen if view.preference is None else view.preference.accuracy


def _alone(table: ScoreTable, task: Task, rewards: list[str]) -> Results | None:
    """Where images stand alone: the first figure of the task's own analysis."""
    report = standard(table, task=task.name, report=task).task
    if report is None or not report.analyses:
        return None
    first = report.analyses[0]
    cells = tuple(_cell(first.overall.get(name), _MEAN) for name in rewards)
    lines = {"all": cells}
    return Results(title=first.title, rewards=tuple(rewards), lines=lines, moved={})


def _cell(found: Estimate | None, spelling: Spelling) -> str:
    if found is None or found.value is None:
        return UNDEFINED
    return f"{spelling.whole(found)}, n = {found.n:,}"
