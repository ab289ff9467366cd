"""Two records on the same pairs: the tests that only per-pair scores allow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from aas_bench.errors import InputError
from aas_bench.measure.compare import match_generators, match_rewards
from aas_bench.measure.summary import STANDARD
from aas_bench.records.record import Record
from aas_bench.stats.differences import GeneratorComparison, RewardComparison
from aas_bench.tables.scores import ScoreTable, load_scores


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
    ) -> GeneratorComparison | None:
        """Compare aligned with base on the prompts that both have; None without scores.

        Args:
            aligned: One generator.
            base: The other, on the same task.
            reward: The reward model that scored both.
            measure: A name of `measure.compare.SHIFTS`.
        """
        ours, theirs = self.open(aligned), self.open(base)
        if ours is None or theirs is None or aligned.task != base.task:
            return None
        if reward not in ours.rewards or reward not in theirs.rewards:
            return None
        try:
            return match_generators(ours, theirs, reward, measure, STANDARD)
        except InputError:
            return None

    def reward_models(self, a: Record, b: Record) -> RewardComparison | None:
        """Compare two reward models on the labelled pairs that both scored; None without."""
        ours, theirs = self.open(a), self.open(b)
        if ours is None or theirs is None or a.task != b.task:
            return None
        try:
            found = match_rewards(ours, theirs, ours.rewards[0], theirs.rewards[0], STANDARD)
        except InputError:
            return None
        return found.comparison if found is not None and found.measure == "accuracy" else None


@lru_cache(maxsize=64)
def _read(path: Path, sha256: str) -> ScoreTable | None:
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            return None
        return load_scores(path)
    except (OSError, InputError):
        return None
