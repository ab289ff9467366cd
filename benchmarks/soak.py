"""A long run: does memory stay bounded, and does the cost grow with the size and no faster?

    python benchmarks/soak.py                                   1,000, 10,000 and 100,000 pairs
    python benchmarks/soak.py --minutes 15 --draw docs/soak.svg
    python benchmarks/soak.py --pairs 200 1000 --rows 10000     tries the program

Synthetic pairs, each of two images of its own, are written to Parquet and scored by
`aas-bench score` with two built-in reward models, in a process of its own. Its memory is read every
half second: all that is resident, and what of it is no mapped file (the pairs are mapped, and the
system takes such pages back whenever it needs them). The slope is that of the second kind over the
pairs done, fitted by least squares through the second half of the run, when everything is loaded.
Then a score table is analysed from Parquet. A size that does not end within --minutes, counted over
the whole program, is said to be unfinished, with how far it came.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from analyse import cost, make_table
from PIL import Image

HERE = Path(__file__).parents[1]
REWARDS = ("random", "polish")
SIDE = 32
PART = 256
PER_PROMPT = 11
ROWS_AT_ONCE = 1000
EVERY = 0.5


@dataclass(frozen=True, kw_only=True)
class Soaked:
    """One size.

    Attributes:
        pairs: How many there were to score.
        done: How many were scored.
        processor: Seconds of user and system time.
        wall: Seconds on the clock.
        peak: Largest resident memory in MiB.
        own: Largest of what is no mapped file, in MiB.
        slope: MiB of the latter for each 10,000 pairs, over the second half; None of too short a
            run.
    """

    pairs: int
    done: int
    processor: float
    wall: float
    peak: float
    own: float
    slope: float | None


def write_pairs(file: Path, n: int) -> None:
    """Pairs of smooth pictures with noise, as PNG; no two images are equal."""
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    texts = ("pair_id", "model", "prompt_original", "prompt_distorted")
    schema = pa.schema(
        [
            *((name, pa.string()) for name in texts),
            ("index", pa.int64()),
            ("image_original", image),
            ("image_distorted", image),
            ("dimensions", pa.list_(pa.string())),
            ("label", pa.int8()),
        ]
    )
    with pq.ParquetWriter(file, schema) as writer:
        for start in range(0, n, ROWS_AT_ONCE):
            rows = [_pair(i) for i in range(start, min(start + ROWS_AT_ONCE, n))]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


def _pair(i: int) -> dict[str, object]:
    scene = i // PER_PROMPT
    return {
        "pair_id": f"soak/{i:07d}",
        "model": f"generator_{i % PER_PROMPT}",
        "index": scene,
        "prompt_original": f"a photograph of thing {scene}",
        "prompt_distorted": f"a blurred, gloomy photograph of thing {scene}",
        "image_original": {"bytes": _picture(2 * i), "path": None},
        "image_distorted": {"bytes": _picture(2 * i + 1), "path": None},
        "dimensions": ["clarity"],
        "label": 1,
    }


def _picture(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    noisy = np.clip(smooth + rng.normal(0, 3, smooth.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "PNG", compress_level=1)
    return file.getvalue()


def soak(folder: Path, n: int, deadline: float) -> Soaked:
    """Score n pairs and watch."""
    pairs, out = folder / f"{n}.parquet", folder / f"run-{n}"
    write_pairs(pairs, n)
    command = [sys.executable, "-m", "aas_bench", "score", "-d", str(pairs), "-o", str(out)]
    command += [part for name in REWARDS for part in ("-r", name)]
    here = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE), "HF_HOME": str(folder / "hf")}
    started = time.monotonic()
    process = subprocess.Popen(command, env=os.environ | here, stdout=subprocess.DEVNULL)
    seen, told = [], started
    try:
        while process.poll() is None:
            time.sleep(EVERY)
            now = time.monotonic()
            done = PART * len(list((out / "parts").glob("*.sha256"))) if out.exists() else 0
            if memory := _memory(process.pid):
                seen.append((min(done, n), *memory))
            if now > told + 60:
                told = now
                print(f"  {n:,} pairs: {done:,} after {now - started:.0f} s", file=sys.stderr)
            if now > deadline:
                process.terminate()
                break
    finally:
        process.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    pairs.unlink()
    numbers = np.array(seen)
    return Soaked(
        pairs=n,
        done=n if process.returncode == 0 else int(numbers[-1, 0]),
        processor=used.ru_utime + used.ru_stime,
        wall=time.monotonic() - started,
        peak=float(numbers[:, 1].max()),
        own=float(numbers[:, 2].max()),
        slope=_slope(numbers),
    )


def _memory(pid: int) -> tuple[float, float] | None:
    """Resident memory of a process in MiB: all, and what is no mapped file."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    found = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB$", status, re.MULTILINE))
    return tuple(int(found[k]) / 1024 for k in ("VmRSS", "RssAnon")) if len(found) == 2 else None


