"""`publish`: what is pushed to the Hub from the command line."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from aas_bench.cli.options import Json, emit
from aas_bench.errors import InputError

app = typer.Typer(
    name="publish",
    help="Publish to the Hugging Face Hub; the token is the one of: hf auth login.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def publish() -> None:
    """Publish to the Hugging Face Hub; the token is the one of: hf auth login."""


@app.command()
def metrics(
    *,
    repo_namespace: Annotated[
        str, typer.Option(help="Whose Spaces: NAMESPACE/aas_preference, NAMESPACE/aas_override.")
    ] = "weathon",
    dry_run: Annotated[
        Path | None, typer.Option("--dry-run", help="Write to this folder; push nothing.")
    ] = None,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Open pull requests instead of pushing.")
    ] = False,
    private: Annotated[
        bool, typer.Option("--private", help="A Space that is new becomes private.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Push the metrics as Spaces, for evaluate.load("NAMESPACE/aas_preference")."""
    from aas_bench.publish.spaces import publish_metrics, write_metrics

    if dry_run is not None:
        if create_pr or private:
            msg = "--dry-run pushes nothing. Leave out --create-pr and --private."
            raise InputError(msg)
        folders = write_metrics(dry_run)
        if as_json:
            emit({"written": [str(folder) for folder in folders]})
            return
        for folder in folders:
            typer.echo(f"written {folder}")
        return
    published = publish_metrics(namespace=repo_namespace, create_pr=create_pr, private=private)
    if as_json:
        emit({"published": [asdict(space) for space in published]})
        return
    for space in published:
        typer.echo(f"{space.repo}: {space.url or 'nothing to push, all files are there'}")
        for line in space.difference.lines():
            typer.echo(f"  {line}")


@app.command()
def results(
    records: Annotated[Path, typer.Argument(help="Folder of the leaderboard's records.")] = Path(
        "leaderboard/results"
    ),
    *,
    dry_run: Annotated[
        Path | None, typer.Option("--dry-run", help="Write to this folder; push nothing.")
    ] = None,
    push: Annotated[
        str | None, typer.Option(help="Push the results to this dataset repository, owner/name.")
    ] = None,
    create_pr: Annotated[bool, typer.Option(help="Open a pull request, or push to main.")] = True,
    benchmarks: Annotated[
        bool, typer.Option("--benchmarks", help="Also send eval.yaml to each benchmark.")
    ] = False,
    models: Annotated[
        bool, typer.Option("--models", help="Also open a pull request on each measured model.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish the leaderboard's results, its benchmarks' eval.yaml and models' .eval_results."""
    from tempfile import TemporaryDirectory

    from aas_bench.publish.results_repo import (
        push_benchmarks,
        push_models,
        push_results,
        write_results,
    )
    from aas_bench.publish.sync import Target, check_access

    if (dry_run is None) == (push is None):
        msg = "give either --dry-run FOLDER or --push REPOSITORY."
        raise InputError(msg)
    if dry_run is not None and (benchmarks or models):
        msg = "--dry-run pushes nothing, and writes all. Leave out --benchmarks and --models."
        raise InputError(msg)
    with TemporaryDirectory() as aside:
        if push is not None:
            check_access(Target(repo=push))
        written = write_results(records, dry_run or Path(aside) / "out")
        pushed = []
        if push is not None:
            pushed.append(push_results(written, Target(repo=push, create_pr=create_pr)))
            pushed += push_benchmarks(written, create_pr=create_pr) if benchmarks else ()
            pushed += push_models(written) if models else ()
    if as_json:
        emit(
            {
                "n_records": written.n_records,
                "benchmarks": sorted(written.benchmarks),
                "models": sorted(written.models),
                "skipped": dict(written.skipped),
                "pushed": [asdict(each) for each in pushed],
            }
        )
        return
    typer.echo(
        f"{written.n_records} records, {len(written.benchmarks)} eval.yaml, "
        f"{len(written.models)} models, {len(written.skipped)} records without a model's file"
    )
    for each in pushed:
        typer.echo(f"{each.repo}: {each.url or each.note}")
        for line in each.difference.lines() if each.difference and each.url else ():
            typer.echo(f"  {line}")
    if dry_run is not None:
        typer.echo(f"written {dry_run}")
