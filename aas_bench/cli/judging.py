"""`judge`: language models that compare, grade and check the images of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aas_bench.cli.options import (
    Address,
    Config,
    Cores,
    Devices,
    EngineName,
    Json,
    Out,
    Revision,
    Split,
    emit,
    engine_of,
    resumable,
)
from aas_bench.cli.scoring import PAIRS, Data, Device, Dtype, Limit

if TYPE_CHECKING:
    from aas_bench.measure.judged import JudgedSummary

SUMMARY = "summary.json"

app = typer.Typer(
    name="judge",
    help="Ask language models about the images of pairs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

JudgeNames = Annotated[
    list[str],
    typer.Option(
        "--judge", "-j", help="openai:MODEL or vlm:REPO_OR_FOLDER, also LABEL=...; repeatable."
    ),
]
Cache = Annotated[Path | None, typer.Option(help="Folder of the answers; by default your own.")]
Concurrency = Annotated[int | None, typer.Option(min=1, help="Requests to a service at once.")]
BaseUrl = Annotated[str | None, typer.Option(help="Address; by default OPENAI_BASE_URL.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds that an answer may take.")]
Attempts = Annotated[int | None, typer.Option(min=1, help="Times that a request is sent.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Questions to a local model at once.")]


@app.command()
def pairwise(
    *,
    data: Data,
    judge: JudgeNames,
    out: Out,
    prompts: Annotated[
        Literal["distorted", "both"],
        typer.Option(help="both: also under the original prompt, which makes the judge a subject."),
    ] = "distorted",
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    limit: Limit = None,
    cache: Cache = None,
    concurrency: Concurrency = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    attempts: Attempts = None,
    batch_size: BatchSize = None,
    device: Device = None,
    dtype: Dtype = None,
    devices: Devices = None,
    engine: EngineName = "local",
    address: Address = None,
    cores: Cores = None,
    as_json: Json = False,
) -> None:
    """Which image fits the prompt better, in both orders; the same command goes on."""
    _judge("pairwise", **locals())


@app.command()
def graded(
    *,
    data: Data,
    judge: JudgeNames,
    out: Out,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    limit: Limit = None,
    cache: Cache = None,
    concurrency: Concurrency = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    attempts: Attempts = None,
    batch_size: BatchSize = None,
    device: Device = None,
    dtype: Dtype = None,
    devices: Devices = None,
    engine: EngineName = "local",
    address: Address = None,
    cores: Cores = None,
    as_json: Json = False,
) -> None:
    """Main concept and requested effects of each image, 0 to 100; the same command goes on."""
    _judge("graded", **locals())


@app.command()
def checklist(
    *,
    data: Data,
    judge: JudgeNames,
    out: Out,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    limit: Limit = None,
    cache: Cache = None,
    concurrency: Concurrency = None,
    base_url: BaseUrl = None,
    timeout: Timeout = None,
    attempts: Attempts = None,
    batch_size: BatchSize = None,
    device: Device = None,
    dtype: Dtype = None,
    devices: Devices = None,
    engine: EngineName = "local",
    address: Address = None,
    cores: Cores = None,
    as_json: Json = False,
) -> None:
    """Each requested effect as questions with a yes or no; the same command goes on."""
    _judge("checklist", **locals())


def _judge(
    by: Literal["pairwise", "graded", "checklist"],
    *,
    data: str,
    judge: list[str],
    out: Path,
    config: str | None,
    split: str | None,
    revision: str | None,
    limit: int | None,
    cache: Path | None,
    devices: str | None,
    engine: str,
    address: str | None,
    cores: int | None,
    as_json: bool,
    prompts: Literal["distorted", "both"] = "distorted",
    **options: Any,
) -> None:
    """Ask, write the summary, print it."""
    from datasets import disable_progress_bars

    from aas_bench.files import json_bytes, write_atomically
    from aas_bench.measure.judged import summarise_judgements
    from aas_bench.run.judge import judge as ask
    from aas_bench.tables.open import commit_of, without_revision
    from aas_bench.tables.pairs import load_pairs

    disable_progress_bars()
    workers = engine_of(devices, engine, address, cores, device=options["device"])
    where = {"config": config, "split": split, "revision": revision, "limit": limit}
    pairs = load_pairs(data, **where)  # type: ignore[arg-type]
    with resumable():
        said = ask(
            pairs,
            judge,
            by=by,
            prompts=prompts,
            out=out,
            cache=cache,
            progress=not as_json,
            engine=workers,
            **options,
        )
    if not Path(data).exists():  # the very commit, as for score
        where["revision"] = commit_of(pairs)
    write_atomically(out / PAIRS, json_bytes({"source": without_revision(data), **where}))
    summary = summarise_judgements(said)
    write_atomically(out / SUMMARY, json_bytes(summary.to_dict()))
    if as_json:
        emit(summary.to_dict())
        return
    _print(summary)
    typer.echo(f"{len(said.frame):,} pairs: {out / 'judged.parquet'}")
    if prompts == "both":
        typer.echo(f"as a subject: aas-bench analyse {out / 'scores.parquet'}")


def _print(summary: JudgedSummary) -> None:
    """A line for each figure of each judge; words of a service go to the files alone."""
    from aas_bench.measure.measures import MEASURES
    from aas_bench.words import Spelling

    share, net = MEASURES["llm_win"].spelling, Spelling(digits=3)
    for name, judge in summary.judges.items():
        asked = sum(judge.statuses.values())
        typer.echo(f"{name}: {judge.statuses.get('ok', 0):,} of {asked:,} questions answered")
        for measure, estimate in judge.measures.items():
            row = MEASURES[measure]
            typer.echo(f"  {row.label.lower()}: {row.spelling.whole(estimate)}")
        told = {
            "ties": (judge.ties, share),
            "orders contradict": (judge.contradicted, share),
            "bias to the first image": (judge.bias, net),
            "wrong against the data's labels": (judge.error, share),
        }
        for title, (figure, spelling) in told.items():
            if figure is not None:
                typer.echo(f"  {title}: {spelling.whole(figure)}")
        if judge.n_missing:
            typer.echo(
                f"  missing: {judge.n_missing:,} of {judge.n_pairs:,} pairs (answers.parquet)"
            )
        if judge.cost is not None:
            typer.echo(f"  cost: {judge.cost:.2f} US dollars")
    for a, others in summary.agreement.items():
        for b, kappa in others.items():
            if a < b:
                typer.echo(f"kappa of {a} and {b}: {net.whole(kappa)}")
