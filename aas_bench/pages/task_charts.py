"""The figures of a task: intervals on a common axis, and the ladder of generators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from aas_bench.measure.results import Summary
from aas_bench.measure.tasks.lapis_art import ArtReport
from aas_bench.measure.tasks.result import Analysis, ByReward, TaskReport, Unit
from aas_bench.pages.figures import WIDTH, Chart
from aas_bench.pages.series import MARKERS, series_colour
from aas_bench.pages.svg import bare_axes, colour, drawing, label, to_svg
from aas_bench.stats.estimate import Estimate
from aas_bench.words import count, number, percent, plain_name

_AXIS: Final = 236
_HEAD: Final = 52
_LABEL: Final = 24
_LANE: Final = 24
_GAP: Final = 12


@dataclass(frozen=True, kw_only=True)
class Panel:
    """The charts of one analysis.

    Attributes:
        analysis: What they show.
        first: Over everything and by the first grouping: one chart, or one per reward model where
            they have no unit in common.
        further: The same by each further grouping, by its name.
    """

    analysis: Analysis
    first: tuple[Chart, ...]
    further: Mapping[str, tuple[Chart, ...]]


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One group of a chart: its name, and what stands beside each reward's estimate."""

    group: str | None
    estimates: ByReward

    @property
    def name(self) -> str:
        """The group in words."""
        return "all together" if self.group is None else plain_name(self.group)


def task_panels(summary: Summary) -> list[Panel]:
    """The figures of the summary's task, the most important first."""
    report = summary.task
    if report is None:
        return []
    return [_panel(report, analysis, list(summary.rewards)) for analysis in report.analyses]


def ladder_charts(summary: Summary) -> list[Chart]:
    """For each reward model with a table of generators: the paintings in their place among them."""
    report = summary.task
    if not isinstance(report, ArtReport):
        return []
    return [
        _ladder(report, reward, list(summary.rewards).index(reward))
        for reward in report.generators
        if report.places[reward].mean.value is not None
    ]


def value_words(estimate: Estimate, unit: Unit) -> str:
    """A value and its interval, as short as it stays honest."""
    if estimate.value is None:
        return f"undefined: {estimate.reason}"
    share = unit == "share"
    digits = _digits(estimate, unit)
    ends = [estimate.value, estimate.low, estimate.high]
    value, low, high = (
        None if end is None else number(100 * end if share else end, digits=digits) for end in ends
    )
    text = f"{value}\N{NARROW NO-BREAK SPACE}%" if share else str(value)
    return f"{text} (no interval)" if low is None else f"{text} ({low} to {high})"


def pairs_words(estimates: Sequence[Estimate]) -> str:
    """How many pairs stand behind the estimates, and their coverage where it is not whole."""
    sizes, covered = sorted({e.n for e in estimates}), min(e.coverage for e in estimates)
    n = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    return f"n {n}" if covered == 1 else f"n {n} ({percent(covered)} covered)"


def _digits(estimate: Estimate, unit: Unit) -> int:
    if unit == "share":
        return 0
    ends = [abs(end) for end in (estimate.value, estimate.low, estimate.high) if end is not None]
    return 1 if max(ends) >= 10 else 2


def _panel(report: TaskReport, analysis: Analysis, rewards: list[str]) -> Panel:
    whole = _Row(group=None, estimates=analysis.overall)
    rows = {
        by: [_Row(group=group, estimates=each) for group, each in groups.items()]
        for by, groups in analysis.by.items()
    }
    first, *others = rows or {"": []}
    apart = analysis.unit == "score"
    series = [[name] for name in rewards] if apart else [rewards]

    def charts(by: str, shown: list[_Row]) -> tuple[Chart, ...]:
        return tuple(
            _chart(
                _Frame(report=report, analysis=analysis, by=by, rewards=names, order=rewards), shown
            )
            for names in series
        )

    return Panel(
        analysis=analysis,
        first=charts(first, [whole, *rows.get(first, [])]),
        further={by: charts(by, rows[by]) for by in others},
    )


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """What a chart shows: which analysis, grouped how, of which reward models."""

    report: TaskReport
    analysis: Analysis
    by: str
    rewards: list[str]
    order: list[str]

    @property
    def unit(self) -> Unit:
        return self.analysis.unit

    @property
    def alone(self) -> bool:
        """Whether this is one of several charts, each of one reward model."""
        return len(self.rewards) < len(self.order)

    def position(self, reward: str) -> int:
        """Place of a reward model in the summary, which gives it its look."""
        return self.order.index(reward)

    def remark(self, reward: str, group: str | None) -> str:
        """What stands beside an estimate."""
        return self.report.remark(self.analysis.name, reward, group)


