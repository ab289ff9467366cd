"""What the page of a metric says, and its result as HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from aas_bench.words import UNDEFINED, number, percent


@dataclass(frozen=True, kw_only=True)
class Line:
    """How one number is shown.

    Attributes:
        key: Its key in the result.
        name: What it is called.
        meaning: One sentence.
        scale: Ends of the axis that its interval is drawn on; None: not drawn.
        chance: Where chance is on that axis; None: nowhere.
        share: Whether it is shown in percent.
    """

    key: str
    name: str
    meaning: str
    scale: tuple[float, float] | None = (0.0, 1.0)
    chance: float | None = None
    share: bool = True

    def value(self, result: dict[str, Any]) -> str:
        """The value as text."""
        return self._text(result[self.key])

    def interval(self, result: dict[str, Any]) -> str:
        """The interval as text."""
        ends = result[f"{self.key}_ci"]
        if ends is None:
            return UNDEFINED
        low = number(100 * ends[0], digits=1) if self.share else number(ends[0])
        return f"{low} to {self._text(ends[1])}"

    def _text(self, value: float | None) -> str:
        return percent(value, digits=1) if self.share else number(value)


@dataclass(frozen=True, kw_only=True)
class View:
    """What a metric's page says.

    Attributes:
        script: The metric script.
        title: Heading of the page.
        intro: Markdown under the heading.
        example: A table to start with.
        cells: The scores that the metric takes.
        lines: The numbers, the headline first.
        sentence: The finding in words, from the result.
        has_ties: Whether the metric takes `ties`.
        bar: Keys and colours' names of shares that sum to 1, drawn as one bar.
    """

    script: Path
    title: str
    intro: str
    example: str
    cells: tuple[str, ...]
    lines: tuple[Line, ...]
    sentence: Callable[[dict[str, Any]], str]
    has_ties: bool = False
    bar: tuple[str, ...] = ()


def render(view: View, result: dict[str, Any], confidence_level: float) -> str:
    """The result as HTML: a sentence, a table with intervals, counts, groups."""
    parts = [
        f'<p class="aas-finding">{escape(view.sentence(result))}</p>',
        _outcome_bar(view, result),
        _table(view, result, confidence_level),
        _counts(result),
        _groups(view, result),
    ]
    return f'<div class="aas">{"".join(parts)}</div>'


def _table(view: View, result: dict[str, Any], confidence_level: float) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(line.name)}<small>{escape(_why(line, result))}</small></th>'
        f"<td>{line.value(result)}</td><td>{line.interval(result)}</td>"
        f"<td>{_bar(line, result)}</td></tr>"
        for line in view.lines
    )
    chance = "line: chance" if any(line.chance is not None for line in view.lines) else ""
    level = percent(confidence_level, digits=1 if 100 * confidence_level % 1 else 0)
    return (
        "<table><thead><tr><th></th><th>value</th>"
        f"<th>{level} interval</th><th>{chance}</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _why(line: Line, result: dict[str, Any]) -> str:
    reason = result["reasons"].get(line.key)
    return line.meaning if reason is None else f"{line.meaning} {reason[0].upper()}{reason[1:]}."


def _bar(line: Line, result: dict[str, Any]) -> str:
    value, ends = result[line.key], result[f"{line.key}_ci"]
    if line.scale is None or value is None:
        return ""
    low, high = line.scale

    def place(number: float) -> float:
        return round(100 * (min(max(number, low), high) - low) / (high - low), 2)

    marks = f'<i class="dot" style="left:{place(value)}%"></i>'
    if ends is not None:
        left, right = place(ends[0]), place(ends[1])
        marks = f'<i class="ci" style="left:{left}%;width:{right - left:.2f}%"></i>{marks}'
    if line.chance is not None:
        marks = f'<i class="chance" style="left:{place(line.chance)}%"></i>{marks}'
    return f'<span class="track" aria-hidden="true">{marks}</span>'


def _outcome_bar(view: View, result: dict[str, Any]) -> str:
    if not view.bar or result[view.bar[0]] is None:
        return ""
    parts = "".join(
        f'<i class="{key}" style="width:{100 * result[key]:.2f}%"></i>' for key in view.bar
    )
    legend = "".join(
        f'<li><i class="{key}"></i>{key} {percent(result[key], digits=1)}</li>' for key in view.bar
    )
    return f'<div class="stack" aria-hidden="true">{parts}</div><ul class="legend">{legend}</ul>'


def _counts(result: dict[str, Any]) -> str:
    said = [f"{result['n']:,} pairs"]
    if result["n_clusters"] is not None:
        said.append(f"{result['n_clusters']:,} clusters (column index)")
    said += [
        f"{result[key]:,} {words}"
        for key, words in (
            ("n_label_ties", "left out for a label of -1"),
            ("n_reward_ties", "with equal scores"),
            ("n_missing", "without scores"),
        )
        if result.get(key)
    ]
    said.append(f"coverage {percent(result['coverage'], digits=1)}")
    return f'<p class="aas-counts">{escape(" · ".join(said))}</p>'


def _groups(view: View, result: dict[str, Any]) -> str:
    if not result["by_group"]:
        return ""
    line = view.lines[0]
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{part["n"]:,}</td><td>{line.value(part)}</td>'
        f"<td>{line.interval(part)}</td><td>{_bar(line, part)}</td></tr>"
        for name, part in result["by_group"].items()
    )
    return (
        f"<h3>{escape(line.name)} by group</h3><table><thead><tr><th></th><th>pairs</th>"
        f"<th>value</th><th>interval</th><th></th></tr></thead><tbody>{rows}</tbody></table>"
    )
