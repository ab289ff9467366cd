"""Ray Data as an engine: pieces are read by tasks and made by actors that hold the models.

    pieces -> read (a quarter of a processor each) -> make (one actor per GPU, or per N cores)

Ray holds reading back where the actors do not keep up, begins a lost task again, and starts a lost
actor again. Tasks that read need processors too: where actors have taken all, Ray Data waits for
ever and says nothing. So actors are never given all, and work that stands still is an error.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aas_bench.errors import BackendError, InputError, MissingExtraError
from aas_bench.files import silence_loggers
from aas_bench.run.pool import THREADS, Advance, Facts, Fault, Job, packed, unpacked

KEPT_FREE: Final = 0.5
"""Processors of a cluster that actors never get."""
READING: Final = 0.25
"""Processors of a task that reads."""
STALLED_AFTER: Final = 1800.0
"""Seconds without any progress, the loading of models included, after which work stands still."""
_RETRIES: Final = 3
_ANSWERS: Final = 10
"""Seconds in which a cluster answers at its address."""
_HOST: Final = re.compile(r"(?P<host>[^/:@]+):(?P<port>\d+)$")
_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}
_LOGGERS: Final = ("ray", "ray.data")


def processors_of_actor(cores: int) -> float:
    """What an actor of so many cores asks of Ray's processors, so that some are left for reading.

    It may compute on all of its cores: Ray counts processors and does not fence them.

    Example:
        >>> processors_of_actor(1), processors_of_actor(4)
        (0.75, 3)
    """
    return 0.75 if cores == 1 else cores - 1  # Ray takes whole numbers above one


@dataclass(frozen=True, kw_only=True)
class RayCluster:
    """Actors on a Ray cluster.

    Attributes:
        address: Of a running cluster, "auto" or "HOST:6379"; None: this machine.
        cores: Processors of each actor where there are no GPUs; None: all of one machine, shared
            by as many actors as it has processors.
        stalled_after: Seconds without progress that are an error.

    Raises:
        InputError: The address is one of Ray Client, through which Ray Data does not work.
    """

    address: str | None = None
    cores: int | None = None
    stalled_after: float = STALLED_AFTER

    def __post_init__(self) -> None:
        if (self.address or "").startswith("ray://"):
            msg = (
                f"--address {self.address} is one of Ray Client, which Ray Data does not work with."
            )
            raise InputError(f"{msg} Run the command on a machine of the cluster: --address auto.")

    @contextmanager
    def open(self, job: Job[Any, Any, Any]) -> Iterator[RayPool]:
        """See `Engine.open`.

        Raises:
            MissingExtraError: Ray is not installed.
            InputError: There is no cluster at the address, it is too small, or the models cannot
                be loaded.
            BackendError: A first look at the models does not begin or was lost.
        """
        os.environ.update({k: v for k, v in _QUIET.items() if k not in os.environ})
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise MissingExtraError("--engine ray", "ray") from error
        with ExitStack() as stack:
            stack.enter_context(silence_loggers(*_LOGGERS))
            if self._connect():
                stack.callback(ray.shutdown)
            size = _Size.of(ray.cluster_resources(), self.cores)
            content = ray.put(packed(job))
            facts = self._look(content, size)
            yield RayPool(facts=facts, threads=size.cores, job=content, size=size, cluster=self)

    def _connect(self) -> bool:
        """Whether a connection was made; one of the caller's own is taken as it is."""
        import ray

        own = {"include_dashboard": False}
        options: dict[str, Any] = own if self.address is None else {}
        try:
            if found := _HOST.search(self.address or ""):  # Ray itself would try for ever
                socket.create_connection((found["host"], int(found["port"])), _ANSWERS).close()
            if ray.is_initialized():
                return False
            with _stderr_closed():
                ray.init(
                    address=self.address or "local",
                    log_to_driver=False,
                    logging_level=logging.CRITICAL,
                    **options,
                )
        except (OSError, ValueError, RuntimeError) as error:
            told = " ".join(str(error).split())
            msg = f"no Ray cluster answers at {self.address or 'this machine'} ({told:.200})."
            way = "Start one (ray start --head), or leave --address out"
            # Clusters ask for a token from 2.59 on; without it Ray says only that it failed.
            if self.address is not None and "RAY_AUTH_MODE" not in os.environ:
                way += "; one that asks for Ray's token needs RAY_AUTH_MODE=token"
            raise InputError(f"{msg} {way}.") from error
        return True

    def _look(self, job: Any, size: _Size) -> Facts:
        """What the models say of themselves, asked on the cluster, where they will run."""
        import ray

        look = ray.remote(**size.of_actor(), max_retries=_RETRIES)(_told)
        asked = look.remote(job, size.device)
        try:
            facts = ray.get(asked, timeout=self.stalled_after)
        except ray.exceptions.GetTimeoutError as error:
            raise self.standstill(size) from error
        except ray.exceptions.RayError as error:
            raise _lost(error) from error
        if isinstance(facts, Fault):
            raise facts.again()
        told: Facts = facts
        return told

    def standstill(self, size: _Size) -> BackendError:
        """The error of work that does not go on, and what to change."""
        import ray

        free, whole = ray.available_resources(), ray.cluster_resources()
        of = ", ".join(
            f"{free.get(name, 0):g} of {whole.get(name, 0):g} {name}" for name in ("CPU", "GPU")
        )
        msg = (
            f"nothing was done on the Ray cluster for {self.stalled_after:g} s: {size.n_actors} "
            f"actors ask for {size.told()} each, tasks that read for {READING} CPU, free are {of}. "
            "Stop what else runs there, add a node or give other cores= (--cores), and run the "
            "same command again."
        )
        return BackendError(msg)


