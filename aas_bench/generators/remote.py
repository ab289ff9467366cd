"""What the backends that ask a paid service share: pace, retries, checks and records.

A service may refuse, fail, stall or send half a picture. Whatever it does, a request ends as one
outcome: a picture that passed the checks, a refusal in the service's words, or a reason. Keys come
from the environment and go nowhere but into the request.
"""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import tenacity

from aas_bench.errors import BackendError, SpecError
from aas_bench.generators.base import Generator, Outcome, Request
from aas_bench.generators.checks import accept_image, image_from_bytes
from aas_bench.generators.faults import MAX_TEXT, RefusedError, ServiceError
from aas_bench.generators.noise import noise_seed
from aas_bench.generators.service import RemoteOptions, Service
from aas_bench.generators.settings import VARIANTS
from aas_bench.generators.spec import Submission
from aas_bench.generators.transfer import read_picture

T = TypeVar("T")


@dataclass
class Notes:
    """What the attempts of one request leave for its record, in one worker thread.

    Attributes:
        attempts: Times it was sent.
        cost: US dollars so far; None where the service never said.
        provenance: What the last attempt was answered with.
    """

    attempts: int = 0
    cost: float | None = None
    provenance: dict[str, Any] = field(default_factory=dict)

    def pay(self, cost: object) -> None:
        """Add a cost that the service stated; anything but a finite number states none."""
        amount = finite(cost)
        if amount is not None and amount >= 0:
            self.cost = (self.cost or 0.0) + amount


class RemoteGenerator(Generator):
    """Asks a service for each picture.

    Args:
        submission: Its submission; `model` is the service's name for the model.
        preset: Name of the preset in use.
        service: The service.
        options: How it is asked.
        reserved: Names of `options` settings that the backend fills in itself.

    Raises:
        SpecError: The settings ask for one of those names.
    """

    seed_supported: bool = False
    packages: tuple[str, ...] = ("pillow",)

    def __init__(
        self,
        submission: Submission,
        *,
        preset: str,
        service: Service,
        options: RemoteOptions,
        reserved: frozenset[str],
    ) -> None:
        assert submission.model is not None  # the rules of a submission say so
        for variant in VARIANTS:
            taken = reserved & submission.settings_for(variant, preset).options.keys()
            if taken:
                msg = f"{submission.id}: options.{min(taken)} is decided by the run. Remove it."
                raise SpecError(msg)
        self.submission, self.preset = submission, preset
        self.model, self.service, self.options = submission.model, service, options
        self.batch_size = self.image_batch_size = options.batch_size or options.concurrency
        self._pool = ThreadPoolExecutor(options.concurrency)
        self._pictures = httpx.Client(follow_redirects=True, **options.limits.bind())

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome per request, in order; at most `concurrency` are under way at once."""
        running = [self._pool.submit(self._outcome, request) for request in requests]
        try:
            return [each.result() for each in running]
        finally:
            for each in running:  # whoever interrupts a run wants no further pictures billed
                each.cancel()

    def describe(self) -> dict[str, Any]:
        """The submission's identity, where it was asked, and by what: no key, no query."""
        address = urlsplit(self.service.base_url)
        return {
            **self.submission.identity(self.preset),
            "service": f"{address.scheme}://{address.netloc}{address.path}",
            "versions": {name: version(name) for name in self.packages},
        }

    def close(self) -> None:
        """Wait for what is under way and close the connections."""
        self._pool.shutdown(cancel_futures=True)
        self._pictures.close()

    @abstractmethod
    def _ask(self, request: Request, notes: Notes) -> bytes:
        """Send a request once; the encoded picture.

        Raises:
            RefusedError: The service declined.
            ServiceError: It failed.
        """

    def _fetch(self, url: str) -> bytes:
        """The picture behind an address; a lost connection does not ask for another picture."""
        return self._step(lambda: read_picture(url, self._pictures, self.options.limits))

    def _step(self, call: Callable[[], T]) -> T:
        """A part of a request, repeated by itself and not with the whole."""
        try:
            return self._repeated(call)
        except ServiceError as error:
            error.repeat = False
            raise

    def _repeated(self, call: Callable[[], T]) -> T:
        """Call until it succeeds, fails for good or has used up its attempts."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.options.attempts),
            retry=tenacity.retry_if_exception(self._may_repeat),
            wait=self._wait,
            reraise=True,
        )
        return retrying(call)

    def _may_repeat(self, error: BaseException) -> bool:
        if isinstance(error, ServiceError):
            return error.repeat and (error.retry_after or 0.0) <= self.options.max_wait
        return isinstance(error, BackendError) and error.retryable

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """Seconds before the next attempt: what the service says, else exponential."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ServiceError) and error.retry_after is not None:
            return error.retry_after
        longest = self.options.max_wait
        backoff = tenacity.wait_exponential(multiplier=self.options.backoff, max=longest)
        jitter = tenacity.wait_random(0, self.options.backoff / 4)
        return min(longest, backoff(state) + jitter(state))

    def _outcome(self, request: Request) -> Outcome:
        """Everything that can become of one request."""
        start = time.perf_counter()
        notes = Notes()
        made: dict[str, Any] = {}
        try:
            made = {"status": "ok", "image": self._repeated(lambda: self._try(request, notes))}
        except RefusedError as error:
            notes.provenance |= error.details
            made = {"status": "refused", "reason": self._clean(str(error))}
        except BackendError as error:
            notes.provenance |= error.details if isinstance(error, ServiceError) else {}
            reason = self._clean(str(error))
            made = {"status": "failed", "reason": reason, "retryable": error.retryable}
        seed = self._seed(request) if self.seed_supported else None
        provenance = {
            "attempts": notes.attempts,
            "seed": seed,
            "seed_supported": self.seed_supported,
            **self._clean(notes.provenance),
        }
        latency = time.perf_counter() - start
        return Outcome(**made, latency=latency, cost=notes.cost, provenance=provenance)

    def _try(self, request: Request, notes: Notes) -> Any:
        """One attempt: a checked picture of the size that the settings write out, if they do."""
        if request.image is not None:
            msg = f"{self.service.name} is not given seed images here. Use text-to-image."
            raise ServiceError(msg)
        notes.attempts += 1
        notes.provenance = {}
        image = image_from_bytes(self._ask(request, notes))
        notes.provenance["size"] = list(image.size)
        return accept_image(image, size=request.settings.written_size)

    def _seed(self, request: Request) -> int:
        """Seed of one picture, the same for both variants; services take 31 bits."""
        return noise_seed(request.seed, request.index) % 2**31

    def _clean(self, value: Any) -> Any:
        """JSON values without the key, of bounded length, on one line, in valid Unicode."""
        if isinstance(value, dict):
            return {self._clean(name): self._clean(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._clean(each) for each in value]
        if not isinstance(value, str):
            return value
        text = value.replace(self.service.key, "[key]").encode("utf-8", "replace").decode()
        return " ".join(text.split())[:MAX_TEXT]


def finite(value: object) -> float | None:
    """A finite number from a service's JSON; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
