"""VisionReward: 30 yes/no questions about an image, weighted, and VQAScore for the prompt.

The questions are the same for every image and none of them holds the prompt, so they are asked
once per image; the prompt is read by VQAScore alone, whose probability is one more summand.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from tokenizers import Tokenizer

from aas_bench.errors import BackendError, InputError
from aas_bench.rewards import vqascore
from aas_bench.rewards.base import Scores
from aas_bench.rewards.cogvlm2 import NAMES, CogVlm2, sizes_of
from aas_bench.rewards.facts import Local, RewardRow, Sizes, Weights
from aas_bench.rewards.fetch import companion
from aas_bench.rewards.official import OFFICIAL
from aas_bench.rewards.pixels import ImageTransform
from aas_bench.rewards.pretrained import Pretrained, Setup
from aas_bench.rewards.sat import checkpoint
from aas_bench.rewards.tokens import Ids
from aas_bench.rewards.weights import fill, renamed, torch_dtype, unfilled

if TYPE_CHECKING:
    from typing_extensions import Unpack

QUESTION: Final = "Question: {} Short answer:"
YES: Final = "yes"
BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"
MOST_TOKENS: Final = 8
"""Of an answer that may still become YES; the official code goes on to the end."""
ALIGNMENT: Final = "clip-flant5-xxl"
"""Folder beside local weights in which VQAScore's are looked for."""

_log = logging.getLogger(__name__)

# the same file as in Meta's repository, which asks for a sign-in
LLAMA_3 = Weights(
    repo="NousResearch/Meta-Llama-3-8B-Instruct",
    revision="53346005fb0ef11d3b6a83b12c895cca40156b6c",
    file="tokenizer.json",
    size=9_090_000,
)


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """What is asked about an image, and how the answers add up.

    Attributes:
        questions: As they are asked.
        weights: Of each answer, which is +1 for yes and -1 for no.
        only_if: The question that has to be answered yes for this one to count; None: it counts.
        alignment: Weight of VQAScore.
        intercept: Added to all.
        source: Where it was published, and under which licence.
    """

    questions: tuple[str, ...]
    weights: tuple[float, ...]
    only_if: tuple[int | None, ...]
    alignment: float
    intercept: float
    source: str

    def value(self, answers: Sequence[bool]) -> float:
        """The weighted sum of the answers.

        Example:
            >>> asked = Checklist(questions=("A hand?", "Is it well drawn?"), weights=(0.0, 0.5),
            ...     only_if=(None, 0), alignment=2.0, intercept=0.0, source="")
            >>> asked.value([True, False]), asked.value([False, False])
            (-0.5, 0.0)
        """
        counts = np.array([need is None or answers[need] for need in self.only_if])
        return float(np.where(answers, 1.0, -1.0) * counts @ np.array(self.weights))


def official_checklist() -> Checklist:
    """The questions and weights that were published."""
    file = resources.files("aas_bench.rewards") / "checklists" / "visionreward.json"
    told = json.loads(file.read_text(encoding="utf-8"))
    rows = told["questions"]
    return Checklist(
        questions=tuple(row["question"] for row in rows),
        weights=tuple(row["weight"] for row in rows),
        only_if=tuple(row.get("only_if") for row in rows),
        alignment=told["alignment"],
        intercept=told["intercept"],
        source=told["source"],
    )


class Both(NamedTuple):
    """What each of the two models is given of an image.

    Attributes:
        asked: Pixels (3, side, side) for the questions, or the weighted sum of their answers.
        aligned: Pixels or features for VQAScore.
    """

    asked: Any
    aligned: torch.Tensor


