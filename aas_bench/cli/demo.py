"""`demo`: the whole package on built-in photographs, offline, without torch."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from aas_bench.cli.options import Json, Out, command_line, emit, now

REWARDS = ("effect-match", "average-taste", "polish")


def demo(
    *,
    out: Out = Path("aas-demo"),
    open_report: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the report in the browser.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Score photographs with known effects by three built-in rewards and write the report."""
    from tempfile import TemporaryDirectory

    from datasets import disable_progress_bars
    from rich.console import Console

    from aas_bench.cli.text import summary_table
    from aas_bench.counterfactual.split import counterfactual_files
    from aas_bench.measure.summary import summarise
    from aas_bench.pages.report import write_report
    from aas_bench.run.score import score

    disable_progress_bars()
    busy = Console(stderr=True, quiet=as_json)
    with TemporaryDirectory() as pictures:
        with busy.status("applying the effects to the photographs"):
            pairs = counterfactual_files(Path(pictures))
        scores = score(pairs, list(REWARDS), progress=not as_json)
        with busy.status("analysing the scores and writing the report"):
            summary = summarise(scores, command=command_line(), created=now())
            index = write_report(summary, scores, pairs=pairs, out=out).resolve()
    scores.save(index.parent / "scores.parquet")
    if as_json:
        emit({"report": str(index), **summary.to_dict()})
        return
    summary_table(summary)
    typer.echo(f"report: {index}")
    if open_report:
        webbrowser.open(index.as_uri())
