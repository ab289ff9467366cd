"""Prompts from a language model behind an OpenAI-compatible chat endpoint.

Whatever the endpoint does, a caption ends as a prompt that passed `prompt_checks.prompt_faults` or
as a reason. Prompts are cached by content; reasons are not, so that the next run asks again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

from aas_bench.errors import InputError
from aas_bench.files import json_object
from aas_bench.rewriters.base import RewriteError, Rewriter, RewriteRequest
from aas_bench.rewriters.instructions import SCHEMA, VERSION, correction, messages
from aas_bench.rewriters.prompt_checks import prompt_faults
from aas_bench.service.access import ServiceOptions
from aas_bench.service.cache import AnswerCache, cache_folder
from aas_bench.service.chat_endpoint import Chat
from aas_bench.service.client import Client, Trace
from aas_bench.service.faults import RefusedError, ServiceError


class EndpointRewriter(Rewriter):
    """Asks a language model for each caption, checks its answers and keeps the good ones.

    Args:
        model: The endpoint's name for the model.
        client: Asks the endpoint.
        cache: Where prompts are kept.
        rounds: Answers to one caption, the first and those asked for after a fault.
    """

    name = "endpoint"

    def __init__(self, model: str, *, client: Client, cache: AnswerCache, rounds: int) -> None:
        self.model, self.client, self.cache, self.rounds = model, client, cache, rounds
        self._chat = Chat(model, client=client, asked="captions")

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def rewrite_all(
        self, requests: Iterable[RewriteRequest]
    ) -> Generator[str | RewriteError, None, None]:
        """See `Rewriter.rewrite_all`; at most `concurrency` captions are under way at once."""
        asked = list(requests)
        once = list(dict.fromkeys(asked))  # what is asked twice is paid for once
        answers = self.client.each(self._outcome, once)
        found: dict[RewriteRequest, str | RewriteError] = {}
        try:
            for request in asked:
                if request not in found:
                    found[request] = next(answers)
                yield found[request]
        finally:
            answers.close()

    def rewrite(self, request: RewriteRequest) -> str:
        """See `Rewriter.rewrite`; a prompt that the cache holds is not asked for again.

        Raises:
            RewriteError: The endpoint did not answer, refused, or gave no usable prompt in all
                rounds; or it was not asked, because it had stopped answering.
            StoreError: The cache cannot be written.
        """
        question = self._question(request)
        stored = self.cache.get(question)
        if stored is not None and not _faults(stored, request):
            return stored
        try:
            with self._chat.asking():
                prompt = self._converse(request)
        except RefusedError as error:
            msg = self.client.clean(f"refused: {error}")
            raise RewriteError(msg) from None
        except ServiceError as error:
            raise RewriteError(self.client.clean(str(error)), retryable=True) from None
        self.cache.put(question, prompt)
        return prompt

    def _question(self, request: RewriteRequest) -> dict[str, Any]:
        """What the answer depends on; the address does not count, as models are served anywhere."""
        return {
            "model": self.model,
            "version": VERSION,
            "caption": request.caption,
            "dimensions": list(request.dimensions),
            "seed": request.seed,
        }

    def _converse(self, request: RewriteRequest) -> str:
        """Ask, and ask again with the faults told, until a prompt passes or the rounds are over."""
        talk = messages(request)
        faults: list[str] = []
        for _ in range(self.rounds):
            answer = self._chat.ask(
                talk, schema=SCHEMA, name="wide_spectrum_prompt", trace=Trace(), seed=request.seed
            )
            prompt, faults = _read(answer)
            faults = faults or _faults(prompt, request)
            if not faults:
                return prompt
            talk = [*messages(request), *correction(answer, faults)]
        msg = f"no usable prompt in {self.rounds} answers: the last: {'; '.join(faults)}"
        raise RewriteError(self.client.clean(msg), retryable=True)


def _faults(prompt: str, request: RewriteRequest) -> list[str]:
    return prompt_faults(prompt, caption=request.caption, dimensions=request.dimensions)


def _read(answer: str) -> tuple[str, list[str]]:
    """The prompt of an answer, and what is wrong with its form."""
    found = json_object(answer)
    prompt = None if found is None else found.get("prompt")
    if not isinstance(prompt, str):
        return "", ['the answer is not the JSON object {"prompt": "..."}']
    return prompt.strip(), []


def load(
    *, model: str | None = None, cache: Path | None = None, rounds: int = 3, **options: Any
) -> EndpointRewriter:
    """A rewriter that asks the endpoint at `base_url`, OPENAI_BASE_URL, or OpenAI itself.

    Args:
        model: The endpoint's name for the model.
        cache: Folder of the cache; None for the user's own.
        rounds: Answers to one caption, the first and those asked for after a fault.
        options: See `ServiceOptions`.

    Raises:
        InputError: There is no model, no usable address, or OPENAI_API_KEY is not set.
    """
    if not model:
        msg = "the endpoint rewriter needs a model. Give --model, the endpoint's name for it."
        raise InputError(msg)
    if rounds < 1:
        msg = f"rounds is {rounds!r}. Give a whole number from 1."
        raise InputError(msg)
    client = Client("openai", ServiceOptions.of({"timeout": 120.0, **options}))
    store = AnswerCache(cache or cache_folder("rewrites"))
    return EndpointRewriter(model, client=client, cache=store, rounds=rounds)
