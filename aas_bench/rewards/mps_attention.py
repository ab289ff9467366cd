"""The part of MPS above CLIP: image tokens that read the prompt tokens which the condition keeps.

Module names are those of the published state dict.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

ROTARY_BASE = 10000.0


class PlainNorm(nn.LayerNorm):  # type: ignore[misc]  # torch is untyped to mypy here
    """LayerNorm with a gain; its bias is a buffer, zero in every published file."""

    def __init__(self, width: int) -> None:
        super().__init__(width, bias=False)
        del self._parameters["bias"]
        self.register_buffer("bias", torch.zeros(width))


def gated(doubled: torch.Tensor) -> torch.Tensor:
    """SwiGLU: the second half of the last dimension, through SiLU, gates the first."""
    value, gate = doubled.chunk(2, dim=-1)
    return functional.silu(gate) * value


class Gated(nn.Module):  # type: ignore[misc]
    """`gated` as a layer."""

    def forward(self, doubled: torch.Tensor) -> torch.Tensor:
        """Halve the last dimension."""
        return gated(doubled)


def one_key_attention(
    queries: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    """Several query heads against one shared key and value head.

    Args:
        queries: (n, length, heads, width).
        key: (n, source, width).
        value: (n, source, width).
        mask: (n, source) bool, True where the source may be read; None: everywhere.

    Returns:
        (n, length, heads * width).
    """
    heads = queries.shape[2]
    key, value = (part[:, None].expand(-1, heads, -1, -1) for part in (key, value))
    allowed = None if mask is None else mask[:, None, None]
    mixed = functional.scaled_dot_product_attention(queries.transpose(1, 2), key, value, allowed)
    return mixed.transpose(1, 2).flatten(2)


class CrossAttention(nn.Module):  # type: ignore[misc]
    """Image tokens attend to prompt tokens; a feed-forward branch runs beside it."""

    def __init__(self, width: int, heads: int, head_width: int, ff_mult: int) -> None:
        super().__init__()
        self.head_width = head_width
        self.norm = PlainNorm(width)
        self.to_q = nn.Linear(width, heads * head_width, bias=False)
        self.to_kv = nn.Linear(width, 2 * head_width, bias=False)
        self.to_out = nn.Linear(heads * head_width, width, bias=False)
        inner = ff_mult * width
        self.ff = nn.Sequential(
            nn.Linear(width, 2 * inner, bias=False), Gated(), nn.Linear(inner, width, bias=False)
        )

    def forward(
        self, images: torch.Tensor, prompts: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """The update of `images` (n, image tokens, width), to be added to them."""
        normed = self.norm(images)
        queries = self.to_q(normed).unflatten(-1, (-1, self.head_width))
        key, value = self.to_kv(prompts).chunk(2, dim=-1)
        read = one_key_attention(queries, key, value, mask)
        update: torch.Tensor = self.to_out(read) + self.ff(normed)
        return update


class RotaryFrequencies(nn.Module):  # type: ignore[misc]
    """Angles by position; its buffer is in the published state dict."""

    def __init__(self, width: int) -> None:
        super().__init__()
        steps = torch.arange(0, width, 2, dtype=torch.float32) / width
        self.register_buffer("inv_freq", 1 / ROTARY_BASE**steps)

    def forward(self, length: int) -> torch.Tensor:
        """(length, width) angles: the frequencies twice, side by side."""
        positions = torch.arange(length, device=self.inv_freq.device, dtype=torch.float32)
        return torch.outer(positions, self.inv_freq.float()).repeat(1, 2)


def rotated(tokens: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Rotate dimension i against dimension i + width/2 by the angle of the position."""
    first, second = tokens.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return tokens * angles.cos().to(tokens.dtype) + turned * angles.sin().to(tokens.dtype)


class ParallelBlock(nn.Module):  # type: ignore[misc]
    """Self-attention and feed-forward of the image tokens, side by side from one projection."""

    def __init__(self, width: int, heads: int, head_width: int, ff_mult: int) -> None:
        super().__init__()
        self.sizes = (heads * head_width, head_width, head_width, 2 * ff_mult * width)
        self.norm = PlainNorm(width)
        self.rotary_emb = RotaryFrequencies(head_width)
        self.fused_attn_ff_proj = nn.Linear(width, sum(self.sizes), bias=False)
        self.attn_out = nn.Linear(heads * head_width, width, bias=False)
        self.ff_out = nn.Sequential(Gated(), nn.Linear(ff_mult * width, width, bias=False))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The update of `images` (n, image tokens, width), to be added to them."""
        queries, key, value, ff = self.fused_attn_ff_proj(self.norm(images)).split(self.sizes, -1)
        angles = self.rotary_emb(images.shape[1])
        queries = rotated(queries.unflatten(-1, (-1, key.shape[-1])), angles[:, None])
        read = one_key_attention(queries, rotated(key, angles), value, None)
        update: torch.Tensor = self.attn_out(read) + self.ff_out(ff)
        return update


class _Residual(nn.Module):  # type: ignore[misc]
    def __init__(self, fn: nn.Module) -> None:
        super().__init__()
        self.fn = fn

    def forward(self, images: torch.Tensor, *context: torch.Tensor) -> torch.Tensor:
        return images + self.fn(images, *context)


class CrossModel(nn.Module):  # type: ignore[misc]
    """Layers of cross attention and parallel block, each added to its input."""

    def __init__(
        self, *, width: int, layers: int, heads: int, head_width: int, ff_mult: int
    ) -> None:
        super().__init__()
        sizes = (width, heads, head_width, ff_mult)
        self.layers = nn.ModuleList(
            nn.ModuleList((_Residual(CrossAttention(*sizes)), _Residual(ParallelBlock(*sizes))))
            for _ in range(layers)
        )

    def forward(
        self, images: torch.Tensor, prompts: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Image tokens that have read the prompts.

        Args:
            images: (n, image tokens, width).
            prompts: (n, prompt tokens, width).
            mask: (n, prompt tokens) bool, True where a prompt token may be read.
        """
        for cross, block in self.layers:
            images = block(cross(images, prompts, mask))
        return images
