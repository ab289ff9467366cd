"""Columns of the two tables that everything else is a view of: their names, types and values.

Pair table: one row per pair of images. Score table: one row per pair, the four scores of each
reward model in flat columns `<reward>_oiop` ... `<reward>_didp` (image first, then prompt: `diop`
is the distorted image under the original prompt), and one flag for each prompt that was cut.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from datasets import Features

Columns: TypeAlias = "dict[str, Any]"
"""Name -> values: an Arrow column, an array, or a list whose values may be of several types."""

PAIR_ID: Final = "pair_id"
INDEX: Final = "index"
MODEL: Final = "model"
IMAGE_ORIGINAL: Final = "image_original"
IMAGE_DISTORTED: Final = "image_distorted"
PROMPT_ORIGINAL: Final = "prompt_original"
PROMPT_DISTORTED: Final = "prompt_distorted"
DIMENSIONS: Final = "dimensions"
LABEL: Final = "label"
LABEL_SOURCE: Final = "label_source"
"""Where the label comes from, where that is no column `label`."""

FILE_NAME: Final = "file_name"
FILE_SHA256: Final = "file_sha256"
CROP_BOX: Final = "crop_box"
"""Left, top, right, bottom in pixels of the upright image."""

PAIR_COLUMNS: Final = (
    PAIR_ID,
    INDEX,
    MODEL,
    IMAGE_ORIGINAL,
    IMAGE_DISTORTED,
    PROMPT_ORIGINAL,
    PROMPT_DISTORTED,
    DIMENSIONS,
    LABEL,
)
IMAGE_COLUMNS: Final = (IMAGE_ORIGINAL, IMAGE_DISTORTED)

OIOP: Final = "oiop"
OIDP: Final = "oidp"
DIOP: Final = "diop"
DIDP: Final = "didp"
CELLS: Final = (OIOP, OIDP, DIOP, DIDP)
IMAGE_OF: Final = MappingProxyType(
    {OIOP: IMAGE_ORIGINAL, OIDP: IMAGE_ORIGINAL, DIOP: IMAGE_DISTORTED, DIDP: IMAGE_DISTORTED}
)
PROMPT_OF: Final = MappingProxyType(
    {OIOP: PROMPT_ORIGINAL, OIDP: PROMPT_DISTORTED, DIOP: PROMPT_ORIGINAL, DIDP: PROMPT_DISTORTED}
)
PLACEBO_CELLS: Final = MappingProxyType({"matched": ("oimp", "dimp"), "foreign": ("oifp", "difp")})
"""Kind of placebo request -> the cells that hold a list of scores, of I_o and of I_a."""
CUT_ORIGINAL: Final = "cut_original"
CUT_DISTORTED: Final = "cut_distorted"
CUTS: Final = (CUT_ORIGINAL, CUT_DISTORTED)
CUT_OF: Final = MappingProxyType({PROMPT_ORIGINAL: CUT_ORIGINAL, PROMPT_DISTORTED: CUT_DISTORTED})


VOTE: Final = "_selected"
"""How the name of a column of a judge's votes ends."""
PEOPLE_VOTE: Final = f"people{VOTE}"
"""What most of the people who looked chose: 1, 0, -1 for a tie; null where nobody looked."""
SIGMA: Final = "_sigma"
"""How the name of a column ends that holds the deviation a reward model states for a score."""


class Label(IntEnum):
    """Which image fits the distorted prompt better."""

    TIE = -1
    ORIGINAL = 0
    DISTORTED = 1


UNKNOWN_MODEL: Final = "unknown"


def pair_name(model: str, index: int) -> str:
    """The `pair_id` of a pair that has none: `<model>/<index>`, the index in four digits."""
    return f"{model}/{index:04d}"


def placebo_column(kind: str) -> str:
    """Name of the column of placebo prompts of one kind, a key of `PLACEBO_CELLS`."""
    return f"placebos_{kind}"


def score_column(reward: str, cell: str) -> str:
    """Name of the column that holds `cell` (one of `CELLS` or `CUTS`) of `reward`."""
    return f"{reward}_{cell}"


