"""Faces with four emotions under prompts that say which, and the three pairs of each four.

python dataset_scripts/emotion_bias.py --dry-run DIR
python dataset_scripts/emotion_bias.py --source faces.parquet --dry-run DIR
python dataset_scripts/emotion_bias.py --source RUN/flux_dev --dry-run DIR

A source is a table in the authors' form (four faces and a prompt with an `[emotion]` slot), a
folder with such a `metadata.jsonl`, or a run made from the configuration `prompts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

import datasets
from datasets import Features, Image, List, Value

from aas_bench.errors import AasBenchError, SchemaError
from aas_bench.publish.builder import BadItem, BenchBuilder, BenchConfig, option
from aas_bench.publish.command import command
from aas_bench.publish.face_sources import FACES, Row, RunFaces, TableFaces, open_faces
from aas_bench.publish.pair_builder import (
    PairBuilder,
    PairConfig,
    PairItem,
    clean_features,
    clean_row,
)
from aas_bench.publish.pair_sources import PairSource
from aas_bench.sources.own_prompts import NEGATIVE, EmotionPrompt, emotion_prompts
from aas_bench.tables.forms import EMOTION_SLOT
from aas_bench.tables.schema import (
    DIMENSIONS,
    INDEX,
    MODEL,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    pair_name,
)
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.taxonomy import EMOTIONS, HAPPY

TEMPLATE: Final = "template"


class EmotionPrompts(BenchBuilder):
    """Thirty portraits, each under its happy prompt and one of three others."""

    TASK = TASKS["emotion_bias"]
    BUILDER_CONFIGS: ClassVar = [BenchConfig(name="prompts", version=datasets.Version("1.0.0"))]
    ITEMS_PER_SHARD = 5000

    def _info(self) -> datasets.DatasetInfo:
        features = {
            PROMPT_DISTORTED: Value("string"),
            PROMPT_ORIGINAL: Value("string"),
            "emotion": Value("string"),
            DIMENSIONS: List(Value("string")),
            TEMPLATE: Value("string"),
            "template_index": Value("int64"),
            INDEX: Value("int64"),
        }
        return self.described(features)

    def items(self) -> Sequence[EmotionPrompt]:
        """The portraits."""
        return emotion_prompts()

    def rows(self, item: EmotionPrompt) -> Iterator[Mapping[str, Any]]:
        """Three rows: what a run is asked to make the pairs of one portrait."""
        for place, emotion in enumerate(NEGATIVE):
            yield {
                PROMPT_DISTORTED: item.filled(emotion),
                PROMPT_ORIGINAL: item.filled(HAPPY),
                "emotion": emotion,
                DIMENSIONS: [emotion],
                TEMPLATE: item.template,
                "template_index": item.index,
                INDEX: item.index * len(NEGATIVE) + place,
            }

    def key(self, row: Mapping[str, Any]) -> str:
        """The number of the row."""
        return str(row[INDEX])


@dataclass
class FaceConfig(BenchConfig):
    """Where faces come from."""

    source: tuple[str, ...] = option(
        (), "A table of faces, its folder, a Hub id or a run; repeat for several."
    )


class EmotionFaces(BenchBuilder):
    """Four faces of one portrait: happy, sad, angry and fearful."""

    TASK = TASKS["emotion_bias"]
    BUILDER_CONFIG_CLASS = FaceConfig
    BUILDER_CONFIGS: ClassVar = [FaceConfig(name="faces", version=datasets.Version("1.0.0"))]
    ITEMS_PER_SHARD = 50

    @cached_property
    def _sources(self) -> list[TableFaces | RunFaces]:
        return [open_faces(name) for name in self.config.source]

    def unavailable(self) -> str | None:
        """Without sources there are no faces."""
        return None if self.config.source else "give --source, a table of faces or a run."

    def origins(self) -> list[str]:
        """The sources."""
        return [source.about for source in self._sources]

    def _info(self) -> datasets.DatasetInfo:
        types: Row = {FACES[emotion]: Image() for emotion in EMOTIONS}
        types |= {"prompt": Value("string"), MODEL: Value("string"), INDEX: Value("int64")}
        for source in self._sources:
            types |= clean_features(source.face_features)
        return datasets.DatasetInfo(
            description=self.__doc__, features=Features(types), license=self.TASK.licence
        )

    def items(self) -> list[PairItem]:
        """Every row of the tables and every portrait of the runs."""
        return [
            PairItem(source=number, name=name, digest=digest)
            for number, source in enumerate(self._sources)
            for digest in [source.fingerprint()]
            for name in source.items()
        ]

    def rows(self, item: PairItem) -> Iterator[Row]:
        """The faces of one item, if all four are there."""
        source = self._sources[item.source]
        try:
            faces = source.faces(item.name)
            if EMOTION_SLOT not in faces["prompt"]:
                msg = f"the prompt has no {EMOTION_SLOT} slot"
                raise SchemaError(msg)
        except AasBenchError as error:
            raise BadItem(f"{source.name} {item.name}", " ".join(str(error).split())) from error
        yield dict.fromkeys(self.info.features) | clean_row(faces)

    def key(self, row: Mapping[str, Any]) -> str:
        """Generator and portrait."""
        return pair_name(row[MODEL], row[INDEX])


class EmotionPairs(PairBuilder):
    """Each other face beside the happy one, under the prompt that asks for the other."""

    TASK = TASKS["emotion_bias"]
    BUILDER_CONFIGS: ClassVar = [PairConfig(name="pairs", version=datasets.Version("1.0.0"))]
    DIMENSION_NAMES = tuple(EMOTIONS)

    def opened(self, name: str) -> PairSource:
        """Four faces, or a run."""
        return open_faces(name)


main = command(EmotionPairs, EmotionFaces, EmotionPrompts)

if __name__ == "__main__":
    main()