def _slope(seen: np.ndarray) -> float | None:
    late = seen[seen[:, 0] >= seen[-1, 0] / 2]
    if len(set(late[:, 0])) < 8:
        return None
    return float(np.polyfit(late[:, 0] / 10_000, late[:, 2], 1)[0])


def growth(sizes: Sequence[float], seconds: Sequence[float]) -> float | None:
    """The slope of log cost over log size; 1 is linear."""
    if len(sizes) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def draw(found: Sequence[Soaked], file: Path) -> None:
    """Processor seconds over pairs on logarithmic axes, beside a line of slope 1."""
    from aas_bench.pages.chart import Chart, Drawing, Scale
    from aas_bench.pages.figures import standalone

    low, high = np.log10(found[0].pairs), np.log10(found[-1].done)
    costs = np.log10([each.processor for each in found])
    x = Scale(low=low, high=high, start=90, stop=520)
    y = Scale(low=np.floor(min(costs)), high=np.ceil(max(costs)), start=260, stop=20)
    drawing = Drawing("soak", 620, 320)
    for power in range(int(y.low), int(y.high) + 1):
        drawing.line([(90, y(power)), (520, y(power))], "rule")
        drawing.text(82, y(power), f"{10**power:,} s", anchor="end", middle=True, fill="muted")
    last = (high, costs[-1])
    ends = [(x(low), y(last[1] - (high - low))), (x(high), y(last[1]))]
    drawing.line(ends, "muted", dashes="2 2")
    for each, seconds in zip(found, costs, strict=True):
        at = x(np.log10(each.done))
        drawing.mark(at, y(seconds), 0)
        drawing.text(at, 285, f"{each.done:,}", anchor="middle", fill="muted")
    drawing.text(305, 310, "pairs; dashed: in proportion to the largest", anchor="middle")
    svg = drawing.svg(title="Cost against size", description="Processor seconds over pairs.")
    chart = Chart(
        name="soak", heading="", svg=svg, sentence="", columns=("pairs", "seconds"), rows=()
    )
    file.write_text(standalone(chart), encoding="utf-8")


def main() -> int:
    """Parse, run, and exit with 1 where a size did not end in time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000_000])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--draw", type=Path, help="file of the picture, SVG")
    arguments = parser.parse_args()
    deadline = time.monotonic() + 60 * arguments.minutes
    versions = ", ".join(f"{name} {version(name)}" for name in ("datasets", "pyarrow", "numpy"))
    print(f"Python {sys.version.split()[0]}, {versions}; load {os.getloadavg()[0]:.1f}")
    head = ("pairs", "scored", "cpu s", "wall s", "ms/pair", "peak MiB", "own MiB", "MiB/10k")
    print(" ".join(f"{each:>9}" for each in head), flush=True)
    found, before = [], 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n in sorted(arguments.pairs):
            each = soak(folder, n, deadline)
            own = each.processor - before  # children are counted together
            before = each.processor
            each = Soaked(**(vars(each) | {"processor": own}))
            slope = "–" if each.slope is None else f"{each.slope:.2f}"
            print(
                f"{n:>9,} {each.done:>9,} {own:>9.1f} {each.wall:>9.0f} "
                f"{1000 * own / max(each.done, 1):>9.2f} {each.peak:>9.0f} {each.own:>9.0f} "
                f"{slope:>9}",
                flush=True,
            )
            if each.done:
                found.append(each)
            if each.done < n:
                print(f"{n:,} pairs did not end in time: {each.done:,} were scored.")
        for rows in arguments.rows:
            table = folder / f"{rows}.parquet"
            make_table(rows).to_parquet(table, index=False)
            used = cost(table, HERE)
            print(f"analyse {rows:,} rows: {used.seconds:.1f} s cpu, {used.gib:.2f} GiB peak")
    for which, some in (("all sizes", found), ("the two largest", found[-2:])):
        power = growth([each.done for each in some], [each.processor for each in some])
        if power is not None:
            print(f"cost grows with the pairs to the power {power:.2f} over {which}")
    if arguments.draw:
        draw(found, arguments.draw)
    print(f"load at the end {os.getloadavg()[0]:.1f}")
    return 0 if all(each.done == each.pairs for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
