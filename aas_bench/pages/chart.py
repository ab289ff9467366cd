"""The one renderer of charts: inline SVG in the colours and the font of the page.

A colour is a theme token and becomes a CSS variable (`var(--ink)`), so that one drawing follows
the reader's light or dark setting; text stays text, in the font of the page.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal, TypeAlias

from markupsafe import Markup

from aas_bench.words import Bounded, percent

TOKENS: Final = (
    *("ink", "muted", "rule", "paper", "accent", "interval"),
    *("followed", "overridden", "missed", "lucky"),
    *("on-followed", "on-overridden", "on-missed", "on-lucky"),
    *(f"series-{i}" for i in range(1, 7)),
)
"""Theme tokens; `templates/kit.css` gives each a light and a dark value."""
N_COLOURS: Final = 6
DASHES: Final = ("", "9 2.7", "2.7 2.2", "9 2.7 2.2 2.7", "16 3.6", "5.4 1.8")
DASHED: Final = "2 2"
MARKS: Final = (
    "M -{r} 0 a {r} {r} 0 1 0 {d} 0 a {r} {r} 0 1 0 -{d} 0 Z",
    "M -{r} -{r} h {d} v {d} h -{d} Z",
    "M 0 -{r} L {r} {r} H -{r} Z",
    "M 0 -{b} L {b} 0 L 0 {b} L -{b} 0 Z",
    "M 0 {r} L {r} -{r} H -{r} Z",
    "M -{t} -{r} h {w} v {s} h {s} v {w} h -{s} v {s} h -{w} v -{s} h -{s} v -{w} h {s} Z",
)
"""Circle, square, triangle, diamond, triangle down, plus: told apart without colour."""
_PATTERNS: Final = {
    "overridden": '<path d="M 0 8 L 8 0 M -1 1 L 1 -1 M 7 9 L 9 7" stroke="{0}" '
    'stroke-width="1.2" opacity="0.35"/>',
    "lucky": '<circle cx="2" cy="2" r="0.9" fill="{0}" opacity="0.35"/>',
}
_TEXT_PX: Final = 15
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")

Anchor: TypeAlias = Literal["start", "middle", "end"]
Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Values to pixels, linear.

    Attributes:
        low: Value at the start.
        high: Value at the stop.
        start: Pixel of `low`.
        stop: Pixel of `high`.
    """

    low: float
    high: float
    start: float
    stop: float

    def __call__(self, value: float) -> float:
        """The pixel of a value."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.stop - self.start)

    def ticks(self, most: int = 4) -> list[float]:
        """Round values inside the scale, at most so many."""
        power = math.floor(math.log10(self.high - self.low)) - 1
        for step in (f * 10.0**p for p in (power, power + 1, power + 2) for f in (1, 2, 2.5, 5)):
            first = math.ceil(self.low / step - 1e-9)
            last = math.floor(self.high / step + 1e-9)
            if last - first < most:
                return [round(i * step, 12) for i in range(first, last + 1)]
        return []


class Drawing:
    """A drawing in CSS pixels from the top left corner.

    Args:
        name: Unique in the page; prefixes every id.
        width: In pixels.
        height: In pixels.
    """

    def __init__(self, name: str, width: float, height: float) -> None:
        self.name = name
        self.width, self.height = width, height
        self._parts: list[str] = []
        self._patterns: dict[str, str] = {}

    def line(
        self,
        points: Sequence[Point],
        stroke: str,
        *,
        width: float = 1,
        dashes: str = "",
        opacity: float = 1,
    ) -> None:
        """A line through points; its ends are square to it and reach no further."""
        path = " ".join(f"{_px(x)},{_px(y)}" for x, y in points)
        more = f' stroke-dasharray="{dashes}"' if dashes else ""
        more += f' opacity="{opacity:g}"' if opacity != 1 else ""
        self._add(
            f'<polyline points="{path}" fill="none" stroke="{_paint(stroke)}" '
            f'stroke-width="{width:g}"{more}/>'
        )

    def area(self, points: Sequence[Point], fill: str, *, opacity: float = 1) -> None:
        """A filled outline."""
        path = " ".join(f"{_px(x)},{_px(y)}" for x, y in points)
        self._add(f'<polygon points="{path}" fill="{_paint(fill)}" opacity="{opacity:g}"/>')

    def bar(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        """A filled rectangle, with the pattern of an outcome that has one over it."""
        place = f'x="{_px(x)}" y="{_px(y)}" width="{_px(width)}" height="{_px(height)}"'
        self._add(f'<rect {place} fill="{_paint(fill)}"/>')
        if fill in _PATTERNS:
            drawn = _PATTERNS[fill].format(_paint(f"on-{fill}"))
            key = f"{self.name}-{fill}"
            self._patterns[key] = (
                f'<pattern id="{key}" width="8" height="8" patternUnits="userSpaceOnUse">'
                f"{drawn}</pattern>"
            )
            self._add(f'<rect {place} fill="url(#{key})"/>')

    def mark(self, x: float, y: float, position: int | None, *, size: float = 8) -> None:
        """The mark of a reward model, by its position in the summary; None: of no reward model."""
        r = size / 2
        sides = {"r": r, "d": size, "b": 1.2 * r, "t": size / 6, "w": size / 3, "s": size / 3}
        shape = MARKS[(position or 0) % len(MARKS)].format(
            **{k: f"{v:.3g}" for k, v in sides.items()}
        )
        self._add(
            f'<path class="mark" d="{shape}" transform="translate({_px(x)} {_px(y)})" '
            f'fill="{_paint(series(position))}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        fill: str = "ink",
        anchor: Anchor = "start",
        bold: bool = False,
        middle: bool = False,
    ) -> None:
        """Text at its baseline or, with `middle`, centred on `y`."""
        more = f' text-anchor="{anchor}"' if anchor != "start" else ""
        more += ' font-weight="650"' if bold else ""
        self._add(
            f'<text x="{_px(x)}" y="{_px(y + (0.35 * _TEXT_PX if middle else 0))}" '
            f'fill="{_paint(fill)}"{more}>{escape(printable(text))}</text>'
        )

    def svg(self, *, title: str, description: str) -> Markup:
        """An `<svg role="img">` element with its accessible name; equal drawings, equal text."""
        return self._element(
            f'class="chart" role="img" aria-labelledby="{self.name}-title {self.name}-desc"',
            f'<title id="{self.name}-title">{escape(title)}</title>'
            f'<desc id="{self.name}-desc">{escape(description)}</desc>',
        )

    def decoration(self) -> Markup:
        """An element that repeats what the text beside it says."""
        return self._element('aria-hidden="true"', "")

    def _element(self, attributes: str, head: str) -> Markup:
        defs = f"<defs>{''.join(self._patterns.values())}</defs>" if self._patterns else ""
        return Markup(  # noqa: S704 - numbers of our own, theme tokens and escaped text
            f'<svg {attributes} viewBox="0 0 {self.width:g} {self.height:g}" '
            f'font-size="{_TEXT_PX}">{head}{defs}{"".join(self._parts)}</svg>'
        )

    def _add(self, part: str) -> None:
        self._parts.append(part)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart, with what there is to see and the table behind it.

    Attributes:
        name: Unique in the page.
        heading: What it shows, in a few words; "" where the page says so itself.
        svg: Inline SVG, safe as it is.
        sentence: What there is to see.
        columns: Head of the table behind it.
        rows: The table's entries, as text.
    """

    name: str
    heading: str
    svg: Markup
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def series(position: int | None) -> str:
    """The colour of a reward model, by its position in the summary; muted for none."""
    return "muted" if position is None else f"series-{position % N_COLOURS + 1}"


