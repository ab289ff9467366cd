"""How each effect is asked for: several wordings of one request.

`{caption}` stands for the scene's caption. The words are the same at every dose, so that a reward
that rises with the dose answers the picture, not the prompt.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

REQUESTS: Final = MappingProxyType(
    {
        "clarity": (
            "{caption} The whole picture is badly out of focus, with no sharp edge anywhere.",
            "{caption} Everything is smeared by a heavy blur, so that outlines melt together.",
            "A hopelessly blurry shot, nothing in it is crisp. {caption}",
            "{caption} Taken with the lens defocused; soft, fuzzy and hard to read.",
            "{caption} I want it unsharp, as if seen through a fogged window.",
        ),
        "color-brightness": (
            "{caption} The colours are dark and drained, as if the light had been turned down.",
            "{caption} Make it dim and underexposed, with all vividness gone from the colours.",
            "A murky, underlit picture with dull, lifeless colours. {caption}",
            "{caption} Every hue is dark and washed out; nothing glows.",
            "{caption} Much too dark, the colour almost gone.",
        ),
        "color-aesthetic": (
            "{caption} The colours clash: acid green against hot magenta.",
            "{caption} Use a garish, sickly palette whose hues fight each other.",
            "An eyesore in unnatural, jarring colours. {caption}",
            "{caption} The colour scheme is ugly on purpose, lurid and without any harmony.",
            "{caption} Tint it in gaudy greens and pinks that look wrong together.",
        ),
        "lighting-distinction": (
            "{caption} The light is flat and even, without highlights or shadows.",
            "{caption} Lit so evenly that nothing has depth; no light, no shade.",
            "Dull, shadowless lighting and very low contrast. {caption}",
            "{caption} Lit and shaded parts are hardly told apart, the lighting is uniform.",
            "{caption} No drama in the lighting: featureless grey light from everywhere.",
        ),
        "detail-refinement": (
            "{caption} Small parts are crude and mushy, daubed rather than drawn.",
            "{caption} The details are rough blobs; no texture is worked out.",
            "A coarse, sloppy rendering in which fine detail has turned to mush. {caption}",
            "{caption} Textures are smudged away and only clumsy patches are left.",
            "{caption} Leave every detail unfinished and lumpy, like wet paint pushed around.",
        ),
        "detail-realism": (
            "{caption} Surfaces look fake and artificial, reduced to a few flat tones.",
            "{caption} Posterised into hard bands like a cheap print; nothing looks real.",
            "An unrealistic, plastic-looking version. {caption}",
            "{caption} It should look computer-made and synthetic, with banded tones.",
            "{caption} Strip away all realism: cartoonish blocks instead of true surfaces.",
        ),
        "background": (
            "{caption} The background is an ugly, stained, drab sheet.",
            "{caption} All behind the subject is replaced by a muddy, featureless backdrop.",
            "A picture with a hideous, empty background. {caption}",
            "{caption} The surroundings are missing; only a dirty blank wall is around it.",
            "{caption} Put it before a shabby backdrop with nothing in it.",
        ),
        "main-object": (
            "{caption} The main subject is barely visible, fading into its surroundings.",
            "{caption} What should be the subject is faint and easy to overlook.",
            "The main object can hardly be made out, it dissolves into the scene. {caption}",
            "{caption} The subject is almost hidden, a ghost that nobody would notice.",
            "{caption} Let the main thing vanish until it is inconspicuous.",
        ),
        "richness": (
            "{caption} The picture is nearly empty: a small part is left on plain ground.",
            "{caption} Leave out almost everything; bare, vacant space fills the frame.",
            "A sparse, barren picture with next to nothing to see. {caption}",
            "{caption} Strip the scene of its contents so that it looks monotonous and void.",
            "{caption} There is very little in it, just blank space around a fragment.",
        ),
        "object-pairing": (
            "{caption} Something that does not belong there has been pasted into the scene.",
            "{caption} An unrelated object sits in it, out of place and at odds with the rest.",
            "An incongruous mix of things that do not go together. {caption}",
            "{caption} Add a mismatched object from another photograph, like a bad collage.",
            "{caption} Absurdly combined: one part has nothing to do with the others.",
        ),
        "emotion": (
            "{caption} The mood is gloomy and bleak.",
            "{caption} It should feel sad and oppressive, cold and without comfort.",
            "A dismal, depressing picture, heavy with dread. {caption}",
            "{caption} Everything about it speaks of sorrow and despair.",
            "{caption} Give it a sombre, joyless atmosphere, like a day of mourning.",
        ),
        "symmetry": (
            "{caption} The composition is lopsided: everything is crowded to one side.",
            "{caption} Badly balanced, all the weight on one edge and none on the other.",
            "A carelessly off-balance frame, its contents shoved to the edge. {caption}",
            "{caption} Cut off-centre, without any symmetry between the halves.",
            "{caption} Frame it askew, so that one half is crammed and the other is left over.",
        ),
    }
)
