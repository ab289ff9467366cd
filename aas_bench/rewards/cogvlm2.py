"""CogVLM2 (Llama 3 with an expert for pictures in every layer) as VisionReward's checkpoint has it.

One sequence at a time and no batch: what several texts share is run once, and texts that follow
the same beginning are laid one behind the other under a mask that keeps them apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch import nn
from torch.nn.functional import gelu, scaled_dot_product_attention, silu

from aas_bench.errors import InputError

Tape: TypeAlias = list[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of each layer, (heads, tokens, width of a head): what was read so far."""

MERGE: Final = 2
"""Patches along a side that become one token."""

ROTARY_BASE: Final = 500000.0
"""Of Llama 3."""

NAMES: Final = {
    r"mixins\.eva\.vit_model\.mixins\.patch_embedding\.": "tower.",
    r"mixins\.eva\.vit_model\.transformer\.(layers\.\d+\.)(?:attention|mlp)\.": r"tower.\1",
    r"mixins\.eva\.vit_model\.transformer\.": "tower.",
    r"mixins\.eva\.": "",
    r"mixins\.lm\.": "",
    r"mixins\.rotary\.rotary_emb\.": "",
    r"mixins\.rotary\.vision_(query_key_value|dense)_list\.(\d+)\.": r"layers.\2.vision.\1.",
    r"mixins\.mlp\.vision_(dense_h_to_4h|dense_4h_to_h)_list\.(\d+)\.": r"layers.\2.vision.\1.",
    r"mixins\.mlp\.vision_gate_proj\.(\d+)\.": r"layers.\1.vision.gate_proj.",
    r"mixins\.mlp\.gate_proj\.(\d+)\.": r"layers.\1.language.gate_proj.",
    r"transformer\.(layers\.\d+\.)(?:attention|mlp)\.": r"\1language.",
    r"transformer\.": "",
}
"""From the names of the checkpoint to those of `CogVlm2`."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What the settings of a checkpoint say of it.

    Attributes:
        words: Rows of the table of words.
        width: Of a token's state.
        inner: Of the gated layer.
        layers: How many.
        heads: Of queries.
        shared: Heads of keys and values.
        eps: Of the norms.
        bias: Of the language expert's layers.
        bias_qkv: Of its queries, keys and values.
        seen: Tokens that stand for an image.
        tower: The settings of the vision tower, in their maker's words.
    """

    words: int
    width: int
    inner: int
    layers: int
    heads: int
    shared: int
    eps: float
    bias: bool
    bias_qkv: bool
    seen: int
    tower: dict[str, Any]

    @property
    def side(self) -> int:
        """Of the image, in pixels."""
        return int(self.tower["image_size"][0])

    def turns(self) -> torch.Tensor:
        """Radians by which each pair of a head turns from one position to the next."""
        each = self.width // self.heads
        turned: torch.Tensor = ROTARY_BASE ** -(torch.arange(0, each, 2) / each)
        return turned


def sizes_of(told: Mapping[str, Any], origin: Path) -> Sizes:
    """The sizes that a `model_config.json` of SwissArmyTransformer tells, with its defaults.

    Args:
        told: The settings.
        origin: Where they stand, for the message.

    Raises:
        InputError: One is missing, or they describe another kind of model.
    """
    try:
        tower = dict(told["eva_args"])
        heads = int(told["num_attention_heads"])
        bias = bool(told.get("use_bias", True))
        sizes = Sizes(
            words=int(told["vocab_size"]),
            width=int(told["hidden_size"]),
            inner=int(told["inner_hidden_size"]),
            layers=int(told["num_layers"]),
            heads=heads,
            shared=int(told.get("num_multi_query_heads") or heads),
            eps=float(told.get("layernorm_epsilon", 1e-5)),
            bias=bias,
            bias_qkv=bias or bool(told.get("use_qkv_bias", False)),
            seen=int(told["image_length"]),
            tower={
                **tower,
                **{n: int(tower[n]) for n in ("hidden_size", "inner_hidden_size", "patch_size")},
                **{n: int(tower[n]) for n in ("num_layers", "num_attention_heads")},
                "image_size": [int(side) for side in tower["image_size"]],
                "layernorm_epsilon": float(tower.get("layernorm_epsilon", 1e-5)),
            },
        )
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{origin} does not describe CogVLM2 ({type(error).__name__}: {error}). Give the "
        raise InputError(f"{msg}folder that its makers' archive unpacks to.") from error
    grid = sizes.side // (sizes.tower["patch_size"] * MERGE)
    if sizes.seen != grid**2 or told.get("layernorm_order", "pre") != "pre":
        msg = f"{origin} describes another model than VisionReward's (CogVLM2 on Llama 3)."
        raise InputError(f"{msg} Give the folder that its makers' archive unpacks to.")
    return sizes


