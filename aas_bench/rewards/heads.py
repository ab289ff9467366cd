"""The regression head that the LAION aesthetic predictor introduced and ImageReward took over."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from torch import nn


def regression_head(width: int) -> Any:
    """Five linear layers width-1024-128-64-16-1 without activations, numbered 0, 2, 4, 6, 7.

    The gaps in the numbering are where the originals have dropout.
    """
    layers = [nn.Linear(*ends) for ends in pairwise((width, 1024, 128, 64, 16, 1))]
    gaps = [nn.Identity() for _ in range(3)]
    first = [module for both in zip(layers, gaps, strict=False) for module in both]
    return nn.Sequential(*first, *layers[3:])
