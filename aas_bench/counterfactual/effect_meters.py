"""What an effect does to a picture, as a number that needs the picture alone.

Each measure is a plain statistic of one RGB image, without the original beside it. Lengths are
fractions of the longer side, so that a picture measures alike at any size it is shown in. A
measure tells how strongly an effect is present, not why: a photograph of fog measures as blurred.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from aas_bench.counterfactual.scenes import Pixels

Plane: TypeAlias = NDArray[np.float32]

_FRAME: Final = 0.15
"""Width of the outer frame that stands for the backdrop, as a share of each side."""
_NOISE: Final = 0.25
"""Variance below which there is nothing but rounding, in squared grey levels."""


class View:
    """One picture and what several measures need of it, computed once.

    Args:
        image: Shape (height, width, 3), uint8, RGB.

    Example:
        >>> View(np.full((2, 3, 3), 100, np.uint8)).luma.shape
        (2, 3)
    """

    def __init__(self, image: Pixels) -> None:
        self.image = image
        self.side = max(image.shape[:2])

    @cached_property
    def colour(self) -> Plane:
        """Shape (height, width, 3), in grey levels, 0 to 255."""
        return self.image.astype(np.float32)

    @cached_property
    def channels(self) -> tuple[Plane, Plane, Plane]:
        """Red, green and blue, each of shape (height, width), in grey levels."""
        red, green, blue = (np.ascontiguousarray(self.colour[..., c]) for c in range(3))
        return red, green, blue

    @cached_property
    def luma(self) -> Plane:
        """Brightness by ITU-R BT.601, shape (height, width), in grey levels."""
        red, green, blue = self.channels
        return np.asarray(0.299 * red + 0.587 * green + 0.114 * blue, dtype=np.float32)

    @cached_property
    def fine(self) -> Plane:
        """Luma without what is coarser than 0.5 % of the side, shape (height, width)."""
        smooth = gaussian_filter(self.luma, 0.005 * self.side, truncate=3)
        return np.asarray(self.luma - smooth, dtype=np.float32)

    @cached_property
    def slope(self) -> Plane:
        """Mean absolute step to the next pixel right and below, shape (height, width)."""
        steps = np.zeros_like(self.luma)
        steps[:, :-1] += np.abs(np.diff(self.luma, axis=1))
        steps[:-1] += np.abs(np.diff(self.luma, axis=0))
        return np.asarray(steps / 2, dtype=np.float32)

    @cached_property
    def frame(self) -> NDArray[np.bool_]:
        """True in the outer frame, at least a pixel wide, shape (height, width)."""
        height, width = self.luma.shape
        mask = np.ones((height, width), dtype=bool)
        y, x = max(1, round(height * _FRAME)), max(1, round(width * _FRAME))
        mask[y : height - y, x : width - x] = False
        return mask


def sharpness(view: View) -> float:
    """Share of the luma variance that is finer than 0.5 % of the side, in dB."""
    return _decibel(view.fine.var() + _NOISE, view.luma.var() + _NOISE)


def colour_strength(view: View) -> float:
    """Mean over pixels of the largest minus the smallest channel, in grey levels.

    Example:
        >>> colour_strength(View(np.full((8, 8, 3), (200, 150, 40), np.uint8)))
        160.0
    """
    red, green, blue = view.channels
    largest = np.maximum(np.maximum(red, green), blue)
    smallest = np.minimum(np.minimum(red, green), blue)
    return float(np.mean(largest - smallest))


def acid_colour(view: View) -> float:
    """Mean over pixels of |G - (R + B)/2|, in grey levels: how far from daylight's own axis.

    Colours of natural scenes vary least along green and magenta (Ruderman, Cronin and Chiao,
    Statistics of cone responses to natural images, JOSA A 1998).

    Example:
        >>> acid_colour(View(np.full((8, 8, 3), (0, 255, 0), np.uint8)))
        255.0
    """
    red, green, blue = view.channels
    return float(np.mean(np.abs(green - (red + blue) / 2)))


def light_range(view: View) -> float:
    """Standard deviation of the luma seen at 4 % of the side, in grey levels."""
    return float(uniform_filter(view.luma, max(1, round(0.04 * view.side))).std())


def texture_share(view: View) -> float:
    """Share of the pixels that differ from their neighbours by more than 1.4 grey levels."""
    return float(np.mean(view.slope > 1.4))


def tonal_entropy(view: View) -> float:
    """Mean entropy of the histograms of the three channels, in bits, 0 to 8."""
    entropies = []
    for channel in range(3):
        counts = np.bincount(view.image[..., channel].ravel(), minlength=256)
        p = counts[counts > 0] / counts.sum()
        entropies.append(-np.sum(p * np.log2(p)))
    return float(np.mean(entropies))


def backdrop_detail(view: View) -> float:
    """Mean step between neighbouring pixels in the outer frame, in grey levels."""
    return float(view.slope[view.frame].mean())


def prominence(view: View) -> float:
    """Detail in the middle of the picture against detail in the outer frame, in dB."""
    height, width = view.luma.shape
    y, x = height // 4, width // 4
    middle = view.slope[y : height - y, x : width - x].mean()
    return _decibel(float(middle) + _NOISE, backdrop_detail(view) + _NOISE)


def busy_share(view: View) -> float:
    """Share of the picture within reach of detail, 0 to 1."""
    near = uniform_filter(view.slope, max(1, round(0.03 * view.side)))
    return float(np.mean(near / (near + 1)))


def colour_spread(view: View) -> float:
    """Mean distance of regional hues from the typical one, in grey levels.

    A hue is (R - G, (R + G)/2 - B), the mean over squares of 6 % of the side; the typical one is
    the median over the picture.
    """
    red, green, blue = view.channels
    width = max(1, round(0.06 * view.side))
    hues = np.stack(
        [uniform_filter(h, width)[::4, ::4] for h in (red - green, (red + green) / 2 - blue)]
    ).reshape(2, -1)
    return float(np.mean(np.hypot(*(hues - np.median(hues, axis=1, keepdims=True)))))


def warm_light(view: View) -> float:
    """Mean of the red and green channels, in grey levels: light that is not blue.

    Example:
        >>> warm_light(View(np.full((8, 8, 3), (100, 40, 7), np.uint8)))
        70.0
    """
    red, green, _ = view.channels
    return float((red.mean() + green.mean()) / 2)


def lean(view: View) -> float:
    """Distance of the centre of the detail from the middle, 0 to 1 (at the left or right edge)."""
    return abs(signed_lean(view))


def signed_lean(view: View) -> float:
    """Where the detail has its centre across the picture, -1 (left edge) to 1 (right edge)."""
    weight = view.slope.sum(axis=0, dtype=np.float64)
    place = (np.arange(weight.size) + 0.5) / weight.size * 2 - 1
    return float((weight @ place) / (weight.sum() + _NOISE))


def _decibel(part: float, whole: float) -> float:
    return float(10 * np.log10(part / whole))


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A statistic of one picture, and which way an effect moves it.

    Attributes:
        name: In words.
        function: The statistic.
        unit: Its unit.
        met_by: Whether a stronger effect lowers or raises it.
        photograph: Its median over the split's photographs.
        full: Its median over the same photographs under the whole dose of the effect.

    Example:
        >>> warmth = Measure(
        ...     name="warm light", function=warm_light, unit="grey levels", met_by="less",
        ...     photograph=120.0, full=20.0,
        ... )
        >>> view = View(np.full((8, 8, 3), (100, 40, 7), np.uint8))
        >>> warmth.presence(view)
        0.5
    """

    name: str
    function: Callable[[View], float]
    unit: str
    met_by: Literal["less", "more"]
    photograph: float
    full: float

    def __call__(self, image: Pixels) -> float:
        """The statistic of an image of shape (height, width, 3), uint8, RGB."""
        return self.function(View(image))

    def presence(self, view: View) -> float:
        """How strongly the effect is there: 0 in a typical photograph, 1 at the whole dose."""
        return (self.function(view) - self.photograph) / (self.full - self.photograph)
