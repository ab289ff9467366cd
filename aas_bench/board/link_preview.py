"""What other sites show beside a link to the page: ours instead of gradio's."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from html import escape
from typing import Final

from aas_bench.board.site import Site
from aas_bench.bodies import App, Message, Receive, Send

PICTURE: Final = "preview.png"
_THEIRS: Final = re.compile(r"<meta\s+(?:property|name)=\"(?:og|twitter):[^>]*>\s*")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")


def with_preview(text: str, *, title: str, description: str, home: str) -> str:
    """A page whose tags for links say what it holds.

    Args:
        text: The page.
        title: Of the page.
        description: What it says, in a sentence.
        home: Its address, with a slash at the end.
    """
    tags = {
        "og:type": "website",
        "og:title": title,
        "og:description": description,
        "og:url": home,
        "og:image": f"{home}{PICTURE}",
    }
    ours = "".join(f'<meta property="{k}" content="{escape(v)}">' for k, v in tags.items())
    ours += f'<meta name="description" content="{escape(description)}">'
    ours += '<meta name="twitter:card" content="summary_large_image">'
    return _THEIRS.sub("", text).replace("<head>", f"<head>{ours}", 1)


class LinkPreview:
    """ASGI middleware that puts `with_preview` on the first page.

    Args:
        app: The application.
        current: The leaderboard.
        title: Of the page.
    """

    def __init__(self, app: App, *, current: Callable[[], Site], title: str) -> None:
        self._app = app
        self._current = current
        self._title = title

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        start: Message = {}
        parts: list[bytes] = []

        async def held(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
                return
            if message["type"] != "http.response.body":
                await send(message)
                return
            parts.append(message.get("body", b""))
            if message.get("more_body"):
                return
            await self._send(scope, start, b"".join(parts), send)

        await self._app(scope, receive, held)

    async def _send(self, scope: Message, start: Message, body: bytes, send: Send) -> None:
        headers = dict(start["headers"])
        plain = headers.get(b"content-type", b"").startswith(b"text/html")
        if plain and b"content-encoding" not in headers:
            body = with_preview(
                body.decode(),
                title=self._title,
                description=self._current().answer,
                home=_home(scope),
            ).encode()
        kept = [(k, v) for k, v in start["headers"] if k != b"content-length"]
        told = [*kept, (b"content-length", str(len(body)).encode())]
        await send({**start, "headers": told})
        await send({"type": "http.response.body", "body": body})


def _home(scope: Message) -> str:
    """The address that readers know: the Space's where it is one, else the one that was asked."""
    space = os.environ.get("SPACE_HOST")
    if space:
        return f"https://{space}/"
    asked = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"host"), "")
    host = asked if _HOST.fullmatch(asked) else "localhost"
    return f"{scope.get('scheme', 'http')}://{host}/"
