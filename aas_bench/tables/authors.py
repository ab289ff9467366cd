"""The authors' column names and cell forms, mapped to ours.

Their tables misspell some columns, write lists as strings, nest the four scores of a reward in a
struct, give HPSv3 as `[mu, sigma]` and hold one column per judge. Nothing here evaluates text as
code.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from aas_bench.errors import SchemaError
from aas_bench.tables.schema import (
    CELLS,
    DIDP,
    DIMENSIONS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    LABEL,
    MODEL,
    OIDP,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    Label,
    score_column,
)

RENAMED: Final = MappingProxyType(
    {
        "original_image": IMAGE_ORIGINAL,
        "distorted_image": IMAGE_DISTORTED,
        "original_prompt": PROMPT_ORIGINAL,
        "distorted_prompt": PROMPT_DISTORTED,
        "disorted_long_prompt": PROMPT_DISTORTED,  # their spelling
        "distorted_long_prompt": PROMPT_DISTORTED,
        "selected_dims": DIMENSIONS,
        "selected": DIMENSIONS,
        "dims": DIMENSIONS,
        "model_used": MODEL,
    }
)
"""Their column -> ours; applied where ours is absent, the first of several wins."""

JUDGE_COLUMNS: Final = ("llm_selected", "sec_llm_selected", "third_llm_selected")
LABEL_COLUMNS: Final = (*JUDGE_COLUMNS, "blip_selected")
"""Votes in {1, 0, -1}, in the order in which one of them becomes the label."""

MAJORITY: Final = "majority"


def renames(columns: Collection[str], own: Mapping[str, str] = RENAMED) -> dict[str, str]:
    """Which of these columns to rename, and to what; the names of `own` come before `RENAMED`."""
    found: dict[str, str] = {}
    for theirs, ours in (*own.items(), *RENAMED.items()):
        if theirs in columns and ours not in columns and ours not in found.values():
            found[theirs] = ours
    return found


PHOTO_CELLS: Final = MappingProxyType({"photo": DIDP, "anti": DIDP, "clean": OIDP})
"""`hpsv3_photo` (on their page `hpsv3_anti`) and `hpsv3_clean` are both scores under the
anti-aesthetic caption, so they are these cells of `hpsv3`."""

_PAINTING: Final = frozenset({"image", "caption"})
_PAINTING_SCORES: Final = ("hpsv2", "hpsv3", "image_reward", "pickscore", "blip")


def unpaired_scores(columns: Collection[str]) -> dict[str, str]:
    """Which columns of their photographs and paintings hold scores, and what we call them.

    Beside a photograph stands its clean counterpart, and `elements` are what its caption names; a
    painting stands alone, and its one score under its caption is called like the reward model.
    """
    found: dict[str, str] = {}
    for name in columns:
        reward, _, ending = name.rpartition("_")
        both = ending != "clean" or {f"{reward}_photo", f"{reward}_anti"} & {*columns}
        if reward and ending in PHOTO_CELLS and both and f"{reward}_clean" in columns:
            found[name] = score_column(reward, PHOTO_CELLS[ending])
    if found:
        found["elements"] = DIMENSIONS
    elif set(columns) >= _PAINTING:
        found = {n: score_column(n, DIDP) for n in _PAINTING_SCORES if n in columns}
    return {n: ours for n, ours in found.items() if ours not in columns}


def label_columns(columns: Collection[str], *, label: str | None = None) -> tuple[str, ...]:
    """The columns that the label is taken from.

    Args:
        columns: The columns of the table.
        label: None takes `label` where it exists, else the first of `LABEL_COLUMNS`; "majority"
            takes every LLM judge (`JUDGE_COLUMNS`); any other text names a column.

    Returns:
        Column names; empty where the table has no label.

    Raises:
        SchemaError: `label` asks for columns that the table lacks.
    """
    votes = [name for name in LABEL_COLUMNS if name in columns]
    if label is None:
        return (LABEL,) if LABEL in columns else tuple(votes[:1])
    if label == MAJORITY:
        judges = tuple(name for name in JUDGE_COLUMNS if name in columns)
        if not judges:
            msg = f"no column to take a majority of. It needs one of {', '.join(JUDGE_COLUMNS)}."
            raise SchemaError(msg)
        return judges
    if label not in columns:
        have = ", ".join([*([LABEL] if LABEL in columns else []), *votes]) or "none"
        msg = f"there is no label column {label!r}. Label columns here: {have}."
        raise SchemaError(msg)
    return (label,)


def label_value(votes: Sequence[Any]) -> int:
    """One label from one or several votes.

    A vote is 1, 0 or -1, or its name (distorted, original, tie); null counts as no vote. Of
    several votes the value that more than half of them give wins; without one, or without votes,
    the label is -1.

    Raises:
        SchemaError: A vote is anything else.
    """
    given = [_vote(v) for v in votes if not is_null(v)]
    for value in (Label.DISTORTED, Label.ORIGINAL):
        if 2 * given.count(value) > len(given):
            return int(value)
    return int(Label.TIE)


def _vote(value: Any) -> int:
    if isinstance(value, str) and value.strip().upper() in Label.__members__:
        return int(Label[value.strip().upper()])
    try:
        if float(value) in (1.0, 0.0, -1.0):
            return int(float(value))
    except (TypeError, ValueError):
        pass
    msg = f"{value!r} is not 1, 0 or -1"
    raise SchemaError(msg)


def parse_dimensions(value: Any) -> list[str]:
    """A list of names from a list, a list written as JSON or as Python text, or one bare name.

    Raises:
        SchemaError: The text starts like a list but is none, or an item is not text.
    """
    if is_null(value):
        return []
    parsed = _parse_list(value) if isinstance(value, str) else value
    if not hasattr(parsed, "__iter__") or isinstance(parsed, dict):
        msg = f"{value!r} is not a list of dimension names"
        raise SchemaError(msg)
    items = list(parsed)
    if not all(isinstance(item, str) for item in items):
        msg = f"{value!r} holds something that is not text"
        raise SchemaError(msg)
    return [str(item) for item in items]


def _parse_list(text: str) -> Any:
    stripped = text.strip()
    if not stripped:
        return []
    if not stripped.startswith(("[", "(")):
        return [stripped]
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(stripped)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    msg = f"{text[:60]!r} is not a list of dimension names"
    raise SchemaError(msg)


def split_score(value: Any) -> tuple[Any, Any]:
    """(score, sigma) of a cell that is a number or a list `[mu]` or `[mu, sigma]`.

    Raises:
        SchemaError: A list of another length.
    """
    if value is None or isinstance(value, (str, int, float)) or not hasattr(value, "__len__"):
        return value, None
    items = list(value)
    if len(items) not in (1, 2):
        msg = f"a score of {len(items)} numbers is neither [mu] nor [mu, sigma]"
        raise SchemaError(msg)
    return items[0], (items[1] if len(items) == 2 else None)


def is_null(value: Any) -> bool:
    """Whether a cell is None or nan."""
    return value is None or (isinstance(value, (float, np.floating)) and math.isnan(value))


def is_cell(name: str) -> bool:
    """Whether a column is called `<reward>_oiop` and so on."""
    reward, _, cell = name.rpartition("_")
    return bool(reward) and cell in CELLS
