"""What a report says, as data: one Summary that the page, the command line and the cards read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from aas_bench import words
from aas_bench.errors import InputError, UnknownNameError
from aas_bench.measure.analyses.task_report import TaskReport
from aas_bench.measure.measurement import Measurement
from aas_bench.measure.measures import MEASURES, Placed
from aas_bench.measure.row_findings import RowFinding
from aas_bench.registry import import_object
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.consistency import Consistency
from aas_bench.stats.differences import RewardComparison
from aas_bench.stats.dose import DoseResponse
from aas_bench.stats.estimate import Estimate, Result, Ties
from aas_bench.stats.generation import GeneratorShift
from aas_bench.stats.override import OUTCOMES, Override
from aas_bench.stats.placebo import FailedImages, PlaceboOverride
from aas_bench.stats.placebo import Kind as PlaceboKind
from aas_bench.stats.preference import Choices, Preference
from aas_bench.stats.rescaling import Rescaling
from aas_bench.stats.strength import StrengthCurve
from aas_bench.tables.scores import ScoreTable
from aas_bench.tasks.task import Kind

if TYPE_CHECKING:
    import pandas as pd

Headline: TypeAlias = Literal["accuracy", "chosen"]
Figures: TypeAlias = Mapping[str, tuple[Placed, ...]]
"""What was computed, by the name of its row in `MEASURES`."""
_MOST_LINES = 5
_WRAP: Final = TextWrapper(
    80, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
)
_LATEX: Final = ("tied", "understood", "override_rate")
"""The columns of a table for a paper, behind the headline."""
_CITE: Final = "Cite: Reversed alignment, arXiv:2512.11883"
# What draws stands above what measures, and is named, not imported.
_DRAW: Final = "aas_bench.pages.figures:draw"
_HTML: Final = "aas_bench.pages.notebook:summary_html"
_COMPARE: Final = "aas_bench.measure.compare:compare_summaries"


@dataclass(frozen=True, kw_only=True)
class Group:
    """The headline of one reward model on some of the pairs.

    Attributes:
        n: Pairs in the group, with or without scores.
        preference: Agreement of the choices with the labels; None where no pair has a label.
        chosen: Share of pairs in which the image that was asked for scores higher; given only
            where no pair has a label.
        choices: Pairs chosen as asked, not so, and tied.
        override: Where the score moved, in four outcomes; None where the original prompt was not
            scored.
        placebo: Following and override against the headline's placebo requests; None where no
            placebo was scored.
        figures: Every measure of these pairs.
    """

    n: int
    preference: Preference | None
    chosen: Estimate | None
    choices: Choices
    override: Override | None
    placebo: PlaceboOverride | None
    figures: Figures

    @property
    def headline(self) -> Estimate:
        """Accuracy, or without labels the share that chose what was asked for."""
        estimate = self.preference.accuracy if self.preference else self.chosen
        assert estimate is not None
        return estimate

    def by_ties(self, measure: str) -> dict[Ties, Estimate]:
        """A rate by what a tie counts as; empty where that changes nothing.

        A group of some of the pairs has but the rate itself.
        """
        found: dict[Any, Estimate] = {
            placed.group: placed.estimate
            for placed in self.figures.get(measure, ())
            if placed.by == "ties"
        }
        return found if len({each.value for each in found.values()}) > 1 else {}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; `preference` or `chosen`, whichever applies."""
        choice = (
            {"preference": self.preference.to_dict()}
            if self.preference
            else {"chosen": self.headline.to_dict()}
        )
        override = None if self.override is None else self.override.to_dict()
        placebo = None if self.placebo is None else self.placebo.to_dict()
        choices = self.choices.to_dict()
        return {
            "n": self.n,
            **choice,
            "choices": choices,
            "override": override,
            "placebo": placebo,
        }


