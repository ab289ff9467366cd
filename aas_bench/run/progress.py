"""How far a run is, how fast, and how long it will still take."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from textwrap import fill


def say(line: str | None, *, shown: bool) -> None:
    """A line on stderr, where it is a terminal or not.

    Args:
        line: What to say; None: nothing.
        shown: Whether to show anything at all.
    """
    if shown and line is not None:
        print(fill(line, 80), file=sys.stderr)  # noqa: T201 - the one line that no bar can hold


@contextmanager
def progress_bar(
    what: str, *, unit: str, total: int | None, shown: bool
) -> Iterator[Callable[[int], object]]:
    """A bar on stderr; silent where stderr is no terminal.

    Args:
        what: The work in one word, e.g. "scoring".
        unit: What is counted, e.g. "pairs".
        total: How many there are; None where that is not known.
        shown: Whether to show anything at all.

    Yields:
        A function to be told how many more are done.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.finished_speed or task.speed or 0:.1f} {unit}/s")

    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate()]
    silent = not (shown and sys.stderr.isatty())
    with Progress(
        *columns, TimeRemainingColumn(), console=Console(stderr=True), disable=silent
    ) as progress:
        task = progress.add_task(what, total=total)
        yield lambda n_done: progress.advance(task, n_done)
