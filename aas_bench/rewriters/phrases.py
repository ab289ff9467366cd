"""How the template rewriter asks for each dimension: clauses that stand within a sentence.

Each clause is short enough that four of them and a caption of common length stay below the limit,
each speaks of its own dimension in words that a reader and `requested_effects` both find, and none
promises what another could contradict.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

LEADS: Final = ("", "", "A picture in which", "An image in which", "A photograph in which")
"""How a prompt may begin before its clauses; empty: with the caption."""

JOINTS: Final = (", and ", "; ", ", while ", ", and ")
"""What may stand between two clauses of one sentence."""

PHRASES: Final = MappingProxyType(
    {
        "clarity": (
            "everything is blurred and grainy",
            "all of it is out of focus and smeared with noise",
            "outlines are fuzzy and no edge is sharp",
            "a heavy blur melts every contour",
            "heavy noise makes the shapes indistinct",
        ),
        "color brightness": (
            "the colours are dark and drained",
            "every hue is dull and washed out",
            "the colours sink into an underexposed murk",
            "the colours are pale, as if bleached",
            "the scene is so dim that hardly a colour is left",
        ),
        "color aesthetic": (
            "the hues are garish and they clash",
            "sickly greens and lurid pinks fight each other",
            "the colours are ugly together and lack any harmony",
            "jarring tints lie over every surface",
            "the palette is gaudy and unnatural",
        ),
        "lighting distinction": (
            "the light is flat, with neither shadows nor highlights",
            "shadowless lighting takes away all depth",
            "no shadow separates the near from the far",
            "the scene is uniformly lit and without contrast",
            "the same featureless grey light falls on everything",
        ),
        "detail refinement": (
            "details are crude and smudged",
            "small parts run together in mushy blobs",
            "textures are coarse and left unfinished",
            "the finer parts look botched",
            "clumsy patches stand in for details",
        ),
        "detail realism": (
            "surfaces look fake, like cheap plastic",
            "materials appear artificial and waxy",
            "shapes are warped and surfaces unreal",
            "all of it has a synthetic, computer-made look",
            "nothing about the surfaces is lifelike",
        ),
        "background": (
            "the background is dirty and drab",
            "an ugly, cluttered background closes in",
            "a stained, muddy backdrop takes the place of a setting",
            "a shabby backdrop hangs behind everything",
            "the setting is shabby and careless",
        ),
        "main object": (
            "the main subject is tiny and easy to overlook",
            "the subject is half hidden and hardly noticeable",
            "the main subject is barely visible at the margin",
            "what should stand out fades into the rest, unnoticed",
            "the subject is obscured and pushed aside",
        ),
        "richness": (
            "the frame is nearly empty",
            "almost nothing else is there to see",
            "vacant space fills most of the frame",
            "the scene is sparse and monotonous",
            "the view is barren and stripped of variety",
        ),
        "object pairing": (
            "the parts do not belong together",
            "unrelated things intrude, out of place",
            "the objects look pasted in from elsewhere",
            "something incongruous is set among the rest",
            "the things on view make an absurd, mismatched set",
        ),
        "emotion": (
            "the mood is gloomy and bleak",
            "the scene feels sad and without hope",
            "an air of dread hangs over the scene",
            "the atmosphere is eerie and joyless",
            "the scene speaks of loneliness and despair",
        ),
        "symmetry": (
            "the composition is lopsided",
            "the two halves are badly unbalanced",
            "the framing is askew",
            "everything is crowded off-centre",
            "the layout has no balance",
        ),
    }
)
"""Dimension -> clauses."""
