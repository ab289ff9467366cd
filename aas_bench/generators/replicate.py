"""Models hosted on Replicate, through its own SDK.

A prediction is created, looked at until it ends, and cancelled when it runs too long; the SDK's
`run` returns None for a prediction that still runs or was cancelled.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, Final

import httpx
import replicate
from replicate.version import Versions

from aas_bench.errors import BackendError, SpecError
from aas_bench.generators.base import Request
from aas_bench.generators.remote import RemoteGenerator
from aas_bench.generators.spec import Submission
from aas_bench.service.client import T, Trace, finite
from aas_bench.service.faults import (
    RefusedError,
    ServiceError,
    connection_error,
    error_from_response,
)
from aas_bench.service.transfer import DirectTransport

_MODEL: Final = re.compile(r"(?P<owner>\w[\w.-]*)/(?P<name>\w[\w.-]*)(:(?P<version>[0-9a-f]{64}))?")
_REFUSAL: Final = re.compile(
    r"\b(nsfw|flagged|sensitive|moderat\w*|safety|content policy|inappropriate)\b", re.IGNORECASE
)


class ReplicateGenerator(RemoteGenerator):
    """Pictures from predictions; no cost is stated.

    A model without a version moves when its provider updates it, so each picture's provenance
    holds the version that made it. A seed is sent where the model's inputs have one.

    Raises:
        SpecError: The model's name is not of a form that Replicate knows.
        BackendError: Its inputs cannot be read.
    """

    service = "replicate"
    reserved = frozenset({"prompt", "seed"})
    packages = ("pillow", "replicate")

    def __init__(self, submission: Submission, *, preset: str = "default", **options: Any) -> None:
        super().__init__(submission, preset=preset, **options)
        parts = _MODEL.fullmatch(self.model)
        if parts is None:
            msg = (
                f"{submission.id}: model {self.model!r} is not owner/name or owner/name:version "
                "with all 64 characters. Copy it from the model's page."
            )
            raise SpecError(msg)
        self._owner, self._name, self._version = parts["owner"], parts["name"], parts["version"]
        limits = self.options.limits
        self._sdk = replicate.Client(
            api_token=self.client.service.key,
            base_url=self.client.service.base_url,
            transport=DirectTransport(limits, error_from_response),
            **limits.bind(),
        )
        try:
            self.seed_supported = "seed" in self.client.step(self._inputs)
        except ServiceError as error:
            self.close()
            msg = f"{submission.id}: Replicate: {self.client.clean(str(error))}"
            # without the cause, as a service may repeat the key in its message
            raise BackendError(msg, retryable=error.retryable) from None

    def _ask(self, request: Request, trace: Trace) -> bytes:
        wanted = {**request.settings.options, "prompt": request.prompt}
        if self.seed_supported:
            wanted["seed"] = self._seed(request)
        prediction = self._create(wanted)
        trace.provenance["prediction"] = prediction.id
        deadline = time.monotonic() + self.options.timeout
        while prediction.status in ("starting", "processing"):
            if time.monotonic() > deadline:
                raise self._overdue(prediction)
            time.sleep(self.options.poll_interval)
            self.client.step(lambda: _asked(prediction.reload))
        metrics = prediction.metrics or {}
        trace.provenance |= {
            "version": prediction.version,
            "predict_time": finite(metrics.get("predict_time")),
        }
        return self.client.picture(picture_url(_finished(prediction)))

    def _inputs(self) -> dict[str, Any]:
        """The inputs that the model declares, by name; empty where it declares none."""
        if self._version:
            versions = Versions(self._sdk, model=(self._owner, self._name))
            found = _asked(lambda: versions.get(self._version))
        else:
            found = _asked(lambda: self._sdk.models.get(self._owner, self._name)).latest_version
        schema: Any = found.openapi_schema if found else None
        for name in ("components", "schemas", "Input", "properties"):
            schema = schema.get(name) if isinstance(schema, dict) else None
        return schema if isinstance(schema, dict) else {}

    def _create(self, wanted: dict[str, Any]) -> Any:
        if self._version:
            return _asked(lambda: self._sdk.predictions.create(version=self._version, input=wanted))
        model = (self._owner, self._name)
        return _asked(lambda: self._sdk.models.predictions.create(model=model, input=wanted))

    def _overdue(self, prediction: Any) -> ServiceError:
        """Stop a prediction that runs too long; asking for another one would only cost more."""
        try:
            _asked(prediction.cancel)
            end = "was cancelled"
        except ServiceError as error:
            end = f"could not be cancelled ({error})"
        msg = (
            f"the prediction still ran after {self.options.timeout:g} s and {end}. "
            "Try again later, or raise timeout."
        )
        return ServiceError(msg, retryable=True, repeat=False)


def _asked(call: Callable[[], T]) -> T:
    """The SDK's answer.

    Raises:
        RefusedError: The service declined.
        ServiceError: It failed, or the SDK cannot read what it said.
    """
    try:
        return call()
    except httpx.HTTPError as error:
        raise connection_error(error) from error
    except (ValueError, TypeError) as error:  # no JSON, or not of the SDK's types
        msg = f"the answer cannot be read: {error}. Check base_url; try again."
        raise ServiceError(msg, retryable=True) from error


def _finished(prediction: Any) -> Any:
    """The output of a prediction that has ended well."""
    if prediction.status == "failed":
        words = str(prediction.error or "the prediction failed without a reason")
        if _REFUSAL.search(words):
            raise RefusedError(words)
        raise ServiceError(words, retryable=True)
    if prediction.status != "succeeded":
        msg = f"the prediction was {prediction.status} by someone else. Try again."
        raise ServiceError(msg, retryable=True, repeat=False)
    return prediction.output


def picture_url(output: Any) -> str:
    """Address of the first picture of an output.

    Args:
        output: An address, a file of the SDK, or a list of these.

    Raises:
        ServiceError: It holds none.
    """
    first = output[0] if isinstance(output, list) and output else output
    url = getattr(first, "url", first)
    if not isinstance(url, str):
        msg = "the prediction succeeded without a picture. Try again."
        raise ServiceError(msg, retryable=True)
    return url
