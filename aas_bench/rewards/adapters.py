"""Reward models made from what a user already has: a function, or a factory in a module."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from pathlib import Path
from tokenize import TokenError
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from aas_bench.errors import AasBenchError, InputError
from aas_bench.files import file_sha256
from aas_bench.registry import import_object
from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.rewards.spelling import local
from aas_bench.tables.authors import plain, read_number

ScoreFunction: TypeAlias = Callable[[list[Image.Image], list[str]], Sequence[float]]


class CallableReward(RewardModel):
    """A function (RGB images, prompts) -> scores as a reward model.

    Args:
        function: Called with a list of RGB PIL images and a list of as many prompts. An attribute
            `files`, paths of files or folders that scores depend on, is part of its description
            by content, and `reads_prompts = False` says that prompts have no say. May return
            (scores, mapping) and scores of shape (n, 1).
        name: The name to store its scores under; None: the function's own.
    """

    n_placebos = 1

    def __init__(self, function: ScoreFunction, *, name: str | None = None) -> None:
        self._function = function
        self._path = _path_of(function)
        self._content = _source_hash(function) | file_hashes(function)
        self.reads_prompts = bool(getattr(function, "reads_prompts", True))
        self.name = name or self._path.rpartition(".")[2].rpartition(":")[2]

    def encode_images(self, images: Sequence[Any]) -> Sequence[Any]:
        """The images as they are: the function does all the work."""
        return images

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Any]:
        """The prompts as they are."""
        return prompts

    def combine(self, images: Sequence[Any], prompts: Sequence[Any]) -> Scores:
        """Call the function and check what it returns.

        Raises:
            InputError: It raised an error, or returned something else than one finite number per
                image.
        """
        try:
            answer: Any = self._function(list(images), list(prompts))
        except (AasBenchError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            if "out of memory" in str(error).lower():
                raise  # the engine tries a smaller batch
            msg = f"reward model {self.name!r} raised {_told(error)}. Mend it, or try it by itself"
            if len(images) > 1:
                msg += (
                    f"; if {len(images)} at once are too many, give batch_size=1 (--batch-size 1)"
                )
            raise InputError(f"{msg}.") from error
        if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], Mapping):
            answer = answer[0]  # (scores, what else is to be told), the habit of training code
        try:
            scores = _numbers(plain(answer))
        except (TypeError, ValueError) as error:
            msg = (
                f"reward model {self.name!r} returned {answer!r:.80}. Return one number per image."
            )
            raise InputError(msg) from error
        if scores.shape[:1] == (len(images),) and scores.size == len(images):
            scores = scores.ravel()  # (n, 1)
        if scores.shape != (len(images),):
            columns = scores.ndim == 2 and len(scores) == len(images) and scores.shape[1] > 1
            hint = "; the first column, if that is the score: scores[:, 0]" if columns else ""
            msg = (
                f"reward model {self.name!r} returned shape {scores.shape} for {len(images)} "
                f"images. Return one number per image{hint}."
            )
            raise InputError(msg)
        if not np.isfinite(scores).all():
            wrong = scores[~np.isfinite(scores)][0]
            msg = f"reward model {self.name!r} returned {wrong}. Return finite numbers."
            raise InputError(msg)
        return scores

    def describe(self) -> dict[str, Any]:
        """The function's import path, the hash of its source, and those of its `files`."""
        return {"name": self.name, "callable": self._path, **self._content}


def from_factory(path: str) -> RewardModel:
    """Call `module:factory` without arguments and make a reward model of what it returns.

    What it returns describes itself by the content of the module's file, and of the `files` that
    it or the factory declares: paths of weights, configurations and other modules. So a run does
    not go on with another checkpoint.

    The current folder joins the end of the import path, so that a module there is found, and none
    that is installed is hidden.

    Raises:
        InputError: The module or the factory raises an error, the factory is not callable, it
            returns neither a RewardModel nor a callable, or a declared file is missing.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        factory = import_object(path)
        made = factory() if callable(factory) else factory
    except AasBenchError:
        raise
    except (Exception, SystemExit) as error:
        msg = f"{path} raised {_told(error)}. Mend it, or try it by itself."
        raise InputError(msg) from error
    module = sys.modules[path.partition(":")[0]]
    if isinstance(made, RewardModel):
        return _described_by(made, _module_hash(module) | file_hashes(factory, made))
    if callable(made) and callable(factory):
        reward = CallableReward(made, name=path)
        return _described_by(reward, _module_hash(module) | file_hashes(factory, made))
    msg = (
        f"{path} gives an object of type {type(made).__name__}. It must be callable without "
        f"arguments and return a RewardModel or a function (images, prompts) -> scores."
    )
    raise InputError(msg)


def file_hashes(*declaring: Any) -> dict[str, Any]:
    """{"files": SHA-256 by path} of what the attributes `files` name; {} where none does.

    Raises:
        InputError: `files` holds no paths, or one that is not there.
    """
    declared = [each.files for each in declaring if getattr(each, "files", None) is not None]
    if not declared:
        return {}
    found: dict[str, str] = {}
    for paths in declared:
        for each in [paths] if isinstance(paths, (str, Path)) else _listed(paths):
            path = local(str(each))
            inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
            for file in inside:
                if not file.is_file():
                    msg = f"files names {str(file)!r}, which is not there. Mend the path."
                    raise InputError(msg)
                found[file.as_posix()] = file_sha256(file)
    return {"files": found}


def _listed(paths: Any) -> list[Any]:
    if isinstance(paths, (list, tuple, set)) and all(isinstance(p, (str, Path)) for p in paths):
        return sorted(paths, key=str)
    msg = f"files is {paths!r:.100}. Make it a list of paths."
    raise InputError(msg)


def _described_by(model: RewardModel, content: dict[str, Any]) -> RewardModel:
    """The model, whose description now also holds `content`; the given one is left alone."""
    kind: Any = type(model)

    def describe(self: RewardModel) -> dict[str, Any]:
        return {**kind.describe(self), **content}

    described = copy(model)
    described.__class__ = type(
        kind.__name__, (kind,), {"describe": describe, "__module__": kind.__module__}
    )
    return described


def _module_hash(module: ModuleType) -> dict[str, Any]:
    file = getattr(module, "__file__", None)
    return {"module_sha256": file_sha256(Path(file))} if file and Path(file).is_file() else {}


def _source_hash(function: Any) -> dict[str, Any]:
    """Of the function's, or its class's, own lines; {} where there are none to read."""
    written = function if hasattr(function, "__qualname__") else type(function)
    try:
        source = inspect.getsource(written)
    except (OSError, TypeError, SyntaxError, TokenError):  # the file is not what was compiled
        return {}
    return {"source_sha256": hashlib.sha256(source.encode()).hexdigest()}


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__} ({text:.200})"


def _path_of(function: Any) -> str:
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"


def _numbers(answer: Any) -> Scores:
    """An answer as numbers; what is no plain number is read as a table would read it."""
    scores = np.asarray(answer)
    if scores.dtype.kind in "iuf" and not any(isinstance(each, bool) for each in answer):
        return scores.astype(np.float64)
    return np.array([read_number(each) for each in answer], dtype=np.float64)
