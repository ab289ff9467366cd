"""A vision-language model that reads an image, some words and a prompt: what such rewards share.

The image and all words up to the prompt come first and are run once per image; each prompt
continues from there. What is made of the last token's state is up to the reward model.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.cache_utils import DynamicLayer

from aas_bench.errors import InputError
from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.rewards.facts import Local, RewardRow
from aas_bench.rewards.fetch import obtain_folder
from aas_bench.rewards.pixels import without_far_ends
from aas_bench.rewards.prefix import Prefix, continue_from, split
from aas_bench.rewards.tokens import Ids
from aas_bench.rewards.weights import by_library, torch_dtype

Positions: TypeAlias = Literal["own", "plain"]

FILES = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model")
MOST_PIXELS = 1024 * 1024
_HERE = "@prompt@"


class ChatReward(RewardModel):
    """A score read at the last token of a chat that ends with, or soon after, the prompt.

    Args:
        name: The name of its scores.
        model: An image-text-to-text model of transformers.
        processor: Its processor.
        before: The chat up to the prompt, the image's token in it.
        after: The chat behind the prompt, up to the token that is read.
        positions: "own" rotary positions of the model, or "plain" 0, 1, 2, ...
        device: Where the model is.
        identity: Of the weights, for the description.
    """

    batch_size = 8
    n_placebos = 1

    def __init__(
        self,
        *,
        name: str,
        model: Any,
        processor: Any,
        before: str,
        after: str,
        positions: Positions = "own",
        device: str,
        identity: dict[str, Any],
    ) -> None:
        self.name = name
        self._model, self._processor = model, processor
        self._device, self._identity = device, identity
        self._tokenizer = processor.tokenizer
        self._lock = Lock()
        # a space or an opening bracket may share a token with the word that follows it
        self._head = before.rstrip(" ([{")
        self._gap, self._tail = before[len(self._head) :], after
        self._positions = positions
        self._special = sorted(self._tokenizer.get_added_vocab(), key=len, reverse=True)

    @abstractmethod
    def link(self, hidden: torch.Tensor) -> torch.Tensor:
        """Scores (n,) from the hidden states (n, width) of the last tokens."""

    def preprocess(self, image: Image.Image) -> Any:
        """What the processor makes of head and image, on the CPU; large images are shrunk first."""
        image = without_far_ends(image)
        shrink = math.sqrt(MOST_PIXELS / (image.width * image.height))
        if shrink < 1:
            smaller = (round(image.width * shrink), round(image.height * shrink))
            image = image.resize((max(smaller[0], 1), max(smaller[1], 1)))
        with self._lock:  # tokenizers must not be entered twice at once
            return self._processor(text=[self._head], images=[[image]], return_tensors="pt")

    def encode_images(self, images: Sequence[Any]) -> Sequence[Prefix]:
        """The cache of the chat up to the prompt for each image, on the device."""
        return [self._prefix(inputs) for inputs in images]

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Ids]:
        """Ids of the prompt and what follows it."""
        return [self._ids(f"{self._gap}{self._plain(prompt)}{self._tail}") for prompt in prompts]

    def combine(self, images: Sequence[Prefix], prompts: Sequence[Ids]) -> Scores:
        """Continue each image's cache with a prompt; the score of the last token."""
        with torch.inference_mode():
            batch = continue_from(images, prompts, pad=0)
            hidden = self._model.get_decoder()(
                input_ids=batch.ids,
                position_ids=batch.positions,
                attention_mask=batch.mask,
                past_key_values=batch.cache,
            ).last_hidden_state
            at_end = hidden[torch.arange(len(prompts), device=hidden.device), batch.last]
            scores: Scores = self.link(at_end).double().cpu().numpy()
        return scores

    def prompt_lengths(self, prompts: Sequence[str]) -> NDArray[np.int64]:
        """Ids of the prompt and what follows it."""
        return np.array([len(ids) for ids in self.encode_prompts(prompts)], dtype=np.int64)

    def describe(self) -> dict[str, Any]:
        """Weights, number format, chat, positions, image size."""
        return {
            "name": self.name,
            "weights": self._identity,
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "device": torch.device(self._device).type,
            "chat": [self._head + self._gap, self._tail],
            "positions": self._positions,
            "image": {"processor": type(self._processor).__name__, "most_pixels": MOST_PIXELS},
        }

    def _prefix(self, inputs: Any) -> Prefix:
        # one image a call: models differ in what they make of a padded batch of images
        placed = {
            key: value.to(self._device, self._model.dtype if value.is_floating_point() else None)
            for key, value in inputs.items()
        }
        length = placed["input_ids"].shape[1]
        if self._positions == "plain":
            placed["position_ids"] = torch.arange(length, device=self._device)[None]
        with torch.inference_mode():
            cache = self._model.model(**placed, use_cache=True).past_key_values
        if not all(type(layer) is DynamicLayer for layer in cache.layers):
            msg = f"{self.name}: the model does not keep a plain cache. Choose another model."
            raise InputError(msg)
        # models with positions in three axes count an image as fewer steps than it has tokens
        ahead = getattr(self._model.model, "rope_deltas", None)
        step = length
        if self._positions == "own" and ahead is not None:
            step += int(ahead.flatten()[0])
        return split(cache, [length], [step])[0]

    def _plain(self, prompt: str) -> str:
        """The prompt without the names of special tokens, which would break the chat apart."""
        while (shorter := self._without_special(prompt)) != prompt:
            prompt = shorter
        return prompt

    def _without_special(self, prompt: str) -> str:
        for token in self._special:
            prompt = prompt.replace(token, "")
        return prompt

    def _ids(self, text: str) -> Ids:
        with self._lock:
            ids: Ids = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids


