"""Does the override rate say what is true? Scorers whose truth is known, drawn and estimated.

    python benchmarks/calibration_override.py                      every case, 300 pairs
    python benchmarks/calibration_override.py --simulations 1000   with less Monte Carlo error

First table: what today's outcomes say (understood and overridden by the score's own movement), and
what the swap says with the original prompt as the one placebo and with K = 8 matched placebos.
"undefined" is the share of tables in which the understood share is not shown to exceed 0; u and O
are means over tables, O over those where it is defined; "held" is how often the 95 % interval holds
the truth. Second table: the same for clustered pairs of unequal and equal sizes. Third: how often a
reward model that reads some of its requests is told from one that reads none. Fourth: noise of
wordings, and what the latent reading makes of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from aas_bench.stats import (
    LatentOverride,
    PlaceboOverride,
    latent_override,
    placebo_override,
    wording_override,
)

Floats = NDArray[np.float64]
N_PLACEBOS: Final = 8


@dataclass(frozen=True, kw_only=True)
class Table:
    """Gains of the requested image on the polished one, one row per pair.

    Attributes:
        real: Under the pair's request, (n,).
        original: Under the prompt of the polished image, (n,).
        matched: Under matched placebos, (n, K).
        label: 1 where the requested image shows its request; None where all do.
    """

    real: Floats
    original: Floats
    matched: Floats
    label: NDArray[np.int8] | None = None


class Draw:
    """Random columns whose rows share something with their cluster."""

    def __init__(
        self, rng: np.random.Generator, clusters: NDArray[np.int64], shared: float
    ) -> None:
        self.rng, self.clusters, self.shared = rng, clusters, shared
        self.n = len(clusters)

    def noise(self, *columns: int) -> Floats:
        """Standard normal, independent; shape (n, *columns)."""
        return self.rng.normal(size=(self.n, *columns))

    def trait(self) -> Floats:
        """Standard normal with intraclass correlation `shared`; shape (n,)."""
        group = self.rng.normal(size=int(self.clusters.max()) + 1)[self.clusters]
        trait: Floats = np.sqrt(self.shared) * group + np.sqrt(1 - self.shared) * self.noise()
        return trait

    def some(self, share: float) -> NDArray[np.bool_]:
        """True in about this share of the pairs."""
        return ndtr(self.trait()) < share


def _table(real: Floats, others: Floats, label: NDArray[np.int8] | None = None) -> Table:
    return Table(real=real, original=others[:, 0], matched=others[:, 1:], label=label)


def noise(draw: Draw, taste: float = 0.0) -> Table:
    """Blind: every gain is the taste and noise."""
    return _table(draw.noise() - taste, draw.noise(N_PLACEBOS + 1) - taste)


def partly(
    draw: Draw, *, read: float, lost: float, taste: float, spread: tuple[float, float] = (1, 1)
) -> Table:
    """A share is read and, of these, a share overridden; the others are blind with a taste."""
    reads, overridden = draw.some(read), draw.some(lost)
    blind, others = draw.noise() * spread[0] - taste, draw.noise(N_PLACEBOS + 1) * spread[1] - taste
    real = np.where(reads, np.where(overridden, -1.0, 1.0), blind)
    return _table(real, np.where(reads[:, None], -4 + 0.3 * draw.noise(N_PLACEBOS + 1), others))


def all_read(draw: Draw, *, step: float, noise: float) -> Table:
    """All read: gains of a taste that wins half, `step` lower under a placebo, with noise."""
    gain = draw.trait()
    return _table(
        gain + noise * draw.noise(),
        gain[:, None] - step + noise * draw.noise(N_PLACEBOS + 1),
    )


def flattering_original(draw: Draw) -> Table:
    """Blind, but the style of the polished image's own prompt raises the polished image."""
    table = noise(draw, taste=1.3)
    return Table(real=table.real, original=table.original - 3, matched=table.matched)


def exponential(draw: Draw) -> Table:
    """Blind, on a scale that prompts stretch: s = exp(image + prompt)."""
    requested, polished = np.exp(0.3 * draw.noise()), np.exp(1 + 0.4 * draw.noise())
    prompts = np.exp(draw.noise(N_PLACEBOS + 2))
    gains = prompts * (requested - polished)[:, None]
    return _table(gains[:, 0], gains[:, 1:])


