"""A language model behind an OpenAI-compatible chat endpoint, asked for one JSON object.

Whoever asks writes the messages and reads the answer. Here is what endpoints differ in: whether
they know structured output, and whether they are up at all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from aas_bench.service.client import Client, Trace, first_choice, mapping
from aas_bench.service.faults import RefusedError, ServiceError, raise_told

_NO_FORMAT: Final = frozenset({400, 404, 415, 422, 501})
"""Statuses with which endpoints answer a request for structured output that they do not know."""

_MOST_DOWN: Final = 3
"""Questions in a row without any answer, after which the rest is not asked."""


class Chat:
    """One model behind one endpoint; may be asked from several threads.

    Args:
        model: The endpoint's name for the model.
        client: Asks the endpoint.
        asked: What a question is about, in the plural, for messages: "captions".
    """

    def __init__(self, model: str, *, client: Client, asked: str) -> None:
        self.model, self.client, self._asked = model, client, asked
        self._structured = True
        self._lock = threading.Lock()
        self._down = 0
        self._last_fault = ""

    @contextmanager
    def asking(self) -> Iterator[None]:
        """One question, of however many requests; not begun where the endpoint is down.

        Raises:
            ServiceError: The endpoint had stopped answering.
        """
        self._require_up()
        try:
            yield
        except RefusedError:
            self._note(None)
            raise
        except ServiceError as error:
            self._note(self.client.clean(str(error)))
            raise
        self._note(None)

    def ask(
        self,
        talk: Sequence[Mapping[str, Any]],
        *,
        schema: Mapping[str, Any],
        name: str,
        trace: Trace,
        **extra: Any,
    ) -> str:
        """The text of one answer; in plain words where the endpoint knows no structured output.

        Args:
            talk: The messages.
            schema: JSON schema of the answer.
            name: What the schema is called.
            trace: Counts attempts and cost; its provenance gets the answer's model, tokens and
                the reason that it ended.
            extra: Further arguments, which the request in plain words leaves out.

        Raises:
            RefusedError: The model refuses; asking again would be refused again.
            ServiceError: There is no answer.
        """
        if self._structured:
            form = {"name": name, "strict": True, "schema": dict(schema)}
            extra["response_format"] = {"type": "json_schema", "json_schema": form}
            try:
                return self.client.repeated(lambda: self._send(talk, extra, trace))
            except RefusedError:
                raise
            except ServiceError as error:
                if error.status not in _NO_FORMAT:
                    raise
        answer = self.client.repeated(lambda: self._send(talk, {}, trace))
        self._structured = False
        return answer

    def _send(
        self, talk: Sequence[Mapping[str, Any]], extra: Mapping[str, Any], trace: Trace
    ) -> str:
        trace.begin()
        completions = self.client.sdk.chat.completions.with_raw_response
        body = self.client.answer(
            lambda: completions.create(model=self.model, messages=list(talk), **extra), trace
        )
        usage = mapping(body.get("usage"))
        trace.pay(usage.get("cost"))
        choice = first_choice(body)
        ended = choice.get("finish_reason")
        trace.provenance |= {"model": body.get("model"), "usage": usage, "finish_reason": ended}
        raise_told(body, choice)
        message = choice.get("message")
        if not isinstance(message, dict):
            msg = "the answer holds no message. Check base_url."
            raise ServiceError(msg, retryable=True)
        if message.get("refusal"):
            raise RefusedError(str(message["refusal"]))
        if ended == "content_filter":
            msg = "the answer was filtered"
            raise RefusedError(msg)
        return _text(message.get("content"))

    def _require_up(self) -> None:
        with self._lock:
            if self._down < _MOST_DOWN:
                return
            msg = (
                f"not asked: the endpoint gave no answer to {self._down} {self._asked} before "
                f"({self._last_fault})"
            )
        raise ServiceError(msg, retryable=True)

    def _note(self, fault: str | None) -> None:
        """Count the questions in a row that had no answer."""
        with self._lock:
            self._down = 0 if fault is None else self._down + 1
            self._last_fault = fault or ""


def _text(content: object) -> str:
    """What a message says: a string, or of a list of parts those of text (not of thinking)."""
    if isinstance(content, list):
        parts = [mapping(each) for each in content]
        content = "".join(_text(each.get("text")) for each in parts if each.get("type") == "text")
    return content if isinstance(content, str) else ""
