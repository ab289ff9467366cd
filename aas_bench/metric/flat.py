"""Results as `evaluate` returns them: one flat dict of plain JSON values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from aas_bench.stats.estimate import Estimate, Result, Ties
from aas_bench.stats.inputs import read_groups

Rows: TypeAlias = NDArray[np.intp] | slice
Measure: TypeAlias = Callable[[Rows], Result]

EVERY_ROW = slice(None)


def flatten(result: Result) -> dict[str, Any]:
    """Each estimate as `key` and `key_ci` ([low, high] or None), counts as they are.

    `coverage` is the share of the pairs that have their scores, `n_clusters` how many clusters
    they form (None where pairs count as independent), and `reasons` says of each null why it is.
    """
    flat: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    estimates: list[Estimate] = []
    for field in fields(result):
        value = getattr(result, field.name)
        if not isinstance(value, Estimate):
            flat[field.name] = value
            continue
        estimates.append(value)
        flat[field.name] = value.value
        flat[f"{field.name}_ci"] = None if value.low is None else [value.low, value.high]
        if value.reason is not None:
            reasons[field.name] = value.reason
    flat["n_clusters"] = estimates[0].n_clusters
    flat["coverage"] = estimates[0].coverage
    flat["reasons"] = reasons
    return flat


def by_group(measure: Measure, groups: Sequence[Any] | None, n: int) -> dict[str, dict[str, Any]]:
    """The flat result within each group; without groups, none.

    Args:
        measure: Computes the result on some of the rows.
        groups: A name per pair, or a list of names where a pair is in several groups.
        n: Pairs.
    """
    if groups is None:
        return {}
    return {name: flatten(measure(rows)) for name, rows in read_groups(groups, n).items()}


def by_ties(measure: Callable[..., Result], *, tied: float | None) -> dict[str, dict[str, Any]]:
    """The flat result by what a tie counts as; without ties, none.

    Args:
        measure: Computes the result on some of the rows, under a rule `ties`.
        tied: Share of ties.
    """
    rules = get_args(Ties) if tied else ()
    return {ties: flatten(measure(EVERY_ROW, ties=ties)) for ties in rules}


def some(column: Any, rows: Rows) -> Any:
    """The rows of an optional column."""
    return None if column is None else np.asarray(column)[rows]
