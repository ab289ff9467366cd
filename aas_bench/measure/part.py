"""Parts of a score table that somebody looks at: their figures, which are a report's, and order."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from aas_bench.measure.analyses.recognise import recognised
from aas_bench.measure.compare import match_rewards
from aas_bench.measure.results import Group, Headline, Match
from aas_bench.measure.rows import GROUPINGS, Memberships, memberships
from aas_bench.measure.summary import STANDARD, VERDICTS, figures_of, verdict_codes
from aas_bench.measure.view import Views
from aas_bench.stats.estimate import Mask, Scores
from aas_bench.stats.resolution import difference
from aas_bench.tables.schema import MODEL
from aas_bench.tables.scores import Cells, ScoreTable
from aas_bench.tasks.task import Task

T = TypeVar("T")
FACTS: Final = (*GROUPINGS, "effect", "dose", MODEL)
"""Columns whose names make a part: what was asked for, how strongly, and what made the images."""
_KEPT: Final = 32
_MOST_NAMES: Final = 200


class Parts:
    """A score table, opened for looking; the last figures are kept, so many and no more.

    Args:
        table: The scores; a table without reward models has parts but no figures.
        task: The task of the pairs; None: that which the columns tell.

    Attributes:
        rows: The rows that count: of each pair one; shape (n,).
        facts: Of each column of `FACTS` with two names and more, the rows of each name.
    """

    def __init__(self, table: ScoreTable, *, task: Task | None = None) -> None:
        task = task or (recognised(table) if table.rewards else None)
        self.table = table
        self._views = Views.of(table, STANDARD, paired=task is None or task.paired)
        self.rows = self._views.rows
        frame = table.frame
        found = {name: memberships(frame[name]) for name in FACTS if name in frame}
        self.facts: dict[str, Memberships] = {
            name: each for name, each in found.items() if 1 < len(each) <= _MOST_NAMES
        }
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    @cached_property
    def measure(self) -> Headline:
        """What the headline is: "accuracy" against labels, or "chosen" without them."""
        return "chosen" if self._views.label is None else "accuracy"

    def cells(self, reward: str) -> Cells:
        """The four scores of every row."""
        return self._views.cells(reward)

    def margin(self, reward: str) -> Scores:
        """What the image asked for gains on the polished one under its prompt, shape (n,)."""
        return self._keep(("margin", reward), lambda: self._margin(reward))

    def verdicts(self, reward: str) -> NDArray[np.int8]:
        """Places in `VERDICTS`, -1 where there is none; shape (n,)."""
        return self._keep(("verdicts", reward), lambda: verdict_codes(self.table, reward))

    def with_verdict(self, reward: str, verdict: str) -> Mask:
        """The rows with which the reward model did this."""
        rows: Mask = self.verdicts(reward) == VERDICTS.index(verdict)
        return rows

    def figures(self, reward: str, rows: Mask) -> Group:
        """The headline, choices, outcomes and placebos of these rows."""

        def compute() -> Group:
            found = figures_of(self._views.view(reward, rows))
            self._views.forget()
            return found

        return self._keep(("figures", reward, _digest(rows)), compute)

    def match(self, a: str, b: str, rows: Mask) -> Match | None:
        """Two reward models on these rows; None where there are none."""
        return self._keep(
            ("match", a, b, _digest(rows)),
            lambda: match_rewards(self.table, self.table, a, b, STANDARD, rows=rows),
        )

    def beaten(
        self, reward: str, rows: Sequence[int] | NDArray[np.intp]
    ) -> dict[int, tuple[int, int]]:
        """Of these rows, placebos that moved the score less than the request, and how many.

        Of the kind that the headline rests on; a row without any is left out.
        """
        kind = self._keep(
            ("placebo", reward), lambda: self._views.view(reward, self.rows).best_placebo
        )
        if kind is None or not len(rows):
            return {}
        some = np.zeros(len(self.rows), dtype=bool)
        some[list(rows)] = True
        with self._lock:
            found = self._views.view(reward, some).beaten(kind)
            self._views.forget()
        if found is None:
            return {}
        counted = zip(
            np.flatnonzero(some).tolist(), *(each.tolist() for each in found), strict=True
        )
        return {row: (less, n) for row, less, n in counted if n}

    def disagreement(self, a: str, b: str) -> Mask:
        """The rows of which the two reward models prefer different images, or one has a tie."""
        first, second = np.sign(self.margin(a)), np.sign(self.margin(b))
        differ: Mask = (first != second) & ~np.isnan(first) & ~np.isnan(second)
        return differ

    def _margin(self, reward: str) -> Scores:
        cells = self.cells(reward)
        return difference(cells.didp, cells.oidp)

    def _keep(self, key: Hashable, compute: Callable[[], T]) -> T:
        """One computation at a time, and the last of them at hand."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = compute()
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            found: T = self._kept[key]
            return found


def _digest(rows: Mask) -> bytes:
    return hashlib.blake2b(np.packbits(rows).tobytes(), digest_size=16).digest()