def pair_features() -> Features:
    """The canonical pair table; further columns may follow these."""
    from datasets import Features, Image, List, Value

    return Features(
        {
            PAIR_ID: Value("string"),
            INDEX: Value("int64"),
            MODEL: Value("string"),
            IMAGE_ORIGINAL: Image(),
            IMAGE_DISTORTED: Image(),
            PROMPT_ORIGINAL: Value("string"),
            PROMPT_DISTORTED: Value("string"),
            DIMENSIONS: List(Value("string")),
            LABEL: Value("int8"),
        }
    )


def published_feature(column: str) -> Any:
    """What every published set holds in a column of this name; None where that is its own affair.

    One law for all of them, so that any two can be concatenated, and so that a number or a name
    means the same in `datasets`, pandas, Polars and torch: no class labels, whose numbers have
    lost their names wherever a column leaves `datasets`.
    """
    from datasets import Value

    own = pair_features() | {LABEL_SOURCE: Value("string")}
    if column in own:
        return own[column]
    reward, _, cell = column.removesuffix(SIGMA).rpartition("_")
    if reward and cell in CELLS:
        return Value("float64")
    if column.endswith(tuple(f"_{cut}" for cut in CUTS)):
        return Value("bool")
    return Value("int8") if column.endswith(VOTE) else None


def n_rows(columns: Columns) -> int:
    """How many rows columns of equal length have."""
    return len(next(iter(columns.values()), ()))


def values(column: Any) -> list[Any]:
    """A column as Python values."""
    return column.to_pylist() if hasattr(column, "to_pylist") else list(column)


def series(column: Any) -> Any:
    """A column as pandas holds it; lists stay Python's."""
    import pandas as pd
    import pyarrow.types as kinds

    if hasattr(column, "to_pylist") and not kinds.is_nested(column.type):
        return column.to_pandas()
    if hasattr(column, "dtype"):
        return pd.Series(column, dtype=column.dtype)
    return pd.Series(values(column))


def repeated_pair_id(pair_ids: Any) -> list[str]:
    """What is wrong with the first `pair_id` that stands twice; empty where none does."""
    import numpy as np

    # Eight bytes for each, where a set of texts takes a hundred.
    chunks = pair_ids.chunks if hasattr(pair_ids, "chunks") else [pair_ids]
    hashes = (hash(pair_id) for chunk in chunks for pair_id in values(chunk))
    found = np.fromiter(hashes, np.int64)
    if len(np.unique(found)) == len(found):
        return []
    rows = values(pair_ids)
    seen: dict[str, int] = {}
    for row, pair_id in enumerate(rows):
        if pair_id is not None and pair_id in seen:
            return [f"{PAIR_ID} {pair_id!r} stands in rows {seen[pair_id]} and {row}"]
        seen[pair_id] = row
    return []


def repeated_columns(names: Iterable[str]) -> list[str]:
    """What is wrong with the names of columns: each that stands twice."""
    given = list(names)
    return [
        f"two columns are called {n!r}" for n in sorted({n for n in given if given.count(n) > 1})
    ]


def tell_equal_prompts(source: str, original: Any, distorted: Any) -> None:
    """Warn of pairs whose two prompts are the same text: whatever is preferred, nothing was asked.

    They stay in the table: a few of them in a large one are no reason to stop.
    """
    rows = _equal_rows(original, distorted)
    if rows:
        first = ", ".join(map(str, rows[:3]))
        warnings.warn(
            f"{source}: {PROMPT_ORIGINAL} and {PROMPT_DISTORTED} are the same text in "
            f"{len(rows):,} rows (first {first}, from 0). Leave these rows out.",
            stacklevel=4,
        )


def _equal_rows(one: Any, other: Any) -> list[int]:
    if hasattr(one, "to_pylist") and hasattr(other, "to_pylist") and one.type == other.type:
        import pyarrow.compute as pc

        same = pc.fill_null(pc.equal(one, other), fill_value=False)
        rows: list[int] = pc.indices_nonzero(same).to_pylist()
        return rows
    pairs = zip(values(one), values(other), strict=True)
    return [row for row, (first, second) in enumerate(pairs) if first and first == second]
