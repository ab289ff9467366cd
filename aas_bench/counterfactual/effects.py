"""The effects: one row each, joining a dimension, a change of pixels, its measure and requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from aas_bench.counterfactual import apply, measures
from aas_bench.counterfactual.measures import Measure
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
    """

    name: str
    dimension: str
    change: Callable[[Pixels, float, Scene], Pixels]
    measure: Measure
    requests: tuple[str, ...]
    proxy: str | None = None
    excluded: Mapping[str, str] = field(default_factory=dict)

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
                function=measures.sharpness,
                unit="dB",
                met_by="less",
                photograph=-13,
                full=-36,
            ),
            requests=(
                "{caption} The whole picture is badly out of focus, with no sharp edge anywhere.",
                "{caption} Everything is smeared by a heavy blur, so that outlines melt together.",
                "A hopelessly blurry shot, nothing in it is crisp. {caption}",
                "{caption} Taken with the lens defocused; soft, fuzzy and hard to read.",
                "{caption} I want it unsharp, as if seen through a fogged window.",
            ),
            proxy="Defocus alone; noise and compression are left out.",
        ),
        Effect(
            name="color-brightness",
            dimension="color brightness",
            change=apply.darken,
            measure=Measure(
                name="strength of colour",
                function=measures.colour_strength,
                unit="grey levels",
                met_by="less",
                photograph=50,
                full=7.5,
            ),
            requests=(
                "{caption} The colours are dark and drained, as if the light had been turned down.",
                "{caption} Make it dim and underexposed, with all vividness gone from the colours.",
                "A murky, underlit picture with dull, lifeless colours. {caption}",
                "{caption} Every hue is dark and washed out; nothing glows.",
                "{caption} Much too dark, the colour almost gone.",
            ),
        ),
        Effect(
            name="color-aesthetic",
            dimension="color aesthetic",
            change=apply.clash,
            measure=Measure(
                name="acid colour",
                function=measures.acid_colour,
                unit="grey levels",
                met_by="more",
                photograph=8,
                full=85,
            ),
            requests=(
                "{caption} The colours clash: acid green against hot magenta.",
                "{caption} Use a garish, sickly palette whose hues fight each other.",
                "An eyesore in unnatural, jarring colours. {caption}",
                "{caption} The colour scheme is ugly on purpose, lurid and without any harmony.",
                "{caption} Tint it in gaudy greens and pinks that look wrong together.",
            ),
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
                function=measures.light_range,
                unit="grey levels",
                met_by="less",
                photograph=48,
                full=13.5,
            ),
            requests=(
                "{caption} The light is flat and even, without highlights or shadows.",
                "{caption} Lit so evenly that nothing has depth; no light, no shade.",
                "Dull, shadowless lighting and very low contrast. {caption}",
                "{caption} Light and dark parts are hardly told apart, the lighting is uniform.",
                "{caption} No drama in the lighting: featureless grey light from everywhere.",
            ),
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
                function=measures.texture_share,
                unit="share of pixels",
                met_by="less",
                photograph=0.65,
                full=0.3,
            ),
            requests=(
                "{caption} Small parts are crude and mushy, daubed rather than drawn.",
                "{caption} The details are rough blobs; no texture is worked out.",
                "A coarse, sloppy rendering in which fine detail has turned to mush. {caption}",
                "{caption} Textures are smudged away and only clumsy patches are left.",
                "{caption} Leave every detail unfinished and lumpy, like wet paint pushed around.",
            ),
        ),
        Effect(
            name="detail-realism",
            dimension="detail realism",
            change=apply.posterise,
            measure=Measure(
                name="tonal entropy",
                function=measures.tonal_entropy,
                unit="bits",
                met_by="less",
                photograph=7,
                full=1.2,
            ),
            requests=(
                "{caption} Surfaces look fake and artificial, reduced to a few flat tones.",
                "{caption} Posterised into hard bands like a cheap print; nothing looks real.",
                "An unrealistic, plastic-looking version. {caption}",
                "{caption} It should look computer-made and synthetic, with banded tones.",
                "{caption} Strip away all realism: cartoonish blocks instead of true surfaces.",
            ),
            proxy="Too few tones; wrong anatomy or physics is left out.",
        ),
        Effect(
            name="background",
            dimension="background",
            change=apply.spoil_backdrop,
            measure=Measure(
                name="detail of the backdrop",
                function=measures.backdrop_detail,
                unit="grey levels",
                met_by="less",
                photograph=7,
                full=2,
            ),
            requests=(
                "{caption} The background is an ugly, stained, drab sheet.",
                "{caption} All behind the subject is replaced by a muddy, featureless backdrop.",
                "A picture with a hideous, empty background. {caption}",
                "{caption} The surroundings are missing; only a dirty blank wall is around it.",
                "{caption} Put it before a shabby backdrop with nothing in it.",
            ),
            proxy="Ugly by being drab and bare; a cluttered backdrop is left out. Its measure takes "
            "the outer frame for the backdrop.",
            excluded=_NOTHING_STANDS_OUT,
        ),
        Effect(
            name="main-object",
            dimension="main object",
            change=apply.fade_subject,
            measure=Measure(
                name="prominence of the middle",
                function=measures.prominence,
                unit="dB",
                met_by="less",
                photograph=1,
                full=-5,
            ),
            requests=(
                "{caption} The main subject is barely visible, fading into its surroundings.",
                "{caption} What should be the subject is faint and easy to overlook.",
                "The main object can hardly be made out, it dissolves into the scene. {caption}",
                "{caption} The subject is almost hidden, a ghost of itself that nobody would notice.",
                "{caption} Let the main thing vanish until it is inconspicuous.",
            ),
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
                function=measures.busy_share,
                unit="share of the area",
                met_by="less",
                photograph=0.74,
                full=0.1,
            ),
            requests=(
                "{caption} The picture is nearly empty: a small part is left on plain ground.",
                "{caption} Leave out almost everything; bare, vacant space fills the frame.",
                "A sparse, barren picture with next to nothing to see. {caption}",
                "{caption} Strip the scene of its contents so that it looks monotonous and void.",
                "{caption} There is very little in it, just blank space around a fragment.",
            ),
            excluded=MappingProxyType({"retina": "Its black corners are empty already."}),
        ),
        Effect(
            name="object-pairing",
            dimension="object pairing",
            change=apply.paste_guest,
            measure=Measure(
                name="spread of hues",
                function=measures.colour_spread,
                unit="grey levels",
                met_by="more",
                photograph=22,
                full=41,
            ),
            requests=(
                "{caption} Something that does not belong there has been pasted into the scene.",
                "{caption} An unrelated object sits in it, out of place and at odds with the rest.",
                "An incongruous mix of things that do not go together. {caption}",
                "{caption} Add a mismatched object from another photograph, like a bad collage.",
                "{caption} Absurdly combined: one part has nothing to do with the others.",
            ),
            proxy="Its measure sees that a region differs in hue, not that it does not belong.",
        ),
        Effect(
            name="emotion",
            dimension="emotion",
            change=apply.gloom,
            measure=Measure(
                name="warm light",
                function=measures.warm_light,
                unit="grey levels",
                met_by="less",
                photograph=118,
                full=47,
            ),
            requests=(
                "{caption} The mood is gloomy and bleak.",
                "{caption} It should feel sad and oppressive, cold and without comfort.",
                "A dismal, depressing picture, heavy with dread. {caption}",
                "{caption} Everything about it speaks of sorrow and despair.",
                "{caption} Give it a sombre, joyless atmosphere, like a day of mourning.",
            ),
            proxy="A gloomy grade: faces and events, which carry most emotion, stay as they are.",
            excluded=MappingProxyType({"hubble": "It is dark and cold already."}),
        ),
        Effect(
            name="symmetry",
            dimension="symmetry",
            change=apply.push_aside,
            measure=Measure(
                name="lean",
                function=measures.lean,
                unit="share of half the width",
                met_by="more",
                photograph=0.065,
                full=0.5,
            ),
            requests=(
                "{caption} The composition is lopsided: everything is crowded to one side.",
                "{caption} Badly balanced, with all the weight on one edge and the other half bare.",
                "A carelessly off-balance frame, its contents shoved to the edge. {caption}",
                "{caption} Cut off-centre, without any symmetry between the halves.",
                "{caption} Frame it askew, so that one half is crammed and the other is left over.",
            ),
        ),
    ),
    hint=f"Effects are in {__name__}.EFFECTS.",
)
