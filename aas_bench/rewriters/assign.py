"""Which dimensions each caption is to ask for: 2 to 4, all equally often."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Final

from aas_bench.errors import InputError
from aas_bench.tasks.taxonomy import DIMENSIONS

ASKED: Final = tuple(name for name in DIMENSIONS if name != "symmetry")
"""The eleven dimensions that prompts ask for."""
FEWEST: Final = 2
MOST: Final = 4


def assign_dimensions(
    n: int, *, seed: int = 0, fewest: int = FEWEST, most: int = MOST
) -> list[tuple[str, ...]]:
    """The dimensions of each of `n` prompts, in the order of the taxonomy.

    The numbers of dimensions take turns in an order that the seed shuffles; each prompt takes the
    dimensions that were asked for least so far, ties broken by hash. So over any beginning of the
    list no dimension is asked for more than once above another, and a shorter list is the
    beginning of a longer one.

    Raises:
        InputError: The bounds make no sense.
    """
    if not 1 <= fewest <= most <= len(ASKED):
        msg = f"{fewest} to {most} dimensions are wanted. Give 1 to {len(ASKED)}, in order."
        raise InputError(msg)
    used: Counter[str] = Counter(dict.fromkeys(ASKED, 0))
    sizes = range(fewest, most + 1)
    assigned = []
    for number in range(n):
        turn, place = divmod(number, len(sizes))
        size = sorted(sizes, key=lambda s, t=turn: _hash(seed, t, str(s)))[place]  # type: ignore[misc]
        order = sorted(ASKED, key=lambda name, i=number: (used[name], _hash(seed, i, name)))  # type: ignore[misc]
        chosen = order[:size]
        used.update(chosen)
        assigned.append(tuple(name for name in ASKED if name in chosen))
    return assigned


def _hash(seed: int, number: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{number}/{name}".encode()).digest()
