"""The charts of a report, each with its sentence and the table behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, PercentFormatter

from aas_bench.measure.results import Summary, outcome_shares
from aas_bench.pages.series import draw_series, series_colour
from aas_bench.pages.svg import bare_axes, colour, drawing, label, to_svg
from aas_bench.stats.dose import EffectResponse
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.override import OUTCOMES, Override
from aas_bench.stats.strength import StrengthCurve
from aas_bench.words import NUMBER, SHARE, listing, number, percent, spaced

WIDTH = 440
"""Width of a chart in CSS pixels: readable on a phone without magnifying."""

HATCHES: Mapping[str, str | None] = {
    "followed": None,
    "overridden": "////",
    "missed": None,
    "lucky": "..",
}
_NARROWEST_LABEL = 0.09


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart.

    Attributes:
        name: Unique in the page.
        heading: What it shows, in a few words; "" where the page says so itself.
        svg: Inline SVG, safe as it is.
        sentence: What there is to see.
        columns: Head of the table behind it.
        rows: The table's cells, as text.
    """

    name: str
    heading: str
    svg: Markup
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def override_chart(summary: Summary) -> Chart | None:
    """A bar per reward model: its pairs split into the four outcomes.

    The first two segments are the pairs it understood, and where they part is the override rate.

    Returns:
        None where no reward model was scored under the original prompt.
    """
    results = {n: r.override for n, r in summary.rewards.items() if r.override is not None}
    known = {name: o for name, o in results.items() if o.understood.value is not None}
    if not known:
        return None
    sentence = " ".join(
        f"{name}: "
        + ", ".join(f"{o} {percent(s.value)}" for o, s in outcome_shares(result).items())
        + "."
        for name, result in known.items()
    )
    row_height, bar_top = 96, 26
    with drawing(WIDTH, row_height * len(known)) as figure:
        for i, (name, result) in enumerate(known.items()):
            axes = bare_axes(figure, 1, i * row_height, WIDTH - 2, row_height)
            axes.set(xlim=(0, 1), ylim=(row_height, 0))
            axes.axis("off")
            axes.text(0, 16, label(name, longest=36), weight="bold")
            draw_outcomes(axes, result, top=bar_top, height=28)
        svg = to_svg(
            figure, name="override", title="Outcomes by reward model", description=sentence
        )
    return Chart(
        name="override",
        heading="",
        svg=Markup(svg),  # noqa: S704 - matplotlib and to_svg escape all text
        sentence=sentence,
        columns=("Reward model", *(o.capitalize() for o in OUTCOMES), "n"),
        rows=tuple(
            (
                name,
                *(_share(s) for s in outcome_shares(result).values()),
                str(result.n),
            )
            for name, result in known.items()
        ),
    )


def knob_chart(summary: Summary) -> Chart | None:
    """The headline over the preference strength, a line with its band per reward model.

    Returns:
        None where no reward model was scored under the original prompt.
    """
    curves = {
        name: r.knob
        for name, r in summary.rewards.items()
        if r.knob is not None and all(p.value is not None for p in r.knob.points)
    }
    if not curves:
        return None
    what = "Accuracy" if summary.measure == "accuracy" else "Share that chose the image asked for"
    sentence = " ".join(_knob_sentence(name, curve) for name, curve in curves.items())
    tokens = {name: i for i, name in enumerate(summary.rewards)}
    height = 320
    with drawing(WIDTH, height) as figure:
        axes = bare_axes(figure, 58, 30, WIDTH - 58 - 136, height - 30 - 56)
        first = next(iter(curves.values())).strengths
        axes.set(xlim=(first[0], first[-1]), ylim=(0, 1))
        _share_axis(axes)
        axes.set_xticks([0, 0.5, 1, 1.5])
        axes.set_xlabel("Strength λ of the knob", labelpad=4)
        axes.tick_params(axis="x", pad=10)
        axes.axvline(0, color=colour("muted"), lw=1, clip_on=False)
        axes.text(0, 1.045, "as shipped (λ = 0)", color=colour("muted"))
        for name, curve in curves.items():
            _knob_line(axes, curve, tokens[name])
        _end_labels(axes, {n: (c.points[-1].value or 0.0, tokens[n]) for n, c in curves.items()})
        svg = to_svg(figure, name="knob", title=f"{what} by strength", description=sentence)
    return Chart(
        name="knob",
        heading="",
        svg=Markup(svg),  # noqa: S704 - matplotlib and to_svg escape all text
        sentence=sentence,
        columns=("λ", *curves),
        rows=tuple(
            (number(strength), *(_share(curve.points[i]) for curve in curves.values()))
            for i, strength in enumerate(next(iter(curves.values())).strengths)
        ),
    )


def dose_charts(summary: Summary) -> list[Chart]:
    """One small chart per effect: how often the requested effect wins, by dose."""
    responses = {n: r.dose.effects for n, r in summary.rewards.items() if r.dose is not None}
    effects = list(dict.fromkeys(effect for by in responses.values() for effect in by))
    return [
        _dose_chart(
            effect,
            {name: by[effect] for name, by in responses.items() if effect in by},
            list(summary.rewards),
            f"dose-{i}",
        )
        for i, effect in enumerate(effects)
    ]