def failed_images(draw: Draw) -> Table:
    """All requests read; 30 % of the images fail to show theirs, which the labels say."""
    shown, overridden = ~draw.some(0.3), draw.some(0.01)
    taste = draw.noise()[:, None] - 2 + 0.3 * draw.noise(N_PLACEBOS + 2)
    real = np.where(shown, np.where(overridden, -0.5, 1.5), taste[:, 0])
    others = np.where(shown[:, None], np.where(overridden, -2.5, -0.5)[:, None], 0) + np.where(
        shown[:, None], 0.3 * draw.noise(N_PLACEBOS + 1), taste[:, 1:]
    )
    return _table(real, others, shown.astype(np.int8))


def agrees_with_judge(draw: Draw) -> Table:
    """Chooses what the labels say in every pair; 60 % are labelled 1."""
    shown = draw.some(0.6)
    taste = -2 + 0.5 * draw.noise(N_PLACEBOS + 2)
    real = np.where(shown, 1.0, taste[:, 0])
    others = np.where(shown[:, None], 0.3 * draw.noise(N_PLACEBOS + 1) - 1, taste[:, 1:])
    return _table(real, others, shown.astype(np.int8))


def style_of_real(draw: Draw) -> Table:
    """Blind, but real requests, whatever they ask, lift the requested image by their style."""
    table = noise(draw, taste=1.3)
    return Table(real=table.real + 2, original=table.original, matched=table.matched)


def shown_placebos(draw: Draw) -> Table:
    """All read, taste wins half; half of the placebos ask for what the requested image half shows.

    One placebo in ten of these outdoes the request.
    """
    table = all_read(draw, step=2.0, noise=0.1)
    partly_shown = draw.rng.random((draw.n, N_PLACEBOS)) < 0.5
    lift = np.where(draw.rng.random((draw.n, N_PLACEBOS)) < 0.1, 2.5, 1.0)
    return Table(
        real=table.real,
        original=table.original,
        matched=table.matched + np.where(partly_shown, lift, 0),
    )


def backwards(draw: Draw) -> Table:
    """80 % read, taste wins half of them; the rest read backwards ("not pretty" as "pretty")."""
    table, inverted = all_read(draw, step=2.0, noise=0.1), draw.some(0.2)
    return Table(
        real=np.where(inverted, table.real - 4, table.real),
        original=table.original,
        matched=table.matched,
    )


