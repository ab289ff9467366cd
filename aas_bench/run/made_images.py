"""The images of a run on disk, and one record for each: what became of it and why.

    images/0007_distorted.png    lossless, written before its record
    records/0007_distorted.json  status, reason, the image's hash, what it depends on

Only what stands under `measured` (latency, cost) differs between two runs of the same kind.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path
from typing import Any, Final

from PIL import Image

from aas_bench.files import json_bytes, json_value, write_atomically
from aas_bench.generators.base import Outcome, Request
from aas_bench.generators.settings import VARIANTS, Variant

IMAGES: Final = "images"
RECORDS: Final = "records"
MEASURED: Final = "measured"
_RECORD: Final = re.compile(rf"(?P<index>\d+)_({'|'.join(VARIANTS)})\.json")


class ImageStore:
    """Images and records under the directory of a run.

    Args:
        path: The directory of the run; its two folders are made where absent.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        for folder in (IMAGES, RECORDS):
            (path / folder).mkdir(exist_ok=True)

    def indices(self) -> tuple[int, ...]:
        """The prompts of which there is any record, in order."""
        records = (_RECORD.fullmatch(file.name) for file in (self.path / RECORDS).iterdir())
        return tuple(sorted({int(match["index"]) for match in records if match}))

    def image_path(self, index: int, variant: Variant) -> Path:
        """Where an image is, if it was made."""
        return self.path / IMAGES / f"{_stem(index, variant)}.png"

    def record(self, index: int, variant: Variant) -> dict[str, Any] | None:
        """The record of an image; None where there is none, or it or its image is damaged."""
        try:
            record: Any = json_value(self._record_path(index, variant).read_bytes())
            if not isinstance(record, dict) or "status" not in record:
                return None
            if record["status"] == "ok":
                content = self.image_path(index, variant).read_bytes()
                if hashlib.sha256(content).hexdigest() != record["sha256"]:
                    return None
        except (OSError, ValueError):
            return None
        return record

    def prompt(self, index: int, variant: Variant) -> str | None:
        """What an image was asked for; None where there is no record of it."""
        record = self.record(index, variant)
        return None if record is None else str(record["prompt"])

    def put(self, request: Request, outcome: Outcome, *, earlier: dict[str, Any] | None) -> None:
        """Store what became of a request: the image first, so that a record never lies.

        Args:
            request: What was asked for.
            outcome: What became of it.
            earlier: The record of a failed attempt that this one repeats; kept inside the new one.
        """
        sha256 = None
        if outcome.image is not None:
            content = png(outcome.image)
            sha256 = hashlib.sha256(content).hexdigest()
            write_atomically(self.image_path(request.index, request.variant), content)
        record = {
            "index": request.index,
            "variant": request.variant,
            "seed": request.seed,
            "prompt": request.prompt,
            "status": outcome.status,
            "reason": outcome.reason,
            "retryable": outcome.retryable,
            "sha256": sha256,
            "provenance": outcome.provenance,
            "attempt": 1 if earlier is None else earlier["attempt"] + 1,
            "earlier": earlier,
            MEASURED: {"latency_seconds": outcome.latency, "cost_usd": outcome.cost},
        }
        write_atomically(self._record_path(request.index, request.variant), json_bytes(record))

    def _record_path(self, index: int, variant: Variant) -> Path:
        return self.path / RECORDS / f"{_stem(index, variant)}.json"


def png(image: Image.Image) -> bytes:
    """An image as it is stored."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _stem(index: int, variant: Variant) -> str:
    return f"{index:04d}_{variant}"
