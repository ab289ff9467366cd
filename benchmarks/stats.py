"""Speed, memory and honesty of the statistics.

    python benchmarks/stats.py               against a loop over scikit-learn
    python benchmarks/stats.py --coverage    how often the intervals hold the truth

The loop resamples whole clusters and calls accuracy, balanced accuracy, F1, Cohen's kappa and AUROC
of scikit-learn on the rows of each resample. It is timed on a few resamples and extrapolated to
1,000; ours needs none. The values must equal scikit-learn's, or the run fails; how far apart the
ends of the intervals are is printed in widths of the loop's, whose few resamples scatter.
To compare two versions of the package, compare their ratios: both sides of one run see the same
machine under the same load.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import multivariate_normal, norm
from sklearn import metrics

from aas_bench.stats import Estimate, override, preference

FIGURES: dict[str, Callable[..., float]] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1": metrics.f1_score,
    "cohen_kappa": metrics.cohen_kappa_score,
    "auroc": metrics.roc_auc_score,
}
N_RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Size:
    """One row of the table: how much, how long the loop is watched, and what we aim at."""

    n_pairs: int
    n_clusters: int
    loop_resamples: int
    least_ratio: float
    most_gib: float


SIZES = (
    Size(n_pairs=3_300, n_clusters=300, loop_resamples=100, least_ratio=50, most_gib=2),
    Size(n_pairs=1_000_000, n_clusters=90_910, loop_resamples=3, least_ratio=10, most_gib=2),
)


@dataclass(frozen=True, kw_only=True)
class Table:
    """Margins, labels and clusters of a made-up reward model."""

    margin: NDArray[np.float64]
    label: NDArray[np.int64]
    cluster: NDArray[np.int64]


def make_table(n_pairs: int, n_clusters: int) -> Table:
    """Pairs that share a shift with their cluster; every size has the same seed."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, n_pairs)
    cluster = np.arange(n_pairs) % n_clusters
    shift = rng.normal(0, 1, n_clusters)
    return Table(
        margin=rng.normal(0.8 * (2 * label - 1) + shift[cluster], 1),
        label=label,
        cluster=cluster,
    )


def time_loop(table: Table, n_resamples: int) -> tuple[float, dict[str, list[float]]]:
    """Seconds a resample, and the figures of each."""
    order = np.argsort(table.cluster, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(table.cluster[order])) + 1)
    rng = np.random.default_rng(0)
    figures: dict[str, list[float]] = {name: [] for name in FIGURES}
    start = time.perf_counter()
    for _ in range(n_resamples):
        drawn = rng.integers(0, len(rows), len(rows))
        members = np.concatenate([rows[k] for k in drawn])
        label, margin = table.label[members], table.margin[members]
        for name, figure in FIGURES.items():
            figures[name].append(figure(label, margin if name == "auroc" else margin > 0))
    return (time.perf_counter() - start) / n_resamples, figures


def check_equal(table: Table, figures: dict[str, list[float]]) -> float:
    """How far the ends of our intervals are from the loop's, at most, in widths of the loop's."""
    ours = preference(table.margin, table.label, clusters=table.cluster)
    farthest = 0.0
    for name, values in figures.items():
        estimate: Estimate = getattr(ours, name)
        given = table.margin if name == "auroc" else table.margin > 0
        if abs(FIGURES[name](table.label, given) - (estimate.value or 0.0)) > 1e-9:
            sys.exit(f"the two sides differ in {name}: this is not a race of equals.")
        low, high = np.quantile(values, (0.025, 0.975))
        apart = np.abs(np.array([low, high]) - np.array([estimate.low, estimate.high]))
        farthest = max(farthest, float(apart.max() / (high - low)))
    return farthest


def measure_ours(n_pairs: int, n_clusters: int) -> dict[str, float]:
    """Seconds and peak memory of this process; called in a process of its own."""
    table = make_table(n_pairs, n_clusters)
    start = time.perf_counter()
    preference(table.margin, table.label, clusters=table.cluster)
    seconds = time.perf_counter() - start
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return {"seconds": seconds, "gib": peak / 2**30}


