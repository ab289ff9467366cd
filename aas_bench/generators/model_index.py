"""What a repository says of itself in `model_index.json`, read without weights or diffusers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from aas_bench.errors import SpecError
from aas_bench.files import json_value
from aas_bench.generators.pipelines import PIPELINES
from aas_bench.generators.rules import is_local
from aas_bench.generators.spec import Submission

_NAME: Final = "model_index.json"


def check_class(submission: Submission, index: dict[str, Any]) -> None:
    """Refuse the weights of another class: they would load and draw something else.

    Raises:
        SpecError: The index names another class that can be run.
    """
    named = index.get("_class_name")
    if named != submission.pipeline and named in PIPELINES:
        msg = (
            f"{submission.id}: pipeline {submission.pipeline}, but {submission.repo} holds a "
            f"{named}. It would load and draw something else. Correct the pipeline."
        )
        raise SpecError(msg)


def check_held_class(submission: Submission) -> None:
    """The same of an index that is on this machine, a folder's or a cached one; else nothing.

    Raises:
        SpecError: The index names another class that can be run, or cannot be read.
    """
    if submission.pipeline is None or submission.repo is None:
        return
    path = _held(submission.repo, submission.revision)
    if path is None or not path.is_file():
        return
    try:
        index = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{submission.id}: {path} is not readable JSON. Save the pipeline again."
        raise SpecError(msg) from error
    if isinstance(index, dict):
        check_class(submission, index)


def _held(repo: str, revision: str | None) -> Path | None:
    if is_local(repo):
        return Path(repo) / _NAME
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, _NAME, revision=revision)
    return Path(found) if isinstance(found, str) else None
