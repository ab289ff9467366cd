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
    from aas_bench.hub.spaces import publish_metrics, write_metrics

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
