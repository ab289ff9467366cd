"""What a rewriter is asked and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Final

from aas_bench.errors import BackendError, InputError
from aas_bench.tasks.taxonomy import DIMENSIONS

MAX_WORDS: Final = 70
"""The longest wide-spectrum prompt, in words: what text encoders of 77 tokens read mostly."""


@dataclass(frozen=True, kw_only=True)
class RewriteRequest:
    """One caption and what to ask for besides.

    Attributes:
        caption: One line.
        dimensions: Names from `taxonomy.DIMENSIONS`, at least one.
        seed: Another seed gives another wording.

    Raises:
        InputError: There is no caption or no dimension, or one is unknown or stands twice.
    """

    caption: str
    dimensions: tuple[str, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.caption.strip():
            msg = "the caption is empty. Give a sentence to rewrite."
            raise InputError(msg)
        unknown = [name for name in self.dimensions if name not in DIMENSIONS]
        if unknown:
            msg = f"no dimension is called {unknown[0]!r}. There are: {', '.join(DIMENSIONS)}."
            raise InputError(msg)
        if not self.dimensions or len({*self.dimensions}) < len(self.dimensions):
            msg = f"dimensions are {list(self.dimensions)}. Name one or more, each once."
            raise InputError(msg)


class RewriteError(BackendError):
    """There is no usable prompt for a caption; the message is the reason to record."""


class Rewriter(ABC):
    """Makes wide-spectrum prompts.

    Attributes:
        name: What users type.
        model: The language model; None where there is none.
    """

    name: str
    model: str | None = None

    @abstractmethod
    def rewrite(self, request: RewriteRequest) -> str:
        """One prompt of at most `MAX_WORDS` words that passes `prompt_checks.prompt_faults`.

        Raises:
            RewriteError: There is none; nothing takes its place.
        """

    def rewrite_all(
        self, requests: Iterable[RewriteRequest]
    ) -> Generator[str | RewriteError, None, None]:
        """What becomes of each request, in order: its prompt, or why there is none.

        Closed early, it begins no further requests.
        """
        for request in requests:
            yield self._outcome(request)

    def _outcome(self, request: RewriteRequest) -> str | RewriteError:
        try:
            return self.rewrite(request)
        except RewriteError as error:
            return error

    def describe(self) -> str:
        """Name and model, as a table records them."""
        return self.name if self.model is None else f"{self.name}:{self.model}"

    def close(self) -> None:  # noqa: B027 - most rewriters hold nothing
        """Give back what is held."""


def n_words(text: str) -> int:
    """Words between white space."""
    return len(text.split())
