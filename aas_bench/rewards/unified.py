"""UnifiedReward 2: a vision-language model that writes three ratings of a picture.

The question is the official one, and so are the words of the answer; the digits are the model's,
each the likeliest. So what it would write greedily in the form that it was trained on is read off,
and no answer lacks a number. Image and question up to the prompt are run once per image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch

from aas_bench.errors import InputError
from aas_bench.rewards.base import Scores
from aas_bench.rewards.chat import ChatReward, rendered, whole_chat
from aas_bench.rewards.facts import Local, RewardRow
from aas_bench.rewards.prefix import Prefix, continue_from
from aas_bench.rewards.tokens import Ids

AXES: Final = {
    "Alignment": "How well the image matches the caption in terms of content.",
    "Coherence": "How logically consistent the image is (absence of visual glitches, object "
    "distortions, etc.).",
    "Style": "How aesthetically appealing the image looks, regardless of caption accuracy.",
}
BEFORE: Final = (
    "You are presented with a generated image and its associated text caption. Your task is to "
    "analyze the image across multiple dimensions in relation to the caption. Specifically:\n"
    "Provide overall assessments for the image along the following axes (each rated from 1 to 5):\n"
    + "".join(f"- {axis} Score: {meaning}\n" for axis, meaning in AXES.items())
    + "\nOutput your evaluation using the format below:\n\n"
    + "".join(f"{axis} Score (1-5): {place}\n" for axis, place in zip(AXES, "XYZ", strict=True))
    + "\nYour task is provided as follows:\nText Caption: ["
)
AFTER: Final = "]"
LEAST, MOST = 1, 5
LONGEST: Final = 20
"""Characters of a number that are read at most: it was trained on float32 written in full."""


class WrittenRatings(ChatReward):
    """The mean of the ratings that the model writes for alignment, coherence and style.

    Args:
        settings: As ChatReward's, without the chat.

    Raises:
        InputError: The tokenizer does not keep digits apart.
    """

    def __init__(self, **settings: Any) -> None:
        before, after = rendered(
            settings["processor"], origin=settings["name"], before=BEFORE, after=AFTER
        )
        first, *others = [f"{axis} Score (1-5): " for axis in AXES]
        super().__init__(before=before, after=after + first, **settings)
        self._labels = [self._ids(f"\n{label}") for label in others]
        spelled = [self._ids(character) for character in "0123456789."]
        if any(len(ids) != 1 for ids in spelled):
            msg = f"{self.name}: the tokenizer does not keep digits apart. Choose another model."
            raise InputError(msg)
        self._characters = dict(zip((ids[0] for ids in spelled), "0123456789.", strict=True))
        self._firsts = [spelled[digit][0] for digit in range(LEAST, MOST + 1)]

    def combine(self, images: Sequence[Prefix], prompts: Sequence[Ids]) -> Scores:
        """Continue each image's cache with a prompt and let the model write; the mean rating."""
        written = [_Answer(self._characters, self._labels) for _ in prompts]
        with torch.inference_mode():
            batch = continue_from(images, prompts, pad=0)
            rows = torch.arange(len(prompts), device=batch.ids.device)
            at_end = self._hidden(batch.ids, batch.positions, batch.mask, batch.cache)
            at_end = at_end[rows, batch.last]
            seen, position = batch.mask[rows, 0, batch.last], batch.positions[rows, batch.last]
            while True:
                logits = self._model.get_output_embeddings()(at_end).float()
                firsts = [self._firsts[i] for i in logits[:, self._firsts].argmax(-1).tolist()]
                likeliest = logits.argmax(-1).tolist()
                tokens = [
                    answer.next(first, token)
                    for answer, first, token in zip(written, firsts, likeliest, strict=True)
                ]
                if all(answer.is_whole for answer in written):
                    break
                position = position + 1
                seen = torch.nn.functional.pad(seen, (0, 1))
                ids = torch.tensor(tokens, device=seen.device)[:, None]
                at_end = self._hidden(ids, position[:, None], seen[:, None, None], batch.cache)
                at_end = at_end[:, -1]
        return np.array([answer.mean() for answer in written])

    def link(self, hidden: torch.Tensor) -> torch.Tensor:
        """Not read off one state: see `combine`."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """As any chat's, and how the answer is read."""
        return {**super().describe(), "answer": "greedy digits", "longest": LONGEST}

    def _hidden(self, ids: Any, positions: Any, mask: Any, cache: Any) -> torch.Tensor:
        states: torch.Tensor = self._model.get_decoder()(
            input_ids=ids, position_ids=positions, attention_mask=mask, past_key_values=cache
        ).last_hidden_state
        return states


class _Answer:
    """One answer while it is written: numbers by the model, words between them given."""

    def __init__(self, characters: dict[int, str], labels: Sequence[Ids]) -> None:
        self._characters = characters
        self._labels = [list(ids) for ids in labels]
        self._given: list[int] = []
        self._numbers = [""]
        self.is_whole = False

    def next(self, first: int, likeliest: int) -> int:
        """The token to write: the next given one, the likeliest first digit, or the likeliest."""
        if self.is_whole:
            return 0
        if self._given:
            return self._given.pop(0)
        number = self._numbers[-1]
        token = likeliest if number else first
        character = self._characters.get(token, "")
        if character and (character == ".") == (len(number) == 1) and len(number) < LONGEST:
            self._numbers[-1] += character
            return token
        if not self._labels:
            self.is_whole = True
            return 0
        self._numbers.append("")
        self._given = self._labels.pop(0)
        return self._given.pop(0)

    def mean(self) -> float:
        """Of the numbers, none above the scale."""
        return float(np.mean([min(float(number), MOST) for number in self._numbers]))


def load(row: RewardRow, *, device: str, dtype: str, weights: Local) -> WrittenRatings:
    """The row's model, or that in a local folder.

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: A folder with config, weights (safetensors), tokenizer and processor files; None:
            the row's repository.

    Raises:
        InputError: A weight is missing or superfluous, or the model cannot be used this way.
    """
    return WrittenRatings(**whole_chat(row, device=device, dtype=dtype, weights=weights))
