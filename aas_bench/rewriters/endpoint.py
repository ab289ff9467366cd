"""Prompts from a language model behind an OpenAI-compatible chat endpoint, through the SDK.

Whatever the endpoint does, a caption ends as a prompt that passed `checks.prompt_faults` or as a
reason. Prompts are cached by content; reasons are not, so that the next run asks again.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import openai
import tenacity

from aas_bench.errors import InputError
from aas_bench.rewriters.base import RewriteError, Rewriter, RewriteRequest
from aas_bench.rewriters.cache import RewriteCache, default_folder
from aas_bench.rewriters.checks import prompt_faults
from aas_bench.rewriters.faults import EndpointError, endpoint_error
from aas_bench.rewriters.instructions import SCHEMA, VERSION, correction, messages

KEY: Final = "OPENAI_API_KEY"
URL: Final = "OPENAI_BASE_URL"
DEFAULT_URL: Final = "https://api.openai.com/v1"

_FORMAT: Final = {
    "type": "json_schema",
    "json_schema": {"name": "wide_spectrum_prompt", "strict": True, "schema": SCHEMA},
}
_NO_FORMAT: Final = frozenset({400, 404, 415, 422, 501})
"""Statuses with which endpoints answer a request for structured output that they do not know."""

_MOST_DOWN: Final = 3
"""Captions in a row without any answer, after which the rest is not asked for."""


@dataclass(frozen=True, kw_only=True)
class EndpointOptions:
    """How an endpoint is asked; none of this changes what is asked for.

    Attributes:
        rounds: Answers to one caption, the first and those asked for after a fault.
        attempts: Times that one request is sent before its caption counts as failed.
        backoff: Seconds before the second attempt; doubled each time.
        max_wait: Longest wait in seconds; an endpoint that asks for more is not asked again.
        timeout: Seconds until an answer is there.
    """

    rounds: int = 3
    attempts: int = 4
    backoff: float = 2.0
    max_wait: float = 120.0
    timeout: float = 120.0

    def __post_init__(self) -> None:
        for name in ("rounds", "attempts"):
            if (value := getattr(self, name)) < 1:
                msg = f"{name} is {value!r}. Give a whole number from 1."
                raise InputError(msg)
        for name in ("backoff", "max_wait", "timeout"):
            if not 0 < (value := getattr(self, name)) < math.inf:
                msg = f"{name} is {value!r}. Give seconds, above 0."
                raise InputError(msg)


class EndpointRewriter(Rewriter):
    """Asks a language model for each caption, checks its answers and keeps the good ones.

    Args:
        model: The endpoint's name for the model.
        base_url: Its address.
        key: The secret; goes nowhere but into the requests.
        cache: Where prompts are kept.
        options: How it is asked.
    """

    name = "endpoint"

    def __init__(
        self, model: str, *, base_url: str, key: str, cache: RewriteCache, options: EndpointOptions
    ) -> None:
        self.model, self.base_url, self.cache, self.options = model, base_url, cache, options
        self._key = key
        self._structured = True
        self._down = 0
        self._last_fault = ""
        self._client = openai.OpenAI(
            api_key=key,
            base_url=base_url,
            max_retries=0,
            timeout=options.timeout,
            http_client=httpx.Client(timeout=options.timeout),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

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
        if self._down >= _MOST_DOWN:
            msg = (
                f"not asked: the endpoint gave no answer to {self._down} captions before "
                f"({self._last_fault})"
            )
            raise RewriteError(msg, retryable=True)
        try:
            prompt = self._converse(request)
        except EndpointError as error:
            self._last_fault = self._clean(str(error))
            self._down += 1
            raise RewriteError(self._last_fault, retryable=True) from None
        self._down = 0
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
        for _ in range(self.options.rounds):
            answer = self._ask(talk, request.seed)
            prompt, faults = _read(answer)
            faults = faults or _faults(prompt, request)
            if not faults:
                return prompt
            talk = [*messages(request), *correction(answer, faults)]
        msg = f"no usable prompt in {self.options.rounds} answers: the last: {'; '.join(faults)}"
        raise RewriteError(self._clean(msg), retryable=True)

    def _ask(self, talk: Sequence[Mapping[str, str]], seed: int) -> str:
        """One answer; in plain words where the endpoint does not know structured output."""
        if self._structured:
            try:
                return self._repeated(talk, {"response_format": _FORMAT, "seed": seed})
            except EndpointError as error:
                if error.status not in _NO_FORMAT:
                    raise
        answer = self._repeated(talk, {})
        self._structured = False
        return answer

    def _repeated(self, talk: Sequence[Mapping[str, str]], extra: Mapping[str, Any]) -> str:
        """Send until there is an answer, it fails for good, or the attempts are used up."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.options.attempts),
            retry=tenacity.retry_if_exception(self._may_repeat),
            wait=self._wait,
            reraise=True,
        )
        return retrying(lambda: self._send(talk, extra))

    def _may_repeat(self, error: BaseException) -> bool:
        if not isinstance(error, EndpointError):
            return False
        return error.retryable and (error.retry_after or 0.0) <= self.options.max_wait

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Seconds before the next attempt: what the endpoint says, else exponential."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, EndpointError) and error.retry_after is not None:
            return error.retry_after
        longest = self.options.max_wait
        return tenacity.wait_exponential(multiplier=self.options.backoff, max=longest)(state)

    def _send(self, talk: Sequence[Mapping[str, str]], extra: Mapping[str, Any]) -> str:
        try:
            raw = self._client.chat.completions.with_raw_response.create(
                model=self.model,
                messages=list(talk),
                **extra,
            )
            body = json.loads(raw.http_response.content)
        except openai.APIError as error:
            raise endpoint_error(error) from error
        except ValueError as error:
            msg = "the answer is not JSON. Check --base-url."
            raise EndpointError(msg, retryable=True) from error
        return self._answer(body)

    def _answer(self, body: Any) -> str:
        """The text of an answer.

        Raises:
            RewriteError: The model refuses; asking again would be refused again.
            EndpointError: There is no text.
        """
        choices = body.get("choices") if isinstance(body, dict) else None
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if not isinstance(message, dict):
            msg = "the answer holds no message. Check --base-url."
            raise EndpointError(msg, retryable=True)
        if message.get("refusal"):
            raise RewriteError(self._clean(f"refused: {message['refusal']}"), retryable=False)
        content = message.get("content")
        return content if isinstance(content, str) else ""

    def _clean(self, text: str) -> str:
        """One line without the key, of bounded length."""
        return " ".join(text.replace(self._key, "[key]").split())[:500]


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
    *,
    model: str | None = None,
    base_url: str | None = None,
    cache: Path | None = None,
    **options: Any,
) -> EndpointRewriter:
    """A rewriter that asks the endpoint at `base_url`, OPENAI_BASE_URL, or OpenAI itself.

    Args:
        model: The endpoint's name for the model.
        base_url: Its address, http(s)://host/path.
        cache: Folder of the cache; None for the user's own.
        options: See `EndpointOptions`.

    Raises:
        InputError: There is no model, no usable address, or OPENAI_API_KEY is not set.
    """
    if not model:
        msg = "the endpoint rewriter needs a model. Give --model, the endpoint's name for it."
        raise InputError(msg)
    key = os.environ.get(KEY, "").strip()
    if not (key and key.isascii() and key.isprintable() and " " not in key):
        msg = f"the environment variable {KEY} holds no key. Set it; a local server takes any word."
        raise InputError(msg)
    address = base_url or os.environ.get(URL) or DEFAULT_URL
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        msg = f"the endpoint's address is not http(s)://host/path. Correct --base-url or {URL}."
        raise InputError(msg)
    return EndpointRewriter(
        model,
        base_url=address,
        key=key,
        cache=RewriteCache(cache or default_folder()),
        options=EndpointOptions(**options),
    )
