"""How often the interval of an accuracy by judges whom nobody checked holds the truth.

    python benchmarks/panel.py
    python benchmarks/panel.py --tables 1000 --seed 0

Tables of pairs whose truth is known, judges with known error rates, a reward model of known
accuracy; beside the interval of `panel_rate` that of the plain accuracy against the majority of
the judges. The last cells break the assumption: in a share of the pairs every judge is wrong.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aas_bench.stats import chosen, panel_rate

AIM = (0.93, 0.97)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One kind of table.

    Attributes:
        n: Pairs.
        errors: Of each judge.
        accuracy: Of the reward model.
        share: Of pairs whose truth is 1.
        size: Pairs of a base prompt, half of which share their truth.
        misled: Share of pairs in which every judge is wrong.
    """

    n: int
    errors: tuple[float, ...]
    accuracy: float
    share: float = 0.6
    size: int = 1
    misled: float = 0.0


def cells() -> Iterator[Cell]:
    """The cells in the order of the table in docs/method.md."""
    for errors in ((0.15,) * 3, (0.05, 0.1, 0.2), (0.1, 0.1, 0.1, 0.2, 0.3), (0.25, 0.2, 0.3)):
        for n in (300, 1000):
            for accuracy in (0.6, 0.8, 0.95):
                yield Cell(n=n, errors=errors, accuracy=accuracy)
    for n in (300, 1000):
        yield Cell(n=n, errors=(0.15,) * 3, accuracy=0.8, share=0.9)
    yield Cell(n=600, errors=(0.15,) * 3, accuracy=0.8, size=6)
    for misled in (0.02, 0.05, 0.1):
        yield Cell(n=300, errors=(0.1,) * 3, accuracy=0.8, misled=misled)


def table(cell: Cell, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Choices (n,) and votes (n, judges)."""
    common = np.repeat(rng.random(cell.n // cell.size), cell.size)
    alike = (rng.random(cell.n) < 0.5) & (cell.size > 1)
    truth = np.where(alike, common, rng.random(cell.n)) < cell.share
    misled = rng.random(cell.n) < cell.misled
    wrong = (np.array(cell.errors) > rng.random((cell.n, len(cell.errors)))) | misled[:, None]
    right = rng.random(cell.n) < cell.accuracy
    return (truth == right).astype(float), (truth[:, None] ^ wrong).astype(float)


def held(cell: Cell, n_tables: int, rng: np.random.Generator) -> tuple[float, float, int, float]:
    """Shares of tables whose interval holds the accuracy, ours and the plain one; undefined; width.

    The plain one is of all tables, ours of those that have one.
    """
    ours = plain = undefined = 0
    width = 0.0
    for _ in range(n_tables):
        choice, votes = table(cell, rng)
        clusters = np.arange(cell.n) // cell.size
        found = panel_rate(choice, votes, clusters=clusters)
        agreed = np.where(choice == (votes.mean(axis=1) > 0.5), 1.0, -1.0)
        most = chosen(agreed, clusters=clusters)
        assert most.low is not None
        assert most.high is not None
        plain += most.low <= cell.accuracy <= most.high
        if found.low is None or found.high is None:
            undefined += 1
            continue
        ours += found.low <= cell.accuracy <= found.high
        width += found.high - found.low
    defined = max(n_tables - undefined, 1)
    return ours / defined, plain / n_tables, undefined, width / defined


def main() -> None:
    """Print a row for each cell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    print(
        "pairs  errors                     accuracy  ones  misled  held   plain  width  undefined"
    )
    for cell in cells():
        ours, plain, undefined, width = held(cell, asked.tables, np.random.default_rng(asked.seed))
        errors = " ".join(f"{each:g}" for each in cell.errors)
        print(
            f"{cell.n:5} {errors:26} {cell.accuracy:8g} {cell.share:6g} {cell.misled:6g} "
            f"{ours:7.3f} {plain:6.3f} {width:6.3f} {undefined:6}",
            flush=True,
        )


if __name__ == "__main__":
    main()
