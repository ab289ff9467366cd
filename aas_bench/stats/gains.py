"""Gains under real and placebo requests: how much the requested image wins or loses by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.stats.estimate import Mask, OnMissing, Scores
from aas_bench.stats.inputs import Sample, read_sample, read_scores

# One value per pair, one row per pair, or one sequence per pair, of any lengths.
Table: TypeAlias = ArrayLike | Sequence[Sequence[float]]

# Rounding of a difference of gains, in units of the largest: each is itself a difference.
_ROUNDING: Final = 2.0**-50


@dataclass(frozen=True, kw_only=True)
class Gains:
    """Gains d(P) = s(requested image, P) - s(polished image, P) of pairs that have been checked.

    Attributes:
        sample: One row per pair: labels, clusters, coverage.
        real: Under the pair's own request, shape (n, n_wordings), NaN where missing.
        placebo: Under its placebos, shape (n, n_placebos), NaN where missing, or beyond the last
            of a pair that has fewer.
        n_placebos: Shape (n,): placebos that each pair was given, missing ones included.
        tolerance: Shape (n,): differences of gains below this size are 0, and gains below half of
            it.
    """

    sample: Sample
    real: Scores
    placebo: Scores
    n_placebos: NDArray[np.int64]
    tolerance: Scores

    @property
    def n(self) -> int:
        """Pairs."""
        return len(self.real)

    def where(self, keep: Mask) -> Gains:
        """Some of the pairs; the coverage stays that of all."""
        return replace(
            self,
            sample=self.sample.where(keep),
            real=self.real[keep],
            placebo=self.placebo[keep],
            n_placebos=self.n_placebos[keep],
            tolerance=self.tolerance[keep],
        )

    def complete(self) -> Gains:
        """The pairs that have a real gain and a placebo gain."""
        lacks: Mask = np.all(np.isnan(self.real), axis=1) | np.all(np.isnan(self.placebo), axis=1)
        kept = self.where(~lacks)
        return replace(kept, sample=replace(kept.sample, n_missing=int(lacks.sum())))


def read_gains(
    real: Table,
    placebo: Table,
    *,
    labels: ArrayLike | None,
    clusters: ArrayLike | None,
    tolerance: ArrayLike | None,
    on_missing: OnMissing,
) -> Gains:
    """Check what a caller gives; pairs without gains stay until `complete`.

    Raises:
        MissingScoresError: A gain is missing and `on_missing` is "raise".
        InputError: Anything else is wrong.
    """
    real_gains, n_real = _read_table("real", real)
    placebo_gains, n_placebos = _read_table("placebo", placebo)
    sample = read_sample(
        {"real": real_gains[:, 0], "placebo": placebo_gains[:, 0]},
        label=labels,
        clusters=clusters,
        on_missing="raise" if on_missing not in ("raise", "drop") else "drop",
    )
    if on_missing == "raise":
        _check_none_missing(_lacking(real_gains, n_real) | _lacking(placebo_gains, n_placebos))
    return Gains(
        sample=sample,
        real=real_gains,
        placebo=placebo_gains,
        n_placebos=n_placebos,
        tolerance=_read_tolerance(tolerance, np.hstack([real_gains, placebo_gains])),
    )


def _read_tolerance(tolerance: ArrayLike | None, gains: Scores) -> Scores:
    if tolerance is None:
        largest: Scores = np.nanmax(np.abs(gains), axis=1, initial=0.0)
        return _ROUNDING * largest
    column = read_scores("tolerance", np.atleast_1d(np.asarray(tolerance)))
    if len(column) not in (1, len(gains)) or (column < 0).any():
        msg = f"tolerance does not fit {len(gains)} pairs. Give a number of 0 or more, or one each."
        raise InputError(msg)
    return np.broadcast_to(column, (len(gains),))


def _read_table(name: str, table: Table) -> tuple[Scores, NDArray[np.int64]]:
    """The table as float64, and how many values each row was given."""
    try:
        raw = np.asarray(table)
    except ValueError:  # rows of unequal length
        raw = np.empty(len(table), dtype=object)  # type: ignore[arg-type]
        raw[:] = list(table)  # type: ignore[arg-type]
    if raw.ndim == 1 and raw.dtype == object and any(np.ndim(row) for row in raw):
        return _pad(name, raw)
    if raw.ndim == 1:
        raw = raw[:, None]
    if raw.ndim != 2 or 0 in raw.shape:
        msg = f"{name} has shape {raw.shape}. Give at least one pair, and one row per pair."
        raise InputError(msg)
    values = read_scores(name, raw.ravel()).reshape(raw.shape)
    return values, np.full(len(raw), raw.shape[1], dtype=np.int64)


def _pad(name: str, rows: NDArray[Any]) -> tuple[Scores, NDArray[np.int64]]:
    columns = [read_scores(name, np.atleast_1d(row)) for row in rows]
    sizes = np.array([len(column) for column in columns])
    padded = np.full((len(columns), max(int(sizes.max()), 1)), np.nan)
    for row, column in zip(padded, columns, strict=True):
        row[: len(column)] = column
    return padded, sizes


def _lacking(table: Scores, sizes: NDArray[np.int64]) -> Mask:
    """Pairs of which a given value is missing, or that were given none."""
    given = np.arange(table.shape[1]) < sizes[:, None]
    lacking: Mask = (np.isnan(table) & given).any(axis=1) | (sizes == 0)
    return lacking


def _check_none_missing(lacking: Mask) -> None:
    if lacking.any():
        rows = ", ".join(map(str, np.flatnonzero(lacking)[:3]))
        msg = (
            f"{int(lacking.sum())} of {len(lacking)} pairs lack a gain under their request or a "
            f'placebo (first rows, from 0: {rows}). Pass on_missing="drop" to go on with what '
            "there is and have the coverage reported."
        )
        raise MissingScoresError(msg)
