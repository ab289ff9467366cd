"""AVA photographs beside clean generations of the same content, from a local copy of AVA.

python dataset_scripts/ava_photos.py --source DIR --dry-run build/ava_photos

DIR holds what there is of: AVA.txt, images/, curation.json, captions/, pairs.jsonl, clean/; an
option names each of them elsewhere. The photographs themselves are left out unless the maintainer
says --with-images: their names and hashes are published, and `load_pairs(..., images=FOLDER)`
completes the table from a reader's own copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import datasets
from datasets import Image, List, Value

from aas_bench.errors import InputError
from aas_bench.publish.builder import BadItem, BenchBuilder, BenchConfig, hashed_image, option
from aas_bench.publish.command import command
from aas_bench.sources.clean_images import CleanImages, NoCleanImageError
from aas_bench.sources.curation import Commit, SourceFault
from aas_bench.sources.photographs import Photograph, Photographs, read_photographs
from aas_bench.tables.images import centre_square, open_image, pixels_sha256, png_bytes
from aas_bench.tables.schema import CROP_BOX, FILE_NAME, FILE_SHA256, Label
from aas_bench.tables.user_images import ImageFolder
from aas_bench.tasks.catalog import TASKS

if TYPE_CHECKING:
    import pandas as pd

_TEXTS: Final = List(Value("string"))
_CAPTION_FILES: Final = ("captions", "pairs.jsonl", "pairs.parquet")
_CURATION_FILES: Final = ("curation.json", "dataset.json")

_PHOTO: Final = {
    "prompt_distorted": Value("string"),
    "prompt_original": Value("string"),
    "dimensions": _TEXTS,
    "category": Value("string"),
    "human_score": Value("float64"),
    "human_score_sd": Value("float64"),
    "n_ratings": Value("int32"),
    "index": Value("int64"),
    "ava_id": Value("int64"),
    FILE_NAME: Value("string"),
    FILE_SHA256: Value("string"),
    CROP_BOX: List(Value("int32")),
    "image_sha256": Value("string"),
    "objective_caption": Value("string"),
    "prompt_original_source": Value("string"),
    "votes": List(Value("int32")),
    "ava_tags": List(Value("int32")),
    "ava_challenge": Value("int32"),
    "commits": _TEXTS,
    "queries": _TEXTS,
    "messages": _TEXTS,
}
"""What both tables of photographs say."""


@dataclass
class AvaConfig(BenchConfig):
    """Where the sources are."""

    source: Path | None = option(None, "Folder that holds all sources under their usual names.")
    ava: Path | None = option(None, "AVA.txt; else SOURCE/AVA.txt where it is.")
    images: Path | None = option(None, "Folder of AVA's photographs; else SOURCE/images or SOURCE.")
    curation: Path | None = option(None, "Curation file or table; else SOURCE/curation.json.")
    captions: tuple[Path, ...] = option(
        (), "Folder of caption files, or a table; else SOURCE/captions and SOURCE/pairs.jsonl."
    )
    clean: Path | None = option(
        None, "Run directory of a generator, or folder of <id>_clean images; else SOURCE/clean."
    )
    model: str | None = option(None, "What made the clean images; else what the run or table says.")
    reward: tuple[str, ...] = option(("hpsv3",), "Reward model whose scores the sources hold.")
    with_images: bool = option(
        False, "Publish the photographs too. You state that you may redistribute them."
    )

    def find(self, given: Path | None, *names: str) -> Path | None:
        """What was given, else the first of the usual names that is there."""
        if given is not None or self.source is None:
            return given
        return next((self.source / n for n in names if (self.source / n).exists()), None)


class _Ava(BenchBuilder):
    """What the configurations share."""

    TASK = TASKS["ava_photos"]
    BUILDER_CONFIG_CLASS = AvaConfig

    @cached_property
    def book(self) -> Photographs:
        """All sources, joined; no pixel is read."""
        options = self.config
        return read_photographs(
            curation=options.find(options.curation, *_CURATION_FILES),
            captions=self._caption_files,
            votes=options.find(options.ava, "AVA.txt"),
        )

    @cached_property
    def images(self) -> ImageFolder | None:
        """The photographs; None where their folder is not named."""
        folder = self.config.find(self.config.images, "images", ".")
        return None if folder is None else ImageFolder(folder)

    @cached_property
    def by_id(self) -> Mapping[int, Photograph]:
        """The photographs by their number in AVA."""
        return {photo.ava_id: photo for photo in self.book.photographs}

    def facts(self, rows: pd.DataFrame) -> dict[str, Any]:
        """What the card must know: which of the sources were at hand."""
        return {"with_images": self.config.with_images, "rated": self.book.rated}

    def origins(self) -> list[str]:
        """The files that were joined."""
        options = self.config
        found = (
            options.find(options.curation, *_CURATION_FILES),
            *self._caption_files,
            options.find(options.ava, "AVA.txt"),
        )
        return [path.name for path in found if path is not None]

    @property
    def _caption_files(self) -> Sequence[Path]:
        return self.config.captions or [
            path for name in _CAPTION_FILES if (path := self.config.find(None, name)) is not None
        ]

    def flags(self, row: Mapping[str, Any]) -> Iterator[str]:
        """Leaked words, sources at odds, photographs that AVA.txt lacks."""
        photo = self.by_id[row["ava_id"]]
        yield from photo.doubts()
        if self.book.rated and photo.votes is None:
            yield "stands on no line of AVA.txt, so it has no votes"

    def _photo_row(self, photo: Photograph, pixels: Mapping[str, Any]) -> dict[str, Any]:
        if photo.unknown_elements:
            reason = f"unknown element {', '.join(photo.unknown_elements)}"
            raise BadItem(photo.file_name, reason)
        votes, curated = photo.votes, photo.curated
        return {
            "prompt_distorted": photo.anti_aesthetic,
            "prompt_original": photo.clean,
            "dimensions": photo.elements,
            "category": photo.category,
            "human_score": photo.human_score,
            "human_score_sd": votes.sd if votes else None,
            "n_ratings": votes.n if votes else None,
            "index": photo.index,
            "ava_id": photo.ava_id,
            FILE_NAME: photo.file_name,
            "objective_caption": photo.objective,
            "prompt_original_source": photo.clean_source,
            "votes": list(votes.counts) if votes else [],
            "ava_tags": list(votes.tags) if votes else [],
            "ava_challenge": votes.challenge if votes else None,
            "commits": list(curated.commits) if curated else [],
            "queries": list(curated.queries) if curated else [],
            "messages": list(curated.messages) if curated else [],
            **pixels,
        }

    def _pixels(self, photo: Photograph, column: str) -> dict[str, Any]:
        """Hash, crop and hash of the crop; the crop itself only where that is allowed."""
        file = self._file(photo)
        image, sha256 = hashed_image(file, photo.file_name)
        box = centre_square(*image.size)
        square = image.crop(box)
        found: dict[str, Any] = {
            FILE_SHA256: sha256,
            CROP_BOX: list(box),
            "image_sha256": pixels_sha256(square),
        }
        if self.config.with_images:
            found[column] = {"bytes": png_bytes(square), "path": None}
        return found

    def _file(self, photo: Photograph) -> Path:
        images = self.images
        names = [c.image for c in photo.captions if c.image] + [photo.file_name]
        for name in names:
            files = images.candidates(name) if images else []
            if len(files) > 1:
                reason = f"{len(files)} files of that name in {images.path if images else ''}"
                raise BadItem(photo.file_name, reason)
            if files:
                return files[0]
        raise BadItem(photo.file_name, "the photograph is not there")


class AvaPairs(_Ava):
    """Photographs beside clean generations of their content, under both captions."""

    BUILDER_CONFIGS: ClassVar = [AvaConfig(name="pairs", version=datasets.Version("1.0.0"))]
    ITEMS_PER_SHARD = 200

    @cached_property
    def clean(self) -> CleanImages | None:
        """The clean images; None where there are none."""
        folder = self.config.find(self.config.clean, "clean", ".")
        return None if folder is None else CleanImages(folder, model=self.config.model)

    def facts(self, rows: pd.DataFrame) -> dict[str, Any]:
        """Also who drew the clean images, from which captions, and who scored the pairs."""
        cells = [name for name in rows if name.endswith("_didp") and rows[name].notna().any()]
        return super().facts(rows) | {
            "rewards": [name.removesuffix("_didp") for name in cells],
            "models": [str(name) for name in rows["model"].unique()],
            "from_objective": bool((rows["prompt_original_source"] == "objective_caption").any()),
        }

    def unavailable(self) -> str | None:
        """Why there are no pairs; None: there are."""
        if self.clean is None:
            return "there are no clean images; give --clean, or --source with a folder clean/."
        return None

    def _info(self) -> datasets.DatasetInfo:
        cells = [f"{reward}_{cell}" for reward in self.config.reward for cell in ("oidp", "didp")]
        images = ["image_distorted"] if self.config.with_images else []
        return self.described(
            {
                **dict.fromkeys([*images, "image_original"], Image()),
                **_PHOTO,
                **dict.fromkeys(cells, Value("float64")),
                "pair_id": Value("string"),
                "model": Value("string"),
                "label": Value("int8"),
            }
        )

    def items(self) -> Sequence[Photograph | SourceFault]:
        """Every photograph that a clean image was made for; then what is wrong with the sources."""
        assert self.clean is not None
        pairs = [
            photo
            for photo in self.book.photographs
            if photo.anti_aesthetic and photo.clean and self.clean.meant_for(photo)
        ]
        extra = {name for photo in pairs for name in photo.scores} - set(self.info.features)
        if extra:
            rewards = ", ".join(sorted({name.rpartition("_")[0] for name in extra}))
            msg = f"the sources also hold scores of {rewards}. Name every one with --reward."
            raise InputError(msg)
        return [*pairs, *self.book.faults]

    def rows(self, item: Photograph | SourceFault) -> Iterator[dict[str, Any]]:
        """The pair of one photograph."""
        if isinstance(item, SourceFault):
            raise BadItem(item.where, item.reason)
        assert self.clean is not None
        try:
            made = self.clean.find(item)
            open_image(made.path, name=made.path.name)
        except (NoCleanImageError, InputError) as error:
            raise BadItem(item.file_name, str(error)) from error
        cells = {n: item.scores.get(n) for n in self.info.features if n.endswith(("idp", "didp"))}
        yield {
            **self._photo_row(item, self._pixels(item, "image_distorted")),
            **cells,
            "image_original": str(made.path),
            "pair_id": f"{made.model}/{item.ava_id}",
            "model": made.model,
            "label": int(Label.DISTORTED),
        }


class AvaPhotos(_Ava):
    """Every curated photograph: how it was found, what it shows, how it was rated."""

    BUILDER_CONFIGS: ClassVar = [AvaConfig(name="photos", version=datasets.Version("1.0.0"))]
    ITEMS_PER_SHARD = 5000

    def _info(self) -> datasets.DatasetInfo:
        image = {"image": Image()} if self.config.with_images else {}
        return self.described({**image, **_PHOTO, "sources": _TEXTS, "annotations_json": _TEXTS})

    def items(self) -> Sequence[Photograph | SourceFault]:
        """Every photograph; then what is wrong with the sources."""
        return [*self.book.photographs, *self.book.faults]

    def rows(self, item: Photograph | SourceFault) -> Iterator[dict[str, Any]]:
        """One photograph, with the hash of its file where that is at hand."""
        if isinstance(item, SourceFault):
            raise BadItem(item.where, item.reason)
        unseen = {FILE_SHA256: None, CROP_BOX: None, "image_sha256": None}
        pixels = self._pixels(item, "image") if self._must_be_there(item) else unseen
        curated = item.curated
        yield {
            **self._photo_row(item, pixels),
            "sources": list(curated.sources) if curated else [],
            "annotations_json": list(curated.annotations) if curated else [],
        }

    def key(self, row: Mapping[str, Any]) -> str:
        """The photograph's number in AVA."""
        return str(row["ava_id"])

    def _must_be_there(self, photo: Photograph) -> bool:
        """Whether the photograph is expected: without a folder of photographs only if it is."""
        folder = self.config.find(self.config.images, "images")
        named = any(caption.image for caption in photo.captions)
        return folder is not None or named or self.config.with_images


