"""`check-reward`, `score` and `evaluate`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aas_bench.cli.options import (
    Address,
    By,
    ColumnNames,
    Confidence,
    Config,
    Cores,
    Devices,
    EngineName,
    Generators,
    Json,
    OnMissing,
    Out,
    Resamples,
    Revision,
    Seed,
    Split,
    TaskName,
    Ties,
    check_device,
    column_names,
    command_line,
    emit,
    engine_of,
    find_data,
    now,
    resumable,
    say,
)
from aas_bench.errors import StoreError
from aas_bench.files import json_value

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

    from aas_bench.measure.summary import Summary
    from aas_bench.run.score import ScoreRun

PAIRS = "pairs.json"
RUN = "run.json"

Data = Annotated[
    str,
    typer.Option(
        "--data",
        "-d",
        callback=find_data,
        help="A task (see: list tasks), a table, a folder, a Hub id, also id@revision, or hf://...",
    ),
]
SeveralData = Annotated[
    list[str],
    typer.Option(
        "--data",
        "-d",
        callback=find_data,
        help="As for score; repeat it to see several sets side by side, e.g. Pick-a-Pic and ours.",
    ),
]


def _spelled(named: str | list[str]) -> str | list[str]:
    from aas_bench.rewards.catalog import check_spelling

    for name in [named] if isinstance(named, str) else named:
        check_spelling(name)
    return named


Rewards = Annotated[
    list[str],
    typer.Option(
        "--reward",
        "-r",
        callback=_spelled,
        help="Reward model; repeat for several. See: list rewards.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, help="Only the first so many pairs, often of one scene; see --sample."),
]
Sample = Annotated[
    int | None,
    typer.Option(min=1, help="So many pairs over all scenes and effects; 50 is part of 200."),
]
Effect = Annotated[list[str] | None, typer.Option(help="Only this effect; repeat for several.")]
Dimension = Annotated[
    list[str] | None, typer.Option(help="Only this dimension; repeat for several.")
]
SampleSeed = Annotated[int, typer.Option("--seed", min=0, help="Another one: another sample.")]
Images = Annotated[
    Path | None,
    typer.Option(help="Folder of your own copy of the images that the data only names."),
]
MissingImages = Annotated[
    Literal["raise", "drop"],
    typer.Option(help="Images that are not in --images: stop, or go on without their pairs."),
]
Placebos = Annotated[
    Literal["none", "matched", "foreign", "both"] | None,
    typer.Option(
        help="Placebo requests to score beside each pair's own prompts; by default matched ones "
        "where they can be made."
    ),
]
NPlacebos = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=64,
        help="Placebos of a kind for a pair; by default 1 to 8, by what they cost the model.",
    ),
]
Streaming = Annotated[bool, typer.Option("--streaming", help="Read the pairs as a stream.")]
Prompts = Annotated[
    Literal["both", "distorted"],
    typer.Option(help="Score under both prompts (override analysis), or the distorted one alone."),
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Items of one call to the model.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Threads that decode and preprocess.")]
Device = Annotated[
    str | None,
    typer.Option(callback=check_device, help="Where the model runs, e.g. cuda or cpu."),
]
Dtype = Annotated[
    Literal["float32", "bfloat16", "float16"] | None,
    typer.Option(help="Number format; by default the official one."),
]
AcceptPromptBlind = Annotated[
    bool,
    typer.Option(
        "--accept-prompt-blind",
        help="Go on with a model to which all prompts are one, or whose tokenizer lacks words.",
    ),
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
    sample: Sample = None,
    effect: Effect = None,
    dimension: Dimension = None,
    seed: SampleSeed = 0,
    images: Images = None,
    missing_images: MissingImages = "raise",
    streaming: Streaming = False,
    prompts: Prompts = "both",
    placebos: Placebos = None,
    n_placebos: NPlacebos = None,
    batch_size: BatchSize = None,
    workers: Workers = None,
    device: Device = None,
    dtype: Dtype = None,
    on_error: OnError = "record",
    columns: ColumnNames = None,
    accept_prompt_blind: AcceptPromptBlind = False,
    devices: Devices = None,
    engine: EngineName = "local",
    address: Address = None,
    cores: Cores = None,
    as_json: Json = False,
) -> None:
    """Score the pairs with one or several reward models; the same command continues a run."""
    options = {"config": config, "split": split, "revision": revision, "limit": limit}
    options |= sampled(data, sample, effect, dimension, seed)
    options |= {"streaming": streaming}
    options |= own_images(images, missing_images) | named_columns(columns)
    run: dict[str, Any] = {
        "prompts": prompts,
        "placebos": placebos,
        "n_placebos": n_placebos,
        "batch_size": batch_size,
        "workers": workers,
        "on_error": on_error,
        "accept_prompt_blind": accept_prompt_blind,
    }
    run |= {"device": device, "dtype": dtype, "progress": not as_json}
    run["engine"] = engine_of(devices, engine, address, cores, device=device)
    done, _ = _score(data, options, reward, out, run)
    if as_json:
        told = {"n_pairs": done.n_pairs, "n_errors": done.n_errors}
        emit({"scores": str(done.scores), **told})
        return
    typer.echo(f"{done.n_pairs:,} pairs, {done.n_errors:,} with errors: {done.scores}")


def evaluate(
    *,
    data: SeveralData,
    reward: Rewards,
    out: Out,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    limit: Limit = None,
    sample: Sample = None,
    effect: Effect = None,
    dimension: Dimension = None,
    images: Images = None,
    missing_images: MissingImages = "raise",
    prompts: Prompts = "both",
    placebos: Placebos = None,
    n_placebos: NPlacebos = None,
    batch_size: BatchSize = None,
    workers: Workers = None,
    device: Device = None,
    dtype: Dtype = None,
    on_error: OnError = "record",
    accept_prompt_blind: AcceptPromptBlind = False,
    devices: Devices = None,
    engine: EngineName = "local",
    address: Address = None,
    cores: Cores = None,
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
    from aas_bench.measure.summary import check_asked

    options = {"config": config, "split": split, "revision": revision, "limit": limit}
    for each in data:
        options |= sampled(each, sample, effect, dimension, seed)
    options |= own_images(images, missing_images) | named_columns(columns)
    run: dict[str, Any] = {
        "prompts": prompts,
        "placebos": placebos,
        "n_placebos": n_placebos,
        "batch_size": batch_size,
        "workers": workers,
        "on_error": on_error,
        "accept_prompt_blind": accept_prompt_blind,
    }
    run |= {"device": device, "dtype": dtype, "progress": not as_json}
    run["engine"] = engine_of(devices, engine, address, cores, device=device)
    analysis: dict[str, Any] = {
        "by": by,
        "task": task,
        "generators": generators,
        "n_resamples": resamples,
        "seed": seed,
        "confidence_level": confidence,
        "ties": ties,
        "on_missing": on_missing,
    }
    check_asked(**analysis)  # before the scoring, not after it
    if len(data) > 1:
        _side_by_side(data, options, reward, out, run, analysis, as_json=as_json)
        return
    summary, index = _evaluated(data[0], options, reward, out, run, analysis)
    if as_json:
        emit({"report": str(index), **summary.to_dict()})
        return
    summary_table(summary, groups=by is not None)
    typer.echo(f"report: {index}")


def check_reward(
    reward: Annotated[
        str, typer.Argument(callback=_spelled, help="Reward model. See: list rewards.")
    ],
    *,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            callback=find_data,
            help="The job: its prompts are looked at, its time told.",
        ),
    ] = None,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    limit: Limit = None,
    sample: Sample = None,
    effect: Effect = None,
    dimension: Dimension = None,
    seed: SampleSeed = 0,
    batch_size: BatchSize = None,
    device: Device = None,
    dtype: Dtype = None,
    as_json: Json = False,
) -> None:
    """Check a reward model before its scores are believed; leaves with 1 where a check fails.

    Does the prompt move the score, does the tokenizer know the words, are scores finite, equal
    alone and in a batch, and twice; what half precision changes, and what a job takes. Leaves with
    2 where the model cannot be loaded.
    """
    from aas_bench.checks.check_reward import check_reward as check

    options = {"config": config, "split": split, "revision": revision, "limit": limit}
    options |= sampled(data, sample, effect, dimension, seed)
    pairs = None if data is None else open_pairs(data, options)
    found = check(reward, pairs=pairs, device=device, dtype=dtype, batch_size=batch_size)
    if as_json:
        emit(found.to_dict())
    else:
        say(found)
    if not found.passed:
        raise typer.Exit(1)


def _evaluated(
    data: str,
    options: dict[str, Any],
    reward: list[str],
    out: Path,
    run: dict[str, Any],
    analysis: dict[str, Any],
) -> tuple[Summary, Path]:
    """The summary of one set, and its report."""
    from aas_bench.measure.summary import summarise
    from aas_bench.pages.report import write_report

    done, pairs = _score(data, options, reward, out, dict(run), by=analysis["by"])
    table = done.table()
    about = stored_run(out)
    summary = summarise(
        table,
        **analysis | {"task": analysis["task"] or stored_task(out)},
        source=out / "scores.parquet",
        revision=stored_revision(out),
        command=command_line(),
        created=now(),
        run=about,
    )
    return summary, write_report(summary, table, pairs=pairs, out=out / "report")


def _side_by_side(
    data: list[str],
    options: dict[str, Any],
    reward: list[str],
    out: Path,
    run: dict[str, Any],
    analysis: dict[str, Any],
    *,
    as_json: bool,
) -> None:
    """Each set in a folder of its own, and one table of all of them."""
    from aas_bench.cli.text import trade_off_table
    from aas_bench.errors import InputError
    from aas_bench.files import json_bytes, write_atomically
    from aas_bench.measure.trade_off import Side, TradeOff
    from aas_bench.pages.trade_off_page import trade_off_page

    if options["revision"] is not None:
        msg = "--revision is of one --data. Write it behind each: owner/name@revision."
        raise InputError(msg)
    names = _folder_names(data)
    summaries = [
        _evaluated(each, options, reward, out / name, run, analysis)[0]
        for each, name in zip(data, names, strict=True)
    ]
    found = TradeOff(
        sides=tuple(map(Side.of, names, data, summaries)),
        confidence_level=analysis["confidence_level"],
    )
    write_atomically(out / "trade_off.json", json_bytes(found.to_dict()))
    page = write_atomically(out / "index.html", trade_off_page(found).encode())
    if as_json:
        emit({"report": str(page), **found.to_dict()})
        return
    trade_off_table(found)
    typer.echo(f"report: {page}")


def _folder_names(data: list[str]) -> list[str]:
    """A short name for each set, told apart by a number where two are the same."""
    from aas_bench.tables.open import without_revision

    names = [re.sub(r"[^\w.-]+", "_", Path(without_revision(d)).stem).strip("._") for d in data]
    return [
        f"{name or 'set'}_{number}" if names.count(name) > 1 or not name else name
        for number, name in enumerate(names, start=1)
    ]


def own_images(images: Path | None, on_missing: str) -> dict[str, Any]:
    """The arguments of `load_pairs` that complete pairs from the reader's own copy."""
    return {} if images is None else {"images": str(images), "on_missing": on_missing}


