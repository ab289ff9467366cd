"""Value Sign Flip for Flux: keep a negative prompt out within one forward pass.

The tokens of the negative prompt, N, ride behind those of the prompt, P, in the joint attention
over text and image tokens I. A copy N' of N's keys is appended whose values are those of N times
-scale, so that image tokens which attend to what should be absent have it subtracted.

Source: Guo and Du, Value Sign Flip, arXiv 2508.10931. Written from the description; the published
code for Flux deviates from it, and `published=True` reproduces that instead (see `published_mask`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

from aas_bench.generators.settings import ValueSignFlip

POOLED_EXTRAPOLATION = 1.1


def intended_mask(n_prompt: int, n_negative: int, n_image: int, offset: float) -> torch.Tensor:
    """Additive attention mask; rows are the queries P, N, I and columns the keys P, N, I, N'.

    Only image tokens see N', with `offset` added to the logits; N itself is seen by N alone,
    which in turn sees itself and the image but not P. At offset = -inf the image is therefore
    that of the prompt without the negative one. A scale of 0 is not neutral: N' keeps its share
    of the softmax.

    Returns:
        Shape (P + N + I, P + N + I + N), float32, values 0, `offset` and -inf.
    """
    n_text = n_prompt + n_negative
    total = n_text + n_image
    negative = slice(n_prompt, n_text)
    mask = torch.zeros(total, total + n_negative)
    mask[:, negative] = -torch.inf
    mask[negative, negative] = 0.0
    mask[negative, :n_prompt] = -torch.inf
    mask[:n_text, total:] = -torch.inf
    mask[n_text:, total:] = offset
    return mask


def published_mask(n_prompt: int, n_negative: int, n_image: int) -> torch.Tensor:
    """The mask of the published Flux code, whose indices are all |N| too far.

    N does not see text; text does not see the first |N| image tokens; text and the first |N|
    image tokens do not see the next |N|. So everything else sees both N and N': a net weight of
    1 - scale on the negative prompt's values.

    Returns:
        Shape and columns as in `intended_mask`; values 0 and -inf.
    """
    n_text = n_prompt + n_negative
    total = n_text + n_image
    after, beyond = n_text + n_negative, n_text + 2 * n_negative
    mask = torch.zeros(total, total + n_negative)
    mask[n_prompt:n_text, :n_text] = -torch.inf
    mask[:n_text, n_text:after] = -torch.inf
    mask[:after, after:beyond] = -torch.inf
    return mask


class FlippedAttention:
    """Attention processor for both kinds of Flux block; text tokens come first in both.

    Args:
        negative: Positions of N in the sequence.
        scale: Factor on the flipped values.
        mask: Additive mask over (queries, keys), on the device and in the dtype of the model.
    """

    def __init__(self, *, negative: slice, scale: float, mask: torch.Tensor) -> None:
        self.negative, self.scale, self.mask = negative, scale, mask

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        image_rotary_emb: tuple[torch.Tensor, torch.Tensor] | None = None,
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Attend; the signature is that of diffusers' processors, tensors (batch, tokens, dim)."""
        from diffusers.models.embeddings import apply_rotary_emb

        def heads(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.unflatten(-1, (-1, attn.head_dim))

        text = encoder_hidden_states
        query = attn.norm_q(heads(attn.to_q(hidden_states)))
        key = attn.norm_k(heads(attn.to_k(hidden_states)))
        value = heads(attn.to_v(hidden_states))
        if text is not None:
            query = torch.cat([attn.norm_added_q(heads(attn.add_q_proj(text))), query], dim=1)
            key = torch.cat([attn.norm_added_k(heads(attn.add_k_proj(text))), key], dim=1)
            value = torch.cat([heads(attn.add_v_proj(text)), value], dim=1)
        if image_rotary_emb is not None:
            query = apply_rotary_emb(query, image_rotary_emb, sequence_dim=1)
            key = apply_rotary_emb(key, image_rotary_emb, sequence_dim=1)
        key = torch.cat([key, key[:, self.negative]], dim=1)
        value = torch.cat([value, -self.scale * value[:, self.negative]], dim=1)
        attended = scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), attn_mask=self.mask
        )
        attended = attended.transpose(1, 2).flatten(2).to(query.dtype)
        if text is None:
            return attended
        n_text = text.shape[1]
        return (
            attn.to_out[1](attn.to_out[0](attended[:, n_text:].contiguous())),
            attn.to_add_out(attended[:, :n_text].contiguous()),
        )


@torch.no_grad()  # type: ignore[untyped-decorator]
def encode(
    pipe: Any, prompt: str, negative: str, flip: ValueSignFlip, max_length: int
) -> tuple[dict[str, torch.Tensor], int]:
    """Text arguments of a Flux call that carries both prompts.

    Args:
        pipe: A Flux pipeline.
        prompt: What to show; padded to `max_length` tokens.
        negative: What to keep out; not padded, so that its length differs by prompt.
        flip: The flip's settings.
        max_length: T5 tokens of either prompt at most.

    Returns:
        `prompt_embeds` (1, |P| + |N|, dim) with `pooled_prompt_embeds`, and |N|.
    """
    device = pipe._execution_device
    positive, pooled, _ = pipe.encode_prompt(
        prompt=[prompt], prompt_2=[prompt], device=device, max_sequence_length=max_length
    )
    ids = pipe.tokenizer_2(
        [negative], truncation=True, max_length=max_length, return_tensors="pt"
    ).input_ids
    unwanted = pipe.text_encoder_2(ids.to(device))[0].to(device=device, dtype=positive.dtype)
    if flip.published:
        _, other, _ = pipe.encode_prompt(
            prompt=[negative], prompt_2=[negative], device=device, max_sequence_length=max_length
        )
        pooled = other + POOLED_EXTRAPOLATION * (pooled - other)
    embeds = torch.cat([positive, unwanted], dim=1)
    return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}, unwanted.shape[1]


@contextmanager
def flipped_values(
    pipe: Any, flip: ValueSignFlip, *, n_text: int, n_negative: int, n_image: int
) -> Iterator[None]:
    """Run the block with flipped attention, then put the stock processors back.

    Both kinds of block are changed, or only the double-stream ones with `flip.published`.

    Args:
        pipe: A Flux pipeline.
        flip: Scale, offset and which construction.
        n_text: Text tokens, |P| + |N|.
        n_negative: |N|, the last of them.
        n_image: Image tokens.
    """
    n_prompt = n_text - n_negative
    transformer = pipe.transformer
    blocks = list(transformer.transformer_blocks)
    if flip.published:
        mask = published_mask(n_prompt, n_negative, n_image)
    else:
        blocks += transformer.single_transformer_blocks
        mask = intended_mask(n_prompt, n_negative, n_image, flip.offset)
    processor = FlippedAttention(
        negative=slice(n_prompt, n_text),
        scale=flip.scale,
        mask=mask.to(device=pipe._execution_device, dtype=transformer.dtype),
    )
    stock = [block.attn.processor for block in blocks]
    try:
        for block in blocks:
            block.attn.set_processor(processor)
        yield
    finally:
        for block, old in zip(blocks, stock, strict=True):
            block.attn.set_processor(old)
