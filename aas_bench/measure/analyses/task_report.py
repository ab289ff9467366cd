"""What the analysis of a task returns: figures with their intervals, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from aas_bench.stats.estimate import Estimate, Result

Unit: TypeAlias = Literal["share", "score", "position", "correlation"]
ByReward: TypeAlias = Mapping[str, Estimate]
Groups: TypeAlias = Mapping[str, ByReward]


@dataclass(frozen=True, kw_only=True)
class Breakdown(Result):
    """One figure of a task: over everything, and by group.

    Attributes:
        name: For JSON and ids, such as "gap".
        title: What is measured, as a heading.
        unit: "share" in [0, 1]; "score" in units of each reward, which no axis can share;
            "position" where 0 and 1 are the ends of a table; "correlation" in [-1, 1].
        neutral: Where the figure says nothing either way; None where no value does.
        neutral_name: What that place is called, such as "chance".
        note: How to read it, in a sentence; "" where the title is enough.
        overall: Over everything, by reward model.
        by: By grouping, such as "element", then by group, then by reward model. Groups of one
            grouping may overlap.
    """

    name: str
    title: str
    unit: Unit
    neutral: float | None = None
    neutral_name: str = ""
    note: str = ""
    overall: ByReward
    by: Mapping[str, Groups]


@dataclass(frozen=True, kw_only=True)
class TaskReport(Result):
    """The analysis that belongs to one task.

    Attributes:
        task: Its name.
        question: What it asks, in a sentence.
        paired: Whether the rows are pairs; where they are not, the preference figures do not apply.
        analyses: The figures, the most important first.
        findings: What each reward model did, in a sentence without its name.
        notes: What could not be analysed and why, and where outside figures come from.
    """

    task: str
    question: str
    paired: bool = True
    analyses: tuple[Breakdown, ...] = ()
    findings: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def groupings(self) -> frozenset[str]:
        """Every grouping of every figure."""
        return frozenset(grouping for analysis in self.analyses for grouping in analysis.by)

    def remark(self, analysis: str, reward: str, group: str | None = None) -> str:
        """What else stands beside one estimate, such as a p-value; "" for nothing."""
        return ""
