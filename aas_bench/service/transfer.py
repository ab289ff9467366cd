"""Bytes from a service: over http(s) only, no more than allowed, no longer than allowed.

HTTP clients limit each read, not their sum, so that a server which sends a byte a second is never
too slow for them. The limits here hold for a whole body.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from aas_bench.service.faults import ServiceError, TimedOutError, connection_error, is_transient


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one answer may take.

    Attributes:
        timeout: Seconds until an answer starts, and again until it is complete.
        max_bytes: Bytes of its body, as they travel.
    """

    timeout: float = 300.0
    max_bytes: int = 64 * 2**20

    def bind(self) -> dict[str, Any]:
        """Arguments of an `httpx.Client` that keeps these limits."""
        return {
            "timeout": httpx.Timeout(self.timeout, connect=min(self.timeout, 10.0)),
            "event_hooks": {"response": [self.bound]},
        }

    def bound(self, response: httpx.Response) -> None:
        """Let a body that is not read yet end with an error where it passes a limit."""
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _BoundedStream(response.stream, self)


class _BoundedStream(httpx.SyncByteStream):
    """A body that ends with an error where it takes too many bytes or seconds."""

    def __init__(self, stream: httpx.SyncByteStream, limits: Limits) -> None:
        self._stream, self._limits = stream, limits
        self._deadline = time.monotonic() + limits.timeout

    def __iter__(self) -> Iterator[bytes]:
        n_bytes = 0
        for chunk in self._stream:
            n_bytes += len(chunk)
            if n_bytes > self._limits.max_bytes:
                msg = f"the answer is larger than {self._limits.max_bytes} bytes. Ask for less."
                raise ServiceError(msg)
            if time.monotonic() > self._deadline:
                msg = (
                    f"the answer was not complete after {self._limits.timeout:g} s. "
                    "Try again later, or raise timeout."
                )
                raise TimedOutError(msg)
            yield chunk

    def close(self) -> None:
        self._stream.close()


def read_picture(url: str, client: httpx.Client, limits: Limits) -> bytes:
    """The bytes behind an http(s) or data address that a service gave for a picture.

    Args:
        url: The address; its query may be a secret and is left out of errors.
        client: A client with `limits` bound that carries no key.
        limits: Bounds, for data addresses too.

    Raises:
        ServiceError: It is another kind of address, cannot be read, or passes a limit.
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "data":
        header, _, encoded = url.partition(",")
        if not header.lower().endswith(";base64"):
            msg = "the data address is not in base64. Report it to the service."
            raise ServiceError(msg)
        return decode_picture(encoded, limits)
    if scheme not in ("http", "https"):
        msg = f"the picture has an address of type {scheme[:20]!r}. Only http, https, data count."
        raise ServiceError(msg)
    try:
        with client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response:
            if response.status_code != httpx.codes.OK:
                msg = f"HTTP {response.status_code} for the picture's address. Try again later."
                raise ServiceError(msg, retryable=is_transient(response.status_code))
            return b"".join(response.iter_raw())
    except httpx.InvalidURL as error:
        msg = "the picture's address is malformed. Report it to the service."
        raise ServiceError(msg) from error
    except httpx.HTTPError as error:
        raise connection_error(error) from error


def decode_picture(encoded: str, limits: Limits) -> bytes:
    """The bytes of a picture in base64.

    Raises:
        ServiceError: It is not base64, or passes the limit.
    """
    if len(encoded) > limits.max_bytes * 4 // 3 + 4:
        msg = f"the picture is larger than {limits.max_bytes} bytes. Ask for a smaller one."
        raise ServiceError(msg)
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        msg = f"the picture is not valid base64 ({error}). Try again."
        raise ServiceError(msg, retryable=True) from error


RaiseError = Callable[[httpx.Response], Exception]


class DirectTransport(httpx.HTTPTransport):
    """Raises an error status at once, with its body read.

    The Replicate SDK sleeps over some of them for as long as Retry-After says, hides that header
    for the others, and switches off the time-out of the request that starts a prediction.

    Args:
        limits: Limits of each answer.
        error_of: Makes the exception for an answer with an error status.
    """

    def __init__(self, limits: Limits, error_of: RaiseError) -> None:
        super().__init__()
        self._limits, self._error_of = limits, error_of

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send within the limits; an error status raises."""
        timeout: httpx.Timeout = self._limits.bind()["timeout"]
        request.extensions = {**request.extensions, "timeout": timeout.as_dict()}
        response = super().handle_request(request)
        if response.status_code < 400:
            return response
        response.request = request
        self._limits.bound(response)
        try:
            response.read()
        finally:
            response.close()
        raise self._error_of(response)
