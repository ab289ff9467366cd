"""The figures of a task: intervals on a common axis, and the ladder of generators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aas_bench.measure.analyses.paintings import ArtReport
from aas_bench.measure.analyses.task_report import Breakdown, ByReward, TaskReport
from aas_bench.measure.results import Summary
from aas_bench.pages.chart import DASHED, Anchor, Chart, Drawing, Scale, interval_mark, label
from aas_bench.pages.summary_charts import WIDTH
from aas_bench.stats.estimate import Estimate
from aas_bench.words import FREE, ROUND_SHARE, Spelling, count, number, percent, plain_name

_LEFT: Final = 8
_AXIS: Final = 236
_HEAD: Final = 32
_NEUTRAL: Final = 20
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

    analysis: Breakdown
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


def spelling(analysis: Breakdown) -> Spelling:
    """How the values of a figure are written, as short as they stay honest."""
    return ROUND_SHARE if analysis.unit == "share" else FREE


def pairs_words(estimates: Sequence[Estimate]) -> str:
    """How many pairs stand behind the estimates, and their coverage where it is not whole."""
    sizes, covered = sorted({e.n for e in estimates}), min(e.coverage for e in estimates)
    n = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    return f"n {n}" if covered == 1 else f"n {n} ({percent(covered)} covered)"


def _panel(report: TaskReport, analysis: Breakdown, rewards: list[str]) -> Panel:
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
    analysis: Breakdown
    by: str
    rewards: list[str]
    order: list[str]

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
    which = f"-{frame.position(frame.rewards[0])}" if frame.alone else ""
    name = f"task-{analysis.name}-{by}{which}".replace(" ", "-").replace("_", "-")
    head = _HEAD if analysis.neutral is None else _HEAD + _NEUTRAL
    drawing = Drawing(name, WIDTH, head + row_height * len(rows))
    scale = _scale(frame, rows)
    _draw_head(drawing, frame, scale)
    for i, row in enumerate(rows):
        _draw_row(drawing, frame, row, scale, head + i * row_height)
    return Chart(
        name=name,
        heading=frame.rewards[0] if frame.alone else "",
        svg=drawing.svg(title=title, description=sentence),
        sentence=sentence,
        columns=_columns(frame),
        rows=tuple(_entries(frame, rows)),
    )


def _sentences(frame: _Frame, rows: list[_Row]) -> Iterator[str]:
    for reward in frame.rewards:
        each = [f"{r.name} {spelling(frame.analysis).whole(r.estimates[reward])}" for r in rows]
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


def _entries(frame: _Frame, rows: list[_Row]) -> Iterator[tuple[str, ...]]:
    remarks = _remark_column(frame) is not None
    for row in rows:
        for reward in frame.rewards:
            e = row.estimates[reward]
            yield (
                row.name,
                reward,
                spelling(frame.analysis).whole(e),
                *((frame.remark(reward, row.group),) if remarks else ()),
                str(e.n),
                "" if e.n_clusters is None else str(e.n_clusters),
                percent(e.coverage),
            )


def _scale(frame: _Frame, rows: list[_Row]) -> Scale:
    """The common axis: whole for shares, else what holds every interval and the neutral line."""
    place = {"start": float(_LEFT), "stop": float(_LEFT + _AXIS)}
    if frame.analysis.unit == "share":
        return Scale(low=0, high=1, **place)
    neutral = frame.analysis.neutral
    estimates = [row.estimates[reward] for row in rows for reward in frame.rewards]
    return _spanning(_ends(estimates) + ([] if neutral is None else [neutral]), **place)


def _spanning(values: Sequence[float], *, start: float, stop: float) -> Scale:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    space = 0.05 * (high - low) or 0.5
    return Scale(low=low - space, high=high + space, start=start, stop=stop)


def _ends(estimates: Sequence[Estimate]) -> list[float]:
    return [end for e in estimates for end in (e.value, e.low, e.high) if end is not None]


def _ticks(frame: _Frame, scale: Scale) -> list[float]:
    return [0.0, 0.5, 1.0] if frame.analysis.unit == "share" else scale.ticks()


def _draw_head(drawing: Drawing, frame: _Frame, scale: Scale) -> None:
    """The tick labels, and what the neutral line is called."""
    share = frame.analysis.unit == "share"
    sides: dict[float, Anchor] = {0.0: "start", 1.0: "end"} if share else {}
    for tick in _ticks(frame, scale):
        text = percent(tick) if share else f"{tick:g}".replace("-", "\N{MINUS SIGN}")
        drawing.text(scale(tick), 18, text, fill="muted", anchor=sides.get(tick, "middle"))
    neutral = frame.analysis.neutral
    if neutral is not None:
        side: Anchor = "start" if neutral <= (scale.low + scale.high) / 2 else "end"
        name = frame.analysis.neutral_name
        drawing.text(scale(neutral), 38, name, fill="muted", anchor=side)


def _draw_row(drawing: Drawing, frame: _Frame, row: _Row, scale: Scale, top: float) -> None:
    drawing.text(_LEFT, top + 14, label(row.name, longest=30), bold=row.group is None)
    n = pairs_words([row.estimates[reward] for reward in frame.rewards])
    drawing.text(WIDTH - 2, top + 14, n, fill="muted", anchor="end")
    first, last = top + _LABEL, top + _LABEL + _LANE * len(frame.rewards)
    for tick in _ticks(frame, scale):
        drawing.line([(scale(tick), first), (scale(tick), last)], "rule")
    if frame.analysis.neutral is not None:
        neutral = scale(frame.analysis.neutral)
        drawing.line([(neutral, first), (neutral, last)], "muted", width=1.5, dashes=DASHED)
    for lane, reward in enumerate(frame.rewards):
        y = first + _LANE * (lane + 0.5)
        estimate = row.estimates[reward]
        interval_mark(drawing, estimate, scale, y, position=frame.position(reward))
        known = estimate.value is not None
        text = spelling(frame.analysis).whole(estimate) if known else "no value"
        fill = "ink" if known else "muted"
        drawing.text(scale.stop + 10, y, text, fill=fill, middle=True)


def _ladder(report: ArtReport, reward: str, position: int) -> Chart:
    """Generators from the highest mean down, the paintings among them."""
    table, place = report.generators[reward], report.places[reward]
    mean = place.mean
    assert mean.value is not None
    steps = [(value, name, False) for name, value in table.means.items()]
    steps = sorted([*steps, (mean.value, "Paintings", True)], key=lambda step: -step[0])
    sentence = (
        f"{reward}: the paintings stand at {FREE.whole(mean)}, rank {place.rank} of "
        f"{place.n_ranked}, among {count(len(table.means), 'generator')}: "
        + ", ".join(f"{name} {number(value)}" for value, name, own in steps if not own)
        + "."
    )
    row, top = 28, 6
    name = f"ladder-{position}"
    drawing = Drawing(name, WIDTH, top + row * len(steps))
    scale = _spanning([*(value for value, _, _ in steps), *_ends([mean])], start=168.0, stop=358.0)
    for i, (value, what, own) in enumerate(steps):
        y = top + row * (i + 0.5)
        drawing.text(0, y, label(what, longest=18), bold=own, middle=True)
        drawing.line([(scale.start, y), (scale.stop, y)], "rule")
        exact = Estimate(value=value, n=1)
        interval_mark(drawing, mean if own else exact, scale, y, position=position if own else None)
        text = FREE.value(value) if own else number(value)
        drawing.text(scale.stop + 70, y, text, anchor="end", bold=own, middle=True)
    return Chart(
        name=name,
        heading=f"Rank among generators under {reward}",
        svg=drawing.svg(title=f"Rank under {reward}", description=sentence),
        sentence=sentence,
        columns=("Rank", "What", "Mean score"),
        rows=tuple(
            (
                str(1 + sum(other > value for other, _, _ in steps)),
                what,
                FREE.whole(mean) if own else number(value),
            )
            for value, what, own in steps
        ),
    )
