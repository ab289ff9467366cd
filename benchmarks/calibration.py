"""How often the intervals hold the truth, and how often the tests reject a true null.

    python benchmarks/calibration.py                 all cases (some ten minutes)
    python benchmarks/calibration.py --quick         fewer tables and clusters
    python benchmarks/calibration.py --only rate     cases whose name holds a word
    python benchmarks/calibration.py --out DIR       also writes calibration.json and calibration.md

Tables are drawn from models whose truth is known, and measured with the public functions. Clusters
are of 11 pairs each, or of Pareto sizes (1 + 4 x, x Pareto of shape 1.5, at most 400). Pairs of a
cluster share a shift that is 30 % of the variance of the latent normal, unless the case says
otherwise. A nominal 95 % interval should hold 93 to 97 %, with unequal clusters never below 90 %; a
test at 5 % should reject 3 to 7 % of true nulls. What does not is marked, not left out.

Adding a case is a function and one row of `CASES`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from aas_bench.stats import (
    Estimate,
    chosen,
    compare_generators,
    compare_rewards,
    override,
    paired_gap,
    preference,
    spearman,
)

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int64]

SHARED = 0.3
CLUSTERS = (9, 20, 50, 300)
SIZES = ("equal", "pareto")
PAIRS = 11


@dataclass(frozen=True)
class Interval:
    """An estimate that should hold the truth."""

    estimate: Estimate
    truth: float


@dataclass(frozen=True)
class Test:
    """A p-value; `null` says whether there is nothing to find."""

    p_value: float | None
    null: bool = True


Claims: TypeAlias = Mapping[str, Interval | Test]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way to draw a table and what is claimed of it.

    Attributes:
        name: Of the row; the claims add theirs.
        draw: From a generator and the cluster of each pair.
        hostile: Made to fail; its aims are not counted.
    """

    name: str
    draw: Callable[[np.random.Generator, Codes], Claims]
    hostile: bool = False


def clusters(rng: np.random.Generator, n_clusters: int, sizes: str) -> Codes:
    """The cluster of each pair."""
    many = np.full(n_clusters, PAIRS)
    if sizes == "pareto":
        many = np.minimum(1 + np.floor(4 * rng.pareto(1.5, n_clusters)), 400).astype(np.int64)
    return np.repeat(np.arange(n_clusters), many)


def latent(rng: np.random.Generator, cluster: Codes, shared: float = SHARED) -> Floats:
    """Standard normal, of which a share of the variance is the cluster's."""
    own, common = rng.normal(size=len(cluster)), rng.normal(size=cluster[-1] + 1)
    value: Floats = np.sqrt(shared) * common[cluster] + np.sqrt(1 - shared) * own
    return value


# Rates


def rate(rng: np.random.Generator, cluster: Codes, *, truth: float, shared: float) -> Claims:
    """A share of positive margins."""
    margin = latent(rng, cluster, shared) + ndtri(truth)
    return {"": Interval(chosen(margin, clusters=cluster), truth)}


def apart(rng: np.random.Generator, cluster: Codes, *, truth: float) -> Claims:
    """The rate of a cluster is drawn from a beta distribution with two peaks, near 0 and 1."""
    share = rng.beta(truth * 7 / 3, (1 - truth) * 7 / 3, cluster[-1] + 1)
    margin = share[cluster] - rng.random(len(cluster))
    return {"": Interval(chosen(margin, clusters=cluster), truth)}


def alone(rng: np.random.Generator, cluster: Codes, *, truth: float) -> Claims:
    """As many pairs as there would be clusters, each its own."""
    margin = rng.normal(size=cluster[-1] + 1) + ndtri(truth)
    return {"": Interval(chosen(margin), truth)}


def override_rate(rng: np.random.Generator, cluster: Codes) -> Claims:
    """A share whose trials are random too, and the strength, a ratio of means."""
    response, taste = 1 + latent(rng, cluster), latent(rng, cluster)
    d_a, zero = taste + response / 2, np.zeros(len(cluster))
    result = override(zero, zero, d_a - response, d_a, clusters=cluster)
    return {
        "rate": Interval(result.overridden_of_moved, override_truth()),
        "strength": Interval(result.override_strength, 0.0),
    }


@cache
def override_truth() -> float:
    """P(taste <= -I / 2 | I > 0), with taste standard normal and I of mean 1 and variance 1."""
    response = np.linspace(0, 9, 20_001)
    density = np.exp(-((response - 1) ** 2) / 2)
    return float((density * ndtr(-response / 2)).sum() / density.sum())


# Preference


def labels(
    rng: np.random.Generator, cluster: Codes, *, area: float, ones: float = 0.6
) -> tuple[Floats, NDArray[np.int8]]:
    """Margins and labels with an AUROC of `area` between pairs of two clusters."""
    label = (rng.random(len(cluster)) < ones).astype(np.int8)
    gap = np.sqrt(2) * ndtri(area)
    return latent(rng, cluster) + gap * (label - 0.5), label


