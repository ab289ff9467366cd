"""A generator whose pictures tell in which batch they were made, and that can break down."""

import hashlib

import numpy as np
from PIL import Image

from aas_bench.generators.base import Generator, Outcome


def colours(*facts):
    """Pixels that other facts would change."""
    seed = int.from_bytes(hashlib.sha256(repr(facts).encode()).digest()[:8], "big")
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


class FakeGenerator(Generator):
    """Stops with Ctrl-C before call number `stop_at`; `verdicts` are given in place of images."""

    def __init__(self, *, batch_size=1, stop_at=None, verdicts=None, version=1):
        self.batch_size = self.image_batch_size = batch_size
        self.stop_at, self.verdicts, self.version = stop_at, verdicts or {}, version
        self.calls = []
        self.closed = False

    def generate(self, requests):
        if len(self.calls) == self.stop_at:
            raise KeyboardInterrupt
        assert len(requests) <= self.batch_size
        keys = [(request.index, request.variant) for request in requests]
        self.calls.append(keys)
        return [self._outcome(request, keys) for request in requests]

    def _outcome(self, request, keys):
        latency = float(len(self.calls))
        if (request.index, request.variant) in self.verdicts:
            status, reason = self.verdicts[request.index, request.variant]
            return Outcome(status=status, reason=reason, latency=latency, cost=0.5)
        image = colours(keys, request.index, request.prompt, request.seed)
        return Outcome(status="ok", image=image, latency=latency)

    def describe(self):
        return {"version": self.version, "batch_size": self.batch_size}

    def close(self):
        self.closed = True
