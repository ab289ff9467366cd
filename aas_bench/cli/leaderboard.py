"""`leaderboard`: check submitted generators, make both images of every prompt, measure them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from aas_bench.cli.options import (
    Address,
    Cores,
    Devices,
    EngineName,
    Json,
    WholeHelp,
    check_device,
    check_folder,
    emit,
    engine_of,
    find_data,
    find_path,
    resumable,
    say,
)
from aas_bench.cli.scoring import Dimension, Effect, sampled
from aas_bench.errors import InputError, SpecError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from aas_bench.generators.spec import Submission
    from aas_bench.pages.generator import GeneratorResult
    from aas_bench.run.prompts import Prompts

FAMILIES: Final = "families.json"
_REASON: Final = 300
SHOWN: Final = ("delta", "after", "chosen", "override_rate")
"""The measures of the table that a run prints."""

app = typer.Typer(
    name="leaderboard",
    cls=WholeHelp,
    help="Run submitted generators: check their files, make their images, measure them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Files = Annotated[list[Path], typer.Argument(callback=find_path, help="Submission files (YAML).")]
Preset = Annotated[str, typer.Option(help="default, or a preset of the submissions, e.g. paper.")]


@app.command()
def check(
    files: Files,
    *,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Prompts to count with; else all that are published.")
    ] = None,
    preset: Preset = "default",
    as_json: Json = False,
) -> None:
    """Validate submissions without weights and tell what a run of each would cost."""
    from textwrap import wrap

    from aas_bench.generators.cost import cost
    from aas_bench.generators.model_index import check_held
    from aas_bench.run.prompts import N_PUBLISHED

    submissions, faults = _read(files)
    rows: list[dict[str, Any]] = []
    for file, submission in submissions.items():
        try:
            price = cost(submission, limit or N_PUBLISHED, preset=preset)
            check_held(submission)
        except InputError as error:
            faults.append(f"{file}: {error}")
            continue
        facts = {"file": str(file), "id": submission.id, "backend": submission.backend}
        limits = _limits(submission)
        rows.append({**facts, **price.to_dict(), "pending": _pending(submission), "limits": limits})
    if as_json:
        emit({"submissions": rows, "faults": faults})
    for row in () if as_json else rows:
        steps = (
            f", {row['steps']:,} steps, {row['passes']:,} denoiser calls" if row["steps"] else ""
        )
        memory = f", memory class {row['memory']}" if row["memory"] else ", no card needed"
        say(f"{row['file']}: {row['id']}: {row['images']:,} images{steps}{memory}")
        for line in row["pending"]:
            say(f"  not runnable yet: {line}")
        for line in wrap(row["limits"] or "", width=76):
            typer.echo(f"  {line}")
    _refuse(faults)


@app.command()
def run(
    files: Files,
    *,
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", callback=check_folder, help="Folder; one run directory for each."
        ),
    ],
    prompts: Annotated[
        str | None,
        typer.Option(
            callback=find_data,
            help="A Parquet, JSONL, JSON or CSV file, or a Hub id; else built-in ones.",
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="First prompts only.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="So many prompts over all scenes and effects.")
    ] = None,
    effect: Effect = None,
    dimension: Dimension = None,
    rewards: Annotated[
        list[str] | None, typer.Option("--rewards", "-r", help="Reward model; repeat for several.")
    ] = None,
    reward_dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(help="Number format of the reward models; by default the official one."),
    ] = None,
    reward_batch_size: Annotated[
        int | None, typer.Option(min=1, help="Items of one call to a reward model.")
    ] = None,
    accept_prompt_blind: Annotated[
        bool,
        typer.Option("--accept-prompt-blind", help="Go on with rewards that no prompt moves."),
    ] = False,
    judges: Annotated[
        list[str] | None,
        typer.Option("--judge", "-j", help="Judge to ask of the images; repeat for several."),
    ] = None,
    preset: Preset = "default",
    seed: Annotated[int, typer.Option(min=0, help="Fixes the starting noise, and the sample.")] = 0,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images at once.")] = None,
    device: Annotated[
        str | None, typer.Option(callback=check_device, help="Where weights run, e.g. cuda:1.")
    ] = None,
    compile: Annotated[
        bool, typer.Option("--compile", help="Compile the denoiser; repays long runs.")
    ] = False,
    devices: Devices = None,
    engine: EngineName = "local",
    address: Address = None,
    cores: Cores = None,
    offload: Annotated[
        bool, typer.Option("--offload", help="Keep weights in main memory until needed.")
    ] = False,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Requests to a service at once.")
    ] = None,
    seed_images: Annotated[
        bool, typer.Option("--seed-images", help="Image-to-image, from built-in photographs.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again for images that failed.")
    ] = False,
    only: Annotated[
        int | None,
        typer.Option(
            min=0, help="Make one prompt's images again and say if they equal the run's; its index."
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="With --only: store what differs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make, score and report; the same command goes on, one for more prompts grows the run."""
    from aas_bench.judges.catalog import check_judge
    from aas_bench.run.prompts import BUILT_IN, load_prompts

    workers = engine_of(devices, engine, address, cores, device=device)
    submissions = _runnable(files, preset)
    source = prompts or BUILT_IN
    part = sampled(source, sample, effect, dimension, seed)
    _check_rewards(rewards or [], seed_images=seed_images)
    for each in judges or []:
        check_judge(each)
    # Only now what takes longer to import than to answer a mistake.
    from datasets import disable_progress_bars

    from aas_bench.files import json_bytes, write_atomically
    from aas_bench.generators.load import check_key
    from aas_bench.measure.compare import alignment_tax
    from aas_bench.measure.summary import STANDARD
    from aas_bench.pages.generator import REWARDS, measure_generator
    from aas_bench.run.generate import generate

    disable_progress_bars()
    _check_judges(judges or [], rewards or REWARDS, seed_images=seed_images)
    asked = load_prompts(source, limit=limit, **part)
    if only is not None:
        how = {"batch_size": batch_size, "device": device, "compile": compile or None}
        how |= {"offload": offload or None, "concurrency": concurrency}
        which = {"preset": preset, "seed": seed, "seed_images": seed_images, "replace": replace}
        _remake(submissions, asked, only, out, as_json=as_json, **which, **how)
        return
    if replace:
        msg = "--replace is for one image. Say which: --only INDEX."
        raise InputError(msg)
    for submission in submissions:
        if not (out / submission.id).exists():  # one that is whole needs no key
            check_key(submission)
    results = []
    with resumable():
        for submission in submissions:
            generated = generate(
                submission,
                asked,
                out=out / submission.id,
                preset=preset,
                seed=seed,
                seed_images=seed_images,
                batch_size=batch_size,
                device=device,
                compile=compile,
                offload=offload,
                concurrency=concurrency,
                retry_failed=retry_failed,
                progress=not as_json,
                engine=workers,
            )
            results.append(
                measure_generator(
                    generated,
                    rewards or REWARDS,
                    device=device,
                    dtype=reward_dtype,
                    batch_size=reward_batch_size,
                    accept_prompt_blind=accept_prompt_blind,
                    judges=judges or (),
                    judge_options={"concurrency": concurrency, "device": device},
                    progress=not as_json,
                    engine=workers,
                )
            )
        tax = alignment_tax([r.made for r in results if r.made is not None], STANDARD)
        write_atomically(out / FAMILIES, json_bytes(tax))
    _tell(results, tax, as_json=as_json)


