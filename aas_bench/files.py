"""What touches the machine: whole files or none, their checksums and JSON, libraries kept quiet."""

from __future__ import annotations

import difflib
import hashlib
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

from aas_bench.errors import FULL, InputError, StoreError

LONGEST_PART: Final = 255
"""Bytes that a part of a path may have."""

ASIDE: Final = ".aside-"
"""How the names of files begin that are still being written, or were when their process died."""

_MOST_BRACES: Final = 200
"""Braces in an answer that begin no JSON, after which no more are tried."""
_LONGEST_ANSWER: Final = 200_000
"""Characters at the end of an answer in which its JSON object is looked for."""
_MOST_BESIDE: Final = 10_000
"""So many files of a folder are looked through for one that may be meant."""

_BARS: Final = {"HF_DATASETS": "datasets", "HF_HUB": "huggingface_hub.utils"}
"""How variables of a library begin -> the module that switches its progress bars off."""


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file that takes its name when the block ends, and never where the block fails.

    It is written aside in the same folder, flushed to the disk and renamed.

    Raises:
        InputError: The folder does not exist.
        StoreError: The disk is full; what was there before is as it was.
    """
    target = Path(path)
    if not target.parent.is_dir():
        msg = f"there is no folder {str(target.parent)!r}. Make it first."
        raise InputError(msg)
    aside = target.with_name(f"{ASIDE}{uuid4().hex}")
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(target)
    except OSError as error:
        if error.errno in FULL:
            msg = f"{target.parent}: the disk is full. Make room and repeat the command."
            raise StoreError(msg) from error
        if error.filename == str(aside):  # a name that says nothing to anybody
            error.filename = str(target)
        raise
    finally:
        # Where the folder became unwritable there is nothing to take away, and the error above
        # is the one to tell.
        with suppress(OSError):
            aside.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all; see `whole_file`."""
    with whole_file(path) as file:
        file.write(content)
    return path


def file_sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def files_like(path: str | os.PathLike[str]) -> str:
    """` Did you mean NAME?` of what is there beside a path that is not; else empty."""
    missing = Path(path)
    try:
        there = [each.name for each in islice(missing.parent.iterdir(), _MOST_BESIDE)]
    except OSError:
        return ""
    near = difflib.get_close_matches(missing.name, there, n=1, cutoff=0.75)
    return f" Did you mean {missing.with_name(near[0])}?" if near else ""


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """Indented JSON with sorted keys.

    Raises:
        InputError: Something in it is no JSON value (NaN and infinity are not).
    """
    try:
        text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        msg = f"cannot be stored as JSON: {error}. Use strings, finite numbers, lists and dicts."
        raise InputError(msg) from error
    return (text + "\n").encode()


def json_value(text: str | bytes) -> Any:
    """A JSON document that anybody may have written.

    Raises:
        ValueError: It is none, or nests deeper than anybody needs.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        msg = "it nests too deep"
        raise ValueError(msg) from error


def is_whole(text: str) -> bool:
    """Whether no half of a surrogate pair stands in it: JSON can spell one, nothing can store it.

    Example:
        >>> is_whole("a fox"), is_whole(chr(0xD83D))
        (True, False)
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def json_object(text: str) -> dict[str, Any] | None:
    """The last JSON object in an answer, whatever words, braces or code fences stand around it.

    A model that thinks aloud tries answers before it gives one; the last is what it says.
    """
    text = text[-_LONGEST_ANSWER:]
    decoder, found, start, failed = json.JSONDecoder(), None, text.find("{"), 0
    while start >= 0 and failed < _MOST_BRACES:
        try:
            found, after = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            failed, after = failed + 1, start + 1
        start = text.find("{", after)
    return found


@contextmanager
def silence_loggers(*libraries: str) -> Iterator[None]:
    """Let no log line of these libraries out but critical ones; their errors are still raised.

    Args:
        libraries: Names of loggers, e.g. "huggingface_hub". Import a library before: on import
            it sets its own level.
    """
    loggers = [logging.getLogger(name) for name in libraries]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def bars_hidden(*, hidden: bool = False) -> Iterator[None]:
    """No progress bars of `datasets` inside where `hidden`, or where stderr is no terminal."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_progress_bars_disabled() or not (hidden or not sys.stderr.isatty()):
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def quiet_when_piped() -> None:
    """Let no progress bar of the Hub's libraries into a pipe or a file: they ask for no terminal.

    Their variables are read on import, so a library that is there already is told besides.
    """
    if sys.stderr.isatty():
        return
    for library, module in _BARS.items():
        os.environ.setdefault(f"{library}_DISABLE_PROGRESS_BARS", "1")
        if module in sys.modules:
            sys.modules[module].disable_progress_bars()
