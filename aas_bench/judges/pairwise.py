"""Which of two pictures fits a prompt better: asked in both orders, a contradiction is a tie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aas_bench.judges.base import GUARD, Question, Rubric, object_schema

RUBRIC: Final = Rubric(
    name="pairwise",
    version=1,
    instructions=f"""\
Two pictures answer one request. Say which of them does what the request says.

How to judge:
- Take the request at its word. It may want a picture that most people would call ugly, dull,
  blurred, gloomy or badly made. Then the picture that is so is the better answer.
- Your own taste does not count. Beauty, sharpness, detail or a cheerful mood that the request does
  not ask for earn nothing; where the request wants their opposite, they are faults.
- Look first at what is shown: a picture of something else does not fit, whatever it looks like.
- Then go through the wishes of the request one by one. The picture that meets more of them, or
  meets them more clearly, fits better.
- The order in which the pictures come means nothing. If you cannot tell them apart, say neither.
{GUARD}

Answer with one JSON object: "why", one sentence; "choice", one of "first", "second", "neither".""",
)

_SCHEMA: Final = object_schema(
    {
        "why": {"type": "string"},
        "choice": {"type": "string", "enum": ["first", "second", "neither"]},
    }
)


def pairwise_question(
    prompt: str, first: Mapping[str, Any] | None, second: Mapping[str, Any] | None
) -> Question:
    """Which of two undecoded images fits the prompt better."""
    return Question(
        rubric=RUBRIC,
        task={"request": prompt},
        images={"first picture": first, "second picture": second},
        schema=_SCHEMA,
    )


def vote(values: Mapping[str, Any], *, distorted: str) -> float:
    """1 where the answer names the distorted image, 0 the original one, 0.5 neither.

    Args:
        values: An answer.
        distorted: The place of the distorted image: "first" or "second".
    """
    choice = values["choice"]
    return 0.5 if choice == "neither" else float(choice == distorted)


def decision(first: float | None, second: float | None) -> float | None:
    """What the votes of both orders come to: 1 or 0 where they agree, else 0.5, a tie.

    None where one of the two is missing: half an answer is none.
    """
    if first is None or second is None:
        return None
    return first if first == second else 0.5
