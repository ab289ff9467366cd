"""`list` and `install-metric`."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from aas_bench.cli.options import Json, emit


def list_names(
    kind: Annotated[Literal["rewards", "tasks", "judges"], typer.Argument(help="What to list.")],
    *,
    as_json: Json = False,
) -> None:
    """List the reward models, the tasks or the judges by name."""
    from aas_bench.words import COLUMNS

    if kind == "rewards":
        from aas_bench.rewards.catalog import REWARDS

        rows = [asdict(row) for row in REWARDS.values()]
    elif kind == "judges":
        from aas_bench.judges.catalog import JUDGES

        rows = [
            {"name": f"{row.name}:{row.rest}", "summary": row.summary} for row in JUDGES.values()
        ]
    else:
        from aas_bench.tasks.catalog import TASKS

        rows = [row.to_dict() for row in TASKS.values()]
    if as_json:
        emit({kind: rows})
        return
    width = max(len(row["name"]) for row in rows) + 2
    for row in rows:
        mark = "Self-test, synthetic: " if row.get("synthetic") else ""
        difference = f" Difference: {row['difference']}." if row.get("difference") else ""
        line = f"{row['name']:<{width}}{mark}{row['summary']}{difference}"
        typer.echo(textwrap.fill(line, COLUMNS, subsequent_indent=" " * width))


def install_metric(*, as_json: Json = False) -> None:
    """Make evaluate.load("aas_preference") and ("aas_override") work by bare name, offline."""
    from aas_bench.metric import install_metric as install

    paths = [str(path) for path in install()]
    if as_json:
        emit({"installed": paths})
        return
    for path in paths:
        typer.echo(f"installed {path}")
