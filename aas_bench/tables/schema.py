"""Column names and types of the two tables that everything else is a view of.

Pair table: one row per pair of images. Score table: one row per pair, the four scores of each
reward model in flat columns `<reward>_oiop` ... `<reward>_didp` (image first, then prompt: `diop`
is the distorted image under the original prompt), and one flag for each prompt that was cut.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datasets import Features

PAIR_ID: Final = "pair_id"
INDEX: Final = "index"
MODEL: Final = "model"
IMAGE_ORIGINAL: Final = "image_original"
IMAGE_DISTORTED: Final = "image_distorted"
PROMPT_ORIGINAL: Final = "prompt_original"
PROMPT_DISTORTED: Final = "prompt_distorted"
DIMENSIONS: Final = "dimensions"
LABEL: Final = "label"

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
CUT_ORIGINAL: Final = "cut_original"
CUT_DISTORTED: Final = "cut_distorted"
CUTS: Final = (CUT_ORIGINAL, CUT_DISTORTED)


class Label(IntEnum):
    """Which image fits the distorted prompt better."""

    TIE = -1
    ORIGINAL = 0
    DISTORTED = 1


UNKNOWN_MODEL: Final = "unknown"


def pair_name(model: str, index: int) -> str:
    """The `pair_id` of a pair that has none: `<model>/<index>`, the index in four digits."""
    return f"{model}/{index:04d}"


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


def score_features(rewards: list[str]) -> Features:
    """The canonical score table for these reward models; further columns may follow these."""
    from datasets import Features, Value

    pairs = {k: v for k, v in pair_features().items() if k not in IMAGE_COLUMNS}
    cells = {score_column(r, c): Value("float64") for r in rewards for c in CELLS}
    cuts = {score_column(r, c): Value("bool") for r in rewards for c in CUTS}
    return Features(pairs | cells | cuts)
