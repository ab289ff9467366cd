"""`score` and `evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aas_bench.cli.options import (
    By,
    ColumnNames,
    Confidence,
    Generators,
    Json,
    OnMissing,
    Out,
    Resamples,
    Seed,
    TaskName,
    Ties,
    column_names,
    command_line,
    emit,
    now,
    resumable,
)

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

    from aas_bench.tables.scores import ScoreTable

PAIRS = "pairs.json"

Data = Annotated[
    str,
    typer.Option(
        "--data",
        "-d",
        help="A task (see: list tasks), a table, a folder or a Hub id.",
    ),
]
Rewards = Annotated[
    list[str],
    typer.Option("--reward", "-r", help="Reward model; repeat for several. See: list rewards."),
]
Config = Annotated[str | None, typer.Option(help="Configuration of a Hub dataset.")]
Split = Annotated[str | None, typer.Option(help="Split of the pairs.")]
Revision = Annotated[str | None, typer.Option(help="Revision of a Hub dataset.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first so many pairs.")]
Images = Annotated[
    Path | None,
    typer.Option(help="Folder of your own copy of the images that the data only names."),
]
MissingImages = Annotated[
    Literal["raise", "drop"],
    typer.Option(help="Images that are not in --images: stop, or go on without their pairs."),
]
Placebos = Annotated[
    Literal["none", "matched", "foreign", "both"],
    typer.Option(help="Placebo requests to score beside each pair's own prompts."),
]
NPlacebos = Annotated[int, typer.Option(min=1, max=64, help="Placebos of a kind for a pair.")]
Streaming = Annotated[bool, typer.Option("--streaming", help="Read the pairs as a stream.")]
Prompts = Annotated[
    Literal["both", "distorted"],
    typer.Option(help="Score under both prompts (override analysis), or the distorted one alone."),
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Items of one call to the model.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads that decode and preprocess.")]
Device = Annotated[str | None, typer.Option(help="Where the model runs, e.g. cuda or cpu.")]
Dtype = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    typer.Option(help="Number format; by default the official one."),
]
OnError = Annotated[
    Literal["record", "raise"],
    typer.Option(help="An unreadable image: record it and go on, or stop."),
]


def score(
    *,
    data: Data,
    reward: Rewards,
    out: Out,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    limit: Limit = None,
    images: Images = None,
    missing_images: MissingImages = "raise",
    streaming: Streaming = False,
    prompts: Prompts = "both",
    placebos: Placebos = "none",
    n_placebos: NPlacebos = 8,
    batch_size: BatchSize = None,
    workers: Workers = None,
    device: Device = None,
    dtype: Dtype = None,
    on_error: OnError = "record",
    columns: ColumnNames = None,
    as_json: Json = False,
) -> None:
    """Score the pairs with one or several reward models; the same command continues a run."""
    options = {"config": config, "split": split, "revision": revision, "limit": limit}
    options |= {"streaming": streaming}
    options |= own_images(images, missing_images) | named_columns(columns)
    run: dict[str, Any] = {
        "prompts": prompts,
        "placebos": placebos,
        "n_placebos": n_placebos,
        "batch_size": batch_size,
        "workers": workers,
        "on_error": on_error,
    }
    run |= {"device": device, "dtype": dtype, "progress": not as_json}
    table, _ = _score(data, options, reward, out, run)
    scores, n_errors = out / "scores.parquet", int(table.frame["error"].notna().sum())
    if as_json:
        emit({"scores": str(scores), "n_pairs": len(table.frame), "n_errors": n_errors})
        return
    typer.echo(f"{len(table.frame):,} pairs, {n_errors:,} with errors: {scores}")


def evaluate(
    *,
    data: Data,
    reward: Rewards,
    out: Out,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    limit: Limit = None,
    images: Images = None,
    missing_images: MissingImages = "raise",
    prompts: Prompts = "both",
    placebos: Placebos = "none",
    n_placebos: NPlacebos = 8,
    batch_size: BatchSize = None,
    workers: Workers = None,
    device: Device = None,
    dtype: Dtype = None,
    on_error: OnError = "record",
    by: By = None,
    task: TaskName = None,
    generators: Generators = None,
    resamples: Resamples = 1000,
    seed: Seed = 0,
    confidence: Confidence = 0.95,
    ties: Ties = "original",
    on_missing: OnMissing = "drop",
    columns: ColumnNames = None,
    as_json: Json = False,
) -> None:
    """Score the pairs, analyse the scores and write the report to OUT/report."""
    from aas_bench.cli.text import summary_table
    from aas_bench.measure.summary import summarise
    from aas_bench.pages.report import write_report

    options = {"config": config, "split": split, "revision": revision, "limit": limit}
    options |= own_images(images, missing_images) | named_columns(columns)
    run: dict[str, Any] = {
        "prompts": prompts,
        "placebos": placebos,
        "n_placebos": n_placebos,
        "batch_size": batch_size,
        "workers": workers,
        "on_error": on_error,
    }
    run |= {"device": device, "dtype": dtype, "progress": not as_json}
    table, pairs = _score(data, options, reward, out, run)
    summary = summarise(
        table,
        by=by,
        task=task or stored_task(out),
        generators=generators,
        n_resamples=resamples,
        seed=seed,
        confidence_level=confidence,
        ties=ties,
        on_missing=on_missing,
        source=out / "scores.parquet",
        command=command_line(),
        created=now(),
        run=json.loads((out / "run.json").read_text(encoding="utf-8")),
    )
    index = write_report(summary, table, pairs=pairs, out=out / "report")
    if as_json:
        emit({"report": str(index), **summary.to_dict()})
        return
    summary_table(summary, groups=by is not None)
    typer.echo(f"report: {index}")


def own_images(images: Path | None, on_missing: str) -> dict[str, Any]:
    """The arguments of `load_pairs` that complete pairs from the reader's own copy."""
    return {} if images is None else {"images": str(images), "on_missing": on_missing}


