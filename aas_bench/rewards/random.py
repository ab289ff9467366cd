"""A reward that knows nothing: what chance scores on any table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from aas_bench.rewards.base import RewardModel, Scores


class Chance(RewardModel):
    """SHA-256 of seed, image and prompt, as a number in [0, 1).

    Args:
        seed: Another seed is another draw.

    Example:
        >>> grey = Image.new("RGB", (64, 64), "grey")
        >>> first, second = Chance().score([grey, grey], ["a street", "a blurry street"])
        >>> bool(first == second)
        False
    """

    name = "random"
    n_placebos = 8

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def encode_images(self, images: Sequence[Image.Image]) -> Sequence[bytes]:
        """Digest of size and RGB pixels, one per image."""
        return [_digest(repr(image.size).encode(), image.tobytes()) for image in images]

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[bytes]:
        """Digest of the text, one per prompt."""
        return [_digest(prompt.encode()) for prompt in prompts]

    def combine(self, images: Sequence[bytes], prompts: Sequence[bytes]) -> Scores:
        """The first 53 bits of the digest of all three, over 2^53."""
        seed = str(self.seed).encode()
        digests = [_digest(seed, i, p) for i, p in zip(images, prompts, strict=True)]
        return np.array([(int.from_bytes(d[:8], "big") >> 11) / 2**53 for d in digests])

    def describe(self) -> dict[str, Any]:
        """The seed."""
        return {"name": self.name, "version": 1, "seed": self.seed}


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def load(*, seed: int = 0) -> Chance:
    """The reward model `random`.

    Example:
        >>> load(seed=7).seed
        7
    """
    return Chance(seed=seed)
