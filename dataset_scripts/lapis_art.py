"""LAPIS paintings with title-free captions, to be ranked among generators; from a local copy.

python dataset_scripts/lapis_art.py --captions art.jsonl --annotations LAPIS.csv --images DIR \
    --dry-run build/lapis_art

The paintings themselves are left out unless the maintainer says --with-images: their names and
hashes are published, and `load_pairs("lapis_art", images=FOLDER)` completes the table from a
reader's own copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import datasets
from datasets import Image, Value

from aas_bench.publish.builder import BadItem, BenchBuilder, BenchConfig, hashed_image, option
from aas_bench.publish.command import command
from aas_bench.sources.curation import SourceFault
from aas_bench.sources.lapis import Painting, Paintings, read_paintings
from aas_bench.tables.schema import DIDP, FILE_NAME, FILE_SHA256, score_column
from aas_bench.tables.user_images import ImageFolder
from aas_bench.tasks.catalog import TASKS

if TYPE_CHECKING:
    import pandas as pd

_CAPTION_FILES = ("art.jsonl", "captions.jsonl", "captions.csv", "captions.parquet")
_ANNOTATION_FILES = ("LAPIS.csv", "LAPIS.parquet", "annotations.csv")


@dataclass
class LapisConfig(BenchConfig):
    """Where the sources are."""

    source: Path | None = option(None, "Folder that holds all sources under their usual names.")
    captions: Path | None = option(None, "Table of captions and scores; else SOURCE/art.jsonl.")
    annotations: Path | None = option(
        None, "LAPIS's table of images or of ratings; else SOURCE/LAPIS.csv where it is."
    )
    images: Path | None = option(None, "Folder of the paintings; else SOURCE.")
    model: str = option("painting", "What stands in the column `model`.")
    reward: tuple[str, ...] = option(
        ("hpsv3",), "Reward model whose scores the captions' table has."
    )
    with_images: bool = option(
        False, "Publish the paintings too. You state that you may redistribute them."
    )

    def find(self, given: Path | None, *names: str) -> Path | None:
        """What was given, else the first of the usual names that is there."""
        if given is not None or self.source is None:
            return given
        return next((self.source / n for n in names if (self.source / n).exists()), None)


class LapisArt(BenchBuilder):
    """Paintings alone: what is to be seen on them, how people and reward models rate them."""

    TASK = TASKS["lapis_art"]
    BUILDER_CONFIG_CLASS = LapisConfig
    BUILDER_CONFIGS: ClassVar = [LapisConfig(name="paintings", version=datasets.Version("1.0.0"))]
    ITEMS_PER_SHARD = 1000

    def _info(self) -> datasets.DatasetInfo:
        text, number = Value("string"), Value("float64")
        features = {
            **({"image": Image()} if self.config.with_images else {}),
            "caption": text,
            "style": text,
            "genre": text,
            "human_score": number,
            "human_score_sd": number,
            "n_ratings": Value("int32"),
            **{score_column(reward, DIDP): number for reward in self.config.reward},
            "pair_id": text,
            "index": Value("int64"),
            "model": text,
            "artist": text,
            "title": text,
            "lapis_id": Value("int64"),
            FILE_NAME: text,
            FILE_SHA256: text,
            "width": Value("int32"),
            "height": Value("int32"),
        }
        return self.described(features)

    def facts(self, rows: pd.DataFrame) -> dict[str, Any]:
        """What the card must know: what is there, and how many paintings were not named."""
        cells = [name for name in rows if name.endswith(f"_{DIDP}") and rows[name].notna().any()]
        return {
            "with_images": self.config.with_images,
            "n_uncaptioned": self.book.n_uncaptioned,
            "rewards": [name.removesuffix(f"_{DIDP}") for name in cells],
            "rated": bool(rows["human_score"].notna().any()),
        }

    def origins(self) -> list[str]:
        """The files that were joined."""
        annotations = self.config.find(self.config.annotations, *_ANNOTATION_FILES)
        return [path.name for path in (self._captions, annotations) if path is not None]

    def unavailable(self) -> str | None:
        """Why there is nothing to build; None: there is."""
        if self._captions is None or self._images is None:
            return "there are no captions or no images; give --captions and --images, or --source."
        return None

    @property
    def _captions(self) -> Path | None:
        return self.config.find(self.config.captions, *_CAPTION_FILES)

    @property
    def _images(self) -> Path | None:
        return self.config.find(self.config.images, "images", ".")

    @cached_property
    def book(self) -> Paintings:
        """All sources, joined; no pixel is read."""
        assert self._captions is not None
        return read_paintings(
            self._captions,
            annotations=self.config.find(self.config.annotations, *_ANNOTATION_FILES),
            rewards=self.config.reward,
        )

    @cached_property
    def images(self) -> ImageFolder:
        """The paintings."""
        assert self._images is not None
        return ImageFolder(self._images)

    def items(self) -> Sequence[Painting | SourceFault]:
        """Every captioned painting, then what is wrong with the sources."""
        return [*self.book.paintings, *self.book.faults]

    def rows(self, item: Painting | SourceFault) -> Iterator[dict[str, Any]]:
        """One row; the painting is read to know that it can be, and its hash."""
        if isinstance(item, SourceFault):
            raise BadItem(item.where, item.reason)
        file = self._file(item)
        image, sha256 = hashed_image(file, item.file_name)
        scores = dict(item.scores)
        yield {
            **({"image": str(file)} if self.config.with_images else {}),
            "caption": item.caption,
            "style": item.style,
            "genre": item.genre,
            "human_score": item.human_score,
            "human_score_sd": item.human_score_sd,
            "n_ratings": item.n_ratings,
            **{n: scores.get(n) for r in self.config.reward for n in [score_column(r, DIDP)]},
            "pair_id": f"{self.config.model}/{item.file_name}",
            "index": item.index,
            "model": self.config.model,
            "artist": item.artist,
            "title": item.title,
            "lapis_id": item.lapis_id,
            FILE_NAME: item.file_name,
            FILE_SHA256: sha256,
            "width": image.width,
            "height": image.height,
        }

    def flags(self, row: Mapping[str, Any]) -> Iterator[str]:
        """Captions that say more than what is to be seen; paintings that LAPIS does not know."""
        painting = self._by_name[row[FILE_NAME]]
        yield from painting.doubts()
        if self.book.annotated and painting.lapis_id is None and painting.human_score is None:
            yield "the annotations do not know it, so it has no ratings"

    @cached_property
    def _by_name(self) -> Mapping[str, Painting]:
        return {painting.file_name: painting for painting in self.book.paintings}

    def _file(self, item: Painting) -> Path:
        files = self.images.candidates(item.file_name)
        if len(files) != 1:
            problem = f"{len(files)} files of that name" if files else "the painting is not there"
            raise BadItem(item.file_name, problem)
        return files[0]


main = command(LapisArt)

if __name__ == "__main__":
    main()
