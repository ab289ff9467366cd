"""The requested effects as questions with a yes or no, so that a score can be looked up in them.

Each effect has two questions: is it there, and is it strong. The second stands or falls with the
first: where the effect is not there, or that is not known, nothing is said of its strength,
whatever was answered. (That such questions depend on one another is an idea of arXiv 2606.31711;
the words are ours.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from aas_bench.errors import InputError
from aas_bench.judges.base import GUARD, Question, Rubric, Values, object_schema
from aas_bench.tasks.taxonomy import DIMENSIONS

NOT_APPLICABLE: Final = "not applicable"
STRONG: Final = "_strong"
"""How the key of the question of an effect's strength ends."""

RUBRIC: Final = Rubric(
    name="checklist",
    version=1,
    instructions=f"""\
You see one picture, a caption and a list of questions. Answer every question by what the picture
shows, and by nothing else: not by what the caption leads you to expect.

- Answer "yes" where the thing is plainly there and "no" where it is not.
- A question with "only_if" is about something that another question asks for. If your answer to
  that one is "no", answer "{NOT_APPLICABLE}" here; otherwise "yes" or "no".
- Each question stands for itself. What you like, and what looks good, has no bearing.
{GUARD}

Answer with one JSON object that has an answer under the key of each question, and no other key.""",
)


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question of a checklist.

    Attributes:
        key: What its answer stands under.
        text: The question.
        only_if: The key of the question that must be answered with yes for this one to apply.
    """

    key: str
    text: str
    only_if: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As a judge reads it: JSON values."""
        told = {"key": self.key, "question": self.text}
        return told if self.only_if is None else told | {"only_if": self.only_if}


CONTENT: Final = (
    Item(key="content", text="Does the picture show the main thing that the caption is about?"),
    Item(
        key="content_whole",
        text="Does it show everything that the caption names?",
        only_if="content",
    ),
)
"""What is asked of every picture."""

QUESTIONS: Final = MappingProxyType(
    {
        "clarity": (
            "Is the picture, or what it is about, blurred, noisy or smeared?",
            "Is that so strong that outlines or small parts can no longer be made out?",
        ),
        "color brightness": (
            "Are the colours dark, pale or washed out?",
            "Is hardly any lively colour left in the picture?",
        ),
        "color aesthetic": (
            "Do the colours clash, or look sickly or unnatural?",
            "Is that so over most of the picture, and seen at once?",
        ),
        "lighting distinction": (
            "Is the light flat, with little difference between lit and shaded parts?",
            "Are shadows and highlights gone almost everywhere?",
        ),
        "detail refinement": (
            "Are small parts crude, smudged or left unfinished?",
            "Is that so in most parts, those that matter among them?",
        ),
        "detail realism": (
            "Do surfaces or shapes look artificial, as no real thing would?",
            "Is that so in most of the picture, and seen at once?",
        ),
        "background": (
            "Are the surroundings ugly, dirty or cluttered, or missing?",
            "Do they spoil the whole picture?",
        ),
        "main object": (
            "Is the main subject small, hidden, cut off or otherwise easy to overlook?",
            "Must one search for it?",
        ),
        "richness": (
            "Is there little to see besides the main subject?",
            "Is the picture all but empty?",
        ),
        "object pairing": (
            "Are there things together that do not belong together?",
            "Is that the first thing one notices?",
        ),
        "emotion": (
            "Does the picture feel sad, gloomy, frightening or repellent?",
            "Does everything in it carry that mood?",
        ),
        "symmetry": (
            "Is the picture lopsided or badly balanced?",
            "Does it look as if it were about to tip over?",
        ),
    }
)
"""Dimension -> is the effect there, and is it strong."""


def items(dimensions: Sequence[str]) -> tuple[Item, ...]:
    """The questions of a picture that was to have these effects.

    Raises:
        InputError: There are none, or one is not known.
    """
    unknown = [name for name in dimensions if name not in DIMENSIONS]
    if unknown or not dimensions:
        fault = f"no questions for {unknown[0]!r}" if unknown else "no effect is requested"
        msg = f"{fault}. A checklist needs names of: {', '.join(DIMENSIONS)}."
        raise InputError(msg)
    found = [*CONTENT]
    for name in dict.fromkeys(dimensions):
        there, strong = QUESTIONS[name]
        key = effect_key(name)
        found += [Item(key=key, text=there), Item(key=key + STRONG, text=strong, only_if=key)]
    return tuple(found)


def effect_key(dimension: str) -> str:
    """The key of the question whether a dimension's effect is there."""
    return dimension.replace(" ", "_")


def checklist_question(
    caption: str, dimensions: Sequence[str], image: Mapping[str, Any] | None
) -> Question:
    """All questions of one undecoded image.

    Raises:
        InputError: No known effect is requested.
    """
    asked = items(dimensions)
    words = {each.key: ["yes", "no", *([NOT_APPLICABLE] if each.only_if else [])] for each in asked}

    def check(values: Values) -> str | None:
        for each in asked:
            if values[each.key] == NOT_APPLICABLE and values[str(each.only_if)] == "yes":
                return f"{each.key} is {NOT_APPLICABLE}, though {each.only_if} is yes"
        return None

    return Question(
        rubric=RUBRIC,
        task={"caption": caption, "questions": [each.to_dict() for each in asked]},
        images={"picture": image},
        schema=object_schema(
            {key: {"type": "string", "enum": allowed} for key, allowed in words.items()}
        ),
        check=check,
    )


def resolved(values: Mapping[str, str], asked: Sequence[Item]) -> dict[str, bool | None]:
    """Answers by key: True, False, or None where a question does not apply."""
    found: dict[str, bool | None] = {}
    for each in asked:  # a question comes after the one that it depends on
        applies = each.only_if is None or found[each.only_if] is True
        found[each.key] = values[each.key] == "yes" if applies else None
    return found
