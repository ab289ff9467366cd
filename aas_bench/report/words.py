"""Numbers as text: the same spelling of a value, an interval and a finding everywhere."""

from __future__ import annotations

from collections.abc import Iterable

from aas_bench.report.results import RewardSummary, Summary
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.override import Override

UNDEFINED = "–"
_NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"


def percent(value: float | None, *, digits: int = 0) -> str:
    """A share in percent."""
    return UNDEFINED if value is None else f"{100 * value:.{digits}f}{_NARROW_SPACE}%"


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


def most_overriding(summary: Summary) -> tuple[list[str], bool] | None:
    """Reward models with the highest override rate, among those that understand requests.

    Returns:
        Names, highest first, and whether the first stands clear; the names are those whose
        interval reaches that of the highest. None where no reward model understands requests.
    """
    rates = {
        name: reward.override.override_rate
        for name, reward in summary.rewards.items()
        if reward.override is not None and understands(reward.override)
    }
    if not rates:
        return None
    order = sorted(rates, key=lambda name: -(rates[name].value or 0.0))
    floor = rates[order[0]].low
    reach = [
        name
        for name in order
        if name == order[0] or floor is None or (rates[name].high or 1.0) >= floor
    ]
    return reach, len(reach) == 1


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
        return f"understood the request in {percent(understood)} of pairs, {end}"
    if understood == 0:
        return f"did not respond to the request in any pair, {end}"
    return (
        f"responded to the request in {percent(understood)} of pairs, no more than chance would, "
        f"and {end}"
    )
