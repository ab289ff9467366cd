"""`results`: make, check and collect the leaderboard's records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

results = typer.Typer(
    name="results",
    help="Make, check and collect the leaderboard's records.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

To = Annotated[Path, typer.Option("--to", help="Folder of the records.")]


@results.command()
def published(
    to: To,
    *,
    submissions: Annotated[Path, typer.Option(help="Folder of the submission files.")] = Path(
        "leaderboard/submissions"
    ),
) -> None:
    """Write the paper's figures as records, the pending rows and the JSON Schema."""
    from aas_bench.data.atomic import write_atomically
    from aas_bench.results.published import published_records
    from aas_bench.results.record import json_schema
    from aas_bench.results.store import SCHEMA_FILE, save_record

    records = published_records(submissions)
    for record in records:
        save_record(record, to)
    write_atomically(to / SCHEMA_FILE, json_schema().encode())
    typer.echo(f"{len(records)} records in {to}")
