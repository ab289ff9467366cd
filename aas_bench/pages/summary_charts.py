"""The charts of a summary: outcomes, the knob, doses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aas_bench.measure.results import Summary, outcome_shares
from aas_bench.pages.chart import (
    Chart,
    Drawing,
    Point,
    Scale,
    apart,
    band,
    label,
    series,
    series_line,
    share_axis,
)
from aas_bench.stats.dose import EffectResponse
from aas_bench.stats.override import OUTCOMES, Override
from aas_bench.stats.preference import Choices
from aas_bench.stats.strength import StrengthCurve
from aas_bench.words import NUMBER, SHARE, Bounded, listing, number, percent, spaced

WIDTH: Final = 440
"""Width of a chart in CSS pixels: readable on a phone without magnifying."""
_SMALL: Final = (220, 160)
_NARROWEST_LABEL: Final = 0.09


def override_chart(summary: Summary) -> Chart | None:
    """A bar per reward model: its pairs split into the four outcomes.

    The first two segments are the pairs whose score moved towards the request: a description, as
    noise alone moves half.

    Returns:
        None where no reward model was scored under the original prompt.
    """
    results = {n: r.override for n, r in summary.rewards.items() if r.override is not None}
    known = {name: o for name, o in results.items() if o.moved.value is not None}
    if not known:
        return None
    choices = {name: summary.rewards[name].choices for name in known}
    ties = any(found.tied.value for found in choices.values())
    sentence = " ".join(
        f"{name}: "
        + ", ".join(f"{o} {percent(s.value)}" for o, s in outcome_shares(result).items())
        + (f"; {_choices_said(choices[name])}" if ties else "")
        + "."
        for name, result in known.items()
    )
    row = 124 if ties else 96
    drawing = Drawing("override", WIDTH, row * len(known))
    for i, (name, result) in enumerate(known.items()):
        drawing.text(1, i * row + 16, label(name, longest=36), bold=True)
        x = Scale(low=0, high=1, start=1, stop=WIDTH - 1)
        _outcome_bar(drawing, result, x, i * row + 26)
        if ties:
            _choices_bar(drawing, choices[name], x, i * row + 84)
    return Chart(
        name="override",
        heading="",
        svg=drawing.svg(title="Outcomes by reward model", description=sentence),
        sentence=sentence,
        columns=(
            "Reward model",
            *(o.capitalize() for o in OUTCOMES),
            *(("Preferred the polished image", "Tied") if ties else ()),
            "n",
        ),
        rows=tuple(
            (
                name,
                *(SHARE.whole(s) for s in outcome_shares(result).values()),
                *(SHARE.whole(getattr(choices[name], k)) for k in ("polished", "tied") if ties),
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
    places = {name: i for i, name in enumerate(summary.rewards)}
    strengths = next(iter(curves.values())).strengths
    height = 320
    x = Scale(low=strengths[0], high=strengths[-1], start=66, stop=WIDTH - 136)
    y = Scale(low=0, high=1, start=height - 56, stop=30)
    drawing = Drawing("knob", WIDTH, height)
    share_axis(drawing, y, x.start, x.stop)
    drawing.text(x.start - 8, y(0.5) + 21, "chance", fill="muted", anchor="end")
    drawing.text(x.start, y.stop - 14, "as shipped (λ = 0)", fill="muted")
    drawing.line([(x(0), y(0)), (x(0), y(1))], "muted")
    for tick in (0, 0.5, 1, 1.5):
        drawing.text(x(tick), y.start + 22, f"{tick:g}", fill="muted", anchor="middle")
    middle = (x.start + x.stop) / 2
    drawing.text(middle, height - 12, "Strength λ of the knob", fill="muted", anchor="middle")
    for name, curve in curves.items():
        points = list(zip(curve.strengths, curve.points, strict=True))
        band(drawing, points, x, y, places[name])
        series_line(drawing, _pixels(points, x, y), places[name], marked=[0])
    ends = {name: y(curve.points[-1].value or 0.0) for name, curve in curves.items()}
    for name, at in apart(ends, 18, y.start).items():
        shown = label(name, longest=15)
        drawing.text(x.stop + 8, at, shown, fill=series(places[name]), middle=True)
    return Chart(
        name="knob",
        heading="",
        svg=drawing.svg(title=f"{what} by strength", description=sentence),
        sentence=sentence,
        columns=("λ", *curves),
        rows=tuple(
            (number(strength), *(SHARE.whole(curve.points[i]) for curve in curves.values()))
            for i, strength in enumerate(strengths)
        ),
    )


def knob_panel(
    name: str, heading: str, sentence: str, points: Sequence[tuple[float, Bounded]]
) -> Chart:
    """One reward model's knob, small; the table behind is its curve."""
    width, height = _SMALL
    strengths = [strength for strength, _ in points]
    x = Scale(low=strengths[0], high=strengths[-1], start=56, stop=width - 12)
    y = Scale(low=0, high=1, start=height - 30, stop=10)
    drawing = Drawing(name, width, height)
    share_axis(drawing, y, x.start, x.stop)
    for tick in (0, 0.5, 1, 1.5):
        if strengths[0] <= tick <= strengths[-1]:
            text = f"{tick:g}" if tick else "λ = 0"
            drawing.text(x(tick), height - 8, text, fill="muted", anchor="middle")
    band(drawing, points, x, y, 0)
    series_line(drawing, _pixels(points, x, y), 0, marked=[0])
    return Chart(
        name=name,
        heading=heading,
        svg=drawing.svg(title=heading, description=sentence),
        sentence=sentence,
        columns=("λ", "Value and interval"),
        rows=tuple((f"{strength:g}", SHARE.whole(point)) for strength, point in points),
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
    width, height = _SMALL
    x = Scale(low=doses[0], high=doses[-1], start=64, stop=width - 20)
    y = Scale(low=0, high=1, start=height - 34, stop=10)
    drawing = Drawing(name, width, height)
    share_axis(drawing, y, x.start - 8, x.stop + 8)
    for dose in doses if len(doses) <= 4 else [doses[0], doses[-1]]:
        drawing.text(x(dose), height - 8, f"{dose:g}", fill="muted", anchor="middle")
    for reward, response in responses.items():
        series_line(drawing, _pixels(list(response.win_rate.items()), x, y), names.index(reward))
    title = f"Win rate of {spaced(effect)} by dose"
    return Chart(
        name=name,
        heading=spaced(effect),
        svg=drawing.svg(title=title, description=sentence),
        sentence=sentence,
        columns=("Reward model", *(f"dose {dose:g}" for dose in doses), "Spearman"),
        rows=tuple(
            (
                reward,
                *(SHARE.whole(r.win_rate[d]) if d in r.win_rate else "" for d in doses),
                NUMBER.whole(r.spearman),
            )
            for reward, r in responses.items()
        ),
    )


def _outcome_bar(drawing: Drawing, result: Override, x: Scale, top: float) -> None:
    """One stacked bar, with what moved towards the request bracketed under it."""
    height, left = 28, 0.0
    for outcome, share in outcome_shares(result).items():
        width = share.value or 0.0
        drawing.bar(x(left), top, x(left + width) - x(left), height, outcome)
        if width >= _NARROWEST_LABEL:
            drawing.text(
                x(left + width / 2),
                top + height / 2,
                percent(width),
                fill=f"on-{outcome}",
                anchor="middle",
                middle=True,
            )
        left += width
    moved = result.moved.value or 0.0
    if moved > 0:
        drawing.line([(x(0), top + height + 5), (x(moved), top + height + 5)], "muted", width=1.5)
    drawing.text(
        x(0), top + height + 22, f"moved towards the request {percent(moved)}", fill="muted"
    )


def _choices_bar(drawing: Drawing, found: Choices, x: Scale, top: float) -> None:
    """A thin bar: chosen as asked, tied, polished; in words under it."""
    left = 0.0
    for share, fill in (
        (found.chosen, "followed"),
        (found.tied, "rule"),
        (found.polished, "muted"),
    ):
        width = share.value or 0.0
        drawing.bar(x(left), top, x(left + width) - x(left), 8, fill)
        left += width
    drawing.text(x(0), top + 23, _choices_said(found), fill="muted")


def _choices_said(found: Choices) -> str:
    return (
        f"preferred asked-for {percent(found.chosen.value)}, tied {percent(found.tied.value)}, "
        f"preferred polished {percent(found.polished.value)}"
    )


def _pixels(points: Sequence[tuple[float, Bounded]], x: Scale, y: Scale) -> list[Point]:
    return [(x(at), y(p.value)) for at, p in points if p.value is not None]


def _knob_sentence(name: str, curve: StrengthCurve) -> str:
    # Beyond 1 the knob turns a model against its own prior, which is no gain in reading.
    values = [p.value or 0.0 for p, s in zip(curve.points, curve.strengths, strict=True) if s <= 1]
    best = max(range(len(values)), key=values.__getitem__)
    return (
        f"{name}: {percent(values[0])} as shipped, at most {percent(values[best])} "
        f"up to λ = 1 (at λ = {curve.strengths[best]:g})."
    )


def _dose_sentence(name: str, response: EffectResponse) -> str:
    rates = [percent(rate.value) for rate in response.win_rate.values()]
    return f"{name}: {listing(rates)} from the weakest to the strongest dose."
