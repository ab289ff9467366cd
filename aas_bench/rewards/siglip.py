"""SigLIP 2."""

from __future__ import annotations

from pathlib import Path

from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.hf import from_repository
from aas_bench.rewards.rows import RewardRow


def load(row: RewardRow, *, device: str, dtype: str, weights: str | Path | None) -> RewardModel:
    """SigLIP 2 (Tschannen et al., 2025): exp(logit_scale) * cosine + bias.

    It was trained on lower-cased text, so prompts are lower-cased.

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: A local folder with the repository's files; None: the official ones.
    """
    assert row.weights is not None
    assert row.weights.repo is not None
    return from_repository(
        row.name,
        row.weights.repo,
        revision=row.weights.revision,
        device=device,
        dtype=dtype,
        weights=weights,
        lower=True,
    )
