"""Seed images for image-to-image mode: built-in photographs with a known effect.

Each goes in with the prompt that asks for its effect. A generator that honours the request leaves
the effect in; one that cleans up moves back towards the photograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from PIL import Image

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES, SIZES, photograph
from aas_bench.counterfactual.split import split_revision
from aas_bench.errors import InputError
from aas_bench.generators.settings import Settings
from aas_bench.run.prompts import BUILT_IN, Prompt, Prompts

DOSE: Final = 0.75
"""How strongly the effect is applied, in [0, 1]."""
_MULTIPLE: Final = 32
"""Sides are multiples of it, as every pipeline class takes."""


@dataclass(frozen=True, kw_only=True)
class SeedPair:
    """Two RGB images of one size.

    Attributes:
        original: The photograph.
        distorted: The same with the effect: the seed image.
    """

    original: Image.Image
    distorted: Image.Image


def require_seeds(prompts: Prompts) -> None:
    """Refuse prompts that no seed image belongs to.

    Raises:
        InputError: They are not the built-in ones.
    """
    if any(prompt.scene is None or prompt.effect is None for prompt in prompts.prompts):
        msg = f"{prompts.source} has no seed images. Use the prompts {BUILT_IN!r} with them."
        raise InputError(msg)


def seed_settings(prompt: Prompt, settings: Settings) -> Settings:
    """The settings with the photograph's shape: its longer side that of the settings."""
    assert prompt.scene is not None
    height, width, _ = photograph(SCENES[prompt.scene]).shape
    scale = max(settings.size) / max(width, height)
    sides = (max(1, round(side * scale / _MULTIPLE)) * _MULTIPLE for side in (width, height))
    return settings.model_copy(update=dict(zip(("width", "height"), sides, strict=True)))


def seed_pair(prompt: Prompt, settings: Settings) -> SeedPair:
    """The photograph and the seed image of a prompt, at the size of `seed_settings`."""
    assert prompt.scene is not None
    assert prompt.effect is not None
    size = seed_settings(prompt, settings).size
    scene = SCENES[prompt.scene]
    pixels = photograph(scene, size=min(max(max(size), SIZES[0]), SIZES[1]))
    original, distorted = (
        Image.fromarray(each).resize(size, Image.Resampling.LANCZOS)
        for each in (pixels, EFFECTS[prompt.effect](pixels, DOSE, scene))
    )
    return SeedPair(original=original, distorted=distorted)


def describe_seeds() -> dict[str, Any]:
    """What the seed images depend on: JSON values."""
    return {"split": BUILT_IN, "revision": split_revision(), "dose": DOSE, "multiple": _MULTIPLE}
