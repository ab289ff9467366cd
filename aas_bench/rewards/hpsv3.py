"""HPSv3: Qwen2-VL-7B with a reward head, reading image, instruction, then prompt."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from transformers import Qwen2VLConfig
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLModel

from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.rewards.facts import Local, RewardRow, Sizes, Weights
from aas_bench.rewards.fetch import companion, obtain
from aas_bench.rewards.pixels import CLIP_MEAN, CLIP_STD, normalised, unit_range
from aas_bench.rewards.prefix import Prefix, continue_from, split
from aas_bench.rewards.tokens import Ids
from aas_bench.rewards.weights import fill, read, renamed, torch_dtype, unfilled

PATCH, MERGE, FRAMES = 14, 2, 2
PIXELS = 256 * (PATCH * MERGE) ** 2

IMAGE_PAD, END_OF_TEXT, REWARD = 151655, 151643, 151657
# after the prompt the template has four line breaks, which its last word may swallow
AFTER_PROMPT = "\n\n\n\n"
SPECIAL = re.compile(
    r"<\|(?:endoftext|im_start|im_end|object_ref_start|object_ref_end|box_start|box_end"
    r"|quad_start|quad_end|vision_start|vision_end|vision_pad|image_pad|video_pad|Reward)\|>"
)

QWEN_TOKENIZER = Weights(
    repo="Qwen/Qwen2-VL-7B-Instruct",
    revision="eed13092ef92e448dd6875b2a00151bd3f7db0ac",
    file="tokenizer.json",
    size=7_031_645,
)

HPSV3: dict[str, Any] = {
    "text_config": {
        # the official code shrinks the embedding to the tokenizer's length
        "vocab_size": 151658,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 1e6,
            "mrope_section": [16, 24, 24],
        },
    },
    "vision_config": {
        "depth": 32,
        "embed_dim": 1280,
        "hidden_size": 3584,
        "num_heads": 16,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": FRAMES,
        "hidden_act": "quick_gelu",
    },
}


class Patches(NamedTuple):
    """One image cut for the vision tower.

    Attributes:
        pixels: (rows * columns, 1176) float32: patches in the order in which they are merged.
        rows: Patches along the height.
        columns: Patches along the width.
    """

    pixels: torch.Tensor
    rows: int
    columns: int


class HpsV3Model(nn.Module):  # type: ignore[misc]  # torch is untyped to mypy here
    """Vision tower, language model and reward head; the language model's own head is not built."""

    def __init__(self, architecture: Mapping[str, Any]) -> None:
        super().__init__()
        qwen = Qwen2VLModel(Qwen2VLConfig(**architecture))
        self.visual, self.language_model = qwen.visual, qwen.language_model
        width = qwen.config.text_config.hidden_size
        self.rm_head = nn.Sequential(
            nn.Linear(width, 1024),
            nn.ReLU(),
            nn.Identity(),
            nn.Linear(1024, 16),
            nn.ReLU(),
            nn.Linear(16, 2),
        )


