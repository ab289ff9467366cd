"""Numbers and names as text: one spelling of a value, an interval and a list everywhere."""

from __future__ import annotations

from collections.abc import Iterable

from aas_bench.stats.estimate import Estimate

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


def count(n: int, one: str, many: str | None = None) -> str:
    """A number of things, with thousands apart."""
    return f"{n:,}".replace(",", _NARROW_SPACE) + " " + (one if n == 1 else many or one + "s")


def listing(items: Iterable[str]) -> str:
    """Names in a sentence: a, b and c."""
    *rest, last = list(items)
    return f"{', '.join(rest)} and {last}" if rest else last
