"""A metric's long form: its pairs as a score table, and of that the one Summary there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from aas_bench.errors import InputError
from aas_bench.stats.inputs import read_factor, read_groups
from aas_bench.tables.schema import CELLS, DIDP, INDEX, LABEL, OIDP, PAIR_ID, score_column

if TYPE_CHECKING:
    from aas_bench.measure.results import Summary

_GROUP: Final = "group"
_COLUMNS: Final = {2: (OIDP, DIDP), 4: CELLS}


def summary_of(
    scores: NDArray[np.float64],
    *,
    reward: str,
    labels: Sequence[int] | None,
    groups: Sequence[Any] | None,
    clusters: Sequence[Any] | None,
    **analysis: Any,
) -> Summary:
    """What `summarise` says of the pairs that a metric was given.

    Args:
        scores: Shape (n, 2): [oidp, didp], or (n, 4): [oiop, oidp, diop, didp].
        reward: What to call the reward model.
        labels: 1, 0 or -1 a pair; None without.
        groups: A name, or a list of names, a pair; None without.
        clusters: What pairs have in common; None: nothing.
        analysis: Options of `summarise`.

    Raises:
        InputError: There are margins alone, or the name is empty.
    """
    import pandas as pd

    from aas_bench.measure.summary import summarise
    from aas_bench.tables.scores import ScoreTable

    if scores.ndim != 2 or scores.shape[1] not in _COLUMNS:
        msg = "predictions hold margins alone. Give [score_original, score_distorted] a pair."
        raise InputError(msg)
    if not reward.strip():
        msg = "reward is empty. Give the reward model a name."
        raise InputError(msg)
    n = len(scores)
    columns: dict[str, Any] = {
        score_column(reward, cell): scores[:, i] for i, cell in enumerate(_COLUMNS[scores.shape[1]])
    }
    columns[PAIR_ID] = [f"{row:04d}" for row in range(n)]
    # A cluster of its own for each pair says the same as none.
    columns[INDEX] = np.arange(n) if clusters is None else _codes(clusters, n)
    if labels is not None:
        columns[LABEL] = np.asarray(labels, dtype=np.int8)
    if groups is not None:
        read_groups(groups, n)  # which refuses a pair without one, as `compute` does
        columns[_GROUP] = _plain(groups)
    table = ScoreTable.from_frame(pd.DataFrame(columns))
    return summarise(table, by=None if groups is None else _GROUP, **analysis)


def _codes(clusters: Sequence[Any], n: int) -> NDArray[np.intp]:
    if len(clusters) != n:
        msg = f"clusters has {len(clusters)} rows for {n} pairs. Give every pair one."
        raise InputError(msg)
    codes: NDArray[np.intp] = read_factor("clusters", clusters).codes
    return codes


def _plain(column: Sequence[Any]) -> NDArray[np.object_]:
    found = np.empty(len(column), dtype=object)
    found[:] = list(column)
    return found
