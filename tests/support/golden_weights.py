"""The made-up weights, images and numbers that the golden scores were computed from.

Every parameter is a function of its official name and shape alone, so a model of any size can be
rebuilt anywhere; `tests/goldens/README.md` states the formula. Nothing here imports aas_bench.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parents[1] / "goldens"
BLOCK = 1 << 16
Named = Iterable[tuple[str, tuple[int, ...]]]


def golden(name: str) -> dict:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def generator(name: str) -> np.random.Generator:
    """The stream of a name: seeded by its CRC-32."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode("utf-8"))))


def normals(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normals in float64."""
    return generator(name).standard_normal(math.prod(shape)).reshape(shape)


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The float32 value of one parameter."""
    filled = np.empty(math.prod(shape), dtype=np.float32)
    fill(filled, name, shape)
    return filled.reshape(shape)


def fill(filled: np.ndarray, name: str, shape: tuple[int, ...]) -> None:
    """Put the value into a flat float32 array, a block that stays in the cache at a time."""
    if not shape:
        filled[:] = math.log(100)
        return
    drawn = generator(name)
    fan = shape[-1] if len(shape) == 3 else math.prod(shape[1:])
    for start in range(0, len(filled), BLOCK):
        block = filled[start : start + BLOCK]
        z = drawn.standard_normal(len(block))
        if len(shape) > 1:
            np.divide(z, math.sqrt(fan), out=z)
        else:
            np.multiply(z, 0.02, out=z)
            if name.endswith(".weight"):
                np.add(z, 1, out=z)
        block[:] = z


def write_safetensors(path: Path, named: Named, extra: dict[str, np.ndarray] | None = None) -> Path:
    """Write a safetensors file in place, two parameters at a time."""
    named = list(named)
    extra = extra or {}
    header, offset = {}, 0
    for name, shape in [*named, *((n, a.shape) for n, a in extra.items())]:
        end = offset + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)
    data = np.memmap(path, np.float32, "r+", offset=8 + len(text))

    def place(name: str) -> np.ndarray:
        start, end = header[name]["data_offsets"]
        return data[start // 4 : end // 4]

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda item: fill(place(item[0]), *item), named))
    for name, array in extra.items():
        place(name)[:] = array.ravel()
    return path