def _chart(frame: _Frame, rows: list[_Row]) -> Chart:
    analysis, by = frame.analysis, frame.by
    title = f"{analysis.title}, by {by}" if by else analysis.title
    sentence = f"{title}. " + " ".join(_sentences(frame, rows))
    row_height = _LABEL + _LANE * len(frame.rewards) + _GAP
    height = _HEAD + row_height * len(rows)
    which = f"-{frame.position(frame.rewards[0])}" if frame.alone else ""
    name = f"task-{analysis.name}-{by}{which}".replace(" ", "-").replace("_", "-")
    with drawing(WIDTH, height) as figure:
        axes = bare_axes(figure, 8, 0, _AXIS, height)
        axes.set(xlim=_limits(frame, rows), ylim=(height, 0))
        axes.axis("off")
        _scale(axes, frame)
        for i, row in enumerate(rows):
            _draw_row(axes, frame, row, _HEAD + i * row_height)
        svg = to_svg(figure, name=name, title=title, description=sentence)
    return Chart(
        name=name,
        heading=frame.rewards[0] if frame.alone else "",
        svg=Markup(svg),  # noqa: S704 - matplotlib and to_svg escape all text
        sentence=sentence,
        columns=_columns(frame),
        rows=tuple(_cells(frame, rows)),
    )


def _sentences(frame: _Frame, rows: list[_Row]) -> Iterator[str]:
    for reward in frame.rewards:
        each = [f"{r.name} {value_words(r.estimates[reward], frame.unit)}" for r in rows]
        yield f"{reward}: {'; '.join(each)}."


def _remark_column(frame: _Frame) -> str | None:
    if not any(frame.remark(reward, None) for reward in frame.rewards):
        return None
    return "Rank" if isinstance(frame.report, ArtReport) else "Test"


def _columns(frame: _Frame) -> tuple[str, ...]:
    remark = _remark_column(frame)
    what = "Pairs" if frame.report.paired else "Images"
    return (
        frame.by.capitalize() or "What",
        "Reward model",
        "Value and interval",
        *(() if remark is None else (remark,)),
        what,
        "Clusters",
        "Coverage",
    )


def _cells(frame: _Frame, rows: list[_Row]) -> Iterator[tuple[str, ...]]:
    remarks = _remark_column(frame) is not None
    for row in rows:
        for reward in frame.rewards:
            e = row.estimates[reward]
            yield (
                row.name,
                reward,
                value_words(e, frame.unit),
                *((frame.remark(reward, row.group),) if remarks else ()),
                str(e.n),
                "" if e.n_clusters is None else str(e.n_clusters),
                percent(e.coverage),
            )


