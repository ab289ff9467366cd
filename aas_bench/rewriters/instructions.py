"""What a language model is told; a change of words changes `VERSION`, and with it the cache."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from aas_bench.rewriters.base import MAX_WORDS, RewriteRequest
from aas_bench.rewriters.phrases import PHRASES
from aas_bench.tasks.taxonomy import DIMENSIONS

VERSION: Final = 1

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"prompt": {"type": "string"}},
    "required": ["prompt"],
    "additionalProperties": False,
}

_SYSTEM: Final = f"""\
You write prompts that test image generators. A test wants pictures that conventional taste calls
bad, made on purpose, so that one can see whether a generator does what it is told.

You get a caption and one or several requests. Write one prompt in English that describes the
caption's scene and has every request in it, as part of how the picture looks.

Rules:
1. Keep who and what the caption shows. Invent no other story.
2. Ask for every request in plain words that a stranger would recognise; leave none to be guessed.
3. Ask for nothing that was not requested, and never soften a request or turn it into praise.
4. At most {MAX_WORDS} words, one line, no list, no quotation marks around it.
5. Answer with a JSON object that has one key, "prompt", and nothing else."""


def messages(request: RewriteRequest) -> list[dict[str, str]]:
    """The conversation's beginning: the rules, the caption and what to ask for.

    Each request is named with its meaning and with one way to say it.
    """
    asked = [
        {
            "request": name,
            "meaning": DIMENSIONS[name],
            "for example": PHRASES[name][request.seed % len(PHRASES[name])],
        }
        for name in request.dimensions
    ]
    task = {"caption": request.caption, "requests": asked}
    return [
        {"role": "system", "content": _SYSTEM},
        {"role": "user", "content": json.dumps(task, ensure_ascii=False, indent=1)},
    ]


def correction(answer: str, faults: Sequence[str]) -> list[dict[str, str]]:
    """How the conversation goes on after an unusable answer."""
    listed = "\n".join(f"- {fault}" for fault in faults)
    text = (
        f"This cannot be used:\n{listed}\nWrite the whole prompt again under the same rules and "
        'answer with the JSON object {"prompt": ...} alone.'
    )
    return [{"role": "assistant", "content": answer}, {"role": "user", "content": text}]
