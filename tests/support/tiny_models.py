"""Tiny models of the real architectures, written to disk as their makers publish them.

`TINY[name]` writes the files of a reward model into a folder and loads them through the loader of
its row. Names and values come from `golden_weights`, so no package code shapes what is loaded.
"""

from __future__ import annotations

import json
import sys
import tarfile
import tempfile
import types
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from support import golden_weights as made
from support import tiny_tokenizers
from support.tiny_shapes import (
    BLIP_TEXT,
    BLIP_VISION,
    CLIP,
    MPS,
    OPEN_CLIP,
    PATCH,
    QWEN_TEXT,
    QWEN_VISION,
    TEXT,
    VISION,
    tensors,
    write_vocabulary,
)

from aas_bench.registry import import_object
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.catalog import REWARDS, load_reward

Writer = Callable[[Path, str], RewardModel]


def write(state: dict, folder: Path, official: str, layout: str, *, key: str | None) -> Path:
    """`layout` "official": a pickle under the official name, wrapped in `key`; or "safetensors"."""
    if layout == "safetensors":
        path = (folder / official).with_suffix(".safetensors")
        save_file(state, path)
    else:
        path = folder / official
        torch.save({key: state} if key else state, path)
    return path


def load_row(name: str, weights: Path, *, dtype: str = "float32", **architecture) -> RewardModel:
    row = REWARDS[name]
    load = import_object(row.load)
    return load(row, device="cpu", dtype=dtype, weights=weights, **architecture)


def open_clip_row(name: str, official: str, key: str | None = "state_dict") -> Writer:
    def make(folder: Path, layout: str) -> RewardModel:
        state = tensors(made.open_clip_names(32, VISION, TEXT, PATCH))
        if layout == "official" and name.startswith("hpsv2"):
            state = {n: t.half() for n, t in state.items()}
        path = write(state, folder, official, layout, key=key)
        return load_row(name, path, architecture=OPEN_CLIP)

    return make


def clip_row(name: str) -> Writer:
    def make(folder: Path, layout: str) -> RewardModel:
        state = tensors(made.clip_names(32, VISION, TEXT, PATCH))
        if layout == "official":  # files of the time also hold the positions
            state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
        path = write(state, folder, "pytorch_model.bin", layout, key=None)
        return load_row(name, path, architecture=CLIP)

    return make


def blip_row(name: str, official: str) -> Writer:
    def make(folder: Path, layout: str) -> RewardModel:
        write_vocabulary(folder / "vocab.txt")
        names = made.image_reward_names if name == "image-reward" else made.blip_names
        state = tensors(names(VISION, (24, 2), 64))
        if layout == "official":
            place = "blip.text_encoder" if name == "image-reward" else "text_encoder"
            state[f"{place}.embeddings.position_ids"] = torch.arange(512)[None]
        path = write(state, folder, official, layout, key=None)
        architecture = {"text_config": BLIP_TEXT, "vision_config": BLIP_VISION}
        return load_row(name, path, architecture=architecture)

    return make


def mps_row(folder: Path, layout: str) -> RewardModel:
    clip = made.clip_names(32, VISION, TEXT, PATCH)
    named = [*((f"model.{n}", s) for n, s in clip), *made.cross_names(32, 2, 8)]
    buffers = {n: torch.from_numpy(a).float() for n, a in made.mps_buffers(32, 2, 8).items()}
    state = tensors(named) | buffers
    if layout == "safetensors":
        path = write(state, folder, "MPS_overall_checkpoint.pth", layout, key=None)
    else:
        path = folder / "MPS_overall_checkpoint.pth"
        save_as_foreign_module(state, path)
    return load_row("mps", path, architecture=MPS)


def save_as_foreign_module(state: dict, path: Path) -> None:
    """Pickle a whole module whose classes live in a package `trainer` that nobody has installed."""
    from aas_bench.rewards.mps import MpsModel

    names = ("trainer", "trainer.models", "trainer.models.clip_model")
    for name in names:
        sys.modules[name] = types.ModuleType(name)
    home = sys.modules[names[-1]]
    try:
        module = MpsModel(MPS)
        module.load_state_dict(state)
        for part in module.modules():
            own = type(part)
            if own.__module__.startswith("aas_bench"):
                foreign = getattr(home, own.__name__, None)
                if foreign is None:
                    foreign = type(own.__name__, (own,), {"__module__": home.__name__})
                    setattr(home, own.__name__, foreign)
                part.__class__ = foreign
        torch.save(module, path)
    finally:
        for name in names:
            del sys.modules[name]


