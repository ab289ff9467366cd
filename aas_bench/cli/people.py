"""`annotate` and `agreement`: what people say, and how near others come to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aas_bench.cli.options import Confidence, Config, Json, Split, emit, find_data, find_path, now
from aas_bench.cli.scoring import Dimension, Effect, Limit, Sample, sampled
from aas_bench.errors import InputError

if TYPE_CHECKING:
    from aas_bench.tables.schema import Columns


def annotate(
    out: Annotated[Path, typer.Option("--out", "-o", help="File of votes (JSON lines); goes on.")],
    *,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", "-d", callback=find_data, help="Pairs with their prompts; see load_pairs."
        ),
    ] = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            callback=find_path,
            help="Instead: a folder of 17_original.png and 17_distorted.png, or the folder of "
            "the original images and, with --images again, that of the distorted ones.",
        ),
    ] = None,
    question: Annotated[
        str | None, typer.Option(help="With --images: what all images are to do.")
    ] = None,
    raters: Annotated[
        list[str] | None,
        typer.Option(
            "--rater", help="Who votes; repeat for several. By default the page asks for a name."
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")
    ] = 0,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of order and sides, and of the sample.")
    ] = 0,
    config: Config = None,
    split: Split = None,
    limit: Limit = None,
    sample: Sample = None,
    effect: Effect = None,
    dimension: Dimension = None,
) -> None:
    """Serve a page, to this machine only, on which people choose the image that was asked for."""
    from aas_bench.people.ballot import Ballot
    from aas_bench.people.voting_page import VotingServer
    from aas_bench.tables.pairs import load_pairs
    from aas_bench.tables.votes import VotesFile

    part = sampled(data, sample, effect, dimension, seed)
    one = (data is None) != (images is None)
    if not one or (question is not None and images is None) or (images is not None and part):
        msg = "give --data PAIRS, also a sample of them; or --images FOLDER, also --question TEXT."
        raise InputError(msg)
    pairs: Any = (
        load_pairs(str(data), config=config, split=split, limit=limit, **part)
        if images is None
        else _image_table(images, question, limit)
    )
    file = VotesFile(out)
    named = raters or []
    ballot = Ballot(pairs, file, seed=seed, now=now, raters=named)
    server = VotingServer(ballot, port=port, rater=named[0] if len(named) == 1 else None)
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
    votes: Annotated[
        list[Path], typer.Argument(callback=find_path, help="Files that annotate wrote.")
    ],
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


def _image_table(folders: list[Path], question: str | None, limit: int | None) -> Any:
    """The pairs of image folders as a dataset, their files unread."""
    from datasets import Dataset, Image

    from aas_bench.tables.folders import image_pairs
    from aas_bench.tables.schema import IMAGE_COLUMNS

    pairs = Dataset.from_dict(dict(image_pairs(folders, question)))
    for column in IMAGE_COLUMNS:
        pairs = pairs.cast_column(column, Image())
    return pairs.select(range(min(limit or len(pairs), len(pairs))))


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
