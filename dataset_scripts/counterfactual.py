"""The counterfactual split, made here: nothing is downloaded.

    python dataset_scripts/counterfactual.py --dry-run DIR

or as a `datasets` builder:

    builder = Counterfactual()
    builder.download_and_prepare()
    pairs = builder.as_dataset(split="test")
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import datasets

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES, SIZE
from aas_bench.counterfactual.split import (
    DOSES,
    counterfactual_features,
    counterfactual_rows,
    encoded_rows,
    split_revision,
)
from aas_bench.publish.builder import BenchBuilder, BenchConfig, option
from aas_bench.publish.command import command
from aas_bench.tasks.catalog import TASKS

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class CounterfactualConfig(BenchConfig):
    """What the split is made of; see `counterfactual_rows`."""

    size: int = option(SIZE, "Longer side of the images in pixels, 320 to 512.")
    effects: tuple[str, ...] = option(tuple(EFFECTS), "Effect; repeat for several. Default: all.")
    scenes: tuple[str, ...] = option(tuple(SCENES), "Scene; repeat for several. Default: all.")
    doses: tuple[float, ...] = option(DOSES, "Dose in [0, 1]; repeat for several.")
    wordings: int | None = option(
        None, "Wordings of each request. Default: one, and all at dose 0.75."
    )


class Counterfactual(BenchBuilder):
    """Photographs beside themselves with one known effect at one known dose."""

    TASK = TASKS["counterfactual"]
    ITEMS_PER_SHARD = 54  # an item has eight pairs: some 130 MB
    BUILDER_CONFIG_CLASS = CounterfactualConfig
    BUILDER_CONFIGS: ClassVar = [
        CounterfactualConfig(name="pairs", version=datasets.Version("1.0.0"))
    ]
    DEFAULT_CONFIG_NAME = "pairs"
    DEFAULT_WRITER_BATCH_SIZE = 100

    def __init__(self, **options: Any) -> None:
        # The hash is part of the cache's path, so that changed code never reads an older split.
        super().__init__(**{"hash": split_revision(), **options})

    def _info(self) -> datasets.DatasetInfo:
        counterfactual_rows(**self.config.options())  # refuses wrong options before a file is made
        return self.described(counterfactual_features())

    def items(self) -> Sequence[tuple[str, str]]:
        """Scene and effect: their pairs share a photograph and a request."""
        chosen = self.config
        return [
            (scene, effect)
            for scene in chosen.scenes
            for effect in chosen.effects
            if scene not in EFFECTS[effect].excluded
        ]

    def rows(self, item: tuple[str, str]) -> Iterator[dict[str, Any]]:
        """All doses and wordings of one effect on one scene."""
        scene, effect = item
        options = self.config.options() | {"scenes": [scene], "effects": [effect]}
        return encoded_rows(options, split_revision())

    def facts(self, rows: pd.DataFrame) -> dict[str, Any]:
        """The photographs and their terms, the effects, and how they were asked for."""
        scenes = [SCENES[name] for name in rows["scene"].unique()]
        wordings = rows.groupby("dose")["wording"].nunique()
        return {
            "scenes": scenes,
            "n_scenes": len(scenes),
            "effects": [EFFECTS[name].dimension for name in rows["effect"].unique()],
            "wordings": [(f"{dose:g}", int(n)) for dose, n in wordings.items()],
            "unlabelled": bool((rows["label"] < 0).any()),
        }

    def fingerprint(self, items: Sequence[Any]) -> str:
        """Covers the code of the effects too."""
        return f"{super().fingerprint(items)} {split_revision()}"


main = command(Counterfactual)

if __name__ == "__main__":
    main()
