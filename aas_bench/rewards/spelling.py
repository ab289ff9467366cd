"""How reward models are named: one grammar for every door, parsed without loading anything.

SPEC        = [LABEL "="] MODEL
MODEL       = NAME                           a row of the catalogue, its official weights
            | NAME ":" PATH                  its code, your weights (file or folder)
            | NAME ":" OWNER/REPO ["@" REV]  its code, the weights of another repository
            | PREFIX ":" ARGUMENT            "hf", "open_clip", "vlm", "contrastive": `PREFIXES`
            | MODULE ":" FACTORY             your code
            | "http://" HOST "/" NAME        a reward model that `aas-bench serve` serves
            | PATH                           a folder, as "hf:" reads it
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from aas_bench.errors import InputError, UnknownNameError

Kind: TypeAlias = Literal["row", "prefix", "factory", "path", "served"]

WEIGHTS_SUFFIXES: Final = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
REPOSITORY: Final = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", re.ASCII)

_LABEL: Final = re.compile(r"([A-Za-z0-9][\w.+-]*)=(.*)", re.ASCII | re.DOTALL)
_FACTORY: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_HINT: Final = (
    "List them with: aas-bench list rewards. Your own: module:factory, NAME:./weights, hf:./folder."
)


@dataclass(frozen=True, kw_only=True)
class Spelled:
    """A spec taken apart.

    Attributes:
        text: The spec without its label.
        label: The name to store scores under; None: none was given.
        kind: What `head` is.
        head: Name of a row or prefix, `module:factory`, a path, or an address.
        argument: What stands behind a row's or prefix's colon; "" where nothing does.
    """

    text: str
    label: str | None
    kind: Kind
    head: str
    argument: str = ""


def parse(spec: str, *, rows: Iterable[str], prefixes: Iterable[str]) -> Spelled:
    """Take a spec apart and find what is misspelt, without loading anything.

    Args:
        spec: As the grammar above has it. A row's name or a prefix wins over a path that is spelled
            alike; write `./hf` for such a folder.
        rows: Names of the catalogue.
        prefixes: Names of the prefixes.

    Raises:
        InputError: It fits nothing; says the nearest right spelling.

    Example:
        >>> parse("mine=pickscore:a/b@main", rows=["pickscore"], prefixes=["hf"]).argument
        'a/b@main'
    """
    rows, prefixes = tuple(rows), tuple(prefixes)
    labelled = _LABEL.fullmatch(spec)
    label, text = (labelled[1], labelled[2]) if labelled else (None, spec)
    head, colon, argument = text.partition(":")

    def spelled(kind: Kind, head: str, argument: str = "") -> Spelled:
        return Spelled(text=text, label=label, kind=kind, head=head, argument=argument)

    if colon and head in prefixes:
        return spelled("prefix", head, argument)
    if text.startswith(("http://", "https://")):
        return spelled("served", text)
    if head in rows:
        if colon and not argument:
            msg = f"{text} ends in a colon. Write {head}, {head}:./weights or {head}:OWNER/NAME."
            raise InputError(msg)
        return spelled("row", head, argument)
    if exists(text) and not _is_python(text):
        return spelled("path", text)
    if _FACTORY.fullmatch(text) and not _is_python(head):
        return spelled("factory", text)
    raise _misspelt(text, (*rows, *prefixes))


def exists(text: str) -> bool:
    """Whether a file or folder of this name is here; no text makes it raise."""
    try:
        return bool(text) and local(text).exists()
    except (OSError, ValueError):
        return False


def is_local(text: str) -> bool:
    """Whether a path is meant, here or not, rather than a repository of the Hub."""
    return exists(text) or text.startswith((".", "/", "~")) or text.endswith(WEIGHTS_SUFFIXES)


def local(text: str) -> Path:
    """The path, with `~` written out."""
    return Path(os.path.expanduser(text))  # noqa: PTH111  # Path.expanduser raises for ~nobody


def near_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like a misspelt one; None where none is."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)), None)


def _is_python(text: str) -> bool:
    return text.endswith(".py")


def _misspelt(text: str, known: tuple[str, ...]) -> InputError:
    head, colon, argument = text.partition(":")
    if _is_python(head):
        module = Path(head).stem
        return InputError(
            f"{text!r} is a Python file. Write {module}:{argument or 'FACTORY'}, in its folder."
        )
    if not colon and exists(f"{text}.py"):
        return InputError(
            f"{text!r} is a module. Name what makes the reward model in it: {text}:FACTORY."
        )
    near = colon and near_name(head, known)
    if is_local(text) and not near:
        return InputError(f"there is no file or folder {text!r:.200}. Check the path.")
    if REPOSITORY.fullmatch(text):
        return InputError(
            f"there is no folder {text!r:.200}. For a repository of the Hub write hf:{text}."
        )
    return UnknownNameError("reward model", head[:100], known, hint=_HINT)
