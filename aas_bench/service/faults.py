"""What can go wrong with a service, and whether it pays to ask again.

BackendError
  ServiceError       it failed to answer, or its answer is of no use
    RefusedError     it declined; asked again it would decline again
    TimedOutError    it took too long
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from aas_bench.errors import BackendError
from aas_bench.files import json_value

MAX_TEXT: Final = 2000
"""Characters of a service's words that a record keeps."""

_BUSY: Final = frozenset({408, 409, 425, 429})
_REFUSED: Final = frozenset({"content_filter", "content_policy_violation", "moderation_blocked"})
_UNPAID: Final = frozenset({"billing_hard_limit_reached", "insufficient_quota"})
HINTS: Final[Mapping[int, str]] = {
    401: "the key is not accepted",
    402: "no credit is left",
    403: "the key may not use this model",
    404: "there is no such model or address",
}
"""What a status says that no further attempt changes."""
_DIGITS: Final = 3
_UNTOLD: Final = 500
"""The status of an error that a service tells without a number."""


class ServiceError(BackendError):
    """A service failed to answer, or its answer is of no use.

    Attributes:
        retryable: Whether the same request may succeed later.
        repeat: Whether to ask again at once; false where that would only cost more.
        retry_after: Seconds that the service asked for; None where it did not.
        details: What the record keeps besides the message: JSON values.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        repeat: bool = True,
        retry_after: float | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, retryable=retryable)
        self.repeat = retryable and repeat
        self.retry_after = retry_after
        self.details = details or {}

    @property
    def status(self) -> int | None:
        """The HTTP status, where the answer had an error status."""
        return self.details.get("http_status")


class RefusedError(ServiceError):
    """The service declined the prompt; the message is what it said."""


class TimedOutError(ServiceError):
    """No whole answer came in time; it may come later."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retryable=True)


def is_transient(status: int) -> bool:
    """Whether the same request may get another HTTP status later."""
    return status in _BUSY or status >= 500


def connection_error(error: httpx.HTTPError) -> ServiceError:
    """What to record for a request that got no complete answer."""
    if isinstance(error, httpx.TimeoutException):
        kind = type(error).__name__
        msg = f"no answer in time ({kind}). Try again later, or raise timeout."
        return TimedOutError(msg)
    if isinstance(error, httpx.UnsupportedProtocol | httpx.TooManyRedirects):
        return ServiceError(f"the address cannot be read: {error}. Report it to the service.")
    msg = f"no complete answer: {str(error) or type(error).__name__}. Check the network; try again."
    return ServiceError(msg, retryable=True)


def error_from(status: int, body: object, headers: Mapping[str, str] | None = None) -> ServiceError:
    """What an error answer means.

    Args:
        status: HTTP status, or the number that a service puts into an answer of status 200.
        body: The decoded JSON body, or its text.
        headers: For Retry-After.
    """
    found = body.get("error", body) if isinstance(body, dict) else body
    fault: dict[str, Any] = found if isinstance(found, dict) else {"message": found}
    code = fault.get("code") or fault.get("type")
    words = str(fault.get("message") or fault.get("detail") or fault.get("title") or "no reason")
    details = {"http_status": status, "code": code if isinstance(code, str) else None}
    metadata = fault.get("metadata")
    flagged = isinstance(metadata, dict) and bool(metadata.get("reasons"))
    if code in _REFUSED or flagged:
        return RefusedError(words, details=details)
    after = (headers or {}).get("retry-after")
    return ServiceError(
        f"HTTP {status}: {words}",
        retryable=is_transient(status) and code not in _UNPAID,
        retry_after=None if after is None else seconds_until(after),
        details=details,
    )


def error_from_response(response: httpx.Response) -> ServiceError:
    """The same for an answer whose body is read."""
    try:
        body: object = json_value(response.content)
    except ValueError:
        body = response.text[:MAX_TEXT]
    return error_from(response.status_code, body, response.headers)


def raise_told(body: Mapping[str, Any], choice: Mapping[str, Any]) -> None:
    """Raise the error that an answer of status 200 tells, as OpenRouter's do.

    It stands under `error`, of the answer or of its choice, with an HTTP status as its `code`; a
    choice that ended with "error" may leave it out.

    Args:
        body: The answer.
        choice: Its first choice.

    Raises:
        RefusedError: The service declined.
        ServiceError: The answer tells any other error.
    """
    fault = body.get("error") or choice.get("error")
    if not fault and choice.get("finish_reason") != "error":
        return
    code = fault.get("code") if isinstance(fault, dict) else None
    told = str(code)
    status = int(told) if told.isdecimal() and len(told) == _DIGITS else _UNTOLD
    raise error_from(status, {"error": fault or "the answer broke off"})


def seconds_until(retry_after: str) -> float | None:
    """Seconds that a Retry-After header asks for, from a number or a date; None if unreadable."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            date = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        if date.tzinfo is None:
            date = date.replace(tzinfo=timezone.utc)
        seconds = (date - datetime.now(timezone.utc)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None
