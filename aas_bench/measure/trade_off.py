"""Reward models on several sets side by side: what ordinary preference earns, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aas_bench.measure.results import Summary
from aas_bench.stats.estimate import Estimate


@dataclass(frozen=True, kw_only=True)
class Side:
    """One set in the table.

    Attributes:
        name: What to call it; the folder of its run.
        source: What was asked for.
        revision: The Hub's commit; None where it is not from there.
        measure: "accuracy" against the labels, or without any "chosen".
        n_pairs: Its pairs.
        n_clusters: Their base prompts.
        n_label_ties: Pairs that the labels call equal, left out of the accuracy.
        headlines: Reward model -> its figure here.
    """

    name: str
    source: str
    revision: str | None
    measure: str
    n_pairs: int
    n_clusters: int
    n_label_ties: int
    headlines: Mapping[str, Estimate]

    @classmethod
    def of(cls, name: str, source: str, summary: Summary) -> Side:
        """The side of a set that was analysed."""
        found = next(iter(summary.rewards.values())).preference
        return cls(
            name=name,
            source=source,
            revision=summary.provenance["revision"],
            measure=summary.measure,
            n_pairs=summary.n_pairs,
            n_clusters=summary.n_clusters,
            n_label_ties=0 if found is None else found.n_label_ties,
            headlines={reward: each.headline for reward, each in summary.rewards.items()},
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        figures = {reward: found.to_dict() for reward, found in self.headlines.items()}
        return {**vars(self), "headlines": figures}


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """The same reward models on several sets; no set's figures depend on another's.

    Attributes:
        sides: The sets, in the order asked for.
        confidence_level: Of every interval.
    """

    sides: tuple[Side, ...]
    confidence_level: float

    @property
    def rewards(self) -> tuple[str, ...]:
        """The reward models, in the order of the first set."""
        return tuple(self.sides[0].headlines)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        sets = [side.to_dict() for side in self.sides]
        return {"confidence_level": self.confidence_level, "sets": sets}