class Tower(nn.Module):  # type: ignore[misc]  # torch is untyped to mypy here
    """EVA2-CLIP: a vision transformer that normalises what each block adds."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        super().__init__()
        width, patch = told["hidden_size"], told["patch_size"]
        patches = (told["image_size"][0] // patch) * (told["image_size"][1] // patch)
        self.proj = nn.Conv2d(3, width, patch, stride=patch)
        self.word_embeddings = nn.Embedding(1, width)
        self.position_embeddings = nn.Embedding(1 + patches, width)
        self.layers = nn.ModuleList(TowerLayer(told) for _ in range(told["num_layers"]))
        last = told.get("use_final_layernorm", True)
        self.final_layernorm = nn.LayerNorm(width, told["layernorm_epsilon"]) if last else None

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """States (patches, width) of the patches of one image (3, side, side)."""
        patches = self.proj(pixels[None])[0].flatten(1).T
        states = torch.cat((self.word_embeddings.weight, patches)) + self.position_embeddings.weight
        for layer in self.layers:
            states = layer(states)
        return (self.final_layernorm(states) if self.final_layernorm else states)[1:]


class TowerLayer(nn.Module):  # type: ignore[misc]
    """Attention, then two layers with GELU; each is normalised before it is added."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        super().__init__()
        width, inner = told["hidden_size"], told["inner_hidden_size"]
        eps = told["layernorm_epsilon"]
        self.heads = told["num_attention_heads"]
        self.query_key_value = nn.Linear(width, 3 * width)
        self.dense = nn.Linear(width, width)
        self.input_layernorm = nn.LayerNorm(width, eps=eps)
        self.dense_h_to_4h = nn.Linear(width, inner)
        self.dense_4h_to_h = nn.Linear(inner, width)
        self.post_attention_layernorm = nn.LayerNorm(width, eps=eps)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States (tokens, width) after the layer."""
        q, k, v = (_by_head(t, self.heads) for t in self.query_key_value(states).chunk(3, -1))
        attended = scaled_dot_product_attention(q[None], k[None], v[None])[0]
        states = states + self.input_layernorm(self.dense(_joined(attended)))
        read = self.dense_4h_to_h(gelu(self.dense_h_to_4h(states)))
        return states + self.post_attention_layernorm(read)


class Adapter(nn.Module):  # type: ignore[misc]
    """From merged patches to the language model's width."""

    def __init__(self, into: int, width: int, inner: int) -> None:
        super().__init__()
        self.linear_proj = nn.Linear(into, width, bias=False)
        self.norm1 = nn.LayerNorm(width)
        self.dense_h_to_4h = nn.Linear(width, inner, bias=False)
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.dense_4h_to_h = nn.Linear(inner, width, bias=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """(tokens, into) -> (tokens, width)."""
        states = gelu(self.norm1(self.linear_proj(states)))
        return self.dense_4h_to_h(silu(self.gate_proj(states)) * self.dense_h_to_4h(states))


class Expert(nn.Module):  # type: ignore[misc]
    """The weights of one layer for one kind of token."""

    def __init__(self, sizes: Sizes, *, bias: bool, bias_qkv: bool) -> None:
        super().__init__()
        width, inner = sizes.width, sizes.inner
        together = width + 2 * sizes.shared * (width // sizes.heads)
        self.query_key_value = nn.Linear(width, together, bias=bias_qkv)
        self.dense = nn.Linear(width, width, bias=bias)
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.dense_h_to_4h = nn.Linear(width, inner, bias=bias)
        self.dense_4h_to_h = nn.Linear(inner, width, bias=bias)

    def gated(self, states: torch.Tensor) -> torch.Tensor:
        """The two layers after attention."""
        return self.dense_4h_to_h(silu(self.gate_proj(states)) * self.dense_h_to_4h(states))


class Layer(nn.Module):  # type: ignore[misc]
    """A layer of Llama in which tokens of a picture have weights of their own."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.heads, self.shared = sizes.heads, sizes.shared
        self.input_layernorm = nn.RMSNorm(sizes.width, eps=sizes.eps)
        self.post_attention_layernorm = nn.RMSNorm(sizes.width, eps=sizes.eps)
        self.language = Expert(sizes, bias=sizes.bias, bias_qkv=sizes.bias_qkv)
        self.vision = Expert(sizes, bias=False, bias_qkv=True)

    def forward(
        self,
        states: torch.Tensor,
        turns: tuple[torch.Tensor, torch.Tensor],
        held: tuple[torch.Tensor, torch.Tensor] | None,
        pictured: torch.Tensor | None,
        mask: torch.Tensor | None,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """States after the layer, and keys and values of all that was read so far."""
        talk, look = self.language, self.vision
        mixed = _each(
            self.input_layernorm(states), pictured, talk.query_key_value, look.query_key_value
        )
        each = states.shape[-1] // self.heads
        q, k, v = mixed.split([s * each for s in (self.heads, self.shared, self.shared)], dim=-1)
        q, k = (_turned(_by_head(t, h), *turns) for t, h in ((q, self.heads), (k, self.shared)))
        v = _by_head(v, self.shared)
        if held is not None:
            k, v = torch.cat((held[0], k), dim=1), torch.cat((held[1], v), dim=1)
        times = self.heads // self.shared
        attended = scaled_dot_product_attention(
            q[None],
            k.repeat_interleave(times, dim=0)[None],
            v.repeat_interleave(times, dim=0)[None],
            attn_mask=mask,
            is_causal=mask is None,
        )[0]
        states = states + _each(_joined(attended), pictured, talk.dense, look.dense)
        read = self.post_attention_layernorm(states)
        return states + _each(read, pictured, talk.gated, look.gated), (k, v)


class CogVlm2(nn.Module):  # type: ignore[misc]
    """Vision tower, adapter and language model."""

    inv_freq: torch.Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        seen = sizes.tower["hidden_size"]
        self.tower = Tower(sizes.tower)
        self.conv = nn.Conv2d(seen, seen, MERGE, stride=MERGE)
        self.linear_proj = Adapter(seen, sizes.width, sizes.inner)
        self.boi = nn.Parameter(torch.empty(1, 1, sizes.width))
        self.eoi = nn.Parameter(torch.empty(1, 1, sizes.width))
        self.word_embeddings = nn.Embedding(sizes.words, sizes.width)
        self.layers = nn.ModuleList(Layer(sizes) for _ in range(sizes.layers))
        self.final_layernorm = nn.RMSNorm(sizes.width, eps=sizes.eps)
        self.lm_head = nn.Linear(sizes.width, sizes.words, bias=False)
        # of the checkpoint, in the number format in use, as the official code rounds it
        self.register_buffer("inv_freq", torch.empty(sizes.width // sizes.heads // 2))

    def picture(self, pixels: torch.Tensor) -> torch.Tensor:
        """(seen + 2, width): what stands for one image (3, side, side) among words."""
        patches = self.tower(pixels)
        side = round(len(patches) ** 0.5)
        merged = self.conv(patches.T.reshape(1, -1, side, side))[0].flatten(1).T
        return torch.cat((self.boi[0], self.linear_proj(merged), self.eoi[0]))

    def looked(self, pixels: torch.Tensor, begin: int) -> Branches:
        """Read the token `begin` and one image (3, side, side); texts may follow."""
        device = self.inv_freq.device
        seen = self.picture(pixels.to(device, self.inv_freq.dtype))
        tokens = torch.cat((self.word_embeddings.weight[begin][None], seen))
        # all patches share one position; the end of the image is a word
        positions = torch.full((len(tokens),), 2, device=device)
        positions[0], positions[1], positions[-1] = 0, 1, 3
        pictured = torch.ones(len(tokens), dtype=torch.bool, device=device)
        pictured[0] = pictured[-1] = False
        tape: Tape = []
        self(tokens, positions, tape, pictured=pictured)
        return Branches(self, tape, position=4)

    def forward(
        self,
        tokens: torch.Tensor,
        positions: torch.Tensor,
        tape: Tape,
        *,
        pictured: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """States (n, width) of n tokens that follow what is on the tape.

        Args:
            tokens: (n, width), embedded.
            positions: (n,) rotary positions.
            tape: What was read before; the tokens are put behind it.
            pictured: (n,) which tokens are of a picture; None: none is.
            mask: (n, read before + n) where a token may look; None: at all before it, on an
                empty tape.
        """
        angles = positions.to(self.inv_freq.dtype)[:, None] * self.inv_freq
        turns = angles.cos().to(tokens.dtype), angles.sin().to(tokens.dtype)
        held = tuple(tape) or (None,) * len(self.layers)
        tape.clear()
        for layer, before in zip(self.layers, held, strict=True):
            tokens, now = layer(tokens, turns, before, pictured, mask)
            tape.append(now)
        return self.final_layernorm(tokens)


class Branches:
    """Texts that follow one beginning, read together; each sees the beginning and itself.

    Args:
        model: The network.
        tape: With the beginning on it.
        position: Of the first token of each text.
    """

    def __init__(self, model: CogVlm2, tape: Tape, *, position: int) -> None:
        self._model, self._tape, self._position = model, tape, position
        self._beginning = tape[0][0].shape[1]
        self._lengths: dict[int, int] = {}
        self._whose = torch.empty(0, dtype=torch.long, device=tape[0][0].device)

    def read(self, texts: Mapping[int, Sequence[int]]) -> torch.Tensor:
        """Go on with some texts; states (texts, width) at the last token of each.

        Args:
            texts: Which text, and the ids that come next in it; at least one.
        """
        device = self._whose.device
        ids: list[int] = []
        positions: list[int] = []
        whose, last = [], []
        for text, more in texts.items():
            start = self._lengths.get(text, 0)
            self._lengths[text] = start + len(more)
            ids += more
            whose += [text] * len(more)
            positions += range(self._position + start, self._position + start + len(more))
            last.append(len(ids) - 1)
        mine = torch.tensor(whose, device=device)
        held = len(self._whose)
        self._whose = torch.cat((self._whose, mine))
        steps = torch.arange(len(self._whose), device=device)
        own = (self._whose == mine[:, None]) & (steps <= steps[held:, None])
        states: torch.Tensor = self._model(
            self._model.word_embeddings(torch.tensor(ids, device=device)),
            torch.tensor(positions, device=device),
            self._tape,
            mask=torch.nn.functional.pad(own, (self._beginning, 0), value=True),
        )
        return states[torch.tensor(last, device=device)]


def _by_head(states: torch.Tensor, heads: int) -> torch.Tensor:
    """(tokens, width) -> (heads, tokens, width of a head)."""
    return states.reshape(len(states), heads, -1).transpose(0, 1)


def _joined(states: torch.Tensor) -> torch.Tensor:
    """(heads, tokens, width of a head) -> (tokens, width)."""
    return states.transpose(0, 1).flatten(1)


def _turned(states: torch.Tensor, cosine: torch.Tensor, sine: torch.Tensor) -> torch.Tensor:
    """Rotary positions: the first half of each head is paired with the second."""
    one, other = states.chunk(2, dim=-1)
    return torch.cat((one * cosine - other * sine, one * sine + other * cosine), dim=-1)


def _each(
    states: torch.Tensor,
    pictured: torch.Tensor | None,
    language: Callable[[torch.Tensor], torch.Tensor],
    vision: Callable[[torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Each token through the weights of its kind."""
    if pictured is None:
        return language(states)
    seen = vision(states[pictured])
    result = seen.new_empty(len(states), seen.shape[-1])
    result[pictured], result[~pictured] = seen, language(states[~pictured])
    return result