class AvaCommits(_Ava):
    """The searches by which the photographs were found."""

    BUILDER_CONFIGS: ClassVar = [AvaConfig(name="commits", version=datasets.Version("1.0.0"))]

    def unavailable(self) -> str | None:
        """Why the commits are not known; None: they are."""
        given = self.config.find(self.config.curation, *_CURATION_FILES)
        if given is None or not self.book.commits:
            return "the curation does not tell its commits apart; give a curation.json."
        return None

    def _info(self) -> datasets.DatasetInfo:
        return self.described(
            {
                "commit": Value("string"),
                "query": Value("string"),
                "message": Value("string"),
                "n_images": Value("int32"),
                "source": Value("string"),
                "threshold": Value("float64"),
                "negative_prompts": _TEXTS,
                "negative_threshold": Value("float64"),
            }
        )

    def items(self) -> Sequence[Commit]:
        """The commits in order."""
        return self.book.commits

    def rows(self, item: Commit) -> Iterator[dict[str, Any]]:
        """One search."""
        yield {
            "commit": item.key,
            "query": item.query,
            "message": item.message,
            "n_images": len(item.images),
            "source": item.source,
            "threshold": item.threshold,
            "negative_prompts": list(item.negative_prompts),
            "negative_threshold": item.negative_threshold,
        }

    def key(self, row: Mapping[str, Any]) -> str:
        """The commit's name."""
        return str(row["commit"])

    def flags(self, row: Mapping[str, Any]) -> Iterator[str]:
        """None: a search is as it was."""
        yield from ()


main = command(AvaPairs, AvaPhotos, AvaCommits)

if __name__ == "__main__":
    main()