def named_columns(columns: list[str] | None) -> dict[str, Any]:
    """The argument of `load_pairs` that says what the columns are."""
    named = column_names(columns)
    return {} if named is None else {"columns": named}


def open_pairs(data: str, options: dict[str, Any]) -> Dataset | IterableDataset:
    """The pairs that a command names."""
    from datasets import disable_progress_bars
    from rich.console import Console

    from aas_bench.tables.pairs import load_pairs

    disable_progress_bars()
    with Console(stderr=True).status("reading the pairs"):
        return load_pairs(data, **options)


def stored_pairs(run: Path) -> Dataset | IterableDataset | None:
    """The pairs that a run directory was scored from; None where it does not say."""
    stored = _stored(run)
    if stored is None:
        return None
    return open_pairs(stored.pop("source"), stored | {"streaming": False})


def stored_task(run: Path) -> str | None:
    """The task that a run directory was scored on by name; None where it was not."""
    from aas_bench.tasks.catalog import TASKS

    stored = _stored(run)
    return None if stored is None or stored["source"] not in TASKS else stored["source"]


def _stored(run: Path) -> dict[str, Any] | None:
    """The source and options of the pairs of a run directory; None where it does not say."""
    try:
        stored: dict[str, Any] = json.loads((run / PAIRS).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stored


def _beside_placebos(pairs: Any, placebos: str, n_placebos: int) -> Dataset:
    """The pairs with placebo requests of the kinds that the command names."""
    from aas_bench.placebos import KINDS_OF, with_placebos

    for kind in KINDS_OF[placebos]:
        pairs = with_placebos(pairs, kind, n_placebos=n_placebos)
    found: Dataset = pairs
    return found


def _score(
    data: str,
    options: dict[str, Any],
    reward: list[str],
    out: Path,
    run: dict[str, Any],
) -> tuple[ScoreTable, Dataset | IterableDataset]:
    """The scores, and the pairs that they are of."""
    from aas_bench.files import json_bytes, write_atomically
    from aas_bench.rewards.catalog import load_reward
    from aas_bench.run.score import score as score_pairs

    device, dtype = run.pop("device"), run.pop("dtype")
    placebos, n_placebos = run.pop("placebos"), run.pop("n_placebos")
    with resumable():
        # The models first: a wrong name must not cost the loading of the pairs.
        models = [load_reward(name, device=device, dtype=dtype) for name in reward]
        pairs = open_pairs(data, options)
        if placebos != "none":
            pairs = _beside_placebos(pairs, placebos, n_placebos)
        table = score_pairs(pairs, models, out=out, **run)
    write_atomically(out / PAIRS, json_bytes({"source": data, **options}))
    return table, pairs
