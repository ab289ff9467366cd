"""Two generators without weights, so that the whole leaderboard runs offline and can be tested.

`faithful` does what the prompt asks: it takes a photograph and applies the requested effects.
`polish` does what over-aligned generators do: it returns a prettier photograph, whatever was asked.

A prompt that holds the caption of a built-in scene is answered with that scene, any other one with
a scene that seed and index decide; both variants of a pair therefore show the same scene.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from aas_bench.counterfactual.effects import EFFECTS, Effect
from aas_bench.counterfactual.reading import requested_effects
from aas_bench.counterfactual.scenes import SCENES, SIZES, Scene, photograph
from aas_bench.generators.base import DEFAULT_STRENGTH, Generator, Outcome, Request
from aas_bench.generators.image_checks import accept_image
from aas_bench.generators.noise import noise_seed
from aas_bench.generators.spec import Submission

DOSE: Final = 0.8
"""How strongly `faithful` applies what a prompt asks for; requests name no dose."""


@dataclass(frozen=True)
class _Canvas:
    """What a picture starts from: pixels, and where the main object is in them."""

    image: Image.Image
    scene: Scene


class BuiltinGenerator(Generator):
    """One of the two generators.

    Args:
        submission: Its submission; `model` names the generator.
        preset: Name of the preset in use.
    """

    def __init__(self, submission: Submission, *, preset: str) -> None:
        assert submission.model is not None  # the rules of a submission say so
        self.submission, self.preset = submission, preset
        self._paint = _MODELS[submission.model]

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """One picture per request; none of them depends on another."""
        return [self._make(request) for request in requests]

    def describe(self) -> dict[str, Any]:
        """The submission's identity and the packages that change pixels."""
        return {
            **self.submission.identity(self.preset),
            "versions": {name: version(name) for name in ("numpy", "pillow", "scipy")},
        }

    def _make(self, request: Request) -> Outcome:
        start = time.perf_counter()
        scene = choose_scene(request)
        asked = [EFFECTS[name] for name in requested_effects(request.prompt)]
        size = request.settings.size
        painted = self._paint(request, scene, asked).resize(size, Image.Resampling.LANCZOS)
        image = accept_image(painted, size=size)
        provenance = {
            "seed": request.seed,
            "scene": scene.name,
            "effects": [effect.name for effect in asked if scene.name not in effect.excluded],
            "impossible": {
                effect.name: effect.excluded[scene.name]
                for effect in asked
                if scene.name in effect.excluded
            },
        }
        return Outcome(
            status="ok", image=image, latency=time.perf_counter() - start, provenance=provenance
        )


def load(submission: Submission, *, preset: str = "default", **_: Any) -> BuiltinGenerator:
    """The generator that the submission's `model` names; how to run it changes nothing."""
    return BuiltinGenerator(submission, preset=preset)


def choose_scene(request: Request) -> Scene:
    """The scene whose caption the prompt holds; else one that seed and index decide."""
    for scene in SCENES.values():
        if scene.caption in request.prompt:
            return scene
    names = list(SCENES)
    return SCENES[names[noise_seed(request.seed, request.index) % len(names)]]


def _faithful(request: Request, scene: Scene, asked: list[Effect]) -> Image.Image:
    """The photograph, or the seed image, with every requested effect that it can bear."""
    canvas = _canvas(request, scene)
    strength = request.settings.strength or DEFAULT_STRENGTH
    dose = DOSE if request.image is None else DOSE * strength
    pixels = np.asarray(canvas.image)
    for effect in asked:
        if scene.name not in effect.excluded:
            pixels = effect(pixels, dose, canvas.scene)
    return Image.fromarray(pixels)


def _polish(request: Request, scene: Scene, asked: list[Effect]) -> Image.Image:
    """The photograph, embellished; a seed image is drawn towards it and so cleaned up."""
    canvas = _canvas(request, scene)
    if request.image is None:
        return _embellished(canvas.image)
    known = scene.caption in request.prompt
    clean = _canvas(replace(request, image=None), scene).image if known else canvas.image
    strength = request.settings.strength or DEFAULT_STRENGTH
    return Image.blend(canvas.image, _embellished(clean), strength)


_MODELS: Final[dict[str, Callable[[Request, Scene, list[Effect]], Image.Image]]] = {
    "faithful": _faithful,
    "polish": _polish,
}


def _embellished(image: Image.Image) -> Image.Image:
    """More contrast, colour and sharpness, as a phone would do it."""
    image = ImageOps.autocontrast(image, cutoff=1, preserve_tone=True)
    image = ImageEnhance.Color(image).enhance(1.25)
    return image.filter(ImageFilter.UnsharpMask(radius=2, percent=80, threshold=2))


def _canvas(request: Request, scene: Scene) -> _Canvas:
    """The scene's photograph or the seed image, cut to the shape asked for.

    The longer side is that asked for, or the nearest for which the effects are made.
    """
    longer = max(request.settings.size)
    scale = min(max(longer, SIZES[0]), SIZES[1]) / longer
    width, height = (max(1, round(side * scale)) for side in request.settings.size)
    if request.image is None:
        image = Image.fromarray(photograph(scene, size=SIZES[1]))
    else:
        image = request.image.convert("RGB")
    left, top, right, bottom = scene.box or (0.0, 0.0, 1.0, 1.0)
    x0, y0, x1, y1 = _window(image.size, (width, height), ((left + right) / 2, (top + bottom) / 2))
    cut = image.resize((width, height), Image.Resampling.LANCZOS, box=(x0, y0, x1, y1))
    if scene.box is None:
        return _Canvas(cut, scene)
    x, y = (
        np.clip((np.array(sides) * full - start) / (end - start), 0, 1)
        for sides, full, start, end in (
            ((left, right), image.width, x0, x1),
            ((top, bottom), image.height, y0, y1),
        )
    )
    return _Canvas(cut, replace(scene, box=(float(x[0]), float(y[0]), float(x[1]), float(y[1]))))


def _window(
    full: tuple[int, int], wanted: tuple[int, int], centre: tuple[float, float]
) -> tuple[float, float, float, float]:
    """The largest window of the wanted shape, as near to the centre as the edges allow."""
    scale = min(full[0] / wanted[0], full[1] / wanted[1])
    width, height = wanted[0] * scale, wanted[1] * scale
    x = min(max(centre[0] * full[0] - width / 2, 0), full[0] - width)
    y = min(max(centre[1] * full[1] - height / 2, 0), full[1] - height)
    return x, y, x + width, y + height
