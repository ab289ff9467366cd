"""Options that several commands share, and how results leave a command."""

from __future__ import annotations

import json
import logging
import shlex
import sys
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import typer
from typer.core import TyperGroup

from aas_bench.errors import InputError
from aas_bench.files import files_like

if TYPE_CHECKING:
    from aas_bench.run.pool import Engine


T = TypeVar("T")
_WHOLE: Final[Any] = {"break_long_words": False, "break_on_hyphens": False}


class WholeHelp(TyperGroup):
    """A group of commands whose list says of each its whole first paragraph; typer cuts it."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list."""
        rows = []
        for name in self.list_commands(ctx):
            help_text = getattr(self.get_command(ctx, name), "help", None) or ""
            rows.append((name, " ".join(help_text.strip().split("\n\n")[0].split())))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def find_data(named: T) -> T:
    """Refuse sources under whose name nothing can be; as a callback, before a heavy import."""
    from aas_bench.tables.open import check_findable

    names: Any = [named] if isinstance(named, str) else named or ()
    for name in names:
        check_findable(name)
    return named


def find_path(named: T) -> T:
    """Refuse paths at which nothing is."""
    paths: Any = [named] if isinstance(named, Path) else named or ()
    for path in paths:
        if not path.exists():
            near = files_like(path) or " Check the path."
            msg = f"{path}: there is no such file or folder.{near}"
            raise InputError(msg)
    return named


def check_folder(out: Path) -> Path:
    """Refuse a folder to write that is a file."""
    if out.exists() and not out.is_dir():
        msg = f"{out} is a file. Give a folder."
        raise InputError(msg)
    return out


def _task(name: str | None) -> str | None:
    from aas_bench.tasks.catalog import TASKS

    return None if name is None else TASKS[name].name


def _level(share: float) -> float:
    from aas_bench.stats.analysis import Analysis

    return Analysis(confidence_level=share).confidence_level


def check_device(device: str | None) -> str | None:
    """Refuse what no device is called."""
    from aas_bench.rewards.catalog import check_device_name

    check_device_name(device)
    return device


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document to stdout.")]
Rewards = Annotated[
    list[str] | None,
    typer.Option("--reward", "-r", help="Reward model; repeat for several."),
]
By = Annotated[
    str | None, typer.Option(help="Column to group by; the groups of a list column may overlap.")
]
TaskName = Annotated[
    str | None,
    typer.Option(
        "--task",
        callback=_task,
        help="Task whose analysis to add; by default what the columns tell.",
    ),
]
Generators = Annotated[
    Path | None,
    typer.Option(
        callback=find_path,
        help="CSV or JSON with name and mean: ranks paintings among these generators.",
    ),
]
Resamples = Annotated[
    int,
    typer.Option(min=0, max=1_000_000, help="Random sign flips of a test; intervals need none."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the sign flips.")]
Confidence = Annotated[
    float, typer.Option(callback=_level, help="Confidence level of the intervals, in (0, 1).")
]
OnMissing = Annotated[
    Literal["raise", "drop"],
    typer.Option(help="Missing scores: stop, or drop the pairs and report the coverage."),
]
Ties = Annotated[
    Literal["original", "half", "distorted"],
    typer.Option(help="Whom a tie of the reward counts for: one image, or half for either."),
]
ColumnNames = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        "--column",
        help="What your columns are, e.g. score_a=oidp,score_b=didp; may be repeated.",
    ),
]
Config = Annotated[str | None, typer.Option(help="Configuration of a Hub dataset.")]
Split = Annotated[str | None, typer.Option(help="Split of the pairs.")]
Revision = Annotated[str | None, typer.Option(help="Revision of a Hub dataset.")]
Votes = Annotated[
    list[Path] | None,
    typer.Option(
        callback=find_path,
        help="Votes of people (annotate) or judges (judge pairwise): the labels, or what tells how "
        "far those there are can be trusted; repeatable.",
    ),
]
Devices = Annotated[
    str | None,
    typer.Option(help="A process on each of these devices, e.g. 0,1,2,3; cpu,cpu without GPUs."),
]
EngineName = Annotated[
    Literal["local", "ray"],
    typer.Option("--engine", help="ray: workers on a Ray cluster, see docs/scale.md."),
]
Address = Annotated[
    str | None, typer.Option(help="Of the Ray cluster, e.g. auto; by default this machine alone.")
]
Cores = Annotated[
    int | None, typer.Option(min=1, help="Processors of each Ray worker where there are no GPUs.")
]
Out = Annotated[Path, typer.Option("--out", "-o", callback=check_folder, help="Folder to write.")]


