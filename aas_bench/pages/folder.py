"""A folder of pages is whole or absent, and replaces nothing but an earlier one of its kind."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aas_bench.errors import InputError


@contextmanager
def whole_folder(out: str | Path, *, marker: str, what: str) -> Iterator[Path]:
    """A folder to fill, put in place of `out` when the block ends and dropped where it fails.

    Args:
        out: The folder to write; an earlier one of the same kind is replaced.
        marker: Name of the file that tells a folder of this kind, which may be replaced, from any
            other, which may not.
        what: What such a folder is, with its article.

    Raises:
        InputError: `out` is a file, or a folder that holds something else.
    """
    target = Path(out).resolve()
    _refuse_foreign(target, marker, what)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield aside
        write_text(aside / marker, "1\n")
        _put_in_place(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with plain line ends, flushed to the disk."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _refuse_foreign(target: Path, marker: str, what: str) -> None:
    if target.is_dir() and ((target / marker).exists() or not any(target.iterdir())):
        return
    if target.exists() or target.is_symlink():
        msg = f"{target} exists and is not {what}. Give another folder, or remove it first."
        raise InputError(msg)


def _put_in_place(aside: Path, target: Path) -> None:
    """Rename the finished folder to its place; an earlier one goes only once that is done."""
    mask = os.umask(0)
    os.umask(mask)
    aside.chmod(0o777 & ~mask)
    if not target.exists():
        aside.rename(target)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
    target.rename(old)
    try:
        aside.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)
