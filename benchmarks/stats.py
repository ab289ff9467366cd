"""Speed and memory of the statistics.

    python benchmarks/stats.py

The other side leaves out one cluster after the other and calls accuracy, balanced accuracy, F1,
Cohen's kappa and AUROC of scikit-learn on the rest: the jackknife that users would write for an
interval by cluster. It is timed on a few clusters and extrapolated to all. At the smaller size it
is run in full, and its standard errors must agree with ours to two percent, or the run fails. To
compare two versions of the package, compare their ratios: both sides of one run see the same
machine under the same load. Whether the intervals hold is in `calibration.py`.
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
from scipy.special import stdtrit
from sklearn import metrics

from aas_bench.stats import Estimate, preference

FIGURES: dict[str, Callable[..., float]] = {
    "accuracy": metrics.accuracy_score,
    "balanced_accuracy": metrics.balanced_accuracy_score,
    "f1": metrics.f1_score,
    "cohen_kappa": metrics.cohen_kappa_score,
    "auroc": metrics.roc_auc_score,
}


@dataclass(frozen=True, kw_only=True)
class Size:
    """One row of the table: how much, how long the loop is watched, and what we aim at."""

    n_pairs: int
    n_clusters: int
    watched: int
    least_ratio: float
    most_gib: float


SIZES = (
    Size(n_pairs=3_300, n_clusters=300, watched=300, least_ratio=50, most_gib=2),
    Size(n_pairs=1_000_000, n_clusters=90_910, watched=3, least_ratio=10, most_gib=2),
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


def time_loop(table: Table, watched: int) -> tuple[float, dict[str, list[float]]]:
    """Seconds a cluster, and each figure without it."""
    figures: dict[str, list[float]] = {name: [] for name in FIGURES}
    start = time.process_time()
    for cluster in range(watched):
        rest = table.cluster != cluster
        label, margin = table.label[rest], table.margin[rest]
        for name, figure in FIGURES.items():
            figures[name].append(figure(label, margin if name == "auroc" else margin > 0))
    return (time.process_time() - start) / watched, figures


def check_equal(table: Table, figures: dict[str, list[float]]) -> float:
    """Largest relative difference of our intervals' widths from the jackknife's."""
    ours = preference(table.margin, table.label, clusters=table.cluster)
    largest = 0.0
    for name, values in figures.items():
        n = len(values)
        error = float(np.sqrt((n - 1) / n * np.sum((np.array(values) - np.mean(values)) ** 2)))
        estimate: Estimate = getattr(ours, name)
        assert estimate.low is not None
        assert estimate.high is not None
        width = 2 * float(stdtrit(n - 1, 0.975)) * error
        largest = max(largest, abs((estimate.high - estimate.low) / width - 1))
    if largest > 0.02:
        sys.exit(f"the two sides differ by {largest:.1%}: this is not a race of equals.")
    return largest


def measure_ours(n_pairs: int, n_clusters: int) -> dict[str, float]:
    """Seconds and peak memory of this process; called in a process of its own."""
    table = make_table(n_pairs, n_clusters)
    start = time.process_time()
    preference(table.margin, table.label, clusters=table.cluster)
    seconds = time.process_time() - start
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
    print("Five figures with intervals by cluster, against leaving out each cluster with")
    print("scikit-learn (processor seconds; extrapolated from the clusters in the third column)\n")
    print(
        f"{'pairs':>9} {'clusters':>9} {'watched':>8} {'loop s':>9} {'ours s':>8} {'ratio':>9} "
        f"{'aim':>5} {'peak GiB':>9} {'aim':>4} {'largest difference':>19}"
    )
    met = True
    for size in SIZES:
        table = make_table(size.n_pairs, size.n_clusters)
        each, figures = time_loop(table, size.watched)
        whole = size.watched == size.n_clusters
        difference = f"{check_equal(table, figures):.2%}" if whole else "-"
        ours = in_own_process(size)
        loop = each * size.n_clusters
        ratio = loop / ours["seconds"]
        met &= ratio >= size.least_ratio and ours["gib"] <= size.most_gib
        print(
            f"{size.n_pairs:>9} {size.n_clusters:>9} {size.watched:>8} {loop:>9.1f} "
            f"{ours['seconds']:>8.3f} {ratio:>8.0f}x {size.least_ratio:>4.0f}x "
            f"{ours['gib']:>9.2f} {size.most_gib:>4.0f} {difference:>19}"
        )
    return met


def main() -> int:
    """Parse, run, and exit with 1 where an aim is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measure", type=int, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure_ours(*arguments.measure)))
        return 0
    met = race()
    print("\nall aims met" if met else "\nan aim was missed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
