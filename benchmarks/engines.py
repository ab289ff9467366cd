"""Engines beside each other: one process, a process per device, Ray; equal tables, ratios printed.

    python benchmarks/engines.py                  20,000 synthetic pairs, two workers
    python benchmarks/engines.py --pairs 2000 --rounds 3

Images are synthetic, read from PNG bytes of a Parquet file and scored by a built-in reward model,
which computes on processors: no network, no weights. Every engine may use the same processors. Two
rates are told: over the whole call, the start of workers included, and once all of them are at
work, from the first part that each stored to the last. What a start costs does not grow with the
pairs. Rounds alternate between the engines and the median counts, since machines are shared.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from datasets import Dataset, disable_progress_bars
from PIL import Image

from aas_bench import load_pairs
from aas_bench.run.devices import Devices
from aas_bench.run.pool import Engine
from aas_bench.run.ray_cluster import RayCluster
from aas_bench.run.score import score
from aas_bench.tables.schema import pair_features

AIM = 0.9
SIDE = 96


def main() -> None:
    """Score the same pairs with each engine, and tell the rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20_000)
    parser.add_argument("--reward", default="polish")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=1)
    told = parser.parse_args()
    disable_progress_bars()
    engines: dict[str, Engine | None] = {
        "local": None,
        "ray": RayCluster(),
        "devices": Devices(["cpu"] * told.workers),
    }
    print(
        f"{told.pairs:,} pairs, {told.reward}; {os.cpu_count()} processors, load "
        f"{os.getloadavg()[0]:.1f}; ray {version('ray')}, pyarrow {version('pyarrow')}"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pairs.parquet"
        synthetic(told.pairs).to_parquet(file)
        rates: dict[str, list[tuple[float, float]]] = {name: [] for name in engines}
        tables = set()
        for number in range(told.rounds):
            for name, engine in engines.items():
                out = Path(folder) / f"{name}-{number}"
                n_first = 1 if engine is None else told.workers
                rates[name].append(measured(file, told.reward, engine, out, n_first))
                tables.add((out / "scores.parquet").read_bytes())
                whole, steady = rates[name][-1]
                load = os.getloadavg()[0]
                print(f"{name:8} {whole:7.1f} pairs/s, {steady:7.1f} at work, load {load:.1f}")
        print("tables equal, byte for byte:", len(tables) == 1)
        local = middle(rates["local"])
        for name in ("ray", "devices"):
            whole, steady = (a / b for a, b in zip(middle(rates[name]), local, strict=True))
            print(f"{name} over local: {whole:.2f} whole, {steady:.2f} at work (aim {AIM})")


def middle(rates: list[tuple[float, float]]) -> tuple[float, float]:
    """The median of each rate."""
    return statistics.median(r[0] for r in rates), statistics.median(r[1] for r in rates)


def synthetic(n: int) -> Dataset:
    """So many pairs of noise, each image of its own bytes; five pairs share a caption."""
    rng = np.random.default_rng(0)

    def rows() -> object:
        for i in range(n):
            images = [{"bytes": png(rng), "path": None} for _ in range(2)]
            yield {
                "pair_id": f"synthetic/{i:06d}",
                "index": i // 5,
                "model": "synthetic",
                "image_original": images[0],
                "image_distorted": images[1],
                "prompt_original": f"scene number {i // 5}",
                "prompt_distorted": f"scene number {i // 5}, blurred, taken {i % 5} times",
                "dimensions": ["clarity"],
                "label": 1,
            }

    return Dataset.from_generator(rows, features=pair_features())


def png(rng: np.random.Generator) -> bytes:
    """A smooth picture with noise, as a PNG file."""
    small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(small).resize((SIDE, SIDE)), dtype=np.int16)
    noisy = (pixels + rng.integers(-4, 5, pixels.shape)).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "PNG", compress_level=1)
    return file.getvalue()


def measured(
    file: Path, reward: str, engine: Engine | None, out: Path, n_first: int
) -> tuple[float, float]:
    """Pairs a second over the whole call, and after the first parts."""
    pairs = load_pairs(str(file))
    started = time.monotonic()
    score(pairs, reward, out=out, engine=engine, placebos="none", progress=False)
    seconds = time.monotonic() - started
    stored = sorted(part.stat().st_mtime for part in (out / "parts").glob("*.parquet"))
    share = (len(stored) - n_first) / len(stored)
    return len(pairs) / seconds, share * len(pairs) / (stored[-1] - stored[n_first - 1])


if __name__ == "__main__":
    main()
