"""A reward that never reads the prompt: four published measures of a polished picture.

It stands for taste without understanding. It should prefer the photograph to whatever a
wide-spectrum prompt asks for, and so lose on the counterfactual split.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from PIL import Image
from scipy.ndimage import laplace

from aas_bench.counterfactual.effect_meters import View
from aas_bench.counterfactual.scenes import SIZE, Pixels
from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.rewards.effect_match import REMEMBERED, measurable

HALF: Final = {"sharpness": 400.0, "colourfulness": 45.0, "contrast": 0.2}
"""The value at which a measure reaches half of its range."""


class Polish(RewardModel):
    """Mean of sharpness, colourfulness, contrast and exposure, each in [0, 1].

    The first three are x / (x + h), which grows with x, and is 1/2 at x = h (`HALF`).

    Args:
        size: Larger images are scaled down to this longer side in pixels before they are measured.

    Example:
        >>> grey = Image.new("RGB", (64, 64), "grey")
        >>> model = Polish()
        >>> model.score([grey, grey], ["a street", "a blurry street"]).round(2).tolist()
        [0.25, 0.25]
    """

    name = "polish"
    reads_prompts = False

    def __init__(self, *, size: int = SIZE) -> None:
        self.size = size

    def preprocess(self, image: Image.Image) -> float:
        """The score itself: measured here, where threads share the work."""
        pixels = measurable(image, size=self.size)
        return _polish(pixels.tobytes(), pixels.shape)

    def encode_images(self, images: Sequence[float]) -> Sequence[float]:
        """The scores as they are, one per image."""
        return images

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[None]:
        """Nothing: prompts are not read."""
        return [None for _ in prompts]

    def combine(self, images: Sequence[float], prompts: Sequence[None]) -> Scores:
        """The images' scores."""
        return np.array(images, dtype=np.float64)

    def describe(self) -> dict[str, Any]:
        """The measures, their scales and weights, and the size that they are taken at."""
        return {
            "name": self.name,
            "version": 1,
            "size": self.size,
            "resampling": "lanczos",
            "half": HALF,
            "weights": {
                "sharpness": 0.25,
                "colourfulness": 0.25,
                "contrast": 0.25,
                "exposure": 0.25,
            },
        }


def qualities(image: Pixels) -> dict[str, float]:
    """The four measures, each in [0, 1], higher is better.

    Sharpness: variance of the Laplacian of luma (Pech-Pacheco et al., Diatom autofocusing in
    brightfield microscopy, ICPR 2000); half at 400 squared grey levels. Colourfulness: M of Hasler
    and Suesstrunk (Measuring colourfulness in natural images, 2003); half at 45, which their
    viewers called averagely colourful. Contrast: standard deviation of luma in [0, 1] (Peli,
    Contrast in complex images, JOSA A 1990); half at 0.2. Exposure: mean over pixels of
    exp(-(luma - 1/2)^2 / (2 0.2^2)) (Mertens, Kautz and Van Reeth, Exposure fusion, 2007).

    Args:
        image: Shape (height, width, 3), uint8, RGB.

    Example:
        >>> qualities(np.full((8, 8, 3), 127, np.uint8))["contrast"]
        0.0
    """
    view = View(image)
    luma = view.luma / 255
    return {
        "sharpness": _half_at(HALF["sharpness"], float(laplace(view.luma, mode="nearest").var())),
        "colourfulness": _half_at(HALF["colourfulness"], colourfulness(view)),
        "contrast": _half_at(HALF["contrast"], float(luma.std())),
        "exposure": float(np.mean(np.exp(-((luma - 0.5) ** 2) / (2 * 0.2**2)))),
    }


@lru_cache(maxsize=REMEMBERED)
def _polish(pixels: bytes, shape: tuple[int, ...]) -> float:
    image = np.frombuffer(pixels, dtype=np.uint8).reshape(shape)
    return float(np.mean(list(qualities(image).values())))


def colourfulness(view: View) -> float:
    """M of Hasler and Suesstrunk (2003): 0 is grey, 109 extremely colourful.

    With rg = R - G and yb = (R + G)/2 - B: M = sqrt(var rg + var yb) + 0.3 sqrt(mean(rg)^2 +
    mean(yb)^2).

    Example:
        >>> colourfulness(View(np.full((8, 8, 3), 100, np.uint8)))
        0.0
    """
    red, green, blue = view.channels
    rg, yb = red - green, (red + green) / 2 - blue
    return float(np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean()))


def _half_at(half: float, value: float) -> float:
    return value / (value + half)


def load(*, size: int = SIZE) -> Polish:
    """The reward model `polish`.

    Example:
        >>> load(size=256).size
        256
    """
    return Polish(size=size)
