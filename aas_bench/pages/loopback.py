"""Pages for one person at this machine: what answers a browser here, and nobody else.

The standard library's server is enough. It listens on the loopback address and answers to no other
name, so that no page of the web can reach it under one.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from aas_bench.errors import AasBenchError, InputError

HOST: Final = "127.0.0.1"


class LoopbackServer(ThreadingHTTPServer):
    """Listens on this machine only.

    Args:
        port: 0 takes a free one.
        handler: Answers one request.
        policy: Content security policy of every answer.

    Attributes:
        url: Where it answers.

    Raises:
        InputError: The port cannot be used.
    """

    daemon_threads = True

    def __init__(self, port: int, handler: type[LoopbackHandler], *, policy: str) -> None:
        self.policy = policy
        try:
            super().__init__((HOST, port), handler)
        except OSError as error:
            msg = f"port {port} cannot be used ({error.strerror}). Give another --port, or none."
            raise InputError(msg) from error
        self.url = f"http://{HOST}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tell of a fault, but not of a browser that went away before the end of an answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class LoopbackHandler(BaseHTTPRequestHandler):
    """One request; a subclass says what `get` answers."""

    server: LoopbackServer
    protocol_version = "HTTP/1.1"
    server_version = "aas-bench"
    sys_version = ""
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal shows the address."""

    def do_GET(self) -> None:
        """What is asked for by its address."""
        self._guarded(self.get)

    def do_POST(self) -> None:
        """What is sent."""
        self._guarded(self.post)

    def get(self) -> None:
        """Answer an address."""
        self.refuse(HTTPStatus.NOT_FOUND, "There is no such page.")

    def post(self) -> None:
        """Answer what is sent; a page that takes nothing refuses."""
        self.close_connection = True
        self.refuse(HTTPStatus.METHOD_NOT_ALLOWED, "Nothing can be sent here.")

    def _guarded(self, serve: Callable[[], None]) -> None:
        """Answer a browser that asked for this server by its own name; faults in one line."""
        names = {f"{host}:{self.server.server_address[1]}" for host in (HOST, "localhost")}
        if self.headers.get("Host") not in names:
            self.refuse(HTTPStatus.FORBIDDEN, "This page answers on this machine only.")
            return
        try:
            serve()
        except InputError as error:
            self.refuse(HTTPStatus.BAD_REQUEST, str(error))
        except AasBenchError as error:  # what was sent is right, but cannot be kept
            self.refuse(HTTPStatus.INSUFFICIENT_STORAGE, str(error))

    def refuse(self, status: HTTPStatus, message: str) -> None:
        """Say in plain text why there is no answer."""
        self.send(message.encode(), "text/plain; charset=utf-8", status=status)

    def send(
        self, body: bytes, kind: str, *, status: HTTPStatus = HTTPStatus.OK, keep: bool = False
    ) -> None:
        """Answer; `keep` lets the browser hold it for an hour."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "private, max-age=3600" if keep else "no-store")
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.end_headers()
        self.wfile.write(body)


def hashed(text: str) -> str:
    """What a policy calls a style or a script that may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
