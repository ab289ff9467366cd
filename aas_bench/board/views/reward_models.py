"""Which reward models honour the request, which understand it and are overridden by taste."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Final

from aas_bench.board.cells import (
    CHANCE,
    SHARE,
    Figures,
    count_cell,
    coverage_cell,
    figure_cell,
    figure_column,
    figures_of,
    name_cell,
    outcome_cell,
    rank_cell,
    shared_ranks,
    status_cell,
)
from aas_bench.board.tables import Cell, Column, Row, Table, facet
from aas_bench.board.view import Figure, Panel, View
from aas_bench.board.words import TASK_NAMES, leaders, named, statuses, subjects, sure
from aas_bench.records.record import Measurement
from aas_bench.records.store import Results
from aas_bench.words import percent

NAME: Final = "reward-models"
EMOTIONS: Final = "emotion_bias"
NOT_PAIRS: Final = ("ava_photos", "lapis_art", EMOTIONS)
MOST_PANELS: Final = 12
_CHANCE_ENDS: Final = ("0", "chance", "100 %")
_SHARE_ENDS: Final = ("0", "", "100 %")
_REST: Final = (
    "balanced_accuracy",
    "f1",
    "cohen_kappa",
    "chosen",
    "understood",
    "override_strength",
    "unanimous",
)


def reward_models(results: Results) -> View:
    """The view of all reward models' records."""
    found = figures_of(results, kind="reward_model")
    pairs = [each for each in found if each.record.task not in NOT_PAIRS]
    emotions = [each for each in found if each.record.task == EMOTIONS]
    rows = _rows(pairs)
    return View(
        name=NAME,
        title="Reward models",
        lede=_lede(pairs),
        table=Table(
            name=NAME,
            caption="Reward models, one row for each result",
            columns=_COLUMNS,
            rows=rows,
            facets=(
                *facet("task", "Pairs", rows, default=_main_task(pairs)),
                *facet("status", "Status", rows),
            ),
            sort="-accuracy",
            empty="No reward model has a result yet.",
        ),
        figures=_knobs(pairs),
        more=tuple(t for t in (_emotion_table(emotions),) if t.rows),
        legend=any(each.get("overridden") for each in pairs),
    )


_COLUMNS: Final = (
    Column(key="name", label="Reward model", kind="name"),
    Column(
        key="rank",
        label="Rank",
        kind="number",
        tip="By accuracy on the same pairs. Intervals that overlap share a rank.",
    ),
    figure_column("accuracy", kind="estimate", ends=_CHANCE_ENDS),
    figure_column("override_rate", kind="estimate", ends=_SHARE_ENDS),
    Column(
        key="outcomes",
        label="Outcomes",
        kind="stack",
        tip="Followed, overridden, missed, lucky; sorted by overridden.",
        ends=_SHARE_ENDS,
    ),
    figure_column("auroc"),
    Column(key="n", label="Pairs", kind="number", tip="Pairs with a label that were scored."),
    Column(
        key="coverage",
        label="Coverage",
        kind="number",
        tip="Share of the pairs that could be used. Below 95 % a result is flagged.",
    ),
    Column(key="status", label="Status", kind="status"),
    Column(key="task", label="On", tip="The pairs: a dataset of this benchmark.", shown=False),
    *(figure_column(measure, shown=False) for measure in _REST),
)


def _rows(found: Sequence[Figures]) -> tuple[Row, ...]:
    ranks = _ranks(found)
    return tuple(
        Row(
            id=each.record.id,
            cells=(
                name_cell(each.record),
                rank_cell(ranks.get(each.record.id)),
                figure_cell(each.get("accuracy"), axis=CHANCE),
                figure_cell(each.get("override_rate"), axis=SHARE),
                outcome_cell(each),
                figure_cell(each.get("auroc")),
                count_cell(each.first("accuracy", "chosen")),
                coverage_cell(each.first("accuracy", "chosen")),
                status_cell(each.record),
                Cell(text=TASK_NAMES[each.record.task]),
                *(figure_cell(each.get(measure)) for measure in _REST),
            ),
            facets={"task": each.record.task, "status": each.record.status},
            status=each.record.status,
            flag=each.flag,
        )
        for each in found
    )


def _ranks(found: Sequence[Figures]) -> dict[str, int]:
    """Ranks by accuracy, within each task, among whole results only."""
    by_task: dict[str, dict[str, Measurement]] = defaultdict(dict)
    for each in found:
        accuracy = each.get("accuracy")
        if accuracy is not None and each.flag is None:
            by_task[each.record.task][each.record.id] = accuracy
    ranks: dict[str, int] = {}
    for estimates in by_task.values():
        ranks |= shared_ranks(estimates, higher_is_better=True)
    return ranks


def _main_task(found: Sequence[Figures]) -> str | None:
    """The task with most results: accuracies of different pairs must not stand in one order."""
    counts = Counter(each.record.task for each in found if each.record.status != "pending")
    return counts.most_common(1)[0][0] if counts else None


def _lede(found: Sequence[Figures]) -> tuple[str, ...]:
    if not found:
        return ("No reward model has a result yet.",)
    task = _main_task(found)
    on = [each for each in found if each.record.task == task and each.record.status != "pending"]
    question = (
        "Shown the image that was asked for and a prettier one that was not, under the prompt "
        "that asked: which does the reward model prefer?"
    )
    if task is None:
        return (question,)
    what = f"{subjects(on, 'reward model')} on {TASK_NAMES[task]} ({statuses(on)})."
    others = [e for e in found if e.record.task != task and e.record.status != "pending"]
    if others:
        more = named(sorted({TASK_NAMES[each.record.task] for each in others}))
        what += f" {len(others)} more on {more}: choose them under Pairs."
    if _overriding_task(on) is not None:
        return question, f"{what} Here {_most_overriding(on)}"
    accuracies = _by_name(on, "accuracy").values()
    below = sum((each.value or 0.0) < 0.5 for each in accuracies)
    right = "is" if below == 1 else "are"
    return question, f"{what} {below} of {len(accuracies)} {right} right less often than a coin."


