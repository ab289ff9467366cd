"""Reward models made from what a user already has: a function, or a factory in a module."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from aas_bench.errors import AasBenchError, InputError
from aas_bench.registry import import_object
from aas_bench.rewards.base import RewardModel, Scores

ScoreFunction: TypeAlias = Callable[[list[Image.Image], list[str]], Sequence[float]]


class CallableReward(RewardModel):
    """A function (RGB images, prompts) -> scores as a reward model.

    Args:
        function: Called with a list of RGB PIL images and a list of as many prompts.
        name: The name to store its scores under; None: the function's own.
    """

    def __init__(self, function: ScoreFunction, *, name: str | None = None) -> None:
        self._function = function
        self._path = _path_of(function)
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
            answer = self._function(list(images), list(prompts))
        except (AasBenchError, MemoryError):
            raise
        except Exception as error:
            if "out of memory" in str(error).lower():
                raise  # the engine tries a smaller batch
            msg = f"reward model {self.name!r} raised {_told(error)}. Mend it, or try it by itself."
            raise InputError(msg) from error
        try:
            scores = np.asarray(_plain(answer), dtype=np.float64)
        except (TypeError, ValueError) as error:
            msg = (
                f"reward model {self.name!r} returned {answer!r:.80}. Return one number per image."
            )
            raise InputError(msg) from error
        if scores.shape != (len(images),):
            msg = (
                f"reward model {self.name!r} returned shape {scores.shape} for {len(images)} "
                f"images. Return one number per image."
            )
            raise InputError(msg)
        if not np.isfinite(scores).all():
            wrong = scores[~np.isfinite(scores)][0]
            msg = f"reward model {self.name!r} returned {wrong}. Return finite numbers."
            raise InputError(msg)
        return scores

    def describe(self) -> dict[str, Any]:
        """The function's import path: its code is not part of the description."""
        return {"name": self.name, "callable": self._path}


def from_factory(path: str) -> RewardModel:
    """Call `module:factory` without arguments and make a reward model of what it returns.

    The current folder joins the end of the import path, so that a module there is found, and none
    that is installed is hidden.

    Raises:
        InputError: The module or the factory raises an error, the factory is not callable, or it
            returns neither a RewardModel nor a callable.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        factory = import_object(path)
        made = factory() if callable(factory) else factory
    except AasBenchError:
        raise
    except Exception as error:
        msg = f"{path} raised {_told(error)}. Mend it, or try it by itself."
        raise InputError(msg) from error
    if isinstance(made, RewardModel):
        return made
    if callable(made) and callable(factory):
        return CallableReward(made, name=path)
    msg = (
        f"{path} gives an object of type {type(made).__name__}. It must be callable without "
        f"arguments and return a RewardModel or a function (images, prompts) -> scores."
    )
    raise InputError(msg)


def _told(error: Exception) -> str:
    return f"{type(error).__name__} ({error!s:.200})"


def _path_of(function: Any) -> str:
    named = function if hasattr(function, "__qualname__") else type(function)
    return f"{named.__module__}:{named.__qualname__}"


def _plain(answer: Any) -> Any:
    """Tensors, on any device and of any dtype, as what numpy can read."""
    if hasattr(answer, "detach"):
        return answer.detach().double().cpu().numpy()
    if isinstance(answer, (list, tuple)):
        return [_plain(item) for item in answer]
    return answer
