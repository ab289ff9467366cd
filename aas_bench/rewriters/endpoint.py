"""Prompts from a language model behind an OpenAI-compatible chat endpoint.

Whatever the endpoint does, a caption ends as a prompt that passed `prompt_checks.prompt_faults` or
as a reason. Prompts are cached by content; reasons are not, so that the next run asks again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import InputError
from aas_bench.rewriters.base import RewriteError, Rewriter, RewriteRequest
from aas_bench.rewriters.instructions import SCHEMA, VERSION, correction, messages
from aas_bench.rewriters.prompt_checks import prompt_faults
from aas_bench.service.access import ServiceOptions
from aas_bench.service.cache import AnswerCache, cache_folder
from aas_bench.service.client import Client, Trace, first_choice
from aas_bench.service.faults import RefusedError, ServiceError

_FORMAT: Final = {
    "type": "json_schema",
    "json_schema": {"name": "wide_spectrum_prompt", "strict": True, "schema": SCHEMA},
}
_NO_FORMAT: Final = frozenset({400, 404, 415, 422, 501})
"""Statuses with which endpoints answer a request for structured output that they do not know."""

_MOST_DOWN: Final = 3
"""Captions in a row without any answer, after which the rest is not asked for."""


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
        self._structured = True
        self._lock = threading.Lock()
        self._down = 0
        self._last_fault = ""

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
        self._require_up()
        try:
            prompt = self._converse(request)
        except RefusedError as error:
            self._note(None)
            msg = self.client.clean(f"refused: {error}")
            raise RewriteError(msg) from None
        except ServiceError as error:
            msg = self.client.clean(str(error))
            self._note(msg)
            raise RewriteError(msg, retryable=True) from None
        self._note(None)
        self.cache.put(question, prompt)
        return prompt

    def _require_up(self) -> None:
        with self._lock:
            if self._down < _MOST_DOWN:
                return
            msg = (
                f"not asked: the endpoint gave no answer to {self._down} captions before "
                f"({self._last_fault})"
            )
        raise RewriteError(msg, retryable=True)

    def _note(self, fault: str | None) -> None:
        """Count the captions in a row that had no answer."""
        with self._lock:
            self._down = 0 if fault is None else self._down + 1
            self._last_fault = fault or ""

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
            answer = self._ask(talk, request.seed)
            prompt, faults = _read(answer)
            faults = faults or _faults(prompt, request)
            if not faults:
                return prompt
            talk = [*messages(request), *correction(answer, faults)]
        msg = f"no usable prompt in {self.rounds} answers: the last: {'; '.join(faults)}"
        raise RewriteError(self.client.clean(msg), retryable=True)

    def _ask(self, talk: Sequence[Mapping[str, str]], seed: int) -> str:
        """One answer; in plain words where the endpoint does not know structured output."""
        if self._structured:
            try:
                return self._repeated(talk, {"response_format": _FORMAT, "seed": seed})
            except RefusedError:
                raise
            except ServiceError as error:
                if error.status not in _NO_FORMAT:
                    raise
        answer = self._repeated(talk, {})
        self._structured = False
        return answer

    def _repeated(self, talk: Sequence[Mapping[str, str]], extra: Mapping[str, Any]) -> str:
        """Send until there is an answer, it fails for good, or the attempts are used up."""
        return self.client.repeated(lambda: self._send(talk, extra))

    def _send(self, talk: Sequence[Mapping[str, str]], extra: Mapping[str, Any]) -> str:
        """The text of an answer.

        Raises:
            RefusedError: The model refuses; asking again would be refused again.
            ServiceError: There is no answer.
        """
        completions = self.client.sdk.chat.completions.with_raw_response
        body = self.client.answer(
            lambda: completions.create(model=self.model, messages=list(talk), **extra), Trace()
        )
        message = first_choice(body).get("message")
        if not isinstance(message, dict):
            msg = "the answer holds no message. Check base_url."
            raise ServiceError(msg, retryable=True)
        if message.get("refusal"):
            raise RefusedError(str(message["refusal"]))
        content = message.get("content")
        return content if isinstance(content, str) else ""


def _faults(prompt: str, request: RewriteRequest) -> list[str]:
    return prompt_faults(prompt, caption=request.caption, dimensions=request.dimensions)


def _read(answer: str) -> tuple[str, list[str]]:
    """The prompt of an answer, and what is wrong with its form."""
    start, end = answer.find("{"), answer.rfind("}")
    try:
        found = json.loads(answer[start : end + 1])
    except ValueError:
        found = None
    prompt = found.get("prompt") if isinstance(found, dict) else None
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
