"""What networks with published weights share: a device, pixels, and ids where they read prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from aas_bench.rewards.base import CPU_BATCH, RewardModel
from aas_bench.rewards.pixels import ImageTransform, LibraryTransform
from aas_bench.rewards.tokens import Ids, PromptTokens

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Setup(TypedDict):
    """How a network stands here; the number format is the network's own.

    Attributes:
        name: The name of its scores.
        transform: How images become pixels.
        device: Where the network is.
        identity: Of the weights, for the description.
    """

    name: str
    transform: ImageTransform | LibraryTransform
    device: str
    identity: dict[str, Any]


class ReaderSetup(Setup):
    """The same of a network that reads prompts.

    Attributes:
        tokens: How prompts are cut into ids.
    """

    tokens: PromptTokens


class Pretrained(RewardModel):
    """A network on a device; a family adds how it encodes and combines.

    Args:
        dtype: Of its weights, and of the pixels that it reads.
        setup: As `Setup`.
    """

    def __init__(self, *, dtype: torch.dtype, **setup: Unpack[Setup]) -> None:
        self.name, self._device = setup["name"], setup["device"]
        self._transform, self._identity = setup["transform"], setup["identity"]
        self._dtype = dtype
        if torch.device(self._device).type == "cpu":
            self.batch_size = CPU_BATCH

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        """Pixel tensor (3, size, size), float32, on the CPU."""
        pixels: torch.Tensor = self._transform(image)
        return pixels

    def placed(self, images: Sequence[torch.Tensor]) -> torch.Tensor:
        """Pixels (n, 3, size, size) where the network is, in its number format."""
        return torch.stack(list(images)).to(self._device, self._dtype)

    def describe(self) -> dict[str, Any]:
        """Weights, number format and image processing; that prompts are not read."""
        return {
            "name": self.name,
            "weights": self._identity,
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": torch.device(self._device).type,
            "image": self._transform.describe(),
            "text": "not read",
        }


class Reader(Pretrained):
    """A network with a tokenizer.

    Args:
        dtype: As `Pretrained`.
        tokens: How prompts are cut into ids.
        setup: As `Setup`.
    """

    def __init__(self, *, dtype: torch.dtype, tokens: PromptTokens, **setup: Unpack[Setup]) -> None:
        super().__init__(dtype=dtype, **setup)
        self._tokens = tokens

    def ids(self, prompts: Sequence[str]) -> list[Ids]:
        """Ids of each prompt, cut where the text tower ends."""
        return [self._tokens.cut(prompt) for prompt in prompts]

    def prompt_lengths(self, prompts: Sequence[str]) -> NDArray[np.int64]:
        """Ids of each prompt."""
        return self._tokens.lengths(prompts)

    def unknown_tokens(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Share of each prompt's tokens that the tokenizer does not know."""
        return self._tokens.unknown_shares(prompts)

    def truncated(self, prompts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each prompt is longer than the text tower reads."""
        return self._tokens.truncated(prompts)

    def describe(self) -> dict[str, Any]:
        """Weights, number format, image and text processing."""
        return super().describe() | {"text": self._tokens.describe()}
