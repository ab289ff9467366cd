"""Image services on 127.0.0.1 that speak the protocols of OpenAI, OpenRouter and Replicate.

A service answers each path from a list of replies, one a request; the last one stays. It keeps
what it was asked and how many requests were under way at once.
"""

import base64
import hashlib
import io
import json
import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from PIL import Image

VERSION = hashlib.sha256(b"a version of a model").hexdigest()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer; `stall` seconds pass before it, `drip` seconds between its bytes."""

    status: int = 200
    body: object = b""
    headers: dict = field(default_factory=dict)
    stall: float = 0.0
    drip: float = 0.0
    lost: int = 0  # bytes that are promised but never sent

    @property
    def payload(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def kind(self) -> str:
        return "text/html" if isinstance(self.body, bytes) else "application/json"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict
    body: object


class Service:
    """A server; `replies[path]` is what it answers, `asked` what it was asked."""

    def __init__(self):
        self.replies = defaultdict(list)
        self.asked = []
        self.under_way = self.most_under_way = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path, *replies):
        self.replies[path] = list(replies)

    def paths(self, method="POST"):
        return [each.path for each in self.asked if each.method == method]

    @contextmanager
    def running(self):
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _take(self, asked):
        with self._lock:
            self.asked.append(asked)
            self.under_way += 1
            self.most_under_way = max(self.most_under_way, self.under_way)
            replies = self.replies.get(asked.path)
            if not replies:
                return Reply(status=404, body={"detail": f"nothing at {asked.path}"})
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def _left(self):
        with self._lock:
            self.under_way -= 1

    def _handler(service):  # noqa: N805 - self is the handler below
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                body = json.loads(raw) if raw else None
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(method=self.command, path=self.path, headers=headers, body=body)
                reply = service._take(asked)
                try:
                    service.closing.wait(reply.stall)
                    self._send(reply)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    service._left()

            do_POST = do_GET  # noqa: N815 - the name that http.server looks up

            def _send(self, reply):
                payload = reply.payload
                self.send_response(reply.status)
                headers = {"Content-Type": reply.kind, "x-request-id": "req_1", **reply.headers}
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                if reply.lost:
                    self.wfile.write(payload[: -reply.lost])
                    self.close_connection = True
                elif reply.drip:
                    for i in range(len(payload)):
                        self.wfile.write(payload[i : i + 1])
                        if service.closing.wait(reply.drip):
                            break
                else:
                    self.wfile.write(payload)

            def log_message(self, *args):
                pass

        return Handler


def png(size=(64, 48), colour=None):
    """A picture's bytes: a ramp, or one colour."""
    image = Image.new("RGB", size, colour) if colour else Image.linear_gradient("L").resize(size)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def base64_of(data):
    return base64.b64encode(data).decode()


def data_url(data):
    return f"data:image/png;base64,{base64_of(data)}"


# OpenAI: POST /images/generations

IMAGES = "/images/generations"


def openai_picture(data=None, *, url=None):
    item = {"url": url} if url else {"b64_json": base64_of(data or png())}
    usage = {"input_tokens": 12, "output_tokens": 4160, "total_tokens": 4172}
    body = {"created": 1, "data": [item], "output_format": "png", "usage": usage}
    return Reply(body=body)


def openai_error(status, code=None, message="no", *, headers=None, kind="server_error"):
    error = {"message": message, "type": kind, "param": None, "code": code}
    return Reply(status=status, body={"error": error}, headers=headers or {})


# OpenRouter: POST /chat/completions

CHAT = "/chat/completions"


def openrouter_answer(*, urls=None, content="", finish="stop", native="STOP", cost=0.039):
    message = {"role": "assistant", "content": content}
    if urls is not None:
        message["images"] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    choice = {
        "index": 0,
        "finish_reason": finish,
        "native_finish_reason": native,
        "message": message,
    }
    body = {
        "id": "gen-1",
        "object": "chat.completion",
        "created": 1,
        "model": "google/gemini-2.5-flash-image",
        "provider": "Google",
        "choices": [choice],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1290, "total_tokens": 1299},
    }
    body["usage"]["cost"] = cost
    return Reply(body=body)


def openrouter_error(code, message, *, metadata=None, status=200):
    error = {"code": code, "message": message, "metadata": metadata or {}}
    return Reply(status=status, body={"error": error, "choices": None})


# Replicate: GET a model, POST its predictions, GET a prediction, POST its cancel

MODEL = "/v1/models/owner/name"
PREDICTIONS = f"{MODEL}/predictions"
PREDICTION = "/v1/predictions/p1"
CANCEL = f"{PREDICTION}/cancel"


def replicate_model(*inputs):
    properties = {name: {"type": "string"} for name in ("prompt", *inputs)}
    schema = {"components": {"schemas": {"Input": {"type": "object", "properties": properties}}}}
    version = {
        "id": VERSION,
        "created_at": "2025-09-01T00:00:00Z",
        "cog_version": "0.9",
        "openapi_schema": schema,
    }
    body = {
        "url": "https://replicate.com/owner/name",
        "owner": "owner",
        "name": "name",
        "description": None,
        "visibility": "public",
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "run_count": 1,
        "cover_image_url": None,
        "default_example": None,
        "latest_version": version,
    }
    return Reply(body=body)


def replicate_prediction(status, *, output=None, error=None):
    body = {
        "id": "p1",
        "model": "owner/name",
        "version": VERSION,
        "status": status,
        "input": {},
        "output": output,
        "logs": "",
        "error": error,
        "metrics": {"predict_time": 4.5} if status == "succeeded" else {},
        "created_at": "2025-09-01T00:00:00Z",
        "started_at": None,
        "completed_at": None,
        "urls": {},
    }
    return Reply(status=201 if status == "starting" else 200, body=body)
