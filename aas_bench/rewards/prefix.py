"""Read what two prompts share once: key/value caches that are cut, padded and continued.

A decoder that reads image first and prompt last does the same work for both prompts of an image up
to where the prompt begins. That prefix is run once; each prompt then continues from its cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import Cache, DynamicCache


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """The cache of one sequence, on the device.

    Attributes:
        keys: Per layer, (heads, length, width).
        values: As keys.
        next_position: Rotary position of the token that follows.
    """

    keys: tuple[torch.Tensor, ...]
    values: tuple[torch.Tensor, ...]
    next_position: int

    @property
    def length(self) -> int:
        """Tokens in the cache."""
        return int(self.keys[0].shape[1])


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """A batch of prompts ready to be run after their prefixes.

    Attributes:
        cache: The prefixes, padded on the right to the longest.
        ids: (n, longest suffix), padded on the right.
        positions: (n, longest suffix) rotary positions.
        mask: (n, 1, suffix, prefix + suffix), 0 where a token may look and a large negative
            number elsewhere: at padding, and ahead.
        last: (n,) index of the last real token of each suffix.
    """

    cache: Cache
    ids: torch.Tensor
    positions: torch.Tensor
    mask: torch.Tensor
    last: torch.Tensor


def split(cache: Cache, lengths: Sequence[int], next_positions: Sequence[int]) -> list[Prefix]:
    """One Prefix per sequence of a batch that was padded on the right.

    Args:
        cache: What the batch left behind.
        lengths: Real tokens of each sequence.
        next_positions: Rotary position after each sequence.
    """
    return [
        Prefix(
            keys=tuple(layer.keys[row, :, :length].clone() for layer in cache.layers),
            values=tuple(layer.values[row, :, :length].clone() for layer in cache.layers),
            next_position=position,
        )
        for row, (length, position) in enumerate(zip(lengths, next_positions, strict=True))
    ]


def continue_from(
    prefixes: Sequence[Prefix], suffixes: Sequence[Sequence[int]], *, pad: int
) -> Continuation:
    """Put suffix i after prefix i, for a whole batch.

    Args:
        prefixes: Of any lengths; the same one may occur more than once.
        suffixes: Token ids of any lengths, none empty.
        pad: The id that fills up shorter suffixes.
    """
    first = prefixes[0].keys[0]
    device, dtype = first.device, first.dtype
    held = torch.tensor([prefix.length for prefix in prefixes], device=device)
    lengths = torch.tensor([len(suffix) for suffix in suffixes], device=device)
    longest_held, longest = int(held.max()), int(lengths.max())
    ids = torch.tensor([[*s, *[pad] * (longest - len(s))] for s in suffixes], device=device)
    steps = torch.arange(longest, device=device)
    after = torch.tensor([prefix.next_position for prefix in prefixes], device=device)

    in_prefix = torch.arange(longest_held, device=device) < held[:, None]
    causal = steps[:, None] >= steps
    seen = torch.cat(
        (
            in_prefix[:, None].expand(-1, longest, -1),
            causal.expand(len(suffixes), -1, -1),
        ),
        dim=-1,
    )
    mask = torch.zeros(seen.shape, device=device, dtype=dtype)
    mask.masked_fill_(~seen, torch.finfo(dtype).min)
    return Continuation(
        cache=_batched(prefixes, longest_held),
        ids=ids,
        positions=after[:, None] + steps,
        mask=mask[:, None],
        last=lengths - 1,
    )


def _batched(prefixes: Sequence[Prefix], longest: int) -> Cache:
    def padded(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        rows = [torch.nn.functional.pad(t, (0, 0, 0, longest - t.shape[1])) for t in tensors]
        return torch.stack(rows)

    cache = DynamicCache()
    for layer in range(len(prefixes[0].keys)):
        keys = padded([prefix.keys[layer] for prefix in prefixes])
        values = padded([prefix.values[layer] for prefix in prefixes])
        cache.update(keys, values, layer)
    return cache
