"""Numbers as text: the same spelling of a value, an interval and a finding everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from aas_bench.measure.results import RewardSummary, Summary
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.override import Override

UNDEFINED = "–"
COUNTERFACTUAL = "counterfactual"
"""Name of the built-in pairs' maker, which is no generator."""
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


def percent_in(estimate: Estimate) -> str:
    """A share and its interval for a sentence: `44 % (35 to 54)`."""
    if estimate.value is None:
        return f"undefined ({estimate.reason})"
    if estimate.low is None or estimate.high is None:
        return f"{percent(estimate.value)} (no interval)"
    return f"{percent(estimate.value)} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})"


def number_in(estimate: Estimate) -> str:
    """A number and its interval for a sentence: `5.90 (5.61 to 6.19)`."""
    if estimate.value is None:
        return f"undefined ({estimate.reason})"
    return f"{number(estimate.value)} ({number_interval(estimate)})"


def p_value(p: float | None) -> str:
    """A p-value; "" where there is no test."""
    if p is None:
        return ""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def spaced(name: str) -> str:
    """A name that code spells with hyphens or underscores, as people write it."""
    return name.replace("_", " ").replace("-", " ")


def plain_name(name: str) -> str:
    """A group as people say it: `film artifacts` for `clarity_and_focus.film_artifacts`."""
    return name.rpartition(".")[2].replace("_", " ")


def made_by(models: Sequence[str]) -> str:
    """What made the images, for a caption; "" where nobody knows."""
    if not models:
        return ""
    if tuple(models) == (COUNTERFACTUAL,):
        return "photographs, each beside a copy with one known effect"
    more = len(models) - 4
    names = [*models[:4], f"{more} others"] if more > 0 else list(models)
    return f"images by {listing(names)}"


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
    """What one reward model did, in a sentence without its name, each share with its interval."""
    headline = reward.headline
    if headline.value is None:
        return f"could not be judged: {headline.reason}."
    result = reward.override
    if result is None or result.understood.value is None:
        verb = "agreed with the label" if reward.preference else "chose the image asked for"
        return f"{verb} in {percent_in(headline)} of pairs."
    understood = result.understood
    end = f"preferred the polished image in {percent_in(complement(result.chosen))}."
    if understands(result):
        return f"understood the request in {percent_in(understood)} of pairs and {end}"
    if prompt_blind(result):
        return f"scores an image the same whatever the prompt says, and {end}"
    if understood.value == 0:
        return f"did not respond to the request in any pair and {end}"
    return (
        f"responded to the request in {percent_in(understood)} of pairs, not clearly more "
        f"often than chance would, and {end}"
    )


def prompt_blind(override: Override) -> bool:
    """Whether the prompt moves no score at all: no pair was understood, and none could be."""
    response = override.prompt_response
    return override.understood.value == 0 and response.value == response.low == response.high == 0


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
