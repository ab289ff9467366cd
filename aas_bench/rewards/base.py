"""One interface for every reward model, cut where the four scores of a pair can share work.

A score is made in three steps: encode the image, encode the prompt, combine the two. A dual
encoder does nearly all its work in the first two, a cross encoder in the first and the last; a
plain function does all of it in the last. The engine encodes each image once and each prompt once
and calls only `combine` for all four (image, prompt) cells of a pair.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aas_bench.errors import InputError
from aas_bench.tables.authors import plain
from aas_bench.tables.images import to_rgb

Scores: TypeAlias = NDArray[np.float64]
T = TypeVar("T")

CPU_BATCH: Final = 4
"""Images of one call to a vision tower on a CPU. More do not fit its caches: ViT-L/14 on one core
takes 1.9 s an image in batches of 4, 2.1 s in batches of 8, 2.2 s in batches of 16."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """One summand of a score: `weight` times the combined score of `prompt`.

    Example:
        >>> Term(weight=-0.8, prompt="a street")
        Term(weight=-0.8, prompt='a street')
    """

    weight: float
    prompt: str


class RewardModel(ABC):
    """(image, prompt) -> score; higher is better, in the model's own unit.

    A score must not depend on which other images or prompts share its batch.

    Attributes:
        name: The name under which its scores are stored.
        batch_size: Images, and prompts, of one call where the caller sets no other number.
        reads_prompts: Whether the prompt has a say. A run stops at a model that claims it has and
            scores all prompts alike.
        n_placebos: Placebo requests of a pair that it bears where the caller sets no other number,
            by what one costs: nothing but its text in a dual encoder or where prompts are not
            read (8), two more passes of the part that reads image and prompt together in a cross
            encoder (2), half of what the four scores cost where `combine` does all the work (1).

    Example:
        >>> from PIL import Image
        >>> class Darkness(RewardModel):
        ...     name = "darkness"
        ...     def encode_images(self, images):
        ...         return [255.0 - np.asarray(image).mean() for image in images]
        ...     def encode_prompts(self, prompts):
        ...         return ["night" in prompt for prompt in prompts]
        ...     def combine(self, images, prompts):
        ...         return np.array(images) * np.array(prompts)
        >>> Darkness().score([Image.new("RGB", (8, 8))], ["a dark night"]).tolist()
        [255.0]
    """

    name: str
    batch_size: int = 32
    reads_prompts: bool = True
    n_placebos: int = 2

    @abstractmethod
    def encode_images(self, images: Sequence[Any]) -> Sequence[Any]:
        """Image features, one item per image.

        An item is an array, a tensor or an image, or a tuple, list, dict or dataclass of these:
        a run keeps as many as fit into a fixed number of bytes.

        Args:
            images: What `preprocess` returned for each image; at least one.
        """

    @abstractmethod
    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Any]:
        """Prompt features, one item per prompt."""

    @abstractmethod
    def combine(self, images: Sequence[Any], prompts: Sequence[Any]) -> Scores:
        """Scores of image i with prompt i from their features; shape (n,), float64."""

    def preprocess(self, image: Image.Image) -> Any:
        """Turn one RGB image into what `encode_images` takes; called from several threads."""
        return image

    def truncated(self, prompts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether the model drops the end of each prompt; shape (n,). Default: never."""
        return np.zeros(len(prompts), dtype=bool)

    def unknown_tokens(self, prompts: Sequence[str]) -> NDArray[np.float64] | None:
        """Share of each prompt's tokens that the tokenizer does not know; shape (n,).

        Default: None, there is no tokenizer to ask.
        """
        return None

    def prompt_lengths(self, prompts: Sequence[str]) -> NDArray[np.int64]:
        """How long each prompt is to the model; shape (n,). Batches are filled in this order.

        Worth overriding where a batch is padded to its longest prompt. Default: all alike.
        """
        return np.zeros(len(prompts), dtype=np.int64)

    def terms(self, prompt: str, original: str | None) -> tuple[Term, ...]:
        """The weighted prompts whose combined scores add up to the score of `prompt`.

        score(image, prompt) = sum over terms of weight * combine(image, term.prompt). Default:
        the prompt itself, once. A model that sets one prompt off against another overrides this.

        Args:
            prompt: The prompt to be scored.
            original: The original prompt of the pair; None where it is not known.
        """
        return (Term(weight=1.0, prompt=prompt),)

    def describe(self) -> dict[str, Any]:
        """Everything a score depends on (weights, revision, dtype, preprocessing): JSON values.

        Two models with equal descriptions give equal scores; a stored run refuses to go on with
        a model whose description differs.
        """
        return {"name": self.name}

    def score(self, images: Sequence[Image.Image], prompts: Sequence[str]) -> Scores:
        """Score image i under prompt i; each distinct image and prompt is encoded once.

        Args:
            images: PIL images of any mode; made RGB by `tables.images.to_rgb`.
            prompts: As many prompts as images.

        Returns:
            Shape (n,), float64.

        Raises:
            InputError: The two sequences differ in length, or an image is damaged.
        """
        if len(images) != len(prompts):
            msg = f"{len(images)} images but {len(prompts)} prompts. Give one prompt per image."
            raise InputError(msg)
        if not images:
            return np.empty(0, dtype=np.float64)
        terms = [self.terms(prompt, None) for prompt in prompts]
        unique_images = {id(image): image for image in images}
        unique_prompts = list(dict.fromkeys(term.prompt for of_one in terms for term in of_one))
        image_features: dict[int, Any] = {}
        for keys in _batches(list(unique_images), self.batch_size):
            pixels = [self.preprocess(to_rgb(unique_images[key])) for key in keys]
            image_features.update(zip(keys, self.encode_images(pixels), strict=True))
        prompt_features: dict[str, Any] = {}
        for some in _batches(unique_prompts, self.batch_size):
            prompt_features.update(zip(some, self.encode_prompts(some), strict=True))
        summands = [(i, term.prompt) for i, of_one in enumerate(terms) for term in of_one]
        combined: list[float] = []
        for batch in _batches(summands, self.batch_size):
            features = [image_features[id(images[i])] for i, _ in batch]
            combined += flat(self.combine(features, [prompt_features[p] for _, p in batch]))
        parts = iter(combined)
        return np.array([weighted_sum(of_one, islice(parts, len(of_one))) for of_one in terms])


def flat(combined: Any) -> list[Any]:
    """What `combine` gave as numbers, also where it has shape (n, 1), the habit of training code.

    Example:
        >>> flat(np.array([[0.5], [0.25]]))
        [0.5, 0.25]
    """
    found = plain(combined)
    rows = found if isinstance(found, list) else [found]
    return [row[0] if isinstance(row, list) and len(row) == 1 else row for row in rows]


def weighted_sum(terms: Sequence[Term], scores: Iterable[float]) -> float:
    """The score that the combined scores of its terms add up to.

    Example:
        >>> weighted_sum([Term(weight=1.0, prompt="a"), Term(weight=-0.5, prompt="b")], [3.0, 2.0])
        2.0
    """
    return math.fsum(term.weight * score for term, score in zip(terms, scores, strict=True))


def _batches(items: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