def agreement(rng: np.random.Generator, cluster: Codes, *, area: float) -> Claims:
    """The five figures of `preference`."""
    margin, label = labels(rng, cluster, area=area)
    found = preference(margin, label, clusters=cluster)
    hit = float(ndtr(ndtri(area) / np.sqrt(2)))
    tp, fn, tn, fp = 0.6 * hit, 0.6 * (1 - hit), 0.4 * hit, 0.4 * (1 - hit)
    chance = (tp + fp) * 0.6 + (fn + tn) * 0.4
    return {
        "accuracy": Interval(found.accuracy, hit),
        "balanced accuracy": Interval(found.balanced_accuracy, hit),
        "F1": Interval(found.f1, 2 * tp / (2 * tp + fp + fn)),
        "AUROC": Interval(found.auroc, area),
        "kappa": Interval(found.cohen_kappa, (hit - chance) / (1 - chance)),
    }


# Means and correlations


def mean(rng: np.random.Generator, cluster: Codes, *, skewed: bool = False) -> Claims:
    """A mean difference and its test, which has nothing to find; and Wilcoxon's, if symmetric."""
    value = latent(rng, cluster)
    value = np.exp(value) - np.exp(0.5) if skewed else value
    zero = np.zeros(len(cluster))
    found = compare_generators(value, zero, clusters=cluster)
    claims: dict[str, Interval | Test] = {
        "": Interval(found.mean_difference, 0.0),
        "sign flips": Test(found.mean_test.p_value),
    }
    return claims if skewed else claims | {"Wilcoxon": Test(found.rank_test.p_value)}


def correlation(rng: np.random.Generator, cluster: Codes, *, truth: float) -> Claims:
    """Spearman's correlation of two normal columns, both of them clustered."""
    pearson = 2 * np.sin(np.pi * truth / 6)
    x, other = latent(rng, cluster), latent(rng, cluster)
    y = pearson * x + np.sqrt(1 - pearson**2) * other
    return {"": Interval(spearman(x, y, clusters=cluster), truth)}


# Two reward models


def two(rng: np.random.Generator, cluster: Codes, *, area: float, better: float = 0.0) -> Claims:
    """Equal models whose errors are partly shared; `better` adds to the first one's margins."""
    margin, label = labels(rng, cluster, area=area)
    # Both keep the whole signal; half of the variance is common.
    half = np.sqrt(0.5)
    common = half * margin + (1 - half) * np.sqrt(2) * ndtri(area) * (label - 0.5)
    a, b = (common + half * latent(rng, cluster) for _ in range(2))
    found = compare_rewards(a + better * (label - 0.5), b, label, clusters=cluster)
    if better:
        return {"power": Test(found.accuracy_test.p_value, null=False)}
    return {
        "accuracy difference": Interval(found.accuracy_difference, 0.0),
        "AUROC difference": Interval(found.auroc_difference, 0.0),
        "sign flips": Test(found.accuracy_test.p_value),
    }


def mcnemar(rng: np.random.Generator, cluster: Codes) -> Claims:
    """Equal models on as many single pairs as there would be clusters."""
    n = cluster[-1] + 1
    a, b = rng.normal(0.5, 1, (2, n))
    found = compare_rewards(a, b, np.ones(n))
    return {
        "accuracy difference": Interval(found.accuracy_difference, 0.0),
        "McNemar": Test(found.accuracy_test.p_value),
    }


def gap(rng: np.random.Generator, cluster: Codes) -> Claims:
    """Two scores of one pair that share most of what makes them high."""
    shared = 3 * latent(rng, cluster)
    found = paired_gap(shared + latent(rng, cluster) + 1, shared, clusters=cluster)
    return {"gap": Interval(found.gap, 1.0), "wins": Interval(found.a_wins, float(ndtr(1.0)))}


# Override by placebo requests: response, understood share, override rate.


