"""The command line: parse, call, print. One file per group of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from aas_bench.cli import (
    analyse,
    demo,
    examine_source,
    import_table,
    judging,
    leaderboard,
    listing,
    people,
    publish,
    scoring,
)
from aas_bench.cli.options import WholeHelp, in_sentences
from aas_bench.cli.records import results
from aas_bench.cli.reproduce import reproduce
from aas_bench.cli.serve import serve
from aas_bench.errors import told_in_one_line
from aas_bench.files import quiet_when_piped
from aas_bench.version import __version__

app = typer.Typer(
    name="aas-bench",
    cls=WholeHelp,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer passes the option's value
    if wanted:
        typer.echo(f"aas-bench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    """Do reward models and generators honour a prompt that asks for an unpretty image?"""


app.command("demo")(demo.demo)
app.command("score")(scoring.score)
app.command("evaluate")(scoring.evaluate)
app.command("check-reward")(scoring.check_reward)
app.command("import")(import_table.import_table)
app.command("doctor")(examine_source.doctor)
app.command("analyse")(analyse.analyse)
app.command("compare")(analyse.compare)
app.command("report")(analyse.report)
app.command("view")(analyse.view)
app.command("reproduce")(reproduce)
app.command("serve")(serve)
app.command("list")(listing.list_names)
app.command("install-metric")(listing.install_metric)
app.command("annotate")(people.annotate)
app.command("agreement")(people.agreement)
app.add_typer(judging.app)
app.add_typer(leaderboard.app)
app.add_typer(results)
app.add_typer(publish.app)


def main() -> None:
    """Run the command line; an error raised on purpose is one line on stderr and its exit code."""
    quiet_when_piped()
    with told_in_one_line("aas-bench"), in_sentences():
        raise SystemExit(app(prog_name="aas-bench", standalone_mode=False))
