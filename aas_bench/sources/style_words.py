"""Words that give a photo element away.

The clean caption of a photograph names what is on it and nothing of how it looks: a word of style
in it would ask the generator for the very effect that the clean image must lack. These lists find
such words for a human to look at. They err towards finding: "a foggy street" may be plain content.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

_WORDS: Final = MappingProxyType(
    {
        "clarity_and_focus.intentional_blur": (
            r"blur\w*|out of focus|unfocus\w*|defocus\w*|soft[- ]focus|bokeh|panning|"
            r"long[- ]exposure|smear\w*|streak\w*|unsharp|hazy"
        ),
        "clarity_and_focus.double_exposure": (
            r"(?:double|multiple)[- ]expos\w*|superimpos\w*|ghost(?:ly|ed|ing)|"
            r"semi-?transparent|translucent"
        ),
        "clarity_and_focus.film_artifacts": (
            r"grain(?:y|iness)?|film (?:burn|scratches|dust)|scratch(?:ed|es)|dust specks?"
        ),
        "clarity_and_focus.analog_degradation": (
            r"vhs|scan-?lines?|tracking errors?|analog\w*|interlac\w*|crt"
        ),
        "clarity_and_focus.digital_artifacts": (
            r"glitch\w*|pixelat\w*|pixelled|compression|aliasing|posteri[sz]\w*|datamosh\w*|"
            r"corrupted|artifact\w*|artefact\w*"
        ),
        "clarity_and_focus.bad_or_no_details": (
            r"low[- ]resolution|low[- ]quality|(?:little|lost|no|lacking|few) details?|"
            r"indistinct|smudg\w*|featureless|mushy"
        ),
        "color_and_tone.clashing_disharmony": r"clash\w*|garish|gaudy|oversaturated|neon|lurid",
        "color_and_tone.chromatic_aberration": (
            r"chromatic|colou?r fring\w*|fring(?:ed|ing)|rainbow edges?"
        ),
        "color_and_tone.muted_faded": (
            r"muted|faded|washed[- ]out|desaturat\w*|bleached|drab|pale tones?"
        ),
        "color_and_tone.sickly_cast": (
            r"sickly|(?:red|green|yellow|blue|orange|magenta) (?:cast|tint)|tinted|sepia"
        ),
        "color_and_tone.color_inconsistency": r"banding|white balance|mismatched colou?rs?",
        "lighting_and_exposure.exposure_extremes": (
            r"over-?exposed?|under-?exposed?|blown[- ]out|crushed blacks?|silhouett\w*|"
            r"high[- ]key|low[- ]key|nearly black"
        ),
        "lighting_and_exposure.light_leak": r"light leaks?|leaking light|lens flare",
        "lighting_and_exposure.flat_lighting": (
            r"flat(?:ly)?[- ](?:light\w*|lit)|evenly lit|shadowless|no shadows?"
        ),
        "lighting_and_exposure.harsh_or_insufficient_flash": (
            r"harsh\w*|direct flash|flash photo\w*|unflattering"
        ),
        "lighting_and_exposure.low_contrast_oppressive": (
            r"low[- ]contrast|murky|muddy|oppressive|gloom\w*|dim(?:ly)?(?:[- ]lit)?|"
            r"dark(?:ened|ly|ness)"
        ),
        "composition_and_structure.unconventional_framing": (
            r"tilt\w*|dutch angle|off-?level|off-?cent(?:er|re)d?|askew|crooked|"
            r"(?:odd|extreme|unusual) angles?"
        ),
        "composition_and_structure.obstructed_cropping": (
            r"cropp\w*|cut off|obstruct\w*|obscur\w*|partially (?:hidden|visible)|blocked"
        ),
        "composition_and_structure.scale_inconsistency": (
            r"(?:wrong|inconsistent|confusing) (?:scale|sizes?)|out of proportion|distorted"
        ),
        "composition_and_structure.unconventional_scale": (
            r"(?:oversized|tiny|minuscule|enormous|giant)|dwarfed"
        ),
        "composition_and_structure.amateur_snapshot_energy": (
            r"amateur\w*|snapshots?|casual photo|poorly (?:composed|timed)|careless\w*"
        ),
        "emotion_and_subject.negative_personal_emotion": (
            r"sad\w*|cry(?:ing)?|angry|fearful|terrified|distress\w*|grief|sorrow\w*|anguish\w*"
        ),
        "emotion_and_subject.atmospheric_distress": (
            r"eerie|ominous|bleak\w*|desolate|dread\w*|menacing|unsettling|haunting"
        ),
        "emotion_and_subject.decay_and_degradation": (
            r"decay\w*|rust\w*|peeling|crumbl\w*|derelict|abandoned|dilapidated|ruin(?:s|ed)"
        ),
        "emotion_and_subject.disgust_and_aversion": (
            r"disgust\w*|rott(?:en|ing)|filth\w*|grotesque|gruesome|repulsive|wounds?"
        ),
        "emotion_and_subject.unfinished_raw": r"unfinished|incomplete|half-done|crude\w*",
        "emotion_and_subject.abstract_photo": r"abstract\w*",
        "emotion_and_subject.surrealism": r"surreal\w*|dream-?like|otherworldly|impossible",
    }
)
"""Element -> alternatives of a pattern."""

_PATTERNS: Final = {
    element: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for element, words in _WORDS.items()
}


def leaked_words(caption: str) -> tuple[tuple[str, str], ...]:
    """The words of style in a caption that should have none.

    Args:
        caption: A clean caption.

    Returns:
        (element, word as written), each once, in the order of the taxonomy.
    """
    found = {
        (element, match.group().lower()): None
        for element, pattern in _PATTERNS.items()
        for match in pattern.finditer(caption)
    }
    return tuple(found)
