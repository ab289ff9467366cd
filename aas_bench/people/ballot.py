"""What a rater is asked next, on which side, and what becomes of the answer.

Order and side are those of a hash of seed, rater and pair: nothing but the votes has to be kept,
and a rater who comes back, or a table that has grown, goes on where it was.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from aas_bench.errors import InputError
from aas_bench.tables.images import open_image
from aas_bench.tables.schema import (
    IMAGE_COLUMNS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    PAIR_ID,
    PROMPT_DISTORTED,
    Label,
)
from aas_bench.tables.votes import SIDES, Side, Vote, VotesFile, digest, standing

if TYPE_CHECKING:
    from datasets import Dataset
    from PIL import Image

Answer: TypeAlias = Literal["left", "right", "tie", "skip"]
ANSWERS: Final[tuple[Answer, ...]] = ("left", "right", "tie", "skip")
LONGEST_NAME: Final = 40


@dataclass(frozen=True, kw_only=True)
class Question:
    """What one rater sees now.

    Attributes:
        row: The row of the pair; None where all are done.
        done: Pairs that the rater answered, skips included.
        skipped: Skips among them.
        total: Pairs that there are.
        prompt: What the images are to do.
        following: The row after this one, whose images may be fetched ahead.
    """

    row: int | None
    done: int
    skipped: int
    total: int
    prompt: str = ""
    following: int | None = None


class Ballot:
    """The pairs, and the votes on them.

    Args:
        pairs: A pair table, as `load_pairs` gives it.
        file: Where the votes go, and what was voted before.
        seed: Another seed is another order and other sides.
        now: The time in UTC.
        raters: Who may vote; empty: whoever gives a name.

    Raises:
        InputError: A pair lacks an image, or the file holds votes on other pairs of these names.
    """

    def __init__(
        self,
        pairs: Dataset,
        file: VotesFile,
        *,
        seed: int,
        now: Callable[[], str],
        raters: Sequence[str] = (),
    ) -> None:
        from datasets import Image as ImageFeature

        shown = [name for name in IMAGE_COLUMNS if name in pairs.column_names]
        for name in shown:
            pairs = pairs.cast_column(name, ImageFeature(decode=False))
        self._pairs = pairs.select_columns([PAIR_ID, PROMPT_DISTORTED, *shown])
        self._ids: list[str] = list(pairs[PAIR_ID])
        self._prompts: list[str] = list(pairs[PROMPT_DISTORTED])
        self._file = file
        self._seed = seed
        self._now = now
        self._named = tuple(map(_checked, dict.fromkeys(raters)))
        self._lock = threading.Lock()
        self._refuse_halves(shown)
        self._refuse_other_pairs()

    def __len__(self) -> int:
        """How many pairs there are."""
        return len(self._ids)

    def raters(self) -> dict[str, int]:
        """Who may go on or begin, and how many pairs each answered."""
        with self._lock:
            known = self._named or sorted({vote.rater for vote in self._file.votes})
            return {rater: len(self._answered(rater)) for rater in known}

    def question(self, rater: str) -> Question:
        """What this rater is asked now.

        Raises:
            InputError: The name is empty or too long.
        """
        with self._lock:
            return self._question(self._admitted(rater))

    def answer(self, rater: str, row: int, answer: Answer, ms: int) -> Question:
        """Store an answer and ask on; one to a question that is no longer open changes nothing."""
        with self._lock:
            asked = self._question(self._admitted(rater))
            if asked.row == row:
                self._file.append(self._vote(rater, row, answer, ms))
                asked = self._question(rater)
            return asked

    def undo(self, rater: str) -> Question:
        """Take the rater's last vote back and ask it again."""
        with self._lock:
            answered = self._answered(self._admitted(rater))
            if answered:
                last = list(answered)[-1]
                vote = Vote(pair_id=last, rater=rater, choice=None, time=self._now(), undo=True)
                self._file.append(vote)
            return self._question(rater)

    def side(self, rater: str, row: int) -> Side:
        """Where the distorted image stands."""
        return SIDES[self._hash(rater, "side", self._ids[row])[0] % 2]

    def image(self, rater: str, row: int, side: Side) -> Image.Image:
        """The image on a side."""
        distorted = side == self.side(rater, row)
        name = IMAGE_DISTORTED if distorted else IMAGE_ORIGINAL
        return open_image(self._pairs[row][name], name=f"{name} of {self._ids[row]}")

    def _admitted(self, rater: str) -> str:
        if self._named and rater not in self._named:
            msg = f"{rater!r:.60} is none of those who vote here: {', '.join(self._named)}."
            raise InputError(msg)
        return _checked(rater)

    def _vote(self, rater: str, row: int, answer: Answer, ms: int) -> Vote:
        side = self.side(rater, row)
        choices = {"tie": int(Label.TIE), "skip": None}
        chosen = int(Label.DISTORTED) if answer == side else int(Label.ORIGINAL)
        return Vote(
            pair_id=self._ids[row],
            rater=rater,
            choice=choices.get(answer, chosen),
            side=side,
            ms=ms,
            time=self._now(),
            asked=digest(self._prompts[row]),
        )

    def _question(self, rater: str) -> Question:
        answered = self._answered(rater)
        order = sorted(range(len(self)), key=lambda row: self._hash(rater, "order", self._ids[row]))
        left = [row for row in order if self._ids[row] not in answered]
        skipped = sum(vote.choice is None for vote in answered.values())
        facts: dict[str, Any] = {"done": len(answered), "skipped": skipped, "total": len(self)}
        if not left:
            return Question(row=None, **facts)
        following = left[1] if len(left) > 1 else None
        return Question(row=left[0], prompt=self._prompts[left[0]], following=following, **facts)

    def _answered(self, rater: str) -> dict[str, Vote]:
        """The rater's standing votes on these pairs, in their order."""
        known = set(self._ids)
        mine = (vote for vote in self._file.votes if vote.rater == rater)
        return {vote.pair_id: vote for vote in standing(mine) if vote.pair_id in known}

    def _hash(self, rater: str, purpose: str, pair_id: str) -> bytes:
        text = "\0".join((str(self._seed), rater, purpose, pair_id))
        return hashlib.sha256(text.encode()).digest()

    def _refuse_halves(self, shown: list[str]) -> None:
        columns = self._pairs.data
        bad = [n for n in IMAGE_COLUMNS if n not in shown or columns.column(n).null_count]
        if bad:
            msg = f"there are pairs without an {bad[0]}. Give pairs with both images."
            raise InputError(msg)

    def _refuse_other_pairs(self) -> None:
        asked = {i: digest(p) for i, p in zip(self._ids, self._prompts, strict=True)}
        for vote in self._file.votes:
            if vote.asked is not None and asked.get(vote.pair_id, vote.asked) != vote.asked:
                msg = (
                    f"{self._file.path} holds votes on a pair {vote.pair_id!r} with another "
                    "prompt. Give another --out."
                )
                raise InputError(msg)


def _checked(rater: str) -> str:
    if not rater.strip() or len(rater) > LONGEST_NAME or not rater.isprintable():
        msg = f"{rater!r} is no name of a rater. Give 1 to {LONGEST_NAME} printable characters."
        raise InputError(msg)
    return rater
