"""Public preference sets as tables of pairs: two images under one prompt, and which people chose.

They are the control of the benchmark: what a reward model is good at. Neither image was asked to
be unpretty, so of a pair the first as it is given is `image_original`, the other `image_distorted`,
the one prompt is `prompt_distorted`, and there is no original prompt. The label says as always
which of the two fits better; what people called equal is a tie (-1).

Pairs of one prompt share an `index`, the cluster of their intervals.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, count, repeat
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Final

from aas_bench.errors import InputError, SchemaError
from aas_bench.tables import authors
from aas_bench.tables.schema import (
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    INDEX,
    LABEL,
    PAIR_ID,
    PROMPT_DISTORTED,
    Label,
    pair_features,
)

PROMPTS: Final = ("prompt", "caption", "text")


@dataclass(frozen=True, kw_only=True)
class TwoImages:
    """A set with two columns of images.

    Attributes:
        name: What pairs are called after.
        images: I_o and I_a.
        votes: The columns of how many, or which share, chose each, or the one that says which;
            empty where I_a was chosen.
    """

    name: str
    images: tuple[str, str]
    votes: tuple[str, ...] = ()

    def matches(self, features: Mapping[str, Any]) -> bool:
        """Whether a table is of this form."""
        return {*self.images, *self.votes} <= {*features}

    def sources(self) -> dict[str, tuple[str, ...]]:
        """Our column -> the columns that it is made of, the prompt's aside."""
        original, distorted = self.images
        label = {LABEL: self.votes or self.images}
        return {IMAGE_ORIGINAL: (original,), IMAGE_DISTORTED: (distorted,), **label}


@dataclass(frozen=True, kw_only=True)
class RankedImages:
    """A set with several images to a prompt, each with a rank or a vote.

    Attributes:
        name: What pairs are called after.
        images: The column of images: a list in each row, or one image in each.
        rank: The column of their ranks, likewise.
        best: Whether the "lowest" rank is the best, or the "highest" vote.
        group: Where a row is one image: the column that rows of one prompt share.
    """

    name: str
    images: str
    rank: str
    best: str = "lowest"
    group: str | None = None

    def matches(self, features: Mapping[str, Any]) -> bool:
        """Whether a table is of this form."""
        columns = {self.images, self.rank, *([self.group] if self.group else [])}
        is_list = hasattr(features.get(self.images), "feature")
        return columns <= {*features} and is_list == (self.group is None)

    def sources(self) -> dict[str, tuple[str, ...]]:
        """Our column -> the columns that it is made of, the prompt's aside."""
        images = (self.images, *([self.group] if self.group else []))
        return {IMAGE_ORIGINAL: images, IMAGE_DISTORTED: images, LABEL: (self.rank,)}


PreferenceForm = TwoImages | RankedImages

FORMS: Final[tuple[PreferenceForm, ...]] = (
    *(
        TwoImages(name="pick-a-pic", images=images, votes=("label_0", "label_1"))
        for images in (("image_0", "image_1"), ("jpg_0", "jpg_1"))
    ),
    TwoImages(name="genai-bench", images=("left_image", "right_image"), votes=("vote_type",)),
    TwoImages(name="hpd-v3", images=("path2", "path1"), votes=()),
    *(
        RankedImages(name="hpd-v2", images=images, rank="human_preference", best="highest")
        for images in ("file_path", "image_path")
    ),
    RankedImages(name="hpd-v2", images="image_path", rank="rank"),
    RankedImages(name="image-reward", images="generations", rank="ranking"),
    RankedImages(name="image-reward-db", images="image", rank="rank"),
    *(
        RankedImages(name="image-reward-db", images=images, rank="rank", group="prompt_id")
        for images in ("image", "image_path")
    ),
    *(
        TwoImages(name="preference", images=images)
        for images in (
            ("rejected", "chosen"),
            ("rejected_image", "chosen_image"),
            ("image_rejected", "image_chosen"),
            ("img_worse", "img_better"),
        )
    ),
)
"""In the order in which they are tried.

Ranks are places: 1 is better than 2. Of HPD v3 `path1` is the image that most chose.
"""

_CHOICES: Final = MappingProxyType(
    {
        "leftvote": Label.ORIGINAL,
        "rightvote": Label.DISTORTED,
        "tievote": Label.TIE,
        "bothbad_vote": Label.TIE,
    }
)
"""The words in which GenAI-Bench says which image was chosen."""


def preference_form(features: Mapping[str, Any]) -> tuple[PreferenceForm, str] | None:
    """The form of a preference set and its column of prompts; None of any other table."""
    prompt = next((p for p in PROMPTS if p in features), None)
    form = next((f for f in FORMS if f.matches(features)), None)
    return None if prompt is None or form is None else (form, prompt)


