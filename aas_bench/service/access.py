"""Which services there are, with what key each is asked, and at what pace."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import urlsplit

from aas_bench.errors import InputError
from aas_bench.registry import Registry
from aas_bench.service.transfer import Limits


@dataclass(frozen=True, kw_only=True)
class ServiceOptions:
    """How a service is asked; none of this changes what is asked for.

    Attributes:
        base_url: Address of the service; None for the environment's, else the service's own.
        concurrency: Requests under way at once.
        attempts: Times that one request is sent before it counts as failed.
        backoff: Seconds before the second attempt; doubled each time, with jitter.
        max_wait: Longest wait in seconds; a service that asks for more is not asked again.
        timeout: Seconds until an answer starts, and again until it is complete. On Replicate also
            the longest that a prediction may run.
        poll_interval: Seconds between looks at a running prediction (Replicate).
        max_bytes: Bytes of one answer.
    """

    base_url: str | None = None
    concurrency: int = 8
    attempts: int = 4
    backoff: float = 2.0
    max_wait: float = 120.0
    timeout: float = 300.0
    poll_interval: float = 1.0
    max_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        for name in ("concurrency", "attempts", "max_bytes"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                msg = f"{name} is {value!r}. Give a whole number from 1."
                raise InputError(msg)
        for name in ("backoff", "max_wait", "timeout", "poll_interval"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 < value < math.inf):
                msg = f"{name} is {value!r}. Give seconds, above 0."
                raise InputError(msg)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ServiceOptions:
        """Options by name.

        Raises:
            InputError: A name or value makes no sense here.
        """
        known = [each.name for each in fields(cls)]
        unknown = sorted(options.keys() - {*known})
        if unknown:
            msg = f"a service has no option {unknown[0]!r}. It has: {', '.join(known)}."
            raise InputError(msg)
        return cls(**options)

    @property
    def limits(self) -> Limits:
        """Limits of one answer."""
        return Limits(timeout=self.timeout, max_bytes=self.max_bytes)


@dataclass(frozen=True, kw_only=True)
class ServiceRow:
    """A service that is known by name.

    Attributes:
        name: What users type.
        title: What people call it.
        key: Environment variable of the key.
        url: Environment variable of the address.
        default_url: The address otherwise.
    """

    name: str
    title: str
    key: str
    url: str
    default_url: str


SERVICES: Final = Registry(
    "service",
    (
        ServiceRow(
            name="openai",
            title="OpenAI",
            key="OPENAI_API_KEY",
            url="OPENAI_BASE_URL",
            default_url="https://api.openai.com/v1",
        ),
        ServiceRow(
            name="openrouter",
            title="OpenRouter",
            key="OPENROUTER_API_KEY",
            url="OPENROUTER_BASE_URL",
            default_url="https://openrouter.ai/api/v1",
        ),
        ServiceRow(
            name="replicate",
            title="Replicate",
            key="REPLICATE_API_TOKEN",
            url="REPLICATE_BASE_URL",
            default_url="https://api.replicate.com",
        ),
    ),
    hint="There are: openai, openrouter, replicate.",
)


@dataclass(frozen=True, kw_only=True)
class Service:
    """Where a service is and how to be let in; its repr shows no key.

    Attributes:
        title: What people call it.
        base_url: Its address.
        key: The secret.
    """

    title: str
    base_url: str
    key: str = field(repr=False)

    @classmethod
    def find(cls, name: str, options: ServiceOptions) -> Service:
        """From the options and the environment.

        Args:
            name: A name in `SERVICES`; "openai" stands for every server that speaks its protocol.
            options: Its `base_url` goes before the environment's.

        Raises:
            InputError: There is no usable key or address.
        """
        row = SERVICES[name]
        secret = os.environ.get(row.key, "").strip()
        if not secret:
            msg = (
                f"{row.title} needs a key. Set the environment variable {row.key}; "
                "a server of your own takes any word."
            )
            raise InputError(msg)
        if not (secret.isascii() and secret.isprintable() and " " not in secret):
            msg = f"{row.key} holds characters that no key has. Copy the key again."
            raise InputError(msg)
        address = options.base_url or os.environ.get(row.url) or row.default_url
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            msg = (
                f"the address of {row.title} is not http(s)://host/path. "
                f"Correct base_url or {row.url}."
            )
            raise InputError(msg)
        return cls(title=row.title, base_url=address, key=secret)