def processor_of(folder: Path, **changed: Any) -> Any:
    """The processor of images and words that transformers makes of a folder's files.

    Args:
        folder: Holds its settings and the tokenizer.
        changed: Settings that are to differ.

    Raises:
        InputError: There is none, or it does not read both.
    """
    try:
        processor = AutoProcessor.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True, **changed
        )
    except Exception as error:  # the files are foreign, and transformers raises of all kinds
        told = " ".join(str(error).split())
        msg = f"{folder} holds no processor that can be read ({told:.200}). Copy its files there."
        raise InputError(msg) from error
    if getattr(processor, "tokenizer", None) is None or not hasattr(processor, "image_processor"):
        msg = f"{folder} does not read images and words. Name a vision-language model."
        raise InputError(msg)
    return processor


def rendered(
    processor: Any, *, origin: object, before_image: str = "", before: str, after: str
) -> tuple[str, str]:
    """A user's turn and the opening of the answer in a model's own chat format, cut at the prompt.

    Args:
        processor: With a chat template.
        origin: What asks for it, for the message.
        before_image: Words in front of the image.
        before: Words between the image and the prompt.
        after: Words behind the prompt.

    Raises:
        InputError: There is no chat template, or it drops the words.
    """
    said = [{"type": "text", "text": before_image}] if before_image else []
    said += [{"type": "image"}, {"type": "text", "text": f"{before}{_HERE}{after}"}]
    try:
        chat: str = processor.apply_chat_template(
            [{"role": "user", "content": said}], add_generation_prompt=True, tokenize=False
        )
    except ValueError as error:
        told = " ".join(str(error).split())
        msg = f"{origin}: the processor has no chat template ({told:.100}). Choose another model."
        raise InputError(msg) from error
    head, here, tail = chat.partition(_HERE)
    if not here:
        msg = f"{origin}: the chat template drops the question. Choose another model."
        raise InputError(msg)
    return head, tail


def whole_chat(row: RewardRow, *, device: str, dtype: str, weights: Local) -> dict[str, Any]:
    """A row's model with its own language head, as the settings that a chat reward takes.

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: A folder with config, weights (safetensors), tokenizer and processor files of an
            image-text-to-text model; None: the row's repository.

    Raises:
        InputError: A weight is missing or superfluous, or the model cannot be used this way.
    """
    assert row.weights is not None
    assert row.weights.repo is not None
    files = obtain_folder(
        row.weights.repo,
        revision=row.weights.revision,
        patterns=FILES,
        local=weights,
        name=row.name,
    )
    model = by_library(
        AutoModelForImageTextToText,
        files.path,
        origin=files.path,
        dtype=torch_dtype(dtype),
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
    )
    return {
        "name": row.name,
        "model": model.to(device),
        "processor": processor_of(files.path),
        "device": device,
        "identity": files.identity,
    }
