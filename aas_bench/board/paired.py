"""Two records on the same pairs: the tests that only per-pair scores allow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from aas_bench.errors import InputError
from aas_bench.measure.rows import headline_rows
from aas_bench.records.record import Record
from aas_bench.stats.compare import (
    RewardComparison,
    SignedRank,
    compare_generators,
    compare_rewards,
)
from aas_bench.stats.estimate import Scores
from aas_bench.tables.schema import PAIR_ID
from aas_bench.tables.scores import Cells, ScoreTable, load_scores


@dataclass(frozen=True, kw_only=True)
class ScoreFiles:
    """The per-pair scores beside the records.

    Attributes:
        folder: The folder of the results.
    """

    folder: Path

    def open(self, record: Record) -> ScoreTable | None:
        """A record's scores; None where it has none, or where the file is not the one it names."""
        if record.scores is None:
            return None
        path = (self.folder / record.id).parent / record.scores.file
        return _read(path, record.scores.sha256)

    def generators(
        self, aligned: Record, base: Record, reward: str, measure: str
    ) -> SignedRank | None:
        """Wilcoxon's test of aligned minus base on the prompts that both have; None without scores.

        Args:
            aligned: One generator.
            base: The other, on the same task.
            reward: The reward model that scored both.
            measure: "delta" (diop - oiop) or "after" (diop).
        """
        ours, theirs = self.open(aligned), self.open(base)
        if ours is None or theirs is None or aligned.task != base.task:
            return None
        if reward not in ours.rewards or reward not in theirs.rewards:
            return None
        a, b = _by_prompt(ours, reward, measure), _by_prompt(theirs, reward, measure)
        shared = sorted(a.keys() & b.keys())
        if not shared:
            return None
        return compare_generators(
            np.array([a[i] for i in shared]), np.array([b[i] for i in shared]), on_missing="drop"
        )

    def reward_models(self, a: Record, b: Record) -> RewardComparison | None:
        """McNemar's test and paired differences on the pairs that both scored; None without."""
        ours, theirs = self.open(a), self.open(b)
        if ours is None or theirs is None or a.task != b.task:
            return None
        rows = {name: i for i, name in enumerate(theirs.frame[PAIR_ID])}
        counted = headline_rows(ours.frame)  # as in the figures, of each wording but one
        here = [i for i, n in enumerate(ours.frame[PAIR_ID]) if counted[i] and n in rows]
        if not here or ours.label is None:
            return None
        there = [rows[ours.frame[PAIR_ID].iloc[i]] for i in here]
        try:
            return compare_rewards(
                _margin(ours.cells(ours.rewards[0]))[here],
                _margin(theirs.cells(theirs.rewards[0]))[there],
                ours.label[here],
                clusters=ours.clusters[here],
                on_missing="drop",
            )
        except InputError:
            return None


@lru_cache(maxsize=64)
def _read(path: Path, sha256: str) -> ScoreTable | None:
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            return None
        return load_scores(path)
    except (OSError, InputError):
        return None


def _margin(cells: Cells) -> Scores:
    return cells.didp - cells.oidp


def _by_prompt(table: ScoreTable, reward: str, measure: str) -> dict[int, float]:
    """The measure on each base prompt: the mean where several pairs share one."""
    cells = table.cells(reward)
    value = cells.diop - cells.oiop if measure == "delta" else cells.diop
    clusters, place = np.unique(table.clusters, return_inverse=True)
    means = np.bincount(place, weights=value) / np.bincount(place)
    return dict(zip(clusters.tolist(), means.tolist(), strict=True))
