"""`annotate` and `agreement`: what people say, and how near others come to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aas_bench.cli.options import Confidence, Config, Json, Split, emit, now
from aas_bench.cli.scoring import Data, Limit
from aas_bench.errors import InputError

if TYPE_CHECKING:
    from aas_bench.tables.schema import Columns


def annotate(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="File of votes (JSON lines); goes on.")],
    *,
    name: Annotated[
        str | None, typer.Option("--rater", help="Who votes; by default the page asks.")
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of order and sides.")] = 0,
    config: Config = None,
    split: Split = None,
    limit: Limit = None,
) -> None:
    """Serve a page, to this machine only, on which people choose the image that was asked for."""
    from aas_bench.people.ballot import Ballot
    from aas_bench.people.voting_page import VotingServer
    from aas_bench.tables.pairs import load_pairs
    from aas_bench.tables.votes import VotesFile

    pairs: Any = load_pairs(data, config=config, split=split, limit=limit)
    file = VotesFile(out)
    server = VotingServer(Ballot(pairs, file, seed=seed, now=now), port=port, rater=name)
    try:
        typer.echo(f"vote at {server.url} (end with Ctrl-C; the same command goes on)")
        sys.stdout.flush()
        server.serve_forever()
    except KeyboardInterrupt:
        typer.echo(f"votes: {out}")
    finally:
        server.server_close()
        file.close()


def agreement(
    votes: Annotated[list[Path], typer.Argument(help="Files that annotate wrote.")],
    *,
    known: Annotated[
        str | None,
        typer.Option(
            "--with",
            help="Table with pair_id: labels, judges' votes, base prompts (index), dimensions.",
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Write the majority's labels to this Parquet file.")
    ] = None,
    confidence: Confidence = 0.95,
    as_json: Json = False,
) -> None:
    """How far people agree with each other, and a judge with them; make labels of votes."""
    from aas_bench.measure.voting import agreement_of
    from aas_bench.tables.votes import read_votes

    table = read_votes(votes)
    found = agreement_of(table, _known(known), confidence_level=confidence)
    if to is not None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from aas_bench.files import whole_file

        with whole_file(to) as file:
            pq.write_table(pa.table(table.columns()), file)
    if as_json:
        emit(found.to_dict())
        return
    from aas_bench.cli.text import agreement_tables

    agreement_tables(found)


def _known(source: str | None) -> Columns:
    if source is None:
        return {}
    from aas_bench.tables.schema import PAIR_ID
    from aas_bench.tables.without_images import read_without_images

    columns = read_without_images(source).columns
    if PAIR_ID not in columns:
        msg = f"{source} has no column {PAIR_ID!r}. Add it: votes name the pairs by it."
        raise InputError(msg)
    return columns
