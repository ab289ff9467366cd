"""Numbers for the terminal: a value, its interval and what it rests on, never a number alone."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from aas_bench.cli.options import say
from aas_bench.words import NO_INTERVAL, UNDEFINED, Bounded, Spelling, level, plain_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aas_bench.measure.analyses.task_report import Breakdown, TaskReport
    from aas_bench.measure.rater_evaluation import RaterEvaluation
    from aas_bench.measure.results import Group, Match
    from aas_bench.measure.summary import Summary
    from aas_bench.measure.trade_off import TradeOff
    from aas_bench.measure.voting import VoteAgreement
    from aas_bench.stats.estimate import Estimate
    from aas_bench.tables.imported import Mapped

LONGEST_NAME: Final = 24
MOST_GROUPS: Final = 40
_MOST_PAIRS: Final = 8
_PLAIN: Final = Spelling(digits=3)


def summary_table(summary: Summary, *, groups: bool = False) -> None:
    """One row per reward model, then one sentence per reward model, then the groups if wanted."""
    from aas_bench.pages.findings import finding, labels_doubt, over_wordings, unlabelled

    console = Console(highlight=False, markup=False)
    if not summary.paired:
        _task_tables(console, summary)
        return
    say(
        f"{summary.n_pairs:,} pairs of {summary.n_clusters:,} base prompts; "
        f"{level(summary.provenance['confidence_level'])} intervals over base prompts",
    )
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column("reward", overflow="fold")
    headline = "accuracy" if summary.measure == "accuracy" else "chose asked"
    for name in ("pairs", headline, "moved (net)", "override rate", "coverage"):
        grid.add_column(name, justify="right", no_wrap=True)
    for name, reward in summary.rewards.items():
        found = reward.placebo
        grid.add_row(
            printable(name),
            f"{reward.headline.n:,}",
            stacked(reward.headline) + _by_ties(reward, summary.measure),
            stacked(found.understood if found else None) + _of_fewer(reward, "understood"),
            stacked(found.override_rate if found else None)
            + _by_ties(reward, "override_rate")
            + _of_fewer(reward, "override_rate"),
            f"{reward.coverage:.1%}",
        )
    console.print(grid)
    for name, reward in summary.rewards.items():
        if reward.override is not None or reward.choices.tied.value:
            say(f"{printable(name)} {finding(reward)}")
    for name, reward in summary.rewards.items():
        if said := over_wordings(reward):
            say(f"{printable(name)} {said}")
    if said := unlabelled(summary) or labels_doubt(summary):
        say(said)
    if groups:
        _group_table(console, summary, headline)
    _task_tables(console, summary)


def _by_ties(reward: Group, measure: str) -> str:
    """A line under a rate: the least and the most that it can be as ties count."""
    rates = [each.value for each in reward.by_ties(measure).values() if each.value is not None]
    ends = [f"{end:.2f}" for end in (min(rates), max(rates))] if rates else []
    return f"\nties {' to '.join(ends)}" if len(set(ends)) > 1 else ""


def _of_fewer(reward: Group, figure: str) -> str:
    """A line under a figure that rests on fewer pairs than the headline: on how many."""
    found: Estimate | None = getattr(reward.placebo, figure, None)
    if found is None or found.value is None or found.n >= reward.headline.n:
        return ""
    return f"\nof {found.n:,} pairs"


def _task_tables(console: Console, summary: Summary) -> None:
    """What the task asks: a sentence per reward model, then each figure by its first grouping."""
    report = summary.task
    if report is None or not report.analyses:
        return
    say(f"\n{report.task}: {report.question}")
    for name in summary.rewards:
        say(f"{printable(name)} {report.findings[name]}")
    for analysis in report.analyses:
        _analysis_table(console, report, analysis, list(summary.rewards))
    for note in report.notes:
        say(f"note: {note}")


def _analysis_table(
    console: Console, report: TaskReport, analysis: Breakdown, rewards: list[str]
) -> None:
    grouping = next(iter(analysis.by), None)
    groups = list(analysis.by[grouping].items()) if grouping else []
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column(printable(grouping or ""), no_wrap=True)
    for column in ("pairs" if report.paired else "images", *map(printable, rewards)):
        grid.add_column(column, justify="right", no_wrap=True)
    digits = 3 if analysis.unit == "share" else 2
    rows = [(None, analysis.overall), *groups[:MOST_GROUPS]]
    for group, each in rows:
        cells = [
            "\n".join(
                filter(
                    None, (stacked(each[r], digits=digits), report.remark(analysis.name, r, group))
                )
            )
            for r in rewards
        ]
        name = "all" if group is None else printable(plain_name(group))
        grid.add_row(name, f"{max(e.n for e in each.values()):,}", *cells)
    say(f"\n{analysis.title}")
    console.print(grid)
    left = len(groups) - MOST_GROUPS
    further = ", ".join(list(analysis.by)[1:])
    if left > 0:
        say(f"and {left:,} more groups; --json has them all")
    if further:
        say(f"by {further}: --json has them")


def printable(name: str, longest: int = LONGEST_NAME) -> str:
    """A name from data, cut, and without characters that steer a terminal or break the line."""
    shown = _unsteered(name)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _unsteered(name: str) -> str:
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in name)


def mapping_table(mapped: Mapped) -> None:
    """What each column of a source is read as, what is made, kept and left out, and how many."""
    console = Console(highlight=False, markup=False)
    what = f"scores of {', '.join(map(printable, mapped.rewards))}"
    what = what if mapped.form == "scores" else f"pairs ({mapped.form})"
    say(f"{_unsteered(mapped.source)}: {what}")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("your column", "is read as"):
        grid.add_column(name, overflow="fold")
    for name, ours in mapped.read.items():
        grid.add_row(_unsteered(name), ", ".join(map(_unsteered, ours)))
    for name, how in mapped.made.items():
        grid.add_row("(none)", f"{name}: {_unsteered(how)}")
    console.print(grid)
    for words, names in (("kept as they are", mapped.kept), ("left out", mapped.left_out)):
        if names:
            say(f"{words}: {', '.join(map(_unsteered, names))}")
    if mapped.faults is not None:
        return
    labels = mapped.labels
    told = ", ".join(f"{n:,} {name}" for name, n in labels.items()) if labels else "none"
    say(
        f"{len(mapped):,} pairs of {mapped.n_clusters:,} base prompts; labels: {told}; no faults",
    )


def _group_table(console: Console, summary: Summary, headline: str) -> None:
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column(printable(summary.by or ""), no_wrap=True)
    for column in ("pairs", *map(printable, summary.rewards)):
        grid.add_column(column, justify="right", no_wrap=True)
    rewards = list(summary.rewards.values())
    names = list(dict.fromkeys(name for reward in rewards for name in reward.by))
    for name in names[:MOST_GROUPS]:
        found = [reward.by.get(name) for reward in rewards]
        pairs = max(group.n for group in found if group is not None)
        shares = [stacked(group.headline if group else None) for group in found]
        grid.add_row(printable(name), f"{pairs:,}", *shares)
    say(f"\n{headline} by {printable(summary.by or '')}")
    console.print(grid)
    if len(names) > MOST_GROUPS:
        say(f"and {len(names) - MOST_GROUPS:,} more groups; --json has them all")


def trade_off_table(found: TradeOff) -> None:
    """One row per reward model, one column per set."""
    console = Console(highlight=False, markup=False)
    say(f"{level(found.confidence_level)} intervals, over the base prompts of each set")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column("reward", no_wrap=True)
    for side in found.sides:
        figure = "accuracy" if side.measure == "accuracy" else "chose asked"
        head = f"{printable(side.name)}\n{figure}, {side.n_pairs:,} pairs"
        grid.add_column(head, justify="right", no_wrap=True)
    for reward in found.rewards:
        shares = [stacked(side.headlines[reward]) for side in found.sides]
        grid.add_row(printable(reward), *shares)
    console.print(grid)
    for side in (side for side in found.sides if side.n_label_ties):
        say(f"{printable(side.name)}: ties of the labels left out: {side.n_label_ties:,}")


def comparison_table(a: str, b: str, match: Match) -> None:
    """Both reward models, their difference and its test."""
    from aas_bench.measure.results import test_name

    a, b = printable(a), printable(b)
    result, labelled = match.comparison, match.measure == "accuracy"
    console = Console(highlight=False, markup=False)
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("", a, b, f"{a}\nminus {b}"):
        grid.add_column(name, justify="left" if not name else "right", no_wrap=True)
    shares = (result.accuracy_a, result.accuracy_b, result.accuracy_difference)
    grid.add_row("accuracy" if labelled else "chose asked", *map(stacked, shares))
    if labelled:
        areas = (result.auroc_a, result.auroc_b, result.auroc_difference)
        grid.add_row("AUROC", *map(stacked, areas))
    console.print(grid)
    test = result.accuracy_test
    p_value = test.reason if test.p_value is None else f"p = {test.p_value:.3g}"
    say(
        f"{result.n:,} pairs; only {a} {'right' if labelled else 'as asked'} in "
        f"{result.n_only_a:,}, only {b} in "
        f"{result.n_only_b:,}; {test_name(result)}: {p_value}",
    )


def agreement_tables(found: VoteAgreement) -> None:
    """Agreement of all, then each rater, then judges and dimensions where there are any."""
    console = Console(highlight=False, markup=False)
    people = f"{len(found.raters)} {'people' if len(found.raters) > 1 else 'person'}"
    say(f"{found.n_pairs:,} pairs judged by {people}")
    for scale, alpha in found.overall.alpha.items():
        say(f"Krippendorff's alpha, {scale}: {interval(alpha)}")
    names = (" and ".join(map(printable, both)) for both in combinations(found.raters, 2))
    kappas = (pair.kappa for pair in found.between.values())
    kappa_lines([*zip(names, kappas, strict=True)], "people", "--json")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column("rater", no_wrap=True)
    for name in ("votes", "ties", "skipped", "seconds", "chose left", "kappa with others"):
        grid.add_column(name, justify="right", no_wrap=True)
    for name, rater in found.raters.items():
        counts = (f"{n:,}" for n in (rater.n_votes, rater.n_ties, rater.n_skipped))
        seconds = UNDEFINED if rater.seconds is None else f"{rater.seconds:.1f}"
        estimates = map(stacked, (rater.chose_left, rater.with_others.kappa))
        grid.add_row(printable(name), *counts, seconds, *estimates)
    console.print(grid)
    for name, judge in found.overall.judges.items():
        say(
            f"{printable(name)} against people: kappa {interval(judge.kappa)}; "
            f"same answer {interval(judge.same)}, {judge.same.n:,} pairs",
        )
    if found.by_dimension:
        _by_dimension(console, found)


def answered(statuses: Mapping[str, int]) -> str:
    """How many questions were answered, and what became of the others, most frequent first."""
    from aas_bench.judges.base import OK
    from aas_bench.service.faults import HINTS

    hints = {f"HTTP {status}": f" ({words})" for status, words in HINTS.items()}
    others = [f"{n:,} {name}{hints.get(name, '')}" for name, n in statuses.items() if name != OK]
    told = f"{statuses.get(OK, 0):,} of {sum(statuses.values()):,} questions answered"
    return "; ".join([told, *others])


def kappa_lines(found: Sequence[tuple[str, Estimate]], who: str, everything: str) -> None:
    """Kappa of each two, by printable names; of many those that agree least."""
    least = sorted(found, key=lambda two: (two[1].value is None, two[1].value or 0.0))
    if len(found) > _MOST_PAIRS:
        n_all = f"{len(found):,}"
        say(f"the {_MOST_PAIRS} of {n_all} pairs of {who} that agree least; all: {everything}")
    for two, kappa in least[:_MOST_PAIRS]:
        say(f"{two}: kappa {interval(kappa)}")


def _by_dimension(console: Console, found: VoteAgreement) -> None:
    grid = Table(box=None, pad_edge=False, header_style="bold")
    grid.add_column("dimension", no_wrap=True)
    for name in ("pairs", "alpha", *map(printable, found.overall.judges)):
        grid.add_column(name, justify="right", no_wrap=True)
    for dimension, within in found.by_dimension.items():
        alpha = within.alpha["interval"]
        kappas = [stacked(judge.kappa) for judge in within.judges.values()]
        grid.add_row(printable(dimension), f"{alpha.n:,}", stacked(alpha), *kappas)
    say("\nby dimension: alpha (interval) of people, kappa of each judge with them")
    console.print(grid)


def rater_table(found: RaterEvaluation) -> None:
    """A row per dimension and one over all: errors beside the guess, then correlations."""
    console = Console(highlight=False, markup=False)
    parts = {**found.by_dimension, "all": found.overall}
    errors = {
        name: (part.rater.mae, part.rater.class_mae, part.rater.accuracy, part.guess.accuracy)
        for name, part in parts.items()
    }
    orders = {
        name: (part.rater.f1, part.rater.pearson, part.rater.spearman)
        for name, part in parts.items()
    }
    for heads, rows in (
        (("MAE", "class MAE", "accuracy", "guess"), errors),
        (("F1", "Pearson", "Spearman"), orders),
    ):
        grid = Table(box=None, pad_edge=False, header_style="bold")
        grid.add_column("dimension", no_wrap=True)
        for head in ("n", *heads):
            grid.add_column(head, justify="right", no_wrap=True)
        for name, cells in rows.items():
            shown = (stacked(each, digits=2) for each in cells)
            grid.add_row(printable(name), f"{parts[name].n:,}", *shown)
        console.print(grid)
    above = found.overall.accuracy_above_guess
    say(
        f"accuracy above always guessing the commonest rating of the dimension: {interval(above)}",
    )
    say(f"{found.rounding} {found.overall.n_masked:,} rows do not apply.")


def interval(estimate: Estimate) -> str:
    """`0.290 (0.240 to 0.343)`, or why there is no number."""
    return _PLAIN.whole(estimate)


def stacked(estimate: Bounded | None, *, digits: int = 3) -> str:
    """The value, and its interval on a second line, so that a row fits 80 columns."""
    if estimate is None or estimate.value is None:
        return UNDEFINED
    spelling = Spelling(digits=digits)
    ends = spelling.ends(estimate)
    value = spelling.value(estimate.value)
    return value if ends == NO_INTERVAL else f"{value}\n{ends}"
