"""Every check of what a caller gives to a statistic, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import index
from typing import Any, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.stats.estimate import Codes, Labels, Mask, OnMissing, Scores

Rows: TypeAlias = Mask | NDArray[np.intp]

# Beyond this, differences and squares of scores could overflow to infinity.
LARGEST_SCORE = 1e150


@dataclass(frozen=True)
class Factor:
    """A column of names: `levels` sorted and distinct, `codes` their positions, one per row."""

    levels: NDArray[Any]
    codes: Codes


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Pairs whose columns have been checked.

    Attributes:
        scores: Columns by name, each of shape (n,), finite or NaN where missing.
        label: Shape (n,), in {-1, 0, 1}; None where the caller gave none.
        clusters: Shape (n,); None where pairs count as independent.
        factors: Further columns of names, each with codes of shape (n,).
        n_given: Pairs of which these are what is left.
        n_missing: How many of those were left out because a score was missing.
    """

    scores: dict[str, Scores]
    label: Labels | None = None
    clusters: Codes | None = None
    factors: dict[str, Factor] = field(default_factory=dict)
    n_given: int
    n_missing: int = 0

    @property
    def n(self) -> int:
        """Pairs in the sample."""
        return len(next(iter(self.scores.values())))

    @property
    def coverage(self) -> float:
        """Share of the pairs given that have all their scores; 0 where none were given."""
        return 1 - self.n_missing / self.n_given if self.n_given else 0.0

    def where(self, keep: Rows) -> Sample:
        """Some of the pairs; the coverage stays that of all."""
        return replace(
            self,
            scores={name: column[keep] for name, column in self.scores.items()},
            label=None if self.label is None else self.label[keep],
            clusters=None if self.clusters is None else self.clusters[keep],
            factors={k: Factor(f.levels, f.codes[keep]) for k, f in self.factors.items()},
        )

    def part(self, keep: Rows) -> Sample:
        """Some of the pairs, as if they had been given alone."""
        chosen = self.where(keep)
        return replace(chosen, n_given=chosen.n)

    def complete(self) -> Sample:
        """The pairs that have all their scores."""
        missing = _missing(self.scores)
        n_missing = int(missing.sum())
        return replace(self.where(~missing), n_missing=n_missing) if n_missing else self

    def labelled(self) -> Sample:
        """The pairs whose label is 0 or 1; all, where the caller gave no labels."""
        return self if self.label is None else self.where(self.label >= 0)


def read_sample(
    scores: Mapping[str, ArrayLike],
    *,
    label: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    factors: Mapping[str, ArrayLike] | None = None,
    on_missing: OnMissing = "raise",
) -> Sample:
    """Check columns with one row per pair; rows without scores stay until `complete`.

    Raises:
        MissingScoresError: A score is missing (None, NaN) and `on_missing` is "raise".
        InputError: Anything else is wrong with a column or with `on_missing`.
    """
    check_choice("on_missing", on_missing, get_args(OnMissing))
    columns = {name: read_scores(name, values) for name, values in scores.items()}
    labels = None if label is None else read_labels(label)
    names = dict(factors or {}) | ({} if clusters is None else {"clusters": clusters})
    found = {name: read_factor(name, values) for name, values in names.items()}
    sizes = {name: len(column) for name, column in columns.items()}
    sizes |= {} if labels is None else {"label": len(labels)}
    sizes |= {name: len(factor.codes) for name, factor in found.items()}
    check_sizes(sizes, "values")
    grouping = found.pop("clusters", None)
    if on_missing == "raise":
        _check_none_missing(columns)
    return Sample(
        scores=columns,
        label=labels,
        clusters=None if grouping is None else grouping.codes,
        factors=found,
        n_given=len(next(iter(columns.values()))),
    )


def check_sizes(sizes: Mapping[str, int], what: str) -> None:
    """Raise InputError unless all columns are of one length, and that is not 0."""
    first, n = next(iter(sizes.items()))
    for name, size in sizes.items():
        if size != n:
            msg = f"{first} has {n} {what} but {name} has {size}. Give one of each per pair."
            raise InputError(msg)
    if n == 0:
        msg = f"{first} is empty. Give at least one pair."
        raise InputError(msg)


