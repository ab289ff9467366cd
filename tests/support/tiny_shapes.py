"""The sizes of the tiny models, and what their files have in common."""

from __future__ import annotations

import string
from pathlib import Path

import torch
from support import golden_weights as made

VISION, TEXT, PATCH = (64, 2), (32, 2), 56
OPEN_CLIP = {
    "embed_dim": 32,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 224, "layers": 2, "width": 64, "head_width": 16, "patch_size": 56},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
CLIP = {
    "projection_dim": 32,
    "text_config": {
        "hidden_size": 32,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "bos_token_id": 49406,
        "eos_token_id": 49407,
        "pad_token_id": 49407,
    },
    "vision_config": {
        "hidden_size": 64,
        "intermediate_size": 256,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "patch_size": 56,
    },
}
BLIP_TEXT = {
    "vocab_size": 30524,
    "hidden_size": 24,
    "encoder_hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
BLIP_VISION = {
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "patch_size": 16,
    "image_size": 64,
}
MPS = {
    "clip": CLIP,
    "cross": {"width": 32, "layers": 2, "heads": 4, "head_width": 8, "ff_mult": 4},
}
QWEN_TEXT = {
    "vocab_size": 151658,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [1, 1, 2]},
}
QWEN_VISION = {
    "depth": 1,
    "embed_dim": 16,
    "hidden_size": 32,
    "num_heads": 2,
    "mlp_ratio": 4,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}


def write_vocabulary(path: Path) -> Path:
    """A BERT vocabulary of single characters, with the special tokens where BERT has them."""
    words = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    signs = string.ascii_lowercase + string.digits + string.punctuation
    words += [*signs, *(f"##{sign}" for sign in signs)]
    path.write_text("\n".join(words) + "\n", encoding="utf-8")
    return path


def tensors(named: made.Named) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(made.value(name, shape)) for name, shape in named}
