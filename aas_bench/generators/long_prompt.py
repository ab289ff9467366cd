"""Prompts of any length for Stable Diffusion XL, whose text encoders read 77 tokens.

The prompt is cut into chunks of 75 tokens, each chunk is encoded on its own, and the encodings are
chained. No character has a special meaning: brackets and plus signs stay text. The pooled vector is
that of the first chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def count_chunks(pipe: Any, prompt: str) -> int:
    """How many chunks a prompt needs, at least 1."""
    return len(_chunks(pipe.tokenizer, prompt))


@torch.no_grad()  # type: ignore[untyped-decorator]
def encode(pipe: Any, prompts: Sequence[str], negative: str | None) -> dict[str, torch.Tensor]:
    """Text arguments of a Stable Diffusion XL call.

    Args:
        pipe: A Stable Diffusion XL pipeline.
        prompts: Prompts that need equally many chunks.
        negative: One negative prompt for all; None for what the pipeline does without one
            (zeros, or the empty prompt where its configuration says so).

    Returns:
        Prompt embeddings (prompts, 77 x chunks, dim) and pooled ones, positive and negative.
    """
    n_chunks = count_chunks(pipe, prompts[0])
    embeds, pooled = zip(*(_encode_one(pipe, prompt, n_chunks) for prompt in prompts), strict=True)
    arguments = {"prompt_embeds": torch.cat(embeds), "pooled_prompt_embeds": torch.cat(pooled)}
    if negative is None and pipe.config.force_zeros_for_empty_prompt:
        zeros = {f"negative_{name}": torch.zeros_like(x) for name, x in arguments.items()}
        return arguments | zeros
    against, against_pooled = _encode_one(pipe, negative or "", n_chunks)
    return arguments | {
        "negative_prompt_embeds": against.repeat(len(prompts), 1, 1),
        "negative_pooled_prompt_embeds": against_pooled.repeat(len(prompts), 1),
    }


def _encode_one(pipe: Any, prompt: str, n_chunks: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Encode to exactly `n_chunks` chunks: filled up with empty ones, or cut."""
    device = pipe._execution_device
    parts, pooled = [], torch.empty(0)
    pairs = ((pipe.tokenizer, pipe.text_encoder), (pipe.tokenizer_2, pipe.text_encoder_2))
    for tokenizer, encoder in pairs:
        chunks = _chunks(tokenizer, prompt)[:n_chunks]
        chunks += _chunks(tokenizer, "") * (n_chunks - len(chunks))
        output = encoder(torch.tensor(chunks, device=device), output_hidden_states=True)
        parts.append(output.hidden_states[-2].flatten(0, 1))
        pooled = output[0][:1]  # of the second encoder, the one with a projection
    return torch.cat(parts, dim=-1)[None], pooled


def _chunks(tokenizer: Any, prompt: str) -> list[list[int]]:
    ids = tokenizer(prompt, add_special_tokens=False, truncation=False, verbose=False).input_ids
    room = tokenizer.model_max_length - 2
    pieces = [ids[i : i + room] for i in range(0, len(ids), room)] or [[]]
    return [
        [tokenizer.bos_token_id, *piece, tokenizer.eos_token_id]
        + [tokenizer.pad_token_id] * (room - len(piece))
        for piece in pieces
    ]
