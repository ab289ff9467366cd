"""VQAScore: the probability with which a vision-language model answers "yes".

Lin et al. (ECCV 2024) ask whether a figure shows a text. The question here is our own: the image
and everything up to the prompt come first, so that the two prompts of an image share that work.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.cache_utils import DynamicLayer

from aas_bench.errors import InputError
from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.rewards.facts import RewardRow
from aas_bench.rewards.fetch import obtain_folder
from aas_bench.rewards.pixels import without_far_ends
from aas_bench.rewards.prefix import Prefix, continue_from, split
from aas_bench.rewards.tokens import Ids
from aas_bench.rewards.weights import by_library, torch_dtype

BEFORE = "Compare the picture with this description:"
AFTER = "\nDoes the picture show what the description says? Answer yes or no."
YES = ("Yes", "yes", " Yes", " yes", "YES")

MOST_PIXELS = 1024 * 1024
FILES = ("*.json", "*.safetensors", "*.txt", "*.jinja", "*.model")
_HERE = "@prompt@"


class VqaScore(RewardModel):
    """Probability mass of the answers that spell "yes", at the first token of the answer.

    Args:
        name: The name of its scores.
        model: An image-text-to-text model of transformers.
        processor: Its processor, with a chat template.
        device: Where the model is.
        identity: Of the weights, for the description.
    """

    batch_size = 8
    n_placebos = 1

    def __init__(
        self, *, name: str, model: Any, processor: Any, device: str, identity: dict[str, Any]
    ) -> None:
        self.name = name
        self._model, self._processor = model, processor
        self._device, self._identity = device, identity
        self._tokenizer = processor.tokenizer
        self._lock = Lock()
        self._head, self._tail = self._chat()
        self._special = sorted(self._tokenizer.get_added_vocab(), key=len, reverse=True)
        spelled = [self._ids(word) for word in YES]
        self._yes = sorted({ids[0] for ids in spelled if len(ids) == 1})
        if not self._yes:
            msg = f"{name}: the tokenizer has no single token for yes. Choose another model."
            raise InputError(msg)

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
        """Ids of prompt and question."""
        return [self._ids(f" {self._plain(prompt)}{self._tail}") for prompt in prompts]

    def combine(self, images: Sequence[Prefix], prompts: Sequence[Ids]) -> Scores:
        """Continue each image's cache with a prompt; probability of yes as the next token."""
        with torch.inference_mode():
            batch = continue_from(images, prompts, pad=0)
            hidden = self._model.get_decoder()(
                input_ids=batch.ids,
                position_ids=batch.positions,
                attention_mask=batch.mask,
                past_key_values=batch.cache,
            ).last_hidden_state
            at_end = hidden[torch.arange(len(prompts), device=hidden.device), batch.last]
            logits = self._model.get_output_embeddings()(at_end).float()
            yes: Scores = logits.softmax(dim=-1)[:, self._yes].double().sum(dim=-1).cpu().numpy()
        return yes

    def prompt_lengths(self, prompts: Sequence[str]) -> NDArray[np.int64]:
        """Ids of prompt and question."""
        return np.array([len(ids) for ids in self.encode_prompts(prompts)], dtype=np.int64)

    def describe(self) -> dict[str, Any]:
        """Weights, number format, question, answers counted as yes, image size."""
        return {
            "name": self.name,
            "weights": self._identity,
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "device": torch.device(self._device).type,
            "question": [BEFORE, AFTER],
            "yes": self._yes,
            "image": {"processor": type(self._processor).__name__, "most_pixels": MOST_PIXELS},
        }

    def _prefix(self, inputs: Any) -> Prefix:
        # one image a call: models differ in what they make of a padded batch of images
        placed = {
            key: value.to(self._device, self._model.dtype if value.is_floating_point() else None)
            for key, value in inputs.items()
        }
        length = placed["input_ids"].shape[1]
        with torch.inference_mode():
            cache = self._model.model(**placed, use_cache=True).past_key_values
        if not all(type(layer) is DynamicLayer for layer in cache.layers):
            msg = f"{self.name}: the model does not keep a plain cache. Choose another model."
            raise InputError(msg)
        # models with positions in three axes count an image as fewer steps than it has tokens
        ahead = getattr(self._model.model, "rope_deltas", None)
        step = length + (0 if ahead is None else int(ahead.flatten()[0]))
        return split(cache, [length], [step])[0]

    def _chat(self) -> tuple[str, str]:
        asked = [{"type": "image"}, {"type": "text", "text": f"{BEFORE}{_HERE}{AFTER}"}]
        rendered: str = self._processor.apply_chat_template(
            [{"role": "user", "content": asked}], add_generation_prompt=True, tokenize=False
        )
        head, here, tail = rendered.partition(_HERE)
        if not here:
            msg = f"{self.name}: the chat template drops the question. Choose another model."
            raise InputError(msg)
        return head, tail

    def _plain(self, prompt: str) -> str:
        """The prompt without the names of special tokens, which would break the chat apart."""
        for token in self._special:
            prompt = prompt.replace(token, "")
        return prompt

    def _ids(self, text: str) -> Ids:
        with self._lock:
            ids: Ids = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids


def load(row: RewardRow, *, device: str, dtype: str, weights: str | Path | None) -> VqaScore:
    """VQAScore with the row's model, or with that in a local folder.

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: A folder with config, weights (safetensors), tokenizer and processor files of any
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
    return VqaScore(
        name=row.name,
        model=model.to(device),
        processor=AutoProcessor.from_pretrained(files.path, trust_remote_code=False),
        device=device,
        identity=files.identity,
    )
