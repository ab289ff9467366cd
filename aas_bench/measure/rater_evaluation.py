"""A rater of single dimensions against what people gave: per dimension, and over all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from aas_bench.errors import InputError, SchemaError
from aas_bench.stats.estimate import Estimate, Result
from aas_bench.stats.gap import paired_gap
from aas_bench.stats.rating import RatingErrors, rating_errors, rounded
from aas_bench.tables.schema import Columns, series

IMAGE: Final = "image"
DIMENSION: Final = "dimension"
JUDGE: Final = "judge"
PREDICTION: Final = "prediction"
RATING: Final = "rating"
APPLIES: Final = "applies"
ROUNDING: Final = "A prediction counts as the nearest whole rating, a half as the higher one."
_PARTS: Final = (PREDICTION, RATING, APPLIES)
_LONG: Final = (IMAGE, DIMENSION, *_PARTS)


@dataclass(frozen=True, kw_only=True)
class Rated(Result):
    """Some of the ratings.

    Attributes:
        n: Ratings that apply and have a prediction.
        n_masked: Rows that do not apply, or that nobody rated.
        rater: The predictions against them.
        guess: The most frequent rating of each dimension in their place. It is read off the same
            ratings, which flatters it a little.
        accuracy_above_guess: The rater's accuracy less that of the guess, on the same rows.
    """

    n: int
    n_masked: int
    rater: RatingErrors
    guess: RatingErrors
    accuracy_above_guess: Estimate


@dataclass(frozen=True, kw_only=True)
class RaterEvaluation(Result):
    """A rater's evaluation.

    Attributes:
        overall: On all rows.
        by_dimension: On those of each dimension.
        rounding: How a prediction between two ratings counts.
    """

    overall: Rated
    by_dimension: Mapping[str, Rated]
    rounding: str = ROUNDING


def evaluate_rater(columns: Columns, *, confidence_level: float = 0.95) -> RaterEvaluation:
    """Compare a rater's predictions with people's ratings.

    Args:
        columns: One row per image and dimension: `dimension`, `prediction`, `rating`; or one row
            per image: `<dimension>_prediction` and `<dimension>_rating`. `applies` (or
            `<dimension>_applies`) is false where a dimension does not apply to an image; a null
            rating says the same. `image` tells which rows are of one image; without it, in the
            first form, rows count as independent.
        confidence_level: Of every interval, in (0, 1).

    Raises:
        SchemaError: A column is absent.
        InputError: Nothing is left to compare.
    """
    frame = _long(columns)
    used = frame[APPLIES] & frame[RATING].notna()
    rows = frame[used]
    if rows.empty or rows[PREDICTION].isna().all():
        msg = "no row has a prediction and a rating that applies. Give both columns some values."
        raise InputError(msg)
    mode = rows.groupby(DIMENSION)[RATING].agg(lambda given: given.mode().iloc[0])
    rows = rows.assign(guess=rows[DIMENSION].map(mode))

    def rated(part: pd.DataFrame, n_given: int) -> Rated:
        return _rated(part, n_given - len(part), confidence_level)

    given = frame[DIMENSION].value_counts()
    return RaterEvaluation(
        overall=rated(rows, len(frame)),
        by_dimension={
            str(name): rated(part, int(given[name]))
            for name, part in rows.groupby(DIMENSION, sort=False)
        },
    )


def of_judge(columns: Columns, judge: str | None) -> Columns:
    """The predictions of one judge, of a table that several may have rated in.

    Raises:
        InputError: There are several and none is named, or none of this name.
    """
    if JUDGE not in columns:
        return columns
    frame = pd.DataFrame({name: series(each) for name, each in columns.items()})
    names = frame[JUDGE].unique().tolist()
    if (judge is None and len(names) > 1) or judge not in (None, *names):
        msg = f"the ratings are by {', '.join(map(str, names))}. Name one of them with --judge."
        raise InputError(msg)
    kept = frame if judge is None else frame[frame[JUDGE] == judge]
    return {str(name): kept[name].reset_index(drop=True) for name in kept}


def joined(predictions: Columns, ratings: Columns) -> Columns:
    """The predictions with the ratings of the same image and dimension.

    Raises:
        InputError: A table lacks a column, or rates one thing twice.
    """
    keys = [IMAGE, DIMENSION]
    for columns, needed in ((predictions, keys), (ratings, [*keys, RATING])):
        absent = [name for name in needed if name not in columns]
        if absent:
            msg = f"a table has no column {absent[0]!r}. Two are joined by {IMAGE} and {DIMENSION}."
            raise InputError(msg)
    given = pd.DataFrame({n: series(ratings[n]) for n in (*keys, RATING, APPLIES) if n in ratings})
    if given.duplicated(keys).any():
        msg = "the ratings hold an image and dimension twice. Give one rating each."
        raise InputError(msg)
    left = pd.DataFrame(
        {n: series(c) for n, c in predictions.items() if n not in (RATING, APPLIES)}
    )
    found = left.merge(given, on=keys, how="left")
    return {str(name): found[name] for name in found}


def _rated(rows: pd.DataFrame, n_masked: int, confidence_level: float) -> Rated:
    options: dict[str, Any] = {
        "clusters": rows[IMAGE].astype(str).to_numpy(dtype=object),
        "on_missing": "drop",
        "confidence_level": confidence_level,
    }
    prediction, rating, guess = (
        rows[name].to_numpy(np.float64) for name in (PREDICTION, RATING, "guess")
    )
    right = np.where(np.isnan(prediction), np.nan, rounded(prediction) == rating)
    return Rated(
        n=int((~np.isnan(prediction)).sum()),
        n_masked=n_masked,
        rater=rating_errors(prediction, rating, **options),
        guess=rating_errors(np.where(np.isnan(prediction), np.nan, guess), rating, **options),
        accuracy_above_guess=paired_gap(right, (guess == rating).astype(float), **options).gap,
    )


def _long(columns: Columns) -> pd.DataFrame:
    if PREDICTION in columns:
        missing = [name for name in (DIMENSION, RATING) if name not in columns]
        if missing:
            msg = f"the table has no column {missing[0]!r}. Give {DIMENSION} and {RATING}."
            raise SchemaError(msg)
        frame = pd.DataFrame({name: series(columns[name]) for name in columns if name in _LONG})
        return _typed(frame if IMAGE in frame else frame.assign(**{IMAGE: np.arange(len(frame))}))
    ending = f"_{PREDICTION}"
    names = [n.removesuffix(ending) for n in columns if n.endswith(ending)]
    absent = [f"{n}_{RATING}" for n in names if f"{n}_{RATING}" not in columns]
    if not names or absent:
        lacks = repr(absent[0]) if absent else f"{PREDICTION!r} and none ending in {ending!r}"
        msg = (
            f"the table has no column {lacks}. Give {DIMENSION}, {PREDICTION} and {RATING}, "
            f"or <{DIMENSION}>{ending} and <{DIMENSION}>_{RATING}."
        )
        raise SchemaError(msg)
    parts = []
    for name in names:
        found = {p: series(columns[f"{name}_{p}"]) for p in _PARTS if f"{name}_{p}" in columns}
        part = pd.DataFrame(found)
        image = series(columns[IMAGE]) if IMAGE in columns else np.arange(len(part))
        parts.append(part.assign(**{DIMENSION: name, IMAGE: image}))
    return _typed(pd.concat(parts, ignore_index=True))


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    for name in (PREDICTION, RATING):
        try:
            frame[name] = pd.to_numeric(frame[name]).astype(np.float64)
        except (TypeError, ValueError) as error:
            msg = f"column {name!r} holds something that is no number. Give numbers or nulls."
            raise SchemaError(msg) from error
    if APPLIES in frame:
        frame[APPLIES] = frame[APPLIES].fillna(value=False).astype(bool)
    else:
        frame[APPLIES] = True
    return frame
