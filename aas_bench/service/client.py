"""A service, asked: so many requests at once, each repeated while that helps, no key in any record.

Whoever asks phrases the request and reads the answer; what stands between is here, once, for
generators, rewriters and judges.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx
import openai
import tenacity

from aas_bench.errors import BackendError
from aas_bench.files import json_value
from aas_bench.service.access import Service, ServiceOptions
from aas_bench.service.faults import (
    MAX_TEXT,
    ServiceError,
    connection_error,
    error_from_response,
)
from aas_bench.service.transfer import read_picture

GRACE: Final = 5.0
"""Seconds for requests under way, where nobody waits for the others any more."""

A = TypeVar("A")
T = TypeVar("T")


@dataclass
class Trace:
    """What the attempts of one request leave for its record, in one worker thread.

    Attributes:
        attempts: Times it was sent.
        cost: US dollars so far; None where the service never said.
        provenance: What the last attempt was answered with.
        start: When it began, by `time.perf_counter`.
    """

    attempts: int = 0
    cost: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    start: float = field(default_factory=time.perf_counter)

    def begin(self) -> None:
        """Count an attempt; what the one before was answered with no longer counts."""
        self.attempts += 1
        self.provenance = {}

    def pay(self, cost: object) -> None:
        """Add a cost that the service stated; anything but a finite number states none."""
        amount = finite(cost)
        if amount is not None and amount >= 0:
            self.cost = (self.cost or 0.0) + amount

    @property
    def latency(self) -> float:
        """Seconds since it began, waits included."""
        return time.perf_counter() - self.start


class Client:
    """Asks one service; its methods may be called from several threads.

    Args:
        service: Name in `access.SERVICES`.
        options: How it is asked.

    Raises:
        InputError: There is no usable key or address.

    Attributes:
        service: Where it is and its key.
        options: How it is asked.
        sdk: OpenAI's SDK, for services that speak its protocol: within our limits, and without
            attempts of its own.
    """

    def __init__(self, service: str, options: ServiceOptions) -> None:
        self.service, self.options = Service.find(service, options), options
        self._pool = ThreadPoolExecutor(options.concurrency)
        self._pictures = httpx.Client(follow_redirects=True, **options.limits.bind())
        self.sdk = openai.OpenAI(
            api_key=self.service.key,
            base_url=self.service.base_url,
            max_retries=0,
            timeout=options.timeout,
            http_client=httpx.Client(**options.limits.bind()),
        )

    def each(self, work: Callable[[A], T], items: Iterable[A]) -> Generator[T, None, None]:
        """The result of each item, in order; at most `concurrency` are under way at once.

        Whoever stops early, by an error, an interrupt or `close`, begins no further ones; those
        under way, which may be paid for, have `GRACE` seconds to end.
        """
        running = [self._pool.submit(work, item) for item in items]
        try:
            for future in running:
                yield future.result()
        finally:
            wait([future for future in running if not future.cancel()], timeout=GRACE)

    def repeated(self, call: Callable[[], T]) -> T:
        """Call until it succeeds, fails for good or has used up its attempts."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.options.attempts),
            retry=tenacity.retry_if_exception(self._may_repeat),
            wait=self._wait,
            reraise=True,
        )
        return retrying(call)

    def step(self, call: Callable[[], T]) -> T:
        """A part of a request, repeated by itself and not with the whole."""
        try:
            return self.repeated(call)
        except ServiceError as error:
            error.repeat = False
            raise

    def picture(self, url: str) -> bytes:
        """The picture behind an address; a lost connection does not ask for another picture."""
        return self.step(lambda: read_picture(url, self._pictures, self.options.limits))

    def answer(self, call: Callable[[], Any], trace: Trace) -> dict[str, Any]:
        """The JSON object that a raw call of `sdk` is answered with.

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
        trace.provenance["request_id"] = response.headers.get("x-request-id")
        try:
            body = json_value(response.content)
        except ValueError as error:
            msg = f"the answer is not JSON: {response.text[:200]!r}. Check base_url; try again."
            raise ServiceError(msg, retryable=True) from error
        if not isinstance(body, dict):
            msg = f"the answer is a JSON {type(body).__name__}, not an object. Check base_url."
            raise ServiceError(msg)
        return body

    def clean(self, value: Any) -> Any:
        """JSON values without the key, of bounded length, on one line, in valid Unicode."""
        if isinstance(value, dict):
            return {self.clean(name): self.clean(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.clean(each) for each in value]
        if not isinstance(value, str):
            return value
        text = value.replace(self.service.key, "[key]").encode("utf-8", "replace").decode()
        return " ".join(text.split())[:MAX_TEXT]

    def close(self) -> None:
        """Close the connections, also under a request that does not end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pictures.close()
        self.sdk.close()

    def _may_repeat(self, error: BaseException) -> bool:
        if isinstance(error, ServiceError):
            return error.repeat and (error.retry_after or 0.0) <= self.options.max_wait
        return isinstance(error, BackendError) and error.retryable

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Seconds before the next attempt: what the service says, else exponential."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ServiceError) and error.retry_after is not None:
            return error.retry_after
        longest = self.options.max_wait
        backoff = tenacity.wait_exponential(multiplier=self.options.backoff, max=longest)
        jitter = tenacity.wait_random(0, self.options.backoff / 4)
        return min(longest, backoff(state) + jitter(state))


def finite(value: object) -> float | None:
    """A finite number from a service's JSON; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def mapping(value: object) -> dict[str, Any]:
    """A service's JSON object, or an empty one where it sent something else."""
    return value if isinstance(value, dict) else {}


def first_choice(body: dict[str, Any]) -> dict[str, Any]:
    """The first choice of a chat completion; empty where there is none."""
    choices = body.get("choices")
    return mapping(choices[0] if isinstance(choices, list) and choices else None)
