"""What columns hold, in words: those that several datasets share."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Any, Final

SHARED: Final = MappingProxyType(
    {
        "pair_id": "Name of the pair; unique, and the same in every edition.",
        "index": "Number of the base prompt. Pairs that share it are not independent: it is the "
        "cluster of the intervals.",
        "model": "What made the images.",
        "image_original": "I_o: the polished alternative.",
        "image_distorted": "I_a: the image that was asked for.",
        "prompt_original": "P_o: the prompt of I_o; null where there is none.",
        "prompt_distorted": "P_a: the prompt that asks for I_a.",
        "dimensions": "What was asked for.",
        "label": "1: I_a fits P_a better; 0: I_o does; -1: a tie or unknown.",
        "label_source": "Where the label comes from.",
        "*_oiop": "Score of I_o under P_o.",
        "*_oidp": "Score of I_o under P_a.",
        "*_diop": "Score of I_a under P_o.",
        "*_didp": "Score of I_a under P_a.",
        "*_sigma": "Standard deviation that the reward model states for the score before it.",
        "*_selected": "Choice of a judge: 1 for I_a, 0 for I_o, -1 for a tie or neither.",
    }
)
"""Column, or a pattern of column names -> one sentence."""


def description(column: str, own: Mapping[str, str]) -> str | None:
    """The dataset's own words, else the shared ones; names before patterns."""
    for table in (own, SHARED):
        if column in table:
            return table[column]
        for pattern, text in table.items():
            if fnmatchcase(column, pattern):
                return text
    return None


def type_in_words(feature: Any) -> str:
    """A feature as readers of the table understand it."""
    from datasets import Image

    if isinstance(feature, Image):
        return "image"
    if isinstance(feature, dict):
        fields = ", ".join(f"{name} {type_in_words(inner)}" for name, inner in feature.items())
        return f"struct of {fields}"
    inner = getattr(feature, "feature", None)
    if inner is not None:
        return f"list of {type_in_words(inner)}"
    if hasattr(feature, "names"):
        return f"class label, {len(feature.names)} names"
    return str(getattr(feature, "dtype", type(feature).__name__))
