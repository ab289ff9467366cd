"""Every error the package raises on purpose.

AasBenchError                    exit 1
  InputError (ValueError)        exit 2   what the caller gave: file, table, option
    UnknownNameError             near names or all of a few, and the command that lists them
    SchemaError                  column, row, expected, got
    SpecError                    file, field, value
    MissingScoresError           how many, the first three, on_missing="drop"
  MissingExtraError (ImportError)  exit 2   the install command
  StoreError                     exit 1   a run directory that is damaged or made otherwise
  BackendError                   exit 1   a model or a service failed

One sentence says what is wrong, one says how to mend it; the command line prints both on one line
and leaves with `exit_code`.
"""

from __future__ import annotations

import difflib
import errno
import os
import re
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

_MOST_FAULTS: Final = 5
_FOR_PYTHON: Final = re.compile(r"\b[a-z_]+=\S* \((--[a-z][^()]*)\)")

_LONGEST_FAULT: Final = 300

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says of a disk, a quota or a file that can take no more."""

_INTERRUPTED: Final = 130
_TERMINATED: Final = 143

_FEW: Final = 200
"""So many characters of names fit an error's line."""


class AasBenchError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1


class InputError(AasBenchError, ValueError):
    """The caller gave something unusable."""

    exit_code = 2


class UnknownNameError(InputError):
    """A name that no registry knows: says the near ones, else all of a few.

    `meant` are names that are meant although they are spelled otherwise; then no others are told.
    """

    def __init__(
        self, kind: str, name: str, known: Iterable[str], *, hint: str, meant: Iterable[str] = ()
    ) -> None:
        names = list(known)
        near = list(meant) or difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        told = f" Did you mean {' or '.join(near)}?" if near else ""
        listed = ", ".join(names)
        if not near and 0 < len(listed) <= _FEW:
            told = f" There are: {listed}."
        super().__init__(f"no {kind} is called {name!r}.{told} {hint}")


class SchemaError(InputError):
    """A table whose columns or values fit no known form."""


class SpecError(InputError):
    """A submission or configuration file with a wrong field."""


class MissingScoresError(InputError):
    """Scores are absent (null or NaN) and the caller did not allow that."""


class MissingExtraError(AasBenchError, ImportError):
    """An optional dependency is not installed."""

    exit_code = 2

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs packages that are not installed. "
            f'Install them with: pip install "aas-bench[{extra}]"'
        )


class StoreError(AasBenchError):
    """A run directory is damaged or was made by another configuration."""


class BackendError(AasBenchError):
    """A model or a remote service failed."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


def first_line(error: BaseException) -> str:
    """The first line of a library's error without its full stop; its kind where it says nothing."""
    return (str(error).strip() or type(error).__name__).split("\n", 1)[0].rstrip(".")


def raise_faults(source: object, faults: Iterable[str], mend: str) -> None:
    """Raise one SchemaError that holds every fault found, in one line; nothing where none is."""
    found = list(faults)
    if not found:
        return
    more = len(found) - _MOST_FAULTS
    shown = "; ".join(map(_bounded, found[:_MOST_FAULTS]))
    rest = f"; and {more} more" if more > 0 else ""
    msg = f"{source}: {shown}{rest}. {mend}"
    raise SchemaError(msg)


def _bounded(fault: str) -> str:
    """A fault without what no terminal should get, and short whatever the cell holds."""
    line = "".join(mark if mark.isprintable() else " " for mark in fault)
    return line if len(line) <= _LONGEST_FAULT else f"{line[:_LONGEST_FAULT]}..."


@contextmanager
def told_in_one_line(program: str) -> Iterator[None]:
    """Leave the process on an error raised on purpose: one line on stderr and its exit code.

    Also on wrong usage of a typer application that runs with `standalone_mode=False`. Where a
    message names an option for Python and, in parentheses, for the command line, as in
    `on_missing="drop" (--on-missing drop)`, only the latter is told. SIGTERM unwinds
    as Ctrl-C does, so that nothing half-written stays, and leaves with 143.
    """
    try:
        with _terminable():
            yield
    except SystemExit as stop:
        if stop.code in (_INTERRUPTED, _TERMINATED):
            _leave_threads(stop.code)
        raise
    except AasBenchError as error:
        _leave(program, _FOR_PYTHON.sub(r"\1", str(error)), error.exit_code)
    except OSError as error:
        # A path that cannot be read or written is the caller's to mend; without one it is a defect.
        if error.errno in FULL:
            where = "" if error.filename is None else f"{error.filename}: "
            _leave(program, f"{where}the disk is full. Make room and repeat the command.", 1)
        if error.filename is None:
            raise
        message = f"{error.filename}: {error.strerror}. Give another path."
        _leave(program, message, InputError.exit_code)
    except Exception as error:
        # Typer's errors, known by what they can do: their class differs between its versions.
        if not hasattr(error, "format_message"):
            raise
        _leave_usage(program, error)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM be a KeyboardInterrupt, where nobody else handles it, and its code 143."""
    terminated = False

    def terminate(*_: object) -> NoReturn:
        nonlocal terminated
        terminated = True
        raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except SystemExit as stop:
        if terminated and stop.code == _INTERRUPTED:
            raise SystemExit(_TERMINATED) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _leave_threads(code: int) -> None:
    """Leave at once where a thread is still at work, which Python would wait for without end.

    All that was open has been closed on the way here; a service that hangs must hold nobody up.
    """
    others = (t for t in threading.enumerate() if t is not threading.main_thread())
    if any(not thread.daemon for thread in others):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _leave_usage(program: str, error: Any) -> NoReturn:
    message, context = error.format_message(), getattr(error, "ctx", None)
    if message.startswith("Usage:"):  # the whole help, where nothing was asked
        print(message, file=sys.stderr)  # noqa: T201
        raise SystemExit(error.exit_code) from None
    path = program if context is None else context.command_path
    message = message.rstrip(".").replace("Value error, ", "")  # pydantic's word, not the user's
    end = "" if message.endswith("?") else "."
    _leave(program, f"{message}{end} See: {path} --help", error.exit_code)


def _leave(program: str, message: str, code: int) -> NoReturn:
    line = "".join(mark if mark.isprintable() else " " for mark in message)
    print(f"{program}: " + " ".join(line.split()), file=sys.stderr)  # noqa: T201
    raise SystemExit(code) from None