@dataclass(frozen=True, kw_only=True)
class Truncation:
    """How many prompts a reward model cut at its limit, and the headline without them.

    Attributes:
        n_cut_original: Pairs whose original prompt was cut.
        n_cut_distorted: Pairs whose distorted prompt was cut.
        untruncated: The headline on the pairs with both prompts whole; None where none is.
    """

    n_cut_original: int
    n_cut_distorted: int
    untruncated: Group | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "n_cut_original": self.n_cut_original,
            "n_cut_distorted": self.n_cut_distorted,
            "untruncated": None if self.untruncated is None else self.untruncated.to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class RewardSummary(Group):
    """Everything measured of one reward model.

    Attributes:
        placebos: Following and override by kind of placebo, that of the headline first.
        rescaling: What holds in every unit of the score; None where the original prompt was not
            scored.
        outcomes: Pairs by outcome; None likewise.
        knob: The headline over the preference strength; None likewise.
        generator: How the generator's images move this reward; None likewise.
        by: The headline by group.
        dose: Win rate over dose by effect; None where the table has no doses.
        consistency: Agreement between wordings; None where the table has no wordings.
        truncation: Cut prompts; None where the table does not say.
        coverage: Share of the pairs that this reward model scored under the distorted prompt.
        failed: What is left of the override rate if a tenth of the images failed to show their
            request; None where labels say which did, or the rate is undefined.
    """

    placebos: Mapping[PlaceboKind, PlaceboOverride]
    rescaling: Rescaling | None
    outcomes: Mapping[str, int] | None
    knob: StrengthCurve | None
    generator: GeneratorShift | None
    by: Mapping[str, Group]
    dose: DoseResponse | None
    consistency: Consistency | None
    truncation: Truncation | None
    coverage: float
    failed: FailedImages | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the knob as plain lists under its measure's name."""
        return {
            **super().to_dict(),
            "placebos": {kind: found.to_dict() for kind, found in self.placebos.items()},
            "rescaling": None if self.rescaling is None else self.rescaling.to_dict(),
            "outcomes": None if self.outcomes is None else dict(self.outcomes),
            "knob": None if self.knob is None else _knob_lists(self.knob),
            "generator": None if self.generator is None else self.generator.to_dict(),
            "by": {name: group.to_dict() for name, group in self.by.items()},
            "dose": None if self.dose is None else self.dose.to_dict(),
            "consistency": None if self.consistency is None else self.consistency.to_dict(),
            "truncation": None if self.truncation is None else self.truncation.to_dict(),
            "coverage": self.coverage,
            "failed_images": None if self.failed is None else self.failed.to_dict(),
        }


class ByName(dict[str, RewardSummary]):
    """Results by reward model; an unknown name raises with the nearest ones."""

    def __missing__(self, name: str) -> RewardSummary:
        hint = f"The summary has: {', '.join(self)}."
        raise UnknownNameError("reward model in this summary", str(name), self, hint=hint)