def _dose_chart(
    effect: str, responses: Mapping[str, EffectResponse], names: Sequence[str], name: str
) -> Chart:
    sentence = " ".join(_dose_sentence(n, response) for n, response in responses.items())
    doses = sorted({dose for r in responses.values() for dose in r.win_rate})
    width, height = 220, 160
    with drawing(width, height) as figure:
        axes = bare_axes(figure, 56, 10, width - 56 - 12, height - 10 - 30)
        margin = 0.06 * (doses[-1] - doses[0] or 1.0)
        axes.set(xlim=(doses[0] - margin, doses[-1] + margin), ylim=(-0.03, 1.03))
        _share_axis(axes, tell_chance=False)
        axes.set_xticks(doses if len(doses) <= 4 else [doses[0], doses[-1]])
        axes.xaxis.set_major_formatter(lambda dose, _: f"{dose:g}")
        for reward, response in responses.items():
            points = [(d, e.value) for d, e in response.win_rate.items() if e.value is not None]
            x, y = [dose for dose, _ in points], [rate for _, rate in points]
            draw_series(axes, x, y, names.index(reward))
        title = f"Win rate of {spaced(effect)} by dose"
        svg = to_svg(figure, name=name, title=title, description=sentence)
    return Chart(
        name=name,
        heading=spaced(effect),
        svg=Markup(svg),  # noqa: S704 - matplotlib and to_svg escape all text
        sentence=sentence,
        columns=("Reward model", *(f"dose {dose:g}" for dose in doses), "Spearman"),
        rows=tuple(
            (
                reward,
                *(_share(r.win_rate[d]) if d in r.win_rate else "" for d in doses),
                f"{number(r.spearman.value)} [{NUMBER.ends(r.spearman)}]"
                if r.spearman.value is not None
                else f"undefined: {r.spearman.reason}",
            )
            for reward, r in responses.items()
        ),
    )


def draw_outcomes(
    axes: Axes,
    result: Override,
    *,
    top: float,
    height: float,
    palette: Callable[[str], str] = colour,
) -> None:
    """Draw one stacked bar, with what was understood bracketed under it.

    Args:
        axes: With x from 0 to 1 and y downwards in pixels.
        result: The four shares.
        top: Upper edge of the bar.
        height: Of the bar.
        palette: Theme token to colour.
    """
    middle, left = top + height / 2, 0.0
    for outcome, share in outcome_shares(result).items():
        width = share.value or 0.0
        axes.barh(middle, width, height, left, color=palette(outcome), lw=0)
        if HATCHES[outcome]:
            pattern: Any = {"edgecolor": palette(f"on-{outcome}"), "hatch": HATCHES[outcome]}
            axes.barh(middle, width, height, left, fc="none", lw=0, alpha=0.35, **pattern)
        if width >= _NARROWEST_LABEL:
            look: Any = {"color": palette(f"on-{outcome}"), "ha": "center", "va": "center_baseline"}
            axes.text(left + width / 2, middle, percent(width), **look)
        left += width
    understood = result.understood.value or 0.0
    muted = palette("muted")
    if understood > 0:
        axes.plot([0, understood], [top + height + 5] * 2, color=muted, lw=1.5)
    axes.text(0, top + height + 22, f"understood {percent(understood)}", color=muted)


def _knob_line(axes: Axes, curve: StrengthCurve, position: int) -> None:
    values = [float(point.value or 0.0) for point in curve.points]
    band = [(x, p.low, p.high) for x, p in zip(curve.strengths, curve.points, strict=True)]
    bounded = [(x, low, high) for x, low, high in band if low is not None and high is not None]
    if bounded:
        x, low, high = zip(*bounded, strict=True)
        axes.fill_between(x, low, high, color=series_colour(position), alpha=0.14, lw=0)
    draw_series(axes, curve.strengths, values, position, markevery=[0])


def _end_labels(axes: Axes, ends: Mapping[str, tuple[float, int]]) -> None:
    """Name each line at its right end; names that would overlap move apart."""
    gap = 0.078
    order = sorted(ends, key=lambda name: ends[name][0])
    heights: list[float] = []
    for name in order:
        floor = heights[-1] + gap if heights else 0.0
        heights.append(max(ends[name][0], floor))
    overflow = max(0.0, heights[-1] - 1.0)
    right = axes.get_xlim()[1]
    for name, height in zip(order, heights, strict=True):
        axes.text(
            right * 1.03,
            height - overflow,
            label(name, longest=15),
            color=series_colour(ends[name][1]),
            va="center",
        )


def _share_axis(axes: Axes, *, tell_chance: bool = True) -> None:
    axes.yaxis.set_major_locator(FixedLocator([0, 0.5, 1]))
    axes.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.grid(axis="y", color=colour("rule"), lw=1)
    axes.axhline(0.5, color=colour("muted"), lw=1, ls=(0, (2, 2)))
    axes.set_axisbelow(True)
    if tell_chance:
        axes.text(axes.get_xlim()[1], 0.51, "chance", color=colour("muted"), ha="right")


def _share(estimate: Estimate) -> str:
    if estimate.value is None:
        return f"undefined: {estimate.reason}"
    return f"{percent(estimate.value, digits=1)} [{SHARE.ends(estimate)}]"


def _knob_sentence(name: str, curve: StrengthCurve) -> str:
    # Beyond 1 the knob turns a model against its own prior, which is no gain in understanding.
    values = [p.value or 0.0 for p, s in zip(curve.points, curve.strengths, strict=True) if s <= 1]
    best = max(range(len(values)), key=values.__getitem__)
    return (
        f"{name}: {percent(values[0])} as shipped, at most {percent(values[best])} "
        f"up to λ = 1 (at λ = {curve.strengths[best]:g})."
    )


def _dose_sentence(name: str, response: EffectResponse) -> str:
    rates = [percent(rate.value) for rate in response.win_rate.values()]
    return f"{name}: {listing(rates)} from the weakest to the strongest dose."