def sources(form: PreferenceForm, prompt: str) -> dict[str, tuple[str, ...]]:
    """Column of the pairs of `as_pairs` -> the columns of the set that it is made of."""
    made = {PAIR_ID: (), INDEX: (prompt,), PROMPT_DISTORTED: (prompt,)}
    return {**form.sources(), **made}


def as_pairs(data: Any, name: str, folder: Path | None) -> Any:
    """A preference set as a table of pairs; any other table as it is.

    Args:
        data: A Dataset or an IterableDataset, images undecoded.
        name: What to call it in errors.
        folder: Where it is; HPD v2 keeps the images of `test.json` in `test/` beside it.

    Raises:
        InputError: A set of one ranked image a row is streamed.
        SchemaError: Images and ranks of a row differ in number, or a vote is no number.
    """
    found = preference_form(data.features)
    if found is None:
        return data
    form, prompt = found
    numbered = _Numbered(form, prompt, name)
    taken = [c for c in (PAIR_ID, INDEX, LABEL, PROMPT_DISTORTED) if c in data.features]
    data = data.remove_columns(taken)
    if isinstance(form, RankedImages):
        if form.group:
            return _grouped(data, form, numbered)
        return _expanded(data, form, numbered, folder)
    names = dict(zip(form.images, (IMAGE_ORIGINAL, IMAGE_DISTORTED), strict=True))
    return _with_columns(data.rename_columns(names), numbered)


class _Numbered:
    """The further columns of a pair: its name, its prompt, the number of that prompt, its label."""

    def __init__(self, form: PreferenceForm, prompt: str, name: str) -> None:
        self.form, self.prompt, self.name = form, prompt, name
        self.clusters: dict[Any, int] = {}

    @property
    def features(self) -> dict[str, Any]:
        """Their types."""
        types = pair_features()
        return {name: types[name] for name in (PAIR_ID, INDEX, PROMPT_DISTORTED, LABEL)}

    def __call__(self, row: Mapping[str, Any], number: int) -> dict[str, Any]:
        """Of a row with two images."""
        assert isinstance(self.form, TwoImages)
        return self.columns(row, f"{number:06d}", self._label(row, self.form.votes, number))

    def _label(self, row: Mapping[str, Any], votes: Sequence[str], number: int) -> Label:
        if not votes:
            return Label.DISTORTED
        if len(votes) == 1:
            (word,) = (row[vote] for vote in votes)
            if word not in _CHOICES:
                msg = (
                    f"{self.name}: row {number}: {votes[0]} {authors.shown(word)} is none of "
                    f"{', '.join(_CHOICES)}. Mend the row."
                )
                raise SchemaError(msg)
            return _CHOICES[word]
        original, distorted = (self._number(row[vote], number) for vote in votes)
        return _better(original, distorted)

    def columns(self, row: Mapping[str, Any], name: str, label: Label) -> dict[str, Any]:
        """The columns of a pair of a row."""
        text = row[self.prompt]
        return {
            PAIR_ID: f"{self.form.name}/{name}",
            INDEX: self.clusters.setdefault(text, len(self.clusters)),
            PROMPT_DISTORTED: text,
            LABEL: int(label),
        }

    def ranks(self, values: Sequence[Any], numbers: Iterable[int]) -> list[float | None]:
        """Ranks so that higher is better, of the rows of these numbers."""
        assert isinstance(self.form, RankedImages)
        sign = -1.0 if self.form.best == "lowest" else 1.0
        found = [
            self._number(value, number) for value, number in zip(values, numbers, strict=False)
        ]
        return [None if value is None else sign * value for value in found]

    def _number(self, value: Any, number: int) -> float | None:
        if authors.is_null(value):
            return None
        try:
            return float(value)
        except (TypeError, ValueError) as error:
            msg = f"{self.name}: row {number}: {value!r:.40} is no vote and no rank. Mend the row."
            raise SchemaError(msg) from error


def _better(original: float | None, distorted: float | None) -> Label:
    if original is None or distorted is None or original == distorted:
        return Label.TIE
    return Label.DISTORTED if distorted > original else Label.ORIGINAL


