"""How well one picture shows the main concept and the requested effects, 0 to 100 each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aas_bench.judges.base import GUARD, Question, Rubric, object_schema

SCORES: Final = ("main_concept", "requested_effects")

RUBRIC: Final = Rubric(
    name="graded",
    version=1,
    instructions=f"""\
You see one picture, a caption and a request. Give two marks from 0 to 100.

"main_concept": does the picture show what the caption says: who or what is there, doing what,
where? How it looks has no bearing on this mark.
  0 something else; 25 a trace of it; 50 about half; 75 most of it; 100 all of it.

"requested_effects": is the picture made as the request wants it to look or feel? A request may
want what most people would call bad, such as blur, gloom, clashing colours or crude parts. A
picture that has it earns a high mark; one that is pretty instead earns a low mark.
  0 no sign of it, or its opposite; 25 a hint; 50 visible but weak or partial; 75 clear; 100 as
  strong as the request says, in every respect that it names.
{GUARD}

Answer with one JSON object: "why", one sentence; "main_concept" and "requested_effects", whole
numbers from 0 to 100.""",
)

_MARK: Final = {"type": "integer", "minimum": 0, "maximum": 100}
_SCHEMA: Final = object_schema({"why": {"type": "string"}, **dict.fromkeys(SCORES, _MARK)})


def graded_question(caption: str, prompt: str, image: Mapping[str, Any] | None) -> Question:
    """Two marks for one undecoded image.

    Args:
        caption: What it is to show: the original prompt.
        prompt: How it is to look: the distorted prompt.
        image: The image.
    """
    task = {"caption": caption, "request": prompt}
    return Question(rubric=RUBRIC, task=task, images={"picture": image}, schema=_SCHEMA)