def series_line(
    drawing: Drawing, points: Sequence[Point], position: int, *, marked: Sequence[int] | None = None
) -> None:
    """A reward model's line in its colour, dashes and marks.

    Args:
        drawing: Where.
        points: In pixels.
        position: Of the reward model in the summary.
        marked: Which points wear its mark; None: all.
    """
    dashes = DASHES[position % len(DASHES)]
    drawing.line(points, series(position), width=1.8, dashes=dashes)
    for i in range(len(points)) if marked is None else marked:
        drawing.mark(*points[i], position, size=6)


def series_mark(position: int) -> Markup:
    """A short piece of a reward model's line, for a legend."""
    drawing = Drawing(f"mark-{position}", 36, 14)
    series_line(drawing, [(1, 7), (18, 7), (35, 7)], position, marked=[1])
    return drawing.decoration()


def band(
    drawing: Drawing,
    points: Sequence[tuple[float, Bounded]],
    x: Scale,
    y: Scale,
    position: int,
) -> None:
    """The intervals along a line, as one tinted outline."""
    ends = [(x(at), p.low, p.high) for at, p in points if p.low is not None and p.high is not None]
    outline = [(at, y(low)) for at, low, _ in ends]
    outline += [(at, y(high)) for at, _, high in reversed(ends)]
    if ends:
        drawing.area(outline, series(position), opacity=0.14)


def interval_mark(
    drawing: Drawing, found: Bounded, scale: Scale, y: float, *, position: int | None
) -> None:
    """A value as its reward model's mark, on a bar that is its interval."""
    if found.value is None:
        return
    if found.low is not None and found.high is not None:
        ends = [(scale(found.low), y), (scale(found.high), y)]
        drawing.line(ends, series(position), width=6, opacity=0.3)
    drawing.mark(scale(found.value), y, position)


def share_axis(drawing: Drawing, y: Scale, left: float, right: float) -> None:
    """Rules at 0, 50 and 100 % with their labels; chance is dashed."""
    for tick in (0.0, 0.5, 1.0):
        ends = [(left, y(tick)), (right, y(tick))]
        drawing.line(ends, "rule" if tick != 0.5 else "muted", dashes=DASHED if tick == 0.5 else "")
        drawing.text(left - 8, y(tick), percent(tick), fill="muted", anchor="end", middle=True)


def apart(wanted: Mapping[str, float], gap: float, lowest: float) -> dict[str, float]:
    """Heights for labels, at least `gap` apart, as near to the wanted ones as that allows.

    Args:
        wanted: Pixel of each label, from the top.
        gap: Between two of them.
        lowest: Pixel that none may pass.
    """
    placed: dict[str, float] = {}
    last = lowest + gap
    for name in sorted(wanted, key=lambda name: -wanted[name]):
        last = placed[name] = min(wanted[name], last - gap)
    return placed


def printable(text: str) -> str:
    """Text without characters that no XML may hold."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def label(text: str, *, longest: int) -> str:
    """Text fit to be drawn: printable, at most `longest` characters, shortened in the middle."""
    shown = printable(text)
    if len(shown) <= longest:
        return shown
    tail = longest // 3
    return f"{shown[: longest - tail - 1]}…{shown[-tail:]}"


def _paint(token: str) -> str:
    if token not in TOKENS:
        msg = f"the drawing uses {token}, which is no theme colour. Draw with one of TOKENS."
        raise ValueError(msg)
    return f"var(--{token})"


def _px(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
