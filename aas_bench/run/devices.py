"""Several devices of one machine: a process for each, which ends with the one that asked.

    with Devices("0,1").open(job) as pool:
        for result in pool.results(setting, pieces, advance=advance): ...

Each worker has two pieces at a time, so that one is read while the other is made. A worker that
dies takes the piece it was at with it; the others do the rest, then the loss is an error.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import IO, Any, Final

from aas_bench.errors import BackendError, InputError
from aas_bench.run.groups import prefetch
from aas_bench.run.pool import (
    THREADS,
    Advance,
    Facts,
    Fault,
    Job,
    packed,
    share_of_processors,
    unpacked,
)

_DEVICE: Final = re.compile(r"\d+|cpu|cuda:\d+|mps")
_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_AT_ONCE: Final = 2
_SECONDS_TO_END: Final = 5
_MOST_WORDS: Final = 200
_WORKER: Final = "import sys; from aas_bench.run.devices import work; work(*map(int, sys.argv[1:]))"


class Devices:
    """One worker on each device.

    Args:
        names: Devices, e.g. "0,1" or ["cuda:0", "cuda:1"]; "cpu,cpu" for two processes on the
            processors. Of one kind, as another kind computes other last bits.

    Raises:
        InputError: There is none, a name is no device, one GPU is named twice, or kinds are mixed.
    """

    def __init__(self, names: str | Sequence[str | int]) -> None:
        given = names.split(",") if isinstance(names, str) else names
        self.names = [str(name).strip() for name in given]
        wrong = [name for name in self.names if not _DEVICE.fullmatch(name)]
        if wrong or not self.names:
            msg = f"{','.join(self.names)!r} names no devices. Give e.g. --devices 0,1 or cpu,cpu."
            raise InputError(msg)
        cards = [name.removeprefix("cuda:") for name in self.names if name != "cpu"]
        if len(cards) not in (0, len(self.names)) or len({*cards}) < len(cards):
            msg = f"--devices {','.join(self.names)}: name each GPU once, and no cpu beside GPUs."
            raise InputError(msg)
        if sys.platform == "win32":
            msg = "--devices needs Linux or macOS. Leave it out, or give --engine ray."
            raise InputError(msg)

    @contextmanager
    def open(self, job: Job[Any, Any, Any]) -> Iterator[DevicePool]:
        """See `Engine.open`.

        Raises:
            InputError: A worker cannot load the models.
            BackendError: A worker was lost while it loaded them, or two tell otherwise of them.
        """
        with ExitStack() as stack:
            # Open here alone: it ends with this process, however that ends, and the workers see it.
            alive, held = os.pipe()
            stack.callback(os.close, held)
            try:
                workers = [_Worker.start(name, alive, self.names, stack) for name in self.names]
            finally:
                os.close(alive)
            content = packed(job)
            for each in workers:
                each.send(content)
            told = [each.receive() for each in workers]
            for name, facts in zip(self.names, told, strict=True):
                if isinstance(facts, Fault):
                    raise Fault(facts.kind, f"device {name}: {facts.message}").again()
                if facts != told[0]:
                    msg = (
                        f"devices {self.names[0]} and {name} describe the models differently: "
                        f"{told[0]!r:.200}; {facts!r:.200}. Give devices of one kind."
                    )
                    raise BackendError(msg)
            threads = share_of_processors(len(workers))
            yield DevicePool(facts=told[0], threads=threads, workers=workers)


@dataclass(frozen=True, kw_only=True)
class DevicePool:
    """See `Pool`."""

    facts: Facts
    threads: int
    workers: Sequence[_Worker]

    def results(self, setting: Any, pieces: Iterable[Any], *, advance: Advance) -> Iterator[Any]:
        """See `Pool.results`."""
        content = packed(setting)
        left, lost = iter(pieces), list[str]()
        again: deque[Any] = deque()
        n_results = 0
        alive = list(self.workers)

        def feed(worker: _Worker) -> None:
            while len(worker.pieces) < _AT_ONCE:
                piece = again.popleft() if again else next(left, _END)
                if piece is _END:
                    return
                worker.pieces.append(piece)
                worker.send(piece)

        for worker in alive:
            worker.send(content)
            feed(worker)
        while busy := [worker for worker in alive if worker.pieces]:
            for ready in wait([worker.connection for worker in busy]):
                worker = next(each for each in busy if each.connection is ready)
                message = worker.receive(or_none=True)
                if message is None:
                    lost.append(worker.end())
                    alive.remove(worker)
                    worker.pieces.popleft()  # it may be what it died of
                    again.extend(worker.pieces)
                    for each in alive:
                        feed(each)
                elif isinstance(message, Fault):
                    raise message.again()
                elif isinstance(message, int):
                    advance(message)
                else:
                    worker.pieces.popleft()
                    feed(worker)
                    n_results += 1
                    yield message[0]
        if lost:
            msg = (
                f"{'; '.join(lost)}. What the others made ({n_results:,} pieces) is stored: run "
                "the same command again to make the rest."
            )
            raise BackendError(msg)


_END: Final = object()


@dataclass(frozen=True, kw_only=True)
class _Worker:
    """A worker seen from the process that asked."""

    name: str
    process: subprocess.Popen[bytes]
    connection: Connection
    errors: IO[bytes]
    pieces: deque[Any] = field(default_factory=deque)

    @classmethod
    def start(cls, name: str, alive: int, names: Sequence[str], stack: ExitStack) -> _Worker:
        ours, theirs = Pipe()
        errors = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        process = subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(theirs.fileno()), str(alive)],
            env=_environment(name, len(names)),
            pass_fds=(theirs.fileno(), alive),
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        )
        theirs.close()
        worker = cls(name=name, process=process, connection=ours, errors=errors)
        stack.callback(worker.stop)
        worker.send(_torch_name(name))
        return worker

    def send(self, message: Any) -> None:
        try:
            self.connection.send(message)
        except OSError:
            return  # it is gone, which `receive` tells

    def receive(self, *, or_none: bool = False) -> Any:
        """The next message; where the worker is gone, None or an error."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            if or_none:
                return None
            msg = f"{self.end()}. Free some memory or give other --devices, and run again."
            raise BackendError(msg) from None

    def end(self) -> str:
        """How it ended, in words."""
        code = self.process.wait()
        how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended with {code}"
        self.errors.seek(0)
        words = self.errors.read().decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(words) if line.strip()), "")
        return f"the worker on {self.name} {how}" + (f" ({said:.{_MOST_WORDS}})" if said else "")

    def stop(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait(_SECONDS_TO_END)


def _environment(name: str, n_workers: int) -> dict[str, str]:
    """What a worker finds: its own card alone, its share of the processors."""
    found = dict(os.environ)
    ours = str(Path(__file__).resolve().parents[2])
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [ours, found.get("PYTHONPATH")]))
    if (number := name.removeprefix("cuda:")).isdigit():
        visible = dict(enumerate(filter(None, os.environ.get(_VISIBLE, "").split(","))))
        # A number beyond those that are visible hides all: the worker says that there is none.
        found[_VISIBLE] = visible.get(int(number), "") if visible else number
    found.setdefault(THREADS, str(share_of_processors(n_workers)))
    return found


def _torch_name(name: str) -> str:
    return name if name in ("cpu", "mps") else "cuda"


def work(connection: int, alive: int) -> None:
    """The program of a worker.

    Args:
        connection: File descriptor of its pipe.
        alive: File descriptor of which the process that asked holds the other end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asked
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    pipe = Connection(connection)
    try:
        _serve(pipe)
    except (EOFError, BrokenPipeError):
        os._exit(0)
    os._exit(0)  # no thread of a library may keep it


def _end_with(alive: int) -> None:
    """End as soon as nobody holds the other end, whatever else is under way."""
    os.read(alive, 1)
    os._exit(1)


def _serve(pipe: Connection) -> None:
    device = pipe.recv()
    try:
        job = unpacked(pipe.recv())
        pipe.send(job.open(device))
        job.begin(unpacked(pipe.recv()))
        for data in prefetch((job.read(piece) for piece in iter(pipe.recv, None)), depth=0):
            pipe.send((job.do(data, pipe.send),))
    except (EOFError, BrokenPipeError):
        raise
    except Exception as error:
        pipe.send(Fault.of(error, where=f"the worker on {device}"))
        threading.Event().wait()  # whoever asked ends it
