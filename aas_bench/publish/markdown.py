"""Text from data inside Markdown: nothing in it may act as markup."""

from __future__ import annotations

import html
import re
from typing import Any, Final

MOST_CHARACTERS: Final = 400
_ACTIVE: Final = re.compile(
    r"[\\`*_\[\]|~$@]|^[-+=#](?!\d)|^\d{1,9}[.)](?=\s|$)|:(?=//)|(?<=www)\.", re.IGNORECASE
)
_PLAIN: Final = re.compile(r"[\w.-]+")


class Safe(str):
    """Text that is Markdown on purpose."""

    __slots__ = ()


def inline(text: str) -> Safe:
    """One line of plain text, with every character that Markdown or HTML may act on as an entity.

    Line breaks become spaces, other control characters vanish, and text beyond `MOST_CHARACTERS`
    is cut.
    """
    line = " ".join(text.split())
    line = "".join(mark for mark in line if mark.isprintable())
    if len(line) > MOST_CHARACTERS:
        line = line[: MOST_CHARACTERS - 1].rstrip() + "…"
    pieces, end = [], 0
    for match in _ACTIVE.finditer(line):
        pieces.append(html.escape(line[end : match.start()]))
        pieces += [f"&#{ord(mark)};" for mark in match[0]]
        end = match.end()
    return Safe("".join(pieces) + html.escape(line[end:]))


def code(name: str) -> Safe:
    """A name in a code span; one that could end the span or a table cell stays plain text."""
    return Safe(f"`{name}`") if _PLAIN.fullmatch(name) else inline(name)


def rendered(value: Any) -> Any:
    """How a template prints a value: `Safe` text as it is, other text as `inline`."""
    return inline(value) if isinstance(value, str) and not isinstance(value, Safe) else value
