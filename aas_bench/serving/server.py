"""The reward server as a process: where it listens, how it stops, whom it waits for."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import quote

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from aas_bench.errors import InputError
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.catalog import REWARDS
from aas_bench.rewards.served import TOKEN
from aas_bench.serving.bounds import Bounds
from aas_bench.serving.web import OWN_PATHS, RewardApp, is_loopback

KEEP_ALIVE: Final = 75
_GRACE: Final = 30


class RewardServer:
    """Serves reward models until it is stopped.

    Args:
        models: The reward models; each is served under its name.
        host: Address to listen at.
        port: Its port; 0: any free one.
        token: What clients must present; None: nothing, which only a loopback address allows.
        bounds: What is taken in at most.
        threads: Threads of each model that decode and preprocess.

    Raises:
        InputError: Two models are called alike, a name cannot be served, the address cannot be
            used, or is open to others without a token.

    Attributes:
        url: Where it listens.
    """

    def __init__(
        self,
        models: Sequence[RewardModel],
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        token: str | None = None,
        bounds: Bounds | None = None,
        threads: int = 2,
    ) -> None:
        bounds = bounds or Bounds()
        check_token(token, host)
        self._names = _named(models)
        self._socket = _listening(host, port)
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        facts = {n: asdict(REWARDS[n]) for n in self._names if n in REWARDS}
        self._app = RewardApp(self._names, facts=facts, token=token, bounds=bounds, threads=threads)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._app.build(),
                http=_protocol(bounds.head_seconds),
                ws="none",
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=bounds.connections,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=_GRACE,
            )
        )

    @property
    def urls(self) -> list[str]:
        """Where each reward model answers."""
        return [f"{self.url}/{quote(name)}" for name in self._names]

    def run(self) -> None:
        """Serve until SIGINT, SIGTERM or `stop`; what is under way is finished."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Let `run` return, from another thread."""
        self._server.should_exit = True


def serve_until_stopped(server: RewardServer) -> None:
    """Run in the main thread of a program that leaves with 0 on SIGINT and SIGTERM."""
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: server.stop())  # uvicorn raises them again at its end
    server.run()


def token_from_environment() -> str | None:
    """The token in AAS_BENCH_TOKEN; None where it is unset or empty."""
    return os.environ.get(TOKEN, "").strip() or None


def check_token(token: str | None, host: str) -> None:
    """Whether the token is fit for an address.

    Raises:
        InputError: There is none and other machines reach the address, or it cannot be sent.
    """
    if token is None and not is_loopback(host):
        msg = (
            f"host={host} (--host {host}) can be reached from other machines. "
            f"Set the environment variable {TOKEN} to a long secret, or listen at 127.0.0.1."
        )
        raise InputError(msg)
    if not (token is None or (token.isascii() and token.isprintable() and " " not in token)):
        msg = f"{TOKEN} holds characters that no token has. Use letters and digits."
        raise InputError(msg)


def _named(models: Sequence[RewardModel]) -> Mapping[str, RewardModel]:
    if not models:
        msg = "no reward model is given. Name at least one: --reward SPEC."
        raise InputError(msg)
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            msg = f"two reward models are called {name!r}. Write LABEL=SPEC for one of them."
            raise InputError(msg)
        if name in OWN_PATHS or "?" in name or name.startswith("/") or not name.isprintable():
            msg = f"{name!r:.100} cannot be an address. Write LABEL=SPEC."
            raise InputError(msg)
    return dict(zip(names, models, strict=True))


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        told = getattr(error, "strerror", error)
        msg = f"cannot listen at {host}:{port} ({told}). Give another --host or --port."
        raise InputError(msg) from error


def _protocol(seconds: float) -> type[H11Protocol]:
    """HTTP that drops who connects and does not ask; uvicorn waits for a head without end."""

    class PunctualProtocol(H11Protocol):
        _alarm: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._arm(seconds)

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._arm(KEEP_ALIVE)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._alarm is not None:
                self._alarm.cancel()
            super().connection_lost(exc)

        def _arm(self, after: float) -> None:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = self.loop.call_later(after, self._drop_if_idle)

        def _drop_if_idle(self) -> None:
            if getattr(self.cycle, "response_complete", True):  # None before the first request
                self.transport.abort()

    return PunctualProtocol
