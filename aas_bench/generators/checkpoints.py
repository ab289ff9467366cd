"""Fetch and load the weights that a submission names, and nothing else.

Safetensors only, at the submission's commit, into the class it names; no code of a repository is
run, and a component from any library but diffusers and transformers is refused.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from huggingface_hub.errors import LocalEntryNotFoundError

from aas_bench.errors import BackendError, SpecError
from aas_bench.files import silence_loggers
from aas_bench.generators.model_index import check_held, check_index
from aas_bench.generators.pipelines import pipeline_row
from aas_bench.generators.rules import is_local
from aas_bench.generators.spec import Submission


def load_pipeline(submission: Submission, preset: str, transformer: Path | None) -> Any:
    """The pipeline on the CPU, in the preset's precision.

    Args:
        submission: What to load.
        preset: Whose precision.
        transformer: The file that replaces its transformer; None: its own stays.

    Raises:
        SpecError: The repository holds another pipeline or component than the submission says.
        BackendError: Something cannot be fetched or loaded.
    """
    check_held(submission)
    try:
        with silence_loggers("diffusers", "transformers", "huggingface_hub"), _bars_on_a_terminal():
            return _load_pipeline(submission, preset, transformer)
    except SpecError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        msg = f"{submission.id}: {submission.repo} cannot be loaded ({_reason(error)})."
        if not is_local(str(submission.repo)):
            msg += (
                " Accept its terms and log in where it is gated, and where there is a network run: "
                f"hf download {submission.repo} --revision {submission.revision}"
            )
        raise BackendError(msg) from error


def _reason(error: BaseException) -> str:
    """What went wrong; diffusers takes a file that could not be asked for for one that is not."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, LocalEntryNotFoundError):
            return "the Hub does not answer and it is not in the cache"
        cause = cause.__cause__ or cause.__context__
    return " ".join(str(error).split())[:500].rstrip(".")


@contextmanager
def _bars_on_a_terminal() -> Iterator[None]:
    """Let no library draw its bars where nobody watches, nor warn about its own dependencies."""
    libraries = (diffusers.utils.logging, transformers.utils.logging)
    shown = [each.is_progress_bar_enabled() for each in libraries]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*local_dir_use_symlinks")
        warnings.filterwarnings("ignore", category=FutureWarning)
        try:
            if not sys.stderr.isatty():
                for each in libraries:
                    each.disable_progress_bar()
            yield
        finally:
            for each, was in zip(libraries, shown, strict=True):
                each.enable_progress_bar() if was else each.disable_progress_bar()


def image_to_image(pipe: Any, name: str | None) -> Any:
    """The same weights in the image-to-image class `name`; None where there is none."""
    if name is None or type(pipe).__name__ == name:
        return pipe if name else None
    kind = getattr(diffusers, name)
    wanted = signature(kind.__init__).parameters.keys() - pipe.components.keys()
    other = kind(**pipe.components, **{k: v for k, v in pipe.config.items() if k in wanted})
    other.set_progress_bar_config(disable=True)
    return other


def _load_pipeline(submission: Submission, preset: str, transformer: Path | None) -> Any:
    assert submission.pipeline is not None  # the rules of a submission say so
    row = pipeline_row(submission.pipeline)
    kind = getattr(diffusers, row.name)
    source = {"revision": submission.revision}
    index = kind.load_config(submission.repo, **source)
    check_index(submission, index)
    dtype = getattr(torch, submission.dtype_for(preset) or "float32")
    parts: dict[str, Any] = {}
    if transformer is not None:
        model = getattr(diffusers, index["transformer"][1])
        parts["transformer"] = model.from_single_file(
            str(transformer),
            config=submission.repo,
            subfolder="transformer",
            dtype=dtype,
            **source,
        )
    return kind.from_pretrained(
        submission.repo,
        variant=submission.weights_variant,
        use_safetensors=True,
        dtype=dtype,
        **source,
        **parts,
        **row.load,
    )