class HpsV3(RewardModel):
    """mu, the first of two outputs of a head on the hidden state at the reward token.

    Image and instruction come before the prompt, so they are run once per image; what follows the
    reward token cannot reach it and is not run at all. Rotary positions are plain 0, 1, 2, ... on
    all three axes, also for image tokens, as in the official code.

    Args:
        name: The name of its scores.
        model: The network.
        encode: Text -> ids of the Qwen2-VL vocabulary, without special tokens.
        device: Where the model is.
        identity: Of the weights, for the description.
    """

    batch_size = 16

    def __init__(
        self,
        *,
        name: str,
        model: HpsV3Model,
        encode: Callable[[str], Ids],
        device: str,
        identity: dict[str, Any],
    ) -> None:
        self.name = name
        self._model, self._encode = model, encode
        self._device, self._identity = device, identity
        self._dtype = next(model.language_model.parameters()).dtype
        self._head, tail = chat_ids()
        self._tail = tail[: tail.index(REWARD) + 1]

    def preprocess(self, image: Image.Image) -> Patches:
        """Resize near 448 x 448 pixels in the image's own proportions and cut into patches."""
        width, height = resized(*image.size)
        pixels = normalised(
            unit_range(image.resize((width, height), Image.Resampling.BICUBIC)), CLIP_MEAN, CLIP_STD
        )
        rows, columns = height // PATCH, width // PATCH
        cut = pixels.reshape(3, rows // MERGE, MERGE, PATCH, columns // MERGE, MERGE, PATCH)
        cut = cut.permute(1, 4, 2, 5, 0, 3, 6)[..., None, :, :].expand(
            -1, -1, -1, -1, -1, FRAMES, -1, -1
        )
        return Patches(cut.reshape(rows * columns, -1), rows, columns)

    def encode_images(self, images: Sequence[Patches]) -> Sequence[Prefix]:
        """The cache of system turn, image and instruction for each image, on the device."""
        rows = [self._head_with(image.rows * image.columns // MERGE**2) for image in images]
        lengths = [len(row) for row in rows]
        longest = max(lengths)
        with torch.inference_mode():
            grid = torch.tensor([[1, i.rows, i.columns] for i in images], device=self._device)
            pixels = torch.cat([i.pixels for i in images]).to(self._device, self._dtype)
            seen = self._model.visual(pixels, grid_thw=grid).pooler_output
            padded = [row + [END_OF_TEXT] * (longest - len(row)) for row in rows]
            ids = torch.tensor(padded, device=self._device)
            tokens = self._model.language_model.embed_tokens(ids)
            tokens[ids == IMAGE_PAD] = seen.to(tokens.dtype)
            positions = torch.arange(longest, device=self._device).expand(len(rows), -1)
            cache = self._model.language_model(
                inputs_embeds=tokens, position_ids=positions, use_cache=True
            ).past_key_values
            return split(cache, lengths, lengths)

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Ids]:
        """Ids of prompt and remainder, up to the reward token."""
        return [self._suffix(prompt) for prompt in prompts]

    def combine(self, images: Sequence[Prefix], prompts: Sequence[Ids]) -> Scores:
        """Continue each image's cache with a prompt; mu at the reward token."""
        with torch.inference_mode():
            batch = continue_from(images, prompts, pad=END_OF_TEXT)
            hidden = self._model.language_model(
                input_ids=batch.ids,
                position_ids=batch.positions,
                attention_mask=batch.mask,
                past_key_values=batch.cache,
            ).last_hidden_state
            at_reward = hidden[torch.arange(len(prompts), device=hidden.device), batch.last]
            mu = self._model.rm_head(at_reward.float())[:, 0]
            scores: Scores = mu.double().cpu().numpy()
        return scores

    def prompt_lengths(self, prompts: Sequence[str]) -> NDArray[np.int64]:
        """Ids from the prompt to the reward token."""
        return np.array([len(self._suffix(prompt)) for prompt in prompts], dtype=np.int64)

    def describe(self) -> dict[str, Any]:
        """Weights, number format, image size, template and position ids."""
        return {
            "name": self.name,
            "weights": self._identity,
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": torch.device(self._device).type,
            "image": {"pixels": PIXELS, "resize": "Pillow bicubic"},
            "text": {"template": "hpsv3 1.0.0", "special_tokens_in_prompts": "removed"},
            "positions": "plain",
        }

    def _head_with(self, image_tokens: int) -> Ids:
        place = self._head.index(IMAGE_PAD)
        return [*self._head[:place], *[IMAGE_PAD] * image_tokens, *self._head[place + 1 :]]

    def _suffix(self, prompt: str) -> Ids:
        return [*self._encode(f" {without_special(prompt)}{AFTER_PROMPT}"), *self._tail]


def without_special(prompt: str) -> str:
    """The prompt without the names of special tokens, which would break the chat apart."""
    while (shorter := SPECIAL.sub("", prompt)) != prompt:
        prompt = shorter
    return prompt


def resized(width: int, height: int) -> tuple[int, int]:
    """Width and height as multiples of 28 whose area is near PIXELS.

    Each side is rounded to a multiple. If the area then is above PIXELS, the sides are divided by
    sqrt(width * height / PIXELS) and rounded down instead; if below, multiplied by its inverse and
    rounded up. The order of operations is Qwen's, since rounding down hangs on the last bit: of
    squares it makes 448 of 1024 and 420 of 768.
    """
    step = PATCH * MERGE
    sides = (width, height)
    rounded = tuple(max(step, round(side / step) * step) for side in sides)
    area = rounded[0] * rounded[1]
    if area == PIXELS:
        return rounded[0], rounded[1]
    if area > PIXELS:
        excess = math.sqrt(width * height / PIXELS)
        fitted = [max(step, math.floor(side / excess / step) * step) for side in sides]
    else:
        lack = math.sqrt(PIXELS / (width * height))
        fitted = [math.ceil(side * lack / step) * step for side in sides]
    return fitted[0], fitted[1]


def chat_ids() -> tuple[Ids, Ids]:
    """The chat before and after the prompt, as ids of the Qwen2-VL vocabulary."""
    file = resources.files("aas_bench.rewards") / "token_ids" / "hpsv3.json"
    chat = json.loads(file.read_text(encoding="utf-8"))
    return chat["head"], chat["tail"]


def load(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = HPSV3
) -> HpsV3:
    """HPSv3 (Ma et al., ICCV 2025), from its one file; the base model's weights are not needed.

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the body; the reward head stays in float32.
        weights: Local file or folder (with Qwen2-VL's `tokenizer.json` beside it, or that comes
            from the Hub); None: the official ones.
        architecture: Sizes in the words of transformers' Qwen2VLConfig.
    """
    from tokenizers import Tokenizer

    found = obtain(row.weights, local=weights, name=row.name)
    with unfilled():
        model = HpsV3Model(architecture)
    fill(
        model,
        renamed(read(found.path), {r"model\.": "language_model."}),
        origin=found.path,
        device=device,
        dtype=torch_dtype(dtype),
        keep=(r"rm_head\..*",),
        ignore=(r"lm_head\.weight",),
    )
    vocabulary = companion(QWEN_TOKENIZER, local=weights)
    tokenizer = Tokenizer.from_file(str(vocabulary.path))

    def encode(text: str) -> Ids:
        ids: Ids = tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    return HpsV3(
        name=row.name,
        model=model,
        encode=encode,
        device=device,
        identity={**found.identity, "tokenizer": vocabulary.identity},
    )
