"""What `aas-bench analyse` costs on a score table, small to large.

    python benchmarks/analyse.py                          3,300, 100,000 and 1,000,000 rows
    python benchmarks/analyse.py --before CHECKOUT        beside another version of the package
    python benchmarks/analyse.py --rows 3300

The table has three reward models with all four scores, labels, 11 generators and lists of
dimensions. Each figure is the processor time (user and system) and the peak memory of the whole
command, imports and reading included, in a process of its own. The plain loop computes the same
figures with pandas, scipy and scikit-learn, group by group, and takes its intervals from resampled
base prompts: it is timed on a few resamples and extrapolated to 1,000.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parents[1]
REWARDS = ("hpsv3", "pickscore", "image-reward")
DIMENSIONS = (
    *("clarity", "color brightness", "color aesthetic", "lighting distinction"),
    *("detail refinement", "detail realism", "background", "main object", "richness"),
    *("object pairing", "emotion", "symmetry"),
)
N_GENERATORS = 11
N_RESAMPLES = 1000
WATCHED = {3_300: 20, 100_000: 2, 1_000_000: 1}
LIMIT_S = 300


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What we hold ourselves to at one size."""

    seconds: float
    gib: float = 2.0


AIMS = {3_300: Aim(seconds=2), 100_000: Aim(seconds=6), 1_000_000: Aim(seconds=60)}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Processor time and peak memory; `done` is False where the limit stopped it."""

    seconds: float
    gib: float
    done: bool


def make_table(n_rows: int) -> pd.DataFrame:
    """Rows of 11 generators that share their prompts; every size has the same seed."""
    rng = np.random.default_rng(0)
    n_prompts = -(-n_rows // N_GENERATORS)
    index = np.arange(n_rows) % n_prompts
    of_prompt = [
        [DIMENSIONS[i % 12], DIMENSIONS[(i + 1 + i // 12 % 11) % 12]][: 1 + i % 2]
        for i in range(n_prompts)
    ]
    maker = [f"generator_{i}" for i in range(N_GENERATORS)]
    frame = pd.DataFrame(
        {
            "pair_id": [f"{maker[k // n_prompts]}/{i:06d}" for k, i in enumerate(index)],
            "index": index,
            "model": [maker[k // n_prompts] for k in range(n_rows)],
            "prompt_original": [f"a photograph of thing {i}" for i in index],
            "prompt_distorted": [f"a blurred, gloomy photograph of thing {i}" for i in index],
            "dimensions": [of_prompt[i] for i in index],
            "label": rng.choice([1, 1, 1, 0, -1], n_rows).astype(np.int8),
        }
    )
    shared = rng.normal(size=n_prompts)[index]
    for reward, taste in zip(REWARDS, (0.5, 1.5, 2.5), strict=True):
        level = rng.normal(size=(4, n_rows)) + shared
        for cell, shift, column in zip(
            ("oiop", "oidp", "diop", "didp"), (taste, taste, 0, 1.5), level, strict=True
        ):
            frame[f"{reward}_{cell}"] = column + shift
    return frame


def cost(table: Path, checkout: Path) -> Cost:
    """Run the command of a checkout on a table, in a fresh interpreter."""
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(checkout)}
    command = [sys.executable, "-m", "aas_bench", "analyse", str(table), "--json"]
    process = subprocess.Popen(
        command, env=os.environ | one, cwd=checkout, stdout=subprocess.DEVNULL, preexec_fn=_limit
    )
    _, status, used = os.wait4(process.pid, 0)
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Cost(
        seconds=used.ru_utime + used.ru_stime,
        gib=used.ru_maxrss * unit / 2**30,
        done=os.waitstatus_to_exitcode(status) == 0,
    )


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))


def plain_loop(frame: pd.DataFrame, n_resamples: int) -> float:
    """Processor seconds of the same figures, with 1,000 resamples extrapolated from these."""
    parts = [frame, *(rows for _, rows in frame.groupby("model"))]
    parts += [rows for _, rows in frame.explode("dimensions").groupby("dimensions")]
    start = time.process_time()
    for rows in parts:
        _figures(rows)
    once = time.process_time() - start
    start = time.process_time()
    rng = np.random.default_rng(0)
    for _ in range(n_resamples):
        for rows in parts:
            drawn = rng.integers(0, frame["index"].max() + 1, frame["index"].max() + 1)
            weights = np.bincount(drawn, minlength=len(drawn))
            _figures(rows.iloc[np.repeat(np.arange(len(rows)), weights[rows["index"].to_numpy()])])
    each = (time.process_time() - start) / n_resamples
    return once + N_RESAMPLES * each


def _figures(rows: pd.DataFrame) -> list[float]:
    from scipy.stats import spearmanr
    from sklearn import metrics

    found: list[float] = []
    known = (rows["label"] >= 0).to_numpy()
    label = rows["label"].to_numpy()[known]
    for reward in REWARDS:
        oiop, oidp, diop, didp = (
            rows[f"{reward}_{cell}"].to_numpy() for cell in ("oiop", "oidp", "diop", "didp")
        )
        d_a, d_o = didp - oidp, diop - oiop
        choice = d_a[known] > 0
        found += [
            metrics.accuracy_score(label, choice),
            metrics.balanced_accuracy_score(label, choice),
            metrics.f1_score(label, choice),
            metrics.cohen_kappa_score(label, choice),
            metrics.roc_auc_score(label, d_a[known]),
            float(spearmanr(d_a[known], label).statistic),
        ]
        response = d_a - d_o
        found += [float((response > 0).mean()), float(((response > 0) & (d_a <= 0)).mean())]
        found += [float(response.mean()), float((d_a + d_o).mean() / 2)]
    return found


def race(sizes: list[int], before: Path | None, *, loop: bool) -> bool:
    """Print one line per size; whether every aim was met."""
    print("aas-bench analyse: 3 reward models with labels, 11 generators, dimensions.")
    print("Processor time of the whole command; the loop is extrapolated to 1,000 resamples.\n")
    print(
        f"{'rows':>9} {'ours s':>8} {'aim':>5} {'peak GiB':>9} {'aim':>4} {'us a row':>9} "
        f"{'before s':>10} {'GiB':>6} {'loop s':>10}"
    )
    met = True
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in sizes:
            frame, path = make_table(n_rows), Path(folder) / f"{n_rows}.parquet"
            frame.to_parquet(path, index=False)
            ours = cost(path, HERE)
            aim = AIMS.get(n_rows)
            if aim is not None:
                met &= ours.done and ours.seconds <= aim.seconds and ours.gib <= aim.gib
            then = "" if before is None else _told(cost(path, before))
            plain = f"{plain_loop(frame, WATCHED.get(n_rows, 1)):>10,.0f}" if loop else ""
            aims = (f"{aim.seconds:>5.0f}", f"{aim.gib:>4.0f}") if aim else (" " * 5, " " * 4)
            print(
                f"{n_rows:>9,} {ours.seconds:>8.2f} {aims[0]} {ours.gib:>9.2f} {aims[1]} "
                f"{1e6 * ours.seconds / n_rows:>9.1f} {then:>17} {plain}",
                flush=True,
            )
    return met


def _told(found: Cost) -> str:
    seconds = f"{found.seconds:.1f}" if found.done else f"> {found.seconds:.0f}"
    return f"{seconds:>10} {found.gib:>6.2f}"


def main() -> int:
    """Parse, run, and exit with 1 where an aim is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=list(AIMS), help="table sizes")
    parser.add_argument("--before", type=Path, help="a checkout of the version to set beside")
    parser.add_argument("--no-loop", action="store_true", help="leave the plain loop out")
    arguments = parser.parse_args()
    met = race(arguments.rows, arguments.before, loop=not arguments.no_loop)
    print("\nall aims met" if met else "\nan aim was missed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
