"""Bring a frame with scores, of any known form, into the canonical columns and types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aas_bench.errors import SchemaError, UnknownNameError
from aas_bench.tables import authors
from aas_bench.tables.schema import (
    CELLS,
    CUTS,
    DIMENSIONS,
    IMAGE_COLUMNS,
    INDEX,
    LABEL,
    MODEL,
    PAIR_COLUMNS,
    PAIR_ID,
    UNKNOWN_MODEL,
    pair_name,
    score_column,
)
from aas_bench.tables.tables import raise_faults

if TYPE_CHECKING:
    import pandas as pd

_NULL_TEXT: Final = frozenset({"", "null", "none", "nan", "na", "n/a"})


def canonical_frame(
    frame: pd.DataFrame, *, rewards: Sequence[str] | None, label: str | None, source: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The frame in canonical form, and the names of its reward models.

    Raises:
        SchemaError: All faults of the table in one message; rows count from 0.
        UnknownNameError: The table has no scores of one of `rewards`.
    """
    frame = frame.rename(columns=authors.renames(frame.columns)).reset_index(drop=True)
    frame, faults = _flatten(frame)
    found = detect_rewards(frame.columns)
    if not found:
        msg = (
            f"{source}: no score column among {', '.join(map(str, frame.columns))}. "
            "Call them <reward>_oiop, <reward>_oidp, <reward>_diop, <reward>_didp."
        )
        raise SchemaError(msg)
    chosen = _choose(found, rewards)
    dropped = {c for r in found if r not in chosen for c in score_columns(r)}
    dropped |= set(IMAGE_COLUMNS)
    columns: dict[str, Any] = {str(n): c for n, c in frame.items() if n not in dropped}
    in_pairs = _complete(columns, len(frame), label)
    for name in [n for reward in chosen for n in score_columns(reward) if n in columns]:
        if not name.endswith(CUTS):
            columns[name], bad = _numbers(columns[name], name)
            faults += bad
    mend = "Mend these cells; leave a missing score empty." if faults else "Mend these cells."
    raise_faults(source, [*in_pairs, *faults], mend)
    ordered: list[str] = [n for n in PAIR_COLUMNS if n in columns]
    ordered += [n for n in columns if n not in ordered]
    return _frame({n: columns[n] for n in ordered}, len(frame)), chosen


def detect_rewards(columns: Iterable[str]) -> tuple[str, ...]:
    """Names of the reward models whose score columns are among these, in order of appearance."""
    names = (name.rpartition("_")[0] for name in columns if authors.is_cell(name))
    return tuple(dict.fromkeys(names))


def score_columns(reward: str) -> list[str]:
    """Every column that a table can hold for a reward model: scores, their sigma, cut flags."""
    cells = [score_column(reward, c) for c in CELLS]
    return [*cells, *(f"{c}_sigma" for c in cells), *(score_column(reward, c) for c in CUTS)]


def unknown_reward(reward: str, known: Iterable[str]) -> UnknownNameError:
    """The error for a reward model that the table does not hold."""
    names = list(known)
    hint = f"The table has scores of: {', '.join(names)}."
    return UnknownNameError("reward model in this table", reward, names, hint=hint)


def _choose(found: tuple[str, ...], rewards: Sequence[str] | None) -> tuple[str, ...]:
    if rewards is None:
        return found
    for reward in rewards:
        if reward not in found:
            raise unknown_reward(reward, found)
    return tuple(r for r in found if r in rewards)


def _frame(columns: dict[str, Any], n_rows: int) -> pd.DataFrame:
    import pandas as pd

    frame: pd.DataFrame = pd.DataFrame(columns, index=pd.RangeIndex(n_rows))
    return frame


