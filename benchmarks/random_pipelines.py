"""Pipelines of published sizes with random weights, and small ones of the same classes.

Built from configurations, so nothing is downloaded; what they draw is noise.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from transformers.convert_slow_tokenizer import bytes_to_unicode


@dataclass(frozen=True)
class Sizes:
    """What differs between the published architecture and a small one of the same class."""

    clip: dict[str, int]
    text: dict[str, int]
    """The second text encoder: OpenCLIP's bigG for SDXL, T5-XXL for FLUX.1."""
    denoiser: dict[str, Any]
    vae: dict[str, Any]


CLIP_L = {
    "hidden_size": 768,
    "projection_dim": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "vocab_size": 49408,
}
TINY_CLIP = {
    "hidden_size": 32,
    "projection_dim": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "vocab_size": 514,
}
VAE = {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "norm_num_groups": 32}
TINY_VAE = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4}

SDXL = Sizes(
    clip=CLIP_L,
    text={
        "hidden_size": 1280,
        "projection_dim": 1280,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "intermediate_size": 5120,
        "vocab_size": 49408,
    },
    denoiser={
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 2,
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    vae=VAE,
)
TINY_SDXL = Sizes(
    clip=TINY_CLIP,
    text=TINY_CLIP,
    denoiser={
        "sample_size": 16,
        "block_out_channels": (8, 16),
        "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 1,
        "transformer_layers_per_block": (1, 1),
        "attention_head_dim": (1, 2),
        "cross_attention_dim": 64,
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 80,
    },
    vae=TINY_VAE,
)
FLUX = Sizes(
    clip=CLIP_L,
    text={
        "d_model": 4096,
        "d_kv": 64,
        "d_ff": 10240,
        "num_layers": 24,
        "num_heads": 64,
        "vocab_size": 32128,
    },
    denoiser={
        "num_layers": 19,
        "num_single_layers": 38,
        "attention_head_dim": 128,
        "num_attention_heads": 24,
        "joint_attention_dim": 4096,
        "pooled_projection_dim": 768,
        "axes_dims_rope": (16, 56, 56),
    },
    vae=VAE,
)
TINY_FLUX = Sizes(
    clip=TINY_CLIP,
    text={
        "d_model": 32,
        "d_kv": 8,
        "d_ff": 37,
        "num_layers": 2,
        "num_heads": 4,
        "vocab_size": 98,
    },
    denoiser={
        "num_layers": 1,
        "num_single_layers": 1,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "joint_attention_dim": 32,
        "pooled_projection_dim": 32,
        "axes_dims_rope": (4, 4, 8),
    },
    vae=TINY_VAE,
)


def clip_tokenizer() -> Any:
    """One token a letter; the vocabulary of the encoder may be larger."""
    from transformers import CLIPTokenizer

    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(f"{each}</w>" for each in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=77
    )


def t5_tokenizer() -> Any:
    """One token a letter."""
    from transformers import T5Tokenizer

    visible = string.ascii_letters + string.digits + string.punctuation
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    pieces += [(letter, -3.0) for letter in visible]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)


def clip_encoder(tokenizer: Any, sizes: dict[str, int], *, projection: bool) -> Any:
    """A CLIP text encoder that knows the tokenizer's special tokens."""
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    special = {
        name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")
    }
    kind = CLIPTextModelWithProjection if projection else CLIPTextModel
    return kind(CLIPTextConfig(max_position_embeddings=77, **special, **sizes))


def autoencoder(sizes: dict[str, Any], **options: Any) -> Any:
    """The image decoder."""
    from diffusers import AutoencoderKL

    blocks = len(sizes["block_out_channels"])
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * blocks,
        up_block_types=("UpDecoderBlock2D",) * blocks,
        **sizes,
        **options,
    )


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Weights are made in this precision at once, or FLUX.1 would need twice its size."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def scheduler(kind: Any, **options: Any) -> Any:
    """A scheduler, whose numbers stay on the CPU in float32 wherever the weights are made."""
    with torch.device("cpu"), default_dtype(torch.float32):
        return kind(**options)


def stable_diffusion_xl(sizes: Sizes) -> Any:
    """Stable Diffusion XL."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

    tokenizer = clip_tokenizer()
    return StableDiffusionXLPipeline(
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        text_encoder=clip_encoder(tokenizer, sizes.clip, projection=False),
        text_encoder_2=clip_encoder(tokenizer, sizes.text, projection=True),
        unet=UNet2DConditionModel(
            in_channels=4,
            out_channels=4,
            use_linear_projection=True,
            addition_embed_type="text_time",
            **sizes.denoiser,
        ),
        vae=autoencoder(sizes.vae, latent_channels=4, scaling_factor=0.13025),
        scheduler=scheduler(
            EulerDiscreteScheduler,
            beta_schedule="scaled_linear",
            beta_start=0.00085,
            beta_end=0.012,
            steps_offset=1,
        ),
        add_watermarker=False,
    )


def flux(sizes: Sizes) -> Any:
    """FLUX.1-dev."""
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import T5Config, T5EncoderModel

    tokenizer, config = clip_tokenizer(), T5Config(feed_forward_proj="gated-gelu", **sizes.text)
    return FluxPipeline(
        tokenizer=tokenizer,
        tokenizer_2=t5_tokenizer(),
        text_encoder=clip_encoder(tokenizer, sizes.clip, projection=False),
        text_encoder_2=T5EncoderModel(config),
        transformer=FluxTransformer2DModel(in_channels=64, guidance_embeds=True, **sizes.denoiser),
        vae=autoencoder(
            sizes.vae,
            latent_channels=16,
            scaling_factor=0.3611,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        scheduler=scheduler(FlowMatchEulerDiscreteScheduler, use_dynamic_shifting=True, shift=3.0),
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """A pipeline to measure, and the shipped submission whose settings it runs with."""

    build: Callable[[Sizes], Any]
    sizes: Sizes
    tiny: Sizes
    submission: str


CASES = {
    "sdxl": Case(
        build=stable_diffusion_xl, sizes=SDXL, tiny=TINY_SDXL, submission="stable_diffusion_xl"
    ),
    "flux.1-dev": Case(build=flux, sizes=FLUX, tiny=TINY_FLUX, submission="flux_dev"),
}