def traces(draw: Draw, *, wrong: float | None) -> Table:
    """All read, none overridden; 30 % of the images show but a trace: there the polished is right.

    `wrong` is the share of labels that are the other way round; None gives no labels.
    """
    shown = ~draw.some(0.3)
    real = np.where(shown, 1.0, -1.0)
    others = real[:, None] - 1 + 0.3 * draw.noise(N_PLACEBOS + 1)
    if wrong is None:
        return _table(real, others)
    turned = draw.rng.random(draw.n) < wrong
    return _table(real, others, (shown != turned).astype(np.int8))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A scorer and what is true of it: shares read, and overridden among these."""

    name: str
    make: Callable[[Draw], Table]
    understood: float
    rate: float | None
    hostile: bool = False


CASES: Final[tuple[Case, ...]] = (
    Case(name="pure noise", make=noise, understood=0, rate=None),
    Case(
        name="noise with a taste for polish",
        make=lambda d: noise(d, taste=0.67),
        understood=0,
        rate=None,
    ),
    Case(
        name="30 % read, the blind always tempted",
        make=lambda d: partly(d, read=0.3, lost=0.2, taste=5),
        understood=0.3,
        rate=0.2,
    ),
    Case(
        name="30 % read, the blind never tempted",
        make=lambda d: partly(d, read=0.3, lost=0.5, taste=-5),
        understood=0.3,
        rate=0.5,
    ),
    Case(
        name="all read, taste wins half",
        make=lambda d: all_read(d, step=2, noise=0.5),
        understood=1,
        rate=0.5,
    ),
    Case(
        name="all read, signal to noise 0.5",
        make=lambda d: all_read(d, step=0.5 * np.sqrt(2), noise=1),
        understood=1,
        rate=0.5,
    ),
    Case(
        name="blind, style of P_o flatters the polished",
        make=flattering_original,
        understood=0,
        rate=None,
    ),
    Case(name="blind, exponential scale", make=exponential, understood=0, rate=None),
    Case(
        name="30 % of images failed, labels say so", make=failed_images, understood=0.7, rate=0.01
    ),
    Case(
        name="agrees with every label, 60 % are 1", make=agrees_with_judge, understood=0.6, rate=0
    ),
    Case(
        name="blind, style of the real request alone",
        make=style_of_real,
        understood=0,
        rate=None,
        hostile=True,
    ),
    Case(
        name="half read, noise x 3 under real requests",
        make=lambda d: partly(d, read=0.5, lost=0.5, taste=1, spread=(3, 1)),
        understood=0.5,
        rate=0.5,
        hostile=True,
    ),
    Case(
        name="half read, noise x 3 under placebos",
        make=lambda d: partly(d, read=0.5, lost=0.5, taste=1, spread=(1, 3)),
        understood=0.5,
        rate=0.5,
        hostile=True,
    ),
    Case(
        name="all read, images show half the placebos",
        make=shown_placebos,
        understood=1,
        rate=0.5,
        hostile=True,
    ),
    Case(
        name="80 % read, 20 % read backwards",
        make=backwards,
        understood=0.8,
        rate=0.5,
        hostile=True,
    ),
    Case(
        name="30 % of images show a trace, labels right",
        make=lambda d: traces(d, wrong=0),
        understood=1,
        rate=0,
    ),
    Case(
        name="the same, a fifth of labels wrong",
        make=lambda d: traces(d, wrong=0.2),
        understood=1,
        rate=0,
        hostile=True,
    ),
    Case(
        name="the same, no labels",
        make=lambda d: traces(d, wrong=None),
        understood=1,
        rate=0,
        hostile=True,
    ),
)


@dataclass
class Tally:
    """What one estimator said over many tables of one case."""

    case: Case
    n: int = 0
    understood: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    held: dict[str, list[bool]] = field(default_factory=lambda: {"u": [], "O": []})

    def add(self, result: PlaceboOverride | LatentOverride) -> None:
        """Count one table."""
        self.n += 1
        u, rate = result.understood, result.override_rate
        assert u.value is not None
        assert u.low is not None
        assert u.high is not None
        self.understood.append(u.value)
        self.held["u"].append(u.low <= self.case.understood <= u.high)
        if rate.value is not None:
            assert rate.low is not None
            assert rate.high is not None
            self.rates.append(rate.value)
            if self.case.rate is not None:
                self.held["O"].append(rate.low <= self.case.rate <= rate.high)

    @property
    def undefined(self) -> float:
        """Share of tables whose override rate is undefined."""
        return 1 - len(self.rates) / self.n

    def coverage(self, name: str) -> float | None:
        """How often the interval held the truth; None where it has none to hold."""
        return float(np.mean(self.held[name])) if self.held[name] else None


def equal(n_clusters: int, n_pairs: int = 300) -> NDArray[np.int64]:
    """Clusters of one size, as the cluster of each pair."""
    return np.repeat(np.arange(n_clusters), n_pairs // n_clusters)


def pareto(rng: np.random.Generator, n_clusters: int, n_pairs: int = 300) -> NDArray[np.int64]:
    """Clusters whose sizes follow a Pareto law of shape 1.5; no cluster is empty."""
    weight = rng.pareto(1.5, n_clusters) + 1
    sizes = np.maximum(1, np.round(weight / weight.sum() * n_pairs)).astype(int)
    return np.repeat(np.arange(n_clusters), sizes)


def today(table: Table) -> tuple[float, float]:
    """Understood share and override rate as the four outcomes give them."""
    understood = table.real > table.original
    return float(understood.mean()), float((table.real[understood] <= 0).mean())


def simulate(
    case: Case,
    n_simulations: int,
    *,
    clusters: Callable[[np.random.Generator], NDArray[np.int64]] = lambda _: equal(300),
    shared: float = 0.2,
    seed: int = 0,
) -> tuple[NDArray[np.float64], Tally, Tally]:
    """Today's means, and the tallies of the original placebo and of the matched ones."""
    rng, said = np.random.default_rng(seed), []
    one, many = Tally(case), Tally(case)
    for _ in range(n_simulations):
        cluster = clusters(rng)
        table = case.make(Draw(rng, cluster, shared))
        said.append(today(table))
        for tally, placebo in ((one, table.original[:, None]), (many, table.matched)):
            tally.add(placebo_override(table.real, placebo, labels=table.label, clusters=cluster))
    return np.mean(said, axis=0), one, many


def _show(value: float | None, width: int = 5) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:>{width}.2f}"


def _said(tally: Tally) -> str:
    u = float(np.mean(tally.understood))
    rate = float(np.mean(tally.rates)) if tally.undefined < 0.5 else None
    return f"{_show(u)} {_show(rate)} {tally.undefined:>6.1%}"