def _with_columns(data: Any, numbered: _Numbered) -> Any:
    """The table with the columns of its pairs; images stay where they are."""
    from datasets import Features, Image, IterableDataset, concatenate_datasets

    images = [IMAGE_ORIGINAL, IMAGE_DISTORTED]
    if isinstance(data, IterableDataset):
        coded = [n for n in images if getattr(data.features[n], "dtype", None) == "binary"]
        whole = dict.fromkeys(coded, Image(decode=False))
        types = Features({**data.features, **whole, **numbered.features})

        def streamed(row: Mapping[str, Any], number: int) -> dict[str, Any]:
            cells = {name: {"bytes": row[name], "path": None} for name in coded}
            return numbered(row, number) | cells

        return data.map(streamed, with_indices=True, features=types)
    small = data.remove_columns(images)
    types = Features({**small.features, **numbered.features})
    # Never from the cache: its key does not cover the code that is called.
    rows = small.map(numbered, with_indices=True, features=types, load_from_cache_file=False)
    return concatenate_datasets([rows, data.select_columns(images)], axis=1)


def _expanded(data: Any, form: RankedImages, numbered: _Numbered, folder: Path | None) -> Any:
    """Every two images of each row's list as a pair."""
    from datasets import Features, Image, IterableDataset, List, Value

    kept = [n for n in data.features if n not in (form.images, form.rank)]
    inner = data.features[form.images].feature
    text = getattr(inner, "dtype", None) == "string"
    image = Value("string") if text else Image(decode=False)
    if not text and not isinstance(data, IterableDataset):
        data = data.cast_column(form.images, List(Image(decode=False)))

    def pairs(batch: Mapping[str, list[Any]], numbers: list[int]) -> dict[str, list[Any]]:
        (number,) = numbers
        row = {name: values[0] for name, values in batch.items()}
        images, ranks = row[form.images] or [], numbered.ranks(row[form.rank] or [], repeat(number))
        if text and folder is not None:
            images = [_beside(each, folder, numbered.name) for each in images]
        if len(images) != len(ranks):
            msg = (
                f"{numbered.name}: row {number} has {len(images)} images and {len(ranks)} ranks. "
                "Give each image one."
            )
            raise SchemaError(msg)
        made = [
            {name: row[name] for name in kept}
            | numbered.columns(row, f"{number:06d}/{a}-{b}", _better(ranks[a], ranks[b]))
            | {IMAGE_ORIGINAL: images[a], IMAGE_DISTORTED: images[b]}
            for a, b in combinations(range(len(images)), 2)
        ]
        return {name: [pair[name] for pair in made] for name in types}

    types = Features(
        {
            **{name: data.features[name] for name in kept},
            **numbered.features,
            IMAGE_ORIGINAL: image,
            IMAGE_DISTORTED: image,
        }
    )
    options: dict[str, Any] = {"with_indices": True, "batched": True, "batch_size": 1}
    if not isinstance(data, IterableDataset):
        options["load_from_cache_file"] = False
    return data.map(pairs, remove_columns=list(data.features), features=types, **options)


def _beside(image: str, folder: Path, name: str) -> str:
    """The name of a file, with the folder called like its table where it is only there."""
    inside = str(PurePosixPath(Path(name).stem, image))
    # Not Path.exists: it raises on names that are too long.
    there = [os.path.exists(folder / each) for each in (image, inside)]  # noqa: PTH110
    return inside if there == [False, True] else image


def _grouped(data: Any, form: RankedImages, numbered: _Numbered) -> Any:
    """Every two rows of one prompt as a pair; no image is written anew."""
    from datasets import Dataset, Features, IterableDataset, concatenate_datasets

    if isinstance(data, IterableDataset):
        msg = f"{numbered.name}: its pairs are made of several rows. Load it without streaming."
        raise InputError(msg)
    assert form.group is not None
    small = data.remove_columns([form.images])
    rows: list[dict[str, Any]] = list(small)
    ranks = numbered.ranks([row[form.rank] for row in rows], count())
    members: dict[Any, list[int]] = {}
    for number, row in enumerate(rows):
        members.setdefault(row[form.group], []).append(number)
    couples = [pair for group in members.values() for pair in combinations(group, 2)]
    if not couples:
        msg = f"{numbered.name}: no two images share a {form.group}. Give all images of a prompt."
        raise SchemaError(msg)
    made = [
        numbered.columns(rows[a], f"{a:06d}-{b:06d}", _better(ranks[a], ranks[b]))
        for a, b in couples
    ]
    kept = [n for n in small.features if n not in (form.rank, *numbered.features)]
    added: Dataset = Dataset.from_list(made, features=Features(numbered.features))
    parts = [added, small.select([a for a, _ in couples]).select_columns(kept)]
    for place, column in ((0, IMAGE_ORIGINAL), (1, IMAGE_DISTORTED)):
        images = data.select([pair[place] for pair in couples]).select_columns([form.images])
        parts.append(images.rename_column(form.images, column))
    return concatenate_datasets(parts, axis=1)