def _tell(results: Sequence[GeneratorResult], tax: Mapping[str, Any], *, as_json: bool) -> None:
    records = [result.record for result in results]
    if as_json:
        emit({"results": records, **tax})
        return
    _print_results(records)
    _print_tax(tax)
    _print_judged(records)
    for result in results:
        if result.report is not None:
            typer.echo(f"report: {result.report}")


def _remake(
    submissions: Sequence[Submission],
    prompts: Prompts,
    index: int,
    out: Path,
    *,
    as_json: bool,
    **options: Any,
) -> None:
    """Make one prompt's images again; leaves with 1 where one differs and is not replaced."""
    from dataclasses import asdict

    from aas_bench.run.generate import remake

    found = {
        each.id: remake(each, prompts, index, out=out / each.id, **options) for each in submissions
    }
    if as_json:
        emit({"remade": {name: [asdict(image) for image in made] for name, made in found.items()}})
    for name, made in () if as_json else found.items():
        for image in made:
            typer.echo(f"{name} {image}")
    if any(not (image.equal or image.replaced) for made in found.values() for image in made):
        raise typer.Exit(1)


@app.command()
def export(
    records: Annotated[Path, typer.Argument(help="A folder of records; see: aas-bench results.")],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")],
    gallery: Annotated[
        str | None,
        typer.Option(help="A run's folder, a table of pairs, a Hub id; built-in pairs by default."),
    ] = None,
) -> None:
    """Write the leaderboard of a folder of records as plain HTML."""
    from aas_bench.board.site import Site
    from aas_bench.board.static import write_static

    typer.echo(str(write_static(Site(records, gallery=gallery), out)))


