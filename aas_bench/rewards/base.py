"""One interface for every reward model, cut where the four scores of a pair can share work.

A score is made in three steps: encode the image, encode the prompt, combine the two. A dual
encoder does nearly all its work in the first two, a cross encoder in the first and the last; a
plain function does all of it in the last. The engine encodes each image once and each prompt once
and calls only `combine` for all four (image, prompt) cells of a pair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aas_bench.errors import InputError

Scores: TypeAlias = NDArray[np.float64]


class RewardModel(ABC):
    """(image, prompt) -> score; higher is better, in the model's own unit.

    A score must not depend on which other images or prompts share its batch.

    Attributes:
        name: The name under which its scores are stored.
    """

    name: str

    @abstractmethod
    def encode_images(self, images: Sequence[Any]) -> Sequence[Any]:
        """Image features, one item per image.

        Args:
            images: What `preprocess` returned for each image.
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

    def describe(self) -> dict[str, Any]:
        """Everything a score depends on (weights, revision, dtype, preprocessing): JSON values.

        Two models with equal descriptions give equal scores; a stored run refuses to go on with
        a model whose description differs.
        """
        return {"name": self.name}

    def score(self, images: Sequence[Image.Image], prompts: Sequence[str]) -> Scores:
        """Score image i under prompt i; each distinct image and prompt is encoded once.

        Args:
            images: PIL images of any mode; converted to RGB.
            prompts: As many prompts as images.

        Returns:
            Shape (n,), float64.

        Raises:
            InputError: The two sequences differ in length.
        """
        if len(images) != len(prompts):
            msg = f"{len(images)} images but {len(prompts)} prompts. Give one prompt per image."
            raise InputError(msg)
        if not images:
            return np.empty(0, dtype=np.float64)
        unique_images = {id(image): image for image in images}
        unique_prompts = list(dict.fromkeys(prompts))
        pixels = [self.preprocess(image.convert("RGB")) for image in unique_images.values()]
        image_features = dict(zip(unique_images, self.encode_images(pixels), strict=True))
        prompt_features = dict(
            zip(unique_prompts, self.encode_prompts(unique_prompts), strict=True)
        )
        return self.combine(
            [image_features[id(image)] for image in images],
            [prompt_features[prompt] for prompt in prompts],
        )
