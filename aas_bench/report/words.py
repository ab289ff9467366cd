"""Numbers as text: the same spelling of a value, an interval and a finding everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aas_bench.report.results import RewardSummary, Summary
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.override import Override

UNDEFINED = "–"
_NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


def percent(value: float | None, *, digits: int = 0) -> str:
    """A share in percent."""
    return UNDEFINED if value is None else f"{100 * value:.{digits}f}{_NARROW_SPACE}%"


def level(confidence_level: float) -> str:
    """A confidence level in percent, with as many decimals as it has."""
    return f"{100 * confidence_level:g}{_NARROW_SPACE}%"


def number(value: float | None, *, digits: int = 2) -> str:
    """A plain number with a true minus sign."""
    if value is None:
        return UNDEFINED
    text = f"{value:.{digits}f}"
    negative = text.startswith("-") and float(text) != 0
    return f"\N{MINUS SIGN}{text[1:]}" if negative else text.lstrip("-")


def percent_interval(estimate: Estimate) -> str:
    """Both ends of the interval of a share, in percent."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f}"


def number_interval(estimate: Estimate) -> str:
    """Both ends of an interval."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"{number(estimate.low)} to {number(estimate.high)}"


def count(n: int, one: str, many: str | None = None) -> str:
    """A number of things, with thousands apart."""
    return f"{n:,}".replace(",", _NARROW_SPACE) + " " + (one if n == 1 else many or one + "s")


def listing(items: Iterable[str]) -> str:
    """Names in a sentence: a, b and c."""
    *rest, last = list(items)
    return f"{', '.join(rest)} and {last}" if rest else last


def understands(override: Override) -> bool:
    """Whether the prompt moves the scores towards what it asks for clearly more often than not.

    Scores that ignore the prompt move at random, half of the time towards it.
    """
    share = override.understood
    floor = share.value if share.low is None else share.low
    return floor is not None and floor > 0.5


@dataclass(frozen=True, kw_only=True)
class Leaders:
    """The reward models with the highest override rate.

    Attributes:
        names: Highest rate first; then those that its interval does not tell from it: one of the
            two rates lies within the interval of the other.
        n_compared: Reward models that understand requests, which alone are compared.
    """

    names: tuple[str, ...]
    n_compared: int


def most_overriding(summary: Summary) -> Leaders | None:
    """Who overrides most, as far as the intervals tell; None where none understands requests."""
    rates = {
        name: reward.override.override_rate
        for name, reward in summary.rewards.items()
        if reward.override is not None and understands(reward.override)
    }
    if not rates:
        return None
    first, *rest = sorted(rates, key=lambda name: -(rates[name].value or 0.0))
    near = [n for n in rest if _holds(rates[first], rates[n]) or _holds(rates[n], rates[first])]
    return Leaders(names=(first, *near), n_compared=len(rates))


def finding(reward: RewardSummary) -> str:
    """What one reward model did, in a sentence without its name."""
    headline = reward.headline
    if headline.value is None:
        return f"could not be judged: {headline.reason}."
    result = reward.override
    if result is None or result.understood.value is None:
        verb = "agreed with the label" if reward.preference else "chose the image asked for"
        return f"{verb} in {percent(headline.value)} of pairs."
    understood, polished = result.understood.value, 1 - (result.chosen.value or 0.0)
    end = f"preferred the polished image in {percent(polished)}."
    if understands(result):
        return f"understood the request in {percent(understood)} of pairs and {end}"
    if understood == 0:
        return f"did not respond to the request in any pair and {end}"
    return (
        f"responded to the request in {percent(understood)} of pairs, no more than chance would, "
        f"and {end}"
    )


def _holds(interval: Estimate, estimate: Estimate) -> bool:
    if interval.low is None or interval.high is None:
        return True
    return interval.low <= (estimate.value or 0.0) <= interval.high
