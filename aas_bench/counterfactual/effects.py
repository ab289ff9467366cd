"""The effects: one row each, joining a dimension, a change of pixels, its measure and requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from aas_bench.counterfactual import apply, effect_meters
from aas_bench.counterfactual.effect_meters import Measure
from aas_bench.counterfactual.requests import REQUESTS
from aas_bench.counterfactual.scenes import Pixels, Scene
from aas_bench.errors import InputError
from aas_bench.registry import Registry

_NOTHING_STANDS_OUT: Final = MappingProxyType(
    {
        "chelsea": "The cat fills the frame: nothing lies around it.",
        "hubble": "No object stands out from the others.",
        "retina": "The disc fills the frame: nothing lies around it.",
    }
)

_ALSO_MOVES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "clarity": (
            "detail-refinement",
            "background",
            "richness",
        ),
        "color-brightness": (
            "lighting-distinction",
            "detail-refinement",
            "detail-realism",
            "background",
            "object-pairing",
            "emotion",
        ),
        "color-aesthetic": (
            "color-brightness",
            "object-pairing",
        ),
        "lighting-distinction": (
            "color-brightness",
            "detail-refinement",
            "background",
            "object-pairing",
        ),
        "detail-refinement": (
            "background",
            "richness",
        ),
        "detail-realism": (
            "detail-refinement",
            "background",
            "richness",
        ),
        "background": (
            "color-brightness",
            "lighting-distinction",
            "detail-refinement",
            "main-object",
            "object-pairing",
        ),
        "main-object": (
            "color-brightness",
            "lighting-distinction",
            "detail-refinement",
            "object-pairing",
        ),
        "richness": (
            "lighting-distinction",
            "detail-refinement",
            "detail-realism",
            "background",
            "main-object",
            "object-pairing",
        ),
        "object-pairing": (),
        "emotion": (
            "color-brightness",
            "lighting-distinction",
            "detail-refinement",
            "background",
            "object-pairing",
        ),
        "symmetry": (
            "detail-refinement",
            "background",
            "main-object",
            "richness",
        ),
    }
)
"""By effect, the others whose strength half its dose moves by more than 0.05, median of scenes."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One thing that a wide-spectrum prompt can ask for, done to a photograph by a known dose.

    Attributes:
        name: What users type.
        dimension: The aesthetic dimension that it stands for, a key of `taxonomy.DIMENSIONS`.
        change: The change of pixels for a dose above 0; call the effect itself instead.
        measure: The statistic that a stronger dose moves strictly one way.
        requests: Wordings of one request; `{caption}` stands for the scene's caption.
        proxy: Where the effect covers its dimension only in part: what it leaves out.
        excluded: Scenes that it cannot honestly be done to, and why.

    Example:
        >>> from aas_bench.counterfactual.scenes import SCENES, photograph
        >>> scene, effect = SCENES["coffee"], EFFECTS["clarity"]
        >>> effect.prompt(scene)[-28:]
        'with no sharp edge anywhere.'
        >>> image = photograph(scene)
        >>> effect.measure(effect(image, 1.0, scene)) < effect.measure(image)
        True
    """

    name: str
    dimension: str
    change: Callable[[Pixels, float, Scene], Pixels]
    measure: Measure
    requests: tuple[str, ...]
    proxy: str | None = None
    excluded: Mapping[str, str] = field(default_factory=dict)

    @property
    def also_moves(self) -> tuple[str, ...]:
        """The other effects that an image with this one shows, or undoes, as well."""
        return _ALSO_MOVES[self.name]

    def __call__(self, image: Pixels, dose: float, scene: Scene) -> Pixels:
        """Apply the effect to a photograph of `scene`.

        Args:
            image: Shape (height, width, 3), uint8, RGB.
            dose: In [0, 1]; 0 returns an equal image, 1 is unmistakable.
            scene: What the image shows: some effects need to know where the main object is.

        Returns:
            A new array of the same shape and type; the same for the same arguments.

        Raises:
            InputError: The dose is outside [0, 1], or the image is no uint8 RGB array.
        """
        if not 0 <= dose <= 1:
            msg = f"dose {dose} of effect {self.name!r} is out of range. Give a number in [0, 1]."
            raise InputError(msg)
        if image.ndim != 3 or image.shape[2] != 3 or str(image.dtype) != "uint8":
            msg = (
                f"effect {self.name!r} got an array of shape {image.shape} and type {image.dtype}. "
                "Give (height, width, 3), uint8."
            )
            raise InputError(msg)
        return image.copy() if dose == 0 else self.change(image, dose, scene)

    def prompt(self, scene: Scene, *, wording: int = 0) -> str:
        """The scene's caption with this request, the same at every dose.

        Raises:
            InputError: There is no such wording.
        """
        if not 0 <= wording < len(self.requests):
            msg = (
                f"effect {self.name!r} has no wording {wording}. "
                f"Give 0 to {len(self.requests) - 1}."
            )
            raise InputError(msg)
        return self.requests[wording].format(caption=scene.caption)


EFFECTS: Final = Registry(
    "effect",
    (
        Effect(
            name="clarity",
            dimension="clarity",
            change=apply.blur,
            measure=Measure(
                name="sharpness",
                function=effect_meters.sharpness,
                unit="dB",
                met_by="less",
                photograph=-12.5,
                full=-34.5,
            ),
            requests=REQUESTS["clarity"],
            proxy="Defocus alone; noise and compression are left out.",
        ),
        Effect(
            name="color-brightness",
            dimension="color brightness",
            change=apply.darken,
            measure=Measure(
                name="strength of colour",
                function=effect_meters.colour_strength,
                unit="grey levels",
                met_by="less",
                photograph=51.1,
                full=7.67,
            ),
            requests=REQUESTS["color-brightness"],
        ),
        Effect(
            name="color-aesthetic",
            dimension="color aesthetic",
            change=apply.clash,
            measure=Measure(
                name="acid colour",
                function=effect_meters.acid_colour,
                unit="grey levels",
                met_by="more",
                photograph=10.1,
                full=85.6,
            ),
            requests=REQUESTS["color-aesthetic"],
            proxy="One kind of clash, green against magenta.",
            excluded=MappingProxyType(
                {"retina": "One hue fills the frame: nothing to clash with."}
            ),
        ),
        Effect(
            name="lighting-distinction",
            dimension="lighting distinction",
            change=apply.flatten_light,
            measure=Measure(
                name="range of light",
                function=effect_meters.light_range,
                unit="grey levels",
                met_by="less",
                photograph=50.3,
                full=13.5,
            ),
            requests=REQUESTS["lighting-distinction"],
            excluded=MappingProxyType(
                {"hubble": "Galaxies shine by themselves: no light falls on anything."}
            ),
        ),
        Effect(
            name="detail-refinement",
            dimension="detail refinement",
            change=apply.mush,
            measure=Measure(
                name="share of texture",
                function=effect_meters.texture_share,
                unit="share of pixels",
                met_by="less",
                photograph=0.669,
                full=0.268,
            ),
            requests=REQUESTS["detail-refinement"],
        ),
        Effect(
            name="detail-realism",
            dimension="detail realism",
            change=apply.posterise,
            measure=Measure(
                name="tonal entropy",
                function=effect_meters.tonal_entropy,
                unit="bits",
                met_by="less",
                photograph=7.05,
                full=1.13,
            ),
            requests=REQUESTS["detail-realism"],
            proxy="Too few tones; wrong anatomy or physics is left out.",
        ),
        Effect(
            name="background",
            dimension="background",
            change=apply.spoil_backdrop,
            measure=Measure(
                name="detail of the backdrop",
                function=effect_meters.backdrop_detail,
                unit="grey levels",
                met_by="less",
                photograph=7.08,
                full=2.04,
            ),
            requests=REQUESTS["background"],
            proxy="Ugly by being drab and bare; a cluttered backdrop is left out. Its measure "
            "takes the outer frame for the backdrop.",
            excluded=_NOTHING_STANDS_OUT,
        ),
        Effect(
            name="main-object",
            dimension="main object",
            change=apply.fade_subject,
            measure=Measure(
                name="prominence of the middle",
                function=effect_meters.prominence,
                unit="dB",
                met_by="less",
                photograph=0.997,
                full=-3.39,
            ),
            requests=REQUESTS["main-object"],
            proxy="Hidden by fading; a small or peripheral subject is left out. Its measure takes "
            "the middle of the picture for the subject.",
            excluded=_NOTHING_STANDS_OUT,
        ),
        Effect(
            name="richness",
            dimension="richness",
            change=apply.empty_out,
            measure=Measure(
                name="busy share",
                function=effect_meters.busy_share,
                unit="share of the area",
                met_by="less",
                photograph=0.766,
                full=0.108,
            ),
            requests=REQUESTS["richness"],
            excluded=MappingProxyType({"retina": "Its black corners are empty already."}),
        ),
        Effect(
            name="object-pairing",
            dimension="object pairing",
            change=apply.paste_guest,
            measure=Measure(
                name="spread of hues",
                function=effect_meters.colour_spread,
                unit="grey levels",
                met_by="more",
                photograph=31.2,
                full=47.5,
            ),
            requests=REQUESTS["object-pairing"],
            proxy="Its measure sees that a region differs in hue, not that it does not belong.",
        ),
        Effect(
            name="emotion",
            dimension="emotion",
            change=apply.gloom,
            measure=Measure(
                name="warm light",
                function=effect_meters.warm_light,
                unit="grey levels",
                met_by="less",
                photograph=117.0,
                full=44.6,
            ),
            requests=REQUESTS["emotion"],
            proxy="A gloomy grade: faces and events, which carry most emotion, stay as they are.",
            excluded=MappingProxyType({"hubble": "It is dark and cold already."}),
        ),
        Effect(
            name="symmetry",
            dimension="symmetry",
            change=apply.push_aside,
            measure=Measure(
                name="lean",
                function=effect_meters.lean,
                unit="share of half the width",
                met_by="more",
                photograph=0.069,
                full=0.519,
            ),
            requests=REQUESTS["symmetry"],
        ),
    ),
    hint=f"Effects are in {__name__}.EFFECTS.",
)
