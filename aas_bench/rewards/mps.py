"""MPS: CLIP ViT-H/14 whose image tokens read those prompt words that a fixed condition keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch
from torch import nn
from transformers import CLIPConfig, CLIPModel

from aas_bench.rewards.base import Scores
from aas_bench.rewards.clip import CLIP_H, TRANSFORMERS_PIXELS
from aas_bench.rewards.facts import Local, RewardRow, Sizes
from aas_bench.rewards.fetch import obtain
from aas_bench.rewards.mps_attention import CrossModel
from aas_bench.rewards.pretrained import Reader, ReaderSetup
from aas_bench.rewards.tokens import Ids, clip_tokens
from aas_bench.rewards.weights import fill, read, read_module, renamed, torch_dtype, unfilled

if TYPE_CHECKING:
    from typing_extensions import Unpack


ImageTokens: TypeAlias = torch.Tensor

# both official evaluation scripts; the model's own forward has 0.01
THRESHOLD = 0.3

MPS: dict[str, Any] = {
    "clip": CLIP_H,
    "cross": {"width": 1024, "layers": 4, "heads": 16, "head_width": 64, "ff_mult": 4},
}


class PromptFeature(NamedTuple):
    """What the score needs of a prompt, on the device.

    Attributes:
        end: Feature at the first end-of-text, (width,).
        tokens: Features of all 77 positions, padding included, (77, width).
        kept: Which of them the condition keeps, (77,) bool.
    """

    end: torch.Tensor
    tokens: torch.Tensor
    kept: torch.Tensor


class MpsModel(nn.Module):  # type: ignore[misc]  # torch is untyped to mypy here
    """The two published parts, under their published names."""

    def __init__(self, architecture: Mapping[str, Any]) -> None:
        super().__init__()
        self.model = CLIPModel(CLIPConfig(**architecture["clip"]))
        self.cross_model = CrossModel(**architecture["cross"])

    def image_tokens(self, pixels: torch.Tensor) -> torch.Tensor:
        """Every token of the vision tower, before its last norm, projected: (n, tokens, width)."""
        tower = self.model.vision_model(pixel_values=pixels)
        tokens: torch.Tensor = self.model.visual_projection(tower.last_hidden_state)
        return tokens

    def text_tokens(self, ids: torch.Tensor) -> torch.Tensor:
        """Every token of the text tower, projected, padding read like text: (n, 77, width)."""
        tower = self.model.text_model(input_ids=ids)
        tokens: torch.Tensor = self.model.text_projection(tower.last_hidden_state)
        return tokens

    def scores(
        self, images: torch.Tensor, ends: torch.Tensor, prompts: torch.Tensor, kept: torch.Tensor
    ) -> torch.Tensor:
        """exp(logit_scale) * cosine(end-of-text feature, image token 0 after the cross model)."""
        read = self.cross_model(images, prompts, kept)[:, 0]
        cosine = torch.cosine_similarity(read.double(), ends.double(), dim=-1)
        scores: torch.Tensor = self.model.logit_scale.double().exp() * cosine
        return scores


def kept_tokens(
    prompts: torch.Tensor, condition: torch.Tensor, threshold: float = THRESHOLD
) -> torch.Tensor:
    """Which prompt tokens the condition keeps: (n, tokens) bool.

    A token's relevance is its largest inner product with a token of the condition. It is kept
    where relevance / (largest relevance of its prompt) > threshold. The official code divides by
    the largest of the whole batch, so its scores depend on batch mates; with one prompt a call the
    two agree.

    Args:
        prompts: (n, tokens, width).
        condition: (condition tokens, width).
        threshold: Least share of the largest relevance.
    """
    relevance = (prompts @ condition.T).amax(dim=-1)
    return relevance / relevance.amax(dim=-1, keepdim=True) > threshold


class Mps(Reader):
    """MPS, overall preference (Zhang et al., CVPR 2024).

    Args:
        model: The network.
        condition: Ids of the fixed condition, start and end included.
        setup: As `ReaderSetup`.
    """

    def __init__(self, *, model: MpsModel, condition: Ids, **setup: Unpack[ReaderSetup]) -> None:
        super().__init__(dtype=next(model.parameters()).dtype, **setup)
        self._model = model
        with torch.inference_mode():
            ids, _ = self._tokens.padded([condition], self._device)
            self._condition = model.text_tokens(ids)[0]

    def encode_images(self, images: Sequence[torch.Tensor]) -> Sequence[ImageTokens]:
        """Projected tokens (1 + patches, width) of each image, on the device."""
        with torch.inference_mode():
            return list(self._model.image_tokens(self.placed(images)))

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[PromptFeature]:
        """Token features of each prompt and which of them the condition keeps."""
        rows = self.ids(prompts)
        with torch.inference_mode():
            ids, _ = self._tokens.padded(rows, self._device)
            tokens = self._model.text_tokens(ids)
            ends = [len(row) - 1 for row in rows]
            kept = kept_tokens(tokens, self._condition)
        return [
            PromptFeature(row[end], row, keep)
            for row, end, keep in zip(tokens, ends, kept, strict=True)
        ]

    def combine(self, images: Sequence[ImageTokens], prompts: Sequence[PromptFeature]) -> Scores:
        """Run the cross model on each (image, prompt)."""
        ends, tokens, kept = (torch.stack(part) for part in zip(*prompts, strict=True))
        with torch.inference_mode():
            scores: Scores = (
                self._model.scores(torch.stack(list(images)), ends, tokens, kept).cpu().numpy()
            )
        return scores

    def describe(self) -> dict[str, Any]:
        """Weights, number format, threshold, image and text processing."""
        return super().describe() | {"mask": {"threshold": THRESHOLD, "normalised_over": "prompt"}}


def condition_ids() -> Ids:
    """The fixed condition as ids of the CLIP vocabulary."""
    file = resources.files("aas_bench.rewards") / "token_ids" / "mps.json"
    ids: Ids = json.loads(file.read_text(encoding="utf-8"))["condition"]
    return ids


def load(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = MPS
) -> Mps:
    """MPS from its published checkpoint, or from a safetensors file of its state dict.

    The published file is a pickled module; its classes are replaced by inert stand-ins, so that
    nothing of it runs.

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: Local file or folder.
        architecture: Sizes: "clip" in the words of transformers' CLIPConfig, "cross" as CrossModel.
    """
    found = obtain(row.weights, local=weights, name=row.name)
    if found.path.suffix in (".safetensors", ".json"):
        state = read(found.path)
    else:
        state = read_module(found.path, packages=("trainer", "transformers", "torch"))
    with unfilled():
        model = MpsModel(architecture)
    fill(
        model,
        renamed(state, {r"mps\.": ""}),
        origin=found.path,
        device=device,
        dtype=torch_dtype(dtype),
        keep=(r".*\.inv_freq",),
        ignore=(r".*\.position_ids",),
    )
    return Mps(
        name=row.name,
        model=model,
        tokens=clip_tokens(to_limit=True),
        condition=condition_ids(),
        transform=TRANSFORMERS_PIXELS,
        device=device,
        identity=found.identity,
    )