def _read(files: Sequence[Path]) -> tuple[dict[Path, Submission], list[str]]:
    """The good submissions by file, and every fault of the others."""
    from aas_bench.generators.spec import load_submission

    good: dict[Path, Submission] = {}
    faults: list[str] = []
    for file in dict.fromkeys(files):
        try:
            good[file] = load_submission(file)
        except InputError as error:
            faults += str(error).splitlines()
    first = {each.id: file for file, each in reversed(good.items())}
    faults += [
        f"{file}: id: {each.id!r} is that of {first[each.id]} too. Give each its own."
        for file, each in good.items()
        if first[each.id] != file
    ]
    return good, faults


def _refuse(faults: Sequence[str]) -> None:
    """Leave where there are faults, each on a line of its own."""
    for line in faults:
        typer.echo(line, err=True)
    if faults:
        raise typer.Exit(SpecError.exit_code)


def _runnable(files: Sequence[Path], preset: str) -> list[Submission]:
    """The submissions, if all of them can run."""
    from aas_bench.generators.model_index import check_held

    submissions, faults = _read(files)
    for file, submission in submissions.items():
        faults += _pending(submission)
        try:
            submission.preset(preset)
            check_held(submission)
        except InputError as error:
            faults.append(f"{file}: {error}")
    _refuse(faults)
    return list(submissions.values())


def _check_rewards(names: Sequence[str], *, seed_images: bool) -> None:
    """Find a misspelt reward model before hours of images, not after."""
    from aas_bench.rewards.catalog import check_spelling

    if names and seed_images:
        msg = "--seed-images measures the images against their seeds. Leave --rewards out."
        raise InputError(msg)
    for name in names:
        check_spelling(name)


def _check_judges(names: Sequence[str], rewards: Sequence[str], *, seed_images: bool) -> None:
    """Find a misspelt judge before hours of images, not after."""
    from aas_bench.judges.catalog import check_judge

    if names and seed_images:
        msg = "--seed-images measures the images against their seeds. Leave --judge out."
        raise InputError(msg)
    called = [name.partition("=")[0] for name in rewards]
    taken = [name for name in map(check_judge, names) if name in called]
    if taken:
        msg = f"a judge and a reward model are called {taken[0]!r}. Label the judge: other=SPEC."
        raise InputError(msg)


def _pending(submission: Submission) -> list[str]:
    from aas_bench.generators.spec import require_runnable

    try:
        require_runnable(submission)
    except SpecError as error:
        return str(error).splitlines()
    return []


