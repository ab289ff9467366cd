"""`judge`: language models that compare, grade and check the images of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aas_bench.cli.options import (
    Address,
    Confidence,
    Config,
    Cores,
    Devices,
    EngineName,
    Json,
    Out,
    Revision,
    Split,
    WholeHelp,
    emit,
    engine_of,
    resumable,
    say,
)
from aas_bench.cli.scoring import (
    PAIRS,
    Data,
    Device,
    Dimension,
    Dtype,
    Effect,
    Limit,
    Sample,
    SampleSeed,
    open_pairs,
    sampled,
)
from aas_bench.errors import BackendError

if TYPE_CHECKING:
    from aas_bench.measure.judged import JudgedSummary

SUMMARY = "summary.json"
LEAST_MASS = 0.5
_RATED = "ratings in all dimensions, distorted less original"

app = typer.Typer(
    name="judge",
    cls=WholeHelp,
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
    sample: Sample = None,
    effect: Effect = None,
    dimension: Dimension = None,
    seed: SampleSeed = 0,
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
    sample: Sample = None,
    effect: Effect = None,
    dimension: Dimension = None,
    seed: SampleSeed = 0,
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
    sample: Sample = None,
    effect: Effect = None,
    dimension: Dimension = None,
    seed: SampleSeed = 0,
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


@app.command()
def dimensions(
    *,
    data: Data,
    judge: Annotated[
        list[str],
        typer.Option("--judge", "-j", help="vlm:REPO_OR_FOLDER, also LABEL=...; repeatable."),
    ],
    out: Out,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    limit: Limit = None,
    sample: Sample = None,
    effect: Effect = None,
    dimension: Dimension = None,
    seed: SampleSeed = 0,
    cache: Cache = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images at once.")] = None,
    device: Device = None,
    dtype: Dtype = None,
    devices: Devices = None,
    engine: EngineName = "local",
    address: Address = None,
    cores: Cores = None,
    as_json: Json = False,
) -> None:
    """How good each image is, by dimension, whatever its prompt; the same command goes on."""
    _judge("dimensions", **locals())


@app.command("evaluate-dimensions")
def evaluate_dimensions(
    table: Annotated[
        str,
        typer.Argument(
            help="Folder that `judge dimensions` wrote, or a table of dimension, prediction and "
            "rating, or a column of each."
        ),
    ],
    *,
    ratings: Annotated[
        str | None,
        typer.Option(help="Another table with people's ratings, by image and dimension."),
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", "-j", help="Which one, where several rated.")
    ] = None,
    confidence: Confidence = 0.95,
    as_json: Json = False,
) -> None:
    """Compare ratings with people's, by dimension, beside a guess of the commonest one."""
    from aas_bench.measure.rater_evaluation import evaluate_rater, joined, of_judge
    from aas_bench.run.judge import ANSWERS
    from aas_bench.tables.formats import read_columns

    there = Path(table) / ANSWERS
    columns = of_judge(read_columns(str(there if there.is_file() else table)), judge)
    if ratings is not None:
        columns = joined(columns, read_columns(ratings))
    found = evaluate_rater(columns, confidence_level=confidence)
    if as_json:
        emit(found.to_dict())
        return
    from aas_bench.cli.text import rater_table

    rater_table(found)


def _judge(
    by: Literal["pairwise", "graded", "checklist", "dimensions"],
    *,
    data: str,
    judge: list[str],
    out: Path,
    config: str | None,
    split: str | None,
    revision: str | None,
    limit: int | None,
    sample: int | None,
    effect: list[str] | None,
    dimension: list[str] | None,
    seed: int,
    cache: Path | None,
    as_json: bool,
    devices: str | None,
    engine: str,
    address: str | None,
    cores: int | None,
    prompts: Literal["distorted", "both"] = "distorted",
    **options: Any,
) -> None:
    """Ask, write the summary, print it."""
    from aas_bench.files import json_bytes, write_atomically
    from aas_bench.judges.base import OK
    from aas_bench.judges.catalog import can_rate, check_judge, load_rater

    for each in judge:  # before the pairs are read
        if by == "dimensions" and not can_rate(each):
            load_rater(each)  # says what can
        check_judge(each)
    from aas_bench.measure.judged import summarise_judgements
    from aas_bench.run.judge import ANSWERS
    from aas_bench.run.judge import judge as ask
    from aas_bench.tables.open import commit_of, without_revision

    workers = engine_of(devices, engine, address, cores, device=options["device"])
    where: dict[str, Any] = {"config": config, "split": split, "revision": revision}
    where |= {"limit": limit} | sampled(data, sample, effect, dimension, seed)
    pairs = open_pairs(data, where)
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
    else:
        _print(summary, out)
        typer.echo(f"{len(said.frame):,} pairs: {out / 'judged.parquet'}")
    if not any(OK in each.statuses for each in summary.judges.values()):
        msg = f"no question was answered. Reasons: {out / ANSWERS}. The same command asks again."
        raise BackendError(msg)
    if prompts == "both" and not as_json:
        typer.echo(f"as a subject: aas-bench analyse {out / 'scores.parquet'}")


def _print(summary: JudgedSummary, out: Path) -> None:
    """A line for each figure of each judge; words of a service go to the files alone."""
    from aas_bench.cli.text import answered, kappa_lines
    from aas_bench.judges.base import OK
    from aas_bench.measure.measures import MEASURES
    from aas_bench.run.judge import ANSWERS
    from aas_bench.words import Spelling

    share, net = MEASURES["llm_win"].spelling, Spelling(digits=3)
    for name, judge in summary.judges.items():
        say(f"{name}: {answered(judge.statuses)}")
        if OK not in judge.statuses:
            continue
        for measure, estimate in judge.measures.items():
            row = MEASURES[measure]
            label = _RATED if summary.by == "dimensions" else row.label.lower()
            say(f"  {label}: {row.spelling.whole(estimate)}")
        if judge.mass and min(judge.mass.values()) < LEAST_MASS:
            worst = min(judge.mass, key=lambda name: (judge.mass or {})[name])
            say(
                f"  a mark is answered with probability {judge.mass[worst]:.3f} to {worst!r}: "
                "the ratings say little"
            )
        told = {
            "ties": (judge.ties, share),
            "orders contradict": (judge.contradicted, share),
            "bias to the first image": (judge.bias, net),
            "wrong against the data's labels": (judge.error, share),
        }
        for title, (figure, spelling) in told.items():
            if figure is not None:
                say(f"  {title}: {spelling.whole(figure)}")
        if judge.n_missing:
            missing = f"{judge.n_missing:,} of {judge.n_pairs:,} pairs"
            say(f"  missing: {missing}; why: {out / ANSWERS}")
        if judge.cost is not None:
            say(f"  cost: {judge.cost:.2f} US dollars")
    two = [
        (f"{a} and {b}", k) for a, of in summary.agreement.items() for b, k in of.items() if a < b
    ]
    kappa_lines(two, "judges", str(out / SUMMARY))
