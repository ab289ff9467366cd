"""AVA.txt: how the members of a photo-contest site rated each photograph.

Fifteen whole numbers a line: running number, photograph, how often each rating from 1 to 10 was
given, two semantic tags (0: none), contest. Source: Murray, Marchesotti and Perronnin, "AVA: A
large-scale database for aesthetic visual analysis", CVPR 2012, and the notes in its archive.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from aas_bench.errors import InputError

_N_NUMBERS: Final = 15
RATINGS: Final = tuple(range(1, 11))


@dataclass(frozen=True, kw_only=True)
class Votes:
    """What AVA knows of one photograph.

    Attributes:
        ava_id: The photograph.
        counts: How often each of the ratings 1 to 10 was given; at least one in all.
        tags: Its semantic tags, numbers into AVA's `tags.txt`; at most two.
        challenge: The contest, a number into AVA's `challenges.txt`.
    """

    ava_id: int
    counts: tuple[int, ...]
    tags: tuple[int, ...]
    challenge: int

    @property
    def n(self) -> int:
        """Number of ratings."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Mean rating, sum of r * counts[r] / n, in [1, 10]."""
        return float(np.average(RATINGS, weights=self.counts))

    @property
    def sd(self) -> float | None:
        """Standard deviation of the ratings with n - 1 in the denominator; None for one rating."""
        if self.n < 2:
            return None
        squares = np.dot(self.counts, (np.asarray(RATINGS) - self.mean) ** 2)
        return float(np.sqrt(squares / (self.n - 1)))


@dataclass(frozen=True, kw_only=True)
class LineFault:
    """A line that was passed over, and why."""

    line: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class AvaTable:
    """The votes by photograph, and the lines that could not be read."""

    votes: Mapping[int, Votes]
    faults: tuple[LineFault, ...]


def read_votes(path: str | os.PathLike[str]) -> AvaTable:
    """Read AVA.txt; a broken line costs only itself.

    A photograph that stands twice keeps its first line.

    Raises:
        InputError: The file is absent, or no line of it can be read.
    """
    file = Path(path)
    votes: dict[int, Votes] = {}
    first: dict[int, int] = {}
    faults: list[LineFault] = []
    try:
        lines = file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        msg = f"{file}: cannot be read ({error.strerror}). Give the AVA.txt of your copy of AVA."
        raise InputError(msg) from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        found = _votes(line.split())
        if isinstance(found, str):
            faults.append(LineFault(line=number, reason=found))
        elif found.ava_id in votes:
            reason = f"photograph {found.ava_id} stands already on line {first[found.ava_id]}"
            faults.append(LineFault(line=number, reason=reason))
        else:
            votes[found.ava_id], first[found.ava_id] = found, number
    if not votes:
        msg = (
            f"{file}: no line of it holds {_N_NUMBERS} whole numbers. "
            "Give the AVA.txt of your copy of AVA."
        )
        raise InputError(msg)
    return AvaTable(votes=votes, faults=tuple(faults))


def _votes(fields: Sequence[str]) -> Votes | str:
    """The votes of a line, or what is wrong with it."""
    if len(fields) != _N_NUMBERS:
        return f"{len(fields)} numbers instead of {_N_NUMBERS}"
    wrong = next((field for field in fields if not (field.isascii() and field.isdigit())), None)
    if wrong is not None:
        return f"{wrong[:20]!r} is not a whole number"
    _, ava_id, *rest = map(int, fields)
    counts, tags, challenge = rest[:10], rest[10:12], rest[12]
    if not any(counts):
        return f"photograph {ava_id} has no ratings"
    return Votes(
        ava_id=ava_id,
        counts=tuple(counts),
        tags=tuple(tag for tag in tags if tag),
        challenge=challenge,
    )
