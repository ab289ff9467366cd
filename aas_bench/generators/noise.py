"""Starting noise that depends on the seed and the prompt's index, and on nothing else.

Drawn in float32 on the CPU: a draw in bfloat16 or on a GPU from the same seed is another draw,
so that dtype, device, batch size, device count and resuming would otherwise change the image. The
variant takes no part, hence the original and the distorted image of a pair start alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def noise_seed(seed: int, index: int) -> int:
    """Seed of one prompt's generator, in [0, 2^63).

    Mixed rather than added, so that run 1 of prompt 0 shares nothing with run 0 of prompt 1.

    Args:
        seed: Seed of the run, not negative.
        index: Index of the prompt, not negative.
    """
    state = np.random.SeedSequence((seed, index)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


def noise_generator(seed: int, index: int) -> torch.Generator:
    """A fresh CPU generator for one image."""
    import torch

    return torch.Generator("cpu").manual_seed(noise_seed(seed, index))


def draw_noise(shape: Sequence[int], seed: int, index: int) -> torch.Tensor:
    """Standard normal noise of this shape: float32, on the CPU."""
    import torch

    generator = noise_generator(seed, index)
    return torch.randn(tuple(shape), generator=generator, dtype=torch.float32)
