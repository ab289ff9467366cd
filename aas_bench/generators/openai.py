"""OpenAI's image API, through its own SDK; also what OpenRouter shares with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import openai

from aas_bench.generators.base import Request
from aas_bench.generators.faults import ServiceError, connection_error, error_from_response
from aas_bench.generators.remote import Notes, RemoteGenerator
from aas_bench.generators.service import RemoteOptions, Service
from aas_bench.generators.spec import Submission
from aas_bench.generators.transfer import decode_picture

RESERVED = frozenset({"model", "prompt", "n", "stream", "seed", "user"})


class OpenAIGenerator(RemoteGenerator):
    """Images from `images.generate`, which takes no seed and states no cost."""

    packages = ("openai", "pillow")

    def __init__(
        self, submission: Submission, *, preset: str, service: Service, options: RemoteOptions
    ) -> None:
        super().__init__(
            submission, preset=preset, service=service, options=options, reserved=RESERVED
        )
        self._client = open_client(service, options)

    def close(self) -> None:
        """Close the connections."""
        super().close()
        self._client.close()

    def _ask(self, request: Request, notes: Notes) -> bytes:
        wanted = dict(request.settings.options)
        if request.settings.written_size is not None:
            wanted.setdefault("size", "{}x{}".format(*request.settings.size))
        body = answer(
            lambda: self._client.images.with_raw_response.generate(
                model=self.model, prompt=request.prompt, n=1, extra_body=wanted
            ),
            notes,
        )
        data = body.get("data")
        item = data[0] if isinstance(data, list) and data else None
        if not isinstance(item, dict):
            msg = "the answer holds no picture. Try again later."
            raise ServiceError(msg, retryable=True)
        notes.provenance["revised_prompt"] = item.get("revised_prompt")
        if isinstance(encoded := item.get("b64_json"), str):
            return decode_picture(encoded, self.options.limits)
        if isinstance(url := item.get("url"), str):
            return self._fetch(url)
        msg = "the answer holds neither b64_json nor url. Update the openai package."
        raise ServiceError(msg)


def load(submission: Submission, *, preset: str = "default", **options: Any) -> OpenAIGenerator:
    """A generator that asks OpenAI, or OPENAI_BASE_URL.

    Args:
        submission: A submission of backend openai.
        preset: Which of its presets.
        options: See `RemoteOptions`.

    Raises:
        InputError: OPENAI_API_KEY is not set, or an option is wrong.
        SpecError: The settings ask for what the run decides.
    """
    chosen = RemoteOptions.of(options)
    service = Service.find(
        "OpenAI",
        chosen,
        key="OPENAI_API_KEY",
        url="OPENAI_BASE_URL",
        default_url="https://api.openai.com/v1",
    )
    return OpenAIGenerator(submission, preset=preset, service=service, options=chosen)


def open_client(service: Service, options: RemoteOptions) -> openai.OpenAI:
    """The SDK's client, with our limits and without retries of its own."""
    return openai.OpenAI(
        api_key=service.key,
        base_url=service.base_url,
        max_retries=0,
        timeout=options.timeout,
        http_client=httpx.Client(**options.limits.bind()),
    )


def answer(call: Callable[[], Any], notes: Notes) -> dict[str, Any]:
    """The JSON object that a raw call of the SDK is answered with.

    Raises:
        RefusedError: The service declined.
        ServiceError: It failed, or the answer is no JSON object.
    """
    try:
        response = call().http_response
    except openai.APIStatusError as error:
        raise error_from_response(error.response) from error
    except openai.APIConnectionError as error:
        cause = error.__cause__
        if isinstance(cause, httpx.HTTPError):
            raise connection_error(cause) from error
        msg = f"no complete answer: {cause or error}. Check the network; try again."
        raise ServiceError(msg, retryable=True) from error
    notes.provenance["request_id"] = response.headers.get("x-request-id")
    try:
        body = json.loads(response.content)
    except ValueError as error:
        msg = f"the answer is not JSON: {response.text[:200]!r}. Check base_url; try again."
        raise ServiceError(msg, retryable=True) from error
    if not isinstance(body, dict):
        msg = f"the answer is a JSON {type(body).__name__}, not an object. Check base_url."
        raise ServiceError(msg)
    return body