def hpsv3_row(folder: Path, layout: str) -> RewardModel:
    tiny_tokenizers.qwen().backend_tokenizer.save(str(folder / "tokenizer.json"))
    state = tensors(made.hpsv3_names(QWEN_TEXT, QWEN_VISION))
    path = write(state, folder, "HPSv3.pth", layout, key="model")
    architecture = {"text_config": QWEN_TEXT, "vision_config": QWEN_VISION}
    return load_row("hpsv3", path, architecture=architecture)


def aesthetic_row(folder: Path, layout: str) -> RewardModel:
    save_file(tensors(made.clip_names(32, VISION, TEXT, PATCH)), folder / "model.safetensors")
    sizes = (32, 1024, 128, 64, 16, 1)
    named = [
        pair
        for place, into, out in zip((0, 2, 4, 6, 7), sizes[:-1], sizes[1:], strict=True)
        for pair in made.linear(f"layers.{place}", out, into)
    ]
    path = write(tensors(named), folder, "aesthetic-model.pth", layout, key=None)
    return load_row("laion-aesthetic", path, architecture=CLIP)


def golden_tensors(name: str) -> dict:
    """The made-up tensors of a golden that lists its names; tables kept twice are there once."""
    shapes = made.golden(name)["names"].items()
    return tensors((n, tuple(shape)) for n, shape in shapes if "embed_tokens" not in n)


def aesthetic_v2_5_row(folder: Path, layout: str) -> RewardModel:
    state = golden_tensors("aesthetic-v2.5")
    head = {n: t for n, t in state.items() if n.startswith("layers.")}
    tower = {n: t for n, t in state.items() if n not in head}
    save_file(tower | {"logit_scale": torch.ones(1)}, folder / "model.safetensors")
    published = {n.removeprefix("layers."): t for n, t in head.items()}
    path = write(published, folder, "aesthetic_predictor_v2_5.pth", layout, key=None)
    config = made.golden("aesthetic-v2.5")["config"]
    return load_row("aesthetic-v2.5", path, architecture=config)


def cycle_reward_row(folder: Path, layout: str) -> RewardModel:
    write_vocabulary(folder / "vocab.txt")
    state = golden_tensors("cycle-reward")
    if layout == "official":
        state["blip.text_encoder.embeddings.position_ids"] = torch.arange(512)[None]
    path = write(state, folder, "CycleReward-Combo.pth", layout, key=None)
    told = made.golden("cycle-reward")["config"]
    width = {"encoder_hidden_size": told["vision"]["hidden_size"]}
    vision = {**told["vision"], "intermediate_size": 256, "layer_norm_eps": 1e-6}
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    text = {name: told["text"][name] for name in (*names, "vocab_size")} | width
    return load_row(
        "cycle-reward", path, architecture={"text_config": text, "vision_config": vision}
    )


def vqascore_row(folder: Path, layout: str) -> RewardModel:
    tiny_tokenizers.t5().save_pretrained(folder)
    state = golden_tensors("vqascore")
    if layout == "official":  # its file keeps the table of words several times
        for place in ("embed_tokens", "encoder.embed_tokens", "decoder.embed_tokens"):
            state[f"{place}.weight"] = state["shared.weight"]
    name = "pytorch_model.bin" if layout == "official" else "model.bin"
    write(state, folder, name, layout, key=None)
    told = made.golden("vqascore")["config"]
    architecture = {"text_config": told["text"], "vision_config": told["vision"]}
    return load_row("vqascore", folder, architecture=architecture)


