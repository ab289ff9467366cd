"""A pasted or uploaded table of scores, as the arguments of a metric."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aas_bench.errors import InputError, SchemaError, UnknownNameError
from aas_bench.tables.formats import read_frame
from aas_bench.tables.schema import (
    DIMENSIONS,
    INDEX,
    LABEL,
    MODEL,
    PAIR_ID,
    score_column,
)
from aas_bench.tables.scores import ScoreTable

if TYPE_CHECKING:
    import pandas as pd

REFERENCES = "references"
"""What the metrics call the column of labels."""

MOST_GROUPS = 60


@dataclass(frozen=True, kw_only=True)
class Pasted:
    """A table of scores.

    Attributes:
        scores: The canonical score table.
        clustered: Whether the table itself said which pairs share a prompt.
    """

    scores: ScoreTable
    clustered: bool

    @property
    def groups(self) -> list[str]:
        """Columns whose few distinct values split the pairs."""
        frame = self.scores.frame
        hidden = {PAIR_ID, INDEX, LABEL}
        prefixes = tuple(f"{reward}_" for reward in self.scores.rewards)
        names = [str(c) for c in frame if c not in hidden and not str(c).startswith(prefixes)]
        return [name for name in names if 1 < _distinct(frame[name]) <= MOST_GROUPS]

    def arguments(
        self, cells: tuple[str, ...], reward: str | None, group: str | None
    ) -> dict[str, Any]:
        """Columns of `compute`: predictions, references, groups and clusters.

        Args:
            cells: Which of the four scores a prediction holds.
            reward: The reward model; None: the only one.
            group: A column to repeat the result by; None: no groups.

        Raises:
            InputError: A column is missing, or the reward model is not said.
        """
        table = self.scores
        if reward is None and len(table.rewards) > 1:
            msg = f"the table has scores of {', '.join(table.rewards)}. Choose one of them."
            raise InputError(msg)
        name = reward or table.rewards[0]
        scores = table.cells(name)
        absent = [c for c in cells if score_column(name, c) not in table.frame]
        if absent:
            msg = f"{name} has no {' and no '.join(absent)}. Give the columns {', '.join(cells)}."
            raise SchemaError(msg)
        if group is not None and group not in table.frame:
            hint = f"The columns are {', '.join(map(str, table.frame))}."
            raise UnknownNameError("column", group, map(str, table.frame), hint=hint)
        return {
            "predictions": np.stack([getattr(scores, cell) for cell in cells], axis=1),
            "references": table.label,
            "groups": None if group is None else table.frame[group].tolist(),
            "clusters": table.clusters if self.clustered else None,
        }


def _distinct(column: pd.Series[Any]) -> int:
    if column.name == DIMENSIONS:
        return len({name for names in column for name in names})
    if column.name == MODEL or column.dtype == object or column.dtype.kind in "iubOUT":
        return int(column.map(str).nunique()) if column.notna().all() else 0
    return 0


def read_table(text: str, file: str | None) -> Pasted:
    """Read a file, or where there is none, text: CSV, tab-separated cells or JSON lines.

    Raises:
        InputError: It is empty, damaged, or holds no scores.
    """
    if file is not None:
        return _read(Path(file), Path(file).name)
    if not text.strip():
        msg = "there is no table. Paste one with a header line, or upload a file."
        raise InputError(msg)
    suffix = {"{": ".jsonl", "[": ".json"}.get(text.lstrip()[0], ".csv")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table").with_suffix(suffix)
        path.write_text(text.strip() + "\n", encoding="utf-8")
        return _read(path, "the table")


def _read(path: Path, name: str) -> Pasted:
    try:
        frame = read_frame(path).rename(columns={REFERENCES: LABEL})
    except InputError as error:  # visitors need not see where the server keeps the file
        raise InputError(str(error).replace(str(path), name)) from error
    clustered = INDEX in frame.columns
    if clustered and PAIR_ID not in frame.columns:  # pairs of one prompt need names of their own
        frame[PAIR_ID] = [str(row) for row in range(len(frame))]
    return Pasted(scores=ScoreTable.from_frame(frame, source=name), clustered=clustered)


def columns_of(text: str, file: str | None) -> Mapping[str, list[str]]:
    """Reward models and groups to choose from; none where the table cannot be read yet."""
    try:
        table = read_table(text, file)
    except InputError:
        return {"rewards": [], "groups": []}
    return {"rewards": list(table.scores.rewards), "groups": table.groups}
