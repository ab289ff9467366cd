"""A reward that honours the request: reads the effects in the prompt, measures them in the image.

It has seen no preference and likes nothing: where the prompt asks for no effect, every image
scores the same. On the counterfactual split it is right almost by construction, since it measures
what the split changes; it shows what following a request looks like, not how well one can be
followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from PIL import Image
from scipy.special import expit

from aas_bench.counterfactual.effect_meters import View
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.reading import requested_effects
from aas_bench.counterfactual.scenes import SIZE, Pixels
from aas_bench.rewards.base import RewardModel, Scores

NEUTRAL: Final = 0.5
"""The score of any image where no effect is asked for."""
REMEMBERED: Final = 16
"""Images whose measures are remembered: each thread measures one for several models in turn."""


class EffectMatch(RewardModel):
    """Mean strength of the requested effects in the image, in (0, 1).

    Of effect e with measure q: strength = 1 / (1 + exp(-4 (p - 1/2))), where p is q scaled to 0 at
    its median over the split's photographs and 1 at its median under the whole dose.

    Args:
        size: Larger images are scaled down to this longer side in pixels before they are measured.

    Example:
        >>> grey = Image.new("RGB", (64, 64), "grey")
        >>> plain, blurred = EffectMatch().score([grey, grey], ["a street", "a blurry street"])
        >>> float(plain)
        0.5
        >>> bool(blurred > 0)
        True
    """

    name = "effect-match"
    n_placebos = 8

    def __init__(self, *, size: int = SIZE) -> None:
        self.size = size

    def preprocess(self, image: Image.Image) -> Scores:
        """Strengths of all effects, shape (n_effects,): measured here, where threads share it."""
        return strengths(measurable(image, size=self.size))

    def encode_images(self, images: Sequence[Scores]) -> Sequence[Scores]:
        """The strengths as they are, one array per image."""
        return images

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Scores]:
        """Weights of all effects, shape (n_effects,): 1/k for each of k requested ones, else 0."""
        return [_weights(requested_effects(prompt)) for prompt in prompts]

    def combine(self, images: Sequence[Scores], prompts: Sequence[Scores]) -> Scores:
        """Mean strength of the requested effects; `NEUTRAL` where none is requested."""
        return np.array(
            [
                float(strength @ weight) if weight.any() else NEUTRAL
                for strength, weight in zip(images, prompts, strict=True)
            ],
            dtype=np.float64,
        )

    def describe(self) -> dict[str, Any]:
        """The measures with their scales, and the size that they are taken at."""
        return {
            "name": self.name,
            "version": 1,
            "size": self.size,
            "resampling": "lanczos",
            "measures": {
                e.name: [e.measure.name, e.measure.photograph, e.measure.full]
                for e in EFFECTS.values()
            },
        }


def measurable(image: Image.Image, *, size: int) -> Pixels:
    """The image as RGB pixels, scaled down to a longer side of `size` where it is larger.

    Example:
        >>> measurable(Image.new("L", (400, 100)), size=200).shape
        (50, 200, 3)
    """
    image = image.convert("RGB")
    scale = size / max(image.size)
    if scale < 1:
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.array(image)


def strengths(image: Pixels) -> Scores:
    """How strongly each effect is present in an image, shape (n_effects,), in (0, 1).

    Read-only, since the last few are remembered: models that share it measure an image once.

    Example:
        >>> strengths(np.zeros((8, 8, 3), np.uint8)).shape
        (12,)
    """
    return _strengths(image.tobytes(), image.shape)


@lru_cache(maxsize=REMEMBERED)
def _strengths(pixels: bytes, shape: tuple[int, ...]) -> Scores:
    view = View(np.frombuffer(pixels, dtype=np.uint8).reshape(shape))
    presence = np.array([effect.measure.presence(view) for effect in EFFECTS.values()])
    strength = np.asarray(expit(4 * (presence - 0.5)), dtype=np.float64)
    strength.flags.writeable = False
    return strength


def _weights(requested: tuple[str, ...]) -> Scores:
    asked = np.array([name in requested for name in EFFECTS], dtype=np.float64)
    return np.asarray(asked / max(1.0, asked.sum()), dtype=np.float64)


def load(*, size: int = SIZE) -> EffectMatch:
    """The reward model `effect-match`.

    Example:
        >>> load().name
        'effect-match'
    """
    return EffectMatch(size=size)