def images() -> list[Image.Image]:
    """The four RGB test images."""

    def grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        return np.meshgrid(np.arange(width), np.arange(height))

    def picture(*channels: np.ndarray) -> np.ndarray:
        return np.stack([np.broadcast_to(c, channels[0].shape) for c in channels], -1).astype(
            np.uint8
        )

    def two_colours(first: np.ndarray, one: tuple, other: tuple) -> np.ndarray:
        return np.where(first[..., None], np.array(one), np.array(other)).astype(np.uint8)

    x, y = grid(97, 64)
    gradient = picture(255 * x // 96, 255 * y // 63, 255 * (x + y) // 159)
    x, y = grid(300, 200)
    board = two_colours((x // 25 + y // 25) % 2 == 0, (230, 40, 60), (20, 120, 200))
    x, y = grid(224, 224)
    waves = picture((x * y) % 256, ((x * x + y * y) // 64) % 256, (3 * x + 5 * y) % 256)
    x, y = grid(640, 480)
    stripes = two_colours(((x + 2 * y) // 32) % 2 == 0, (250, 220, 40), (30, 60, 90))
    disc = (x - 320) ** 2 + (y - 240) ** 2 <= 150**2
    stripes[disc] = picture(255 * x // 639, 255 - 255 * y // 479, np.array(200))[disc]
    return [Image.fromarray(a) for a in (gradient, board, waves, stripes)]


def image_hashes() -> list[str]:
    return [hashlib.sha256(np.asarray(i).tobytes()).hexdigest()[:16] for i in images()]


# Official names and shapes, written out from the published architectures.


def linear(name: str, out: int, into: int, *, bias: bool = True) -> Iterator:
    yield f"{name}.weight", (out, into)
    if bias:
        yield f"{name}.bias", (out,)


def norm(name: str, width: int) -> Iterator:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def open_clip_names(
    embed: int, vision: tuple[int, int], text: tuple[int, int], patch: int = 14, size: int = 224
) -> Iterator:
    """OpenAI's and open_clip's CLIP; `vision` and `text` are (width, layers)."""

    def blocks(prefix: str, width: int, layers: int) -> Iterator:
        for i in range(layers):
            block = f"{prefix}transformer.resblocks.{i}."
            yield from norm(f"{block}ln_1", width)
            yield f"{block}attn.in_proj_weight", (3 * width, width)
            yield f"{block}attn.in_proj_bias", (3 * width,)
            yield from linear(f"{block}attn.out_proj", width, width)
            yield from norm(f"{block}ln_2", width)
            yield from linear(f"{block}mlp.c_fc", 4 * width, width)
            yield from linear(f"{block}mlp.c_proj", width, 4 * width)

    (wide, deep), (text_wide, text_deep) = vision, text
    yield "visual.class_embedding", (wide,)
    yield "visual.positional_embedding", ((size // patch) ** 2 + 1, wide)
    yield "visual.conv1.weight", (wide, 3, patch, patch)
    yield from norm("visual.ln_pre", wide)
    yield from blocks("visual.", wide, deep)
    yield from norm("visual.ln_post", wide)
    yield "visual.proj", (wide, embed)
    yield "positional_embedding", (77, text_wide)
    yield "text_projection", (text_wide, embed)
    yield "logit_scale", ()
    yield "token_embedding.weight", (49408, text_wide)
    yield from blocks("", text_wide, text_deep)
    yield from norm("ln_final", text_wide)


def clip_names(
    embed: int, vision: tuple[int, int], text: tuple[int, int], patch: int = 14, size: int = 224
) -> Iterator:
    """transformers' CLIPModel."""

    def layers(prefix: str, width: int, count: int) -> Iterator:
        for i in range(count):
            layer = f"{prefix}.encoder.layers.{i}."
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                yield from linear(f"{layer}self_attn.{part}", width, width)
            yield from norm(f"{layer}layer_norm1", width)
            yield from linear(f"{layer}mlp.fc1", 4 * width, width)
            yield from linear(f"{layer}mlp.fc2", width, 4 * width)
            yield from norm(f"{layer}layer_norm2", width)

    (wide, deep), (text_wide, text_deep) = vision, text
    yield "logit_scale", ()
    yield "text_model.embeddings.token_embedding.weight", (49408, text_wide)
    yield "text_model.embeddings.position_embedding.weight", (77, text_wide)
    yield from layers("text_model", text_wide, text_deep)
    yield from norm("text_model.final_layer_norm", text_wide)
    yield "vision_model.embeddings.class_embedding", (wide,)
    yield "vision_model.embeddings.patch_embedding.weight", (wide, 3, patch, patch)
    yield "vision_model.embeddings.position_embedding.weight", ((size // patch) ** 2 + 1, wide)
    yield from norm("vision_model.pre_layrnorm", wide)
    yield from layers("vision_model", wide, deep)
    yield from norm("vision_model.post_layernorm", wide)
    yield from linear("visual_projection", embed, wide, bias=False)
    yield from linear("text_projection", embed, text_wide, bias=False)


def bert_names(
    prefix: str, width: int, depth: int, into: int, words: int, positions: int
) -> Iterator:
    """BLIP's text encoder: BERT with cross attention in every layer."""
    yield f"{prefix}embeddings.word_embeddings.weight", (words, width)
    yield f"{prefix}embeddings.position_embeddings.weight", (positions, width)
    yield from norm(f"{prefix}embeddings.LayerNorm", width)
    for i in range(depth):
        layer = f"{prefix}encoder.layer.{i}."
        for kind, source in (("attention", width), ("crossattention", into)):
            yield from linear(f"{layer}{kind}.self.query", width, width)
            yield from linear(f"{layer}{kind}.self.key", width, source)
            yield from linear(f"{layer}{kind}.self.value", width, source)
            yield from linear(f"{layer}{kind}.output.dense", width, width)
            yield from norm(f"{layer}{kind}.output.LayerNorm", width)
        yield from linear(f"{layer}intermediate.dense", 4 * width, width)
        yield from linear(f"{layer}output.dense", width, 4 * width)
        yield from norm(f"{layer}output.LayerNorm", width)


def image_reward_names(
    vision: tuple[int, int] = (1024, 24), text: tuple[int, int] = (768, 12), size: int = 224
) -> Iterator:
    """ImageReward's own names."""
    (wide, deep), (text_wide, text_deep) = vision, text
    tower = "blip.visual_encoder."
    yield f"{tower}cls_token", (1, 1, wide)
    yield f"{tower}pos_embed", (1, (size // 16) ** 2 + 1, wide)
    yield f"{tower}patch_embed.proj.weight", (wide, 3, 16, 16)
    yield f"{tower}patch_embed.proj.bias", (wide,)
    for i in range(deep):
        block = f"{tower}blocks.{i}."
        yield from norm(f"{block}norm1", wide)
        yield from linear(f"{block}attn.qkv", 3 * wide, wide)
        yield from linear(f"{block}attn.proj", wide, wide)
        yield from norm(f"{block}norm2", wide)
        yield from linear(f"{block}mlp.fc1", 4 * wide, wide)
        yield from linear(f"{block}mlp.fc2", wide, 4 * wide)
    yield from norm(f"{tower}norm", wide)
    yield from bert_names("blip.text_encoder.", text_wide, text_deep, wide, 30524, 512)
    yield from linear("blip.vision_proj", 256, wide)
    yield from linear("blip.text_proj", 256, text_wide)
    sizes = (text_wide, 1024, 128, 64, 16, 1)
    for place, into, out in zip((0, 2, 4, 6, 7), sizes[:-1], sizes[1:], strict=True):
        yield from linear(f"mlp.layers.{place}", out, into)


def blip_names(
    vision: tuple[int, int] = (1024, 24), text: tuple[int, int] = (768, 12), size: int = 384
) -> Iterator:
    """transformers' BlipForImageTextRetrieval."""
    (wide, deep), (text_wide, text_deep) = vision, text
    yield "vision_model.embeddings.class_embedding", (1, 1, wide)
    yield "vision_model.embeddings.position_embedding", (1, (size // 16) ** 2 + 1, wide)
    yield "vision_model.embeddings.patch_embedding.weight", (wide, 3, 16, 16)
    yield "vision_model.embeddings.patch_embedding.bias", (wide,)
    for i in range(deep):
        layer = f"vision_model.encoder.layers.{i}."
        yield from linear(f"{layer}self_attn.qkv", 3 * wide, wide)
        yield from linear(f"{layer}self_attn.projection", wide, wide)
        yield from norm(f"{layer}layer_norm1", wide)
        yield from linear(f"{layer}mlp.fc1", 4 * wide, wide)
        yield from linear(f"{layer}mlp.fc2", wide, 4 * wide)
        yield from norm(f"{layer}layer_norm2", wide)
    yield from norm("vision_model.post_layernorm", wide)
    yield from bert_names("text_encoder.", text_wide, text_deep, wide, 30524, 512)
    yield from linear("vision_proj", 256, wide)
    yield from linear("text_proj", 256, text_wide)
    yield from linear("itm_head", 2, text_wide)


def cross_names(width: int = 1024, layers: int = 4, head: int = 64, prefix: str = "") -> Iterator:
    """The cross model of MPS."""
    for i in range(layers):
        cross, block = (f"{prefix}cross_model.layers.{i}.{part}.fn." for part in (0, 1))
        yield f"{cross}norm.weight", (width,)
        yield f"{cross}to_q.weight", (width, width)
        yield f"{cross}to_kv.weight", (2 * head, width)
        yield f"{cross}to_out.weight", (width, width)
        yield f"{cross}ff.0.weight", (8 * width, width)
        yield f"{cross}ff.2.weight", (width, 4 * width)
        yield f"{block}norm.weight", (width,)
        yield f"{block}fused_attn_ff_proj.weight", (9 * width + 2 * head, width)
        yield f"{block}attn_out.weight", (width, width)
        yield f"{block}ff_out.1.weight", (width, 4 * width)


def mps_names() -> Iterator:
    """MPS: CLIP ViT-H/14 under `model.`, and the cross model."""
    for name, shape in clip_names(1024, (1280, 32), (1024, 24)):
        yield f"model.{name}", shape
    yield from cross_names()


def mps_buffers(width: int = 1024, layers: int = 4, head: int = 64) -> dict[str, np.ndarray]:
    """What MPS's state dict holds besides parameters: zero biases and rotary frequencies."""
    buffers = {}
    for i in range(layers):
        for part in (0, 1):
            buffers[f"cross_model.layers.{i}.{part}.fn.norm.bias"] = np.zeros(width)
        frequencies = 10000.0 ** -(np.arange(0, head, 2) / head)
        buffers[f"cross_model.layers.{i}.1.fn.rotary_emb.inv_freq"] = frequencies
    return buffers


def hpsv3_names(text: dict, vision: dict) -> Iterator:
    """HPSv3 in the names of transformers 4.45: Qwen2-VL and the reward head."""
    wide, inner = vision["embed_dim"], vision["embed_dim"] * vision["mlp_ratio"]
    patch = (vision["temporal_patch_size"], vision["patch_size"], vision["patch_size"])
    yield "visual.patch_embed.proj.weight", (wide, 3, *patch)
    for i in range(vision["depth"]):
        block = f"visual.blocks.{i}."
        yield from norm(f"{block}norm1", wide)
        yield from norm(f"{block}norm2", wide)
        yield from linear(f"{block}attn.qkv", 3 * wide, wide)
        yield from linear(f"{block}attn.proj", wide, wide)
        yield from linear(f"{block}mlp.fc1", inner, wide)
        yield from linear(f"{block}mlp.fc2", wide, inner)
    merged = wide * vision["spatial_merge_size"] ** 2
    yield from norm("visual.merger.ln_q", wide)
    yield from linear("visual.merger.mlp.0", merged, merged)
    yield from linear("visual.merger.mlp.2", vision["hidden_size"], merged)

    width = text["hidden_size"]
    shared = width // text["num_attention_heads"] * text["num_key_value_heads"]
    yield "model.embed_tokens.weight", (text["vocab_size"], width)
    for i in range(text["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        for part, out in (("q_proj", width), ("k_proj", shared), ("v_proj", shared)):
            yield from linear(f"{layer}self_attn.{part}", out, width)
        yield from linear(f"{layer}self_attn.o_proj", width, width, bias=False)
        for part in ("gate_proj", "up_proj"):
            yield from linear(f"{layer}mlp.{part}", text["intermediate_size"], width, bias=False)
        yield from linear(f"{layer}mlp.down_proj", width, text["intermediate_size"], bias=False)
        yield f"{layer}input_layernorm.weight", (width,)
        yield f"{layer}post_attention_layernorm.weight", (width,)
    yield "model.norm.weight", (width,)
    yield from linear("lm_head", text["vocab_size"], width, bias=False)
    for place, into, out in ((0, width, 1024), (3, 1024, 16), (5, 16, 2)):
        yield from linear(f"rm_head.{place}", out, into)


def count(named: Named) -> int:
    return sum(math.prod(shape) for _, shape in named)
