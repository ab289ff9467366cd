"""A submission pasted into the page: the runner's own checks, beside the line they are about."""

from __future__ import annotations

import base64
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from aas_bench.errors import SpecError
from aas_bench.generators.cost import Cost, cost
from aas_bench.generators.spec import Submission, load_submission, require_runnable
from aas_bench.generators.submission_yaml import MAX_BYTES
from aas_bench.pages.render import render
from aas_bench.records.address import send_to
from aas_bench.run.prompts import N_PUBLISHED

REPOSITORY_FOLDER: Final = "leaderboard/submissions"
_FILE: Final = "submission.yaml"
_LINE: Final = re.compile(r"line (\d+): ")
_FIELD: Final = re.compile(r"[A-Za-z0-9_.\[\]-]+")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is wrong with a field.

    Attributes:
        line: Line in the text, from 1; None where no line is to blame.
        text: The field and what to mend.
    """

    line: int | None
    text: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A checked text.

    Attributes:
        lines: The text.
        faults: All faults; none where it is a submission.
        submission: What it says; None where there are faults.
        price: What a run over the published prompts would take.
        pending: Why it cannot run yet.
    """

    lines: tuple[str, ...]
    faults: tuple[Fault, ...] = ()
    submission: Submission | None = None
    price: Cost | None = None
    pending: tuple[str, ...] = ()

    def beside(self, line: int | None) -> list[str]:
        """The faults of a line; of None, those that no line is to blame for."""
        return [fault.text for fault in self.faults if fault.line == line]


def check(text: str) -> Checked:
    """Read a submission as `leaderboard/run.py check` does; nothing in it is run or fetched.

    Args:
        text: YAML of at most `MAX_BYTES` bytes.
    """
    lines = tuple(text.splitlines())
    data = text.encode("utf-8", errors="replace")
    if not text.strip():
        return Checked(lines=lines, faults=(Fault(line=None, text="The text is empty."),))
    if len(data) > MAX_BYTES:
        large = f"The text is larger than {MAX_BYTES} bytes. A submission is a few dozen lines."
        return Checked(lines=lines[:1], faults=(Fault(line=None, text=large),))
    with tempfile.TemporaryDirectory(prefix="aas-submission-") as folder:
        path = Path(folder) / _FILE
        path.write_bytes(data)
        try:
            submission = load_submission(path)
        except SpecError as error:
            said = [each.removeprefix(f"{path}: ") for each in str(error).splitlines()]
            return Checked(lines=lines, faults=_placed(text, said))
    try:
        require_runnable(submission)
        pending: tuple[str, ...] = ()
    except SpecError as error:
        pending = tuple(str(error).splitlines())
    price = cost(submission, N_PUBLISHED)
    return Checked(lines=lines, submission=submission, price=price, pending=pending)


def answer(text: str | None) -> str:
    """The answer as HTML; what a program sends in place of text counts as no text."""
    text = text if isinstance(text, str) else ""
    checked = check(text)
    source = base64.b64encode(text.encode("utf-8", errors="replace")).decode()
    return render(
        "board/submit.html.j2",
        checked=checked,
        source=source,
        folder=REPOSITORY_FOLDER,
        n_prompts=N_PUBLISHED,
        address=send_to(),
    )


def _placed(text: str, said: list[str]) -> tuple[Fault, ...]:
    places = _field_lines(text)
    return tuple(Fault(line=_line_of(each, places), text=each) for each in said)


def _line_of(said: str, places: dict[str, int]) -> int | None:
    """The line that a fault names, or that of its field, or of the nearest field above it."""
    if match := _LINE.match(said):
        return int(match[1])
    field = said.partition(":")[0]
    if not _FIELD.fullmatch(field):
        return places.get(field)
    parts = field.split(".")
    while parts:
        if ".".join(parts) in places:
            return places[".".join(parts)]
        parts.pop()
    return None


def _field_lines(text: str) -> dict[str, int]:
    """The line of every field by its dotted path; empty where the text is no YAML."""
    found: dict[str, int] = {}
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    if root is not None:
        _walk(root, "", found, set())
    return found


def _walk(node: yaml.Node, prefix: str, found: dict[str, int], seen: set[int]) -> None:
    """Each node once: aliases can make a small text a huge tree."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            path = f"{prefix}{key.value}"
            found[path] = key.start_mark.line + 1
            _walk(value, f"{path}.", found, seen)
    if isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            found[f"{prefix}{i}"] = value.start_mark.line + 1
            _walk(value, f"{prefix}{i}.", found, seen)
