"""The rows that a task is analysed on, and how a figure is taken from them group by group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from aas_bench.errors import SchemaError
from aas_bench.measure.analyses.generator_means import GeneratorTable
from aas_bench.measure.analyses.task_report import Breakdown, ByReward, Unit
from aas_bench.measure.rows import Memberships, memberships
from aas_bench.measure.view import View, Views
from aas_bench.stats.estimate import Estimate, Labels, Mask
from aas_bench.tables.schema import score_column
from aas_bench.tasks.task import Task

Masks: TypeAlias = Mapping[str, Mask]
Measure: TypeAlias = Callable[[str, Mask], Estimate]
"""A figure of one reward model on some of the rows."""


@dataclass(frozen=True, kw_only=True)
class TaskScores:
    """The scores of a task.

    Attributes:
        task: The task.
        views: The score table, opened for measuring.
        rewards: Reward models to report.
        generators: Tables of generators' means, for the art rank.
    """

    task: Task
    views: Views
    rewards: tuple[str, ...]
    generators: tuple[GeneratorTable, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """The rows behind every figure, each pair once."""
        rows: pd.DataFrame = self.views.table.frame[self.views.rows]
        return rows

    @property
    def everything(self) -> Mask:
        """A mask that leaves nothing out, shape (n rows,)."""
        return np.ones(np.count_nonzero(self.views.rows), dtype=bool)

    @property
    def label(self) -> Labels | None:
        """The labels of the rows; None where no row has a label of 0 or 1."""
        label = self.views.label
        return None if label is None else label[self.views.rows]

    def view(self, reward: str, mask: Mask) -> View:
        """A reward model on some of the rows: the statistics that every table has, taken once."""
        rows = self.views.rows.copy()
        rows[rows] = mask
        return self.views.view(reward, rows)

    def groups(self, column: str) -> Memberships | None:
        """The groups of a column; None where there is no such column, or no name in it."""
        frame = self.frame
        found = memberships(frame[column]) if column in frame else None
        return found or None

    def breakdown(
        self,
        measure: Measure,
        groupings: Mapping[str, Masks],
        *,
        name: str,
        title: str,
        unit: Unit,
        neutral: float | None = None,
        neutral_name: str = "",
        note: str = "",
    ) -> Breakdown:
        """A figure over all rows and by each group; see `Breakdown` for the words."""

        def of(mask: Mask) -> ByReward:
            return {reward: measure(reward, mask) for reward in self.rewards}

        return Breakdown(
            name=name,
            title=title,
            unit=unit,
            neutral=neutral,
            neutral_name=neutral_name,
            note=note,
            overall=of(self.everything),
            by={
                by: {group: of(mask) for group, mask in groups.items()}
                for by, groups in groupings.items()
            },
        )

    def has(self, *cells: str) -> bool:
        """Whether any reward model scored these cells at all."""
        return any(
            not np.all(np.isnan(getattr(self.views.cells(reward), cell)[self.views.rows]))
            for reward in self.rewards
            for cell in cells
        )

    def require_scores(self, *cells: str) -> None:
        """Raise SchemaError where no reward model has one of these cells."""
        task = self.task.name
        for cell in cells:
            if not self.has(cell):
                column = score_column(self.rewards[0], cell)
                image = "I_a" if cell.startswith("d") else "I_o"
                msg = (
                    f"{task} is analysed on the score of {image} under the distorted prompt, "
                    f"and the table has no column {column!r} with values. Score the pairs: "
                    f"aas-bench score --data {task} --reward {self.rewards[0]} --out RUN."
                )
                raise SchemaError(msg)

    def require_groups(self, what: str, *columns: str) -> Memberships:
        """The groups of the first column that has any.

        Raises:
            SchemaError: None of the columns has.
        """
        for column in columns:
            found = self.groups(column)
            if found is not None:
                return found
        task, named = self.task.name, " or ".join(map(repr, columns))
        msg = (
            f"{task} is analysed by {what}, and the table has no column {named} with names "
            f'in it. Score pairs that keep it, as load_pairs("{task}") gives them, or add it.'
        )
        raise SchemaError(msg)
