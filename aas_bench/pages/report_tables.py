"""The tables of a report: the headline, by group, by wording, without cut prompts, everything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from aas_bench.measure.results import (
    Group,
    Headline,
    RewardSummary,
    Summary,
    outcome_shares,
)
from aas_bench.pages.findings import ties_range
from aas_bench.pages.kit import (
    CHANCE,
    CHANCE_ENDS,
    SHARE_ENDS,
    SHARES,
    Axis,
    Column,
    Entry,
    Row,
    Table,
    estimate_entry,
    number_entry,
)
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.override import OUTCOMES
from aas_bench.words import NUMBER, SHARE, UNDEFINED, count, level, percent

NOT_SCORED: Final = "original prompt not scored"
_NAME: Final = Column(key="name", label="Reward model", kind="name")
_HEADLINE: Final = {"accuracy": "Accuracy", "chosen": "Chose what was asked for"}
_PREFERENCE: Final = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "f1": "F1",
    "auroc": "AUROC",
    "cohen_kappa": "Cohen’s κ",
}
_CHOICES: Final = {"polished": "Preferred the polished image", "tied": "Tied"}
_OVERRIDE: Final = {
    "override_strength": "Override strength",
    "prompt_response": "Mean prompt response",
    "prior_pull": "Mean prior pull",
}
_SHIFT: Final = {"delta": "Shift under P_o", "after": "Mean score after it"}


def headline_name(summary: Summary) -> str:
    """What the headline figure is called."""
    return _HEADLINE[summary.measure]


def any_override(summary: Summary) -> bool:
    """Whether any reward model was scored under a placebo, the original prompt or another."""
    return any(reward.placebo for reward in summary.rewards.values())


def headline_table(summary: Summary) -> Table:
    """One row per reward model: rank, headline, what it followed and overrode, coverage."""
    ranks = summary.ranks() if len(summary.rewards) > 1 else {}
    confidence = level(summary.provenance["confidence_level"])
    what = f"{headline_name(summary)}: value, {confidence} interval"
    columns = [_NAME, _share("headline", what, ends=CHANCE_ENDS)]
    if ranks:
        columns.insert(1, Column(key="rank", label="Rank", kind="number"))
    if any_override(summary):
        columns += [
            _share("understood", "Moved towards the request (net)"),
            _share("override_rate", "Override rate"),
        ]
    ties = any(reward.by_ties(summary.measure) for reward in summary.rewards.values())
    if ties:
        columns += [_share("tied", "Tied"), Column(key="ties", label="As ties count")]
    columns.append(Column(key="coverage", label="Pairs", kind="number"))

    def entries(name: str, reward: RewardSummary) -> Iterator[Entry]:
        yield Entry(text=name)
        if ranks:
            rank = ranks.get(name)
            yield number_entry(UNDEFINED if rank is None else str(rank), rank)
        yield estimate_entry(reward.headline, SHARE, axis=CHANCE)
        if any_override(summary):
            yield _of_override(reward, "understood")
            yield _of_override(reward, "override_rate")
        if ties:
            yield estimate_entry(reward.choices.tied, SHARE)
            yield Entry(text=_as_ties_count(summary, reward))
        n = reward.headline.n
        covered = f"{percent(reward.coverage)} covered"
        yield Entry(text=str(n), value=reward.coverage, n=n, interval=covered)

    return _table("headline", "Headline table", columns, summary, entries)


def group_table(summary: Summary, figure: str) -> Table:
    """A figure within each group, a column per reward model.

    Args:
        summary: With groups.
        figure: "headline" or "override_rate".
    """
    headline = figure == "headline"
    by = "dimension" if summary.by == "dimensions" else str(summary.by)
    rewards = list(summary.rewards.values())
    axis, ends = (CHANCE, CHANCE_ENDS) if headline else (SHARES, SHARE_ENDS)

    def entry(group: Group) -> Entry:
        if headline:
            return estimate_entry(group.headline, SHARE, axis=axis)
        return _of_override(group, figure, axis=axis)

    name = headline_name(summary) if headline else "Override rate"
    return Table(
        name=f"by-group-{figure}",
        caption=f"{name} by {by}",
        columns=(
            Column(key="name", label=by.capitalize(), kind="name"),
            Column(key="n", label="Pairs", kind="number"),
            *(
                _share(f"{figure}-{i}", n, ends=ends, what=figure)
                for i, n in enumerate(summary.rewards)
            ),
        ),
        rows=tuple(
            Row(
                id=group,
                entries=(
                    Entry(text=group),
                    number_entry(str(rewards[0].by[group].n), rewards[0].by[group].n),
                    *(entry(reward.by[group]) for reward in rewards),
                ),
            )
            for group in dict.fromkeys(group for reward in rewards for group in reward.by)
        ),
    )


def part_table(measure: Headline, parts: Mapping[str, Group]) -> Table:
    """The figures of a part of the pairs, a row per reward model.

    Args:
        measure: What the headline is.
        parts: Reward model -> its figures.
    """
    columns = [_NAME, _share("headline", _HEADLINE[measure], ends=CHANCE_ENDS)]
    placebo = any(each.placebo for each in parts.values())
    if placebo:
        columns += [
            _share("understood", "Moved towards the request (net)"),
            _share("override_rate", "Override rate"),
        ]
    ties = any(each.choices.tied.value for each in parts.values())
    columns += [_share("tied", "Tied")] if ties else []
    scored = any(each.override for each in parts.values())
    columns += [Column(key="outcomes", label="Outcomes, %", kind="stack")] if scored else []
    columns.append(Column(key="pairs", label="Pairs", kind="number"))

    def entries(name: str, part: Group) -> Iterator[Entry]:
        yield Entry(text=name)
        yield estimate_entry(part.headline, SHARE, axis=CHANCE)
        if placebo:
            yield _of_override(part, "understood")
            yield _of_override(part, "override_rate")
        if ties:
            yield estimate_entry(part.choices.tied, SHARE)
        if scored:
            yield _outcomes(part)
        yield number_entry(
            str(part.headline.n),
            part.headline.n,
            interval=f"{percent(part.headline.coverage)} covered",
        )

    rows = tuple(Row(id=n, entries=tuple(entries(n, part))) for n, part in parts.items())
    return Table(name="part", caption="Figures", columns=tuple(columns), rows=rows)


def wording_table(summary: Summary) -> Table:
    """How often a reward model makes the same choice under every wording."""
    columns = (
        _NAME,
        _share("unanimous", "Same choice under every wording", ends=SHARE_ENDS),
        Column(key="range", label=f"{headline_name(summary)}, worst to best wording"),
    )

    def entries(name: str, reward: RewardSummary) -> Iterator[Entry]:
        found = reward.consistency
        values = [] if found is None else [e.value for e in found.accuracy_by_wording.values()]
        known = sorted(value for value in values if value is not None)
        yield Entry(text=name)
        yield estimate_entry(found.unanimous if found else None, SHARE, axis=SHARES)
        ends = " to ".join(SHARE.value(end) for end in (known[0], known[-1])) if known else ""
        yield Entry(text=ends or UNDEFINED)

    return _table("same-choice", "Consistency between wordings", columns, summary, entries)


def cut_table(summary: Summary) -> Table:
    """The headline without the pairs whose prompts were cut."""
    columns = (
        _NAME,
        Column(key="cut_distorted", label="Requests cut", kind="number"),
        Column(key="cut_original", label="Original prompts cut", kind="number"),
        _share("all", f"{headline_name(summary)}, all pairs"),
        _share("untruncated", f"{headline_name(summary)}, whole prompts only"),
        Column(key="n", label="Pairs", kind="number"),
    )

    def entries(name: str, reward: RewardSummary) -> Iterator[Entry]:
        cut = reward.truncation
        yield Entry(text=name)
        for n in (None, None) if cut is None else (cut.n_cut_distorted, cut.n_cut_original):
            yield number_entry(UNDEFINED if n is None else str(n), n)
        yield estimate_entry(reward.headline, SHARE)
        whole = cut and cut.untruncated
        lacking = "every pair has a cut prompt" if cut else "cuts are not known"
        yield estimate_entry(whole.headline if whole else None, SHARE, lacking=lacking)
        yield number_entry(str(whole.n if whole else 0), whole.n if whole else 0)

    return _table("cut-prompts", "Cut prompts", columns, summary, entries)


def figures_table(summary: Summary) -> Table:
    """Every figure over all pairs."""
    labelled, scored = summary.measure == "accuracy", any_override(summary)
    keys = {
        **(_PREFERENCE if labelled else {}),
        **_CHOICES,
        **({**_OVERRIDE, **_SHIFT} if scored else {}),
    }
    columns = [_NAME, *(Column(key=k, label=text, kind="estimate") for k, text in keys.items())]
    if labelled:
        ties = (("n_label_ties", "Label ties"), ("n_reward_ties", "Reward ties"))
        columns += [Column(key=key, label=text, kind="number") for key, text in ties]

    def entries(name: str, reward: RewardSummary) -> Iterator[Entry]:
        yield Entry(text=name)
        places = {
            **dict.fromkeys(_PREFERENCE, reward.preference),
            **dict.fromkeys(_CHOICES, reward.choices),
            **dict.fromkeys(_OVERRIDE, reward.override),
            **dict.fromkeys(_SHIFT, reward.generator),
        }
        for key in keys:
            found: Estimate | None = getattr(places[key], key, None)
            yield estimate_entry(found, NUMBER, lacking=NOT_SCORED)
        if labelled:
            for key in ("n_label_ties", "n_reward_ties"):
                n = getattr(reward.preference, key)
                yield number_entry(str(n), n)

    return _table("all-figures", "All headline figures", columns, summary, entries)


def _outcomes(part: Group) -> Entry:
    shares = {} if part.override is None else outcome_shares(part.override)
    values = tuple(share.value for share in shares.values() if share.value is not None)
    if len(values) < len(OUTCOMES):
        return Entry(text=UNDEFINED)
    told = (f"{name} {SHARE.whole(share)}" for name, share in shares.items())
    return Entry(text=", ".join(told), value=values[0], shares=values)


def _as_ties_count(summary: Summary, reward: RewardSummary) -> str:
    """The ranges of the headline and the override rate over what a tie counts as."""
    names = {summary.measure: headline_name(summary).lower(), "override_rate": "override rate"}
    told = ((name, ties_range(reward, measure)) for measure, name in names.items())
    return "; ".join(f"{name} {ends}" for name, ends in told if ends) or UNDEFINED


def _share(
    key: str, label: str, *, ends: tuple[str, str, str] | None = None, what: str = ""
) -> Column:
    return Column(key=key, label=label, kind="estimate", ends=ends, what=what)


def _of_override(of: RewardSummary | Group, name: str, *, axis: Axis | None = None) -> Entry:
    found: Estimate | None = getattr(of.placebo, name, None)
    entry = estimate_entry(found, SHARE, axis=axis, lacking=NOT_SCORED)
    if found is None or found.value is None or found.n >= of.headline.n:
        return entry
    return replace(entry, interval=f"{entry.interval}, of {count(found.n, 'pair')}")


def _table(
    name: str,
    caption: str,
    columns: Iterable[Column],
    summary: Summary,
    entries: Callable[[str, RewardSummary], Iterator[Entry]],
) -> Table:
    """A row per reward model."""
    return Table(
        name=name,
        caption=caption,
        columns=tuple(columns),
        rows=tuple(
            Row(id=each, entries=tuple(entries(each, reward)))
            for each, reward in summary.rewards.items()
        ),
    )
