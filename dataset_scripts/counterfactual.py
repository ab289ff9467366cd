"""The counterfactual split as a `datasets` builder, run here: nothing is downloaded.

from counterfactual import Counterfactual

builder = Counterfactual()
builder.download_and_prepare()
pairs = builder.as_dataset(split="test")
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import datasets

from aas_bench.counterfactual.build import (
    DOSES,
    counterfactual_features,
    counterfactual_rows,
    encoded_rows,
    split_revision,
)
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES, SIZE
from aas_bench.data.tasks import TASKS

TASK = TASKS["counterfactual"]


@dataclass
class CounterfactualConfig(datasets.BuilderConfig):
    """What the split is made of; see `counterfactual_rows`.

    Attributes:
        size: Longer side of the images in pixels.
        effects: Names of effects.
        scenes: Names of scenes.
        doses: In [0, 1].
        wordings: Wordings of each request at every dose; None: one, and all at dose 0.75.
    """

    size: int = SIZE
    effects: tuple[str, ...] = tuple(EFFECTS)
    scenes: tuple[str, ...] = tuple(SCENES)
    doses: tuple[float, ...] = DOSES
    wordings: int | None = None

    def options(self) -> dict[str, Any]:
        """The arguments of `counterfactual_rows`."""
        names = ("size", "effects", "scenes", "doses", "wordings")
        return {name: getattr(self, name) for name in names}


class Counterfactual(datasets.GeneratorBasedBuilder):
    """Photographs beside themselves with one known effect at one known dose."""

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
        return datasets.DatasetInfo(
            description=self.__doc__,
            features=counterfactual_features(),
            homepage=f"https://huggingface.co/datasets/{TASK.hub_id}",
            license=TASK.licence,
        )

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        return [datasets.SplitGenerator(name=datasets.Split.TEST)]

    def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for row in encoded_rows(self.config.options(), split_revision()):
            yield row["pair_id"], row
