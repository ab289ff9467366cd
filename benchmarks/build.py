"""Memory and time of building a dataset of many large images.

    python benchmarks/build.py                  3,300 pairs of 1024-pixel images
    python benchmarks/build.py --pairs 200      a quick look

The pairs point at image files: noise at 1024 pixels, half of it JPEG (quality 95), half PNG,
a few dozen files that are used again and again. A build runs in a process of its own, whose peak of
resident memory is read when it ends. A second one is killed half-way by SIGKILL and continued; its
bytes must equal those of the first.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import datasets
import numpy as np
from PIL import Image

from aas_bench.files import file_sha256
from aas_bench.publish.build import build
from aas_bench.publish.builder import BenchBuilder, BenchConfig, for_viewer, option
from aas_bench.tables.schema import pair_features
from aas_bench.tasks.catalog import DEFAULT

N_FILES = 40
SIZE = 1024
MOST_GIB = 2.0


@dataclass
class NoiseConfig(BenchConfig):
    """Where the image files are."""

    source: Path | None = option(None, "Folder of the images.")
    n: int = option(3300, "Pairs.")


class Noise(BenchBuilder):
    """Pairs of noise; the card is the one of the counterfactual split."""

    TASK = DEFAULT
    ITEMS_PER_SHARD = 100
    BUILDER_CONFIG_CLASS = NoiseConfig
    BUILDER_CONFIGS: ClassVar = [NoiseConfig(name="pairs", version=datasets.Version("1.0.0"))]
    DEFAULT_CONFIG_NAME = "pairs"

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=for_viewer(pair_features()))

    def items(self) -> Sequence[int]:
        """Numbers."""
        return range(self.config.n)

    def rows(self, item: int) -> Iterator[dict[str, Any]]:
        """One pair; the images are paths."""
        files = sorted(self.config.source.iterdir())
        yield {
            "pair_id": f"noise/{item:05d}",
            "index": item % 300,
            "model": "noise",
            "image_original": str(files[item % len(files)]),
            "image_distorted": str(files[(7 * item + 1) % len(files)]),
            "prompt_original": "a calm field",
            "prompt_distorted": f"noise, number {item}",
            "dimensions": ["clarity"],
            "label": 1,
        }

    def facts(self) -> dict[str, Any]:
        """What the card of the counterfactual split asks for."""
        return {"scenes": [], "n_scenes": 0}


def make_images(folder: Path) -> None:
    """Noise that compresses as badly as a photograph with grain."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(N_FILES):
        coarse = rng.integers(0, 256, (SIZE // 8, SIZE // 8, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize((SIZE, SIZE)), dtype=np.int16)
        grain = rng.normal(0, 6, (SIZE, SIZE, 3)).astype(np.int16)
        image = Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))
        if number % 2:
            image.save(folder / f"{number:02d}.jpg", quality=95)
        else:
            image.save(folder / f"{number:02d}.png", compress_level=1)


def child(source: Path, out: Path, n: int) -> None:
    """Build, and print how much memory it took."""
    started = time.perf_counter()
    built = build([Noise(source=source, n=n)], out)
    scale = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    seconds = time.perf_counter() - started
    files = len(built.configs[0].files)
    print(json.dumps({"peak": peak, "seconds": seconds, "files": files}))


def start(source: Path, out: Path, n: int) -> subprocess.Popen[str]:
    """Begin a build in a process of its own."""
    command = [sys.executable, __file__, "--child", str(source), str(out), "--pairs", str(n)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, float]:
    """What the build printed."""
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    found: dict[str, float] = json.loads(output)
    return found


def hashes(folder: Path) -> dict[str, str]:
    """Of all that would be pushed."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(".build/"):
            found[name] = file_sha256(path)
    return found


def killed_half_way(source: Path, out: Path, n: int, n_files: int) -> int:
    """Kill a build once half of its files are there; how many are."""
    process = start(source, out, n)
    while len(list(out.glob("pairs/*.parquet"))) < n_files // 2 and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return len(list(out.glob("pairs/*.parquet")))


def main() -> None:
    """Measure, compare, print a row for docs/benchmarks.md."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=3300)
    parser.add_argument("--child", nargs=2, type=Path, metavar=("SOURCE", "OUT"))
    arguments = parser.parse_args()
    if arguments.child:
        child(*arguments.child, arguments.pairs)
        return
    with tempfile.TemporaryDirectory() as folder:
        source, one, two = (Path(folder, name) for name in ("images", "one", "two"))
        make_images(source)
        first = finish(start(source, one, arguments.pairs))
        n_there = killed_half_way(source, two, arguments.pairs, int(first["files"]))
        finish(start(source, two, arguments.pairs))
        same = hashes(one) == hashes(two)
        size = sum(p.stat().st_size for p in one.rglob("*.parquet")) / 2**30
        peak = first["peak"] / 2**30
    print("| pairs | data | files | time | peak memory | aim | killed at | bytes equal |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
    print(
        f"| {arguments.pairs:,} | {size:.2f} GiB | {first['files']:.0f} | {first['seconds']:.0f} s "
        f"| {peak:.2f} GiB | {MOST_GIB:.0f} GiB | {n_there} files | {'yes' if same else 'NO'} |"
    )
    if not same or peak > MOST_GIB:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
