"""A judge behind an OpenAI-compatible chat endpoint: OpenAI, OpenRouter, vLLM and others."""

from __future__ import annotations

import base64
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from aas_bench.errors import InputError
from aas_bench.files import json_object
from aas_bench.judges.base import (
    CUT_SHORT,
    FAILED,
    INVALID,
    NOT_ASKED,
    OK,
    REFUSED,
    TIMED_OUT,
    Answer,
    Judge,
    Keep,
    Question,
    plain,
    task_text,
)
from aas_bench.service.access import ServiceOptions
from aas_bench.service.chat_endpoint import Chat
from aas_bench.service.client import Client, Trace, finite
from aas_bench.service.faults import RefusedError, ServiceError, TimedOutError

_TIMEOUT = 120.0
_ROUNDS = 2
_MOST_BYTES = 8 * 2**20
"""Of one answer: some lines, and perhaps the thoughts behind them."""
_SHOWN = 2**14
"""Characters of an answer that its model is shown again with what is wrong with it."""


class ChatJudge(Judge):
    """Asks a vision model, at most `concurrency` questions at once.

    Args:
        model: The endpoint's name for the model.
        name: What its columns are called by.
        client: Asks the endpoint.
        rounds: Answers to one question, the first and those asked for after a fault.
    """

    def __init__(self, model: str, *, name: str, client: Client, rounds: int) -> None:
        self.model, self.name, self.client, self.rounds = model, name, client, rounds
        self._chat = Chat(model, client=client, asked="questions")

    def ask(
        self, questions: Iterable[Question], *, keep: Keep = lambda *_: None
    ) -> Generator[Answer, None, None]:
        """See `Judge.ask`."""

        def work(question: Question) -> Answer:
            answer = self._outcome(question)
            keep(question, answer)
            return answer

        return self.client.each(work, questions)

    def identity(self) -> dict[str, Any]:
        """The model; the address does not count, as models are served anywhere."""
        return {"model": self.model}

    def close(self) -> None:
        """Wait for what is under way and close the connections."""
        self.client.close()

    def _outcome(self, question: Question) -> Answer:
        """Everything that can become of one question."""
        trace, told = Trace(), _Told()
        made: dict[str, Any] = {"status": FAILED}
        try:
            talk = _talk(question)
            with self._chat.asking():
                made = self._converse(question, talk, trace, told)
        except RefusedError as error:
            made = {"status": REFUSED, "reason": str(error)}
        except (ServiceError, InputError) as error:
            made = {"status": _status(error, trace), "reason": str(error)}
        if reason := made.get("reason"):
            made["reason"] = self.client.clean(reason)
        return Answer(
            **made,
            attempts=trace.attempts,
            latency=trace.latency,
            cost=trace.cost,
            told=self.client.clean(told.to_dict()),
        )

    def _converse(
        self, question: Question, talk: list[dict[str, Any]], trace: Trace, told: _Told
    ) -> dict[str, Any]:
        """Ask, and ask again with the fault told, until an answer has its form."""
        fault: str | None = None
        for _ in range(self.rounds):
            text = self._chat.ask(
                talk, schema=question.schema, name=question.rubric.name, trace=trace
            )
            told.add(trace.provenance)
            if trace.provenance.get("finish_reason") == "length":
                # What stands there may be a draft of the answer that did not come.
                reason = "cut short at the model's limit of tokens"
                return {"status": CUT_SHORT, "reason": f"no valid answer: {reason}"}
            values = json_object(text)
            fault = question.faults(values)
            if fault is None:
                return {"status": OK, "values": plain(self.client.clean(values))}
            correction = f"This cannot be used: {fault}. Answer again with the JSON object alone."
            talk = [
                *talk,
                {"role": "assistant", "content": text[-_SHOWN:]},
                {"role": "user", "content": correction},
            ]
        return {"status": INVALID, "reason": f"no valid answer: {fault}"}


def _status(error: ServiceError | InputError, trace: Trace) -> str:
    """What an error is counted as."""
    if not trace.attempts:
        return NOT_ASKED
    if isinstance(error, TimedOutError):
        return TIMED_OUT
    told = error.status if isinstance(error, ServiceError) else None
    return FAILED if told is None else f"HTTP {told}"


class _Told:
    """What the endpoint said of itself and of its work, over all answers to a question."""

    def __init__(self) -> None:
        self._model: Any = None
        self._request: Any = None
        self._tokens: dict[str, int] = {}

    def add(self, provenance: Mapping[str, Any]) -> None:
        self._model, self._request = provenance.get("model"), provenance.get("request_id")
        for name in ("prompt_tokens", "completion_tokens"):
            if (count := finite(provenance["usage"].get(name))) is not None:
                self._tokens[name] = self._tokens.get(name, 0) + int(count)

    def to_dict(self) -> dict[str, Any]:
        return {"model": self._model, "request_id": self._request, **self._tokens}


def _talk(question: Question) -> list[dict[str, Any]]:
    """The conversation's beginning: the rubric, the texts as JSON, each picture under its title."""
    content: list[dict[str, Any]] = [{"type": "text", "text": task_text(question)}]
    for title, (kind, file) in question.files().items():
        data = base64.b64encode(file).decode()
        content.append({"type": "text", "text": f"{title}:"})
        url = {"url": f"data:{kind};base64,{data}"}
        content.append({"type": "image_url", "image_url": url})
    return [
        {"role": "system", "content": question.rubric.instructions},
        {"role": "user", "content": content},
    ]


def load(model: str, *, name: str, rounds: int = _ROUNDS, **options: Any) -> ChatJudge:
    """A judge at `base_url`, OPENAI_BASE_URL, or OpenAI itself; the key is OPENAI_API_KEY.

    Args:
        model: The endpoint's name for the model.
        name: What its columns are called by.
        rounds: Answers to one question, the first and those asked for after a fault.
        options: See `ServiceOptions`.

    Raises:
        InputError: An option is wrong, or OPENAI_API_KEY is not set.
    """
    if rounds < 1:
        msg = f"rounds is {rounds!r}. Give a whole number from 1."
        raise InputError(msg)
    client = Client(
        "openai", ServiceOptions.of({"timeout": _TIMEOUT, "max_bytes": _MOST_BYTES, **options})
    )
    return ChatJudge(model, name=name, client=client, rounds=rounds)
