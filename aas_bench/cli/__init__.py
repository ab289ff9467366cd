"""The command line: parse, call, print. One file per group of commands."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from aas_bench.cli import analyse, demo, listing, scoring
from aas_bench.errors import AasBenchError, InputError

app = typer.Typer(
    name="aas-bench",
    help="Do reward models and generators honour a prompt that asks for an unpretty image?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("demo")(demo.demo)
app.command("score")(scoring.score)
app.command("evaluate")(scoring.evaluate)
app.command("analyse")(analyse.analyse)
app.command("compare")(analyse.compare)
app.command("report")(analyse.report)
app.command("list")(listing.list_names)
app.command("install-metric")(listing.install_metric)


def main() -> None:
    """Run the command line; an error raised on purpose is one line on stderr and its exit code."""
    try:
        app()
    except AasBenchError as error:
        _leave(str(error), error.exit_code)
    except OSError as error:
        # A path that cannot be read or written is the caller's to mend; without one it is a defect.
        if error.filename is None:
            raise
        _leave(f"{error.filename}: {error.strerror}. Give another path.", InputError.exit_code)


def _leave(message: str, code: int) -> NoReturn:
    line = "".join(mark if mark.isprintable() else " " for mark in message)
    print("aas-bench: " + " ".join(line.split()), file=sys.stderr)  # noqa: T201
    raise SystemExit(code) from None