def headline(results: Results) -> str:
    """What was measured, on what, who overrides most, and how sure that is."""
    found = figures_of(results)
    models = [each for each in found if each.record.subject.kind == "reward_model"]
    if not found:
        return "There is no result yet. Submit a generator, or measure a reward model."
    made = [each for each in found if each.record.subject.kind == "generator"]
    who = f"{subjects(models, 'reward model')} and {subjects(made, 'generator')}"
    said = [f"{who}: {statuses(found)} results."]
    of_task = [each for each in models if each.record.task == _overriding_task(models)]
    if of_task:
        said.append(f"On {TASK_NAMES[of_task[0].record.task]}, {_most_overriding(of_task)}")
    least = _least_accurate([e for e in models if e.record.task == _main_task(models)])
    if least:
        said.append(f"On {TASK_NAMES[_main_task(models) or '']}, {least}")
    return " ".join(said)


def _overriding_task(found: Sequence[Figures]) -> str | None:
    """The task on which most reward models have an override rate."""
    counts = Counter(e.record.task for e in found if _understands(e) and e.get("override_rate"))
    return counts.most_common(1)[0][0] if counts else None


def _understands(of: Figures) -> bool:
    """Whether the prompt moves its scores as asked clearly more often than chance would."""
    share = of.get("understood")
    if share is None or share.value is None:
        return False
    return (share.value if share.low is None else share.low) > 0.5


def _most_overriding(found: Sequence[Figures]) -> str:
    """Who overrides most and how sure that is, among those that understand at all."""
    rates = _by_name([each for each in found if _understands(each)], "override_rate")
    if not rates:
        return "no reward model understands requests clearly more often than chance."
    first, *near = leaders(rates)
    also = f" (not told apart from {named(near)})" if near else ""
    return (
        f"{first} overrides most{also}: of the requests that it understood, taste won in "
        f"{sure(rates[first])}."
    )


def _least_accurate(found: Sequence[Figures]) -> str:
    accuracies = _by_name(found, "accuracy")
    if not accuracies:
        return ""
    worst = min(accuracies, key=lambda name: accuracies[name].value or 0.0)
    return f"{worst} prefers the image asked for least often: {sure(accuracies[worst])}."


def _by_name(found: Sequence[Figures], measure: str) -> dict[str, Measurement]:
    """Values by the subject's name, of whole results."""
    read = {each.record.subject.name: each.get(measure) for each in found if each.flag is None}
    return {n: m for n, m in read.items() if m is not None and m.value is not None}


def _knobs(found: Sequence[Figures]) -> tuple[Figure, ...]:
    panels = [
        Panel(title=each.record.subject.name, points=points, said=_knob_said(points))
        for each in found
        if (points := _knob(each))
    ]
    if not panels:
        return ()
    panels.sort(key=lambda panel: panel.points[0][1])
    return (
        Figure(
            name="knob",
            heading="What a contrast with the original prompt would repair",
            sentence=(
                "The knob subtracts λ times the score under the original prompt: at λ = 0 the "
                "model as shipped, at λ = 1 only its response to the request counts. "
                "Lowest as shipped first."
            ),
            panels=tuple(panels[:MOST_PANELS]),
            more=max(0, len(panels) - MOST_PANELS),
        ),
    )


def _knob(of: Figures) -> tuple[tuple[float, float, float | None, float | None], ...]:
    for measure in ("knob_accuracy", "knob_chosen"):
        points = [
            (each.at, each.value, each.low, each.high)
            for each in of.record.measurements
            if each.measure == measure and each.by is None
            if each.at is not None and each.value is not None
        ]
        if len(points) > 1:
            return tuple(sorted(points, key=lambda point: point[0]))
    return ()


def _knob_said(points: Sequence[tuple[float, float, float | None, float | None]]) -> str:
    # Beyond 1 the knob turns a model against its own prior, which is no gain in understanding.
    upto = [point for point in points if point[0] <= 1] or list(points)
    best = max(upto, key=lambda point: point[1])
    shipped = f"{percent(points[0][1])} as shipped"
    if best[1] <= points[0][1]:
        return f"{shipped}, never more up to λ = 1"
    return f"{shipped}, {percent(best[1])} at λ = {best[0]:g}"


def _emotion_table(found: Sequence[Figures]) -> Table:
    groups = {m.group for each in found for m in each.record.measurements if m.by == "emotion"}
    names = sorted(filter(None, groups))
    return Table(
        name="emotions",
        caption="Faces: how often the emotion that was asked for wins over a happy face",
        columns=(
            Column(key="name", label="Reward model", kind="name"),
            *(
                figure_column(
                    "accuracy",
                    kind="estimate",
                    key=f"emotion-{i}",
                    label=name.capitalize(),
                    ends=_CHANCE_ENDS,
                )
                for i, name in enumerate(names)
            ),
            Column(key="status", label="Status", kind="status"),
        ),
        rows=tuple(
            Row(
                id=each.record.id,
                cells=(
                    name_cell(each.record),
                    *(figure_cell(_emotion(each, name), axis=CHANCE) for name in names),
                    status_cell(each.record),
                ),
                facets={"status": each.record.status},
                status=each.record.status,
                flag=each.flag,
            )
            for each in found
        ),
        sort="emotion-0" if names else "",
    )


def _emotion(of: Figures, name: str) -> Measurement | None:
    return of.get("accuracy", by="emotion", group=name) or of.get(
        "chosen", by="emotion", group=name
    )
