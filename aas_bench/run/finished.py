"""A run of a generator, read from its directory alone: what was made, and why the rest was not."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, SchemaError, StoreError
from aas_bench.files import json_value
from aas_bench.generators.settings import VARIANTS, Variant
from aas_bench.run.directory import MANIFEST
from aas_bench.run.made_images import MEASURED, RECORDS, ImageStore
from aas_bench.tables.schema import PAIR_ID, pair_name

if TYPE_CHECKING:
    import pyarrow as pa

SCORED: Final = "scores"
_RESULT: Final = "result.json"


class NotMadeError(StoreError):
    """An image that a run does not hold; the message is the recorded reason."""


class FinishedRun:
    """The directory that `generate` filled, finished or not; nothing in it is changed.

    Args:
        path: The directory.

    Attributes:
        id: The submission's id.
        name: The submission's name, where the run was measured; else its id.
        indices: The prompts of which there is any record, in order.

    Raises:
        InputError: It is no run of a generator.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if not is_run(self.path):
            msg = f"{self.path} is no run of a generator. Give one of aas-bench leaderboard run."
            raise InputError(msg)
        spec = _read(self.path / MANIFEST).get("spec") or {}
        self.id = str((spec.get("submission") or {}).get("id") or self.path.name)
        result = _read(self.path / _RESULT)
        self.name = str((result.get("submission") or {}).get("name") or self.id)
        self._images = ImageStore(self.path)
        self.indices = self._images.indices()

    def pair_id(self, index: int) -> str:
        """What the run's own pair table calls the pair."""
        return pair_name(self.id, index)

    def image_file(self, index: int, variant: Variant) -> Path:
        """Where an image is, if it was made."""
        return self._images.image_path(index, variant)

    def made(self, index: int, variant: Variant) -> tuple[str, Path]:
        """The prompt of an image, and its file.

        Raises:
            NotMadeError: The image was refused or failed, with the reason that was recorded, or
                its record or file is absent or damaged.
        """
        record = self._images.record(index, variant)
        if record is None:
            msg = f"the {variant} image has no record, or one of the two is damaged"
            raise NotMadeError(msg)
        if record["status"] != "ok":
            msg = f"the {variant} image was {record['status']}: {record.get('reason')}"
            raise NotMadeError(msg)
        return str(record["prompt"]), self._images.image_path(index, variant)

    @cached_property
    def places(self) -> Mapping[str, tuple[tuple[int, Variant], ...]]:
        """Prompt -> the images that it was to make: distorted ones first, then by index."""
        found: dict[str, list[tuple[int, Variant]]] = {}
        for variant in reversed(VARIANTS):
            for index in self.indices:
                record = _read(self.path / RECORDS / f"{index:04d}_{variant}.json")
                if isinstance(record.get("prompt"), str):
                    found.setdefault(record["prompt"], []).append((index, variant))
        return {prompt: tuple(places) for prompt, places in found.items()}

    def find(self, prompt: str) -> tuple[int, Variant]:
        """The first image that was made from a prompt.

        Raises:
            NotMadeError: There is none, with the reason that was recorded.
        """
        reason = "the run was not asked for it"
        for index, variant in self.places.get(prompt, ()):
            try:
                self.made(index, variant)
            except NotMadeError as error:
                reason = str(error)
            else:
                return index, variant
        msg = f"{self.id}: {reason}"
        raise NotMadeError(msg)

    @cached_property
    def scores(self) -> Mapping[str, Mapping[str, Any]]:
        """`pair_id` -> what the run's scorings tell of the pair; empty where it was not scored.

        Several scorings (other reward models, or again after a retry) are laid over each other: a
        value that one lacks is taken from another.

        Raises:
            SchemaError: Two scorings disagree.
        """
        import pyarrow.parquet as pq

        merged: dict[str, dict[str, Any]] = {}
        for file in sorted((self.path / SCORED).glob("*/scores.parquet")):
            for row in pq.read_table(file).to_pylist():
                known = merged.setdefault(str(row[PAIR_ID]), {})
                for name, value in row.items():
                    if value is None or name == "error":
                        continue
                    if known.setdefault(name, value) != value:
                        msg = (
                            f"{file}: {name} of {row[PAIR_ID]} is {value}, and {known[name]} in "
                            "another scoring of the run. Remove the one that is out of date."
                        )
                        raise SchemaError(msg)
        return merged

    @cached_property
    def score_columns(self) -> tuple[str, ...]:
        """The columns of the scorings, in their order."""
        import pyarrow.parquet as pq

        schemas: list[pa.Schema] = [
            pq.read_schema(file) for file in sorted((self.path / SCORED).glob("*/scores.parquet"))
        ]
        return tuple(dict.fromkeys(name for schema in schemas for name in schema.names))

    def fingerprint(self) -> str:
        """A hash of what was made and scored; what was only measured (time, cost) is left out."""
        digest = hashlib.sha256()
        for file in sorted((self.path / RECORDS).glob("*.json")):
            record = {k: v for k, v in _read(file).items() if k not in (MEASURED, "earlier")}
            digest.update(f"{file.name}{json.dumps(record, sort_keys=True)}".encode())
        for file in sorted((self.path / SCORED).glob("*/scores.parquet")):
            digest.update(file.read_bytes())
        return digest.hexdigest()


def is_run(path: Path) -> bool:
    """Whether a path is the directory of a generator's run."""
    return (path / RECORDS).is_dir() and _read(path / MANIFEST).get("kind") == "images"


def _read(file: Path) -> dict[str, Any]:
    """A JSON object; empty where there is none."""
    try:
        found = json_value(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
