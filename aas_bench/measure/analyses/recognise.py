"""Which task a score table is of, as far as its columns tell."""

from __future__ import annotations

from aas_bench.measure.rows import memberships
from aas_bench.tables.schema import DIDP, DIMENSIONS, OIDP, score_column
from aas_bench.tables.scores import ScoreTable
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.task import Task


def recognised(table: ScoreTable) -> Task | None:
    """The one task that a score table fits; None where none or several do.

    Columns that only one task has tell first. Else, where images were scored under what was asked
    for, but none of the originals was, they stand alone; where both were, every name in
    `dimensions` must be one that the task asks for.
    """
    frame = table.frame
    marked = [t for t in TASKS.values() if t.columns and t.columns <= set(frame.columns)]
    if marked:
        return _only(marked)
    if not _scored(table, DIDP):
        return None
    if not _scored(table, OIDP):
        return _only([task for task in TASKS.values() if not task.paired])
    asked = set(memberships(frame[DIMENSIONS]))
    return _only([task for task in TASKS.values() if asked and asked <= task.asked])


def _only(tasks: list[Task]) -> Task | None:
    return tasks[0] if len(tasks) == 1 else None


def _scored(table: ScoreTable, cell: str) -> bool:
    """Whether any pair has this score from any reward model."""
    columns = (score_column(reward, cell) for reward in table.rewards)
    return any(name in table.frame and bool(table.frame[name].notna().any()) for name in columns)
