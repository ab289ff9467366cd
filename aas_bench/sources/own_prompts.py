"""The prompts written for this project: critical ones on five topics, and portraits with a slot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from aas_bench.tables.forms import EMOTION_SLOT
from aas_bench.tasks.taxonomy import EMOTIONS, HAPPY, TOPICS

_HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class CriticalPrompt:
    """One critical prompt.

    Attributes:
        index: Its number, topic after topic.
        topic: A key of `taxonomy.TOPICS`.
        caption: The bare scene, which accuses nobody.
        prompt: The critical prompt, 25 to 60 words.
    """

    index: int
    topic: str
    caption: str
    prompt: str


@dataclass(frozen=True, kw_only=True)
class EmotionPrompt:
    """One portrait with a slot for the emotion.

    Attributes:
        index: Its number.
        template: The text with `[emotion]`.
    """

    index: int
    template: str

    def filled(self, emotion: str) -> str:
        """The prompt that asks for an emotion."""
        return self.template.replace(EMOTION_SLOT, emotion)


NEGATIVE = tuple(emotion for emotion in EMOTIONS if emotion != HAPPY)
"""The emotions that stand against the happy face, in the order of the taxonomy."""


@lru_cache(maxsize=1)
def critical_prompts() -> tuple[CriticalPrompt, ...]:
    """One hundred critical prompts, twenty on each topic, in the order of `taxonomy.TOPICS`."""
    rows = _read("critical_prompts.yaml")
    each = [(topic, row) for topic in TOPICS for row in rows[topic]]
    return tuple(
        CriticalPrompt(index=i, topic=topic, caption=row["caption"], prompt=row["prompt"])
        for i, (topic, row) in enumerate(each)
    )


@lru_cache(maxsize=1)
def emotion_prompts() -> tuple[EmotionPrompt, ...]:
    """Thirty portraits, each with one slot."""
    rows = _read("emotion_prompts.yaml")
    return tuple(EmotionPrompt(index=i, template=text) for i, text in enumerate(rows))


def _read(name: str) -> Any:
    return yaml.safe_load((_HERE / name).read_text(encoding="utf-8"))
