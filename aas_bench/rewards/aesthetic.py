"""LAION's aesthetic predictor: what the picture alone is worth, whatever was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from transformers import CLIPConfig, CLIPVisionModelWithProjection

from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.rewards.clip import CLIP_L, OPENAI_PIXELS
from aas_bench.rewards.facts import RewardRow
from aas_bench.rewards.fetch import companion, obtain
from aas_bench.rewards.official import CLIP_L_WEIGHTS
from aas_bench.rewards.pixels import ImageTransform
from aas_bench.rewards.weights import fill, read, renamed, torch_dtype, unfilled

TEXT_SIDE = (r"text_model\..*", r"text_projection\..*", r"logit_scale", r".*\.position_ids")


class LaionAesthetic(RewardModel):
    """score = head(unit vector of the CLIP image embedding); prompts are not read.

    Args:
        name: The name of its scores.
        tower: CLIP's vision tower with its projection.
        head: The regression head, in float32.
        transform: How images become pixels.
        device: Where both are.
        identity: Of the weights, for the description.
    """

    reads_prompts = False

    def __init__(
        self,
        *,
        name: str,
        tower: Any,
        head: Any,
        transform: ImageTransform,
        device: str,
        identity: dict[str, Any],
    ) -> None:
        self.name = name
        self._tower, self._head, self._transform = tower, head, transform
        self._device, self._identity = device, identity
        self._dtype = next(tower.parameters()).dtype

    def preprocess(self, image: Image.Image) -> torch.Tensor:
        """Pixel tensor (3, size, size), float32, on the CPU."""
        return self._transform(image)

    def encode_images(self, images: Sequence[torch.Tensor]) -> Sequence[float]:
        """The score of each image."""
        with torch.inference_mode():
            pixels = torch.stack(list(images)).to(self._device, self._dtype)
            embeddings = self._tower(pixel_values=pixels).image_embeds.float()
            unit = torch.nn.functional.normalize(embeddings, dim=-1)
            scores: list[float] = self._head(unit)[:, 0].double().tolist()
        return scores

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[None]:
        """Nothing: the prompt has no say."""
        return [None] * len(prompts)

    def combine(self, images: Sequence[float], prompts: Sequence[None]) -> Scores:
        """The scores of the images."""
        return np.array(images, dtype=np.float64)

    def describe(self) -> dict[str, Any]:
        """Weights, number format and image processing."""
        return {
            "name": self.name,
            "weights": self._identity,
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": torch.device(self._device).type,
            "image": self._transform.describe(),
        }


def load(
    row: RewardRow,
    *,
    device: str,
    dtype: str,
    weights: str | Path | None,
    architecture: Mapping[str, Any] = CLIP_L,
) -> LaionAesthetic:
    """Version 2 of the predictor, as the authors' script applies it.

    Args:
        row: The row of the catalogue; its weights are the head's.
        device: Where it runs.
        dtype: Of the vision tower.
        weights: Local file of the head, or a folder (with CLIP-L's `model.safetensors` beside it,
            or that comes from the Hub); None: the official ones.
        architecture: Of CLIP, in the words of transformers' CLIPConfig.
    """
    of_head = obtain(row.weights, local=weights, name=row.name)
    of_clip = companion(CLIP_L_WEIGHTS, local=weights)
    config = CLIPConfig(**architecture)
    config.vision_config.projection_dim = config.projection_dim
    with unfilled():
        tower = CLIPVisionModelWithProjection(config.vision_config)
        head = regression_head(config.projection_dim)
    fill(
        tower,
        read(of_clip.path),
        origin=of_clip.path,
        device=device,
        dtype=torch_dtype(dtype),
        ignore=TEXT_SIDE,
    )
    state = renamed(read(of_head.path), {r"layers\.": ""})
    fill(head, state, origin=of_head.path, device=device, dtype=torch.float32)
    return LaionAesthetic(
        name=row.name,
        tower=tower,
        head=head,
        transform=OPENAI_PIXELS,
        device=device,
        identity={**of_head.identity, "clip": of_clip.identity},
    )


def regression_head(width: int) -> Any:
    """Five linear layers width-1024-128-64-16-1 without activations, numbered 0, 2, 4, 6, 7.

    ImageReward took it over. The gaps in the numbering are where the originals have dropout.
    """
    layers = [nn.Linear(*ends) for ends in pairwise((width, 1024, 128, 64, 16, 1))]
    gaps = [nn.Identity() for _ in range(3)]
    first = [module for both in zip(layers, gaps, strict=False) for module in both]
    return nn.Sequential(*first, *layers[3:])
