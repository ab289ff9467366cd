"""How far people agree with each other, and judges with people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aas_bench.errors import InputError
from aas_bench.measure.judge_figures import halved
from aas_bench.measure.rows import memberships
from aas_bench.stats.agreement import Level, krippendorff_alpha, quadratic_kappa
from aas_bench.stats.estimate import Estimate, Mask, Result, Scores
from aas_bench.stats.preference import chosen
from aas_bench.tables.judge_columns import is_label_column, label_column
from aas_bench.tables.schema import (
    DIMENSIONS,
    INDEX,
    LABEL,
    PAIR_ID,
    VOTE,
    Columns,
    values,
)
from aas_bench.tables.votes import VoteTable, majority

_CHOICES: Final = (1, 0, -1)
_NOBODY: Final = Estimate(value=None, n=0, reason="nobody else voted on these pairs")
_NO_SIDE: Final = Estimate(value=None, n=0, reason="no vote says the side")
_NONE_BOTH: Final = Estimate(value=None, n=0, reason="no pair has both")


@dataclass(frozen=True, kw_only=True)
class Agreed(Result):
    """Two raters on the pairs that both judged.

    Attributes:
        kappa: Quadratic-weighted, a tie halfway between the images.
        same: Share of these pairs with the same answer, ties included.
    """

    kappa: Estimate
    same: Estimate


@dataclass(frozen=True, kw_only=True)
class Rater(Result):
    """One person.

    Attributes:
        n_votes: Pairs judged.
        n_ties: Ties among them.
        n_skipped: Pairs skipped.
        seconds: The median time of a vote; None where unknown.
        chose_left: Share of the choices that fell on the left image; 0.5 without a habit.
        with_others: Against the majority of all others.
    """

    n_votes: int
    n_ties: int
    n_skipped: int
    seconds: float | None
    chose_left: Estimate
    with_others: Agreed


@dataclass(frozen=True, kw_only=True)
class Within(Result):
    """Agreement on some of the pairs.

    Attributes:
        alpha: Krippendorff's alpha of all raters by level of measurement, a tie halfway.
        judges: Each judge against the majority of people.
    """

    alpha: Mapping[Level, Estimate]
    judges: Mapping[str, Agreed]


@dataclass(frozen=True, kw_only=True)
class VoteAgreement(Result):
    """What votes say of each other and of judges.

    Attributes:
        n_pairs: Pairs that anybody judged.
        overall: On all of them.
        raters: By name.
        between: Each two raters, "a | b".
        by_dimension: On the pairs that ask for each dimension; empty where nobody says which do.
    """

    n_pairs: int
    overall: Within
    raters: Mapping[str, Rater]
    between: Mapping[str, Agreed]
    by_dimension: Mapping[str, Within]


def agreement_of(
    votes: VoteTable, known: Columns | None = None, *, confidence_level: float = 0.95
) -> VoteAgreement:
    """Measure the agreement of votes.

    Args:
        votes: Of one or several people.
        known: Columns of the pairs, with `pair_id`: `label`, `label_<judge>` and `<judge>_selected`
            are judges, `index` says which pairs share a base prompt, `dimensions` what a pair asks
            for.
        confidence_level: Of every interval, in (0, 1).
    """
    rated = halved(votes.choice)
    facts = _Facts.of(votes, known or {})
    people = majority(votes.choice)
    options: dict[str, Any] = {"confidence_level": confidence_level}

    def within(rows: Mask) -> Within:
        clusters = facts.clusters[rows]
        return Within(
            alpha={
                level: krippendorff_alpha(rated[rows], level=level, clusters=clusters, **options)
                for level in get_args(Level)
            },
            judges={
                name: _agreed(halved(judge)[rows], halved(people)[rows], clusters, options)
                for name, judge in facts.judges.items()
            },
        )

    judged = ~np.isnan(people)
    return VoteAgreement(
        n_pairs=int(judged.sum()),
        overall=within(judged),
        raters={
            name: _rater(votes, number, facts.clusters, options)
            for number, name in enumerate(votes.raters)
        },
        between={
            f"{votes.raters[a]} | {votes.raters[b]}": _agreed(
                rated[:, a], rated[:, b], facts.clusters, options
            )
            for a, b in combinations(range(len(votes.raters)), 2)
        },
        by_dimension={
            name: within(rows & judged)
            for name, rows in facts.dimensions.items()
            if np.any(rows & judged)
        },
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Facts:
    """What a table says of the pairs that were voted on, in their order."""

    clusters: NDArray[Any]
    judges: Mapping[str, Scores]
    dimensions: Mapping[str, Mask]

    @classmethod
    def of(cls, votes: VoteTable, known: Columns) -> _Facts:
        row = {name: i for i, name in enumerate(values(known.get(PAIR_ID, [])))}
        at = np.array([row.get(pair_id, -1) for pair_id in votes.pair_ids], dtype=int)
        names = [n for n in known if n.endswith(VOTE) or is_label_column(n)]
        if any(label in (0, 1) for label in values(known.get(LABEL, []))):  # else there are none
            names.insert(0, LABEL)
        judges = {_judge(n): _taken(n, known[n], at) for n in names}
        index = values(known[INDEX]) if INDEX in known else None
        clusters = np.array(
            [
                f"pair {pair_id}" if index is None or i < 0 else f"index {index[i]}"
                for i, pair_id in zip(at, votes.pair_ids, strict=True)
            ]
        )
        asked = values(known[DIMENSIONS]) if DIMENSIONS in known else []
        groups = memberships(pd.Series([asked[i] if asked and i >= 0 else None for i in at]))
        return cls(clusters=clusters, judges=judges, dimensions=groups.masks())


def _judge(column: str) -> str:
    return column.removesuffix(VOTE).removeprefix(label_column(""))


def _taken(name: str, column: Any, at: NDArray[np.intp]) -> Scores:
    cells = pd.Series(values(column), dtype=object)
    given = pd.to_numeric(cells, errors="coerce")
    if not given[cells.notna()].isin(_CHOICES).all():
        msg = f"column {name!r} holds something other than 1, 0, -1 and null. Mend it."
        raise InputError(msg)
    return np.where(at >= 0, given.to_numpy(np.float64)[at], np.nan)


def _rater(
    votes: VoteTable, number: int, clusters: NDArray[Any], options: Mapping[str, Any]
) -> Rater:
    name, own = votes.raters[number], votes.choice[:, number]
    others = majority(np.delete(votes.choice, number, axis=1))
    left = votes.left[:, number]
    sided = ~np.isnan(left)
    return Rater(
        n_votes=int((~np.isnan(own)).sum()),
        n_ties=int((own == -1).sum()),
        n_skipped=votes.n_skipped[name],
        seconds=votes.seconds[name],
        chose_left=chosen(2 * left[sided] - 1, clusters=clusters[sided], **options)
        if sided.any()
        else _NO_SIDE,
        with_others=_agreed(halved(own), halved(others), clusters, options, none=_NOBODY),
    )


def _agreed(
    a: Scores,
    b: Scores,
    clusters: NDArray[Any],
    options: Mapping[str, Any],
    *,
    none: Estimate = _NONE_BOTH,
) -> Agreed:
    both = ~np.isnan(a) & ~np.isnan(b)
    if not both.any():
        return Agreed(kappa=none, same=none)
    same = np.where(a[both] == b[both], 1.0, -1.0)
    return Agreed(
        kappa=quadratic_kappa(a[both], b[both], clusters=clusters[both], **options),
        same=chosen(same, clusters=clusters[both], **options),
    )