def named_columns(columns: list[str] | None) -> dict[str, Any]:
    """The argument of `load_pairs` that says what the columns are."""
    named = column_names(columns)
    return {} if named is None else {"columns": named}


def sampled(
    data: str | None,
    sample: int | None,
    effect: list[str] | None,
    dimension: list[str] | None,
    seed: int,
) -> dict[str, Any]:
    """The arguments of `load_pairs` that choose a part; none where all pairs are asked for.

    Names that these pairs are known not to have are refused here, before a model is loaded.
    """
    if sample is None and not effect and not dimension:
        return {}
    from aas_bench.tables.sample import check_part

    check_part(data, effect, dimension)
    return {"sample": sample, "effect": effect, "dimension": dimension, "seed": seed}


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


def stored_run(run: Path) -> dict[str, Any] | None:
    """How a run directory was scored, and what was found of its models; None where it is none."""
    return _json(run / RUN)


def stored_task(run: Path) -> str | None:
    """The task that a run directory was scored on by name; None where it was not."""
    from aas_bench.tasks.catalog import TASKS

    stored = _stored(run)
    return None if stored is None or stored["source"] not in TASKS else stored["source"]


def stored_revision(run: Path) -> str | None:
    """The Hub's commit of the pairs of a run directory; None where it does not say."""
    about = stored_run(run)
    return None if about is None else about.get("revision")


