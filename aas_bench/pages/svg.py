"""Matplotlib drawings as inline SVG that takes its colours and its font from the page.

A drawing is made in placeholder colours, one per theme token, which are then replaced by CSS
variables (`var(--ink)`): the same SVG follows the reader's light or dark setting. Text stays text,
in the font of the page.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing

TOKENS = (
    "ink",
    "muted",
    "rule",
    "paper",
    "followed",
    "overridden",
    "missed",
    "lucky",
    "on-followed",
    "on-overridden",
    "on-missed",
    "on-lucky",
    "series-1",
    "series-2",
    "series-3",
    "series-4",
    "series-5",
    "series-6",
)
"""Theme tokens; `templates/report.css` gives each a light and a dark value."""

_PLACEHOLDERS = {f"#a0b0{i:02x}": token for i, token in enumerate(TOKENS)}
_COLOURS = {token: placeholder for placeholder, token in _PLACEHOLDERS.items()}
_PX_PER_INCH = 72
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")


def colour(token: str) -> str:
    """The placeholder to draw with where the page's `--token` is meant."""
    return _COLOURS[token]


@contextmanager
def drawing(width: int, height: int) -> Iterator[Drawing]:
    """An empty drawing of that many CSS pixels, with the house style in force.

    No global matplotlib state is left changed.
    """
    style: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": "aas-bench",
        "font.size": 15,
        "text.color": colour("ink"),
        "text.parse_math": False,
        "axes.edgecolor": colour("rule"),
        "axes.labelcolor": colour("muted"),
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "xtick.color": colour("rule"),
        "ytick.color": colour("rule"),
        "xtick.labelcolor": colour("muted"),
        "ytick.labelcolor": colour("muted"),
        "hatch.linewidth": 1.2,
    }
    with mpl.rc_context(style), warnings.catch_warnings():
        # The page's fonts draw the text; that the measuring font lacks a glyph does not matter.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Drawing(figsize=(width / _PX_PER_INCH, height / _PX_PER_INCH), dpi=_PX_PER_INCH)
        FigureCanvasSVG(figure)
        yield figure


def bare_axes(figure: Drawing, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in pixels from the top left corner, without frame or tick marks."""
    total_width, total_height = figure.get_size_inches() * _PX_PER_INCH
    axes = figure.add_axes(
        (
            left / total_width,
            1 - (top + height) / total_height,
            width / total_width,
            height / total_height,
        )
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=15, pad=6)
    return axes


def to_svg(figure: Drawing, *, name: str, title: str, description: str) -> str:
    """Serialise a drawing that says something.

    Args:
        figure: Drawn in the colours of `colour` only.
        name: Unique in the page; prefixes every id.
        title: Accessible name.
        description: What the drawing shows, in a sentence.

    Returns:
        An `<svg role="img">` element; equal drawings give equal text.

    Raises:
        ValueError: The drawing holds a colour that is not a theme token.
    """
    return (
        f'<svg class="chart" viewBox="{_view_box(figure)}" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>{_body(figure, name)}'
    )


def to_decoration(figure: Drawing, *, name: str) -> str:
    """Serialise a drawing that repeats what the text beside it says; see `to_svg`."""
    return f'<svg viewBox="{_view_box(figure)}" aria-hidden="true">{_body(figure, name)}'


def label(text: str, *, longest: int) -> str:
    """Text fit to be drawn: printable, at most `longest` characters, shortened in the middle."""
    printable = _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)
    if len(printable) <= longest:
        return printable
    tail = longest // 3
    return f"{printable[: longest - tail - 1]}…{printable[-tail:]}"


def _plain_font(match: re.Match[str]) -> str:
    weight = match[1].strip()
    size = f"font-size: {match[2]}"
    return f"{size}; font-weight: {weight}" if weight else size


def _variable(match: re.Match[str]) -> str:
    token = _PLACEHOLDERS.get(match[0].lower())
    if token is None:
        msg = f"the drawing uses {match[0]}, which is no theme colour. Draw with colour(token)."
        raise ValueError(msg)
    return f"var(--{token})"


def _view_box(figure: Drawing) -> str:
    width, height = (round(side * _PX_PER_INCH) for side in figure.get_size_inches())
    return f"0 0 {width} {height}"


def _body(figure: Drawing, name: str) -> str:
    """What matplotlib writes, from after the opening tag to the closing one, fit for a page."""
    buffer = io.StringIO()
    empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=empty)
    body = buffer.getvalue().split("<svg", 1)[1].split(">", 1)[1]
    for pattern, replacement in (
        (r"(?s)<style.*?</style>", ""),
        (r"\s*<defs>\s*</defs>", ""),
        (r"font-family: [^;\"]*;? ?", ""),
        (r'id="([^"]+)"', rf'id="{name}-\1"'),
        (r'(?:xlink:)?href="#([^"]+)"', rf'href="#{name}-\1"'),
        (r"url\(#([^)]+)\)", rf"url(#{name}-\1)"),
    ):
        body = re.sub(pattern, replacement, body)
    body = re.sub(r"font: ([^;\"]*?)([\d.]+px) [^;\"]*", _plain_font, body)
    return re.sub(r'(?<=[ "])#[0-9a-fA-F]{6}(?=[;"])', _variable, body)