@dataclass(frozen=True, kw_only=True, repr=False)
class Match(Result):
    """Two reward models on the same pairs.

    Attributes:
        measure: "accuracy" against labels, or "chosen" without them.
        comparison: Differences are the first less the second.
    """

    measure: Headline
    comparison: RewardComparison

    def __str__(self) -> str:
        """Both rates, their difference and its test."""
        found, spelling = self.comparison, MEASURES[self.measure].spelling
        shares = {
            "first": found.accuracy_a,
            "second": found.accuracy_b,
            "first less second": found.accuracy_difference,
        }
        told = "; ".join(f"{name} {spelling.whole(share)}" for name, share in shares.items())
        test = found.accuracy_test
        said = test.reason if test.p_value is None else words.p_value(test.p_value)
        return (
            f"{MEASURES[self.measure].label.lower()}, {words.count(found.n, 'pair')}: {told}\n"
            f"only the first right in {found.n_only_a}, only the second in {found.n_only_b}; "
            f"{test_name(found)}: {said}"
        )

    __repr__ = __str__


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All reward models on one score table.

    Example:
        >>> import pandas as pd
        >>> from aas_bench import ScoreTable, summarise
        >>> frame = pd.DataFrame({"r_oidp": [0.2, 0.9], "r_didp": [0.7, 0.4], "label": [1, 1]})
        >>> summary = summarise(ScoreTable.from_frame(frame))
        >>> summary.rewards["r"].headline.value, summary.n_pairs
        (0.5, 2)
        >>> [found.value for found in summary.measurements() if found.measure == "accuracy"]
        [0.5]
        >>> summary.to_pandas().query("measure == 'accuracy'")[["reward", "value", "n"]].values
        array([['r', 0.5, 2]], dtype=object)
        >>> "toprule" in summary.to_latex()
        True

    Attributes:
        rewards: Results by reward model, in the order asked for.
        measure: What the headline is: "accuracy" against labels, or "chosen" without them.
        n_rows: Rows of the score table.
        n_pairs: Pairs behind the headline: the rows, or one row per item where a table holds
            several wordings of one request (the row with the smallest wording).
        n_clusters: Base prompts among them.
        n_wordings: Wordings of a request; 1 where the table does not tell wordings apart.
        models: What made the images.
        by: The column that groups are read from; None where there are none.
        groups: What a Measurement calls these groups, such as "emotion"; None likewise.
        shared: The measures of all reward models together.
        task: The analysis that belongs to the task; None where no task is known.
        doctor: What is odd about rows of the table, with its effect on the headlines.
        analysis: How the table was analysed.
        provenance: Versions, options, source and command.
        table: The scores that all of it is of.
        pairs: The pairs with their images, for a notebook; None where they were not given.
    """

    rewards: Mapping[str, RewardSummary]
    measure: Headline
    n_rows: int
    n_pairs: int
    n_clusters: int
    n_wordings: int
    models: tuple[str, ...]
    by: str | None
    groups: str | None
    shared: Figures
    task: TaskReport | None
    doctor: tuple[RowFinding, ...]
    analysis: Analysis
    provenance: Mapping[str, Any]
    table: ScoreTable = field(compare=False)
    pairs: Any = field(default=None, compare=False)

    def __str__(self) -> str:
        """What a terminal has room for: the pairs, and a line a reward model."""
        level = words.level(self.analysis.confidence_level)
        prompts = words.count(self.n_clusters, "base prompt")
        lines = [f"{words.count(self.n_pairs, 'pair')} of {prompts}; {level} intervals"]
        found = self.measurements()
        for name in list(self.rewards)[:_MOST_LINES]:
            figures = [
                f"{MEASURES[each.measure].label.lower()} "
                + MEASURES[each.measure].spelling.whole(each)
                for measure in (self.measure, "tied", "understood", "override_rate")
                for each in found
                if (each.measure, each.reward, each.group) == (measure, name, None)
                and (measure != "tied" or each.value)
            ]
            lines.append(f"{name}: {'; '.join(figures)}")
        if len(self.rewards) > _MOST_LINES:
            lines.append(f"and {len(self.rewards) - _MOST_LINES} more reward models")
        lines.append("all numbers: .to_pandas(), .to_latex(), .plot(FILE), .to_dict()")
        return "\n".join(_WRAP.fill(line) for line in lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The headline table, and three pairs of images where the pairs are at hand."""
        html: str = import_object(_HTML)(self)
        return html

    def to_pandas(self) -> pd.DataFrame:
        """Every number, a row each: the fields of Measurement are the columns."""
        import pandas as pd

        tidy: pd.DataFrame = pd.DataFrame([found.to_dict() for found in self.measurements()])
        return tidy

    def to_latex(self, *, caption: str | None = None, label: str = "tab:aas-bench") -> str:
        """A table for a paper, a row per reward model; a figure that none has is left out.

        Args:
            caption: Plain text; None: what the figures rest on.
            label: What a reference calls the table.
        """
        names = (self.measure, *_LATEX)
        found = {
            (each.measure, each.reward): each
            for each in self.measurements()
            if each.group is None and each.at is None and each.by is None
        }
        rows = [
            [
                words.latex(reward),
                *(self._latex_cell(found.get((name, reward))) for name in names),
            ]
            for reward in self.rewards
        ]
        return words.latex_table(
            ["Reward model", *(MEASURES[name].label for name in names)],
            rows,
            numeric=[False, *(True for _ in names)],
            caption=caption or f"{str(self).splitlines()[0]} over base prompts.",
            label=label,
            comments=[_CITE],
        )

    @staticmethod
    def _latex_cell(found: Measurement | None) -> str:
        if found is None or found.value is None or (found.measure, found.value) == ("tied", 0):
            return ""
        return words.latex(MEASURES[found.measure].spelling.whole(found))

    def plot(self, path: str | Path, *, name: str | None = None) -> Path:
        """Draw a figure of the report to a file: .svg, .pdf or .png.

        Args:
            path: Its suffix says what is written. PDF and PNG need the extra `plot`.
            name: Which figure; None: the first that the summary has. An unknown name is answered
                with those that there are.

        Raises:
            InputError: The suffix is another, or the summary has no figure.
            UnknownNameError: It has no figure of this name.
            MissingExtraError: The extra `plot` is not installed.
        """
        drawn: Path = import_object(_DRAW)(self, Path(path), name)
        return drawn

    def compare(self, other: Summary, a: str | None = None, b: str | None = None) -> Match:
        """A reward model of this summary against one of another, on the pairs that both hold.

        Args:
            other: May be this one.
            a: The reward model of this summary; None: the only one.
            b: The reward model of the other; None: the only one.

        Raises:
            InputError: A name is left out where there are several, or no pair is shared.
            UnknownNameError: A summary has no reward model of this name.
            MissingScoresError: A score is missing where the analysis forbids it.
        """
        match: Match = import_object(_COMPARE)(self, other, a, b)
        return match

    @property
    def paired(self) -> bool:
        """Whether the rows are pairs; where single images are ranked, nothing is preferred."""
        return self.task is None or self.task.paired

    def ranks(self) -> dict[str, int]:
        """Rank of each reward model: 1 + how many have their whole interval above its own.

        Overlapping intervals share a rank. A reward model without a headline has none.
        """
        known = {name: r.headline for name, r in self.rewards.items() if _bounded(r.headline)}
        return {
            name: 1 + sum((other.low or 0.0) > (mine.high or 0.0) for other in known.values())
            for name, mine in known.items()
        }

    def ordered(self) -> Summary:
        """The same with the highest headline first, for display."""
        best_first = sorted(self.rewards.items(), key=lambda item: -(item[1].headline.value or 0.0))
        return replace(self, rewards=ByName(best_first))

    def measurements(self, kind: Kind | None = None) -> tuple[Measurement, ...]:
        """Every number as a Measurement: what a record holds, and whatever is made from records.

        Args:
            kind: The subject that they are told of. "reward_model": of the one that there is,
                which they do not name; "generator": of what made the images, each reward model
                being named; None: all there is, each reward model being named.

        Raises:
            InputError: `kind` is "reward_model" and there are several, or it is none of these.
        """
        if kind not in (None, *get_args(Kind)):
            kinds = " or ".join(map(repr, get_args(Kind)))
            msg = f"kind={kind!r} is no subject of a record. Use {kinds}, or None for all."
            raise InputError(msg)
        if kind == "reward_model" and len(self.rewards) != 1:
            msg = (
                f"a record tells of one reward model, and {len(self.rewards)} are summarised. "
                "Name one: summarise(table, rewards=[name])."
            )
            raise InputError(msg)
        found = [*_measured(self.shared, kind)]
        for name, reward in self.rewards.items():
            told = None if kind == "reward_model" else name
            found += _measured(reward.figures, kind, reward=told)
            for group, numbers in reward.by.items():
                found += _measured(numbers.figures, kind, reward=told, by=self.groups, group=group)
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "rewards": {name: reward.to_dict() for name, reward in self.rewards.items()},
            "measure": self.measure,
            "n_rows": self.n_rows,
            "n_pairs": self.n_pairs,
            "n_clusters": self.n_clusters,
            "n_wordings": self.n_wordings,
            "models": list(self.models),
            "by": self.by,
            "task": None if self.task is None else self.task.to_dict(),
            "ranks": self.ranks(),
            "doctor": [each.to_dict() for each in self.doctor],
            "measurements": [each.to_dict() for each in self.measurements()],
            "provenance": dict(self.provenance),
        }

    def to_json(self) -> str:
        """One JSON document; undefined numbers are null, never NaN."""
        return json.dumps(self.to_dict(), allow_nan=False, ensure_ascii=False, indent=2)


