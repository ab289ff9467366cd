"""The probability with which a vision-language model of today answers "yes".

In the manner of VQAScore (Lin et al., ECCV 2024), with a question of our own: the image and
everything up to the prompt come first, so that the two prompts of an image share that work.
"""

from __future__ import annotations

from typing import Any

import torch

from aas_bench.errors import InputError
from aas_bench.rewards.chat import ChatReward, rendered, whole_chat
from aas_bench.rewards.facts import Local, RewardRow

BEFORE = "Compare the picture with this description: "
AFTER = "\nDoes the picture show what the description says? Answer yes or no."
YES = ("Yes", "yes", " Yes", " yes", "YES")


class SaysYes(ChatReward):
    """Probability mass of the answers that spell "yes", at the first token of the answer.

    Args:
        settings: As ChatReward's, without the chat.
    """

    def __init__(self, **settings: Any) -> None:
        before, after = rendered(
            settings["processor"], origin=settings["name"], before=BEFORE, after=AFTER
        )
        super().__init__(before=before, after=after, **settings)
        spelled = [self._ids(word) for word in YES]
        self._yes = sorted({ids[0] for ids in spelled if len(ids) == 1})
        if not self._yes:
            msg = f"{self.name}: the tokenizer has no single token for yes. Choose another model."
            raise InputError(msg)

    def link(self, hidden: torch.Tensor) -> torch.Tensor:
        """Softmax over the vocabulary in float32, summed over what spells yes."""
        logits = self._model.get_output_embeddings()(hidden).float()
        yes: torch.Tensor = logits.softmax(dim=-1)[:, self._yes].double().sum(dim=-1)
        return yes

    def describe(self) -> dict[str, Any]:
        """As any chat's, and the answers counted as yes."""
        return {**super().describe(), "yes": self._yes}


def load(row: RewardRow, *, device: str, dtype: str, weights: Local) -> SaysYes:
    """The row's model, or that in a local folder.

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: A folder with config, weights (safetensors), tokenizer and processor files of any
            image-text-to-text model; None: the row's repository.

    Raises:
        InputError: A weight is missing or superfluous, or the model cannot be used this way.
    """
    return SaysYes(**whole_chat(row, device=device, dtype=dtype, weights=weights))
