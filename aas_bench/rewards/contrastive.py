"""A reward model with a knob: how much of what it would have said anyway is taken off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aas_bench.errors import InputError
from aas_bench.rewards.base import RewardModel, Scores, Term

NEUTRAL_PROMPT: Final = ""


class ContrastiveReward(RewardModel):
    """s_lambda(i, p) = s(i, p) - lambda * s(i, p_ref), with s of another reward model.

    p_ref is the original prompt of the pair where it is known (`runner.score` knows it), else a
    neutral prompt, by default the empty one: the prompt that asks for nothing, and the only one
    that favours no subject or style. Between the two images of a pair that has an original
    prompt, the margin is d_a - lambda * d_o, with d_a and d_o those of the base.

    Strength 0 is the base as it is. At strength 1 the choice depends on how the scores respond to
    the change of prompt, and no longer on which image the base likes better under both.

    Args:
        base: The reward model to correct.
        strength: lambda, finite and at least 0.
        neutral_prompt: p_ref where no original prompt is known.
        name: The name to store its scores under; None: `contrastive:BASE@STRENGTH`.

    Raises:
        InputError: `strength` is negative or not finite.
    """

    def __init__(
        self,
        base: RewardModel,
        strength: float,
        *,
        neutral_prompt: str = NEUTRAL_PROMPT,
        name: str | None = None,
    ) -> None:
        if not (math.isfinite(strength) and strength >= 0):
            msg = f"strength {strength} is not usable. Give a finite number of at least 0."
            raise InputError(msg)
        self.base = base
        self.strength = float(strength)
        self.neutral_prompt = neutral_prompt
        self.name = name or f"contrastive:{base.name}@{strength:g}"
        self.batch_size = base.batch_size
        self.reads_prompts = base.reads_prompts

    def terms(self, prompt: str, original: str | None) -> tuple[Term, ...]:
        """The base's terms of the prompt, and those of p_ref times -lambda."""
        reference = self.neutral_prompt if original is None else original
        taken_off = self.base.terms(reference, original)
        return (
            *self.base.terms(prompt, original),
            *(Term(weight=-self.strength * t.weight, prompt=t.prompt) for t in taken_off),
        )

    def preprocess(self, image: Image.Image) -> Any:
        """As the base does."""
        return self.base.preprocess(image)

    def encode_images(self, images: Sequence[Any]) -> Sequence[Any]:
        """The base's features."""
        return self.base.encode_images(images)

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Any]:
        """The base's features."""
        return self.base.encode_prompts(prompts)

    def combine(self, images: Sequence[Any], prompts: Sequence[Any]) -> Scores:
        """The base's scores: one term each; `terms` says how they add up."""
        return self.base.combine(images, prompts)

    def truncated(self, prompts: Sequence[str]) -> NDArray[np.bool_]:
        """As the base does."""
        return self.base.truncated(prompts)

    def unknown_tokens(self, prompts: Sequence[str]) -> NDArray[np.float64] | None:
        """As the base does."""
        return self.base.unknown_tokens(prompts)

    def prompt_lengths(self, prompts: Sequence[str]) -> NDArray[np.int64]:
        """As the base does."""
        return self.base.prompt_lengths(prompts)

    def describe(self) -> dict[str, Any]:
        """The base's description, and what is done to its scores."""
        return {
            "name": self.name,
            "base": self.base.describe(),
            "neutral_prompt": self.neutral_prompt,
            "reference": "the pair's original prompt, else neutral_prompt",
            "strength": self.strength,
        }


def load(
    argument: str,
    *,
    device: str | None = None,
    dtype: str | None = None,
    weights: str | Path | None = None,
) -> ContrastiveReward:
    """Make `NAME@STRENGTH`; NAME is whatever names a reward model.

    Raises:
        InputError: There is no strength, or it is no number of at least 0.
        UnknownNameError: No reward model is called NAME.
    """
    from aas_bench.rewards.catalog import load_reward

    name, at, text = argument.rpartition("@")
    try:
        strength = float(text)
    except ValueError:
        strength = math.nan
    if not (name and at and math.isfinite(strength)):
        msg = f"contrastive:{argument} names no strength. Write contrastive:NAME@0.8, say."
        raise InputError(msg)
    base = load_reward(name, device=device, dtype=dtype, weights=weights)
    return ContrastiveReward(base, strength)
