"""What the backends that ask a paid service share: checks and records.

A service may refuse, fail, stall or send half a picture. Whatever it does, a request ends as one
outcome: a picture that passed the checks, a refusal in the service's words, or a reason.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

from aas_bench.errors import BackendError, InputError, SpecError
from aas_bench.generators.base import Generator, Outcome, Request
from aas_bench.generators.image_checks import accept_image, image_from_bytes
from aas_bench.generators.noise import noise_seed
from aas_bench.generators.settings import VARIANTS
from aas_bench.generators.spec import Submission
from aas_bench.service.access import ServiceOptions
from aas_bench.service.client import Client, Trace
from aas_bench.service.faults import RefusedError, ServiceError

_HOW_LOCAL: Final = frozenset({"device", "compile", "offload"})
"""How local weights would be run; whoever runs several backends passes these to all of them."""


class RemoteGenerator(Generator):
    """Asks a service for each picture.

    Args:
        submission: Its submission; `model` is the service's name for the model.
        preset: Name of the preset in use.
        options: See `ServiceOptions`; besides, `batch_size`: requests of one `generate` call, by
            default as many as are under way. Those that only place local weights are left out.

    Raises:
        InputError: There is no key, or an option is wrong.
        SpecError: The settings ask for what the run decides.

    Attributes:
        service: Its name in `service.access.SERVICES`.
        reserved: Names of `options` settings that the backend fills in itself.
        seed_supported: Whether it is given a seed.
        packages: Whose versions its description names.
    """

    service: str
    reserved: frozenset[str]
    seed_supported: bool = False
    packages: tuple[str, ...] = ("pillow",)

    def __init__(self, submission: Submission, *, preset: str = "default", **options: Any) -> None:
        assert submission.model is not None  # the rules of a submission say so
        for variant in VARIANTS:
            taken = self.reserved & submission.settings_for(variant, preset).options.keys()
            if taken:
                msg = f"{submission.id}: options.{min(taken)} is decided by the run. Remove it."
                raise SpecError(msg)
        wanted = {name: each for name, each in options.items() if name not in _HOW_LOCAL}
        size = wanted.pop("batch_size", None)
        if size is not None and (not isinstance(size, int) or size < 1):
            msg = f"batch_size is {size!r}. Give a whole number from 1."
            raise InputError(msg)
        self.submission, self.preset, self.model = submission, preset, submission.model
        self.options = ServiceOptions.of(wanted)
        self.client = Client(self.service, self.options)
        self.batch_size = self.image_batch_size = size or self.options.concurrency

    def generate(self, requests: Sequence[Request]) -> list[Outcome]:
        """One outcome per request, in order; at most `concurrency` are under way at once."""
        return list(self.client.each(self._outcome, requests))

    def describe(self) -> dict[str, Any]:
        """The submission's identity, where it was asked, and by what: no key, no query."""
        address = urlsplit(self.client.service.base_url)
        return {
            **self.submission.identity(self.preset),
            "service": f"{address.scheme}://{address.netloc}{address.path}",
            "versions": {name: version(name) for name in self.packages},
        }

    def close(self) -> None:
        """Wait for what is under way and close the connections."""
        self.client.close()

    @abstractmethod
    def _ask(self, request: Request, trace: Trace) -> bytes:
        """Send a request once; the encoded picture.

        Raises:
            RefusedError: The service declined.
            ServiceError: It failed.
        """

    def _outcome(self, request: Request) -> Outcome:
        """Everything that can become of one request."""
        trace = Trace()
        made: dict[str, Any] = {}
        try:
            image = self.client.repeated(lambda: self._try(request, trace))
            made = {"status": "ok", "image": image}
        except BackendError as error:
            trace.provenance |= error.details if isinstance(error, ServiceError) else {}
            status = "refused" if isinstance(error, RefusedError) else "failed"
            reason = self.client.clean(str(error))
            made = {"status": status, "reason": reason, "retryable": error.retryable}
        provenance = {
            "attempts": trace.attempts,
            "seed": self._seed(request) if self.seed_supported else None,
            "seed_supported": self.seed_supported,
            **self.client.clean(trace.provenance),
        }
        return Outcome(**made, latency=trace.latency, cost=trace.cost, provenance=provenance)

    def _try(self, request: Request, trace: Trace) -> Any:
        """One attempt: a checked picture of the size that the settings write out, if they do."""
        if request.image is not None:
            title = self.client.service.title
            msg = f"{title} is not given seed images here. Use text-to-image."
            raise ServiceError(msg)
        trace.begin()
        image = image_from_bytes(self._ask(request, trace))
        trace.provenance["size"] = list(image.size)
        return accept_image(image, size=request.settings.written_size)

    def _seed(self, request: Request) -> int:
        """Seed of one picture, the same for both variants; services take 31 bits."""
        return noise_seed(request.seed, request.index) % 2**31
