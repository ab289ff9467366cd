"""Images made by several workers, batch by batch as one generator would make them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from aas_bench.files import json_bytes
from aas_bench.generators.base import Generator, Outcome, Request
from aas_bench.run.pool import Advance, Facts, Job, Pool

Made = tuple["list[Request]", "list[Outcome]"]


class GenerateJob(Job["list[Request]", "list[Request]", Made]):
    """Makes batches of images; each worker has loaded the generator.

    Args:
        load: Loads it on a device.
    """

    def __init__(self, load: Callable[[str | None], Generator]) -> None:
        self._load = load

    def open(self, device: str | None) -> Facts:
        """See `Job.open`."""
        self._generator = self._load(device)
        return {
            "batch_size": self._generator.batch_size,
            "image_batch_size": self._generator.image_batch_size,
            "described": json.loads(json_bytes(self._generator.describe())),
        }

    def begin(self, setting: Any) -> None:
        """See `Job.begin`: requests say everything."""

    def read(self, piece: list[Request]) -> list[Request]:
        """See `Job.read`."""
        return piece

    def do(self, data: list[Request], advance: Advance) -> Made:
        """See `Job.do`."""
        return data, self._generator.generate(data)


class ToldGenerator(Generator):
    """A generator that workers hold: what they told of it, and no images.

    Args:
        pool: The workers of a `GenerateJob`.
    """

    def __init__(self, pool: Pool) -> None:
        self.batch_size = pool.facts["batch_size"]
        self.image_batch_size = pool.facts["image_batch_size"]
        self._described = pool.facts["described"]

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """Refused: the generator is elsewhere."""
        raise NotImplementedError

    def describe(self) -> dict[str, Any]:
        """What the generator itself says."""
        return dict(self._described)
