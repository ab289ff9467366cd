"""Did the request move the score, and did taste win all the same? Told against placebo requests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from aas_bench.errors import InputError
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate, Mask, OnMissing, Result, Scores, Ties
from aas_bench.stats.gains import Gains, Table, read_gains
from aas_bench.stats.inputs import check_choice, read_sample
from aas_bench.stats.intervals import Intervals, cluster_variance
from aas_bench.stats.resolution import difference, resolution
from aas_bench.stats.swap import Spread, Swap, clipped, compare, rate_interval, share_interval

Kind: TypeAlias = Literal["original", "matched", "foreign"]
Reading: TypeAlias = Literal["towards", "unclear", "against"]

KINDS: Final = get_args(Kind)
NO_SCORES: Final = "no pair has a score under its request and under a placebo"
NOT_SHOWN: Final = "no pair is labelled 1"
NOT_ABOVE_0: Final = "the understood share may be 0"

_WEIGHT: Final[dict[Ties, float]] = {"original": 1.0, "half": 0.5, "distorted": 0.0}


@dataclass(frozen=True, kw_only=True)
class PlaceboOverride(Result):
    """What a request does to the score, against requests that ask for nothing of the kind.

    Attributes:
        response: A = P(R > Q), ties half, over all pairs; chance 0.5.
        understood: u = P(R > Q) - P(R < Q) = 2 A - 1 over all pairs, chance 0: the share of pairs
            whose score follows the request in their images. An image that fails to show the
            request lowers it.
        understood_shown: u over the pairs labelled 1, whose image shows the request; over all pairs
            where there are no labels.
        overridden: N, pairs whose score followed the request while the polished image won, as a
            share of the pairs labelled 1 (of all, without labels); it needs no gate.
        override_rate: O = N / u over the same pairs, in [0, 1]; None unless the interval of
            `understood_shown` lies above 0.
        reading: "towards" where that interval lies above 0, "against" where below, else "unclear".
        override_rate_by_ties: O with gains of exactly 0 counted for the requested image, and for
            the polished one; None where O is.
        ranks: Share of pairs by how many of their placebos lie below the real gain, 0 to K; ties
            are spread. Flat but for its last entry where every pair either follows the request or
            is blind to it; a high first entry says that some requests move the score against
            themselves, or that real requests are noisier than placebos. Empty where the number of
            placebos varies or is 1.
        kind: Kind of the placebos, as given.
        labelled: Whether labels were given; without them, O takes every image to show its request.
        n: Pairs with a real and a placebo gain.
        n_shown: Pairs among them labelled 1; n without labels.
        n_placebos: Largest number of placebos of a pair.
        n_ties: Comparisons with R = Q; they count for neither side in u and half in A.
        n_reward_ties: Pairs with R = 0.
        n_missing: Pairs left out because they lack the one or the other.
        n_missing_placebos: Placebo gains missing among the n pairs.
    """

    response: Estimate
    understood: Estimate
    understood_shown: Estimate
    overridden: Estimate
    override_rate: Estimate
    reading: Reading
    override_rate_by_ties: tuple[float, float] | None
    ranks: tuple[float, ...]
    kind: Kind | None
    labelled: bool
    n: int
    n_shown: int
    n_placebos: int
    n_ties: int
    n_reward_ties: int
    n_missing: int
    n_missing_placebos: int


def placebo_override(
    real: ArrayLike,
    placebo: Table,
    *,
    labels: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    kind: Kind | None = None,
    ties: Ties = "original",
    tolerance: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> PlaceboOverride:
    """Tell how often the request moved the score, and how often taste won although it did.

    A pair's gain under a prompt P is d(P) = s(requested image, P) - s(polished image, P). R is the
    gain under the pair's own request, Q that under one of its placebos, S = sign(R - Q). Over
    pairs, and over the placebos within a pair,

        A = P(R > Q) + P(R = Q) / 2
        u = P(R > Q) - P(R < Q) = E[S]
        N = P(R > Q, R <= 0) - P(R < Q, Q <= 0) = E[S 1{max(R, Q) <= 0}]
        O = N / u, over pairs labelled 1

    If a reward model does not read a pair's request, R and Q are exchangeable: S is as likely 1 as
    -1 at any max(R, Q), so that the pair adds 0 to u and to N, whatever the model's taste. If it
    reads the request without noise, S = 1 and the pair adds 1 to u, and to N where the polished
    image won. Hence u is the share of pairs that are read and O the share of those that are
    overridden, on the pairs whose image shows its request. With noise u is a lower bound, and O is
    at most the share of polished wins, each pair weighted by its own u, wherever the noise of R and
    Q is independent with a monotone likelihood ratio (equal and log-concave, say).

    Args:
        real: Shape (n,): gain under the pair's own request.
        placebo: Shape (n, K): gains under its placebos, or n sequences of unequal length.
        labels: Shape (n,): 1 where the requested image fits the request better, 0 where the
            polished one does, -1 where neither or unknown. None takes every pair for one of 1.
        clusters: Shape (n,): the base prompt of each pair. None counts pairs as independent.
        kind: What the placebos are, to be kept with the result: "original" (the prompt of the
            polished image; exchangeable only if nothing but the request tells the two prompts
            apart), "matched" (the pair's own caption with a request of like length for an effect
            that neither image shows), "foreign" (requests of other clusters).
        ties: What a gain of exactly 0 is: a win of the polished image ("original", the paper's
            rule), "half" of one, or none ("distorted").
        tolerance: Differences of two gains below this size are 0, and gains below half of it, which
            carry half the rounding: one number, or one per pair. None allows for the rounding of
            float64; give the `resolution` of the four scores where it is coarser.
        on_missing: "raise" where a real or a placebo gain is missing (NaN, None); "drop" leaves out
            missing placebos, and pairs without a real gain or without any placebo.
        confidence_level: Nominal coverage of the intervals, in (0, 1).

    Returns:
        PlaceboOverride. Intervals are cluster-robust: Wilson's for A, hence u; for O that of
        `swap.rate_interval`. Where clusters (pairs, without) whose scores moved are too few for
        flips of their signs to reject anything, fewer than six at 0.95, that of u holds 0. The
        override rate is None where the interval of u over the same pairs does not lie above 0.

    Raises:
        MissingScoresError: A gain is missing and `on_missing` is "raise", or a pair has no placebo.
        InputError: A column or an option does not fit.

    Source:
        Exchange of a real and a placebo assignment: Fisher, The Design of Experiments, 1935;
        placebo requests for reward models: docs/method.md, Override.

    Example:
        >>> real = [2.0, 1.5, -0.5, -1.0] * 5
        >>> placebo = [[-1.0, -2.0], [-1.0, 0.5], [-3.0, -2.0], [-2.0, -4.0]] * 5
        >>> result = placebo_override(real, placebo)
        >>> result.understood.value, result.override_rate.value
        (1.0, 0.5)
        >>> blind = placebo_override([1.0, -1.0] * 10, [[2.0, 0.5], [-2.0, -0.5]] * 10)
        >>> blind.override_rate.value, blind.reading
        (None, 'unclear')
    """
    analysis = Analysis(confidence_level=confidence_level, ties=ties, on_missing=on_missing)
    gains = read_gains(
        real,
        placebo,
        labels=labels,
        clusters=clusters,
        tolerance=tolerance,
        on_missing=analysis.on_missing,
    )
    return analyse(gains, Options(kind, analysis))


def placebo_from_four(
    oiop: ArrayLike,
    oidp: ArrayLike,
    diop: ArrayLike,
    didp: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    ties: Ties = "original",
    tolerance: ArrayLike | None = None,
    on_missing: OnMissing = "raise",
    confidence_level: float = 0.95,
) -> PlaceboOverride:
    """`placebo_override` where only the four scores of each pair are stored.

    The original prompt is the one placebo: R = didp - oidp, Q = diop - oiop, kind "original". It
    takes the original prompt to differ from the distorted one by the request alone; a model that
    answers to the length or style of a prompt instead is not told apart from one that reads it.

    Args:
        oiop: Score of the original image under the original prompt, shape (n,), float.
        oidp: Original image, distorted prompt.
        diop: Distorted image, original prompt.
        didp: Distorted image, distorted prompt.
        labels: As in `placebo_override`, as all that follows.
        clusters: As there.
        ties: As there.
        tolerance: As there; None takes the `resolution` of the four scores.
        on_missing: As there: "drop" leaves out the pairs without all four.
        confidence_level: As there.

    Returns:
        PlaceboOverride of kind "original".

    Raises:
        MissingScoresError: A score is missing and `on_missing` is "raise".
        InputError: A column or an option does not fit.

    Source:
        Scores of arXiv 2512.11883.

    Example:
        >>> result = placebo_from_four([5] * 20, [4] * 20, [1] * 20, [6, 3] * 10)
        >>> result.understood.value, result.override_rate.value, result.kind
        (1.0, 0.5, 'original')
    """
    cells = {"oiop": oiop, "oidp": oidp, "diop": diop, "didp": didp}
    scores = read_sample(cells, on_missing=on_missing).scores
    return placebo_override(
        difference(scores["didp"], scores["oidp"]),
        difference(scores["diop"], scores["oiop"])[:, None],
        labels=labels,
        clusters=clusters,
        kind="original",
        ties=ties,
        tolerance=np.nan_to_num(resolution(*cells.values())) if tolerance is None else tolerance,
        on_missing=on_missing,
        confidence_level=confidence_level,
    )


@dataclass(frozen=True, kw_only=True)
class FailedImages(Result):
    """What is left of an override rate if some requested images failed to show their request.

    Attributes:
        share: Largest share of the pairs whose image may have failed.
        low: Least override rate of the other pairs, in [0, 1].
        high: Largest.
        low_sure: `low` at the lower ends of the intervals that it rests on.
        high_sure: `high` at the ends of those that make it largest.
        explained_by: Share of failed images from which on `low` is 0: N, were each failed image to
            be among the overridden.
    """

    share: float
    low: float
    high: float
    low_sure: float
    high_sure: float
    explained_by: float


def failed_image_bounds(result: PlaceboOverride, share: float) -> FailedImages | None:
    """Bound the override rate where up to a share f of the images may show no request.

    Where no label says which images failed, their pairs count as well. A failed pair is one of
    three: it adds 0 to u and N, if its images are alike in what was asked for; 1 to u and 0 or 1 to
    N, if the failed image still shows a little of it; -1 to u and 0 or -1 to N, if the polished one
    does. So the rate of the other pairs, (N - N_f) / (u - u_f), lies between

        low = min((N - f) / (u - f), N / (u + f)), 0 from f = N on
        high = max(N / (u - f), (N + f) / (u + f)), 1 from f = u - N on

    and nothing narrower can be said without labels. If all failed pairs are of the first kind, O
    itself holds for the rest.

    Args:
        result: Of pairs without labels.
        share: f, in [0, 1].

    Returns:
        FailedImages, or None where the override rate is undefined. Where its interval and that of u
        hold their level 1 - a each, `low_sure` to `high_sure` hold the rate with at least
        1 - 1.5 a (0.925 at 0.95).

    Raises:
        InputError: `share` is outside [0, 1], or the pairs were labelled.

    Source:
        Worst-case bounds: Horowitz and Manski, Identification and robustness with contaminated and
        corrupted data, Econometrica 63, 1995.

    Example:
        >>> result = placebo_override([1.0, -1.0] * 50, [[-2.0]] * 100)
        >>> bounds = failed_image_bounds(result, 0.1)
        >>> round(bounds.low, 3), round(bounds.high, 3), bounds.explained_by
        (0.444, 0.556, 0.5)
    """
    if not 0 <= share <= 1:
        msg = f"share={share!r} is no share of the images. Give one in [0, 1]."
        raise InputError(msg)
    if result.labelled:
        msg = "these pairs have labels, which say what failed. Give a result without labels."
        raise InputError(msg)
    rate, understood = result.override_rate, result.understood
    if rate.value is None or understood.value is None:
        return None
    assert rate.low is not None
    assert rate.high is not None
    assert understood.low is not None
    return FailedImages(
        share=share,
        low=_least(rate.value, understood.value, share),
        high=1 - _least(1 - rate.value, understood.value, share),
        low_sure=_least(rate.low, understood.low, share),
        high_sure=1 - _least(1 - rate.high, understood.low, share),
        explained_by=rate.value * understood.value,
    )


def _least(rate: float, understood: float, share: float) -> float:
    """Least rate of the pairs that did not fail; by symmetry also 1 - the largest of 1 - rate."""
    overridden = rate * understood
    if share == 0 or overridden <= share:
        return rate if share == 0 else 0.0
    rest = (overridden - share) / (understood - share)
    return min(rest, overridden / (understood + share))


@dataclass(frozen=True)
class Options:
    """How gains are analysed; see `placebo_override`."""

    kind: Kind | None
    analysis: Analysis

    def __post_init__(self) -> None:
        if self.kind is not None:
            check_choice("kind", self.kind, KINDS)


def analyse(gains: Gains, options: Options) -> PlaceboOverride:
    """`placebo_override` of gains that have been read; several real wordings are averaged."""
    gains, analysis = gains.complete(), options.analysis
    label = gains.sample.label
    shown: Mask = np.ones(gains.n, dtype=bool) if label is None else label == 1
    found = compare(gains.real, gains.placebo, tolerance=gains.tolerance)
    swap = found.swaps[_WEIGHT[analysis.ties]]
    everyone, some = Intervals(gains.sample, analysis), _Shown(gains, shown, analysis)
    response = _response(everyone, swap.moved, analysis, undefined=NO_SCORES)
    understood = _balance(
        _response(
            some.intervals,
            swap.moved[shown],
            analysis,
            undefined=NOT_SHOWN if gains.n else NO_SCORES,
        )
    )
    rate = some.rate(swap.where(shown), understood)
    return PlaceboOverride(
        response=response,
        understood=_balance(response),
        understood_shown=understood,
        overridden=some.overridden(swap.where(shown), understood),
        override_rate=rate,
        reading=_reading(understood),
        override_rate_by_ties=None
        if rate.value is None
        else (_ratio(found.swaps[0.0].where(shown)), _ratio(found.swaps[1.0].where(shown))),
        ranks=_ranks(gains),
        kind=options.kind,
        labelled=label is not None,
        n=gains.n,
        n_shown=int(shown.sum()),
        n_placebos=int(gains.n_placebos.max(initial=0)),
        n_ties=found.n_ties,
        n_reward_ties=found.n_zero,
        n_missing=gains.sample.n_missing,
        n_missing_placebos=int(gains.n_placebos.sum() - (~np.isnan(gains.placebo)).sum()),
    )


def _response(
    intervals: Intervals, moved: Scores, analysis: Analysis, *, undefined: str
) -> Estimate:
    """A, told from chance only where flipping the signs of clusters could tell it, too."""
    found = intervals.rate((1 + moved) / 2, undefined=undefined)
    n_moved = int(np.count_nonzero(intervals.clusters.sums(moved))) if intervals.n else 0
    if (
        found.low is None
        or found.high is None
        or 2 ** (1 - n_moved) <= 1 - analysis.confidence_level
    ):
        return found
    return replace(found, low=min(found.low, 0.5), high=max(found.high, 0.5))


def _ratio(swap: Swap) -> float:
    return clipped(float(swap.overridden.mean() / swap.moved.mean()))


def _reading(understood: Estimate) -> Reading:
    if understood.low is not None and understood.low > 0:
        return "towards"
    return "against" if understood.high is not None and understood.high < 0 else "unclear"


def _balance(rate: Estimate) -> Estimate:
    """2 p - 1 of a rate p: from a share in [0, 1] to a balance in [-1, 1]."""
    value, low, high = (
        None if end is None else 2 * end - 1 for end in (rate.value, rate.low, rate.high)
    )
    return replace(rate, value=value, low=low, high=high)


def _ranks(gains: Gains) -> tuple[float, ...]:
    k = gains.placebo.shape[1]
    if not gains.n or k < 2 or gains.real.shape[1] > 1 or np.isnan(gains.placebo).any():
        return ()
    gap = gains.real - gains.placebo
    tied = (np.abs(gap) < gains.tolerance[:, None]) | (gap == 0)
    below = (gap > 0) & ~tied
    first, n_tied = below.sum(axis=1), tied.sum(axis=1)
    # A pair with t ties is spread evenly over t + 1 ranks.
    rank = np.arange(k + 1)
    spread = (rank >= first[:, None]) & (rank <= (first + n_tied)[:, None])
    return tuple(float(share) for share in (spread / (n_tied + 1)[:, None]).mean(axis=0))


class _Shown:
    """The pairs whose image shows its request: what the override rate is a rate of."""

    def __init__(self, gains: Gains, keep: Mask, analysis: Analysis) -> None:
        sample = gains.sample.where(keep)
        self.n, self._upper = sample.n, (1 + analysis.confidence_level) / 2
        self.intervals = Intervals(sample, analysis)

    def spread(self, column: Scores) -> Spread:
        """Of the mean of a column."""
        influence = (column - column.mean()) / self.n
        clusters = self.intervals.clusters
        found = cluster_variance(
            clusters.sums(influence), clusters.sizes(), float(influence @ influence), self.n
        )
        return Spread(found=found, quantile=float(stdtrit(found.dof, self._upper)), n=self.n)

    def overridden(self, swap: Swap, understood: Estimate) -> Estimate:
        """N, which needs no gate."""
        if understood.low is None:
            value = None if understood.value is None else float(swap.overridden.mean())
            return replace(understood, value=value)
        low, high = share_interval(swap, self.spread(swap.overridden))
        return replace(understood, value=float(swap.overridden.mean()), low=low, high=high)

    def rate(self, swap: Swap, understood: Estimate) -> Estimate:
        """O, behind its gate."""
        if understood.low is None:
            return replace(understood, value=None)
        if understood.low <= 0:
            return self.intervals.none(NOT_ABOVE_0, n=self.n)
        rate = _ratio(swap)
        low, high = rate_interval(swap, self.spread(swap.overridden - rate * swap.moved))
        return replace(understood, value=rate, low=low, high=high)
