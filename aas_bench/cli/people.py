"""`annotate`, `agreement` and `rater`: what people say, and how near others come to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aas_bench.cli.options import Confidence, Config, Json, Split, WholeHelp, emit, now
from aas_bench.cli.scoring import Data, Dimension, Effect, Limit, Sample, SampleSeed, sampled
from aas_bench.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aas_bench.tables.schema import Columns

rater = typer.Typer(
    name="rater",
    cls=WholeHelp,
    help="Rate images by dimension with a vision-language model; compare a rater with people.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


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

    part = sampled(sample, effect, dimension, seed)
    pairs: Any = load_pairs(data, config=config, split=split, limit=limit, **part)
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


@rater.command()
def rate(
    data: Data,
    model: Annotated[str, typer.Option("--model", "-m", help="Hub id or folder of the model.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Parquet file to write.")],
    *,
    revision: Annotated[str | None, typer.Option(help="Revision of the model.")] = None,
    config: Config = None,
    split: Split = None,
    limit: Limit = None,
    sample: Sample = None,
    effect: Effect = None,
    dimension: Dimension = None,
    seed: SampleSeed = 0,
    device: Annotated[str, typer.Option(help="Where the model runs.")] = "cpu",
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option(help="Number format.")
    ] = "float32",
    batch_size: Annotated[int, typer.Option(min=1, help="Images at once.")] = 4,
) -> None:
    """Rate both images of every pair in every dimension, whatever their prompts say."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from aas_bench.files import whole_file
    from aas_bench.registry import import_object
    from aas_bench.tables.pairs import load_pairs

    if not out.parent.is_dir():
        msg = f"there is no folder {str(out.parent)!r}. Make it first."
        raise InputError(msg)
    part = sampled(sample, effect, dimension, seed)
    pairs: Any = load_pairs(data, config=config, split=split, limit=limit, **part)
    load = import_object("aas_bench.judges.dimension_rater:load_rater")
    found = load(model, revision=revision, device=device, dtype=dtype)
    rows = list(_rated(found, pairs, batch_size))
    with whole_file(out) as file:
        pq.write_table(pa.Table.from_pylist(rows), file)
    typer.echo(f"ratings: {out}")


@rater.command("evaluate")
def evaluate_rater(
    table: Annotated[
        str, typer.Argument(help="Table of dimension, prediction and rating, or a column of each.")
    ],
    *,
    ratings: Annotated[
        str | None, typer.Option(help="Another table with the ratings, by image and dimension.")
    ] = None,
    confidence: Confidence = 0.95,
    as_json: Json = False,
) -> None:
    """Compare a rater with people's ratings, by dimension, beside a guess of the commonest one."""
    from aas_bench.measure.rater_evaluation import evaluate_rater as evaluate
    from aas_bench.tables.formats import read_columns

    columns = read_columns(table)
    if ratings is not None:
        columns = _joined(columns, read_columns(ratings))
    found = evaluate(columns, confidence_level=confidence)
    if as_json:
        emit(found.to_dict())
        return
    from aas_bench.cli.text import rater_table

    rater_table(found)


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


def _joined(predictions: Columns, ratings: Columns) -> Columns:
    """The predictions with the ratings of the same image and dimension."""
    import pandas as pd

    from aas_bench.measure.rater_evaluation import APPLIES, DIMENSION, IMAGE, RATING
    from aas_bench.tables.schema import series

    keys = [IMAGE, DIMENSION]
    for columns, needed in ((predictions, keys), (ratings, [*keys, RATING])):
        absent = [name for name in needed if name not in columns]
        if absent:
            msg = f"a table has no column {absent[0]!r}. Two are joined by {IMAGE} and {DIMENSION}."
            raise InputError(msg)
    given = pd.DataFrame({n: series(ratings[n]) for n in (*keys, RATING, APPLIES) if n in ratings})
    if given.duplicated(keys).any():
        msg = "the ratings hold an image and dimension twice. Give one rating each."
        raise InputError(msg)
    left = pd.DataFrame(
        {n: series(c) for n, c in predictions.items() if n not in (RATING, APPLIES)}
    )
    joined = left.merge(given, on=keys, how="left")
    return {str(name): joined[name] for name in joined}


def _rated(found: Any, pairs: Any, batch_size: int) -> Iterator[dict[str, Any]]:
    from datasets import Image

    from aas_bench.measure.rater_evaluation import DIMENSION, IMAGE, PREDICTION
    from aas_bench.tables.images import open_image
    from aas_bench.tables.schema import IMAGE_COLUMNS, PAIR_ID

    shown = [name for name in IMAGE_COLUMNS if name in pairs.column_names]
    for name in shown:
        pairs = pairs.cast_column(name, Image(decode=False))
    for start in range(0, len(pairs), batch_size):
        part = pairs.select(range(start, min(start + batch_size, len(pairs))))
        cells = [
            (f"{row[PAIR_ID]} {name}", row[name]) for row in part for name in shown if row[name]
        ]
        ratings = found.rate([open_image(c, name=n) for n, c in cells], batch_size=batch_size)
        for (name, _), expected, likely, mass in zip(
            cells, ratings.expectation, ratings.probability, ratings.mass, strict=True
        ):
            for dimension, value, three, sure in zip(
                ratings.dimensions, expected, likely, mass, strict=True
            ):
                yield {
                    IMAGE: name,
                    DIMENSION: dimension,
                    PREDICTION: float(value),
                    **{f"p{mark}": float(p) for mark, p in enumerate(three)},
                    "mass": float(sure),
                    **found.identity(),
                }