def _check_none_missing(columns: Mapping[str, Scores]) -> None:
    missing = np.flatnonzero(_missing(columns))
    if len(missing):
        n = len(next(iter(columns.values())))
        rows = ", ".join(map(str, missing[:3]))
        msg = (
            f"{len(missing)} of {n} pairs lack a score (first rows, from 0: {rows}). "
            'Pass on_missing="drop" to leave them out and have the coverage reported.'
        )
        raise MissingScoresError(msg)


def _missing(columns: Mapping[str, Scores]) -> Mask:
    missing: Mask = np.any([np.isnan(column) for column in columns.values()], axis=0)
    return missing


def read_scores(name: str, values: ArrayLike) -> Scores:
    """One number per pair as float64, NaN where missing; infinite values are an error."""
    column = _read_numbers(name, values)
    if column.ndim != 1:
        msg = f"{name} has shape {column.shape}. Give one number per pair."
        raise InputError(msg)
    _check_finite(name, column)
    return column


def read_labels(label: ArrayLike) -> Labels:
    """Labels as int8 in {-1, 0, 1}."""
    column = _read_numbers("label", label)
    if column.ndim != 1:
        msg = f"label has shape {column.shape}. Give one label per pair."
        raise InputError(msg)
    bad = ~np.isin(column, (-1.0, 0.0, 1.0))
    if bad.any():
        found = ", ".join(f"{value:g}" for value in np.unique(column[bad])[:3])
        msg = (
            f"{int(bad.sum())} of {len(column)} labels are not 1, 0 or -1 (found {found}). "
            "Use 1 where the distorted image fits better, 0 where the original does, -1 for a tie."
        )
        raise InputError(msg)
    return column.astype(np.int8)


def read_ratings(ratings: ArrayLike) -> Scores:
    """A table (n_units, n_raters) as float64, NaN where a rater gave nothing."""
    table = _read_numbers("ratings", ratings)
    if table.ndim != 2 or 0 in table.shape:
        msg = f"ratings has shape {table.shape}. Give one row per unit and one column per rater."
        raise InputError(msg)
    _check_finite("ratings", table.ravel())
    return table


