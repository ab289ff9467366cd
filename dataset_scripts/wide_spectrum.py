"""Captions rewritten as wide-spectrum prompts, and what generators made of both.

python dataset_scripts/wide_spectrum.py --source captions_val2014.json --dry-run build/wide_spectrum
python dataset_scripts/wide_spectrum.py --source RUN/flux_dev --source RUN/sdxl --dry-run DIR

Every source says by itself what it is: COCO's captions and tables of prompts become `prompts`; runs
of this package and tables of image pairs become `pairs`.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

import datasets
from datasets import List, Value

from aas_bench.errors import InputError, SchemaError
from aas_bench.publish.builder import BadItem, BenchBuilder, BenchConfig, option
from aas_bench.publish.command import command
from aas_bench.publish.pair_builder import PairBuilder, PairConfig
from aas_bench.publish.pair_sources import PairSource, open_pairs_source, public_name
from aas_bench.rewriters.assign import assign_dimensions
from aas_bench.rewriters.base import MAX_WORDS, Rewriter, RewriteRequest, n_words
from aas_bench.rewriters.catalog import load_rewriter
from aas_bench.run.finished import is_run
from aas_bench.sources.coco import read_captions, sample_captions
from aas_bench.sources.prompt_lists import prompt_list
from aas_bench.tables import authors
from aas_bench.tables.images import is_image
from aas_bench.tables.open import open_rows
from aas_bench.tables.reader import cell, class_labels
from aas_bench.tables.schema import (
    DIMENSIONS,
    INDEX,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    published_feature,
)
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.taxonomy import DIMENSIONS as ASKED

if TYPE_CHECKING:
    import pandas as pd

Kind: TypeAlias = Literal["captions", "prompts", "pairs"]

TEMPLATE: Final = "template"
N_CAPTIONS: Final = 300
_HOW: Final = ("base_url", "cache", "timeout", "concurrency")

_PROMPTS: Final = {
    PROMPT_DISTORTED: Value("string"),
    PROMPT_ORIGINAL: Value("string"),
    DIMENSIONS: List(Value("string")),
    "n_words": Value("int32"),
    INDEX: Value("int64"),
    "coco_image_id": Value("int64"),
    "coco_caption_id": Value("int64"),
    "rewriter": Value("string"),
}


def kind_of(source: str) -> Kind:
    """What a source holds.

    Raises:
        InputError: It does not exist or cannot be read.
        BackendError: The Hub cannot be reached.
    """
    path = Path(source)
    if is_run(path):
        return "pairs"
    if path.suffix.lower() == ".json" and not _is_list(path):
        return "captions"
    if prompt_list(path) is not None:
        return "captions"
    features = open_rows(source)[0].data.features
    names = {*features, *authors.renames(features).values()}
    images = any(is_image(feature) for feature in features.values())
    texts = {PROMPT_ORIGINAL, PROMPT_DISTORTED} <= names
    named = {"image_original", "image_distorted"} & names
    return "prompts" if texts and not images and not named else "pairs"


def _is_list(file: Path) -> bool:
    """Whether a JSON file holds a list; one that cannot be read holds none."""
    try:
        return isinstance(json.loads(file.read_bytes()), list)
    except (OSError, ValueError):
        return False


@dataclass(frozen=True, kw_only=True)
class PromptItem:
    """One caption or one row of a table of prompts.

    Attributes:
        name: Where it stands.
        index: Its number in the dataset.
        caption: The original prompt.
        prompt: The wide-spectrum prompt; None: to be made.
        rewriter: Who made it, where it was made here.
        dimensions: What it asks for.
        coco: COCO's numbers of the image and of the caption, where known.
        extra: Further columns and their values.
        fault: Why no row can be made of it.
        again: Whether it is worth another try.
    """

    name: str
    index: int = -1
    caption: str = ""
    prompt: str | None = None
    rewriter: str | None = None
    dimensions: tuple[str, ...] = ()
    coco: tuple[int, int] | None = None
    extra: tuple[tuple[str, Any], ...] = ()
    fault: str | None = None
    again: bool = False


@dataclass
class PromptConfig(BenchConfig):
    """Where captions come from and who rewrites them."""

    source: tuple[str, ...] = option(
        (), "COCO's captions (JSON), a list of prompts, or a table of prompts."
    )
    captions: int = option(N_CAPTIONS, "How many captions or rows to take.")
    seed: int = option(0, "Chooses captions, dimensions and wordings.")
    rewriter: str = option(TEMPLATE, "template (no network) or endpoint (a language model).")
    model: str | None = option(None, "The endpoint's name for the language model.")
    base_url: str | None = option(None, "Address of the endpoint; else OPENAI_BASE_URL.")
    cache: Path | None = option(None, "Folder for prompts that an endpoint made.")
    timeout: float = option(120.0, "Seconds to wait for an answer of the endpoint.")
    concurrency: int = option(8, "Captions that an endpoint is asked for at once.")

    def options(self) -> dict[str, Any]:
        """What the prompts depend on: not where and how patiently an endpoint is asked."""
        return {name: value for name, value in super().options().items() if name not in _HOW}


class WideSpectrumPrompts(BenchBuilder):
    """A caption, 2 to 4 aesthetic dimensions, and one prompt that asks for all of it."""

    TASK = TASKS["wide_spectrum"]
    BUILDER_CONFIG_CLASS = PromptConfig
    BUILDER_CONFIGS: ClassVar = [PromptConfig(name="prompts", version=datasets.Version("1.0.0"))]
    ITEMS_PER_SHARD = 5000

    def unavailable(self) -> str | None:
        """Without a source of texts there are no prompts."""
        return None if self._texts else "no --source holds captions or prompts."

    def _info(self) -> datasets.DatasetInfo:
        extras = {
            name: feature
            for source, kind in self._texts.items()
            if kind == "prompts"
            for name, feature in _extras(source).items()
        }
        return self.described({**_PROMPTS, **extras})

    def origins(self) -> list[str]:
        """The sources of texts."""
        said = {"captions": "captions of COCO", "prompts": "a table of prompts"}
        return [f"{public_name(name)}, {said[kind]}" for name, kind in self._texts.items()]

    def facts(self, rows: pd.DataFrame) -> dict[str, Any]:
        """How many captions were drawn and rewritten here, by what, and how many were not."""
        drawn = int(rows["coco_caption_id"].notna().sum())
        return {
            "n_drawn": drawn,
            "n_taken": len(rows) - drawn,
            "seed": self.config.seed,
            "rewriters": [str(name) for name in rows["rewriter"].dropna().unique()],
        }

    @cached_property
    def _texts(self) -> dict[str, Kind]:
        """The sources of texts, and what they are."""
        kinds = {name: kind_of(name) for name in self.config.source}
        return {name: kind for name, kind in kinds.items() if kind != "pairs"}

    def items(self) -> Sequence[PromptItem]:
        """The captions of the sample with their dimensions, or the rows of the tables.

        Raises:
            InputError: A source cannot be read, or has fewer captions than are wanted.
        """
        if self.config.captions < 1:
            msg = f"--captions is {self.config.captions}. Give at least 1."
            raise InputError(msg)
        found: list[PromptItem] = []
        for source, kind in self._texts.items():
            read = _table_items if kind == "prompts" else self._caption_items
            found += list(read(source))[: self.config.captions]
        if len(self._texts) > 1:  # numbers of different sources would collide
            found = [replace(item, index=number) for number, item in enumerate(found)]
        return found

    def _caption_items(self, source: str) -> Iterator[PromptItem]:
        n, seed = self.config.captions, self.config.seed
        listed = prompt_list(Path(source))
        captions = read_captions(source) if listed is None else listed
        chosen = sample_captions(captions, n, seed=seed)
        dimensions = assign_dimensions(n, seed=seed)
        for index, (caption, asked) in enumerate(zip(chosen, dimensions, strict=True)):
            yield PromptItem(
                name=f"caption {caption.caption_id}",
                index=index,
                caption=caption.text,
                dimensions=asked,
                coco=(caption.image_id, caption.caption_id) if listed is None else None,
            )

    @cached_property
    def _rewriter(self) -> Rewriter:
        config = self.config
        if config.rewriter == TEMPLATE:
            return load_rewriter(TEMPLATE)
        return load_rewriter(
            config.rewriter,
            model=config.model,
            base_url=config.base_url,
            cache=config.cache,
            timeout=config.timeout,
            concurrency=config.concurrency,
        )

    def prepared(self, items: Sequence[PromptItem]) -> Generator[PromptItem, None, None]:
        """The items with their prompts; a prompt that could not be made is a fault."""
        requests = [
            RewriteRequest(caption=i.caption, dimensions=i.dimensions, seed=self.config.seed)
            for i in items
            if i.prompt is None and i.fault is None
        ]
        if not requests:
            yield from items
            return
        with closing(self._rewriter.rewrite_all(requests)) as made:
            for item in items:
                if item.prompt is not None or item.fault is not None:
                    yield item
                elif isinstance(outcome := next(made), str):
                    yield replace(item, prompt=outcome, rewriter=self._rewriter.describe())
                else:
                    yield replace(item, fault=str(outcome), again=outcome.retryable)

    def rows(self, item: PromptItem) -> Iterator[Mapping[str, Any]]:
        """One row; a prompt that the rewriter could not make is left out, never replaced."""
        if item.fault is not None:
            raise BadItem(item.name, item.fault, again=item.again)
        assert item.prompt is not None  # `prepared` leaves none without
        yield {
            **dict.fromkeys(self.info.features),
            PROMPT_DISTORTED: item.prompt,
            PROMPT_ORIGINAL: item.caption,
            DIMENSIONS: list(item.dimensions),
            "n_words": n_words(item.prompt),
            INDEX: item.index,
            "coco_image_id": item.coco[0] if item.coco else None,
            "coco_caption_id": item.coco[1] if item.coco else None,
            "rewriter": item.rewriter,
            **dict(item.extra),
        }

    def flags(self, row: Mapping[str, Any]) -> Iterator[str]:
        """A prompt over the limit, which text encoders may cut."""
        yield from _too_long(row)

    def key(self, row: Mapping[str, Any]) -> str:
        """The number of the prompt."""
        return str(row[INDEX])


def _extras(source: str) -> dict[str, Any]:
    """The columns of a table of prompts that have no other name here."""
    features = open_rows(source)[0].data.features
    ours = authors.renames(features)
    return {
        n: published_feature(n) or f for n, f in features.items() if ours.get(n, n) not in _PROMPTS
    }


def _table_items(source: str) -> Iterator[PromptItem]:
    """The rows of a table of prompts, then its broken lines."""
    opened, broken = open_rows(source)
    features, extras = opened.data.features, _extras(source)
    ours, classes = authors.renames(features), class_labels(features)
    for number, row in enumerate(opened.data):
        values = {ours.get(n, n): cell(value, classes.get(n)) for n, value in row.items()}
        name = f"{source} row {number}"
        try:
            yield _table_item(name, values, number, extras)
        except SchemaError as error:
            yield PromptItem(name=name, fault=str(error))
    for number, fault in broken.items():
        yield PromptItem(name=f"{source} line {number}", fault=fault)


def _table_item(
    name: str, values: Mapping[str, Any], number: int, extras: Mapping[str, Any]
) -> PromptItem:
    for column in (PROMPT_ORIGINAL, PROMPT_DISTORTED):
        if not isinstance(values[column], str) or not values[column].strip():
            msg = f"{column} is no text"
            raise SchemaError(msg)
    asked = tuple(authors.parse_dimensions(values.get(DIMENSIONS)))
    unknown = [dimension for dimension in asked if dimension not in ASKED]
    if unknown:
        msg = f"{unknown[0]!r} is not one of the dimensions {', '.join(ASKED)}"
        raise SchemaError(msg)
    index = values.get(INDEX)
    return PromptItem(
        name=name,
        index=number if index is None else int(index),
        caption=values[PROMPT_ORIGINAL],
        prompt=values[PROMPT_DISTORTED],
        dimensions=asked,
        extra=tuple((extra, values[extra]) for extra in extras),
    )


def _too_long(row: Mapping[str, Any]) -> Iterator[str]:
    length = n_words(row[PROMPT_DISTORTED])
    if length > MAX_WORDS:
        yield f"the prompt has {length} words; the most is {MAX_WORDS}"


@dataclass
class WideSpectrumConfig(PairConfig):
    """Where pairs come from."""

    prompts: str | None = option(None, "Table of the prompts of runs that were not scored.")


class WideSpectrumPairs(PairBuilder):
    """Two images of each generator: from the caption and from its wide-spectrum prompt."""

    TASK = TASKS["wide_spectrum"]
    BUILDER_CONFIG_CLASS = WideSpectrumConfig
    BUILDER_CONFIGS: ClassVar = [
        WideSpectrumConfig(name="pairs", version=datasets.Version("1.0.0"))
    ]
    DIMENSION_NAMES = tuple(ASKED)

    def source_names(self) -> Sequence[str]:
        """Those that hold no texts only."""
        return self._pair_sources

    @cached_property
    def _pair_sources(self) -> list[str]:
        return [name for name in self.config.source if kind_of(name) == "pairs"]

    def opened(self, name: str) -> PairSource:
        """One source; of a run that was not scored, the table of its prompts tells the rest."""
        return open_pairs_source(name, prompts=self.config.prompts, label=self.table_label)

    def flags(self, row: Mapping[str, Any]) -> Iterator[str]:
        """A prompt over the limit."""
        yield from _too_long(row)


main = command(WideSpectrumPairs, WideSpectrumPrompts)

if __name__ == "__main__":
    main()
