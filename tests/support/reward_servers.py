"""Reward servers on 127.0.0.1, and clients that misbehave."""

import json
import socket
import threading
from contextlib import contextmanager

import numpy as np

from aas_bench.rewards.base import RewardModel
from aas_bench.serving.server import RewardServer


@contextmanager
def serving(*models, **options):
    """A server in a thread; yields it."""
    server = RewardServer(models, port=0, **options)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()


class Gate(RewardModel):
    """Scores the length of a prompt, once it is let; "nan" gives NaN and "raise" raises."""

    name = "gate"
    batch_size = 4

    def __init__(self):
        self.open = threading.Event()
        self.open.set()
        self.begun = threading.Event()
        self.combined = []

    def encode_images(self, images):
        return list(images)

    def encode_prompts(self, prompts):
        if any("raise" in prompt for prompt in prompts):
            msg = "no such word"
            raise ValueError(msg)
        return list(prompts)

    def combine(self, images, prompts):
        self.begun.set()
        assert self.open.wait(30)
        self.combined += prompts
        return np.array([np.nan if "nan" in p else float(len(p)) for p in prompts])


def connected(server):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def head(server, name, length, kind="application/json", token=None):
    """The head of a request as bytes; length None: in chunks."""
    host = server.url.removeprefix("http://")
    lines = [f"POST /{name} HTTP/1.1", f"Host: {host}", f"Content-Type: {kind}"]
    lines.append("Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}")
    lines += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*lines, "", ""]).encode()


def told(connection):
    """All that a server sends until it closes; what it dropped without a word is b""."""
    found = b""
    try:
        while block := connection.recv(65536):
            found += block
    except ConnectionError:
        pass
    return found


def status(answer):
    return int(answer.split()[1]) if answer else None


def message(response):
    return json.loads(response.content)["error"]["message"]
