"""`reproduce`: the paper's tables from the authors' stored scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from aas_bench.cli.options import Json, emit, find_data

if TYPE_CHECKING:
    from rich.console import Console

    from aas_bench.paper.comparison import Comparison, Figure
    from aas_bench.paper.recompute import Reproduction

PAIRED: Final = 5
"""So many columns of a table fit a terminal beside each other."""


def reproduce(
    *,
    data: Annotated[
        str,
        typer.Option(
            "--data",
            "-d",
            callback=find_data,
            help="The authors' table: a Hub id or a local copy.",
        ),
    ] = "weathon/aas_benchmark_final",
    emotion: Annotated[
        str | None,
        typer.Option(
            callback=find_data, help="Their emotion table, e.g. weathon/emotion_bias_dataset."
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Ground truth of D.2: a column, or majority.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Revision of the data on the Hub.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for JSON, CSV, LaTeX and a page.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Recompute the paper's tables D.1, D.2 and D.3 and set them beside the printed figures."""
    from aas_bench.paper.recompute import reproduce as recompute
    from aas_bench.paper.reproduction import write_reproduction

    result = recompute(data, emotion=emotion, label=label, revision=revision)
    page = None if out is None else write_reproduction(result, out)
    if as_json:
        emit(result.to_dict())
        return
    _print(result)
    if page is not None:
        typer.echo(f"page: {page}")


def _print(result: Reproduction) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=120)
    console.print(
        f"{result.n_rows:,} rows. The published figure, below it ours with its interval: = where "
        "every printed digit agrees, ≠ where one differs, - what is not in this table."
    )
    for table in result.comparisons:
        _print_comparison(console, table)
    _print_override(console, result)


def _print_comparison(console: Console, table: Comparison) -> None:
    from rich.table import Table

    from aas_bench.cli.text import printable
    from aas_bench.paper.reproduction import HEADINGS

    console.print(f"\nTable {table.name}, {table.title}")
    names = list(dict.fromkeys(each.column for each in table.figures))
    for start in range(0, len(names), PAIRED):
        some = names[start : start + PAIRED]
        grid = Table(box=None, pad_edge=False, header_style="bold")
        grid.add_column("", no_wrap=True)
        for name in some:
            grid.add_column(HEADINGS.get(name, name), justify="right", no_wrap=True)
        for row, figures in table.rows().items():
            if any(name in figures for name in some):
                grid.add_row(printable(row), *(_cell(figures.get(name)) for name in some))
        console.print(grid)
    console.print(
        f"{table.n_agree} figures agree to the last digit, {table.n_differ} differ, "
        f"{len(table.figures) - table.n_agree - table.n_differ} have one side only"
    )


def _cell(figure: Figure | None) -> str:
    """The published figure, ours below it, and our interval."""
    from aas_bench.words import Spelling

    if figure is None:
        return ""
    if figure.rounded is None or figure.recomputed is None:
        return f"{figure.printed or '-'}\n-"
    mark = {True: "= ", False: "≠ ", None: ""}[figure.agrees]
    ours = figure.recomputed
    lines = [figure.printed or "-", f"{mark}{figure.rounded}"]
    if ours.low is not None and ours.high is not None:
        lines.append(Spelling(digits=figure.digits).ends(ours))
    return "\n".join(lines)


def _print_override(console: Console, result: Reproduction) -> None:
    from rich.table import Table

    from aas_bench.cli.text import interval, printable

    console.print("\nNot in the paper: who overrides, and who does not understand")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    names = ("understood", "overridden", "override_rate")
    grid.add_column("", no_wrap=True)
    for name in (*names, "coverage"):
        grid.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for reward, summary in result.rewards.items():
        cells = [interval(getattr(summary.placebo, n)) if summary.placebo else "-" for n in names]
        grid.add_row(printable(reward), *cells, f"{summary.coverage:.1%}")
    console.print(grid)
