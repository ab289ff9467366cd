"""What is known of a reward model before anything of it is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

Family: TypeAlias = Literal["dual", "cross", "image-only", "function"]
Scale: TypeAlias = Literal["log-odds", "cosine", "probability", "norm score", "rating", "none"]
"""What kind of number a score is; a probability is analysed as its log-odds."""
Local: TypeAlias = str | Path | None
"""Weights that take the place of the official ones: a file or folder of this machine."""
Sizes: TypeAlias = Mapping[str, Any]
"""The sizes of a network, in the words of the library that builds it."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Where one file of weights lives.

    Attributes:
        repo: Repository on the Hugging Face Hub, `owner/name`; None: the file is not there.
        revision: Full commit hash, 40 hex digits; None: the newest, recorded as found.
        file: Path inside the repository.
        size: In bytes, about.
        page: Where its makers link to it, if it is not on the Hub.
    """

    repo: str | None
    revision: str | None = None
    file: str
    size: int | None = None
    page: str | None = None


@dataclass(frozen=True, kw_only=True)
class RewardRow:
    """What is known of a reward model without loading it.

    Attributes:
        name: The name that users type; its scores are stored under it.
        load: `module:function`. A row with weights is loaded by
            `function(row, device=..., dtype=..., weights=...)`, all strings but `weights`, which
            is a local file or folder to read instead of the Hub, or None. A row without weights
            is loaded by `function()`.
        summary: One sentence.
        family: "dual" encodes image and prompt apart, "cross" reads the prompt against the
            image, "image-only" never reads the prompt, "function" does all in one call.
        extra: The optional dependency set of the package that it needs.
        weights: Its official weights; None where it has none.
        prompt_limit: Tokens of a prompt that it reads, special tokens included; None: all.
        unit: What one unit of the score is.
        scale: What kind of number that is.
        difference: What a difference of two scores means, by its makers' own training or code; ""
            where nobody says.
        score_range: Least and greatest possible score; None at an end without bound.
        dtype: The official number format of the forward pass.
        licence: Of the weights, as an SPDX name where there is one.
        paper: Where the model is described.
        synthetic: Whether it is no reward model that anyone uses but one made to have a known
            answer, for self-tests; it enters no ranking and no headline.
    """

    name: str
    load: str
    summary: str
    family: Family
    extra: str | None = None
    weights: Weights | None = None
    prompt_limit: int | None = None
    unit: str
    scale: Scale = "none"
    difference: str = ""
    score_range: tuple[float | None, float | None] = (None, None)
    dtype: str = "float32"
    licence: str
    paper: str
    synthetic: bool = False
