"""A judge on this machine: a vision-language model of transformers, decoded without chance."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Generator, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from aas_bench.errors import InputError
from aas_bench.files import json_object
from aas_bench.judges.base import (
    INVALID,
    NOT_ASKED,
    OK,
    Answer,
    Judge,
    Keep,
    Question,
    plain,
    task_text,
)

_SAMPLED: Final = 2**20
_DTYPES: Final = ("bfloat16", "float16", "float32")


class VisionLanguageJudge(Judge):
    """Answers with the likeliest token after the likeliest token.

    Args:
        name: What its columns are called by.
        model: An image-text-to-text model of transformers.
        processor: Its processor, with a chat template.
        identity: Of the weights.
        batch_size: Questions at once.

    Attributes:
        most_tokens: Tokens of one answer; one that is not complete by then is none.
    """

    most_tokens = 512

    def __init__(
        self, *, name: str, model: Any, processor: Any, identity: dict[str, Any], batch_size: int
    ) -> None:
        self.name, self.batch_size = name, batch_size
        self._model, self._processor, self._identity = model, processor, identity
        tokenizer = processor.tokenizer
        tokenizer.padding_side = "left"  # answers are written on at the right
        special = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, special)) or r"(?!)")

    def ask(
        self, questions: Iterable[Question], *, keep: Keep = lambda *_: None
    ) -> Generator[Answer, None, None]:
        """See `Judge.ask`; `batch_size` questions at once."""
        left = iter(questions)
        while batch := list(islice(left, self.batch_size)):
            answers = self._answers(batch)
            for question, answer in zip(batch, answers, strict=True):
                keep(question, answer)
            yield from answers

    def identity(self) -> dict[str, Any]:
        """Weights, number format and the longest answer."""
        return {
            "weights": self._identity,
            "dtype": str(self._model.dtype).removeprefix("torch."),
            "most_tokens": self.most_tokens,
        }

    def _answers(self, batch: Sequence[Question]) -> list[Answer]:
        started = time.perf_counter()
        pictures: dict[int, list[Image.Image]] = {}
        answers: dict[int, Answer] = {}
        for place, question in enumerate(batch):
            try:
                pictures[place] = list(question.pictures().values())
            except InputError as error:
                answers[place] = Answer(status=NOT_ASKED, reason=str(error), attempts=0)
        texts = self._generate([batch[place] for place in pictures], list(pictures.values()))
        latency = (time.perf_counter() - started) / max(len(texts), 1)
        for place, text in zip(pictures, texts, strict=True):
            values = json_object(text)
            fault = batch[place].faults(values)
            if fault is not None or values is None:
                reason = " ".join(f"no valid answer: {fault}: {text[:200]!r}".split())
                answers[place] = Answer(status=INVALID, reason=reason, latency=latency)
            else:
                answers[place] = Answer(status=OK, values=plain(values), latency=latency)
        return [answers[place] for place in range(len(batch))]

    def _generate(
        self, questions: Sequence[Question], pictures: Sequence[Sequence[Image.Image]]
    ) -> list[str]:
        """The text of each answer."""
        if not questions:
            return []
        inputs = self._processor(
            text=[self._chat(question) for question in questions],
            images=list(map(list, pictures)),
            padding=True,
            return_tensors="pt",
        )
        device, dtype = self._model.device, self._model.dtype
        placed = {
            key: value.to(device, dtype if value.is_floating_point() else None)
            for key, value in inputs.items()
        }
        with torch.inference_mode():
            written = self._model.generate(
                **placed, max_new_tokens=self.most_tokens, do_sample=False, num_beams=1
            )
        new = written[:, placed["input_ids"].shape[1] :]
        texts: list[str] = self._processor.batch_decode(new, skip_special_tokens=True)
        return texts

    def _chat(self, question: Question) -> str:
        """The conversation up to the answer; no text of the data can end a turn of it."""
        task = task_text(question)
        while (shorter := self._special.sub("", task)) != task:  # what is left may be one, too
            task = shorter
        content: list[dict[str, str]] = [
            {"type": "text", "text": f"{question.rubric.instructions}\n\n{task}"}
        ]
        for title in question.images:
            content += [{"type": "text", "text": f"\n{title}:"}, {"type": "image"}]
        rendered: str = self._processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        return rendered


def load(
    where: str,
    *,
    name: str,
    batch_size: int = 4,
    device: str | None = None,
    dtype: str | None = None,
) -> VisionLanguageJudge:
    """A model of the Hub, `owner/name` or `owner/name@revision`, or of a local folder.

    Args:
        where: The model.
        name: What its columns are called by.
        batch_size: Questions at once.
        device: Where it runs; None: CUDA where there is one.
        dtype: bfloat16, float16 or float32; None: bfloat16 on CUDA, float32 elsewhere.

    Raises:
        InputError: The model cannot be loaded, or an option is wrong.
    """
    loaded = load_weights(where, batch_size=batch_size, device=device, dtype=dtype)
    return VisionLanguageJudge(name=name, batch_size=batch_size, **loaded)


def load_weights(
    where: str, *, batch_size: int, device: str | None, dtype: str | None
) -> dict[str, Any]:
    """The `model`, its `processor` and the `identity` of its weights; see `load`."""
    if batch_size < 1:
        msg = f"batch_size is {batch_size!r}. Give a whole number from 1."
        raise InputError(msg)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = dtype or ("bfloat16" if device.startswith("cuda") else "float32")
    if dtype not in _DTYPES:
        msg = f"dtype is {dtype!r}. Give one of {', '.join(_DTYPES)}."
        raise InputError(msg)
    folder = Path(where).expanduser()
    if not folder.is_dir() and (where.startswith((".", "/", "~")) or where.count("/") > 1):
        msg = f"there is no folder {where!r:.200}. Give vlm:REPO or vlm:FOLDER."
        raise InputError(msg)
    repo, _, revision = (str(folder), "", "") if folder.is_dir() else where.partition("@")
    told: dict[str, Any] = {"revision": revision or None, "trust_remote_code": False}
    try:
        model = AutoModelForImageTextToText.from_pretrained(
            repo, dtype=getattr(torch, dtype), use_safetensors=True, **told
        )
        processor = AutoProcessor.from_pretrained(repo, **told)
    except (OSError, ValueError, ImportError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        msg = (
            f"{where} is no vision-language model that can be loaded: {reason}. "
            "Give vlm:REPO or vlm:FOLDER."
        )
        raise InputError(msg) from error
    if folder.is_dir():
        identity: dict[str, Any] = {"folder": folder.name, "sample": _sample(folder)}
    else:
        identity = {"repo": repo, "revision": getattr(model.config, "_commit_hash", None)}
    return {
        "model": model.to(device).eval().requires_grad_(False),
        "processor": processor,
        "identity": identity,
    }


def _sample(folder: Path) -> str:
    """SHA-256 of the configuration, and of size, begin and end of each file of weights."""
    digest = hashlib.sha256()
    files = [*folder.glob("*.json"), *folder.glob("*.jinja"), *folder.glob("*.safetensors")]
    for file in sorted(files):
        size = file.stat().st_size
        digest.update(f"{file.name} {size}".encode())
        with file.open("rb") as opened:
            digest.update(opened.read(_SAMPLED))
            opened.seek(max(0, size - _SAMPLED))
            digest.update(opened.read(_SAMPLED))
    return digest.hexdigest()
