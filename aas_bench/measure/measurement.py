"""The one public shape of a number: what was measured, of what, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

from aas_bench.stats.estimate import Result


@dataclass(frozen=True, kw_only=True)
class Measurement(Result):
    """One number with its interval and what it rests on.

    Attributes:
        measure: A name of `measures.MEASURES`.
        reward: The reward model that measured a generator; None where it is itself the subject.
        by: What the pairs are grouped by; None over all of them.
        group: The group of `by` that the number is for.
        at: Preference strength or dose, where the measure has one.
        value: The number; None where it is undefined.
        low: Lower end of the interval; None where there is none.
        high: Upper end of the interval; None where there is none.
        n: Pairs that it rests on; None where a source does not say.
        n_clusters: Independent base prompts or scenes among them.
        coverage: Share of the pairs that could be used, in [0, 1].
        reason: Why there is no value or no interval.
    """

    measure: str
    reward: str | None = None
    by: str | None = None
    group: str | None = None
    at: float | None = None
    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    n_clusters: int | None = None
    coverage: float | None = None
    reason: str | None = None

    @property
    def key(self) -> tuple[str, str | None, str | None, str | None, float | None]:
        """What tells it from a subject's other measurements."""
        return self.measure, self.reward, self.by, self.group, self.at