class VisionReward(Pretrained):
    """Weighted answers to a checklist, and the weighted probability that the prompt is shown.

    Args:
        model: The network that answers.
        tokenizer: Llama 3's.
        alignment: VQAScore.
        checklist: Questions and weights.
        setup: As `Setup`, of the network that answers.

    Raises:
        InputError: The tokenizer is not Llama 3's.
    """

    batch_size = 8
    n_placebos = 1

    def __init__(
        self,
        *,
        model: CogVlm2,
        tokenizer: Tokenizer,
        alignment: vqascore.VqaScore,
        checklist: Checklist,
        **setup: Unpack[Setup],
    ) -> None:
        super().__init__(dtype=model.word_embeddings.weight.dtype, **setup)
        self._model, self._tokenizer = model, tokenizer
        self._alignment, self._checklist = alignment, checklist
        asked = [QUESTION.format(question) for question in checklist.questions]
        self._asked: list[Ids] = [tokenizer.encode(q, add_special_tokens=False).ids for q in asked]
        self._begin, self._end = (tokenizer.token_to_id(token) or -1 for token in (BEGIN, END))
        needed = [self._begin, self._end, *(id_ for ids in self._asked for id_ in ids)]
        if not 0 <= min(needed) <= max(needed) < len(model.word_embeddings.weight):
            msg = f"{self.name}: the tokenizer is not Llama 3's. Put its tokenizer.json "
            raise InputError(f"{msg}into the folder.")

    def preprocess(self, image: Image.Image) -> Both:
        """The image on a square for each of the two models."""
        return Both(super().preprocess(image), self._alignment.preprocess(image))

    def encode_images(self, images: Sequence[Both]) -> Sequence[Both]:
        """The weighted answers about each image, and VQAScore's features."""
        aligned = self._alignment.encode_images([image.aligned for image in images])
        # one image a call: it fills the device, and no answer depends on another image
        asked = [torch.tensor(self._value(image.asked), dtype=torch.float64) for image in images]
        return [Both(*both) for both in zip(asked, aligned, strict=True)]

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Ids]:
        """As VQAScore does."""
        return self._alignment.encode_prompts(prompts)

    def combine(self, images: Sequence[Both], prompts: Sequence[Ids]) -> Scores:
        """The sum of both parts."""
        aligned = self._alignment.combine([image.aligned for image in images], prompts)
        asked = np.array([float(image.asked) for image in images])
        scores: Scores = self._checklist.alignment * aligned + asked + self._checklist.intercept
        return scores

    def prompt_lengths(self, prompts: Sequence[str]) -> NDArray[np.int64]:
        """As VQAScore has it."""
        return self._alignment.prompt_lengths(prompts)

    def truncated(self, prompts: Sequence[str]) -> NDArray[np.bool_]:
        """As VQAScore has it."""
        return self._alignment.truncated(prompts)

    def describe(self) -> dict[str, Any]:
        """Weights, number format, image processing, checklist, and all of VQAScore's."""
        told = asdict(self._checklist)
        del told["source"]
        form = {"form": QUESTION, "yes": YES + END, "most_tokens": MOST_TOKENS}
        alignment = self._alignment.describe()
        return {
            **super().describe(),
            "text": alignment["text"],
            "checklist": json.loads(json.dumps(told | form)),
            "alignment": alignment,
        }

    def answers(self, pixels: torch.Tensor) -> list[bool]:
        """Whether each question about one image (3, side, side) is answered yes.

        An answer is yes where the likeliest tokens, one after the other, are "yes" and the end.
        """
        written: list[Ids] = [[] for _ in self._asked]
        verdicts: list[bool | None] = [None] * len(written)
        unread = dict(enumerate(self._asked))
        with torch.inference_mode():
            branches = self._model.looked(pixels, self._begin)
            while unread:
                logits = self._model.lm_head(branches.read(unread)).float()
                for question, token in zip(unread, logits.argmax(dim=-1).tolist(), strict=True):
                    written[question].append(token)
                    verdicts[question] = self._verdict(written[question])
                unread = {q: written[q][-1:] for q in unread if verdicts[q] is None}
        return [bool(verdict) for verdict in verdicts]

    def _value(self, pixels: torch.Tensor) -> float:
        return self._checklist.value(self.answers(pixels))

    def _verdict(self, written: Ids) -> bool | None:
        """Whether the answer is yes; None: it may still become one."""
        ended = written[-1] == self._end
        said = self._tokenizer.decode(written[: -1 if ended else None], skip_special_tokens=False)
        said = said.lstrip()
        if ended:
            return bool(said == YES)
        return None if YES.startswith(said) and len(written) < MOST_TOKENS else False


def load(
    row: RewardRow, *, device: str, dtype: str, weights: Local, architecture: Sizes = vqascore.XXL
) -> VisionReward:
    """VisionReward for images (Xu et al., arXiv:2412.21059).

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: A local folder: the makers' archive, unpacked or in its parts. Llama 3's
            `tokenizer.json` and VQAScore's folder `clip-flant5-xxl` may lie beside it; else they
            come from the Hub. None: the official archive.
        architecture: Of VQAScore, as there.

    Raises:
        InputError: Something else lies there.
    """
    found = checkpoint(row, local=weights)
    sizes = sizes_of(found.settings, found.origin)
    with unfilled():
        model = CogVlm2(sizes)
    state = renamed(found.state, NAMES)
    state.setdefault("inv_freq", sizes.turns())
    # the official loader leaves them out, too; a layer too many is another matter
    parts = ("tower.", "layers.", "conv.", "linear_proj.")
    besides = [n for n in state.keys() - model.state_dict().keys() if not n.startswith(parts)]
    if besides:
        _log.warning("%s: left out what is not of the network: %s", row.name, ", ".join(besides))
    fill(
        model,
        state,
        origin=found.origin,
        device=device,
        dtype=torch_dtype(dtype),
        ignore=[re.escape(name) for name in besides],
    )
    vocabulary = companion(LLAMA_3, local=weights)
    alignment = _alignment(weights, device=device, dtype=dtype, architecture=architecture)
    return VisionReward(
        name=row.name,
        model=model,
        tokenizer=Tokenizer.from_file(str(vocabulary.path)),
        alignment=alignment,
        checklist=official_checklist(),
        transform=ImageTransform(size=sizes.side, fit="squash"),
        device=device,
        identity={**found.identity, "tokenizer": vocabulary.identity},
    )


def _alignment(weights: str | Path | None, **how: Any) -> vqascore.VqaScore:
    """VQAScore, of a folder beside local weights or from the Hub."""
    row = next(other for other in OFFICIAL if other.name == "vqascore")
    beside = None if weights is None else Path(weights).expanduser() / ALIGNMENT
    if beside is not None and beside.is_dir():
        return vqascore.load(row, weights=beside, **how)
    try:
        return vqascore.load(row, weights=None, **how)
    except BackendError as error:
        told = str(error).partition("  Or name")[0]
        msg = f"{told} Or put its files beside the weights, as folder {ALIGNMENT}."
        raise BackendError(msg, retryable=error.retryable) from error