def _read_numbers(name: str, values: ArrayLike) -> Scores:
    try:
        raw = np.asarray(values)
        if raw.dtype.kind not in "biufO":
            raise TypeError(raw.dtype)
        return raw.astype(np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{name} is not a column of numbers. Give one number per pair."
        raise InputError(msg) from error


def _check_finite(name: str, column: Scores) -> None:
    bad = np.flatnonzero(np.abs(column) > LARGEST_SCORE)
    if len(bad):
        msg = (
            f"{name} holds {len(bad)} infinite or absurdly large values (first at {bad[0]}, from "
            f"0: {column[bad[0]]}). Give finite scores; NaN or None stands for a missing one."
        )
        raise InputError(msg)


def read_factor(name: str, values: ArrayLike) -> Factor:
    """A column of names as sorted levels and codes; a missing or mixed column is an error."""
    mixed = f"{name} mixes kinds of values. Give all numbers or all strings."
    try:
        column = np.asarray(values)
    except ValueError as error:
        raise InputError(mixed) from error
    if column.ndim != 1:
        msg = f"{name} has shape {column.shape}. Give one value per pair."
        raise InputError(msg)
    missing = np.flatnonzero(_missing_names(column))
    if len(missing):
        msg = (
            f"{name} is missing in {len(missing)} of {len(column)} rows (first {missing[0]}, from "
            "0). Give every pair one."
        )
        raise InputError(msg)
    try:
        levels, codes = _encoded(column)
    except TypeError as error:
        raise InputError(mixed) from error
    return Factor(levels, codes)


def _encoded(column: NDArray[Any]) -> tuple[NDArray[Any], Codes]:
    """Sorted distinct values, and the position of each row's among them."""
    if column.dtype.kind in "iufb":
        levels, codes = np.unique(column, return_inverse=True)
        return levels, codes.astype(np.int64)
    # Hashing a million strings takes a tenth of the time of sorting them.
    names = column.tolist()
    distinct = sorted(set(names))
    position = {name: i for i, name in enumerate(distinct)}
    codes = np.fromiter(map(position.__getitem__, names), dtype=np.int64, count=len(names))
    return np.array(distinct, dtype=column.dtype), codes


def _missing_names(column: NDArray[Any]) -> Mask:
    if column.dtype == object:
        return np.array([_is_missing(item) for item in column], dtype=bool)
    # NaN alone differs from itself.
    different: Mask = column != column
    return different


def _is_missing(item: Any) -> bool:
    # Comparing pandas' NA gives NA again, which is neither true nor false.
    return item is None or type(item).__name__ == "NAType" or bool(item != item)


def read_groups(groups: Sequence[Any] | NDArray[Any], n: int) -> dict[str, NDArray[np.intp]]:
    """Rows of each group, by name in sorted order.

    Args:
        groups: n entries: a name each, or a list of names each where a pair is in several groups
            (the dimensions of a request) or, with an empty list, in none.
        n: Pairs.

    Raises:
        InputError: There are not n entries, or one is missing.
    """
    if len(groups) != n:
        msg = f"groups has {len(groups)} entries for {n} pairs. Give one per pair."
        raise InputError(msg)
    entries = groups.tolist() if isinstance(groups, np.ndarray) else list(groups)
    if any(isinstance(entry, list | tuple | set | frozenset | np.ndarray) for entry in entries):
        lists = [
            entry if isinstance(entry, list | tuple | set | frozenset | np.ndarray) else [entry]
            for entry in entries
        ]
        row = np.repeat(np.arange(n), np.fromiter(map(len, lists), dtype=np.intp, count=n))
        entries = list(chain.from_iterable(lists))
    else:
        row = np.arange(n)
    names = {}
    for entry in dict.fromkeys(entries):
        if _is_missing(entry):
            first = next(i for i, name in enumerate(entries) if _is_missing(name))
            msg = f"groups is missing in row {row[first]} (from 0). Give every pair a group."
            raise InputError(msg)
        names[entry] = str(entry)
    position = {name: i for i, name in enumerate(sorted(set(names.values())))}
    place = {entry: position[name] for entry, name in names.items()}
    codes = np.fromiter(map(place.__getitem__, entries), dtype=np.int64, count=len(entries))
    # Sorted by group, then by row; a name given twice for one pair counts once.
    order = np.argsort(codes, kind="stable")
    codes, row = codes[order], row[order]
    once = np.r_[True, (codes[1:] != codes[:-1]) | (row[1:] != row[:-1])][: len(codes)]
    codes, row = codes[once], row[once]
    ends = np.searchsorted(codes, np.arange(len(position) + 1))
    return {name: row[ends[i] : ends[i + 1]] for name, i in position.items()}


def check_choice(option: str, value: object, allowed: Sequence[str]) -> None:
    """Raise InputError unless `value` is one of `allowed`."""
    if value not in allowed:
        msg = f"{option}={value!r} is not an option. Use {' or '.join(map(repr, allowed))}."
        raise InputError(msg)


def check_count(option: str, value: Any) -> None:
    """Raise InputError unless `value` is a whole number of 0 or more."""
    try:
        fits = index(value) >= 0
    except TypeError:
        fits = False
    if not fits:
        msg = f"{option}={value!r} does not fit. Give a whole number of 0 or more."
        raise InputError(msg)


def check_confidence_level(value: Any) -> None:
    """Raise InputError unless `value` lies strictly between 0 and 1."""
    if not isinstance(value, int | float) or not 0 < value < 1:
        msg = f"confidence_level={value!r} does not lie between 0 and 1. Give one such as 0.95."
        raise InputError(msg)