def sat_state() -> dict:
    """VisionReward's tensors as SwissArmyTransformer names them, inclined to say yes and stop."""
    golden = made.golden("visionreward")
    state = golden_tensors("visionreward")
    for name, factors in golden["rows_times"].items():
        for row, factor in factors.items():
            state[name][int(row)] *= factor
    width = golden["config"]["hidden_size"] // golden["config"]["num_attention_heads"]
    steps = torch.arange(0, width, 2) / width
    return state | {"mixins.rotary.rotary_emb.inv_freq": 500000.0**-steps}


def sat_folder(folder: Path) -> Path:
    """As SwissArmyTransformer saves it, with the states of random numbers that training leaves."""
    import numpy as np

    (folder / "1").mkdir(parents=True)
    (folder / "latest").write_text("1")
    config = made.golden("visionreward")["config"]
    (folder / "model_config.json").write_text(json.dumps(config))
    besides = {"iteration": 1, "np_rng_state": np.random.RandomState(0).get_state()}
    # tensors of a training run may lie in one buffer, or the other way round
    state, shared = sat_state(), ("transformer.word_embeddings.weight", "mixins.lm.lm_head.weight")
    both = torch.stack([state[name] for name in shared])
    state |= dict(zip(shared, both, strict=True))
    turned = "transformer.layers.0.mlp.dense_h_to_4h.weight"
    state[turned] = state[turned].T.contiguous().T
    whole = {"module": state, **besides}
    torch.save(whole, folder / "1" / "mp_rank_00_model_states.pt")
    return folder


def sat_archive(folder: Path, *, parts: int = 3) -> Path:
    """The same as its makers publish it: an archive cut into parts."""
    with tempfile.TemporaryDirectory() as place:
        unpacked, packed = sat_folder(Path(place) / "checkpoint"), Path(place) / "whole.tar"
        with tarfile.open(packed, "w") as archive:
            archive.add(unpacked, "checkpoint")
        whole = packed.read_bytes()
    (folder / "ckpts").mkdir()
    step = len(whole) // parts + 1
    for i in range(parts):
        part = folder / "ckpts" / f"split_part_a{'abcdefg'[i]}"
        part.write_bytes(whole[i * step : (i + 1) * step])
    return folder


def visionreward_row(folder: Path, layout: str) -> RewardModel:
    beside = folder / "clip-flant5-xxl"
    beside.mkdir()
    vqascore_row(beside, layout)
    tiny_tokenizers.llama3().save(str(folder / "tokenizer.json"))
    if layout == "official":
        sat_archive(folder)
    else:
        save_file(sat_state(), folder / "model.safetensors")
        config = made.golden("visionreward")["config"]
        (folder / "model_config.json").write_text(json.dumps(config))
    told = made.golden("vqascore")["config"]
    architecture = {"text_config": told["text"], "vision_config": told["vision"]}
    return load_row("visionreward", folder, architecture=architecture)


def siglip_folder(folder: Path, layout: str) -> Path:
    from transformers import Siglip2Tokenizer, SiglipConfig, SiglipImageProcessor, SiglipModel

    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    size["num_attention_heads"] = 2
    model = SiglipModel(
        SiglipConfig(
            text_config={**size, "vocab_size": 300, "projection_size": 32},
            vision_config={**size, "image_size": 64, "patch_size": 16},
        )
    )
    spread_out(model)
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{i:02X}>" for i in range(256))]
    Siglip2Tokenizer(vocab={t: i for i, t in enumerate(tokens)}, merges=[]).save_pretrained(folder)
    half = [0.5, 0.5, 0.5]
    SiglipImageProcessor(
        size={"height": 64, "width": 64}, resample=2, image_mean=half, image_std=half
    ).save_pretrained(folder)
    return save_folder(model, folder, layout)


def clip_folder(folder: Path, layout: str) -> Path:
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    tokenizer = tiny_tokenizers.clip()
    tokenizer.save_pretrained(folder)
    text = CLIP["text_config"] | {"eos_token_id": tokenizer.eos_token_id}
    model = CLIPModel(CLIPConfig(**CLIP | {"text_config": text}))
    model.load_state_dict(tensors(made.clip_names(32, VISION, TEXT, PATCH)))
    CLIPImageProcessor().save_pretrained(folder)
    return save_folder(model, folder, layout)


