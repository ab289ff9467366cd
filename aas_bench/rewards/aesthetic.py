"""Aesthetic predictors: what the picture alone is worth, whatever was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from transformers import (
    CLIPConfig,
    CLIPVisionModelWithProjection,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from aas_bench.rewards.base import Scores
from aas_bench.rewards.clip import CLIP_L, OPENAI_PIXELS
from aas_bench.rewards.facts import Local, RewardRow, Sizes
from aas_bench.rewards.fetch import companion, obtain
from aas_bench.rewards.official import CLIP_L_WEIGHTS, SIGLIP_WEIGHTS
from aas_bench.rewards.pixels import HALF, ImageTransform
from aas_bench.rewards.pretrained import Pretrained, Setup
from aas_bench.rewards.weights import fill, read, renamed, torch_dtype, unfilled

if TYPE_CHECKING:
    from typing_extensions import Unpack


SO400M: dict[str, Any] = {
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
}
TEXT_SIDE = (r"text_model\..*", r"text_projection\..*", r"logit_scale", r".*\.position_ids")


class ImageOnly(Pretrained):
    """A score of the picture alone; prompts are not read.

    Args:
        network: Pixels (n, 3, size, size) -> scores (n,).
        dtype: Of the pixels that the network reads.
        setup: As `Setup`.
    """

    reads_prompts = False
    n_placebos = 8

    def __init__(
        self,
        *,
        network: Callable[[torch.Tensor], torch.Tensor],
        dtype: torch.dtype,
        **setup: Unpack[Setup],
    ) -> None:
        super().__init__(dtype=dtype, **setup)
        self._network = network

    def encode_images(self, images: Sequence[torch.Tensor]) -> Sequence[float]:
        """The score of each image."""
        with torch.inference_mode():
            scores: list[float] = self._network(self.placed(images)).double().tolist()
        return scores

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[None]:
        """Nothing: the prompt has no say."""
        return [None] * len(prompts)

    def combine(self, images: Sequence[float], prompts: Sequence[None]) -> Scores:
        """The scores of the images."""
        return np.array(images, dtype=np.float64)


class _TowerAndHead(nn.Module):  # type: ignore[misc]  # torch is untyped to mypy here
    """A head in float32 on the unit vector of an image embedding."""

    def __init__(self, tower: Any, embedding: str, head: nn.Module) -> None:
        super().__init__()
        self.tower, self._embedding, self.head = tower, embedding, head

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        embeddings = getattr(self.tower(pixel_values=pixels), self._embedding).float()
        unit = torch.nn.functional.normalize(embeddings, dim=-1)
        score: torch.Tensor = self.head(unit)[:, 0]
        return score


def load(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = CLIP_L
) -> ImageOnly:
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
    return ImageOnly(
        name=row.name,
        network=_TowerAndHead(tower, "image_embeds", head),
        dtype=torch_dtype(dtype),
        transform=OPENAI_PIXELS,
        device=device,
        identity={**of_head.identity, "clip": of_clip.identity},
    )


def load_v2_5(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = SO400M
) -> ImageOnly:
    """Aesthetic Predictor v2.5: SigLIP's pooled image embedding through an affine head.

    Args:
        row: The row of the catalogue; its weights are the head's.
        device: Where it runs.
        dtype: Of the vision tower.
        weights: Local file of the head, or a folder (with SigLIP's `model.safetensors` beside it,
            or that comes from the Hub); None: the official ones.
        architecture: Of the vision tower, in the words of transformers' SiglipVisionConfig.
    """
    of_head = obtain(row.weights, local=weights, name=row.name)
    of_siglip = companion(SIGLIP_WEIGHTS, local=weights)
    config = SiglipVisionConfig(**architecture)
    with unfilled():
        tower = SiglipVisionModel(config)
        head = linear_layers((config.hidden_size, 1024, 128, 64, 16, 1), between=nn.Identity)
    state = {
        name: tensor for name, tensor in read(of_siglip.path).items() if name.startswith("vision_")
    }
    fill(tower, state, origin=of_siglip.path, device=device, dtype=torch_dtype(dtype))
    named = renamed(read(of_head.path), {r"(layers\.)?scoring_head\.": ""})
    fill(head, named, origin=of_head.path, device=device, dtype=torch.float32)
    return ImageOnly(
        name=row.name,
        network=_TowerAndHead(tower, "pooler_output", head),
        dtype=torch_dtype(dtype),
        transform=ImageTransform(size=config.image_size, fit="squash", mean=HALF, std=HALF),
        device=device,
        identity={**of_head.identity, "siglip": of_siglip.identity},
    )


def linear_layers(sizes: Sequence[int], *, between: Callable[[], nn.Module]) -> nn.Sequential:
    """Linear layers numbered 0, 2, 4, ... with something between each two."""
    layers: list[nn.Module] = []
    for ends in pairwise(sizes):
        layers += [nn.Linear(*ends), between()]
    return nn.Sequential(*layers[:-1])


def regression_head(width: int) -> Any:
    """Five linear layers width-1024-128-64-16-1 without activations, numbered 0, 2, 4, 6, 7.

    ImageReward took it over. The gaps in the numbering are where the originals have dropout.
    """
    layers = [nn.Linear(*ends) for ends in pairwise((width, 1024, 128, 64, 16, 1))]
    gaps = [nn.Identity() for _ in range(3)]
    first = [module for both in zip(layers, gaps, strict=False) for module in both]
    return nn.Sequential(*first, *layers[3:])
