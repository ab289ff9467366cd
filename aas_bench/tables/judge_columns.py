"""What judges said of each pair, as columns of a table: how they are named and what they may hold.

    label_<judge>             1, 0, -1 for a tie: which image fits the distorted prompt better
    <judge>_<mark>_<image>    a mark of one image: 0 to 100, or a share of the requested effects

Null where the judge gave no answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aas_bench.errors import InputError
from aas_bench.tables.authors import label_value
from aas_bench.tables.schema import CELLS, LABEL, LABEL_SOURCE, PAIR_ID, score_column

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from aas_bench.tables.scores import ScoreTable

IMAGES: Final = ("original", "distorted")
MARKS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "main_concept": 100.0,
        "requested_effects": 100.0,
        "effects_present": 1.0,
        "effects_strong": 1.0,
    }
)
"""Mark -> the most that it can be; the least is 0."""

_LABEL_OF: Final = f"{LABEL}_"
LONGEST_NAME: Final = 100
_CHOICES: Final = (1.0, 0.0, -1.0)


def label_column(judge: str) -> str:
    """The column of a judge's labels, or of the majority's."""
    return f"{_LABEL_OF}{judge}"


def mark_column(judge: str, mark: str, image: str) -> str:
    """The column of a judge's marks of one image of each pair."""
    return f"{judge}_{mark}_{image}"


RATING: Final = "rating"
"""The mark of an image that a rater gives: its ratings, summed over the dimensions."""
MAJORITY: Final = label_column("majority")
RESERVED: Final = (MAJORITY, LABEL_SOURCE)
"""Columns that are called like a judge's labels and are none."""


def is_label_column(name: str) -> bool:
    """Whether a column is called like the labels of a judge or of the majority."""
    return name.startswith(_LABEL_OF) and name != LABEL_SOURCE


def labels_by_judge(frame: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
    """Each judge's labels, shape (n,), NaN where there is none; columns of other values are none.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"label_a": [1, -1], "label_note": ["x", "y"], "label_b": [0, 7]})
        >>> {name: label.tolist() for name, label in labels_by_judge(frame).items()}
        {'a': [1.0, -1.0]}
    """
    names = [str(n) for n in frame if is_label_column(str(n)) and n not in RESERVED]
    found = {name.removeprefix(_LABEL_OF): _numbers(frame[name]) for name in names}
    return {
        judge: label
        for judge, label in found.items()
        if label is not None and np.isin(label[~np.isnan(label)], _CHOICES).all()
    }


def majority_of(labels: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """What more than half of the judges that answered say, else -1; NaN where none answered."""
    table = np.array(list(labels.values()), dtype=np.float64).T
    given = (row[~np.isnan(row)] for row in table)
    return np.array([label_value(row.tolist()) if len(row) else np.nan for row in given])


def marks_by_judge(
    frame: pd.DataFrame, mark: str
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Each judge's marks of the original and of the distorted image; NaN where there is none.

    A judge both of whose columns are not there, or hold something else, is left out.
    """
    endings = [mark_column("", mark, image) for image in IMAGES]
    judges = [n.removesuffix(endings[0]) for n in map(str, frame) if n.endswith(endings[0])]
    found = {}
    for judge in filter(None, judges):
        columns = [frame[n] if (n := judge + end) in frame else None for end in endings]
        both = [None if each is None else _numbers(each) for each in columns]
        if all(each is not None and _within(each, MARKS[mark]) for each in both):
            found[judge] = both[0], both[1]
    return found  # type: ignore[return-value]


def judge_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that hold what judges said, whoever they are."""
    marks = [
        mark_column(judge, mark, image)
        for mark in MARKS
        for judge in marks_by_judge(frame, mark)
        for image in IMAGES
    ]
    return [*map(label_column, labels_by_judge(frame)), *marks]


def with_judgements(table: ScoreTable, said: pd.DataFrame) -> ScoreTable:
    """A score table with the columns of judges of another table, by `pair_id`.

    Args:
        table: The scores.
        said: A table with `pair_id` and columns of judges; pairs that it lacks are null.
    """
    columns = said.set_index(PAIR_ID)[judge_columns(said)]
    rows = columns.reindex(table.frame[PAIR_ID]).reset_index(drop=True)
    given = {name: rows[name].to_numpy(np.float64, na_value=np.nan) for name in rows}
    return replace(table, frame=table.frame.assign(**given))


def with_ratings(table: ScoreTable, said: pd.DataFrame, judges: Sequence[str]) -> ScoreTable:
    """A score table with raters as reward models: one score of an image under every prompt.

    Args:
        table: The scores.
        said: A table with `pair_id` and `<judge>_rating_<image>`.
        judges: The raters.

    Raises:
        InputError: A reward model of the table is called as one of them.
    """
    if taken := [judge for judge in judges if judge in table.rewards]:
        msg = f"a judge and a reward model are called {taken[0]!r}. Label the judge: other=SPEC."
        raise InputError(msg)
    rows = said.set_index(PAIR_ID).reindex(table.frame[PAIR_ID])
    cells = dict(zip(CELLS, ("original", "original", "distorted", "distorted"), strict=True))
    given = {
        score_column(judge, cell): rows[mark_column(judge, RATING, image)].to_numpy(np.float64)
        for judge in judges
        for cell, image in cells.items()
    }
    frame = table.frame.assign(**given)
    return replace(table, frame=frame, rewards=(*table.rewards, *judges))


def fits_columns(judge: str) -> bool:
    """Whether a judge can be called so: one short line, and no column that means something else."""
    plain = judge.isprintable() and 0 < len(judge) <= LONGEST_NAME
    return plain and label_column(judge) not in RESERVED


def _numbers(column: Any) -> NDArray[np.float64] | None:
    """A column of numbers and nulls; None where it is another."""
    import pandas as pd

    if column.dtype == object and column.notna().any():
        if not all(isinstance(each, (int, float)) for each in column.dropna()):
            return None
    elif not (pd.api.types.is_numeric_dtype(column.dtype) or column.dtype == object):
        return None
    found: NDArray[np.float64] = column.to_numpy(np.float64, na_value=np.nan)
    return found


def _within(numbers: NDArray[np.float64], most: float) -> bool:
    known = numbers[~np.isnan(numbers)]
    return bool(np.all((known >= 0) & (known <= most)))