def in_own_process(size: Size) -> dict[str, float]:
    """Run `measure_ours` in a fresh interpreter."""
    command = [sys.executable, __file__, "--measure", str(size.n_pairs), str(size.n_clusters)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(result.stdout)
    return measured


def race() -> bool:
    """Print one line per size; whether every aim was met."""
    print(f"Five figures with intervals, against {N_RESAMPLES} resamples over scikit-learn")
    print("(the loop is extrapolated from the resamples in the third column)\n")
    print(
        f"{'pairs':>9} {'clusters':>9} {'watched':>8} {'loop s':>9} {'ours s':>8} {'ratio':>7} "
        f"{'aim':>5} {'peak GiB':>9} {'aim':>4} {'ends apart':>11}"
    )
    met = True
    for size in SIZES:
        table = make_table(size.n_pairs, size.n_clusters)
        each, figures = time_loop(table, size.loop_resamples)
        difference = check_equal(table, figures)
        ours = in_own_process(size)
        loop = each * N_RESAMPLES
        ratio = loop / ours["seconds"]
        met &= ratio >= size.least_ratio and ours["gib"] <= size.most_gib
        print(
            f"{size.n_pairs:>9} {size.n_clusters:>9} {size.loop_resamples:>8} {loop:>9.1f} "
            f"{ours['seconds']:>8.2f} {ratio:>6.0f}x {size.least_ratio:>4.0f}x {ours['gib']:>9.2f} "
            f"{size.most_gib:>4.0f} {difference:>11.2f}"
        )
    return met


def simulate_preference(rng: np.random.Generator, n_clusters: int) -> dict[str, Estimate]:
    """Margin 0.5 (2 y - 1) + u + e, u shared by the cluster, both standard normal."""
    cluster = np.repeat(np.arange(n_clusters), 3)
    label = rng.integers(0, 2, len(cluster))
    noise = rng.normal(size=len(cluster)) + rng.normal(size=n_clusters)[cluster]
    result = preference(0.5 * (2 * label - 1) + noise, label, clusters=cluster)
    return {"accuracy": result.accuracy, "auroc": result.auroc}


def simulate_override(rng: np.random.Generator, n_clusters: int) -> dict[str, Estimate]:
    """Pull -0.5 + u + e, response 1 + v + f; u and v shared by the cluster, all standard normal."""
    cluster = np.repeat(np.arange(n_clusters), 3)
    shared = rng.normal(size=(2, n_clusters))[:, cluster]
    pull, response = rng.normal([[-0.5], [1.0]], 1, shared.shape) + shared
    zero = np.zeros(len(cluster))
    result = override(
        oiop=zero,
        oidp=zero,
        diop=pull - response / 2,
        didp=pull + response / 2,
        clusters=cluster,
    )
    return {"override rate": result.override_rate}


def truths() -> dict[str, float]:
    """What the simulated estimates aim at, in closed form."""
    # Two margins of different clusters: a gap of 1, variance 2 each.
    truth = {"accuracy": norm.cdf(0.5 / np.sqrt(2)), "auroc": norm.cdf(1 / 2)}
    # (d_a, -I) with d_a = pull + response / 2; var d_a = 2 + 2/4, var I = 2, their covariance 1.
    both = multivariate_normal.cdf([0, 0], mean=[0.0, -1.0], cov=[[2.5, -1.0], [-1.0, 2.0]])
    truth["override rate"] = both / norm.cdf(1 / np.sqrt(2))
    return {name: float(value) for name, value in truth.items()}


def coverage(n_simulations: int, n_clusters: int) -> bool:
    """Print how often a nominal 95 % interval holds the truth; whether that is 93 to 97 %."""
    truth, rng = truths(), np.random.default_rng(0)
    held = dict.fromkeys(truth, 0)
    for _ in range(n_simulations):
        found = simulate_preference(rng, n_clusters) | simulate_override(rng, n_clusters)
        for name, estimate in found.items():
            assert estimate.low is not None
            assert estimate.high is not None
            held[name] += estimate.low <= truth[name] <= estimate.high
    print(f"{n_simulations} simulations of {n_clusters} clusters of 3 pairs;")
    print("nominal coverage 95 %, aim 93 to 97 %\n")
    print(f"{'estimate':<15} {'truth':>7} {'coverage':>9} {'std. error':>11}")
    for name, count in held.items():
        share = count / n_simulations
        error = np.sqrt(share * (1 - share) / n_simulations)
        print(f"{name:<15} {truth[name]:>7.4f} {share:>8.1%} {error:>11.1%}")
    return all(0.93 <= count / n_simulations <= 0.97 for count in held.values())


def main() -> int:
    """Parse, run, and exit with 1 where an aim is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--coverage", action="store_true", help="simulate interval coverage")
    parser.add_argument("--simulations", type=int, default=2000, help="with --coverage")
    parser.add_argument("--clusters", type=int, default=300, help="with --coverage")
    parser.add_argument("--measure", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure_ours(*arguments.measure)))
        return 0
    met = coverage(arguments.simulations, arguments.clusters) if arguments.coverage else race()
    print("\nall aims met" if met else "\nan aim was missed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
