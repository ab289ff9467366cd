"""Which reward models honour the request, and which are moved by it and overridden by taste."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, get_args

from aas_bench.board.doubts import baselines, doubts
from aas_bench.board.entries import (
    Lookup,
    count_entry,
    coverage_entry,
    lookups,
    measured,
    measured_column,
    name_entry,
    on_shelf,
    outcome_entry,
    rank_entry,
    ranks_by_task,
    status_entry,
)
from aas_bench.board.lead import answer, lead
from aas_bench.board.sentences import leaders, statuses, subjects, sure
from aas_bench.board.tabs.tab import Tab
from aas_bench.measure.measures import MEASURES
from aas_bench.pages.kit import (
    CHANCE,
    CHANCE_ENDS,
    SHARE_ENDS,
    SHARES,
    Axis,
    Column,
    Entry,
    Figure,
    Row,
    Table,
    facet,
)
from aas_bench.pages.summary_charts import knob_panel
from aas_bench.records.collection import Results
from aas_bench.records.record import Measurement
from aas_bench.stats.estimate import Ties
from aas_bench.tasks.catalog import TASKS
from aas_bench.words import SHARE, UNDEFINED, listing, percent

NAME: Final = "reward-models"
MOST_PANELS: Final = 12
MOST_NAMED: Final = 3
_REST: Final = (
    "balanced_accuracy",
    "f1",
    "cohen_kappa",
    "chosen",
    "polished",
    "tied",
    "understood",
    "override_strength",
    "unanimous",
    "understood_over_wordings",
    "override_rate_over_wordings",
)


def reward_models(results: Results) -> Tab:
    """The view of all reward models' records."""
    pairs = on_shelf(results, "pairs")
    emotions = on_shelf(results, "faces")
    task = _main_task(pairs)
    rows = pair_rows(pairs)
    return Tab(
        name=NAME,
        title="Reward models",
        lede=_lede(pairs),
        table=Table(
            name=NAME,
            caption="Reward models, one row for each result",
            columns=COLUMNS,
            rows=rows,
            facets=(
                *facet("task", "Pairs", rows, default=task),
                *facet("status", "Status", rows),
            ),
            sort=_sort(pairs),
            empty="No reward model has a result yet.",
        ),
        lead=lead([each for each in pairs if each.record.task == task]),
        doubts=doubts(pairs),
        figures=knobs(pairs),
        more=tuple(t for t in (_emotion_table(emotions),) if t.rows),
        legend=any(each.get("overridden") for each in pairs),
    )


COLUMNS: Final = (
    Column(key="name", label="Reward model", kind="name"),
    Column(
        key="rank",
        label="Rank",
        kind="number",
        tip="By accuracy on the same pairs. Intervals that overlap share a rank.",
    ),
    measured_column("accuracy", kind="estimate", ends=CHANCE_ENDS),
    measured_column("override_rate", kind="estimate", ends=SHARE_ENDS),
    Column(
        key="outcomes",
        label="Outcomes",
        kind="stack",
        tip="Followed, overridden, missed, lucky; sorted by overridden.",
        ends=SHARE_ENDS,
    ),
    measured_column("auroc"),
    Column(key="n", label="Pairs", kind="number", tip="Pairs with a label that were scored."),
    Column(
        key="coverage",
        label="Coverage",
        kind="number",
        tip="Share of the pairs that could be used. Below 95 % a result is flagged.",
    ),
    Column(key="status", label="Status", kind="status"),
    Column(key="task", label="On", tip="The pairs: a dataset of this benchmark.", shown=False),
    *(measured_column(measure, shown=False) for measure in _REST),
)


def pair_rows(found: Sequence[Lookup]) -> tuple[Row, ...]:
    """A row for each result, as `COLUMNS` has them."""
    accuracies = ((each, each.get("accuracy")) for each in found)
    ranks = ranks_by_task(accuracies, higher_is_better=True)
    ruled = {task: _accuracy_axis(found, task) for task in {each.record.task for each in found}}
    return tuple(
        Row(
            id=each.record.id,
            entries=(
                name_entry(each),
                rank_entry(ranks.get(each.record.id)),
                measured(
                    each.get("accuracy"),
                    axis=ruled[each.record.task] if each.record.status == "published" else CHANCE,
                    of=each,
                ),
                measured(each.get("override_rate"), axis=SHARES, of=each),
                outcome_entry(each),
                measured(each.get("auroc"), of=each),
                count_entry(each.first("accuracy", "chosen")),
                coverage_entry(each.first("accuracy", "chosen"), each.record),
                status_entry(each.record),
                Entry(text=TASKS[each.record.task].title),
                *(measured(each.get(measure), of=each) for measure in _REST),
            ),
            facets={"task": each.record.task, "status": each.record.status},
            status=each.record.status,
            flag=each.flag,
        )
        for each in found
    )


