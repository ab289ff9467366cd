"""Whether a prompt may stand for a caption and its dimensions: one check for every rewriter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.reading import requested_effects
from aas_bench.rewriters.base import MAX_WORDS, n_words

LEAST_KEPT: Final = 0.5
"""Share of a caption's content words that its prompt keeps, at least."""

_WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_STEM: Final = 5
_EMPTY: Final = frozenset(
    """
    a an the this that these those some any each every all both several many few lot lots other
    one two three four five six seven eight nine ten pair group bunch couple piece front back side
    top bottom middle image picture photo photograph view close up and or but nor so as at by for
    from in into of off on onto out over under with without within near next between behind beside
    besides above below across along around among against through toward towards to it its his her
    their our your my he she they them him we you i is are was were be been being am has have had
    having do does did doing can could will would may might must there here where which who whom
    whose what while when then than very just also some something someone show shows showing shown
    sit sits sitting stand stands standing get gets getting go goes going hold holds holding look
    looks looking wear wears wearing take takes taking make makes making use uses using about
    """.split()  # noqa: SIM905 - a list of a hundred words reads better as text
)
"""Words that say little about what a picture shows."""

_EFFECT_OF: Final = {effect.dimension: effect.name for effect in EFFECTS.values()}


def prompt_faults(prompt: str, *, caption: str, dimensions: Sequence[str]) -> list[str]:
    """What is wrong with a wide-spectrum prompt; empty: nothing.

    It has one to `MAX_WORDS` words on one line, is not the caption, keeps at least `LEAST_KEPT` of
    the caption's content words (compared by their first letters), and asks for each dimension in
    words that `requested_effects` reads.

    Args:
        prompt: What a rewriter made.
        caption: What it was given.
        dimensions: What it was to ask for, names from `taxonomy.DIMENSIONS`.
    """
    if not prompt.strip():
        return ["it is empty"]
    faults = []
    if (length := n_words(prompt)) > MAX_WORDS:
        faults.append(f"it has {length} words; the most is {MAX_WORDS}")
    if len(prompt.strip().splitlines()) > 1:
        faults.append("it runs over several lines")
    if _plain(prompt) == _plain(caption):
        faults.append("it only repeats the caption")
    lost = lost_words(prompt, caption)
    words = content_words(caption)
    if len(words) - len(lost) < LEAST_KEPT * len(words):
        faults.append(f"it drops what the caption shows: {', '.join(lost)}")
    return faults + [f"it does not ask for {name}" for name in unmentioned(prompt, dimensions)]


def unmentioned(prompt: str, dimensions: Sequence[str]) -> list[str]:
    """The dimensions that no words of the prompt ask for."""
    asked = requested_effects(prompt)
    return [name for name in dimensions if _EFFECT_OF[name] not in asked]


def content_words(caption: str) -> list[str]:
    """The words of a caption that name what it shows, in lower case, each once."""
    words = (word.lower() for word in _WORD.findall(caption))
    return list(dict.fromkeys(w for w in words if len(w) > 1 and w not in _EMPTY))


def lost_words(prompt: str, caption: str) -> list[str]:
    """The content words of a caption that its prompt has no form of."""
    kept = {_stem(word.lower()) for word in _WORD.findall(prompt)}
    return [word for word in content_words(caption) if _stem(word) not in kept]


def _stem(word: str) -> str:
    """The first letters: enough to see dogs in dog and sunlight in sunlit."""
    word = word.removesuffix("'s").removesuffix("’s")
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        word = word[:-1]
    return word[:_STEM]


def _plain(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]