def print_cases(n_simulations: int) -> None:
    """Bias: every case, 300 clusters of one pair."""
    print(f"{n_simulations} tables of 300 pairs a case; u / O (h: hostile to the estimator)\n")
    print(
        f"{'case':<43} {'truth':>11} {'outcomes':>11} {'K=1 original':>12} {'undef.':>6} "
        f"{'K=8 matched':>12} {'undef.':>5} {'u held':>7} {'O held':>7}"
    )
    for case in CASES:
        said, one, many = simulate(case, n_simulations)
        print(
            f"{'h ' if case.hostile else '  '}{case.name:<41} "
            f"{_show(case.understood)} {_show(case.rate)} {_show(said[0])} {_show(said[1])}  "
            f"{_said(one)}  {_said(many)} {_show(many.coverage('u'), 7)} "
            f"{_show(many.coverage('O'), 7)}"
        )


def print_clusters(n_simulations: int) -> None:
    """Coverage: clusters by number and size."""
    print(f"\n{n_simulations} tables a line, intraclass correlation 0.2; K = 8; 95 % intervals\n")
    print(f"{'clusters':<22} {'u':>5} {'O':>5} {'undef.':>6} {'u held':>7} {'O held':>7}")
    shapes: tuple[tuple[str, Callable[[np.random.Generator], NDArray[np.int64]]], ...] = (
        *((f"{g} equal", lambda _, g=g: equal(g)) for g in (9, 20, 50, 300)),
        *((f"{g} Pareto", lambda rng, g=g: pareto(rng, g)) for g in (9, 20, 50)),
    )
    for name, shape in shapes:
        for read, lost in ((0.3, 0.5), (0.6, 0.1), (0.9, 0.5), (0.9, 0.02), (0.9, 0.98)):
            case = Case(
                name=name,
                make=partial(partly, read=read, lost=lost, taste=1),
                understood=read,
                rate=lost,
            )
            _, _, many = simulate(case, n_simulations, clusters=shape)
            print(
                f"{name:<22} {_show(read)} {_show(lost)} {many.undefined:>6.1%} "
                f"{_show(many.coverage('u'), 7)} {_show(many.coverage('O'), 7)}"
            )


def print_power(n_simulations: int, shares: Sequence[float] = (0, 0.05, 0.1, 0.2, 0.3)) -> None:
    """Power: how often some reading is told from none."""
    print(f"\n{n_simulations} tables a line, 300 pairs: share in which O is defined\n")
    print(f"{'read':>5} {'K=1':>7} {'K=8':>7}")
    for read in shares:
        case = Case(
            name="power",
            make=partial(partly, read=read, lost=0.5, taste=1),
            understood=read,
            rate=0.5,
        )
        _, one, many = simulate(case, n_simulations)
        print(f"{read:>5.2f} {1 - one.undefined:>7.1%} {1 - many.undefined:>7.1%}")


def print_latent(n_simulations: int) -> None:
    """Wordings: the swap on single ones, and on what they are noise on."""
    print(
        f"\n{n_simulations} tables a line, 300 pairs; gains of a taste that wins half, noise of 1"
    )
    print("at each wording; half read: the others have equal latent gains\n")
    print(
        f"{'case':<26} {'wordings':>8} {'truth':>11} {'swap':>11} {'latent':>11} {'undef.':>6} "
        f"{'u held':>7} {'O held':>7}"
    )
    lines: tuple[tuple[str, float, float | None, float], ...] = (
        ("signal to noise 0.5", 1, 0.5, 0.5 * np.sqrt(2)),
        ("half read", 0.5, 0.5, 2),
        ("blind", 0, None, 0),
    )
    for (name, read, rate, step), n_wordings in product(lines, (4, 8)):
        rng, case = (
            np.random.default_rng(0),
            Case(name=name, make=noise, understood=read, rate=rate),
        )
        plain, latent = Tally(case), Tally(case)
        for _ in range(n_simulations):
            gain = rng.normal(size=300)
            under = gain - step * (rng.random(300) < read)
            real, placebo = (
                latents[:, None] + rng.normal(size=(300, n_wordings)) for latents in (gain, under)
            )
            plain.add(wording_override(real, placebo).average)
            latent.add(latent_override(real, placebo))
        print(
            f"{name:<26} {n_wordings:>8} {_show(read)} {_show(rate)} {_said(plain)[:11]} "
            f"{_said(latent)} {_show(latent.coverage('u'), 7)} {_show(latent.coverage('O'), 7)}"
        )


def main() -> None:
    """Parse and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=400)
    n_simulations = parser.parse_args().simulations
    print_cases(n_simulations)
    print_clusters(n_simulations)
    print_power(n_simulations)
    print_latent(max(n_simulations // 5, 2))


if __name__ == "__main__":
    main()