def _accuracy_axis(found: Sequence[Lookup], task: str) -> Axis:
    """Chance, and beside it what rules reach that always answer the same, where that is known."""
    rules = baselines([each for each in found if each.record.task == task])
    return CHANCE if rules is None else replace(CHANCE, others=rules)


def _sort(found: Sequence[Lookup]) -> str:
    """By override rate where a real reward model of the task shown first has one."""
    task = _main_task(found)
    on = [each for each in found if each.record.task == task]
    return "-override_rate" if _by_name(on, "override_rate") else "-accuracy"


def _main_task(found: Sequence[Lookup]) -> str | None:
    """The task with most results; figures of different pairs have no one order."""
    counts = Counter(each.record.task for each in found if each.record.status != "pending")
    return counts.most_common(1)[0][0] if counts else None


def _lede(found: Sequence[Lookup]) -> tuple[str, ...]:
    if not found:
        return ("No reward model has a result yet.",)
    task = _main_task(found)
    if task is None:
        return ("Results of reward models are announced; none has figures yet.",)
    on = [each for each in found if each.record.task == task and each.record.status != "pending"]
    what = f"{subjects(on, 'reward model')} on {TASKS[task].title} ({statuses(on)})."
    others = [e for e in found if e.record.task != task and e.record.status != "pending"]
    if others:
        more = listing(sorted({TASKS[each.record.task].title for each in others}), most=MOST_NAMED)
        what += f" {len(others)} more on {more}: choose them under Pairs."
    if any(map(_moved, on)):
        return (f"{what} {_most_overriding(on)}",)
    accuracies = _by_name(on, "accuracy").values()
    below = sum((each.value or 0.0) < 0.5 for each in accuracies)
    right = "is" if below == 1 else "are"
    return (f"{what} {below} of {len(accuracies)} {right} right less often than a coin.",)


def headline(results: Results) -> str:
    """The finding with its interval; where nothing is measured, what there is."""
    real = lookups(results)
    if not real:
        tests = " but self-tests" if results.records else ""
        return f"There is no result yet{tests}. Submit a generator, or measure a reward model."
    models = on_shelf(results, "pairs")
    task = _main_task(models)
    found = answer([each for each in models if each.record.task == task])
    if found:
        return found
    made = [each for each in real if each.record.subject.kind == "generator"]
    every = [each for each in real if each.record.subject.kind == "reward_model"]
    who = f"{subjects(every, 'reward model')} and {subjects(made, 'generator')}"
    return f"{who}: {statuses(real)} results."


def _moved(of: Lookup) -> bool:
    """Whether a real model's scores follow the requests that images show more than by chance."""
    share = of.get("understood_shown")
    if share is None or share.value is None:
        return False
    chance = MEASURES["understood_shown"].chance or 0.0
    return (share.value if share.low is None else share.low) > chance


def _most_overriding(found: Sequence[Lookup]) -> str:
    """Who overrides most and how sure that is, among those whose scores the request moves."""
    moved = [each for each in found if _moved(each)]
    rates = _by_name(moved, "override_rate")
    if not rates:
        return "No reward model's score follows requests clearly more often than chance would."
    first, *near = leaders(rates)
    also = f" (not told apart from {listing(near, most=MOST_NAMED)})" if near else ""
    subset = next(e.record.subset for e in moved if e.record.subject.name == first)
    where = f", on {subset}" if subset else ""
    certain = _by_name(moved, "certain_overridden")
    free = (
        f" In every unit of the score that holds for {sure(certain[first])} of all pairs."
        if first in certain
        else ""
    )
    ties = _as_ties_count(next(e for e in moved if e.record.subject.name == first))
    return (
        f"{first} overrides most{also}: where the request moved its score, taken at face value, "
        f"the polished image won all the same in {sure(rates[first])}{ties}{where}.{free}"
    )


