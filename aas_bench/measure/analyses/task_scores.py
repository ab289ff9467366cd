"""The rows that a task is analysed on, and how a figure is taken from them group by group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from aas_bench.errors import SchemaError
from aas_bench.measure.analyses.generator_means import GeneratorTable
from aas_bench.measure.analyses.task_report import Breakdown, ByReward, Unit
from aas_bench.measure.rows import members
from aas_bench.stats.estimate import Estimate, Labels, Mask, Ties
from aas_bench.tables.schema import score_column
from aas_bench.tables.scores import Cells, ScoreTable
from aas_bench.tasks.task import Task

Masks: TypeAlias = Mapping[str, Mask]
Measure: TypeAlias = Callable[[str, Mask], Estimate]
"""A figure of one reward model on some of the rows."""


@dataclass(frozen=True, kw_only=True)
class TaskScores:
    """The scores of a task.

    Attributes:
        task: The task.
        table: The score table.
        rows: The rows behind every figure, shape (n,): each pair once.
        rewards: Reward models to report.
        ties: See `stats.preference`.
        options: `n_resamples`, `seed`, `confidence_level` and `on_missing` of every statistic.
        generators: Tables of generators' means, for the art rank.
    """

    task: Task
    table: ScoreTable
    rows: Mask
    rewards: tuple[str, ...]
    ties: Ties
    options: Mapping[str, Any]
    generators: tuple[GeneratorTable, ...]

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a frame."""
        rows: pd.DataFrame = self.table.frame[self.rows]
        return rows

    @property
    def everything(self) -> Mask:
        """A mask that leaves nothing out, shape (n rows,)."""
        return np.ones(int(self.rows.sum()), dtype=bool)

    @property
    def label(self) -> Labels | None:
        """The labels of the rows; None where no row has a label of 0 or 1."""
        label = self.table.label
        found = None if label is None else label[self.rows]
        return found if found is not None and bool(np.any(found >= 0)) else None

    def cells(self, reward: str) -> Cells:
        """The four scores of the rows."""
        cells = self.table.cells(reward)
        return Cells(**{name: column[self.rows] for name, column in vars(cells).items()})

    def keywords(self, mask: Mask) -> dict[str, Any]:
        """The options of a statistic on some of the rows."""
        return {**self.options, "clusters": self.table.clusters[self.rows][mask]}

    def lists(self, column: str) -> list[list[str]]:
        """The names in each cell of a column; empty lists where there is no such column."""
        if column not in self.frame:
            return [[] for _ in self.everything]
        return [members(value) for value in self.frame[column]]

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
            not np.all(np.isnan([getattr(self.cells(reward), cell) for cell in cells]))
            for reward in self.rewards
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

    def require_groups(self, what: str, *columns: str) -> Sequence[list[str]]:
        """The names in each cell of the first column that has any.

        Raises:
            SchemaError: None of the columns has.
        """
        for column in columns:
            found = self.lists(column)
            if any(found):
                return found
        task, named = self.task.name, " or ".join(map(repr, columns))
        msg = (
            f"{task} is analysed by {what}, and the table has no column {named} with names "
            f'in it. Score pairs that keep it, as load_pairs("{task}") gives them, or add it.'
        )
        raise SchemaError(msg)


def masks(names: Sequence[Iterable[str]], order: Iterable[str] = ()) -> dict[str, Mask]:
    """Rows of each name; names in this order first, then by alphabet."""
    sets = [set(of_row) for of_row in names]
    place = {name: i for i, name in enumerate(order)}
    found = sorted(set().union(*sets), key=lambda name: (place.get(name, len(place)), name))
    return {name: np.array([name in of_row for of_row in sets], dtype=bool) for name in found}
