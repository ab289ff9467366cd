"""How often each of several judges errs, from where they disagree, and a rate with that taken off.

Nobody who knows looked at any pair. What makes the errors visible is an assumption: given the truth
of a pair, judges err independently of one another (and of the reward model). Judges that are misled
by the same pairs agree too often; their errors then look fewer than they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from aas_bench.errors import InputError
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, OnMissing, Result, Scores
from aas_bench.stats.inputs import read_ratings, read_sample, read_scores
from aas_bench.stats.intervals import SHARE, SIGNED, Intervals

LEAST_JUDGES: Final = 3
TOO_FEW: Final = "not identified: it takes three judges, as two leave open which of them errs"
NO_BETTER: Final = "not identified: fewer than three judges are surely better than chance"
NO_VOTES: Final = "no judge decided any pair"

# Half a success and half a failure, so that no rate of a small table is 0 or 1 for certain.
_PRIOR: Final = 0.5
_MOST_STEPS: Final = 5000
_SMALL: Final = 1e-10
_SURE: Final = 1.96
_STEP: Final = 1e-4
_LEAST_SPREAD: Final = 1e-3


@dataclass(frozen=True, kw_only=True)
class PanelErrors(Result):
    """What judges' disagreements say of them.

    Attributes:
        share: Of pairs in which it holds, that is whose true label is 1.
        errors: By judge, how often a decided vote is wrong.
        sensitivity: By judge, how often it votes 1 where that is true.
        specificity: By judge, how often it votes 0 where that is true.
        reason: Why the errors are not known; None where they are.
    """

    share: Estimate
    errors: tuple[Estimate, ...]
    sensitivity: tuple[Estimate, ...]
    specificity: tuple[Estimate, ...]
    reason: str | None


def panel_errors(
    votes: ArrayLike, *, clusters: ArrayLike | None = None, confidence_level: float = 0.95
) -> PanelErrors:
    """Error rates of three or more judges who voted on the same pairs.

    Each pair is truly 1 (in a share r of them) or 0; judge j votes 1 in s_j of the ones and in
    1 - t_j of the zeros, independently of the other judges given the truth. r, s and t maximise the
    likelihood of the votes times that of half a success and half a failure more for each rate; the
    maximum is sought from the majority's votes, so judges are taken to be right more often than
    wrong on the whole. Intervals rest on the influence of each pair, by cluster.

    Args:
        votes: Shape (n, n_judges): 1 or 0; None, NaN or a tie (-1) where a judge decided nothing,
            which must not hang on the truth.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        PanelErrors. Without values, and with the reason, for fewer than three judges and where
        fewer than three are surely better than chance.

    Raises:
        InputError: The table or an option does not fit.

    Source:
        Dawid and Skene, Maximum likelihood estimation of observer error-rates using the EM
        algorithm, Applied Statistics 28, 1979; Hui and Walter, Estimating the error rates of
        diagnostic tests, Biometrics 36, 1980.

    Example:
        >>> both = [[1, 1, 1]] * 50 + [[0, 0, 0]] * 40 + [[1, 1, 0]] * 5 + [[0, 1, 0]] * 5
        >>> found = panel_errors(both)
        >>> [round(each.value, 2) for each in found.errors]
        [0.01, 0.06, 0.06]
    """
    table = _read_votes(votes)
    voted = np.where(np.isnan(table).all(axis=1), np.nan, 1.0)
    sample = read_sample(
        {"voted": voted, "row": np.arange(len(table))}, clusters=clusters, on_missing="drop"
    ).complete()
    analysis = Analysis(confidence_level=confidence_level)
    return _Panel(table[sample.scores["row"].astype(int)], Intervals(sample, analysis)).errors()


def panel_rate(
    choice: ArrayLike,
    votes: ArrayLike,
    *,
    clusters: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> Estimate:
    """How often choices are right, by judges whose errors are read off their disagreements.

    With s_j and t_j of `panel_errors`, (v_j + t_j - 1) / (s_j + t_j - 1) is 1 on average where the
    truth is 1 and 0 where it is 0; T is the mean of these over the judges that voted, each weighed
    with (s_j + t_j - 1)^2 / (s_j (1 - s_j) + t_j (1 - t_j)). The rate is the mean of
    c T + (1 - c)(1 - T), cut to [0, 1].

    Args:
        choice: Shape (n,): 1, 0, or a part of each for a tie; None or NaN where there is none.
            Given the truth it must not go with the judges' errors.
        votes: See `panel_errors`.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        on_missing: "raise", or "drop" pairs without a choice and lower the coverage; pairs that no
            judge decided lower it in either case.
        confidence_level: Nominal coverage of the interval, in (0, 1).

    Returns:
        Estimate in [0, 1], with an interval that holds the doubt of the error rates. None where
        these are not identified.

    Raises:
        MissingScoresError: A choice is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        As for `panel_errors`; Rogan and Gladen, Estimating prevalence from the results of a
        screening test, American Journal of Epidemiology 107, 1978.
    """
    table, chose = _read_votes(votes), read_scores("choice", choice)
    if len(chose) != len(table):
        msg = f"choice has {len(chose)} values but votes {len(table)} rows. Give one each."
        raise InputError(msg)
    given = {"choice": chose, "row": np.arange(len(table))}
    read_sample(given, on_missing=on_missing)  # a choice may be missing where nobody voted
    voted = np.where(np.isnan(table).all(axis=1), np.nan, 1.0)
    sample = read_sample({**given, "voted": voted}, clusters=clusters, on_missing="drop").complete()
    analysis = Analysis(confidence_level=confidence_level)
    rows = sample.scores["row"].astype(int)
    panel = _Panel(table[rows], Intervals(sample, analysis))
    return panel.rate(sample.scores["choice"])


class _Panel:
    """Judges' votes on pairs, each of which somebody decided."""

    def __init__(self, votes: Scores, intervals: Intervals) -> None:
        self.intervals = intervals
        coded = np.where(np.isnan(votes), -1, votes).astype(np.int8)
        # Few patterns of votes are many pairs.
        patterns, self.pattern, self.counts = np.unique(
            coded, axis=0, return_inverse=True, return_counts=True
        )
        self.pattern = self.pattern.reshape(-1)
        self.given, self.ones = patterns >= 0, patterns == 1

    def errors(self) -> PanelErrors:
        """See `panel_errors`."""
        reason = self.reason

        def told(rate: Callable[[Scores], float]) -> Estimate:
            if reason is not None:
                return self.intervals.none(reason, n=self.intervals.n)
            return self._estimate(rate(self.best), self._moved(rate), bounds=SHARE)

        def wrong(j: int) -> Callable[[Scores], float]:
            def rate(at: Scores) -> float:
                share, sensitivity, specificity = _rates(at)
                right = share * sensitivity[j] + (1 - share) * specificity[j]
                return float(1 - right)

            return rate

        judges = range(self.given.shape[1])
        return PanelErrors(
            share=told(lambda at: float(_rates(at)[0])),
            errors=tuple(told(wrong(j)) for j in judges),
            sensitivity=tuple(told(lambda at, j=j: float(_rates(at)[1][j])) for j in judges),  # type: ignore[misc]
            specificity=tuple(told(lambda at, j=j: float(_rates(at)[2][j])) for j in judges),  # type: ignore[misc]
            reason=reason,
        )

    def rate(self, choice: Scores) -> Estimate:
        """See `panel_rate`."""
        if self.reason is not None:
            return self.intervals.none(self.reason, n=self.intervals.n)

        def right(at: Scores) -> Scores:
            truth = self._truth(at)[self.pattern]
            return choice * truth + (1 - choice) * (1 - truth)

        own = right(self.best)
        value = float(own.mean())
        influence = (own - value) / len(own) + self._moved(lambda at: float(right(at).mean()))
        return self._estimate(value, influence, bounds=SHARE)

    @cached_property
    def reason(self) -> str | None:
        """Why the errors are not identified; None where they are."""
        if not self.intervals.n:
            return NO_VOTES
        if self.given.shape[1] < LEAST_JUDGES:
            return TOO_FEW
        if self._inverse is None:
            return NO_BETTER

        better = sum(self._surely_better(j) for j in range(self.given.shape[1]))
        return None if better >= LEAST_JUDGES else NO_BETTER

    def _surely_better(self, j: int) -> bool:
        """Whether s + t - 1 of a judge is above 0 by what pairs show and by what they can show.

        The second, of the information alone, tells where all pairs look the same.
        """

        def gain(at: Scores) -> float:
            return float(_rates(at)[1][j] + _rates(at)[2][j] - 1)

        slope, inverse = self._slope(gain), self._inverse
        assert inverse is not None
        found = self.intervals.estimate(gain(self.best), self._moved(gain), bounds=SIGNED)
        beyond = gain(self.best) - _SURE * float(np.sqrt(slope @ inverse @ slope))
        return found.low is not None and min(found.low, beyond) > 0

    @cached_property
    def best(self) -> Scores:
        """The log-odds of the share, the sensitivities and the specificities; by EM."""
        n_given = np.maximum(self.given.sum(axis=1), 1)
        belief = 0.1 + 0.8 * self.ones.sum(axis=1) / n_given
        at = self._maximum(belief)
        for _ in range(_MOST_STEPS):
            nearer = self._maximum(self._belief(at))
            close = np.max(np.abs(expit(nearer) - expit(at))) < _SMALL
            at = nearer
            if close:
                break
        return at

    def _maximum(self, belief: Scores) -> Scores:
        """The likeliest rates where each pair is 1 with this probability."""
        one, zero = belief * self.counts, (1 - belief) * self.counts

        hits = np.concatenate(
            [[one.sum()], one @ self.ones, zero @ (self.given & ~self.ones)], dtype=np.float64
        )
        among = np.concatenate([[self.counts.sum()], one @ self.given, zero @ self.given])
        found: Scores = logit((hits + _PRIOR) / (among + 2 * _PRIOR))
        return found

    def _belief(self, at: Scores) -> Scores:
        """How probable 1 is for each pattern of votes."""
        share, sensitivity, specificity = _rates(at)
        one = np.where(self.ones, np.log(sensitivity), np.log1p(-sensitivity))
        zero = np.where(self.ones, np.log1p(-specificity), np.log(specificity))
        odds = logit(share) + np.where(self.given, one - zero, 0.0).sum(axis=1)
        found: Scores = expit(odds)
        return found

    def _scores(self, at: Scores) -> Scores:
        """Derivative of each pattern's log-likelihood by the log-odds."""
        share, sensitivity, specificity = _rates(at)
        belief = self._belief(at)[:, None]
        by_s = belief * self.given * (self.ones - sensitivity)
        by_t = (1 - belief) * self.given * (~self.ones - specificity)
        return np.hstack([belief - share, by_s, by_t])

    @cached_property
    def _inverse(self) -> NDArray[np.float64] | None:
        """Of the information; None where the votes do not settle the rates."""
        at = self.best
        steps = np.eye(len(at)) * _STEP
        slopes = [self.counts @ (self._scores(at + d) - self._scores(at - d)) for d in steps]
        rates = expit(at)
        information = -np.array(slopes) / (2 * _STEP) + np.diag(2 * _PRIOR * rates * (1 - rates))
        information = (information + information.T) / 2
        if np.linalg.eigvalsh(information).min() <= _SMALL:
            return None
        inverse: NDArray[np.float64] = np.linalg.inv(information)
        return inverse

    def _moved(self, value: Callable[[Scores], float]) -> Scores:
        """The influence of each pair on a function of the rates."""
        inverse = self._inverse
        assert inverse is not None
        found: Scores = (self._scores(self.best) @ inverse @ self._slope(value))[self.pattern]
        return np.asarray(found - found.mean())

    def _slope(self, value: Callable[[Scores], float]) -> Scores:
        """Derivative of a function of the rates by their log-odds."""
        steps = np.eye(len(self.best)) * _STEP
        found: Scores = np.array([value(self.best + d) - value(self.best - d) for d in steps])
        return found / (2 * _STEP)

    def _truth(self, at: Scores) -> Scores:
        """For each pattern the T of `panel_rate`."""
        _, s, t = _rates(at)
        gain, spread = s + t - 1, np.maximum(s * (1 - s) + t * (1 - t), _LEAST_SPREAD)
        weight = self.given * gain / spread
        found: Scores = (weight * (self.ones - (1 - t))).sum(axis=1) / (weight @ gain)
        return found

    def _estimate(
        self, value: float, influence: Scores, *, bounds: tuple[float, float]
    ) -> Estimate:
        """Within bounds; beyond them the interval is that of the value before it is cut."""
        inside = bounds[0] < value < bounds[1]
        scale = "wilson" if inside else "plain"
        found = self.intervals.estimate(value, influence, scale=scale, bounds=bounds)  # type: ignore[arg-type]
        return replace(found, value=min(max(value, bounds[0]), bounds[1]))


def _rates(at: Scores) -> tuple[float, Scores, Scores]:
    """The share, the sensitivities and the specificities at these log-odds."""
    rates = expit(at)
    n = len(rates) // 2
    return float(rates[0]), rates[1 : n + 1], rates[n + 1 :]


def _read_votes(votes: ArrayLike) -> Scores:
    table: Scores = read_ratings(votes)
    if not np.isin(table[~np.isnan(table)], (-1, 0, 1)).all():
        msg = "votes hold something other than 1, 0, -1 (a tie) and null. Code them so."
        raise InputError(msg)
    decided: Scores = np.where(table == -1, np.nan, table)
    return decided
