"""`demo`: real reward models on published scores, then a self-test on photographs; offline."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aas_bench.cli.options import Json, Out, command_line, emit, now, say

if TYPE_CHECKING:
    from aas_bench.pages.real_models import RealModels

REWARDS = ("effect-match", "average-taste", "polish")
SELF_TEST = "Self-test: synthetic scorers with a known answer, on photographs with a known effect"


def demo(
    *,
    out: Out = Path("aas-demo"),
    open_report: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the report in the browser.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Show real reward models on published scores, then test the measurement on photographs."""
    from tempfile import TemporaryDirectory

    from datasets import disable_progress_bars
    from rich.console import Console

    from aas_bench.cli.text import summary_table
    from aas_bench.counterfactual.split import counterfactual_files
    from aas_bench.measure.summary import summarise
    from aas_bench.pages.real_models import real_models
    from aas_bench.pages.report import write_report
    from aas_bench.run.score import score

    disable_progress_bars()
    real = real_models()
    if not as_json:
        _show(real)
    busy = Console(stderr=True, quiet=as_json)
    with TemporaryDirectory() as pictures:
        with busy.status("applying the effects to the photographs"):
            pairs = counterfactual_files(Path(pictures))
        scores = score(pairs, list(REWARDS), progress=not as_json)
        with busy.status("analysing the scores and writing the report"):
            summary = summarise(scores, command=command_line(), created=now())
            index = write_report(summary, scores, pairs=pairs, real=real, out=out).resolve()
    scores.save(index.parent / "scores.parquet")
    if as_json:
        found = {name: standing.to_dict() for name, standing in real.found.items()}
        emit({"report": str(index), "real_models": found, **summary.to_dict()})
        return
    say(f"\n{SELF_TEST}")
    summary_table(summary)
    typer.echo(f"report: {index}")
    if open_report:
        webbrowser.open(index.as_uri())


def _show(real: RealModels) -> None:
    """Five lines of figures, then what they rest on and what they do not say."""
    from rich.console import Console
    from rich.table import Table

    from aas_bench.pages.real_models import FIGURES, HEADING

    console = Console(highlight=False, markup=False)
    say(f"{HEADING}, {real.n_pairs} pairs: share (95 % interval)")
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("", *FIGURES.values()):
        grid.add_column(name, justify="right" if name else "left", no_wrap=True)
    for row in real.rows():
        grid.add_row(*row)
    console.print(grid)
    for line in (real.lede, real.every_unit, real.limits):
        say(line)
