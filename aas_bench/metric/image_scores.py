"""Scores for the "images" configuration of the metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.rewards.catalog import RewardSpec, load_reward
from aas_bench.run.part_scorer import ERROR
from aas_bench.run.score import score
from aas_bench.stats.estimate import OnMissing
from aas_bench.tables.schema import (
    CELLS,
    DIDP,
    DIMENSIONS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    INDEX,
    LABEL,
    MODEL,
    OIDP,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    UNKNOWN_MODEL,
    Label,
    pair_features,
)

if TYPE_CHECKING:
    import pandas as pd

# Rows of one Arrow array, which must stay under 2 GiB even where the images are large.
ROWS = 64


def score_pairs(
    reward_model: RewardSpec | None,
    *,
    images_original: Sequence[dict[str, Any]],
    images_distorted: Sequence[dict[str, Any]],
    prompts: Sequence[str],
    prompts_original: Sequence[str] | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    dtype: str | None = None,
    accept_prompt_blind: bool = False,
    on_missing: OnMissing = "raise",
) -> NDArray[np.float64]:
    """Score every pair as `aas_bench.score` does.

    Args:
        reward_model: What `aas_bench.load_reward` takes.
        images_original: Undecoded images, {"bytes", "path"}.
        images_distorted: As many.
        prompts: The prompts that ask for the distorted images.
        prompts_original: The plain prompts; None: not scored.
        batch_size: Items of one call to the model; None: the model's own.
        device: Where it runs; see `load_reward`.
        dtype: Its number format; see `load_reward`.
        accept_prompt_blind: Go on with a model to which all prompts are one.
        on_missing: "raise", or "drop" to give NaN where an image cannot be read.

    Returns:
        Shape (n, 4), oiop, oidp, diop, didp; without original prompts (n, 2), oidp and didp.

    Raises:
        UnknownNameError: No reward model has this name.
        MissingScoresError: An image cannot be read and `on_missing` is "raise".
        InputError: `reward_model` is missing, no prompt moves it, or an option is unusable.
        BackendError: The reward model failed.
    """
    from datasets import Dataset, concatenate_datasets

    if reward_model is None:
        msg = "no reward_model given. Give a name, a RewardModel or a callable."
        raise InputError(msg)
    n = len(prompts)
    columns: dict[str, Sequence[Any]] = {
        PAIR_ID: [f"row {row}" for row in range(n)],
        INDEX: range(n),
        MODEL: [UNKNOWN_MODEL] * n,
        IMAGE_ORIGINAL: images_original,
        IMAGE_DISTORTED: images_distorted,
        PROMPT_ORIGINAL: prompts_original or [None] * n,
        PROMPT_DISTORTED: prompts,
        DIMENSIONS: [[]] * n,
        LABEL: [Label.TIE] * n,
    }
    features = pair_features()
    slices = [{k: v[at : at + ROWS] for k, v in columns.items()} for at in range(0, n, ROWS)]
    pairs = concatenate_datasets([Dataset.from_dict(part, features=features) for part in slices])
    table = score(
        pairs,
        load_reward(reward_model, device=device, dtype=dtype),
        prompts="distorted" if prompts_original is None else "both",
        placebos="none",  # a metric takes the four scores, and nothing asks for their dimensions
        batch_size=batch_size,
        accept_prompt_blind=accept_prompt_blind,
        progress=False,
    )
    if on_missing == "raise":
        _raise_errors(table.frame)
    cells = table.cells(table.rewards[0])
    wanted = (OIDP, DIDP) if prompts_original is None else CELLS
    return np.stack([getattr(cells, cell) for cell in wanted], axis=1)


def _raise_errors(frame: pd.DataFrame) -> None:
    failed = frame[frame[ERROR].notna()]
    if len(failed):
        first = failed.iloc[0]
        msg = (
            f"{len(failed)} of {len(frame)} pairs cannot be scored; {first[PAIR_ID]}: "
            f'{first[ERROR]} Or pass on_missing="drop" to leave such pairs out.'
        )
        raise MissingScoresError(msg)
