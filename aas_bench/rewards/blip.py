"""ImageReward, CycleReward and BLIP's image-text matching: a text encoder reads the image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import torch
from torch import nn
from transformers import BlipConfig, BlipForImageTextRetrieval, BlipTextModel, BlipVisionModel

from aas_bench.rewards.aesthetic import linear_layers, regression_head
from aas_bench.rewards.base import Scores
from aas_bench.rewards.facts import Local, RewardRow, Sizes, Weights
from aas_bench.rewards.fetch import Obtained, companion, obtain
from aas_bench.rewards.pixels import ImageTransform
from aas_bench.rewards.pretrained import Reader, ReaderSetup
from aas_bench.rewards.tokens import Ids, bert_tokens
from aas_bench.rewards.weights import fill, read, renamed, torch_dtype, unfilled

if TYPE_CHECKING:
    from typing_extensions import Unpack


ImageTokens: TypeAlias = torch.Tensor

BERT_VOCABULARY = Weights(
    repo="Salesforce/blip-itm-large-coco",
    revision="fef05cafc05298067cbbca00b125749394a77a6f",
    file="vocab.txt",
    size=231_508,
)

_TEXT: dict[str, Any] = {
    "vocab_size": 30524,
    "hidden_size": 768,
    "encoder_hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    # transformers' default of 8 and the early Hub files' silence both give wrong scores
    "num_attention_heads": 12,
    "max_position_embeddings": 512,
}
_VISION: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "patch_size": 16,
}
ITM_LARGE: dict[str, Any] = {
    "image_text_hidden_size": 256,
    "text_config": _TEXT,
    "vision_config": {**_VISION, "image_size": 384, "layer_norm_eps": 1e-5},
}
IMAGE_REWARD: dict[str, Any] = {
    "text_config": _TEXT,
    "vision_config": {**_VISION, "image_size": 224, "layer_norm_eps": 1e-6},
}

IMAGE_REWARD_NAMES = {
    r"blip\.visual_encoder\.cls_token": "vision_model.embeddings.class_embedding",
    r"blip\.visual_encoder\.pos_embed": "vision_model.embeddings.position_embedding",
    r"blip\.visual_encoder\.patch_embed\.proj": "vision_model.embeddings.patch_embedding",
    r"blip\.visual_encoder\.blocks\.(\d+)\.norm": r"vision_model.encoder.layers.\1.layer_norm",
    r"blip\.visual_encoder\.blocks\.(\d+)\.attn\.qkv": (
        r"vision_model.encoder.layers.\1.self_attn.qkv"
    ),
    r"blip\.visual_encoder\.blocks\.(\d+)\.attn\.proj": (
        r"vision_model.encoder.layers.\1.self_attn.projection"
    ),
    r"blip\.visual_encoder\.blocks\.": "vision_model.encoder.layers.",
    r"blip\.visual_encoder\.norm": "vision_model.post_layernorm",
    r"blip\.text_encoder\.": "text_encoder.",
    r"mlp\.layers\.": "head.",
}
# of the tuned BLIP, but without a part in the score
IMAGE_REWARD_UNUSED = (r"blip\.(vision|text)_proj\..*", r".*\.position_ids", r"blip\.temp")

IMAGE_REWARD_MEAN, IMAGE_REWARD_STD = 0.16717362830052426, 1.0333394966054072


class BlipReward(Reader):
    """score = link(head(first output token of the text encoder that attends to the image)).

    Image features are all output tokens of the vision tower; the text encoder runs once for each
    (image, prompt).

    Args:
        model: Has `vision_model` and `text_encoder`.
        setup: As `ReaderSetup`.
    """

    def __init__(self, *, model: Any, **setup: Unpack[ReaderSetup]) -> None:
        super().__init__(dtype=next(model.parameters()).dtype, **setup)
        self._model = model

    @abstractmethod
    def link(self, first: torch.Tensor) -> torch.Tensor:
        """Scores (n,) from the first output tokens (n, width)."""

    def encode_images(self, images: Sequence[torch.Tensor]) -> Sequence[ImageTokens]:
        """Tokens (1 + patches, width) of each image, on the device."""
        with torch.inference_mode():
            return list(self._model.vision_model(self.placed(images)).last_hidden_state)

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Ids]:
        """Ids of each prompt."""
        return self.ids(prompts)

    def combine(self, images: Sequence[ImageTokens], prompts: Sequence[Ids]) -> Scores:
        """Run the text encoder; padding is masked, so it has no say in a score."""
        with torch.inference_mode():
            ids, mask = self._tokens.padded(prompts, self._device)
            read_tokens = self._model.text_encoder(
                input_ids=ids, attention_mask=mask, encoder_hidden_states=torch.stack(list(images))
            ).last_hidden_state
            scores: Scores = self.link(read_tokens[:, 0]).double().cpu().numpy()
        return scores


class BlipMatch(BlipReward):
    """Probability of "match" out of the two logits of BLIP's matching head."""

    def link(self, first: torch.Tensor) -> torch.Tensor:
        """Softmax of the two logits, in float32; the second is "match"."""
        return self._model.itm_head(first).float().softmax(dim=-1)[:, 1]


