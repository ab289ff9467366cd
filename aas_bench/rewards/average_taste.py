"""A simulated reward that understands the request and yet prefers the polished picture.

It is made up, not trained: `effect-match` and `polish`, each in units of its own standard deviation
over the split, with polish weighing twice as much. It shows in the demo what the analysis of
overrides finds: the pattern reported for trained reward models in arXiv 2512.11883. It is no
evidence about any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from PIL import Image

from aas_bench.counterfactual.scenes import SIZE
from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.rewards.effect_match import EffectMatch
from aas_bench.rewards.polish import Polish

MATCH_SD: Final = 0.34
"""Standard deviation of `effect-match` over both images of the split under the distorted prompt."""
POLISH_SD: Final = 0.112
"""Standard deviation of `polish` over the same images."""
POLISH_WEIGHT: Final = 2.0


class AverageTaste(RewardModel):
    """match / sd(match) + 2 polish / sd(polish).

    Args:
        size: Larger images are scaled down to this longer side in pixels before they are measured.

    Example:
        >>> grey = Image.new("RGB", (64, 64), "grey")
        >>> AverageTaste().score([grey], ["a street"]).shape
        (1,)
    """

    name = "average-taste"
    n_placebos = 8

    def __init__(self, *, size: int = SIZE) -> None:
        self.match, self.polish = EffectMatch(size=size), Polish(size=size)

    def preprocess(self, image: Image.Image) -> tuple[Scores, float]:
        """Features of `effect-match` and of `polish`."""
        return self.match.preprocess(image), self.polish.preprocess(image)

    def encode_images(self, images: Sequence[Any]) -> Sequence[Any]:
        """The features as they are, a pair per image."""
        return images

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Any]:
        """As `effect-match` reads them."""
        return self.match.encode_prompts(prompts)

    def combine(self, images: Sequence[Any], prompts: Sequence[Any]) -> Scores:
        """The weighted sum."""
        match = self.match.combine([m for m, _ in images], prompts)
        polish = np.array([p for _, p in images], dtype=np.float64)
        return match / MATCH_SD + POLISH_WEIGHT * polish / POLISH_SD

    def describe(self) -> dict[str, Any]:
        """Both parts and how they are weighed."""
        return {
            "name": self.name,
            "version": 1,
            "simulated": True,
            "match": self.match.describe(),
            "polish": self.polish.describe(),
            "match_sd": MATCH_SD,
            "polish_sd": POLISH_SD,
            "polish_weight": POLISH_WEIGHT,
        }


def load(*, size: int = SIZE) -> AverageTaste:
    """The reward model `average-taste`.

    Example:
        >>> load().describe()["simulated"]
        True
    """
    return AverageTaste(size=size)
