"""What a reward server takes in at most, so that no client can harm another."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from aas_bench.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Limits of a reward server; a cell is one (image, prompt) to be scored.

    Attributes:
        cells: Cells, images and prompts of one request.
        queue: Cells of one reward model that wait; beyond, a client is told to come back.
        body: Bytes of one request.
        bodies: Bytes of all requests under way.
        pixels: Pixels of one image.
        prompt: Characters of one prompt.
        head_seconds: Until a new connection has sent the head of its request.
        body_seconds: Until a request has arrived whole.
        seconds: From then until it is answered.
        connections: Connections at once.
    """

    cells: int = 1024
    queue: int = 4096
    body: int = 64 * 2**20
    bodies: int = 512 * 2**20
    pixels: int = 2**24
    prompt: int = 20_000
    head_seconds: float = 10.0
    body_seconds: float = 60.0
    seconds: float = 300.0
    connections: int = 1024

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not 0 < value < math.inf:
                msg = f"{each.name} is {value!r}. Give a number above 0."
                raise InputError(msg)
        if self.body > self.bodies:
            msg = f"body is {self.body}, more than bodies, {self.bodies}. Raise bodies."
            raise InputError(msg)
