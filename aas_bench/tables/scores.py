"""The score table: one row per pair, the four scores of each reward model in flat columns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aas_bench.errors import SchemaError
from aas_bench.files import whole_file
from aas_bench.tables.schema import (
    CELLS,
    CUT_DISTORTED,
    CUT_ORIGINAL,
    DIMENSIONS,
    INDEX,
    LABEL,
    PAIR_ID,
    score_column,
)
from aas_bench.tables.score_frame import canonical_frame, unknown_reward
from aas_bench.tables.tables import read_frame

if TYPE_CHECKING:
    import pandas as pd

Scores: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The four scores of each pair by one reward model, each shape (n,), float64, nan if missing.

    Image first, then prompt: `diop` is the distorted image under the original prompt.
    """

    oiop: Scores
    oidp: Scores
    diop: Scores
    didp: Scores


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """Whether the reward model dropped the end of each pair's prompts; each shape (n,), bool."""

    original: NDArray[np.bool_]
    distorted: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreTable:
    """Scores of one or several reward models on the same pairs.

    Attributes:
        frame: One row per pair: `pair_id`, `index`, `model`, `dimensions`, `label` where known,
            extra columns, and score columns `<reward>_<cell>` in float64.
        rewards: Reward models, in the order of their columns.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"mine_oidp": [0.1, 0.4], "mine_didp": [0.3, 0.2]})
        >>> table = ScoreTable.from_frame(frame)
        >>> table.rewards, len(table)
        (('mine',), 2)
        >>> table.cells("mine").didp - table.cells("mine").oidp > 0
        array([ True, False])
    """

    frame: pd.DataFrame
    rewards: tuple[str, ...]

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        rewards: Sequence[str] | None = None,
        label: str | None = None,
        source: str = "the table",
    ) -> ScoreTable:
        """Bring a frame of any form that `load_scores` reads into the canonical one."""
        canonical, names = canonical_frame(frame, rewards=rewards, label=label, source=source)
        return cls(frame=canonical, rewards=names)

    def __len__(self) -> int:
        return len(self.frame)

    def cells(self, reward: str) -> Cells:
        """The four scores of one reward model; a cell without a column is all nan.

        Raises:
            UnknownNameError: The table has no scores of `reward`.
        """
        self._check(reward)
        missing = np.full(len(self.frame), np.nan)
        columns = {c: score_column(reward, c) for c in CELLS}
        return Cells(
            **{
                c: self.frame[name].to_numpy(np.float64, copy=True)
                if name in self.frame
                else missing.copy()
                for c, name in columns.items()
            }
        )

    def cuts(self, reward: str) -> Cuts | None:
        """Which prompts the reward model cut; None where the table does not say.

        A null flag (no prompt) counts as not cut.

        Raises:
            UnknownNameError: The table has no scores of `reward`.
        """
        self._check(reward)
        names = [score_column(reward, c) for c in (CUT_ORIGINAL, CUT_DISTORTED)]
        if not all(name in self.frame for name in names):
            return None
        original, distorted = (
            np.array([v is not None and v == True for v in self.frame[n]], dtype=bool)  # noqa: E712
            for n in names
        )
        return Cuts(original=original, distorted=distorted)

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The base prompt of each pair, shape (n,): pairs that share one are not independent."""
        return self.frame[INDEX].to_numpy(np.int64, copy=True)

    @property
    def label(self) -> NDArray[np.int8] | None:
        """1, 0 or -1 (tie or unknown) per pair, shape (n,); None where the table has no labels."""
        return self.frame[LABEL].to_numpy(np.int8, copy=True) if LABEL in self.frame else None

    def merge(self, other: ScoreTable) -> ScoreTable:
        """Add the reward models of another table of the same pairs, in this table's row order.

        Where both tables have a column that is not a score, this table's is kept.

        Raises:
            SchemaError: The tables hold other pairs, disagree on `index` or `label`, or both hold
                one reward model.
        """
        shared = [r for r in self.rewards if r in other.rewards]
        if shared:
            msg = (
                f"both tables hold scores of {', '.join(shared)}. "
                "Load one of them without it (rewards=...), or rename its columns."
            )
            raise SchemaError(msg)
        right = other.frame.set_index(PAIR_ID)
        here, there = set(self.frame[PAIR_ID]), set(right.index)
        if here != there:
            alone = [p for p in self.frame[PAIR_ID] if p not in there]
            alone += [p for p in right.index if p not in here]
            msg = (
                f"the tables hold different pairs: {len(alone)} are in only one of them, "
                f"first {', '.join(map(repr, alone[:3]))}. Score the same pairs, or filter both."
            )
            raise SchemaError(msg)
        right = right.loc[self.frame[PAIR_ID]].reset_index()
        for name in (INDEX, LABEL):
            if name in self.frame and name in right:
                differ = np.flatnonzero(self.frame[name].to_numpy() != right[name].to_numpy())
                _refuse_difference(name, list(self.frame[PAIR_ID].iloc[differ]))
        new = [c for c in right.columns if c not in self.frame.columns]
        frame = self.frame.assign(**{name: right[name] for name in new})
        return ScoreTable(frame=frame, rewards=(*self.rewards, *other.rewards))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as Parquet, whole or not at all; equal tables give equal bytes.

        Raises:
            InputError: The folder does not exist.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(self.frame, preserve_index=False)
        at = table.schema.get_field_index(DIMENSIONS)
        dimensions = pa.array([list(d) for d in self.frame[DIMENSIONS]], pa.list_(pa.string()))
        table = table.set_column(at, DIMENSIONS, dimensions).replace_schema_metadata(None)
        with whole_file(path) as file:
            pq.write_table(table, file)
        return Path(path)

    def _check(self, reward: str) -> None:
        if reward not in self.rewards:
            raise unknown_reward(reward, self.rewards)


def load_scores(
    path: str | os.PathLike[str],
    *,
    rewards: Sequence[str] | None = None,
    label: str | None = None,
) -> ScoreTable:
    """Read the scores of one or several reward models.

    Score columns are `<reward>_oiop`, `<reward>_oidp`, `<reward>_diop`, `<reward>_didp` (image
    first, then prompt), some of the four, or the authors' structs of them; a `[mu, sigma]` cell
    keeps mu there and sigma in `<reward>_<cell>_sigma`. Null and nan mean missing. The columns
    `pair_id` (`<model>/<index:04d>`), `index` (the row number), `model` ("unknown") and
    `dimensions` (none) are made where absent.

    Args:
        path: Parquet, JSONL, JSON or CSV.
        rewards: The reward models to keep; None keeps all.
        label: Where the label comes from; see `authors.label_columns`.

    Raises:
        InputError: The file is absent, of another type or damaged.
        SchemaError: No rows, no score column, an infinite or non-numeric score, a label outside
            {1, 0, -1}, a pair_id given twice; all faults of the cells in one message.
        UnknownNameError: The table has no scores of one of `rewards`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"mine_oidp": [0.1, 0.4], "mine_didp": [0.3, 0.2]})
        >>> with TemporaryDirectory() as folder:
        ...     file = ScoreTable.from_frame(frame).save(f"{folder}/scores.parquet")
        ...     load_scores(file).cells("mine").didp
        array([0.3, 0.2])
    """
    frame = read_frame(path)
    return ScoreTable.from_frame(frame, rewards=rewards, label=label, source=str(path))


def _refuse_difference(column: str, pair_ids: list[str]) -> None:
    if pair_ids:
        msg = (
            f"the tables disagree on {column!r} for {len(pair_ids)} pairs, first {pair_ids[0]!r}. "
            "Score the same version of the pairs."
        )
        raise SchemaError(msg)
