"""One interface for everything that makes images, local or remote.

A request names one image; each request gets one outcome, in the same order. What could not be made
is an outcome with a reason, never a substitute picture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

from PIL import Image

from aas_bench.errors import InputError
from aas_bench.generators.settings import Settings, Variant

DEFAULT_STRENGTH: Final = 0.6
"""Strength of image-to-image mode where the settings name none; one value for all classes."""

Status: TypeAlias = Literal["ok", "refused", "failed"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One image to make.

    Attributes:
        index: Index of the base prompt, not negative; with `seed` it fixes the starting noise.
        variant: Which side of the pair.
        prompt: The text to follow.
        seed: Seed of the run, not negative.
        settings: The settings of this variant, from `Submission.settings_for`.
        negative_prompt: What value sign flip should keep out; used by nothing else.
        image: Seed image for image-to-image mode; None to start from noise alone.
    """

    index: int
    variant: Variant
    prompt: str
    seed: int
    settings: Settings
    negative_prompt: str | None = None
    image: Image.Image | None = None

    def __post_init__(self) -> None:
        if self.index < 0 or self.seed < 0:
            msg = f"index {self.index}, seed {self.seed}: neither may be negative. Count from 0."
            raise InputError(msg)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one request.

    Attributes:
        status: "ok" with an image; "refused" where the generator declined the prompt; "failed".
        image: The RGB image where the status is "ok", else None.
        reason: Why there is no image; None where there is one.
        latency: Seconds; an equal share of its batch where images are made together.
        cost: US dollars where the service says, else None.
        retryable: Whether the same request may succeed later.
        provenance: What this image depends on or was reported with: JSON values.
    """

    status: Status
    image: Image.Image | None = None
    reason: str | None = None
    latency: float
    cost: float | None = None
    retryable: bool = False
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        made = self.status == "ok"
        if made != (self.image is not None) or made != (self.reason is None):
            msg = "an outcome has an image if and only if it is ok, and a reason if and only if not"
            raise ValueError(msg)


class Generator(ABC):
    """Makes images for requests.

    Attributes:
        batch_size: How many requests it works on at once. Local generators give byte-identical
            images for identical batches: the same members in the same order. Whoever resumes a
            run cuts the requests into batches before leaving out the finished ones.
        image_batch_size: The same for requests that carry a seed image.
    """

    batch_size: int = 1
    image_batch_size: int = 1

    @abstractmethod
    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome per request, in order; cut into batches here where there are too many."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Everything that all its images depend on, weights to library versions: JSON values."""

    def close(self) -> None:  # noqa: B027 - optional
        """Give back memory and connections; the generator is not used again."""
