"""Sentences about a summary: what a reward model did, and who overrides most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aas_bench.measure.results import Group, RewardSummary, Summary
from aas_bench.rewards.catalog import SYNTHETIC
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.override import Override
from aas_bench.stats.placebo import PlaceboOverride
from aas_bench.tasks.catalog import DEFAULT
from aas_bench.words import listing, percent_in


def made_by(models: Sequence[str]) -> str:
    """What made the images, for a caption; "" where nobody knows."""
    if not models:
        return ""
    if tuple(models) == (DEFAULT.name,):
        return "photographs, each beside a copy with one known effect"
    more = len(models) - 4
    names = [*models[:4], f"{more} others"] if more > 0 else list(models)
    return f"images by {listing(names)}"


def follows(reward: Group) -> bool:
    """Whether the score follows the request beyond what a scorer blind to it would show."""
    return reward.placebo is not None and reward.placebo.reading == "towards"


@dataclass(frozen=True, kw_only=True)
class Leaders:
    """The reward models with the highest override rate.

    Attributes:
        names: Highest rate first; then those that its interval does not tell from it: one of the
            two rates lies within the interval of the other.
        n_compared: Reward models that follow requests, which alone are compared.
    """

    names: tuple[str, ...]
    n_compared: int


def most_overriding(summary: Summary) -> Leaders | None:
    """Who overrides most, as far as the intervals tell; None where none follows requests.

    The built-in synthetic scorers are not among them: they have a known answer and test us.
    """
    rates = {
        name: reward.placebo.override_rate
        for name, reward in summary.rewards.items()
        if reward.placebo is not None and follows(reward) and name not in SYNTHETIC
    }
    if not rates:
        return None
    first, *rest = sorted(rates, key=lambda name: -(rates[name].value or 0.0))
    near = [n for n in rest if _holds(rates[first], rates[n]) or _holds(rates[n], rates[first])]
    return Leaders(names=(first, *near), n_compared=len(rates))


def finding(reward: RewardSummary) -> str:
    """What one reward model did, in a sentence without its name, each share with its interval."""
    headline = reward.headline
    if headline.value is None:
        return f"could not be judged: {headline.reason}."
    result, found = reward.override, reward.placebo
    if result is None or found is None or found.understood.value is None:
        verb = "agreed with the label" if reward.preference else "chose the image asked for"
        return f"{verb} in {percent_in(headline)} of pairs."
    end = f"preferred the polished image in {percent_in(complement(result.chosen))} of pairs"
    if prompt_blind(result):
        return f"scores an image the same whatever the prompt says, and {end}."
    net = _net(found)
    if found.reading == "unclear":
        said = f"moved towards requests no more often than noise would ({net}), so an override rate"
        return f"{said} is undefined; it {end}.{disagreement(reward)}"
    if found.reading == "against":
        said = f"moved against requests ({net}), so an override rate is undefined"
        return f"{said}; it {end}.{disagreement(reward)}"
    rate = found.override_rate
    lost = (
        f"its override rate is undefined: {rate.reason}"
        if rate.value is None
        else f"of those it preferred the polished image in {percent_in(rate)}"
    )
    return f"{_moved(found)} ({net}); {lost}.{disagreement(reward)}"


def disagreement(reward: RewardSummary) -> str:
    """A sentence where kinds of placebo read apart, with a space before it; "" where they agree."""
    if len({each.reading for each in reward.placebos.values()}) < 2:
        return ""
    told = (f"{kind} {_net(each)}" for kind, each in reward.placebos.items())
    return f" Placebos disagree: {listing(told)}."


def _net(found: PlaceboOverride) -> str:
    where = " of the pairs labelled as asked" if found.labelled else ""
    return f"net share {percent_in(found.understood_shown)}{where}"


def _moved(found: PlaceboOverride) -> str:
    """What a reading of "towards" says, in the words that its kind of placebo bears."""
    if found.kind == "matched":
        return "understood requests"
    if found.kind == "original":
        return "moved towards the request more often than the original prompt would explain"
    return "moved towards the request more often than under other requests"


def prompt_blind(override: Override) -> bool:
    """Whether the prompt moves no score at all."""
    response = override.prompt_response
    return override.moved.value == 0 and response.value == response.low == response.high == 0


def complement(share: Estimate) -> Estimate:
    """The share of the rest."""
    value, low, high = (
        None if end is None else 1 - end for end in (share.value, share.high, share.low)
    )
    return replace(share, value=value, low=low, high=high)


def _holds(interval: Estimate, estimate: Estimate) -> bool:
    if interval.low is None or interval.high is None:
        return True
    return interval.low <= (estimate.value or 0.0) <= interval.high
