"""Time, memory and disk of the first contact: `aas-bench demo` and `--help` as whole processes.

    python benchmarks/demo.py                                 this checkout, this environment
    python benchmarks/demo.py --python VENV/bin/python        in a fresh base environment
    python benchmarks/demo.py --before CHECKOUT               beside another checkout, in turns
    python benchmarks/demo.py --before CHECKOUT --before-python VENV/bin/python

Each demo starts with an empty cache of `datasets` and `huggingface_hub` and without the network.
Figures are medians; the processor time is that of all threads, so it says less about the load of
the machine than the time does. Make the environment with: python -m venv VENV &&
VENV/bin/pip install CHECKOUT.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parents[1]
AIMS = "aims: demo 12 s on 2 idle cores, 500 MiB; help 0.25 s; environment 690 MB"
N_HELPS = 9


@dataclass(frozen=True, kw_only=True)
class Side:
    """A checkout and the interpreter that runs it."""

    name: str
    checkout: Path
    python: Path


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one process took: seconds, seconds of all its threads, and MiB at its peak."""

    wall: float
    cpu: float
    peak: float


def cost(side: Side, arguments: Sequence[str], folder: Path) -> Cost:
    """Run the command line of a checkout to its end in an empty folder."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = os.environ | threads | {"HF_HOME": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = str(side.checkout)
    command = [side.python, "-m", "aas_bench", *arguments]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} left with {process.returncode}")
    kib = 1024 if sys.platform == "darwin" else 1
    return Cost(wall=wall, cpu=used.ru_utime + used.ru_stime, peak=used.ru_maxrss / 1024 / kib)


def demo(side: Side) -> Cost:
    """One demo from nothing."""
    with tempfile.TemporaryDirectory() as folder:
        return cost(side, ("demo", "--no-open", "--out", "report"), Path(folder))


def helped(side: Side) -> Cost:
    """The help, typically: the median of several."""
    with tempfile.TemporaryDirectory() as folder:
        return typical([cost(side, ("--help",), Path(folder)) for _ in range(N_HELPS)])


def typical(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(
        wall=median(c.wall for c in costs),
        cpu=median(c.cpu for c in costs),
        peak=median(c.peak for c in costs),
    )


def environment_size(python: Path) -> float:
    """Bytes of all files of the environment, in MB."""
    root = python.absolute().parents[1]
    files = (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


def row(what: str, costs: Sequence[Cost]) -> str:
    """Time, processor time and memory of each side, then the ratios of the first to the second."""
    cells = [f"{c.wall:7.2f} s {c.cpu:6.2f} s {c.peak:5.0f} MiB" for c in costs]
    if len(costs) > 1:
        after, before = costs
        cells.append(
            f"{before.wall / after.wall:.2f}x {before.cpu / after.cpu:.2f}x "
            f"{before.peak / after.peak:.2f}x"
        )
    return f"{what:<6}" + "   ".join(cells)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, default=Path(sys.executable))
    parser.add_argument("--before", type=Path, help="another checkout")
    parser.add_argument("--before-python", type=Path, help="its interpreter, where another")
    parser.add_argument("--repeat", type=int, default=3)
    chosen = parser.parse_args()
    sides = [Side(name="now", checkout=HERE, python=chosen.python.absolute())]
    if chosen.before is not None:
        python = (chosen.before_python or chosen.python).absolute()
        sides.append(Side(name="before", checkout=chosen.before.resolve(), python=python))
    load = os.getloadavg()[0]
    runs = [[demo(side) for side in sides] for _ in range(chosen.repeat)]
    print(f"{os.cpu_count()} processors, load {load:.1f}; wall, processor time, peak memory of:")
    print(", ".join(side.name for side in sides))
    print(row("demo", [typical(costs) for costs in zip(*runs, strict=True)]))
    print(row("help", [helped(side) for side in sides]))
    for side in sides:
        print(f"environment of {side.name}: {environment_size(side.python):.0f} MB")
    print(AIMS)


if __name__ == "__main__":
    main()
