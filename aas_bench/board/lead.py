"""The one chart that a reader sees first: the request moved the score, and was it honoured?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aas_bench.board.entries import Lookup
from aas_bench.pages.chart import DASHED, Chart, Drawing, Scale, apart, label, series
from aas_bench.pages.kit import Figure
from aas_bench.records.record import Measurement
from aas_bench.tasks.catalog import TASKS
from aas_bench.words import SHARE, count, percent, percent_in

MOST: Final = 24
_WIDTH, _HEIGHT, _LINE = 440, 340, 17
_ACROSS: Final = "Score moved towards the request (net share)"
_UP: Final = "Chose what was asked for"


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One reward model, recomputed from its per-pair scores.

    Attributes:
        of: Its record.
        moved: Pairs moved towards the request less those moved against it.
        chosen: Pairs in which the image that was asked for scored higher under that prompt.
    """

    of: Lookup
    moved: Measurement
    chosen: Measurement

    @property
    def name(self) -> str:
        """What people call it."""
        return self.of.record.subject.name


def marks(found: Sequence[Lookup]) -> list[Mark]:
    """The whole measured results with both figures and their intervals, the least chosen first."""
    read = [
        Mark(of=each, moved=moved, chosen=chosen)
        for each in found
        if each.record.status == "measured" and each.flag is None
        if (moved := _sure(each.get("understood"))) and (chosen := _sure(each.get("chosen")))
    ]
    return sorted(read, key=lambda mark: (mark.chosen.value or 0.0, mark.name))


def lead(found: Sequence[Lookup]) -> Figure | None:
    """The chart over the reward models of one task; None where none has both figures."""
    every = marks(found)
    if not every:
        return None
    shown = every[:MOST]
    chart = Chart(
        name="lead",
        heading=_heading(every),
        svg=_draw(shown).svg(title=_heading(every), description=_sentence(every)),
        sentence="",
        columns=(),
        rows=(),
    )
    return Figure(
        heading=_heading(every),
        sentence=_sentence(every),
        charts=(chart,),
        columns=("Reward model", _UP, _ACROSS),
        rows=tuple((m.name, SHARE.whole(m.chosen), SHARE.whole(m.moved)) for m in shown),
        more=len(every) - len(shown),
    )


def _sure(found: Measurement | None) -> Measurement | None:
    lacks = found is None or None in (found.value, found.low, found.high)
    return None if lacks else found


def _heading(every: Sequence[Mark]) -> str:
    n = {mark.chosen.n for mark in every}
    pairs = f"{n.pop():,} pairs" if len(n) == 1 else "the same task's pairs"
    subset = {mark.of.record.subset for mark in every}
    where = subset.pop() if len(subset) == 1 else None
    return f"{TASKS[every[0].of.record.task].title}: {where or pairs}"


def answer(found: Sequence[Lookup]) -> str:
    """The finding in one sentence: who was moved and yet chose least; "" where nobody was."""
    least = _least(marks(found))
    if least is None:
        return ""
    return (
        f"{least.name} chose the image that was asked for in {percent_in(least.chosen)} of pairs, "
        "although the request moved its score."
    )


def _least(every: Sequence[Mark]) -> Mark | None:
    """Of those that the requests moved more often than noise would, who chose least."""
    return next((mark for mark in every if (mark.moved.low or 0.0) > 0), None)


def _sentence(every: Sequence[Mark]) -> str:
    """What the chart shows."""
    least = _least(every)
    if least is None:
        return "No reward model's score was moved by the requests more often than noise would."
    over = sum((mark.chosen.low or 0.0) > 0.5 for mark in every)
    under = sum((mark.chosen.high or 1.0) < 0.5 for mark in every)
    return (
        f"{count(len(every), 'real reward model')}: {over} chose what was asked for more often "
        f"than a coin, {under} less often. {least.name}'s score moved towards the request in "
        f"{percent_in(least.moved)} of pairs, net of those where it moved against it. "
        "Bars: 95 % intervals over prompts."
    )


def _draw(shown: Sequence[Mark]) -> Drawing:
    drawing = Drawing("lead", _WIDTH, _HEIGHT)
    least = min(0.0, *((mark.moved.low or 0.0) for mark in shown))
    x = Scale(low=max(-1.0, least), high=1, start=58, stop=_WIDTH - 20)
    y = Scale(low=0, high=1, start=_HEIGHT - 58, stop=30)
    drawing.text(2, 14, _UP, bold=True)
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        chance = tick == 0.5
        ends = [(x.start, y(tick)), (x.stop, y(tick))]
        drawing.line(ends, "muted" if chance else "rule", dashes=DASHED if chance else "")
        if tick in (0.0, 0.5, 1.0):
            drawing.text(
                x.start - 8, y(tick), percent(tick), fill="muted", anchor="end", middle=True
            )
    for tick in x.ticks(5):
        drawing.line([(x(tick), y.start), (x(tick), y.start + 5)], "rule")
        drawing.text(x(tick), y.start + 21, percent(tick), fill="muted", anchor="middle")
    if x.low < 0:
        drawing.line([(x(0), y.start), (x(0), y.stop)], "muted", dashes=DASHED)
    drawing.text(x.start + 6, y(0.5) - 7, "a coin", fill="muted")
    drawing.text(x.stop, _HEIGHT - 10, _ACROSS, bold=True, anchor="end")
    for position, mark in enumerate(shown):
        _mark(drawing, mark, x, y, position)
    _names(drawing, shown, x, y)
    return drawing


def _mark(drawing: Drawing, mark: Mark, x: Scale, y: Scale, position: int) -> None:
    at = (x(mark.moved.value or 0.0), y(mark.chosen.value or 0.0))
    across = [(x(mark.moved.low or 0.0), at[1]), (x(mark.moved.high or 0.0), at[1])]
    up = [(at[0], y(mark.chosen.low or 0.0)), (at[0], y(mark.chosen.high or 0.0))]
    for ends in (across, up):
        drawing.line(ends, series(position), width=4, opacity=0.35)
    drawing.mark(*at, position, size=10)


def _names(drawing: Drawing, shown: Sequence[Mark], x: Scale, y: Scale) -> None:
    """Each name on the side of its mark that has room, none over another."""
    for right in (True, False):
        side: Mapping[str, Mark] = {
            mark.name: mark for mark in shown if (x(mark.moved.value or 0.0) < 230) == right
        }
        heights = {name: y(mark.chosen.value or 0.0) - 10 for name, mark in side.items()}
        for name, height in apart(heights, _LINE, y.start - 6).items():
            mark = side[name]
            at = x(mark.moved.value or 0.0)
            position = next(i for i, each in enumerate(shown) if each is mark)
            drawing.text(
                at + 10 if right else at - 10,
                height,
                label(name, longest=24),
                fill=series(position),
                anchor="start" if right else "end",
                middle=True,
            )
