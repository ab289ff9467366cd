"""Which service is asked, with what key, and at what pace."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import urlsplit

from aas_bench.errors import InputError
from aas_bench.generators.transfer import Limits

_HOW_LOCAL: Final = frozenset({"device", "compile", "offload"})
"""How local weights would be run; whoever runs several backends passes these to all of them."""


@dataclass(frozen=True, kw_only=True)
class RemoteOptions:
    """How a service is asked; none of this changes what is asked for.

    Attributes:
        base_url: Address of the service; None for the environment's, else the service's own.
        concurrency: Requests under way at once.
        batch_size: Requests of one `generate` call; None for as many as are under way.
        attempts: Times that one request is sent before it counts as failed.
        backoff: Seconds before the second attempt; doubled each time, with jitter.
        max_wait: Longest wait in seconds; a service that asks for more is not asked again.
        timeout: Seconds until an answer starts, and again until it is complete. On Replicate also
            the longest that a prediction may run.
        poll_interval: Seconds between looks at a running prediction (Replicate).
        max_bytes: Bytes of one answer.
    """

    base_url: str | None = None
    concurrency: int = 4
    batch_size: int | None = None
    attempts: int = 4
    backoff: float = 2.0
    max_wait: float = 120.0
    timeout: float = 300.0
    poll_interval: float = 1.0
    max_bytes: int = 64 * 2**20

    def __post_init__(self) -> None:
        for name in ("concurrency", "batch_size", "attempts", "max_bytes"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                msg = f"{name} is {value!r}. Give a whole number from 1."
                raise InputError(msg)
        for name in ("backoff", "max_wait", "timeout", "poll_interval"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 < value < math.inf):
                msg = f"{name} is {value!r}. Give seconds, above 0."
                raise InputError(msg)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> RemoteOptions:
        """Options by name; those that only place local weights are left out.

        Raises:
            InputError: A name or value makes no sense here.
        """
        known = [each.name for each in fields(cls)]
        unknown = sorted(options.keys() - {*known} - _HOW_LOCAL)
        if unknown:
            msg = f"a remote backend has no option {unknown[0]!r}. It has: {', '.join(known)}."
            raise InputError(msg)
        return cls(**{name: value for name, value in options.items() if name in known})

    @property
    def limits(self) -> Limits:
        """Limits of one answer."""
        return Limits(timeout=self.timeout, max_bytes=self.max_bytes)


@dataclass(frozen=True, kw_only=True)
class Service:
    """Where a service is and how to be let in; its repr shows no key.

    Attributes:
        name: What people call it.
        base_url: Its address.
        key: The secret.
    """

    name: str
    base_url: str
    key: str = field(repr=False)

    @classmethod
    def find(
        cls, name: str, options: RemoteOptions, *, key: str, url: str, default_url: str
    ) -> Service:
        """From the options and the environment.

        Args:
            name: What people call the service.
            options: Its `base_url` goes before the environment's.
            key: Environment variable of the key.
            url: Environment variable of the address.
            default_url: The address otherwise.

        Raises:
            InputError: There is no usable key or address.
        """
        secret = os.environ.get(key, "").strip()
        if not secret:
            msg = f"{name} needs a key. Set the environment variable {key}."
            raise InputError(msg)
        if not (secret.isascii() and secret.isprintable() and " " not in secret):
            msg = f"{key} holds characters that no key has. Copy the key again."
            raise InputError(msg)
        address = options.base_url or os.environ.get(url) or default_url
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            msg = f"the address of {name} is not http(s)://host/path. Correct base_url or {url}."
            raise InputError(msg)
        return cls(name=name, base_url=address, key=secret)