def _stored(run: Path) -> dict[str, Any] | None:
    """The source and options of the pairs of a run directory; None where it does not say."""
    return _json(run / PAIRS)


def _json(file: Path) -> dict[str, Any] | None:
    try:
        found = json_value(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        msg = f"{file} is damaged. Repeat the command that scored, which writes it again."
        raise StoreError(msg)
    return found


def _check_groups(data: str, by: str) -> None:
    """Refuse a column that these pairs are known not to have, before a model is loaded."""
    from aas_bench.measure.rows import check_groups
    from aas_bench.tables.sample import known_names

    known = known_names(data).get("column")
    if known is not None:
        check_groups(known, by)


def _score(
    data: str,
    options: dict[str, Any],
    reward: list[str],
    out: Path,
    run: dict[str, Any],
    *,
    by: str | None = None,
) -> tuple[ScoreRun, Dataset | IterableDataset]:
    """The finished run and its pairs; by what they are grouped is looked at first."""
    from aas_bench.files import json_bytes, write_atomically
    from aas_bench.rewards.catalog import load_reward
    from aas_bench.run.score import score_into
    from aas_bench.tables.open import commit_of, without_revision

    device, dtype = run.pop("device"), run.pop("dtype")
    if by is not None:
        _check_groups(data, by)
    with resumable():
        # The models first: a wrong name must not cost the loading of the pairs.
        models: list[Any] = reward
        if run["engine"] is None:
            models = [load_reward(name, device=device, dtype=dtype) for name in reward]
        pairs = open_pairs(data, options)
        if by is not None:
            from aas_bench.measure.rows import check_groups
            from aas_bench.tables.schema import IMAGE_COLUMNS

            check_groups((name for name in pairs.features if name not in IMAGE_COLUMNS), by)
        done = score_into(out, pairs, models, dtype=dtype, **run)
    if not Path(data).exists():  # the very commit, of which a later report shows the images
        options = {**options, "revision": commit_of(pairs)}
    write_atomically(out / PAIRS, json_bytes({"source": without_revision(data), **options}))
    return done, pairs
