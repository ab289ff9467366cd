"""From prompts to token ids, cut and padded as a text tower expects them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from aas_bench.errors import InputError

Ids: TypeAlias = list[int]

SENTENCE: Final = "a photograph of a red apple on a wooden table beside an open window"
MOST_UNKNOWN: Final = 0.3
"""Share of the tokens of `SENTENCE` that a tokenizer may not know."""
_COPY: Final = (
    "Copy the tokenizer's files (tokenizer.json, or vocab.json with merges.txt, or vocab.txt) "
    "into the model's folder."
)


@dataclass(frozen=True, kw_only=True)
class PromptTokens:
    """A tokenizer together with the limits of the text tower that reads its ids.

    Attributes:
        family: What cuts the text, for the description.
        encode: Prompt -> all its ids, special ones included, uncut.
        limit: Ids that the tower reads at most; None: all.
        pad: The id that fills up shorter prompts.
        to_limit: Whether every row is padded to `limit`, or only to the longest of its batch.
        end: The id that ends every prompt, kept when the rest is cut; None: there is none.
        unknown: The id of what the vocabulary lacks; None: it lacks nothing.
    """

    family: str
    encode: Callable[[str], Ids]
    limit: int | None
    pad: int
    to_limit: bool = False
    end: int | None = None
    unknown: int | None = None

    def cut(self, prompt: str) -> Ids:
        """The ids of one prompt, at most `limit` of them."""
        ids = self.encode(prompt)
        if self.limit is None or len(ids) <= self.limit:
            return ids
        if self.end is None:
            return ids[: self.limit]
        return [*ids[: self.limit - 1], self.end]

    def lengths(self, prompts: Sequence[str]) -> NDArray[np.int64]:
        """Ids of each prompt after the cut; shape (n,)."""
        return np.array([len(self.cut(prompt)) for prompt in prompts], dtype=np.int64)

    def truncated(self, prompts: Sequence[str]) -> NDArray[np.bool_]:
        """Whether each prompt has more ids than the limit; shape (n,)."""
        if self.limit is None:
            return np.zeros(len(prompts), dtype=bool)
        return np.array([len(self.encode(p)) > self.limit for p in prompts], dtype=bool)

    def unknown_shares(self, prompts: Sequence[str]) -> NDArray[np.float64]:
        """Share of each prompt's ids that stand for what the vocabulary lacks; shape (n,)."""
        if self.unknown is None:
            return np.zeros(len(prompts))
        rows = [self.encode(prompt) for prompt in prompts]
        # CLIP's unknown token is also the one that ends every prompt
        ends = int(self.unknown == self.end)
        return np.array([(row.count(self.unknown) - ends) / max(len(row), 1) for row in rows])

    def padded(self, rows: Sequence[Ids], device: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Ids and mask of a batch, both int64 of shape (n, length); the mask is 0 on padding."""
        longest = self.limit if self.to_limit else max(len(row) for row in rows)
        assert longest is not None
        ids = [row + [self.pad] * (longest - len(row)) for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        return torch.tensor(ids, device=device), torch.tensor(mask, device=device)

    def describe(self) -> dict[str, Any]:
        """What the ids depend on, as JSON values."""
        return {"family": self.family, "limit": self.limit, "pad": self.pad}


@cache
def open_clip_tokens(context_length: int = 77) -> PromptTokens:
    """OpenAI's and open_clip's CLIP tokenizer: repairs broken text, unescapes HTML, lower-cases."""
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer(context_length=context_length)
    start, end = tokenizer.sot_token_id, tokenizer.eot_token_id

    def encode(prompt: str) -> Ids:
        return [start, *tokenizer.encode(prompt), end]

    return PromptTokens(
        family="open_clip", encode=encode, limit=context_length, pad=0, to_limit=True, end=end
    )


@cache
def clip_tokens(*, to_limit: bool = False) -> PromptTokens:
    """The CLIP tokenizer of transformers: normalises white space and case, repairs nothing.

    It is built from the vocabulary that ships with open_clip, which is the same, so that no file
    need be fetched. Padding is the end-of-text id; the tower pools at the first of them.
    """
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPTokenizer

    shipped = SimpleTokenizer()
    vocabulary = dict(shipped.encoder)
    for name, theirs in (
        ("<start_of_text>", "<|startoftext|>"),
        ("<end_of_text>", "<|endoftext|>"),
    ):
        vocabulary[theirs] = vocabulary.pop(name)
    tokenizer = CLIPTokenizer(vocab=vocabulary, merges=list(shipped.bpe_ranks))
    end = tokenizer.eos_token_id
    return PromptTokens(
        family="transformers CLIP",
        encode=_encoder(tokenizer),
        limit=77,
        pad=end,
        to_limit=to_limit,
        end=end,
    )


def bert_tokens(vocabulary: Path, *, limit: int) -> PromptTokens:
    """The lower-casing BERT WordPiece tokenizer of a `vocab.txt`, or of the folder of another file.

    Raises:
        InputError: It does not know plain English.
    """
    from transformers import BertTokenizer

    if vocabulary.suffix == ".txt":
        tokenizer = BertTokenizer(vocab=str(vocabulary))
    else:
        tokenizer = _from_folder(vocabulary.parent, BertTokenizer)
    _refuse_ignorant(tokenizer, vocabulary)
    return PromptTokens(
        family="BERT WordPiece",
        encode=_encoder(tokenizer),
        limit=limit,
        pad=tokenizer.pad_token_id,
        end=tokenizer.sep_token_id,
        unknown=tokenizer.unk_token_id,
    )


def folder_tokens(folder: Path, *, limit: int, to_limit: bool, lower: bool = False) -> PromptTokens:
    """The tokenizer whose files lie in `folder`, as transformers reads them.

    Args:
        folder: Holds tokenizer.json or the vocabulary files.
        limit: Ids that the text tower reads at most.
        to_limit: Whether to pad every prompt to `limit`.
        lower: Whether to lower-case first.

    Raises:
        InputError: It holds no tokenizer, or one that does not know plain English.
    """
    from transformers import AutoTokenizer

    tokenizer = _from_folder(folder, AutoTokenizer)
    _refuse_ignorant(tokenizer, folder)
    whole = _encoder(tokenizer)
    ends = whole("a")[-1] == tokenizer.eos_token_id or whole("a")[-1] == tokenizer.sep_token_id
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return PromptTokens(
        family=type(tokenizer).__name__ + (", lower-cased" if lower else ""),
        encode=(lambda prompt: whole(prompt.lower())) if lower else whole,
        limit=limit,
        pad=pad,
        to_limit=to_limit,
        end=whole("a")[-1] if ends else None,
        unknown=tokenizer.unk_token_id,
    )


def _from_folder(folder: Path, kind: Any) -> Any:
    try:
        return kind.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except Exception as error:  # the files are foreign, and tokenizers raises bare Exceptions
        told = " ".join(str(error).split())
        msg = f"{folder} holds no tokenizer that can be read ({told:.120}). {_COPY}"
        raise InputError(msg) from error


def _refuse_ignorant(tokenizer: Any, origin: Path) -> None:
    """Where the vocabulary is missing, libraries make an empty one, to which all words are one."""
    ids = tokenizer(SENTENCE, add_special_tokens=False, verbose=False)["input_ids"]
    unknown = sum(each == tokenizer.unk_token_id for each in ids)
    if not ids or unknown / len(ids) > MOST_UNKNOWN:
        msg = f"{origin}: the tokenizer knows {len(ids) - unknown} of {len(ids)} tokens of "
        msg += f"{SENTENCE!r}. {_COPY}"
        raise InputError(msg)


def _encoder(tokenizer: Any) -> Callable[[str], Ids]:
    def encode(prompt: str) -> Ids:
        # verbose=False: transformers would warn of every prompt over its limit; we report them
        ids: Ids = tokenizer(prompt, verbose=False)["input_ids"]
        return ids

    return encode
