"""What a built configuration holds, computed from its Parquet files; images are never read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aas_bench.tables.schema import INDEX, PAIR_ID

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Features

MOST_NAMES: Final = 40
"""Text with more distinct values, or fewer than `LEAST_USES` of each, is no category."""
LEAST_USES: Final = 3
MOST_NUMBERS: Final = 8
"""A column of numbers with more distinct values is a distribution."""
CODES: Final = range(-1, 11)
"""Whole numbers within are counted however few the rows; others only where they recur."""
FEW: Final = 5
"""Of fewer values, deviation and quartiles say less than the values themselves."""
_TEXTS: Final = ("prompt", "caption")
_NAMES: Final = ("_id", "_box", "_sha256", "_source")
"""How columns end that name things: neither prompts nor numbers to summarise."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How often each value occurs; values of a list count in each row that lists them."""

    column: str
    values: tuple[tuple[str, int], ...]
    n_missing: int


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """Numbers of a column, or the lengths of its texts in words.

    All but the counts are None where no row has a value; `sd` (n - 1) and the quartiles also where
    fewer than `FEW` have one.
    """

    column: str
    n: int
    n_missing: int
    mean: float | None
    sd: float | None
    minimum: float | None
    quartile_1: float | None
    median: float | None
    quartile_3: float | None
    maximum: float | None


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Of one configuration.

    Attributes:
        n_rows: Rows.
        n_clusters: Distinct base prompts (`index`); None where there is no such column.
        n_bytes: Of the data before compression.
        n_file_bytes: Of the files.
        counts: Of the categories.
        lengths: Of prompts and captions, in words.
        numbers: Of scores, ratings and other numbers.
    """

    n_rows: int
    n_clusters: int | None
    n_bytes: int
    n_file_bytes: int
    counts: tuple[Counts, ...]
    lengths: tuple[Distribution, ...]
    numbers: tuple[Distribution, ...]


def statistics(files: Sequence[Path], frame: pd.DataFrame) -> Statistics:
    """Describe each column by what it holds; `frame` is the `small_columns` of the files."""
    import pyarrow.parquet as pq

    counts: list[Counts] = []
    lengths: list[Distribution] = []
    numbers: list[Distribution] = []
    for column in frame.columns:
        if column in (PAIR_ID, INDEX):
            continue
        described = _describe(column, frame[column])
        if isinstance(described, Counts):
            counts.append(described)
        elif described is not None:
            kind = lengths if column.startswith(_TEXTS) else numbers
            kind.append(described)
    footers = [pq.read_metadata(file) for file in files]
    groups = [f.row_group(i) for f in footers for i in range(f.num_row_groups)]
    return Statistics(
        n_rows=len(frame),
        n_clusters=int(frame[INDEX].nunique()) if INDEX in frame else None,
        n_bytes=sum(group.total_byte_size for group in groups),
        n_file_bytes=sum(file.stat().st_size for file in files),
        counts=tuple(counts),
        lengths=tuple(lengths),
        numbers=tuple(numbers),
    )


def small_columns(files: Sequence[Path], features: Features) -> pd.DataFrame:
    """All columns but images; class labels by their names."""
    import pandas as pd
    import pyarrow.parquet as pq
    from datasets import Image

    small = [name for name, feature in features.items() if not isinstance(feature, Image)]
    frame = pd.concat(
        [pq.read_table(file, columns=small).to_pandas() for file in files], ignore_index=True
    )
    for name in small:
        inner = getattr(features[name], "feature", features[name])
        if hasattr(inner, "int2str"):
            listed = inner is not features[name]
            frame[name] = [_named(inner, value, listed=listed) for value in frame[name]]
    ordered: pd.DataFrame = frame[small]
    return ordered


def _named(feature: Any, value: Any, *, listed: bool) -> Any:
    if listed:
        return None if value is None else [feature.int2str(int(v)) for v in value]
    # -1 is how `datasets` writes a class label that is not known.
    return None if value is None or value != value or value < 0 else feature.int2str(int(value))


def _describe(column: str, values: pd.Series[Any]) -> Counts | Distribution | None:
    """Categories are counted, prompts and numbers summarised; names and free text are left out."""
    present = values.dropna()
    named = column.endswith(_NAMES)
    if column.startswith(_TEXTS) and not named:
        words = np.array([len(str(text).split()) for text in present], dtype=np.float64)
        return _distribution(column, words, len(values) - len(present))
    if len(present) == 0:
        return Counts(column=column, values=(), n_missing=len(values))
    if isinstance(present.iloc[0], (list, np.ndarray)):
        if any(isinstance(v, (dict, list, np.ndarray)) for row in present for v in row):
            return None
        present = present.explode().dropna()
    elif isinstance(present.iloc[0], dict):
        return None
    numeric = present.map(_is_number).all()
    if numeric and named:
        return None
    distinct = present.nunique()
    few = _is_code(present) if numeric else _is_category(distinct, len(present))
    if few:
        return Counts(
            column=column, values=tuple(_counted(present)), n_missing=int(values.isna().sum())
        )
    if numeric:
        return _distribution(column, present.to_numpy(np.float64), int(values.isna().sum()))
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _is_category(n_distinct: int, n: int) -> bool:
    return n_distinct == 1 or (n_distinct <= MOST_NAMES and n_distinct * LEAST_USES <= n)


def _is_code(values: pd.Series[Any]) -> bool:
    distinct = values.nunique()
    whole = bool(values.isin(CODES).all())
    return distinct <= MOST_NUMBERS and (whole or _is_category(distinct, len(values)))


def _counted(values: pd.Series[Any]) -> Iterator[tuple[str, int]]:
    """Numbers in their order, names by how often they occur."""
    counts = [(value, int(n)) for value, n in values.value_counts().items()]
    if all(_is_number(value) for value, _ in counts):
        order = sorted(counts, key=lambda pair: float(str(pair[0])))
    else:
        order = sorted(counts, key=lambda pair: (-pair[1], str(pair[0])))
    for value, count in order:
        yield (f"{value:g}" if isinstance(value, float) else str(value) or "(empty)"), count


def _distribution(column: str, values: np.ndarray[Any, Any], n_missing: int) -> Distribution:
    if len(values) == 0:
        nothing = dict.fromkeys(
            ("mean", "sd", "minimum", "quartile_1", "median", "quartile_3", "maximum")
        )
        return Distribution(column=column, n=0, n_missing=n_missing, **nothing)
    first, middle, third = np.quantile(values, [0.25, 0.5, 0.75])
    enough = len(values) >= FEW
    return Distribution(
        column=column,
        n=len(values),
        n_missing=n_missing,
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)) if enough else None,
        minimum=float(values.min()),
        quartile_1=float(first) if enough else None,
        median=float(middle),
        quartile_3=float(third) if enough else None,
        maximum=float(values.max()),
    )
