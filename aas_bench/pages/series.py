"""How the line of a reward model looks in every chart: colour, dashes and marker together."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.axes import Axes

from aas_bench.pages.svg import bare_axes, colour, drawing, to_decoration

N_COLOURS = 6
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = (
    "solid",
    (0, (5, 1.5)),
    (0, (1.5, 1.2)),
    (0, (5, 1.5, 1.2, 1.5)),
    (0, (9, 2)),
    (0, (3, 1)),
)


def series_colour(position: int) -> str:
    """Colour of a reward model, by its position in the summary."""
    return colour(f"series-{position % N_COLOURS + 1}")


def draw_series(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    position: int,
    *,
    markevery: Sequence[int] | None = None,
) -> None:
    """Draw a reward model's line.

    Args:
        axes: Where.
        x: Horizontal places.
        y: As many vertical places.
        position: Of the reward model in the summary.
        markevery: Which points wear its marker; None means all.
    """
    axes.plot(
        x,
        y,
        color=series_colour(position),
        linestyle=DASHES[position % len(DASHES)],
        linewidth=1.8,
        marker=MARKERS[position % len(MARKERS)],
        markersize=6,
        markevery=None if markevery is None else list(markevery),
        clip_on=False,
    )


def series_mark(position: int) -> Markup:
    """A short piece of a reward model's line, for a legend."""
    with drawing(36, 14) as figure:
        axes = bare_axes(figure, 0, 0, 36, 14)
        axes.axis("off")
        axes.set(xlim=(0, 1), ylim=(0, 1))
        draw_series(axes, (0.02, 0.5, 0.98), (0.5, 0.5, 0.5), position, markevery=[1])
        svg = to_decoration(figure, name=f"mark-{position}")
    return Markup(svg)  # noqa: S704 - drawn here
