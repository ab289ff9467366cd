"""The rewriter that needs nothing: fixed phrases around the caption, chosen by hash.

It keeps the caption as it is and adds one clause for each dimension. What it gains in certainty it
lacks in invention: a language model weaves the request into the scene, this one sets it beside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from aas_bench.rewriters.base import MAX_WORDS, RewriteError, Rewriter, RewriteRequest, n_words
from aas_bench.rewriters.phrases import JOINTS, LEADS, PHRASES

VERSION: Final = 1
"""Raised when the wording changes, so that a table says which words it was made with."""

_LOWERED: Final = frozenset(
    {"A", "An", "The", "This", "That", "There", "Two", "Three", "Four", "Some", "Several", "Many"}
)
"""First words that lose their capital within a sentence; others may be names."""


class TemplateRewriter(Rewriter):
    """Caption, then one clause per dimension; the same request always gives the same prompt."""

    name = f"template-{VERSION}"

    def rewrite(self, request: RewriteRequest) -> str:
        """See `Rewriter.rewrite`.

        Raises:
            RewriteError: The caption is so long that the shortest phrases exceed the limit.
        """
        caption = " ".join(request.caption.split()).rstrip(" .,;:")
        clauses = [self._pick(request, name, PHRASES[name]) for name in request.dimensions]
        lead = self._pick(request, "lead", LEADS)
        joint = self._pick(request, "joint", JOINTS)
        prompt = _compose(caption, clauses, lead, joint)
        if n_words(prompt) > MAX_WORDS:
            shortest = [min(PHRASES[name], key=n_words) for name in request.dimensions]
            prompt = _compose(caption, shortest, "", "; ")
        if n_words(prompt) > MAX_WORDS:
            msg = (
                f"a caption of {n_words(caption)} words leaves no room for "
                f"{len(request.dimensions)} dimensions. Leave it out."
            )
            raise RewriteError(msg)
        return prompt

    def _pick(self, request: RewriteRequest, part: str, choices: Sequence[str]) -> str:
        text = f"{VERSION}|{request.seed}|{request.caption}|{part}"
        digest = hashlib.sha256(text.encode()).digest()
        return choices[int.from_bytes(digest[:8], "big") % len(choices)]


def load() -> TemplateRewriter:
    """The template rewriter."""
    return TemplateRewriter()


def _compose(caption: str, clauses: list[str], lead: str, joint: str) -> str:
    """Sentences of one or two clauses; a lead takes the caption into the first of them."""
    first, rest = caption, clauses
    if lead:
        head = (", and " if joint == "; " else joint).join(clauses[:2])
        first, rest = f"{lead} {head}: {_inner(caption)}", clauses[2:]
    pairs = [joint.join(rest[i : i + 2]) for i in range(0, len(rest), 2)]
    return " ".join(f"{text[0].upper()}{text[1:]}." for text in (first, *pairs))


def _inner(caption: str) -> str:
    """A caption within a sentence: its first word small, unless it may be a name."""
    first = caption.split(" ", 1)[0]
    return caption[0].lower() + caption[1:] if first in _LOWERED else caption