CASES: tuple[Case, ...] = (
    *(
        Case(name=f"rate {p}, {words}", draw=partial(rate, truth=p, shared=shared))
        for p in (0.5, 0.9, 0.98)
        for shared, words in ((0.0, "unclustered"), (SHARED, "clustered"))
    ),
    *(Case(name=f"rate {p}, single pairs", draw=partial(alone, truth=p)) for p in (0.5, 0.9, 0.98)),
    *(
        Case(name=f"rate {p}, two peaks", draw=partial(apart, truth=p), hostile=True)
        for p in (0.5, 0.9, 0.98)
    ),
    Case(name="override", draw=override_rate),
    *(Case(name=f"AUROC {a}", draw=partial(agreement, area=a)) for a in (0.6, 0.8, 0.95)),
    Case(name="mean, normal", draw=mean),
    Case(name="mean, lognormal", draw=partial(mean, skewed=True), hostile=True),
    *(Case(name=f"Spearman {r}", draw=partial(correlation, truth=r)) for r in (0.0, 0.5, 0.9)),
    Case(name="gap", draw=gap),
    *(Case(name=f"two models, AUROC {a}", draw=partial(two, area=a)) for a in (0.6, 0.8, 0.95)),
    Case(name="two models, one better", draw=partial(two, area=0.7, better=0.7)),
    Case(name="two models, single pairs", draw=mcnemar),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        case: What was drawn.
        claim: What was claimed of it.
        kind: "coverage" of an interval, "size" of a test or its "power".
        n_clusters: Clusters, or single pairs.
        sizes: "equal" or "pareto".
        share: Tables whose interval holds the truth, or whose test rejects.
        n: Tables that have such an interval or test.
        n_tables: Tables drawn.
        width: Mean width of the intervals; None for tests.
        met: Whether the aim is reached, give or take two standard errors; None for no aim.
    """

    case: str
    claim: str
    kind: str
    n_clusters: int
    sizes: str
    share: float | None
    n: int
    n_tables: int
    width: float | None
    met: bool | None


def simulate(case: Case, n_clusters: int, sizes: str, n_tables: int, seed: int = 0) -> list[Row]:
    """Draw tables of one case and count."""
    rng = np.random.default_rng([seed, n_clusters, SIZES.index(sizes)])
    held: dict[str, list[bool]] = defaultdict(list)
    widths: dict[str, list[float]] = defaultdict(list)
    kinds: dict[str, str] = {}
    for _ in range(n_tables):
        for name, claim in case.draw(rng, clusters(rng, n_clusters, sizes)).items():
            if isinstance(claim, Test):
                kinds[name] = "size" if claim.null else "power"
                # No difference in any cluster is no rejection.
                held[name].append(claim.p_value is not None and claim.p_value <= 0.05)
                continue
            kinds[name] = "coverage"
            low, high = claim.estimate.low, claim.estimate.high
            if low is not None and high is not None:
                # Rounding alone may put an end of exactly 0 or 1 beside the truth.
                held[name].append(low - 1e-12 <= claim.truth <= high + 1e-12)
                widths[name].append(high - low)
    return [
        Row(
            case=case.name,
            claim=name,
            kind=kind,
            n_clusters=n_clusters,
            sizes=sizes,
            share=float(np.mean(held[name])) if held[name] else None,
            n=len(held[name]),
            n_tables=n_tables,
            width=float(np.mean(widths[name])) if widths[name] else None,
            met=None if case.hostile else _met(kind, sizes, held[name]),
        )
        for name, kind in kinds.items()
    ]


def _met(kind: str, sizes: str, held: list[bool]) -> bool | None:
    if kind == "power" or not held:
        return None
    share = float(np.mean(held))
    low, high = (0.03, 0.07) if kind == "size" else (0.93, 0.97) if sizes == "equal" else (0.9, 1.0)
    slack = 2 * np.sqrt(0.05 * 0.95 / len(held))
    return bool(low - slack <= share <= high + slack)


def markdown(rows: list[Row]) -> str:
    """The rows as a table: a case a line, clusters and sizes across."""
    columns = list(dict.fromkeys((row.sizes, row.n_clusters) for row in rows))
    lines: dict[tuple[str, str, str], dict[tuple[str, int], str]] = defaultdict(dict)
    for row in rows:
        shown = "–" if row.share is None else f"{row.share:.3f}" + ("*" if row.met is False else "")
        lines[row.case, row.claim, row.kind][row.sizes, row.n_clusters] = shown
    head = ["case", "claim", "share", *(f"{sizes} {n}" for sizes, n in columns)]
    table = [head, ["---"] * 3 + ["--:"] * len(columns)]
    table += [[*key, *(found.get(at, "") for at in columns)] for key, found in lines.items()]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in table)


def main() -> int:
    """Print the table; 1 where an aim is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="400 tables, 9 and 50 clusters")
    parser.add_argument("--tables", type=int, default=2000, help="tables a case")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--out", type=Path, help="folder for calibration.json and calibration.md")
    arguments = parser.parse_args()
    n_tables, numbers = (400, (9, 50)) if arguments.quick else (arguments.tables, CLUSTERS)
    cases = [case for case in CASES if arguments.only in case.name]
    rows = [
        row
        for case in cases
        for sizes in SIZES
        for n in numbers
        for row in simulate(case, n, sizes, n_tables)
    ]
    text = markdown(rows)
    missed = sum(row.met is False for row in rows)
    aims = sum(row.met is not None for row in rows)
    print(text)
    print(f"\n{n_tables} tables a cell; * misses its aim: {missed} of {aims}")
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "calibration.md").write_text(text + "\n", encoding="utf-8")
        content = json.dumps([asdict(row) for row in rows], indent=1)
        (arguments.out / "calibration.json").write_text(content + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
