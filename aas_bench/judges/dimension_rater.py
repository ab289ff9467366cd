"""How good an image is in each dimension, by a vision-language model: what it expects, not says.

For each dimension the model is asked for a mark of 0, 1 or 2. The rating is the expectation over
these three answers, by the probabilities of their tokens. What the image was made from is not told,
so a rating does not depend on any prompt. The model reads the image once; every question continues
from what it then holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from aas_bench.errors import InputError
from aas_bench.judges.rated import MARKS, PREAMBLE, QUESTIONS, Rater, Ratings
from aas_bench.judges.vision_language import load_weights

_HERE: Final = "\N{OBJECT REPLACEMENT CHARACTER}"


class DimensionRater(Rater):
    """Rates images with a model of transformers.

    Args:
        name: What its columns are called by.
        model: An image-text-to-text model whose decoder keeps a cache.
        processor: Its processor, with a chat template.
        identity: Of the weights.
        batch_size: Images at once, as long as they have as many patches.

    Raises:
        InputError: A mark is not a single token, or the template has no place for the question.
    """

    def __init__(
        self,
        *,
        name: str,
        model: Any,
        processor: Any,
        identity: Mapping[str, Any],
        batch_size: int = 4,
    ) -> None:
        self.name, self.batch_size = name, batch_size
        self._model, self._processor, self._identity = model.eval(), processor, dict(identity)
        tokenizer = processor.tokenizer
        marks = [tokenizer.encode(str(mark), add_special_tokens=False) for mark in MARKS]
        if any(len(ids) != 1 for ids in marks):
            msg = f"{name} has no single token for each of 0, 1 and 2. Use another model."
            raise InputError(msg)
        self._marks = [ids[0] for ids in marks]
        self._before, after = self._template()
        suffixes = [
            tokenizer.encode(question + after, add_special_tokens=False)
            for question in QUESTIONS.values()
        ]
        longest = max(map(len, suffixes))
        # What stands behind the last real token is never looked at by it.
        padded = [[*ids, *[ids[-1]] * (longest - len(ids))] for ids in suffixes]
        self._ids = torch.tensor(padded, device=model.device)
        self._last = torch.tensor([len(ids) - 1 for ids in suffixes], device=model.device)

    def identity(self) -> dict[str, Any]:
        """What its ratings depend on besides the image."""
        asked = "\0".join([PREAMBLE, *(f"{n}\1{q}" for n, q in QUESTIONS.items())])
        return {
            "weights": self._identity,
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "questions": hashlib.sha256(asked.encode()).hexdigest()[:16],
        }

    def rate(self, images: Sequence[Image.Image]) -> Ratings:
        """Rate images, RGB."""
        n = len(images), len(QUESTIONS)
        probability, mass = np.zeros((*n, len(MARKS))), np.zeros(n)
        for rows, inputs in self._batches(images):
            with torch.inference_mode():
                likely = self._log_probabilities(inputs).exp().cpu().numpy()
            mass[rows] = likely.sum(axis=-1)
            probability[rows] = likely / likely.sum(axis=-1, keepdims=True)
        return Ratings(dimensions=tuple(QUESTIONS), probability=probability, mass=mass)

    def _template(self) -> tuple[str, str]:
        """The text before the question, the image's place included, and that after it."""
        content = [{"type": "image"}, {"type": "text", "text": PREAMBLE + _HERE}]
        text = self._processor.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        before, mark, after = str(text).partition(_HERE)
        if not mark:
            msg = f"the chat template of {self.name} leaves the question out. Use another model."
            raise InputError(msg)
        return before, after

    def _batches(self, images: Sequence[Image.Image]) -> Iterator[tuple[list[int], Any]]:
        """Rows and inputs of images whose beginnings are equally long, so that none is padded."""
        read = [
            self._processor(text=[self._before], images=[image], return_tensors="pt")
            for image in images
        ]
        alike: dict[tuple[int, ...], list[int]] = {}
        for row, inputs in enumerate(read):
            grid = inputs.get("image_grid_thw", inputs["input_ids"])
            alike.setdefault(tuple(grid.flatten().tolist()), []).append(row)
        for rows in alike.values():
            for start in range(0, len(rows), self.batch_size):
                chunk = rows[start : start + self.batch_size]
                yield chunk, {n: torch.cat([read[row][n] for row in chunk]) for n in read[0]}

    def _log_probabilities(self, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Of the three marks, shape (images, dimensions, 3)."""
        device, dtype = self._model.device, self._model.dtype
        inputs = {
            name: tensor.to(device, dtype if tensor.is_floating_point() else None)
            for name, tensor in inputs.items()
        }
        n_images, n_questions = len(inputs["input_ids"]), len(self._ids)
        cache = self._model(**inputs, use_cache=True, logits_to_keep=1).past_key_values
        cache.batch_repeat_interleave(n_questions)
        logits = self._model(
            input_ids=self._ids.repeat(n_images, 1), past_key_values=cache, use_cache=True
        ).logits
        last = self._last.repeat(n_images)
        at_end = logits[torch.arange(len(last), device=last.device), last].double()
        return at_end.log_softmax(-1)[:, self._marks].view(n_images, n_questions, len(MARKS))


def load(
    where: str,
    *,
    name: str,
    batch_size: int = 4,
    device: str | None = None,
    dtype: str | None = None,
) -> DimensionRater:
    """A rater by the Hub id or the folder of its model; see `vision_language.load`.

    Raises:
        InputError: It cannot be loaded, or it cannot be asked for marks.
    """
    loaded = load_weights(where, batch_size=batch_size, device=device, dtype=dtype)
    return DimensionRater(name=name, batch_size=batch_size, **loaded)
