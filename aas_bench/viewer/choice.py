"""What a reader chose to see, as an address holds it, and the rows that this selects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.measure.part import Parts
from aas_bench.measure.summary import VERDICTS
from aas_bench.stats.estimate import Mask
from aas_bench.tables.schema import PAIR_ID, PROMPT_DISTORTED

PAGE: Final = 24
"""Pairs on a page."""
SORTS: Final[Mapping[str, str]] = {
    "table": "as in the table",
    "polished": "polished image ahead",
    "asked": "asked-for image ahead",
    "near": "nearest scores",
    "differ": "disagreement",
}
_LONGEST: Final = 200
_MOST_PAGE: Final = 10**9


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Filters, order and place.

    Attributes:
        reward: The reward model that outcome and order are of; None where there is none.
        other: The one beside it.
        facts: Column of `Parts.facts` -> the name chosen.
        outcome: One of `VERDICTS` of the reward model; None: any.
        sort: A key of `SORTS`.
        words: What the prompt or the name of the pair holds, each word of it.
        page: From 1.
    """

    reward: str | None
    other: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    outcome: str | None = None
    sort: str = "table"
    words: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str], parts: Parts) -> Choice:
        """Read an address; what it leaves out has its default.

        Raises:
            InputError: It names what is not there.
        """
        rewards = parts.table.rewards
        reward = _known("reward model", query.get("reward"), rewards) or next(iter(rewards), None)
        other = _known("reward model", query.get("other"), rewards)
        other = None if other == reward else other
        facts = {
            name: found
            for name, groups in parts.facts.items()
            if (found := _known(name, query.get(name), groups))
        }
        sort = _known("order", query.get("sort"), SORTS) or ("differ" if other else "table")
        page = query.get("page") or "1"
        if not page.isdecimal() or not 0 < int(page) < _MOST_PAGE:
            msg = f"page={page[:20]} is no page. Count from 1."
            raise InputError(msg)
        return cls(
            reward=reward,
            other=other,
            facts=facts,
            outcome=_known("outcome", query.get("outcome"), VERDICTS) if reward else None,
            sort="table" if reward is None or (sort == "differ" and other is None) else sort,
            words=query.get("q", "")[:_LONGEST].strip(),
            page=int(page),
        )

    def address(self, **more: Any) -> str:
        """The query of this choice, with further names; what has its default is left out."""
        default = "differ" if self.other else "table"
        found = {
            "reward": self.reward,
            "other": self.other,
            **self.facts,
            "outcome": self.outcome,
            "sort": None if self.sort == default else self.sort,
            "q": self.words,
            "page": self.page if self.page > 1 else None,
        } | more
        return urlencode({name: value for name, value in found.items() if value not in (None, "")})

    def at(self, page: int) -> Choice:
        """The same on another page."""
        return replace(self, page=page)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The rows of a choice.

    Attributes:
        part: The rows that its facts leave: what figures are of; shape (n,).
        rows: Those of them that are shown, in their order.
    """

    part: Mask
    rows: NDArray[np.intp]


def select(parts: Parts, choice: Choice) -> Selection:
    """The rows that a choice selects; its page does not matter."""
    part = parts.rows.copy()
    for name, wanted in choice.facts.items():
        part &= parts.facts[name].mask(wanted)
    shown = part.copy()
    if choice.outcome is not None and choice.reward is not None:
        shown &= parts.with_verdict(choice.reward, choice.outcome)
    for word in choice.words.split():
        shown &= _with_word(parts, word)
    rows = np.flatnonzero(shown)
    return Selection(part=part, rows=rows[_order(parts, choice, rows)])


def _order(parts: Parts, choice: Choice, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    if choice.sort == "table" or choice.reward is None:
        return np.arange(len(rows))
    margin = parts.margin(choice.reward)[rows]
    key = {"polished": margin, "asked": -margin, "near": np.abs(margin)}.get(choice.sort)
    if key is not None:
        return np.argsort(key, kind="stable")  # nan comes last
    assert choice.other is not None
    agree = ~parts.disagreement(choice.reward, choice.other)[rows]
    return np.lexsort((-np.abs(margin), agree))


def _with_word(parts: Parts, word: str) -> Mask:
    frame = parts.table.frame
    found: Mask = np.zeros(len(frame), dtype=bool)
    for name in (PROMPT_DISTORTED, PAIR_ID):
        if name in frame:
            held = frame[name].astype("string").str.contains(word, case=False, regex=False)
            found |= held.fillna(False).to_numpy(dtype=bool)
    return found


def _known(kind: str, name: str | None, known: Any) -> str | None:
    if not name:
        return None
    if name not in known:
        raise UnknownNameError(kind, name[:_LONGEST], known, hint="Choose one on the page.")
    return name
