"""What a repository says of itself in `model_index.json`, read without weights or diffusers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import SpecError
from aas_bench.files import json_value
from aas_bench.generators import class_source
from aas_bench.generators.model_folder import INDEX, part_faults, why_no_index
from aas_bench.generators.rules import is_local
from aas_bench.generators.spec import Submission

_LIBRARIES: Final = frozenset({"diffusers", "transformers"})
_NEVER: Final = "Code of a repository is never run"


def check_index(submission: Submission, index: dict[str, Any]) -> None:
    """Refuse what would load in silence: another class's weights, parts of elsewhere, own code.

    Raises:
        SpecError: What differs between the index and the submission, in one line.
    """
    faults = [*_class_faults(submission, index), *_part_faults(submission, index)]
    if faults:
        msg = f"{submission.id}: {' '.join(faults)}"
        raise SpecError(msg)


def check_held(submission: Submission) -> None:
    """The same of an index that is on this machine, a folder's or a cached one; else nothing.

    Of a folder also whether the files are there that a run would load.

    Raises:
        SpecError: The folder holds something else, or its index cannot be read.
    """
    if submission.pipeline is None or submission.repo is None:
        return
    local = is_local(submission.repo)
    folder = Path(submission.repo)
    if local and (why := why_no_index(folder, submission.pipeline)) is not None:
        msg = f"{submission.id}: {why}"
        raise SpecError(msg)
    path = folder / INDEX if local else _cached(submission.repo, submission.revision)
    if path is None:
        return
    index = _read(submission, path)
    check_index(submission, index)
    faults = list(part_faults(submission, folder, index)) if local else []
    if faults:
        msg = f"{submission.id}: {folder}: {'; '.join(faults)}."
        raise SpecError(msg)


def _class_faults(submission: Submission, index: dict[str, Any]) -> Iterator[str]:
    named, asked, repo = index.get("_class_name"), submission.pipeline, submission.repo
    if isinstance(named, list):
        yield f"{repo} brings its own pipeline ({named[-1]!s:.60}). {_NEVER}."
    elif named is None:
        yield f"{INDEX} of {repo} names no class. Save the pipeline again."
    elif named != asked:
        name = f"{named!s:.60}"
        known = not class_source.installed() or class_source.find_class(str(named)) is not None
        unknown = "" if known else f", which the installed diffusers does not have. {_NEVER}"
        yield (
            f"pipeline {asked}, but {repo} holds a {name}{unknown}. It would load and draw "
            "something else. Correct the pipeline."
        )


def _part_faults(submission: Submission, index: dict[str, Any]) -> Iterator[str]:
    given = {name for name, entry in index.items() if isinstance(entry, list) and name[0] != "_"}
    for name in sorted(given):
        library = str(index[name][0]) if index[name] and index[name][0] is not None else None
        if library is None or library in _LIBRARIES or class_source.is_family(library):
            continue
        yield (
            f"component {name} of {submission.repo} comes from {library!r:.60}. "
            f"Only classes of diffusers and transformers are loaded. {_NEVER}."
        )
    kind = class_source.find_class(str(submission.pipeline))
    replaced = {"transformer"} if submission.transformer is not None else set[str]()
    lacks = sorted((kind.needed - index.keys() - replaced) if kind is not None else ())
    if lacks and index.get("_class_name") == submission.pipeline:
        yield f"{submission.repo} has no {', '.join(lacks)}, which {kind and kind.name} needs."


def _read(submission: Submission, path: Path) -> dict[str, Any]:
    try:
        index = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{submission.id}: {path} is not readable JSON. Save the pipeline again."
        raise SpecError(msg) from error
    if not isinstance(index, dict):
        msg = f"{submission.id}: {path} holds no settings by name. Save the pipeline again."
        raise SpecError(msg)
    return index


def _cached(repo: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, INDEX, revision=revision)
    return Path(found) if isinstance(found, str) else None
