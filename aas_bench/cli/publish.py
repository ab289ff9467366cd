"""`publish`: what is pushed to the Hub from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aas_bench.cli.options import Json, WholeHelp, emit
from aas_bench.errors import InputError

if TYPE_CHECKING:
    from aas_bench.publish.results_repo import Pushed, Written
    from aas_bench.publish.spaces import PublishedSpace

app = typer.Typer(
    name="publish",
    cls=WholeHelp,
    help="Publish to the Hugging Face Hub; the token is the one of: hf auth login.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DryRun = Annotated[
    Path | None, typer.Option("--dry-run", help="Write to this folder; push nothing.")
]
CreatePr = Annotated[
    bool, typer.Option("--create-pr", help="Open pull requests instead of pushing.")
]
Private = Annotated[bool, typer.Option("--private", help="A Space that is new becomes private.")]


@app.callback()
def publish() -> None:
    """Publish to the Hugging Face Hub; the token is the one of: hf auth login."""


@app.command()
def metrics(
    *,
    repo_namespace: Annotated[
        str, typer.Option(help="Whose Spaces: NAMESPACE/aas_preference, NAMESPACE/aas_override.")
    ] = "weathon",
    dry_run: DryRun = None,
    create_pr: CreatePr = False,
    private: Private = False,
    as_json: Json = False,
) -> None:
    """Push the metrics as Spaces, for evaluate.load("NAMESPACE/aas_preference")."""
    from aas_bench.metric.install import NAMES
    from aas_bench.publish.spaces import metric_files, publish_metrics, write_spaces

    if dry_run is not None:
        _refuse_with_dry_run(create_pr=create_pr, private=private)
        spaces = {name: metric_files(name, namespace=repo_namespace) for name in NAMES}
        _tell_written(write_spaces(dry_run, spaces), as_json=as_json)
        return
    published = publish_metrics(namespace=repo_namespace, create_pr=create_pr, private=private)
    _tell_published(published, as_json=as_json)


@app.command()
def leaderboard(
    folder: Annotated[Path, typer.Argument(help="The leaderboard's folder.")] = Path("leaderboard"),
    *,
    push: Annotated[str | None, typer.Option(help="Push to this Space, owner/name.")] = None,
    dry_run: DryRun = None,
    send_to: Annotated[
        str | None,
        typer.Option(help="Where readers send results: owner/name, https://... or mailto:..."),
    ] = None,
    create_pr: CreatePr = False,
    private: Private = False,
    as_json: Json = False,
) -> None:
    """Push the leaderboard as a Space with the wheel that it runs."""
    from aas_bench.publish.spaces import leaderboard_files, publish_space, write_spaces
    from aas_bench.publish.sync import Target, check_access

    _refuse_unless_one(dry_run, push, "SPACE")
    if push is None:
        assert dry_run is not None
        _refuse_with_dry_run(create_pr=create_pr, private=private)
        files = leaderboard_files(folder, send_to=send_to)
        _tell_written(write_spaces(dry_run, {"leaderboard": files}), as_json=as_json)
        return
    target = Target(repo=push, kind="space", create_pr=create_pr, private=private)
    files = leaderboard_files(folder, send_to=send_to)
    check_access(target)
    published = publish_space(target, files)
    _tell_published([published], as_json=as_json)


def _refuse_unless_one(dry_run: Path | None, push: str | None, kind: str) -> None:
    if (dry_run is None) == (push is None):
        msg = f"give either --dry-run FOLDER or --push {kind}."
        raise InputError(msg)


def _refuse_with_dry_run(*, create_pr: bool, private: bool) -> None:
    if create_pr or private:
        msg = "--dry-run pushes nothing. Leave out --create-pr and --private."
        raise InputError(msg)


def _tell_written(folders: Sequence[Path], *, as_json: bool) -> None:
    if as_json:
        emit({"written": [str(folder) for folder in folders]})
        return
    for folder in folders:
        typer.echo(f"written {folder}")


def _tell_published(published: Sequence[PublishedSpace], *, as_json: bool) -> None:
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
    dry_run: DryRun = None,
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

    _refuse_unless_one(dry_run, push, "REPOSITORY")
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
    _tell_results(written, pushed, as_json=as_json)
    if dry_run is not None and not as_json:
        typer.echo(f"written {dry_run}")


def _tell_results(written: Written, pushed: Sequence[Pushed], *, as_json: bool) -> None:
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
