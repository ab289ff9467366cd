"""From an RGB image to the pixel tensor that a vision tower reads.

Written out here rather than taken from a processor library, because each model's published scores
hang on one exact variant (Pillow or tensor resize, antialiasing, which way an odd margin rounds),
and the libraries changed theirs over time. `docs/reward-models.md` lists the choices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from PIL import Image

Fit: TypeAlias = Literal["crop", "crop-floor", "pad", "squash"]
Triple: TypeAlias = tuple[float, float, float]

CLIP_MEAN: Triple = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Triple = (0.26862954, 0.26130258, 0.27577711)
HALF: Triple = (0.5, 0.5, 0.5)

RESAMPLING = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True, kw_only=True)
class ImageTransform:
    """RGB image -> float32 tensor (3, size, size).

    Attributes:
        size: Side of the result in pixels.
        fit: "crop": Pillow resize of the shorter side, centre crop, an odd margin rounded half to
            even (torchvision, OpenAI CLIP); "crop-floor": the same with the margin rounded down
            (transformers' Pillow processor); "pad": antialiased tensor resize of the longer side,
            not clamped, then zero padding (HPSv2); "squash": Pillow resize of both sides.
        resample: "bicubic" or "bilinear".
        mean: Of each channel, on the 0..1 scale.
        std: Of each channel.
    """

    size: int
    fit: Fit
    resample: Literal["bicubic", "bilinear"] = "bicubic"
    mean: Triple = CLIP_MEAN
    std: Triple = CLIP_STD

    def __call__(self, image: Image.Image) -> torch.Tensor:
        """The pixel tensor of one RGB image."""
        if self.fit == "pad":
            return normalised(_longest_side_padded(image, self.size), self.mean, self.std)
        if self.fit == "squash":
            fitted = image.resize((self.size, self.size), RESAMPLING[self.resample])
        else:
            fitted = _shortest_side_cropped(
                image, self.size, RESAMPLING[self.resample], floor=self.fit == "crop-floor"
            )
        return normalised(unit_range(fitted), self.mean, self.std)

    def describe(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}


@dataclass(frozen=True, kw_only=True)
class LibraryTransform:
    """A library's own image transform, with what identifies it."""

    function: Callable[[Image.Image], Any]
    settings: dict[str, Any] = field(default_factory=dict)

    def __call__(self, image: Image.Image) -> Any:
        """What the library's transform makes of one RGB image."""
        return self.function(image)

    def describe(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return self.settings


def unit_range(image: Image.Image) -> torch.Tensor:
    """An RGB image as float32 tensor (3, height, width) in 0..1."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).to(torch.float32) / 255


def normalised(pixels: torch.Tensor, mean: Triple, std: Triple) -> torch.Tensor:
    """(pixels - mean) / std by channel; pixels (3, height, width)."""
    of_mean, of_std = (torch.tensor(v, dtype=torch.float32)[:, None, None] for v in (mean, std))
    return (pixels - of_mean) / of_std


def _shortest_side_cropped(
    image: Image.Image, size: int, resample: Image.Resampling, *, floor: bool
) -> Image.Image:
    image = without_far_ends(image)
    width, height = image.size
    if width <= height:
        resized = (size, int(size * height / width))
    else:
        resized = (int(size * width / height), size)
    fitted = image if image.size == resized else image.resize(resized, resample)
    margins = [(side - size) / 2 for side in resized]
    left, top = (int(m) if floor else round(m) for m in margins)
    return fitted.crop((left, top, left + size, top + size))


def without_far_ends(image: Image.Image) -> Image.Image:
    """At most 100 times as long as wide, so that enlarging a thin strip cannot fill the memory."""
    width, height = image.size
    kept = (min(width, 100 * height), min(height, 100 * width))
    left, top = (width - kept[0]) // 2, (height - kept[1]) // 2
    return image.crop((left, top, left + kept[0], top + kept[1]))


def _longest_side_padded(image: Image.Image, size: int) -> torch.Tensor:
    pixels = unit_range(image)
    height, width = pixels.shape[1:]
    scale = size / max(height, width)
    if scale != 1:
        pixels = torch.nn.functional.interpolate(
            pixels[None],
            size=(max(round(height * scale), 1), max(round(width * scale), 1)),
            mode="bicubic",
            antialias=True,
        )[0]
    height, width = pixels.shape[1:]
    left, top = (size - width) // 2, (size - height) // 2
    margins = (left, size - width - left, top, size - height - top)
    return torch.nn.functional.pad(pixels, margins)
