"""From a submission to the generator that it describes."""

from __future__ import annotations

from typing import Any

from aas_bench.generators.base import Generator
from aas_bench.generators.catalog import BACKENDS
from aas_bench.generators.spec import Submission, require_runnable
from aas_bench.registry import import_object
from aas_bench.service.access import SERVICES, Service, ServiceOptions


def check_key(submission: Submission) -> None:
    """Refuse a submission whose service cannot be asked from here, without asking it.

    Raises:
        InputError: There is no usable key, or no usable address.
    """
    if submission.backend in SERVICES:
        Service.find(submission.backend, ServiceOptions())


def load_generator(submission: Submission, *, preset: str = "default", **options: Any) -> Generator:
    """Load what a submission describes.

    Args:
        submission: A valid submission.
        preset: Which of its presets: "default", or a name under `presets`.
        options: How to run it, e.g. device and batch_size; see the backend's own `load`.

    Raises:
        SpecError: A revision is still pending, or there is no such preset.
        MissingExtraError: The backend's packages are not installed.
        BackendError: The weights cannot be loaded.
    """
    require_runnable(submission)
    submission.dtype_for(preset)  # an unknown preset fails before anything is downloaded
    backend = BACKENDS[submission.backend]
    feature = f"{submission.id}, backend {backend.name}"
    load = import_object(backend.load, extra=backend.extra, feature=feature)
    generator: Generator = load(submission, preset=preset, **options)
    return generator
