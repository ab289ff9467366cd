"""Every check of what a caller gives to a statistic, in one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.stats.estimate import Codes, Labels, Mask, OnMissing, Scores, Ties

# Beyond this, differences and squares of scores could overflow to infinity.
LARGEST_SCORE = 1e150


@dataclass(frozen=True)
class Factor:
    """A column of names: `levels` sorted and distinct, `codes` their positions, one per row."""

    levels: NDArray[Any]
    codes: Codes


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The pairs that a statistic uses, checked: equal lengths, every score present and finite.

    Attributes:
        scores: Columns by name, each of shape (n,), float64.
        label: Shape (n,), in {-1, 0, 1}; None where the caller gave none.
        clusters: Shape (n,); None where pairs count as independent.
        factors: Further columns of names, each with codes of shape (n,).
        n_given: Pairs that the caller gave.
        n_missing: Pairs left out because a score was missing.
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
        """Share of the pairs given that have all their scores."""
        return (self.n_given - self.n_missing) / self.n_given

    def where(self, keep: Mask) -> Sample:
        """The pairs for which `keep` is true; the coverage stays that of the whole."""
        if keep.all():
            return self
        return replace(
            self,
            scores={name: column[keep] for name, column in self.scores.items()},
            label=None if self.label is None else self.label[keep],
            clusters=None if self.clusters is None else self.clusters[keep],
            factors={k: Factor(f.levels, f.codes[keep]) for k, f in self.factors.items()},
        )


def read_sample(
    scores: Mapping[str, ArrayLike],
    *,
    label: ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    factors: Mapping[str, Any] | None = None,
    on_missing: OnMissing = "raise",
) -> Sample:
    """Check one row per pair and leave out rows without scores, if that is allowed.

    Raises:
        MissingScoresError: A score is missing (None, NaN) and `on_missing` is "raise".
        InputError: Anything else is wrong with a column or with `on_missing`.
    """
    check_choice("on_missing", on_missing, get_args(OnMissing))
    columns = {name: read_scores(name, values) for name, values in scores.items()}
    first, n = next((name, len(column)) for name, column in columns.items())
    names = dict(factors or {}) | ({} if clusters is None else {"clusters": clusters})
    labels = None if label is None else read_labels(label)
    sizes = {name: len(column) for name, column in columns.items()}
    if labels is not None:
        sizes["label"] = len(labels)
    found = {name: read_factor(name, values) for name, values in names.items()}
    sizes |= {name: len(factor.codes) for name, factor in found.items()}
    for name, size in sizes.items():
        if size != n:
            msg = f"{first} has {n} values but {name} has {size}. Give one of each per pair."
            raise InputError(msg)
    if n == 0:
        msg = f"{first} is empty. Give at least one pair."
        raise InputError(msg)
    grouping = found.pop("clusters", None)
    sample = Sample(
        scores=columns,
        label=labels,
        clusters=None if grouping is None else grouping.codes,
        factors=found,
        n_given=n,
    )
    return _without_missing(sample, on_missing)


def _without_missing(sample: Sample, on_missing: OnMissing) -> Sample:
    missing = np.zeros(sample.n, dtype=bool)
    for column in sample.scores.values():
        missing |= np.isnan(column)
    n_missing = int(missing.sum())
    if n_missing and on_missing == "raise":
        rows = ", ".join(map(str, np.flatnonzero(missing)[:3]))
        msg = (
            f"{n_missing} of {sample.n} pairs lack a score (first rows, from 0: {rows}). "
            'Pass on_missing="drop" to leave them out and have the coverage reported.'
        )
        raise MissingScoresError(msg)
    return replace(sample.where(~missing), n_missing=n_missing)


def read_scores(name: str, values: ArrayLike) -> Scores:
    """One number per pair as float64, NaN where missing; infinite values are an error."""
    column = _read_numbers(name, values)
    if column.ndim != 1:
        msg = f"{name} has shape {column.shape}. Give one number per pair."
        raise InputError(msg)
    bad = np.abs(column) > LARGEST_SCORE
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        msg = (
            f"{name} holds {int(bad.sum())} infinite or absurdly large values (first in row {row}, "
            f"from 0: {column[row]}). Give finite scores; NaN or None stands for a missing one."
        )
        raise InputError(msg)
    return column


def read_ratings(ratings: ArrayLike) -> Scores:
    """A table (n_units, n_raters) as float64, NaN where a rater gave nothing."""
    table = _read_numbers("ratings", ratings)
    if table.ndim != 2 or 0 in table.shape:
        msg = f"ratings has shape {table.shape}. Give one row per unit, one column per rater."
        raise InputError(msg)
    for column in table.T:
        read_scores("ratings", column)
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


def read_factor(name: str, values: Any) -> Factor:
    """A column of numbers or strings as sorted levels and codes; a missing value is an error."""
    column = np.asarray(values)
    if column.ndim != 1:
        msg = f"{name} has shape {column.shape}. Give one value per pair."
        raise InputError(msg)
    missing = column != column  # NaN alone differs from itself
    if column.dtype == object:
        missing = np.array([item is None or item != item for item in column], dtype=bool)
    if missing.any():
        row = int(np.flatnonzero(missing)[0])
        msg = (
            f"{name} is missing in {int(missing.sum())} rows (first {row}, from 0). Name them all."
        )
        raise InputError(msg)
    try:
        levels, codes = np.unique(column, return_inverse=True)
    except TypeError as error:
        msg = f"{name} mixes kinds of values. Give all numbers or all strings."
        raise InputError(msg) from error
    return Factor(levels, codes.astype(np.int64))


def read_groups(groups: Sequence[Any] | NDArray[Any], n: int) -> dict[str, NDArray[np.intp]]:
    """Rows of each group, by name in sorted order.

    Args:
        groups: n entries: a name each, or a list of names each where a pair is in several groups
            (the dimensions of a request) or, with an empty list, in none.
        n: Pairs.
    """
    if len(groups) != n:
        msg = f"groups has {len(groups)} entries for {n} pairs. Give one per pair."
        raise InputError(msg)
    rows: dict[Any, list[int]] = {}
    for row, entry in enumerate(groups):
        names = entry if isinstance(entry, list | tuple | set | frozenset | np.ndarray) else [entry]
        for name in set(names):
            if name is None or name != name:
                msg = f"groups is missing in row {row} (from 0). Give every pair a group."
                raise InputError(msg)
            rows.setdefault(name, []).append(row)
    return {str(name): np.array(rows[name], dtype=np.intp) for name in sorted(rows, key=str)}


def check_choice(option: str, value: object, allowed: Sequence[str]) -> None:
    """Raise InputError unless `value` is one of `allowed`."""
    if value not in allowed:
        msg = f"{option}={value!r} is not an option. Use {' or '.join(map(repr, allowed))}."
        raise InputError(msg)


def check_ties(ties: object) -> None:
    """Raise InputError unless `ties` is "original" or "half"."""
    check_choice("ties", ties, get_args(Ties))