def _flatten(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Structs of scores and `[mu, sigma]` lists become flat columns, in the place of the old."""
    columns: dict[str, Any] = {}
    faults: list[str] = []
    for name, column in frame.items():
        for part, values in _struct_parts(str(name), column).items():
            is_list = authors.is_cell(part) and any(
                hasattr(v, "__len__") and not isinstance(v, str) for v in values
            )
            if not is_list:
                columns[part] = values
                continue
            split, bad = _split_lists(part, values)
            columns |= split
            faults += bad
    return _frame(columns, len(frame)), faults


def _struct_parts(name: str, column: pd.Series[Any]) -> dict[str, Any]:
    """A column of structs of scores by their fields; any other column as it is."""
    first = next((v for v in column if v is not None), None) if column.dtype == object else None
    if not isinstance(first, dict) or not first or not all(map(authors.is_cell, first)):
        return {name: column}
    structs = [v if isinstance(v, dict) else {} for v in column]
    return {field: [s.get(field) for s in structs] for field in first}


def _split_lists(name: str, values: Iterable[Any]) -> tuple[dict[str, Any], list[str]]:
    pairs, faults = [], []
    for row, value in enumerate(values):
        try:
            pairs.append(authors.split_score(value))
        except SchemaError as error:
            faults.append(f"row {row}: {name}: {error}")
            pairs.append((None, None))
    score, sigma = ([p[i] for p in pairs] for i in (0, 1))
    has_sigma = any(s is not None for s in sigma)
    return {name: score} | ({f"{name}_sigma": sigma} if has_sigma else {}), faults


def _complete(columns: dict[str, Any], n_rows: int, label: str | None) -> list[str]:
    """Make or check the pair columns in place; the faults found."""
    faults: list[str] = []
    columns[INDEX], bad = _integers(columns.get(INDEX, np.arange(n_rows)))
    faults += bad
    columns[MODEL] = [
        UNKNOWN_MODEL if authors.is_null(m) else str(m) for m in columns.get(MODEL, [None] * n_rows)
    ]
    if PAIR_ID in columns:
        given = list(columns[PAIR_ID])
        faults += [f"row {i}: {PAIR_ID} is null" for i, p in enumerate(given) if authors.is_null(p)]
        columns[PAIR_ID] = [str(p) for p in given]
    else:
        made = zip(columns[MODEL], columns[INDEX], strict=True)
        columns[PAIR_ID] = [pair_name(m, i) for m, i in made]
    faults += _duplicates(columns[PAIR_ID])
    columns[DIMENSIONS], bad = _each_row(
        columns.get(DIMENSIONS, [None] * n_rows), authors.parse_dimensions, DIMENSIONS, []
    )
    faults += bad
    votes = [columns[name] for name in authors.label_columns(columns, label=label)]
    if votes:
        labels, bad = _each_row(zip(*votes, strict=True), authors.label_value, LABEL, -1)
        columns[LABEL] = np.array(labels, dtype=np.int8)
        faults += bad
    return faults


def _each_row(values: Iterable[Any], parse: Any, name: str, default: Any) -> tuple[Any, list[str]]:
    parsed, faults = [], []
    for row, value in enumerate(values):
        try:
            parsed.append(parse(value))
        except SchemaError as error:
            faults.append(f"row {row}: {name}: {error}")
            parsed.append(default)
    return parsed, faults


def _duplicates(pair_ids: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    for row, pair_id in enumerate(pair_ids):
        if pair_id in seen:
            return [f"{PAIR_ID} {pair_id!r} stands in rows {seen[pair_id]} and {row}"]
        seen[pair_id] = row
    return []


def _integers(values: Any) -> tuple[Any, list[str]]:
    numbers, faults = _numbers(values, INDEX)
    bad = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.floor(numbers)))
    if not faults:
        faults = [f"row {i}: {INDEX} is not a whole number" for i in bad]
    numbers[bad] = 0
    return numbers.astype(np.int64), faults


def _numbers(values: Any, name: str) -> tuple[Any, list[str]]:
    """float64 with nan for null; infinite and non-numeric values are faults."""
    dtype = getattr(values, "dtype", None)
    faults = []
    if dtype is not None and dtype.kind in "iuf":
        numbers = np.array(values.astype(np.float64), dtype=np.float64)
    else:
        numbers = np.full(len(values), np.nan)
        for row, value in enumerate(values):
            try:
                numbers[row] = _number(value)
            except (TypeError, ValueError):
                faults.append(f"row {row}: {name} {value!r} is not a number")
    faults += [f"row {i}: {name} is infinite" for i in np.flatnonzero(np.isinf(numbers))]
    return numbers, faults


def _number(value: Any) -> float:
    if value is None or (isinstance(value, str) and value.strip().lower() in _NULL_TEXT):
        return float("nan")
    if isinstance(value, (bool, np.bool_)):
        raise TypeError
    return float(value)
