"""The reward service as a web application.

GET  /health   {"status": "ok"}, without a token
GET  /         {"rewards": [name, ...]}
GET  /NAME     what is served under the name: description, its SHA-256, facts, limits
POST /NAME     {"images", "prompts"} -> {"scores", "sha256"}; prompts alone -> {"truncated",
             "unknown_tokens"}

An error is {"error": {"message"}}, and its connection is closed, so that what a client still sends
is not read: 400 host, 401 token, 404 name, 408 too slow, 413 too large, 415 kind of body, 422 what
was sent or what the model made of it, 503 too busy (with Retry-After), 504 not answered in time.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, TypeVar

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aas_bench.errors import AasBenchError, InputError
from aas_bench.files import json_bytes
from aas_bench.rewards.base import RewardModel
from aas_bench.serving.batcher import Batcher, BusyError
from aas_bench.serving.bounds import Bounds
from aas_bench.serving.payload import Asked, read_form, read_json
from aas_bench.version import __version__

T = TypeVar("T")

OWN_PATHS: Final = ("health",)
"""Names that no reward model can be served under."""


def is_loopback(host: str | None) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def described(
    model: RewardModel, facts: Mapping[str, Any] | None, bounds: Bounds
) -> dict[str, Any]:
    """What `GET /NAME` tells of a reward model: JSON values.

    Raises:
        InputError: Its own description holds something else.
    """
    own = model.describe()
    return {
        "name": model.name,
        "sha256": hashlib.sha256(json_bytes(own)).hexdigest(),
        "description": own,
        "device": own.get("device"),
        "dtype": own.get("dtype"),
        "facts": facts,
        "reads_prompts": model.reads_prompts,
        "batch_size": model.batch_size,
        "limits": {"cells": bounds.cells, "body": bounds.body, "pixels": bounds.pixels},
        "version": __version__,
    }


class RewardApp:
    """The handlers of a reward service.

    Args:
        models: The reward models by name.
        facts: What is known of them, by name.
        token: What clients must present; None: whoever reaches the server may ask.
        bounds: Its limits.
        threads: Threads of each model that decode and preprocess.
    """

    def __init__(
        self,
        models: Mapping[str, RewardModel],
        *,
        facts: Mapping[str, Mapping[str, Any]],
        token: str | None,
        bounds: Bounds,
        threads: int,
    ) -> None:
        self._bounds = bounds
        self._token = None if token is None else token.encode()
        self._n_bytes = 0
        self._told = {n: described(model, facts.get(n), bounds) for n, model in models.items()}
        self._batchers = {n: Batcher(m, bounds, threads=threads) for n, m in models.items()}

    def build(self) -> Starlette:
        """The application."""

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            yield
            await run_in_threadpool(self.close)

        return Starlette(
            routes=[
                Route("/health", self._health),
                Route("/", self._names),
                Route("/{name:path}", self._describe, methods=["GET"]),
                Route("/{name:path}", self._score, methods=["POST"]),
            ],
            exception_handlers={HTTPException: _told_as_json, Exception: _told_as_json},
            lifespan=lifespan,
        )

    def close(self) -> None:
        """End the models' threads."""
        for batcher in self._batchers.values():
            batcher.close()

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _names(self, request: Request) -> Response:
        self._admit(request)
        return JSONResponse({"rewards": sorted(self._batchers)})

    async def _describe(self, request: Request) -> Response:
        name = self._name(request)
        return JSONResponse(self._told[name] | {"waiting": self._batchers[name].waiting})

    async def _score(self, request: Request) -> Response:
        name = self._name(request)
        with self._holding() as hold:
            asked = await self._read(request, hold)
            if not asked.pictures:
                told = run_in_threadpool(self._batchers[name].read, asked.prompts)
                return JSONResponse(await self._in_time(told))
            try:
                future = self._batchers[name].submit(asked)
            except BusyError as error:
                raise _busy(str(error), error.retry_after) from error
            try:
                scores = await self._in_time(_or_gone(request, future))
            except AasBenchError as error:
                raise HTTPException(422, str(error)) from error
        return JSONResponse({"scores": scores, "sha256": self._told[name]["sha256"]})

    def _admit(self, request: Request) -> None:
        if self._token is None:
            # A page in a browser could otherwise reach a loopback server by a name of its own.
            if not is_loopback(_hostname(request)):
                msg = "ask by a loopback address, or start the server with a token."
                raise HTTPException(400, msg)
            return
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        right = hmac.compare_digest(given.strip().encode(), self._token)
        if not (right and kind.lower() == "bearer"):
            msg = "the token is missing or wrong. Set AAS_BENCH_TOKEN to the server's."
            raise HTTPException(401, msg, {"WWW-Authenticate": "Bearer"})

    def _name(self, request: Request) -> str:
        self._admit(request)
        name: str = request.path_params["name"]
        if name not in self._batchers:
            known = ", ".join(sorted(self._batchers))
            raise HTTPException(404, f"no reward {name!r:.100} is served. There are: {known}.")
        return name

    @contextmanager
    def _holding(self) -> Iterator[Callable[[int], None]]:
        """Counts the bytes of a request until it is answered."""
        held = 0

        def hold(n_bytes: int) -> None:
            nonlocal held
            if self._n_bytes + n_bytes > self._bounds.bodies:
                msg = "too much is being sent at once. Come again later."
                raise _busy(msg, 1)
            held += n_bytes
            self._n_bytes += n_bytes

        try:
            yield hold
        finally:
            self._n_bytes -= held

    async def _read(self, request: Request, hold: Callable[[int], None]) -> Asked:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in ("application/json", "multipart/form-data"):
            msg = f"a body of type {kind!r:.50} is not read. Send JSON or multipart/form-data."
            raise HTTPException(415, msg)
        declared = request.headers.get("content-length", "0")
        self._check_size(int(declared) if declared.isdecimal() and len(declared) < 20 else 0)
        try:
            body = await asyncio.wait_for(self._body(request, hold), self._bounds.body_seconds)
        except asyncio.TimeoutError as error:
            msg = (
                f"the request was not whole after {self._bounds.body_seconds:g} s. Send it faster."
            )
            raise HTTPException(408, msg) from error
        except ClientDisconnect as error:
            raise HTTPException(400, "the client left.") from error
        try:
            if kind == "application/json":
                return await run_in_threadpool(read_json, body, self._bounds)
            return await read_form(body, request.headers["content-type"], self._bounds)
        except InputError as error:
            raise HTTPException(422, str(error)) from error

    async def _body(self, request: Request, hold: Callable[[int], None]) -> bytes:
        found = bytearray()
        async for chunk in request.stream():
            self._check_size(len(found) + len(chunk))
            hold(len(chunk))
            found += chunk
        return bytes(found)

    def _check_size(self, n_bytes: int) -> None:
        if n_bytes > self._bounds.body:
            msg = f"the request is larger than {self._bounds.body:,} bytes. Split it."
            raise HTTPException(413, msg)

    async def _in_time(self, answer: Coroutine[Any, Any, T]) -> T:
        try:
            return await asyncio.wait_for(answer, self._bounds.seconds)
        except asyncio.TimeoutError as error:
            msg = f"no scores after {self._bounds.seconds:g} s. Send less at once, or ask later."
            raise HTTPException(504, msg) from error


def _hostname(request: Request) -> str | None:
    try:
        return request.url.hostname
    except ValueError:  # no address at all
        return None


async def _or_gone(request: Request, future: Future[list[float]]) -> list[float]:
    """The scores; where the client leaves before, they are not made."""
    scores = asyncio.wrap_future(future)
    gone = asyncio.ensure_future(_disconnected(request))
    both: set[asyncio.Future[Any]] = {scores, gone}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not scores.done():
            raise HTTPException(400, "the client left.")
        return scores.result()
    finally:
        gone.cancel()
        scores.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _busy(message: str, seconds: int) -> HTTPException:
    return HTTPException(503, message, {"Retry-After": str(seconds)})


async def _told_as_json(_: Request, error: Exception) -> Response:
    status, headers, message = 500, {}, "the server failed; its log says why."
    if isinstance(error, HTTPException):
        status, message = error.status_code, error.detail
        headers = dict(error.headers or {})
    body = {"error": {"message": message}}
    return JSONResponse(body, status, {**headers, "Connection": "close"})
