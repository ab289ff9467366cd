"""What a wide-spectrum request can ask for: names from the sources, meanings in our words.

Sources of the names: the dimensions are VisionReward's (arXiv 2412.21059), as used by the
wide-spectrum paper (arXiv 2512.11883); photo categories and elements, emotions and topics are
those of the paper's photograph, emotion and critical-comparison sets.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from types import MappingProxyType
from typing import Final

DIMENSIONS: Final = MappingProxyType(
    {
        "clarity": "How sharp the picture is; asked for: blur, noise, smear.",
        "color brightness": "How bright the colours are; asked for: dark or washed-out colour.",
        "color aesthetic": "How pleasing the palette is; asked for: clashing or unnatural hues.",
        "lighting distinction": "How marked light and shadow are; asked for: flat, even light.",
        "detail refinement": "How finely small parts are worked; asked for: crude, mushy parts.",
        "detail realism": "How true to life surfaces look; asked for: artificial surfaces.",
        "background": "How good the surroundings are; asked for: an ugly or missing backdrop.",
        "main object": "How prominent the subject is; asked for: a small or hidden subject.",
        "richness": "How much there is to see; asked for: an empty picture.",
        "object pairing": "How well parts go together; asked for: parts that do not belong.",
        "emotion": "The mood it carries; asked for: gloom, fear, sadness, disgust.",
        "symmetry": "How balanced the two halves are; asked for: a lopsided picture.",
    }
)
"""The eleven VisionReward dimensions that the paper used, and symmetry."""

_ASKED: Final = MappingProxyType(
    {
        word: name
        for name, meaning in DIMENSIONS.items()
        for word in re.findall(r"[\w-]{4,}", meaning.partition("asked for:")[2])
    }
)


def meant_by(word: str) -> str | None:
    """The dimension that a word like this one asks for; None where no meaning has such a word.

    Example:
        >>> meant_by("blurr"), meant_by("gloomy"), meant_by("teapot")
        ('clarity', 'emotion', None)
    """
    near = difflib.get_close_matches(word.lower(), _ASKED, n=1, cutoff=0.75)
    return _ASKED[near[0]] if near else None


_NEAR: Final = (
    ("clarity", "detail refinement", "detail realism"),
    ("color brightness", "color aesthetic"),
    ("color brightness", "lighting distinction", "emotion"),
    ("background", "main object", "richness"),
    ("background", "object pairing", "richness"),
    ("main object", "symmetry"),
)
"""Dimensions of which one request often brings, or undoes, another: dim light is dark colour and
gloom, an empty picture has no backdrop, a cluttered one is its opposite."""

_SHOWS: Final = MappingProxyType(
    {
        "clarity_and_focus": ("clarity", "detail refinement"),
        "color_and_tone": ("color brightness", "color aesthetic"),
        "lighting_and_exposure": ("color brightness", "lighting distinction"),
        "composition_and_structure": ("main object", "symmetry"),
        "emotion_and_subject": ("emotion", "main object", "object pairing"),
    }
)
"""Photo category -> dimensions that its elements change."""

PHOTO_ELEMENTS: Final = MappingProxyType(
    {
        "clarity_and_focus": MappingProxyType(
            {
                "intentional_blur": "Soft or moving focus by choice.",
                "double_exposure": "Two scenes laid over each other in one frame.",
                "film_artifacts": "Grain, scratches and the texture of film.",
                "analog_degradation": "The wear of tape and old video: scanlines, lost tracking.",
                "digital_artifacts": "Compression blocks, aliasing, corrupted data on show.",
                "bad_or_no_details": "Surfaces that dissolve instead of resolving.",
            }
        ),
        "color_and_tone": MappingProxyType(
            {
                "clashing_disharmony": "Hues that fight each other.",
                "chromatic_aberration": "Colour fringes along strong edges.",
                "muted_faded": "Dull, bleached, tired colour.",
                "sickly_cast": "A tint that makes everything look ill.",
                "color_inconsistency": "Banding, or white balance that does not hold.",
            }
        ),
        "lighting_and_exposure": MappingProxyType(
            {
                "exposure_extremes": "Shadows or highlights pushed past recovery.",
                "light_leak": "Stray light washed over the frame.",
                "flat_lighting": "Light without direction or depth.",
                "harsh_or_insufficient_flash": "A flash too hard, or one that did not reach.",
                "low_contrast_oppressive": "Heavy grey with little between light and dark.",
            }
        ),
        "composition_and_structure": MappingProxyType(
            {
                "unconventional_framing": "Tilted or off-level views.",
                "obstructed_cropping": "The subject cut off or blocked.",
                "scale_inconsistency": "Sizes that contradict each other.",
                "unconventional_scale": "The subject far too large or far too small.",
                "amateur_snapshot_energy": "The careless timing of a casual snapshot.",
            }
        ),
        "emotion_and_subject": MappingProxyType(
            {
                "negative_personal_emotion": "People in sorrow, anger, fear or distress.",
                "atmospheric_distress": "A place whose mood is dread or despair.",
                "decay_and_degradation": "Things old, broken, dirty or abandoned.",
                "disgust_and_aversion": "Sights that repel: rot, filth, wounds.",
                "unfinished_raw": "Work that shows it is not finished.",
                "abstract_photo": "Shape and texture in place of a recognisable subject.",
                "surrealism": "Dream logic: things that cannot stand together, together.",
            }
        ),
    }
)
"""Five photo categories and their 28 elements; an element is written `category.element`."""

HAPPY: Final = "happy"

EMOTIONS: Final = MappingProxyType(
    {
        HAPPY: "The default face; stands on the other side of every emotion pair.",
        "sad": "A face in sorrow.",
        "angry": "A face in anger.",
        "fearful": "A face in fear.",
    }
)

TOPICS: Final = MappingProxyType(
    {
        "anti-war": "What war does to people and places.",
        "pollution": "Poisoned air, water and ground.",
        "inequality": "Wealth beside want.",
        "freedom of expression": "Voices that are silenced.",
        "digital overload": "Lives crowded out by screens.",
    }
)
"""The five topics of the critical-comparison pairs."""

AUTHORS_TOPICS: Final = MappingProxyType(
    {"censorship": "freedom of expression", "tech-overuse": "digital overload"}
)
"""The authors' word for a topic -> ours, where the two differ."""


def near_dimensions(names: Collection[str]) -> frozenset[str] | None:
    """The dimensions that a request for `names` may show in an image, or undo there.

    Args:
        names: Dimensions, photo elements or emotions.

    Returns:
        Those themselves and their neighbours; None where there is no name, or an unknown one.

    Example:
        >>> sorted(near_dimensions(["symmetry"]))
        ['main object', 'symmetry']
        >>> sorted(near_dimensions(["sad"]))
        ['color brightness', 'emotion', 'lighting distinction']
        >>> near_dimensions(["anti-war"]) is None
        True
    """
    asked: set[str] = set()
    for name in names:
        category = name.partition(".")[0]
        if name in DIMENSIONS:
            asked.add(name)
        elif name in EMOTIONS:
            asked.add("emotion")
        elif category in _SHOWS:
            asked.update(_SHOWS[category])
        else:
            return None
    near = (group for group in _NEAR if not asked.isdisjoint(group))
    return frozenset(asked.union(*near)) if asked else None


def elements() -> tuple[str, ...]:
    """All photo elements as `category.element`, in the order of the taxonomy."""
    return tuple(f"{c}.{e}" for c, es in PHOTO_ELEMENTS.items() for e in es)
