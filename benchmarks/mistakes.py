"""Seconds until a typing mistake is answered, each in a process of its own.

python benchmarks/mistakes.py [--at-least SECONDS]

Processor seconds of the process and its children are shown beside those of the clock, as other work
on the machine moves only the latter.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from support.typing_mistakes import MISTAKES, write_files  # noqa: E402


def used() -> float:
    """Processor seconds of the children that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def main() -> None:
    """Print a line for each, the slowest first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at-least", type=float, default=0.0, help="leave out quicker ones")
    least = parser.parse_args().at_least
    rows = []
    settings = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        for typed in MISTAKES:
            command = [sys.executable, "-m", "aas_bench", *shlex.split(typed)]
            before, start = used(), time.perf_counter()
            done = subprocess.run(
                command, cwd=folder, env=settings, capture_output=True, check=False
            )
            rows.append((used() - before, time.perf_counter() - start, done.returncode, typed))
    for processor, clock, code, typed in sorted(rows, reverse=True):
        if processor >= least:
            print(f"{processor:5.2f} s processor, {clock:5.2f} s clock, exit {code}: {typed}")
    print(f"{sum(row[0] < 2 for row in rows)} of {len(rows)} under 2 s of processor time")


if __name__ == "__main__":
    main()
