"""Two towers and an inner product: the CLIP family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call

from aas_bench.rewards.base import Scores
from aas_bench.rewards.pretrained import Reader, ReaderSetup

if TYPE_CHECKING:
    from typing_extensions import Unpack


Embedding: TypeAlias = NDArray[np.float32]


class Towers(Protocol):
    """An image tower and a text tower that end in one space."""

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        """(n, 3, size, size) -> embeddings (n, width), not normalised."""

    def text(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """(n, length) ids -> embeddings (n, width), not normalised."""

    def scale_and_bias(self) -> tuple[float, float]:
        """What turns a cosine into the logit that the towers were trained with."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""


@dataclass(frozen=True)
class OpenClipTowers:
    """An open_clip model."""

    model: Any

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Projected image embeddings."""
        features: torch.Tensor = self.model.encode_image(pixels)
        return features

    def text(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Projected text embeddings; the tower finds the end of the text by itself.

        A tower that reads causally and pools at that end gives what lies behind it no say, so the
        padding behind the longest prompt of the batch is not run, which is more than half of 77.
        """
        causal = getattr(self.model, "attn_mask", None)
        if causal is None or getattr(self.model, "text_pool_type", None) not in ("argmax", "eos"):
            features: torch.Tensor = self.model.encode_text(ids)
            return features
        n = int(mask.sum(dim=1).max())
        cut = {
            "model.positional_embedding": self.model.positional_embedding[:n],
            "model.attn_mask": causal[:n, :n],
        }
        shorter: torch.Tensor = functional_call(_TextOf(self.model), cut, (ids[:, :n],))
        return shorter

    def scale_and_bias(self) -> tuple[float, float]:
        """exp(logit_scale) and the bias of sigmoid-trained models."""
        bias = getattr(self.model, "logit_bias", None)
        return self.model.logit_scale.double().exp().item(), 0.0 if bias is None else bias.item()

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return _dtype_of(self.model)


class _TextOf(torch.nn.Module):  # type: ignore[misc]  # torch is untyped to mypy here
    """The text tower of an open_clip model as a module's own forward pass."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_text(ids)
        return features


@dataclass(frozen=True)
class TransformersTowers:
    """A transformers CLIPModel or SiglipModel."""

    model: Any

    def image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Projected image embeddings."""
        features: torch.Tensor = self.model.get_image_features(pixel_values=pixels).pooler_output
        return features

    def text(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Projected text embeddings.

        No mask is passed: CLIP reads causally and pools at the first end-of-text, so what follows
        it has no say; SigLIP was trained to read its padding.
        """
        features: torch.Tensor = self.model.get_text_features(input_ids=ids).pooler_output
        return features

    def scale_and_bias(self) -> tuple[float, float]:
        """exp(logit_scale) and SigLIP's bias."""
        bias = getattr(self.model, "logit_bias", None)
        return self.model.logit_scale.double().exp().item(), 0.0 if bias is None else bias.item()

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return _dtype_of(self.model)


class DualEncoder(Reader):
    """score = scale * cosine(image embedding, prompt embedding) + bias.

    Args:
        towers: The model.
        unit: "cosine" (scale 1, bias 0) or "logit" (what the towers were trained with).
        setup: As `ReaderSetup`.
    """

    n_placebos = 8

    def __init__(
        self, *, towers: Towers, unit: Literal["cosine", "logit"], **setup: Unpack[ReaderSetup]
    ) -> None:
        super().__init__(dtype=towers.dtype, **setup)
        self._towers, self._unit = towers, unit
        self._scale, self._bias = towers.scale_and_bias() if unit == "logit" else (1.0, 0.0)

    def encode_images(self, images: Sequence[torch.Tensor]) -> Sequence[Embedding]:
        """Unit vectors (width,), float32."""
        with torch.inference_mode():
            return unit_vectors(self._towers.image(self.placed(images)))

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Embedding]:
        """Unit vectors (width,), float32."""
        with torch.inference_mode():
            ids, mask = self._tokens.padded(self.ids(prompts), self._device)
            return unit_vectors(self._towers.text(ids, mask))

    def combine(self, images: Sequence[Embedding], prompts: Sequence[Embedding]) -> Scores:
        """Scaled inner products in float64."""
        pairs = (np.asarray(side, dtype=np.float64) for side in (images, prompts))
        cosine: Scores = np.einsum("nd,nd->n", *pairs)
        return self._scale * cosine + self._bias

    def describe(self) -> dict[str, Any]:
        """Weights, number format, unit, image and text processing."""
        return super().describe() | {"unit": self._unit}


def unit_vectors(embeddings: torch.Tensor) -> list[Embedding]:
    """Each row scaled to length 1, as float32 on the CPU."""
    unit = torch.nn.functional.normalize(embeddings.float(), dim=-1)
    return list(unit.cpu().numpy())


def _dtype_of(model: torch.nn.Module) -> torch.dtype:
    return next(model.parameters()).dtype