def column_names(given: list[str] | None) -> dict[str, str] | None:
    """`THEIRS=OURS,...` as a mapping; None where nothing is given.

    Raises:
        InputError: A part has no equals sign or an empty side, or a column is said to be two.
    """
    found: dict[str, str] = {}
    for part in (part for each in given or [] for part in each.split(",")):
        theirs, _, ours = part.rpartition("=")
        if not theirs.strip() or not ours.strip():
            msg = f"--columns {part!r} does not say which column is what. Write THEIRS=OURS."
            raise InputError(msg)
        if found.setdefault(theirs.strip(), ours.strip()) != ours.strip():
            msg = f"--columns says twice what {theirs.strip()!r} is. Say it once."
            raise InputError(msg)
    return found or None


def engine_of(
    devices: str | None,
    engine: str,
    address: str | None,
    cores: int | None,
    *,
    device: str | None,
) -> Engine | None:
    """The workers that a command asks for; None: this process does the work.

    Raises:
        InputError: Options contradict each other, or name no devices.
    """
    if engine != "ray" and (address is not None or cores is not None):
        msg = "--address and --cores are of a Ray cluster. Give --engine ray, or leave them out."
        raise InputError(msg)
    if devices is None and engine == "local":
        return None
    if device is not None or (devices is not None and engine == "ray"):
        msg = "--device, --devices and --engine ray each say where models run. Give one of them."
        raise InputError(msg)
    if engine == "ray":
        from aas_bench.run.ray_cluster import RayCluster

        return RayCluster(address=address, cores=cores)
    from aas_bench.run.devices import Devices as DeviceWorkers

    return DeviceWorkers(devices or "")


def emit(document: Mapping[str, Any]) -> None:
    """Print one JSON document; a NaN in it is a defect, so it raises."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def say(text: object) -> None:
    """Print sentences, at most as wide as a table."""
    from aas_bench.words import wrapped

    typer.echo(wrapped(str(text)))


@contextmanager
def in_sentences() -> Iterator[None]:
    """Let warnings, and what our log warns of, be sentences as wide as a table, without a path."""

    def wrapped(text: str) -> str:  # as `words.wrapped`, which is not read for a line
        return textwrap.fill(text, 80, subsequent_indent="  ", **_WHOLE)

    class Sentences(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return wrapped(super().format(record))

    def sentence(message: Any, category: Any, *where: Any, **line: Any) -> str:
        ours = category is UserWarning
        return f"{wrapped(str(message))}\n" if ours else usual(message, category, *where, **line)

    usual, handler = warnings.formatwarning, logging.lastResort
    if handler is not None:  # what speaks where nobody has set up another
        handler.setFormatter(Sentences())
    warnings.formatwarning = sentence
    try:
        yield
    finally:
        warnings.formatwarning = usual
        if handler is not None:
            handler.setFormatter(None)


@contextmanager
def resumable() -> Iterator[None]:
    """Leave with 130 on Ctrl-C and say how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"\naas-bench: interrupted. Go on with: {command_line()}\n")
        raise SystemExit(130) from None


def command_line() -> str:
    """The command as typed, for the provenance and for messages."""
    return shlex.join(["aas-bench", *sys.argv[1:]])


def now() -> str:
    """The time in UTC to the second, for the provenance."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
