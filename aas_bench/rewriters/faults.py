"""What can go wrong with a chat endpoint, and whether it pays to ask again."""

from __future__ import annotations

import math
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Final

import openai

from aas_bench.rewriters.base import RewriteError

_BUSY: Final = frozenset({408, 409, 425, 429})
_UNPAID: Final = frozenset({"billing_hard_limit_reached", "insufficient_quota"})
_MAX_TEXT: Final = 300


class EndpointError(RewriteError):
    """The endpoint failed to answer.

    Attributes:
        retry_after: Seconds that it asked for; None where it did not.
        status: The HTTP status; None where there was no answer at all.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        retry_after: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message, retryable=retryable)
        self.retry_after, self.status = retry_after, status


def endpoint_error(error: openai.APIError) -> EndpointError:
    """What an error of the SDK means."""
    if isinstance(error, openai.APITimeoutError):
        msg = "no answer in time. Try again later, or raise --timeout."
        return EndpointError(msg, retryable=True)
    if isinstance(error, openai.APIConnectionError):
        msg = f"no connection ({_cause(error)}). Check --base-url and the network."
        return EndpointError(msg, retryable=True)
    if not isinstance(error, openai.APIStatusError):
        msg = f"the answer is not that of a chat endpoint ({_cause(error)}). Check --base-url."
        return EndpointError(msg, retryable=True)
    status = error.status_code
    after = error.response.headers.get("retry-after")
    body = error.body if isinstance(error.body, dict) else {}
    words = " ".join(str(body.get("message") or error.message).split())
    return EndpointError(
        f"HTTP {status}: {words[:_MAX_TEXT]}",
        retryable=(status in _BUSY or status >= 500) and error.code not in _UNPAID,
        retry_after=None if after is None else _seconds(after),
        status=status,
    )


def _cause(error: BaseException) -> str:
    text = " ".join(str(error.__cause__ or error).split())
    return text[:_MAX_TEXT] or type(error).__name__


def _seconds(retry_after: str) -> float | None:
    """Seconds that a Retry-After header asks for, from a number or a date; None if unreadable."""
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            date = parsedate_to_datetime(retry_after)
        except ValueError:
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or timezone.utc) - _now()).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _now() -> datetime:
    return datetime.now(timezone.utc)
