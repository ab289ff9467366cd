"""HPS v1, HPSv2.0, HPSv2.1, PickScore, CLIP-L, CLIP-H: one dual encoder, six compositions."""

from __future__ import annotations

from typing import Any, Literal

import open_clip
from transformers import CLIPConfig, CLIPModel

from aas_bench.rewards.dual import DualEncoder, OpenClipTowers, TransformersTowers
from aas_bench.rewards.facts import Local, RewardRow, Sizes
from aas_bench.rewards.fetch import obtain
from aas_bench.rewards.lora import adapter_in, based_on, merge
from aas_bench.rewards.pixels import ImageTransform
from aas_bench.rewards.tokens import clip_tokens, open_clip_tokens
from aas_bench.rewards.weights import fill, read, torch_dtype, unfilled

# open_clip's ViT-L-14 without "quickgelu" loads OpenAI weights without complaint and scores wrongly
OPEN_CLIP_L: dict[str, Any] = open_clip.get_model_config("ViT-L-14-quickgelu")
OPEN_CLIP_H: dict[str, Any] = open_clip.get_model_config("ViT-H-14")

TEXT_ENDS = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407}
CLIP_L: dict[str, Any] = {
    "projection_dim": 768,
    "text_config": {
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "hidden_act": "quick_gelu",
        **TEXT_ENDS,
    },
    "vision_config": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "patch_size": 14,
        "hidden_act": "quick_gelu",
    },
}
CLIP_H: dict[str, Any] = {
    "projection_dim": 1024,
    "text_config": {
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "hidden_act": "gelu",
        **TEXT_ENDS,
    },
    "vision_config": {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 16,
        "patch_size": 14,
        "hidden_act": "gelu",
    },
}

OPENAI_PIXELS = ImageTransform(size=224, fit="crop")
TRANSFORMERS_PIXELS = ImageTransform(size=224, fit="crop-floor")
HPSV2_PIXELS = ImageTransform(size=224, fit="pad")


def load_hps(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = OPEN_CLIP_L
) -> DualEncoder:
    """HPS v1: cosine of a tuned OpenAI ViT-L/14 (Wu et al., ICCV 2023).

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: Local file or folder; None: the official ones.
        architecture: Sizes in open_clip's words.
    """
    return _with_open_clip(row, device, dtype, weights, architecture, OPENAI_PIXELS, "cosine")


def load_hpsv2(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = OPEN_CLIP_H
) -> DualEncoder:
    """HPSv2.0 and 2.1: cosine of a tuned ViT-H/14, images padded to a square.

    The official code resizes a float tensor and names no library version. Antialiasing, on by
    default since torchvision 0.17, is on here. Arguments as `load_hps`.
    """
    return _with_open_clip(row, device, dtype, weights, architecture, HPSV2_PIXELS, "cosine")


def load_clip_h(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = OPEN_CLIP_H
) -> DualEncoder:
    """LAION's CLIP ViT-H/14, the model that HPSv2, PickScore and MPS were tuned from.

    Arguments as `load_hps`.
    """
    return _with_open_clip(row, device, dtype, weights, architecture, OPENAI_PIXELS, "logit")


def load_pickscore(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = CLIP_H
) -> DualEncoder:
    """PickScore: exp(logit_scale) * cosine, before any softmax (Kirstain et al., NeurIPS 2023).

    Arguments as `load_hps`; `architecture` in the words of transformers' CLIPConfig.
    """
    return _with_transformers(row, device, dtype, weights, architecture)


def load_clip_l(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = CLIP_L
) -> DualEncoder:
    """OpenAI CLIP ViT-L/14: exp(logit_scale) * cosine (Radford et al., ICML 2021).

    Arguments as `load_pickscore`.
    """
    return _with_transformers(row, device, dtype, weights, architecture)


def _with_open_clip(
    row: RewardRow,
    device: str,
    dtype: str,
    weights: Local,
    architecture: Sizes,
    transform: ImageTransform,
    unit: Literal["cosine", "logit"],
) -> DualEncoder:
    found = obtain(row.weights, local=weights, name=row.name)
    with unfilled():
        model = open_clip.CLIP(**architecture)
    state = read(found.path)
    fill(model, state, origin=found.path, device=device, dtype=torch_dtype(dtype))
    return DualEncoder(
        name=row.name,
        towers=OpenClipTowers(model),
        tokens=open_clip_tokens(),
        transform=transform,
        unit=unit,
        device=device,
        identity=found.identity,
    )


def _with_transformers(
    row: RewardRow, device: str, dtype: str, weights: Local, architecture: Sizes
) -> DualEncoder:
    adapter = adapter_in(weights)
    official, local = based_on(adapter, row.weights) if adapter else (row.weights, weights)
    found = obtain(official, local=local, name=row.name)
    with unfilled():
        model = CLIPModel(CLIPConfig(**architecture))
    fill(
        model,
        read(found.path),
        origin=found.path,
        device=device,
        dtype=torch_dtype(dtype),
        ignore=(r".*\.position_ids",),
    )
    if adapter:
        model = merge(model, adapter)
    return DualEncoder(
        name=row.name,
        towers=TransformersTowers(model),
        tokens=clip_tokens(),
        transform=TRANSFORMERS_PIXELS,
        unit="logit",
        device=device,
        identity=found.identity | (adapter.identity if adapter else {}),
    )
