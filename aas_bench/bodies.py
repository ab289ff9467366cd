"""Bodies of requests are counted while they are read: none is held before it is known small."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

_LENGTH: Final = b"content-length"


class BoundedBodies:
    """ASGI middleware that answers 413 to a body above a bound, however it is sent.

    A declared length is refused before a byte is read; what is sent in chunks, or lies about its
    length, is refused at the first byte too many.

    Args:
        app: The application.
        most: Bytes that a body may have.
    """

    def __init__(self, app: App, *, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._declared(scope) > self._most:
            await self._refuse(send)
            return
        read, answered = 0, False

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._most:
                raise _TooLargeError
            return message

        async def told(message: Message) -> None:
            # An application that makes an answer of its own out of the error is overruled.
            nonlocal answered
            if read <= self._most or answered:
                answered = True
                await send(message)

        with suppress(_TooLargeError):
            await self._app(scope, counted, told)
        if read > self._most and not answered:
            await self._refuse(send)

    @staticmethod
    def _declared(scope: Message) -> int:
        for name, value in scope["headers"]:
            if name == _LENGTH and value.isdigit():
                return int(value)
        return 0

    async def _refuse(self, send: Send) -> None:
        text = f"The body is larger than {self._most:,} bytes.".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": text})


class _TooLargeError(Exception):
    """More was sent than may be."""