def _as_ties_count(of: Lookup) -> str:
    """How far the override rate rests on what a tie counts as; "" where it does not."""
    found = (of.get("override_rate", by="ties", group=rule) for rule in get_args(Ties))
    values = [each.value for each in found if each is not None and each.value is not None]
    if not values or percent(min(values)) == percent(max(values)):
        return ""
    return f", from {percent(min(values))} to {percent(max(values))} as ties count"


def _by_name(found: Sequence[Lookup], measure: str) -> dict[str, Measurement]:
    """Values by the subject's name, of whole results."""
    read = {each.record.subject.name: each.get(measure) for each in found if each.flag is None}
    return {n: m for n, m in read.items() if m is not None and m.value is not None}


def knobs(found: Sequence[Lookup]) -> tuple[Figure, ...]:
    """The curves over the strength of the contrast, for the results that have one."""
    curves = [(each.record.subject.name, curve) for each in found if (curve := _knob(each))]
    if not curves:
        return ()
    curves.sort(key=lambda each: next(iter(each[1].values())).value or 0.0)
    shown = curves[:MOST_PANELS]
    places = sorted({at for _, curve in shown for at in curve})
    return (
        Figure(
            heading="What a contrast with the original prompt would repair",
            sentence=(
                "The knob subtracts λ times the score under the original prompt: at λ = 0 the "
                "model as shipped, at λ = 1 only its response to the request counts. "
                "Lowest as shipped first."
            ),
            charts=tuple(
                knob_panel(f"knob-{i}", name, _knob_said(curve), list(curve.items()))
                for i, (name, curve) in enumerate(shown)
            ),
            columns=("λ", *(name for name, _ in shown)),
            rows=tuple(
                (f"{at:g}", *(SHARE.whole(c[at]) if at in c else UNDEFINED for _, c in shown))
                for at in places
            ),
            more=len(curves) - len(shown),
        ),
    )


def _knob(of: Lookup) -> dict[float, Measurement]:
    """The curve by strength, from the lowest on; empty where there is none."""
    for measure in ("knob_accuracy", "knob_chosen"):
        curve = {
            each.at: each
            for each in of.record.measurements
            if each.measure == measure and each.by is None
            if each.at is not None and each.value is not None
        }
        if len(curve) > 1:
            return dict(sorted(curve.items()))
    return {}


def _knob_said(curve: Mapping[float, Measurement]) -> str:
    values = {at: each.value or 0.0 for at, each in curve.items()}
    shipped = next(iter(values.values()))
    # Beyond 1 the knob turns a model against its own prior, which is no gain in understanding.
    upto = {at: value for at, value in values.items() if at <= 1} or values
    best = max(upto, key=upto.__getitem__)
    said = f"{percent(shipped)} as shipped"
    if upto[best] <= shipped:
        return f"{said}, never more up to λ = 1"
    return f"{said}, {percent(upto[best])} at λ = {best:g}"


def _emotion_table(found: Sequence[Lookup]) -> Table:
    groups = {m.group for each in found for m in each.record.measurements if m.by == "emotion"}
    names = sorted(filter(None, groups))
    return Table(
        name="emotions",
        caption="Faces: how often the emotion that was asked for wins over a happy face",
        columns=(
            Column(key="name", label="Reward model", kind="name"),
            *(
                measured_column(
                    "accuracy",
                    kind="estimate",
                    key=f"emotion-{i}",
                    label=name.capitalize(),
                    ends=CHANCE_ENDS,
                )
                for i, name in enumerate(names)
            ),
            Column(key="status", label="Status", kind="status"),
        ),
        rows=tuple(
            Row(
                id=each.record.id,
                entries=(
                    name_entry(each),
                    *(measured(_emotion(each, name), axis=CHANCE) for name in names),
                    status_entry(each.record),
                ),
                facets={"status": each.record.status},
                status=each.record.status,
                flag=each.flag,
            )
            for each in found
        ),
        sort="emotion-0" if names else "",
    )


def _emotion(of: Lookup, name: str) -> Measurement | None:
    return of.get("accuracy", by="emotion", group=name) or of.get(
        "chosen", by="emotion", group=name
    )
