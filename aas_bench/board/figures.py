"""Drawings as inline SVG in the colours of the page."""

from __future__ import annotations

from html import escape

from markupsafe import Markup

from aas_bench.board.view import Panel

WIDTH, HEIGHT = 220, 132
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 8, 8, 22


def curve(panel: Panel, name: str) -> Markup:
    """A line with its band over λ from 0, chance dotted; 0 to 100 %."""
    xs = [point[0] for point in panel.points]
    first, last = xs[0], xs[-1]

    def x(value: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * (value - first) / (last - first), 1)

    def y(value: float) -> float:
        return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - min(max(value, 0.0), 1.0)), 1)

    line = " ".join(f"{x(at)},{y(value)}" for at, value, _, _ in panel.points)
    low = [(x(at), y(end)) for at, _, end, _ in panel.points if end is not None]
    high = [(x(at), y(end)) for at, _, _, end in panel.points if end is not None]
    band = " ".join(f"{px},{py}" for px, py in [*low, *reversed(high)])
    scale = "".join(
        f'<line class="grid{" mid" if share == 0.5 else ""}" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" '
        f'y1="{y(share)}" y2="{y(share)}"/>'
        f'<text x="{_LEFT - 5}" y="{y(share) + 4}" text-anchor="end">{share:.0%}</text>'
        for share in (0.0, 0.5, 1.0)
    )
    ticks = "".join(
        f'<text x="{x(at)}" y="{HEIGHT - 5}" text-anchor="middle">'
        f"{'' if at else 'λ = '}{at:g}</text>"
        for at in (0.0, 0.5, 1.0, 1.5)
        if first <= at <= last
    )
    title = escape(f"{panel.title}: {panel.said}")
    return Markup(  # noqa: S704 - numbers of our own and escaped text
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{name}">'
        f'<title id="{name}">{title}</title>{scale}{ticks}'
        f'<polygon class="band" points="{band}"/><polyline class="line" points="{line}"/>'
        f'<circle class="dot" cx="{x(first)}" cy="{y(panel.points[0][1])}" r="3.5"/></svg>'
    )
