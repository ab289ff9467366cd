"""Critical prompts on five topics, and what a less and a more aligned generator made of them.

python dataset_scripts/critical_comparison.py --dry-run DIR
python dataset_scripts/critical_comparison.py --dry-run DIR \
    --less-aligned RUN/flux_krea --aligned RUN/dance_flux
python dataset_scripts/critical_comparison.py --source pairs.jsonl --dry-run DIR

The prompts are ours. Runs are made from the configuration `prompts`; a run is searched for the
prompts' words, so that it may hold others too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

import datasets
from datasets import Features, List, Value

from aas_bench.errors import InputError
from aas_bench.publish.builder import BenchBuilder, BenchConfig, option
from aas_bench.publish.command import command
from aas_bench.publish.pair_builder import PairBuilder, PairConfig
from aas_bench.publish.pair_sources import PairSource, check_images
from aas_bench.rewriters.base import n_words
from aas_bench.run.finished import FinishedRun
from aas_bench.sources.own_prompts import CriticalPrompt, critical_prompts
from aas_bench.tables.authors import is_cell
from aas_bench.tables.schema import (
    DIDP,
    DIMENSIONS,
    IMAGE_COLUMNS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    INDEX,
    LABEL,
    LABEL_SOURCE,
    MODEL,
    OIDP,
    OIOP,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    Label,
    pair_features,
    pair_name,
    score_column,
)
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.taxonomy import AUTHORS_TOPICS, TOPICS

if TYPE_CHECKING:
    import pandas as pd

TOPIC: Final = "topic"


class CriticalPrompts(BenchBuilder):
    """One hundred critical prompts, each beside a caption of the bare scene."""

    TASK = TASKS["critical_comparison"]
    BUILDER_CONFIGS: ClassVar = [BenchConfig(name="prompts", version=datasets.Version("1.0.0"))]
    ITEMS_PER_SHARD = 5000

    def _info(self) -> datasets.DatasetInfo:
        features = {
            PROMPT_DISTORTED: Value("string"),
            PROMPT_ORIGINAL: Value("string"),
            TOPIC: Value("string"),
            DIMENSIONS: List(Value("string")),
            "n_words": Value("int32"),
            INDEX: Value("int64"),
        }
        return self.described(features)

    def facts(self, rows: pd.DataFrame) -> dict[str, Any]:
        """The topics."""
        return {"topics": _topics(rows)}

    def items(self) -> Sequence[CriticalPrompt]:
        """The prompts, topic after topic."""
        return critical_prompts()

    def rows(self, item: CriticalPrompt) -> Iterator[Mapping[str, Any]]:
        """One row."""
        yield {
            PROMPT_DISTORTED: item.prompt,
            PROMPT_ORIGINAL: item.caption,
            TOPIC: item.topic,
            DIMENSIONS: [item.topic],
            "n_words": n_words(item.prompt),
            INDEX: item.index,
        }

    def key(self, row: Mapping[str, Any]) -> str:
        """The number of the prompt."""
        return str(row[INDEX])


class ComparedRuns:
    """The images that two generators made of each critical prompt.

    Args:
        free: The run of the less aligned generator: I_a.
        aligned: The run of the aligned one: I_o.
    """

    def __init__(self, free: FinishedRun, aligned: FinishedRun) -> None:
        self.free, self.aligned = free, aligned
        self.name = f"{free.id} against {aligned.id}"

    @property
    def rewards(self) -> list[str]:
        """The reward models that scored both runs."""
        own = [
            {name.rpartition("_")[0]: None for name in run.score_columns if is_cell(name)}
            for run in (self.free, self.aligned)
        ]
        return [name for name in own[0] if name in own[1]]

    @property
    def features(self) -> Features:
        """The pair columns, the topic, and two scores of each reward model."""
        scores = {
            score_column(reward, part): Value("float64")
            for reward in self.rewards
            for part in (OIDP, DIDP)
        }
        more = {LABEL_SOURCE: Value("string"), TOPIC: Value("string")}
        return Features({**pair_features(), **more, **scores})

    @property
    def about(self) -> str:
        """The two generators."""
        return f"runs of the generators {self.free.name} and {self.aligned.name}"

    def items(self) -> list[str]:
        """The prompts that one of the runs, at least, was asked for."""
        places = {*self.free.places, *self.aligned.places}
        return [f"prompt {each.index}" for each in critical_prompts() if each.prompt in places]

    def pairs(self, item: str) -> list[dict[str, Any]]:
        """The pair of one prompt, if both generators made an image of it."""
        asked = critical_prompts()[int(item.split()[1])]
        model = f"{self.free.id}-against-{self.aligned.id}"
        pair: dict[str, Any] = {
            PAIR_ID: pair_name(model, asked.index),
            INDEX: asked.index,
            MODEL: model,
            PROMPT_ORIGINAL: None,
            PROMPT_DISTORTED: asked.prompt,
            DIMENSIONS: [asked.topic],
            TOPIC: asked.topic,
            LABEL: int(Label.TIE),
            LABEL_SOURCE: "none",
        }
        for run, image, part in (
            (self.free, IMAGE_DISTORTED, DIDP),
            (self.aligned, IMAGE_ORIGINAL, OIDP),
        ):
            index, variant = run.find(asked.prompt)
            pair[image] = {"bytes": None, "path": str(run.made(index, variant)[1])}
            own = DIDP if variant == "distorted" else OIOP
            scored = run.scores.get(run.pair_id(index), {})
            for reward in self.rewards:
                pair[score_column(reward, part)] = scored.get(score_column(reward, own))
        check_images(pair, IMAGE_COLUMNS)
        return [pair]

    def fingerprint(self) -> str:
        """Over both runs."""
        both = self.free.fingerprint() + self.aligned.fingerprint()
        return hashlib.sha256(both.encode()).hexdigest()


@dataclass
class CriticalConfig(PairConfig):
    """Where pairs come from."""

    source: tuple[str, ...] = option((), "A table of pairs, or the authors' two-column form.")
    less_aligned: tuple[str, ...] = option((), "Run of a less aligned generator; makes I_a.")
    aligned: tuple[str, ...] = option((), "Run of the aligned generator beside it; makes I_o.")


class CriticalPairs(PairBuilder):
    """Each critical prompt by two generators; the label is a judge's or unknown."""

    TASK = TASKS["critical_comparison"]
    BUILDER_CONFIG_CLASS = CriticalConfig
    BUILDER_CONFIGS: ClassVar = [CriticalConfig(name="pairs", version=datasets.Version("1.0.0"))]
    DIMENSION_NAMES = tuple(TOPICS)

    @cached_property
    def sources(self) -> list[PairSource]:
        """The tables, then the runs two by two.

        Raises:
            InputError: The runs are not as many on either side, or one of them is none.
        """
        free, aligned = self.config.less_aligned, self.config.aligned
        if len(free) != len(aligned):
            msg = (
                f"{len(free)} times --less-aligned and {len(aligned)} times --aligned. "
                "Give them in pairs."
            )
            raise InputError(msg)
        runs = [
            ComparedRuns(FinishedRun(a), FinishedRun(b)) for a, b in zip(free, aligned, strict=True)
        ]
        return [*super().sources, *runs]

    def unavailable(self) -> str | None:
        """Without tables and runs there are no pairs."""
        if self.config.source or self.config.less_aligned or self.config.aligned:
            return None
        return "give --source, or --less-aligned and --aligned."

    def facts(self, rows: pd.DataFrame) -> dict[str, Any]:
        """Also the topics."""
        return {**super().facts(rows), "topics": _topics(rows)}

    def columns(self, source: PairSource) -> dict[str, Any]:
        """The topic is also a column of its own, by which the viewer can filter."""
        return {**source.features, TOPIC: Value("string")}

    def finished(self, pair: dict[str, Any]) -> dict[str, Any]:
        """The pair with its topic, under our name."""
        asked = [AUTHORS_TOPICS.get(name, name) for name in pair[DIMENSIONS]]
        return {**pair, DIMENSIONS: asked, TOPIC: asked[0] if len(asked) == 1 else None}


def _topics(rows: pd.DataFrame) -> list[str]:
    return [str(name) for name in rows[TOPIC].dropna().unique()]


main = command(CriticalPairs, CriticalPrompts)

if __name__ == "__main__":
    main()