class ImageReward(BlipReward):
    """Standardised output of a regression head, near unit normal on its training data."""

    def link(self, first: torch.Tensor) -> torch.Tensor:
        """(head - mean) / std, with the published constants."""
        return (self._model.head(first)[:, 0].float() - IMAGE_REWARD_MEAN) / IMAGE_REWARD_STD


class CycleReward(BlipReward):
    """The bare output of a regression head with activations."""

    def link(self, first: torch.Tensor) -> torch.Tensor:
        """The head, unscaled."""
        output: torch.Tensor = self._model.head(first)[:, 0].float()
        return output


Headed = TypeVar("Headed", bound=BlipReward)


class _HeadedModel(nn.Module):  # type: ignore[misc]  # torch is untyped to mypy here
    def __init__(self, config: BlipConfig, head: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.vision_model = BlipVisionModel(config.vision_config)
        self.text_encoder = BlipTextModel(config.text_config, add_pooling_layer=False)
        self.head = head(config.text_config.hidden_size)


def load_image_reward(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = IMAGE_REWARD
) -> ImageReward:
    """ImageReward (Xu et al., NeurIPS 2023).

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: Local file or folder (with `vocab.txt` beside it, or that comes from the Hub);
            None: the official ones.
        architecture: Sizes in the words of transformers' BlipConfig.
    """
    return _with_head(ImageReward, regression_head, 35, row, device, dtype, weights, architecture)


def load_cycle_reward(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = IMAGE_REWARD
) -> CycleReward:
    """CycleReward (Bahng et al., ICCV 2025): ImageReward's network, another head, 128 tokens.

    Arguments as `load_image_reward`.
    """
    return _with_head(CycleReward, _gelu_head, 128, row, device, dtype, weights, architecture)


def _gelu_head(width: int) -> nn.Module:
    return linear_layers((width, 1024, 128, 64, 16, 1), between=nn.GELU)


def _with_head(
    kind: type[Headed],
    head: Callable[[int], nn.Module],
    limit: int,
    row: RewardRow,
    device: str,
    dtype: str,
    weights: Local,
    architecture: Sizes,
) -> Headed:
    found = obtain(row.weights, local=weights, name=row.name)
    config = BlipConfig(**architecture)
    with unfilled():
        model = _HeadedModel(config, head)
    fill(
        model,
        renamed(read(found.path), IMAGE_REWARD_NAMES),
        origin=found.path,
        device=device,
        dtype=torch_dtype(dtype),
        ignore=IMAGE_REWARD_UNUSED,
    )
    vocabulary = companion(BERT_VOCABULARY, local=weights)
    return kind(
        name=row.name,
        model=model,
        tokens=bert_tokens(vocabulary.path, limit=limit),
        transform=ImageTransform(size=config.vision_config.image_size, fit="crop"),
        device=device,
        identity={**found.identity, "vocabulary": vocabulary.identity},
    )


def load_itm(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = ITM_LARGE
) -> BlipMatch:
    """BLIP-L image-text matching (Li et al., ICML 2022), prompts uncut as transformers reads them.

    Arguments as `load_image_reward`.
    """
    return match_model(
        row.name,
        found=obtain(row.weights, local=weights, name=row.name),
        vocabulary=companion(BERT_VOCABULARY, local=weights),
        architecture=architecture,
        device=device,
        dtype=dtype,
    )


def match_model(
    name: str,
    *,
    found: Obtained,
    vocabulary: Obtained,
    architecture: Mapping[str, Any],
    device: str,
    dtype: str,
) -> BlipMatch:
    """A BlipForImageTextRetrieval of any size as a reward model."""
    config = BlipConfig(**architecture)
    with unfilled():
        model = BlipForImageTextRetrieval(config)
    fill(
        model,
        read(found.path),
        origin=found.path,
        device=device,
        dtype=torch_dtype(dtype),
        ignore=(r".*\.position_ids",),
    )
    return BlipMatch(
        name=name,
        model=model,
        tokens=bert_tokens(vocabulary.path, limit=config.text_config.max_position_embeddings),
        transform=ImageTransform(size=config.vision_config.image_size, fit="squash"),
        device=device,
        identity={**found.identity, "vocabulary": vocabulary.identity},
    )
