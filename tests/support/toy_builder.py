"""Builders of made-up pairs, for tests of building and publishing; also run in child processes."""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import datasets
import numpy as np
from PIL import Image

from aas_bench.publish import build as build_module
from aas_bench.publish.build import build
from aas_bench.publish.builder import BadItem, BenchBuilder, BenchConfig, for_viewer, option
from aas_bench.publish.command import command
from aas_bench.tables.schema import pair_features
from aas_bench.tasks.catalog import TASKS

SIZE = 24


@dataclass
class ToyConfig(BenchConfig):
    """What the pairs are like."""

    n: int = option(10, "Pairs.")
    bad: tuple[int, ...] = option((), "Item that is at fault.")
    twice: int | None = option(None, "Item that is called like the one before.")
    prompt: str = option("a {0} prompt", "Prompt; {0} is the number.")
    missing: int | None = option(None, "Item whose image file is not there.")
    padding: int = option(0, "Bytes to add to each image.")
    score: bool = option(False, "Add a column of scores.")


class Toy(BenchBuilder):
    """Flat colours; the card is the one of the counterfactual split."""

    TASK = TASKS["counterfactual"]
    ITEMS_PER_SHARD = 4
    BUILDER_CONFIG_CLASS = ToyConfig
    BUILDER_CONFIGS: ClassVar = [ToyConfig(name="pairs", version=datasets.Version("1.0.0"))]
    DEFAULT_CONFIG_NAME = "pairs"

    def _info(self) -> datasets.DatasetInfo:
        features = {**pair_features()}
        if self.config.score:
            features["polish_didp"] = datasets.Value("float64")
        return datasets.DatasetInfo(features=for_viewer(datasets.Features(features)))

    def items(self) -> Sequence[int]:
        return range(self.config.n)

    def rows(self, item: int) -> Iterator[dict[str, Any]]:
        if item in self.config.bad:
            raise BadItem(f"item {item}", "made to fail")
        number = item - 1 if item == self.config.twice else item
        image = {"bytes": picture(item, self.config.padding), "path": None}
        there = item != self.config.missing
        row = {
            "pair_id": f"toy/{number:04d}",
            "index": item // 2,
            "model": "toy",
            "image_original": image if there else {"bytes": None, "path": "/nowhere/a.jpg"},
            "image_distorted": image,
            "prompt_original": None,
            "prompt_distorted": self.config.prompt.format(item),
            "dimensions": ["clarity"] if item % 2 else ["clarity", "emotion"],
            "label": (1, 0, -1)[item % 3],
        }
        yield row | ({"polish_didp": item / 2} if self.config.score else {})

    def flags(self, row: Mapping[str, Any]) -> Iterator[str]:
        if row["index"] == 1:
            yield "worth a look"

    def facts(self, rows: Any) -> Mapping[str, Any]:
        return {
            "scenes": [],
            "n_scenes": 0,
            "effects": ["flat colour"],
            "wordings": [("1", 1)],
            "unlabelled": True,
        }


def picture(number: int, padding: int = 0) -> bytes:
    """A small JPEG, and bytes after its end that no decoder reads: large and quick to make."""
    return _colour(number % 7) + np.random.default_rng(number).bytes(padding)


@lru_cache
def _colour(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (SIZE, SIZE), (30 * number, 90, 200 - 20 * number)).save(buffer, "JPEG")
    return buffer.getvalue()


class Dying(Toy):
    """Kills its own process when it comes to an item."""

    dies_at: ClassVar[int] = -1

    def rows(self, item: int) -> Iterator[dict[str, Any]]:
        if item == self.dies_at:
            die()
        return super().rows(item)

    def fingerprint(self, items: Sequence[Any]) -> str:
        return f"toy {len(items)}"


def die(*_: object) -> None:
    """As the out-of-memory killer does it."""
    os.kill(os.getpid(), signal.SIGKILL)


def build_and_die(out: str, when: str) -> None:
    """Build, and die at an item ("5"), before a record ("record 1") or in the card ("card")."""
    word, _, number = when.partition(" ")
    if word == "card":
        build_module.write_card = die
    elif word == "record":
        original, left = build_module.RunDirectory.write_json, [int(number)]

        def write_json(run: Any, name: str, value: Any) -> Any:
            if name.startswith("parts/"):
                left[0] -= 1
                if left[0] < 0:
                    die()
            return original(run, name, value)

        build_module.RunDirectory.write_json = write_json
    else:
        Dying.dies_at = int(word)
    build([Dying(n=10)], Path(out), progress=False)


def peak_of_build(out: str, n: str, padding: str) -> None:
    """Build and print the peak of resident memory in bytes."""
    build([Toy(n=int(n), padding=int(padding))], Path(out), progress=False)
    scale = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale
    sys.stdout.write(str(peak))


main = command(Toy)

if __name__ == "__main__":
    wanted = globals()[sys.argv.pop(1)]
    wanted(*([] if wanted is main else sys.argv[1:]))