def blip_folder(folder: Path, layout: str) -> Path:
    from transformers import BlipConfig, BlipForImageTextRetrieval, BlipImageProcessor

    model = BlipForImageTextRetrieval(BlipConfig(text_config=BLIP_TEXT, vision_config=BLIP_VISION))
    model.load_state_dict(tensors(made.blip_names(VISION, (24, 2), 64)), strict=False)
    write_vocabulary(folder / "vocab.txt")
    BlipImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return save_folder(model, folder, layout)


def save_folder(model, folder: Path, layout: str) -> Path:
    model.save_pretrained(folder)
    if layout == "official":
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder


def spread_out(model) -> None:
    """Weights large enough that scores tell prompts and images apart."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 2 * parameter.shape[-1] ** -0.5)
            elif name.endswith("logit_scale"):
                parameter.fill_(4.6)
            elif name.endswith("logit_bias"):
                parameter.fill_(-3.0)


QWEN_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def vlm_folder(folder: Path) -> Path:
    """Qwen2.5-VL with a byte tokenizer that knows "yes"."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    tokenizer = tiny_tokenizers.qwen()
    tokenizer.add_tokens(["yes", "Yes"])
    special = tokenizer.convert_tokens_to_ids
    torch.manual_seed(0)
    model = Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(
            text_config={**QWEN_TEXT, "vocab_size": len(tokenizer)},
            vision_config={
                "depth": 2,
                "hidden_size": 16,
                "intermediate_size": 32,
                "num_heads": 2,
                "out_hidden_size": 32,
                "fullatt_block_indexes": [1],
            },
            image_token_id=special("<|image_pad|>"),
            video_token_id=special("<|video_pad|>"),
            vision_start_token_id=special("<|vision_start|>"),
            vision_end_token_id=special("<|vision_end|>"),
        )
    )
    spread_out(model)
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(
            size={"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
        ),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=QWEN_CHAT,
    )
    processor.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def vlm_yes_row(folder: Path, layout: str) -> RewardModel:
    return load_row("vlm-yes", vlm_folder(folder))


def unified_row(folder: Path, layout: str) -> RewardModel:
    """As vlm-yes, but it looks closely, and likes to write numbers: else all would be one digit."""
    from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(vlm_folder(folder))
    ids = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids([*"0123456789."])
    with torch.no_grad():
        for layer in model.get_decoder().layers:
            for part in (layer.self_attn.q_proj, layer.self_attn.k_proj):
                part.weight *= 3
        model.lm_head.weight[ids] *= 4
        model.lm_head.weight[ids[-1]] *= 2
    model.save_pretrained(folder)
    return load_row("unified-reward-2", folder)


TINY: dict[str, Writer] = {
    "hps": open_clip_row("hps", "hpc.pth"),
    "hpsv2.0": open_clip_row("hpsv2.0", "HPS_v2_compressed.pt"),
    "hpsv2.1": open_clip_row("hpsv2.1", "HPS_v2.1_compressed.pt"),
    "clip-h": open_clip_row("clip-h", "open_clip_pytorch_model.bin", key=None),
    "pickscore": clip_row("pickscore"),
    "clip-l": clip_row("clip-l"),
    "image-reward": blip_row("image-reward", "ImageReward.pt"),
    "blip-l-itm": blip_row("blip-l-itm", "pytorch_model.bin"),
    "mps": mps_row,
    "hpsv3": hpsv3_row,
    "siglip2": lambda folder, layout: load_row("siglip2", siglip_folder(folder, layout)),
    "laion-aesthetic": aesthetic_row,
    "aesthetic-v2.5": aesthetic_v2_5_row,
    "cycle-reward": cycle_reward_row,
    "vqascore": vqascore_row,
    "visionreward": visionreward_row,
    "vlm-yes": vlm_yes_row,
    "unified-reward-2": unified_row,
}

GENERIC: dict[str, Callable[[Path, str], Path]] = {
    "hf:tiny/clip": clip_folder,
    "hf:tiny/siglip": siglip_folder,
    "hf:tiny/blip": blip_folder,
}


def generic(name: str, folder: Path, layout: str) -> RewardModel:
    return load_reward(name, device="cpu", weights=GENERIC[name](folder, layout))