def _limits(submission: Submission) -> str | None:
    """What a class without a row made by hand cannot do; None where it has one."""
    from aas_bench.generators.class_source import installed
    from aas_bench.generators.pipelines import LIMITS, pipeline_row

    if submission.pipeline is None or not pipeline_row(submission.pipeline).general:
        return None
    if installed():
        return f"{submission.pipeline}: {LIMITS}"
    return f'{submission.pipeline} was not looked up: pip install "aas-bench[generate]"'


def _print_results(records: Sequence[Mapping[str, Any]]) -> None:
    """Of each submission one row a reward model and measure, or a measure of the clean-up."""
    from aas_bench.cli.text import printable
    from aas_bench.generators.settings import VARIANTS

    console = _console()
    for record in records:
        coverage = record["coverage"]
        n, complete = coverage["n_prompts"], coverage["n_complete"]
        say(f"{record['submission']['id']}: the images of {complete:,} of {n:,} prompts")
        for variant in VARIANTS:
            for reason, n in coverage.get(variant, {}).get("reasons", {}).items():
                say(f"  {n:,} {variant} {printable(reason, _REASON)}")
        if not complete:
            continue
        grid = _grid(("reward", "measure"))
        rewards: dict[str, dict[str, Mapping[str, Any]]] = {}
        for each in record.get("measurements", ()):
            if each["reward"] is not None and each["by"] is None and each["at"] is None:
                rewards.setdefault(each["reward"], {})[each["measure"]] = each
        for reward, found in rewards.items():
            for measure in SHOWN:
                grid.add_row(reward, measure.replace("_", " "), *_number(found.get(measure)))
                reward = ""
        for measure, mean in record.get("clean_up", {}).get("means", {}).items():
            grid.add_row("", measure, *_number(mean))
        console.print(grid)


def _print_judged(records: Sequence[Mapping[str, Any]]) -> None:
    """One row for each submission, judge and measure."""
    from aas_bench.cli.text import answered
    from aas_bench.judges.base import OK
    from aas_bench.measure.measures import JUDGE, MEASURES

    grid = _grid(("submission", "judge", "measure"))
    for record in records:
        for each in record.get("measurements", ()):
            if each["by"] == JUDGE:
                label = MEASURES[each["measure"]].label
                grid.add_row(record["submission"]["id"], each["group"], label, *_number(each))
    if grid.row_count:
        _console().print(grid)
    for record in records:
        for by, judges in record.get("judged", {}).get("answers", {}).items():
            for judge, statuses in judges.items():
                if {*statuses} - {OK}:
                    say(f"{record['submission']['id']}: {judge}, {by}: {answered(statuses)}")


def _print_tax(tax: Mapping[str, Any]) -> None:
    console = _console()
    for family, comparisons in tax["families"].items():
        console.print(f"family {family}: aligned less base")
        grid = _grid(("aligned", "base", "reward", "measure"), "p (Holm)")
        for row in comparisons:
            p_value = "-" if row["mean_p_holm"] is None else f"{row['mean_p_holm']:.3g}"
            names = (row[name] for name in ("aligned", "base", "reward", "measure"))
            grid.add_row(*names, *_number(row["mean_difference"]), p_value)
        console.print(grid)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False)


def _grid(names: Sequence[str], *more: str) -> Table:
    """Columns of names, which break where there is no room, then of numbers, which never do."""
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        grid.add_column(name, overflow="fold")
    for name in ("value", "interval", *more):
        grid.add_column(name, justify="right", no_wrap=True)
    return grid


def _number(estimate: Mapping[str, Any] | None) -> tuple[str, str]:
    """The value and its interval."""
    from types import SimpleNamespace

    from aas_bench.cli.text import stacked

    shown = stacked(None if estimate is None else SimpleNamespace(**estimate))
    value, _, ends = shown.partition("\n")
    return value, ends
