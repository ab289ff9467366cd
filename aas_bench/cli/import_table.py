"""`import`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aas_bench.cli.options import (
    ColumnNames,
    Config,
    Json,
    Revision,
    Split,
    column_names,
    emit,
    find_data,
)

if TYPE_CHECKING:
    from aas_bench.tables.imported import Mapped


def import_table(
    source: Annotated[
        str,
        typer.Argument(
            callback=find_data, help="A table of pairs or of scores, a folder of images, a Hub id."
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="NAME.parquet, or for pairs a folder. Left out: only look."
        ),
    ] = None,
    columns: ColumnNames = None,
    cluster: Annotated[
        str | None,
        typer.Option(help="The column that pairs of one base prompt share; by default the index."),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="The column of the label, or: majority (of the judges).")
    ] = None,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    as_json: Json = False,
) -> None:
    """Show what each column of yours is read as, and write the table as all commands know it."""
    from aas_bench.errors import InputError
    from aas_bench.tables.imported import refuse_to_write

    if out is not None:
        refuse_to_write(out)
    options = {"cluster": cluster, "label": label, "config": config}
    options |= {"split": split, "revision": revision}
    mapped = _mapped(source, column_names(columns), options)
    if not as_json:
        from aas_bench.cli.text import mapping_table

        mapping_table(mapped)
    if mapped.faults is not None:
        raise mapped.faults
    if out is not None and not yes:
        if not sys.stdin.isatty():
            msg = f"{out} is not written: there is no terminal to ask on. If the mapping is right: "
            raise InputError(f"{msg}--yes.")
        if not typer.confirm(f"Write {out}?", err=True):
            raise typer.Exit(1)
    written = None if out is None else str(mapped.save(out))
    if as_json:
        emit(_document(mapped) | {"written": written})
    elif out is None:
        typer.echo("Nothing is written. Right? Then add: --out NAME.parquet")
    else:
        typer.echo(f"wrote {out}. Next:\n{_next(mapped, out)}")


def _mapped(source: str, said: dict[str, str] | None, options: dict[str, Any]) -> Mapped:
    """What the source is read as; on a terminal, asks which columns those are that lack."""
    from aas_bench.tables.forms import UnknownFormError
    from aas_bench.tables.imported import map_source

    while True:
        try:
            return map_source(source, columns=said, **options)
        except UnknownFormError as error:
            if not sys.stdin.isatty() or not error.free:
                raise
            typer.echo(f"{source} lacks {', '.join(error.missing)}.", err=True)
            said = dict(said or {})
            for ours, theirs in error.suggested.items():
                said[_asked(ours, theirs, error.free)] = ours


def _asked(ours: str, suggested: str, free: tuple[str, ...]) -> str:
    """Which of the columns that are left is ours."""
    while True:
        answer: str = typer.prompt(f"Which column is {ours}?", default=suggested, err=True)
        if answer in free:
            return answer
        typer.echo(f"There is no column {answer!r}. There are: {', '.join(free)}", err=True)


def _document(mapped: Mapped) -> dict[str, Any]:
    return {
        "source": mapped.source,
        "form": mapped.form,
        "columns": {name: list(ours) for name, ours in mapped.read.items()},
        "made": dict(mapped.made),
        "kept": list(mapped.kept),
        "left_out": list(mapped.left_out),
        "rewards": list(mapped.rewards),
        "n_pairs": len(mapped),
        "n_clusters": mapped.n_clusters,
        "labels": mapped.labels,
    }


def _next(mapped: Mapped, out: Path) -> str:
    """The command that the table is for."""
    if mapped.rewards:
        return f"aas-bench analyse {out}"
    return f"aas-bench evaluate --data {out} --reward NAME --out run"
