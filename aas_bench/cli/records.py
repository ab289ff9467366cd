"""`results`: make, check and collect the leaderboard's records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aas_bench.cli.options import Json, WholeHelp, emit, find_path, now, say

if TYPE_CHECKING:
    from aas_bench.records.accept import Verdict

results = typer.Typer(
    name="results",
    cls=WholeHelp,
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
    from aas_bench.files import write_atomically
    from aas_bench.records.collection import SCHEMA_FILE, save_record
    from aas_bench.records.published import published_records
    from aas_bench.records.record import json_schema

    records = published_records(submissions)
    for record in records:
        save_record(record, to)
    write_atomically(to / SCHEMA_FILE, json_schema().encode())
    typer.echo(f"{len(records)} records in {to}")


@results.command()
def add(
    run: Annotated[
        Path,
        typer.Argument(
            callback=find_path, help="Folder of `evaluate`, `score` or one generator's run."
        ),
    ],
    *,
    to: To,
    task: Annotated[
        str | None, typer.Option(help="Task of the pairs, where the run does not say.")
    ] = None,
    tag: Annotated[str, typer.Option(help="Last part of the record's id.")] = "measured",
) -> None:
    """Turn a run into records, each with the per-pair scores that it rests on."""
    from aas_bench.records.make_records import add_run

    for record in add_run(run, to, task=task, tag=tag):
        typer.echo(f"{record.id}: {len(record.measurements)} measurements")


@results.command()
def pack(
    run: Annotated[
        Path,
        typer.Argument(
            callback=find_path, help="Folder of `evaluate`, `score` or one generator's run."
        ),
    ],
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Task of the pairs, where the run does not say.")
    ] = None,
    tag: Annotated[str, typer.Option(help="Last part of the record's id.")] = "measured",
) -> None:
    """Put a result into one file to send, and say where to send it."""
    from aas_bench.records.address import way_to
    from aas_bench.records.parcel import pack as wrap

    file = wrap(run, out, task=task, tag=tag)
    typer.echo(f"{file}: {file.stat().st_size:,} bytes, checked")
    typer.echo(way_to(file))


@results.command()
def receive(
    parcel: Annotated[
        Path, typer.Argument(callback=find_path, help="A file that `results pack` wrote.")
    ],
    *,
    to: To,
) -> None:
    """Put a result that was sent into a folder of records; all of it is accepted, or nothing."""
    from aas_bench.records.parcel import receive as take

    for record in take(parcel, to):
        typer.echo(_plain(f"{record.id}: {record.subject.name}"))


@results.command()
def evidence(
    to: To,
    *,
    tag: Annotated[str, typer.Option(help="Last part of the records' ids.")] = "measured",
) -> None:
    """Measure the published per-pair scores of real reward models that the package brings."""
    from aas_bench.records.make_records import add_evidence

    for record in add_evidence(to, time=now(), tag=tag):
        say(f"{record.id}: {len(record.measurements)} measurements of\n  {record.subset}")


@results.command()
def remeasure(
    folder: Annotated[Path, typer.Argument(callback=find_path, help="A folder of records.")],
) -> None:
    """Measure the records of an earlier version again, from the scores beside them."""
    from aas_bench.records.make_records import remeasure as measure_again

    for record in measure_again(folder):
        typer.echo(f"{record.id}: {len(record.measurements)} measurements")


@results.command()
def check(
    place: Annotated[
        Path, typer.Argument(callback=find_path, help="A folder of records, or one record file.")
    ],
    *,
    as_json: Json = False,
) -> None:
    """Recompute every measured record from its scores; leaves with 1 where one is refused."""
    from aas_bench.records.accept import check_file, check_folder

    verdicts = check_folder(place) if place.is_dir() else (check_file(place),)
    n_refused = sum(bool(verdict.refused) for verdict in verdicts)
    if as_json:
        emit({"n_refused": n_refused, "verdicts": [verdict.to_dict() for verdict in verdicts]})
    else:
        _print(verdicts)
    if n_refused:
        raise typer.Exit(1)


@results.command()
def collect(
    folder: Annotated[Path, typer.Argument(callback=find_path, help="A folder of records.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet file to write.")],
) -> None:
    """Write all good records as one tidy Parquet table; refused files are named."""
    from aas_bench.records.collection import collect as collect_records
    from aas_bench.records.collection import load_results

    loaded = load_results(folder)
    collect_records(loaded, out)
    for refused in loaded.refused:
        typer.echo(f"refused: {refused.file}: {refused.reason}", err=True)
    typer.echo(f"{len(loaded.records)} records: {out}")


@results.command()
def snapshot(
    folder: Annotated[Path, typer.Argument(callback=find_path, help="A folder of records.")],
    *,
    to: Annotated[Path, typer.Option("--to", help="Where snapshots are kept.")],
    version: Annotated[
        str | None, typer.Option(help="Name of the snapshot; left out, today's date.")
    ] = None,
) -> None:
    """Freeze the accepted records as a dated table that can be cited."""
    from aas_bench.records.accept import accepted
    from aas_bench.records.snapshot import freeze

    today = date.fromisoformat(now()[:10])
    results = accepted(folder)
    place = freeze(results, to, version=version or today.isoformat(), today=today)
    for refused in results.refused:
        typer.echo(_plain(f"left out: {refused.file}: {refused.reason}"), err=True)
    typer.echo(f"{len(results.records)} records: {place}")


@results.command()
def diff(
    before: Annotated[Path, typer.Argument(help="The earlier snapshot.")],
    after: Annotated[Path, typer.Argument(help="The later one.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="HTML page to write.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what changed between two snapshots."""
    from aas_bench.records.snapshot import changes, read

    found = changes(read(before), read(after))
    if out is not None:
        from aas_bench.board.difference import write_page

        write_page(found, out, before=before.name, after=after.name)
    if as_json:
        emit({"n_changes": len(found), "changes": [each.to_dict() for each in found]})
        return
    for each in found:
        told = " ".join(filter(None, (each.record, each.measure, each.of)))
        say(_plain(f"{each.kind}: {told}: {each.before} -> {each.after}"))
    typer.echo(f"{len(found)} changes")


def _print(verdicts: Sequence[Verdict]) -> None:
    """One line a fault and a flag, then the count."""
    for verdict in verdicts:
        for reason in verdict.refused:
            say(_plain(f"refused: {verdict.file}: {reason}"))
        for flag in verdict.flags:
            say(_plain(f"flagged: {verdict.file}: {flag}"))
    n_refused = sum(bool(verdict.refused) for verdict in verdicts)
    typer.echo(f"{len(verdicts) - n_refused} accepted, {n_refused} refused")


def _plain(line: str) -> str:
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in line)