def _limits(frame: _Frame, rows: list[_Row]) -> tuple[float, float]:
    """The common axis: whole for shares, else what holds every interval and the neutral line."""
    if frame.unit == "share":
        return 0.0, 1.0
    ends = [] if frame.analysis.neutral is None else [frame.analysis.neutral]
    for estimate in (row.estimates[reward] for row in rows for reward in frame.rewards):
        ends += [e for e in (estimate.value, estimate.low, estimate.high) if e is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    space = 0.05 * (high - low) or 0.5
    return low - space, high + space


def _ticks(axes: Axes, unit: Unit) -> list[float]:
    low, high = axes.get_xlim()
    places = [0.0, 0.5, 1.0] if unit == "share" else MaxNLocator(3).tick_values(low, high)
    return [float(tick) for tick in places if low <= tick <= high]


def _scale(axes: Axes, frame: _Frame) -> None:
    """The tick labels, and what the neutral line is called."""
    low, high = axes.get_xlim()
    muted = colour("muted")
    for tick in _ticks(axes, frame.unit):
        text = percent(tick) if frame.unit == "share" else f"{tick:g}".replace("-", "\u2212")
        side = {low: "left", high: "right"}.get(tick, "center")
        axes.text(tick, 18, text, color=muted, ha=side)
    neutral = frame.analysis.neutral
    if neutral is not None:
        right = neutral <= (low + high) / 2
        side = "left" if right else "right"
        axes.text(neutral, 38, frame.analysis.neutral_name, color=muted, ha=side)


def _draw_row(axes: Axes, frame: _Frame, row: _Row, top: float) -> None:
    low, high = axes.get_xlim()
    pixel = (high - low) / _AXIS
    edge = low + (WIDTH - 10) * pixel
    bold: Any = {"weight": "bold"} if row.group is None else {}
    axes.text(low, top + 14, label(row.name, longest=30), **bold)
    n = pairs_words([row.estimates[reward] for reward in frame.rewards])
    axes.text(edge, top + 14, n, color=colour("muted"), ha="right")
    first, last = top + _LABEL, top + _LABEL + _LANE * len(frame.rewards)
    for tick in _ticks(axes, frame.unit):
        axes.plot([tick, tick], [first, last], color=colour("rule"), lw=1)
    if frame.analysis.neutral is not None:
        look: Any = {"color": colour("muted"), "lw": 1.5, "ls": (0, (2, 2))}
        axes.plot([frame.analysis.neutral] * 2, [first, last], **look)
    for lane, reward in enumerate(frame.rewards):
        y = first + _LANE * (lane + 0.5)
        estimate = row.estimates[reward]
        draw_interval(axes, estimate, y, position=frame.position(reward))
        known = estimate.value is not None
        text = value_words(estimate, frame.unit) if known else "no value"
        shade = colour("ink" if known else "muted")
        axes.text(high + 10 * pixel, y, text, color=shade, va="center_baseline")


def draw_interval(axes: Axes, estimate: Estimate, y: float, *, position: int) -> None:
    """A value as its reward model's marker, on a bar that is its interval."""
    if estimate.value is None:
        return
    shade = series_colour(position)
    if estimate.low is not None and estimate.high is not None:
        # Butt ends: a bar must not reach beyond its interval.
        look: Any = {"color": shade, "lw": 6, "alpha": 0.3, "solid_capstyle": "butt"}
        axes.plot([estimate.low, estimate.high], [y, y], **look)
    marker = MARKERS[position % len(MARKERS)]
    axes.plot([estimate.value], [y], color=shade, marker=marker, markersize=8, clip_on=False)


def _ladder(report: ArtReport, reward: str, position: int) -> Chart:
    """Generators from the highest mean down, the paintings among them."""
    table, place = report.generators[reward], report.places[reward]
    mean = place.mean
    assert mean.value is not None
    steps = [(value, name, False) for name, value in table.means.items()]
    steps = sorted([*steps, (mean.value, "Paintings", True)], key=lambda step: -step[0])
    ends = [value for value, _, _ in steps] + [e for e in (mean.low, mean.high) if e is not None]
    space = 0.05 * (max(ends) - min(ends)) or 0.5
    sentence = (
        f"{reward}: the paintings stand at {value_words(mean, 'score')}, rank {place.rank} of "
        f"{place.n_ranked}, among {count(len(table.means), 'generator')}: "
        + ", ".join(f"{name} {number(value)}" for value, name, own in steps if not own)
        + "."
    )
    row, top, left, width = 28, 6, 168, 190
    height = top + row * len(steps)
    name = f"ladder-{position}"
    with drawing(WIDTH, height) as figure:
        axes = bare_axes(figure, left, 0, width, height)
        axes.set(xlim=(min(ends) - space, max(ends) + space), ylim=(height, 0))
        axes.axis("off")
        pixel = (max(ends) - min(ends) + 2 * space) / width
        for i, (value, what, own) in enumerate(steps):
            y = top + row * (i + 0.5)
            look: Any = {"weight": "bold"} if own else {}
            start, stop = axes.get_xlim()
            axes.text(
                start - left * pixel, y, label(what, longest=18), va="center_baseline", **look
            )
            axes.plot([start, stop], [y, y], color=colour("rule"), lw=1)
            if own:
                draw_interval(axes, mean, y, position=position)
            else:
                axes.plot([value], [y], color=colour("muted"), marker="o", markersize=6)
            text = value_words(mean, "score").split(" (")[0] if own else number(value)
            axes.text(stop + 70 * pixel, y, text, ha="right", va="center_baseline", **look)
        svg = to_svg(figure, name=name, title=f"Rank under {reward}", description=sentence)
    return Chart(
        name=name,
        heading=f"Rank among generators under {reward}",
        svg=Markup(svg),  # noqa: S704 - matplotlib and to_svg escape all text
        sentence=sentence,
        columns=("Rank", "What", "Mean score"),
        rows=tuple(
            (
                str(1 + sum(other > value for other, _, _ in steps)),
                what,
                value_words(mean, "score") if own else number(value),
            )
            for value, what, own in steps
        ),
    )
