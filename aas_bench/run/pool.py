"""Work in pieces that several workers do: what every engine offers, and what a worker must know.

A job is what scoring, judging and making images have in common: models that each worker opens for
itself, a setting that all pieces share, and pieces whose results do not depend on who makes them
or in which order. The process that asked keeps the run directory; no worker writes to it.
"""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

from aas_bench.errors import AasBenchError, BackendError, InputError

P = TypeVar("P")
D = TypeVar("D")
R = TypeVar("R")

THREADS: Final = "OMP_NUM_THREADS"
"""Threads of one calculation on processors; the last bits of a score may hang on it."""

Advance = Callable[[int], object]
Facts = Mapping[str, Any]


class Job(ABC, Generic[P, D, R]):
    """What each worker does with pieces `P`: read `D` for it, make `R` of that. Travels by pickle.

    `read` needs `begin` alone, `do` needs `open` before it.
    """

    @abstractmethod
    def open(self, device: str | None) -> Facts:
        """Load the models.

        Args:
            device: Where they run, as torch spells it; None: CUDA where there is one.

        Returns:
            What the caller must know of them: JSON values, equal for every worker.
        """

    @abstractmethod
    def begin(self, setting: Any) -> None:
        """Take what all pieces share."""

    @abstractmethod
    def read(self, piece: P) -> D:
        """What a piece is made from; may run in another thread or process than `do`."""

    @abstractmethod
    def do(self, data: D, advance: Advance) -> R:
        """Make a piece.

        Args:
            data: What `read` gave.
            advance: Told how many units of progress are done.
        """


class Pool(Protocol):
    """Workers that have opened one job."""

    @property
    def facts(self) -> Facts:
        """What the job told when it was opened."""

    @property
    def threads(self) -> int:
        """Processors that each worker may take."""

    def results(self, setting: Any, pieces: Iterable[P], *, advance: Advance) -> Iterator[Any]:
        """The result of each piece as it comes, in any order; asked once.

        Raises:
            BackendError: A worker was lost or the work does not go on; what was given stays good.
        """


class Engine(Protocol):
    """A way to have workers."""

    def open(self, job: Job[Any, Any, Any]) -> AbstractContextManager[Pool]:
        """Workers of a job, stopped when the block ends."""


@dataclass(frozen=True)
class Fault:
    """An error of a worker on its way to the caller: errors with arguments do not unpickle."""

    kind: type[AasBenchError]
    message: str

    @classmethod
    def of(cls, error: BaseException, *, where: str) -> Fault:
        """What is told of an error; one that was not raised on purpose is a defect, and named."""
        if isinstance(error, AasBenchError):
            return cls(type(error), str(error))
        told = " ".join(str(error).split())[:300]
        msg = f"{where}: {type(error).__name__} ({told}). Mend it, or run without other workers."
        return cls(BackendError, msg)

    def again(self) -> AasBenchError:
        """The error."""
        error = self.kind.__new__(self.kind)
        Exception.__init__(error, self.message)
        return error


def packed(value: Any) -> bytes:
    """What travels to a worker, also functions of a notebook, with where its modules are.

    Raises:
        InputError: It cannot travel.
    """
    import dill

    try:
        content: bytes = dill.dumps(value)
    except Exception as error:
        told = " ".join(str(error).split())
        msg = (
            f"the work cannot be sent to workers ({type(error).__name__}: {told:.200}). "
            "Name models, e.g. module:factory, instead of giving them."
        )
        raise InputError(msg) from error
    return dill.dumps(([str(Path(place).absolute()) for place in sys.path], content))  # type: ignore[no-any-return]


def unpacked(content: bytes) -> Any:
    """What `packed` made in the process that started this one."""
    import dill

    path, value = dill.loads(content)  # noqa: S301
    sys.path[:] = dict.fromkeys([*sys.path, *path])
    return dill.loads(value)  # noqa: S301


def share_of_processors(n_workers: int) -> int:
    """How many processors of this machine each of so many workers has for itself."""
    return max(1, (os.cpu_count() or 1) // n_workers)