def test_name(comparison: RewardComparison) -> str:
    """What the test of the two accuracies is called."""
    single = comparison.accuracy_difference.n_clusters in (None, comparison.n)
    return (
        "McNemar's exact test"
        if single and comparison.accuracy_test.method == "binomial"
        else "sign flips by prompt"
    )


def outcome_shares(override: Override) -> dict[str, Estimate]:
    """The four disjoint shares, in the order of `OUTCOMES`."""
    return {name: getattr(override, name) for name in OUTCOMES}


def _measured(
    figures: Figures,
    kind: Kind | None,
    *,
    reward: str | None = None,
    by: str | None = None,
    group: str | None = None,
) -> Iterator[Measurement]:
    for name, placed in figures.items():
        if kind is None or kind in MEASURES[name].kinds:
            for each in placed:
                yield Measurement(
                    measure=name,
                    reward=reward,
                    by=each.by or by,
                    group=each.group or group,
                    at=each.at,
                    **each.estimate.to_dict(),
                )


def _bounded(estimate: Estimate) -> bool:
    return None not in (estimate.value, estimate.low, estimate.high)


def _knob_lists(curve: StrengthCurve) -> dict[str, Any]:
    return {
        "strength": list(curve.strengths),
        curve.measure: [point.value for point in curve.points],
        "low": [point.low for point in curve.points],
        "high": [point.high for point in curve.points],
    }