@dataclass(frozen=True, kw_only=True)
class _Size:
    """How many actors there are and what each may take."""

    n_actors: int
    cores: int
    gpus: int
    processors: float

    @classmethod
    def of(cls, resources: dict[str, float], cores: int | None) -> _Size:
        n_cpus, n_gpus = int(resources.get("CPU", 0)), int(resources.get("GPU", 0))
        if n_cpus < 1:
            msg = "the Ray cluster has no processors to read with. Add a node with some."
            raise InputError(msg)
        each = cores or max(1, n_cpus // n_gpus if n_gpus else 1)
        n_actors = n_gpus or n_cpus // each
        if n_actors < 1 or n_actors * each > n_cpus > n_gpus:
            msg = f"--cores {each} is more than the {n_cpus} CPU of the Ray cluster. Give fewer."
            raise InputError(msg)
        wanted = processors_of_actor(each)
        # A machine with more cards than processors still needs one to read with.
        left = max(0.01, round((n_cpus - KEPT_FREE) / n_actors, 2))
        return cls(
            n_actors=n_actors,
            cores=each,
            gpus=1 if n_gpus else 0,
            processors=min(wanted, left) if left < 1 else min(wanted, int(left)),
        )

    @property
    def device(self) -> str:
        return "cuda" if self.gpus else "cpu"

    def of_actor(self) -> dict[str, Any]:
        """Options of Ray for what holds the models."""
        threads = os.environ.get(THREADS, str(self.cores))
        return {
            "num_cpus": self.processors,
            "num_gpus": self.gpus,
            "runtime_env": {"env_vars": {THREADS: threads, **_QUIET}},
        }

    def told(self) -> str:
        return f"{self.processors:g} CPU" + (" and 1 GPU" if self.gpus else "")


@dataclass(frozen=True, kw_only=True)
class RayPool:
    """See `Pool`."""

    facts: Facts
    threads: int
    job: Any
    size: _Size
    cluster: RayCluster

    def results(self, setting: Any, pieces: Iterable[Any], *, advance: Advance) -> Iterator[Any]:
        """See `Pool.results`."""
        import ray
        from ray.data import ActorPoolStrategy, DataContext
        from ray.data.exceptions import ExecutionTimeoutError

        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_no_progress_timeout_s = self.cluster.stalled_after
        rows = [{"piece": pickle.dumps(piece)} for piece in pieces]
        if not rows:
            return
        shared = {"job": self.job, "setting": ray.put(packed(setting))}
        made = (
            ray.data.from_items(rows, override_num_blocks=len(rows))
            .map_batches(_read, batch_size=1, fn_kwargs=shared, num_cpus=READING)
            .map_batches(
                _Actor,
                batch_size=1,
                fn_constructor_kwargs={**shared, "device": self.size.device},
                compute=ActorPoolStrategy(
                    size=min(self.size.n_actors, len(rows)), max_tasks_in_flight_per_actor=2
                ),
                **self.size.of_actor(),
            )
        )
        try:
            for batch in made.iter_batches(batch_size=1, batch_format="numpy", prefetch_batches=0):
                n_done, result = pickle.loads(batch["made"][0])  # noqa: S301 - of our own actor
                if isinstance(result, Fault):
                    raise result.again()
                advance(n_done)
                yield result
        except ExecutionTimeoutError as error:
            raise self.cluster.standstill(self.size) from error
        except ray.exceptions.RayError as error:
            raise _lost(error) from error


@contextmanager
def _stderr_closed() -> Iterator[None]:
    """Keep what Ray's own code, which is no Python, prints when it starts off the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _lost(error: BaseException) -> BackendError:
    told = " ".join(str(error).split())
    msg = (
        f"Ray lost the work and did not bring it back ({type(error).__name__}: {told:.300}). "
        "What was made is stored: run the same command again."
    )
    return BackendError(msg)


def _told(job: bytes, device: str) -> Facts | Fault:
    """What a job says when it is opened."""
    try:
        opened: Job[Any, Any, Any] = unpacked(job)
        return opened.open(device)
    except Exception as error:
        return Fault.of(error, where="a Ray worker")


@lru_cache(1)
def _begun(job: Any, setting: Any) -> Job[Any, Any, Any]:
    """A job that knows its setting, once in each process that reads."""
    import ray

    made: Job[Any, Any, Any] = unpacked(ray.get(job))
    made.begin(unpacked(ray.get(setting)))
    return made


def _read(batch: dict[str, Any], *, job: Any, setting: Any) -> dict[str, Any]:
    try:
        found = _begun(job, setting).read(pickle.loads(batch["piece"][0]))  # noqa: S301
    except Exception as error:
        found = Fault.of(error, where="a Ray worker")
    return {"data": [pickle.dumps(found)]}


class _Actor:
    """A worker that Ray keeps: opened once, again where it was lost."""

    def __init__(self, *, job: Any, setting: Any, device: str) -> None:
        import ray

        self._fault: Fault | None = None
        try:
            self._job: Job[Any, Any, Any] = unpacked(ray.get(job))
            self._job.open(device)
            self._job.begin(unpacked(ray.get(setting)))
        except Exception as error:
            self._fault = Fault.of(error, where="a Ray worker")

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        done: list[int] = []
        data = self._fault or pickle.loads(batch["data"][0])  # noqa: S301
        if not isinstance(data, Fault):
            try:
                data = self._job.do(data, done.append)
            except Exception as error:
                data = Fault.of(error, where="a Ray worker")
        return {"made": [pickle.dumps((sum(done), data))]}
