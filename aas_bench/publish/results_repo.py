"""The results dataset and what goes with it: a folder to look at, then pull requests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import yaml

from aas_bench.errors import InputError
from aas_bench.files import write_atomically
from aas_bench.measure.measures import MEASURES
from aas_bench.publish.eval_results import EVAL_YAML, MODEL_FILE, eval_yaml, model_files, path
from aas_bench.publish.markdown import code, inline
from aas_bench.publish.sync import (
    Difference,
    Target,
    compare,
    look,
    require_token,
    send,
    told_plainly,
)
from aas_bench.records.accept import check_folder
from aas_bench.records.collection import Results, collect, load_results
from aas_bench.records.record import Record, json_schema
from aas_bench.tasks.catalog import TASKS

RESULTS: Final = "results"
BENCHMARKS: Final = "benchmarks"
MODELS: Final = "models"
_ABOUT: Final = """\
One row a measurement, with its 95 % interval, n and coverage. `records/` holds each result as \
JSON (`schema.json`) and, for measured ones, the per-pair scores that every number is recomputed \
from before it is accepted. Published figures are those of \
[arXiv 2512.11883](https://arxiv.org/abs/2512.11883), as printed.

To add a result, open a pull request with a record and its scores; `aas-bench results check` must \
accept it.
"""
_TABLE: Final = "data/test-00000-of-00001.parquet"


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a folder of records became.

    Attributes:
        folder: `results/` is the results dataset, `benchmarks/<task>/eval.yaml` one file for each
            benchmark, `models/<owner>/<name>/.eval_results/aas-bench.yaml` one for each model.
        n_records: Records in the results dataset.
        benchmarks: Repository of each benchmark -> its file.
        models: Repository of each model -> its file.
        skipped: Record id -> why it gives no file for a model.
    """

    folder: Path
    n_records: int
    benchmarks: Mapping[str, Path]
    models: Mapping[str, Path]
    skipped: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """One repository after a push.

    Attributes:
        repo: The repository.
        url: The commit or pull request; None where nothing was sent.
        note: Why nothing was sent; None where something was.
        difference: File by file; None where the repository is not there.
    """

    repo: str
    url: str | None
    note: str | None
    difference: Difference | None


def write_results(records: Path, out: Path) -> Written:
    """Write everything that would be pushed.

    Args:
        records: Folder of the leaderboard's records.
        out: A folder that is new, empty or was written by this function.

    Raises:
        InputError: A record is refused (all of them are named), or `out` holds something else.
    """
    refused = [v for v in check_folder(records) if v.refused]
    if refused:
        lines = "; ".join(f"{v.file}: {v.refused[0]}" for v in refused[:5])
        msg = f"{len(refused)} records are refused: {lines}. Mend or remove them first."
        raise InputError(msg)
    results = load_results(records)
    _clear(out)
    _write_dataset(results, records, out / RESULTS)
    models, skipped = model_files(results.records, results.flags())
    return Written(
        folder=out,
        n_records=len(results.records),
        benchmarks={
            TASKS[task].hub_id: _write(out / BENCHMARKS / task / EVAL_YAML, text)
            for task in TASKS
            if (text := eval_yaml(task)) is not None
        },
        models={
            repo: _write(out / MODELS / repo / MODEL_FILE, text) for repo, text in models.items()
        },
        skipped=skipped,
    )


def push_results(written: Written, target: Target) -> Pushed:
    """Make the results dataset equal the folder; its own records that are gone, go.

    Raises:
        InputError: There is no token, or it may not write there.
        BackendError: The Hub failed; the same call goes on.
    """
    root = written.folder / RESULTS
    files = {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*")) if p.is_file()}
    message = f"Publish {written.n_records} results"
    return _push(target, files, message, owned=("records/", "data/"), make=True)


def push_benchmarks(written: Written, *, create_pr: bool = True) -> Iterator[Pushed]:
    """Send `eval.yaml` to each benchmark's dataset, where that exists."""
    for repo, file in written.benchmarks.items():
        target = Target(repo=repo, create_pr=create_pr)
        yield _push(target, {EVAL_YAML: file}, "Name the leaderboards of this benchmark")


def push_models(written: Written) -> Iterator[Pushed]:
    """Open a pull request with its results on each model; the model's owner decides."""
    for repo, file in written.models.items():
        target = Target(repo=repo, kind="model", create_pr=True)
        yield _push(target, {MODEL_FILE: file}, "Add evaluation results of AAS-Bench")


def _push(
    target: Target,
    files: Mapping[str, Path],
    message: str,
    *,
    owned: tuple[str, ...] = (),
    make: bool = False,
) -> Pushed:
    from huggingface_hub import HfApi

    api = HfApi(token=require_token())
    with told_plainly(target):
        remote = look(api, target)
        if remote is None and not make:
            note = "there is no such repository, or the token may not see it"
            return Pushed(repo=target.repo, url=None, note=note, difference=None)
        difference = compare(files, remote, owned=lambda name: name.startswith(owned or ("\0",)))
        if not difference:
            note = "all files are there"
            return Pushed(repo=target.repo, url=None, note=note, difference=difference)
        if remote is None:  # a pull request needs something to be compared with
            target = replace(target, create_pr=False)
        url = send(api, target, files, difference, remote, message=message)
    return Pushed(repo=target.repo, url=url, note=None, difference=difference)


def _clear(out: Path) -> None:
    names = {p.name for p in out.iterdir()} if out.is_dir() else set()
    if names - {RESULTS, BENCHMARKS, MODELS} or (out.exists() and not out.is_dir()):
        msg = f"{out} holds something else. Give a new folder."
        raise InputError(msg)
    for name in names:
        shutil.rmtree(out / name)


def _write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    return write_atomically(file, text.encode())


def _write_dataset(results: Results, records: Path, out: Path) -> None:
    (out / _TABLE).parent.mkdir(parents=True)
    collect(results, out / _TABLE)
    for record in results.records:
        place = out / path(record)
        _write(place, record.to_json())
        if record.scores is not None:
            scores = (records / record.id).with_name(record.scores.file)
            write_atomically(place.with_name(record.scores.file), scores.read_bytes())
    _write(out / "schema.json", json_schema())
    _write(out / "README.md", _card(results))


def _card(results: Results) -> str:
    """The dataset card; every name in it is escaped."""
    front = {
        "pretty_name": "AAS-Bench results",
        "license": "apache-2.0",
        "tags": ["aas-bench", "leaderboard", "evaluation"],
        "configs": [
            {"config_name": "results", "data_files": [{"split": "test", "path": "data/test-*"}]}
        ],
    }
    flags = results.flags()
    lines = [
        f"---\n{yaml.safe_dump(front, sort_keys=False)}---\n",
        "# Results of AAS-Bench\n",
        _ABOUT,
        "## Measured\n",
        "| subject | task | headline | note |\n| --- | --- | --- | --- |",
        *(_line(record, flags.get(record.id, "")) for record in results.of(status="measured")),
        "\n## Measures\n",
        "| name | formula |\n| --- | --- |",
        *(f"| {code(m.name)} | {inline(m.formula)} |" for m in MEASURES.values()),
    ]
    return "\n".join(lines) + "\n"


def _line(record: Record, flag: str) -> str:
    """A row of the card: accuracy, or the choice under the first reward model."""
    found = next((m for m in record.measurements if m.measure in ("accuracy", "chosen")), None)
    headline = "–"
    if found is not None and found.value is not None:
        by = f" by {found.reward}" if found.reward else ""
        headline = f"{MEASURES[found.measure].label}{by} {found.value:.3f}"
        if found.low is not None and found.high is not None:
            headline += f" ({found.low:.3f} to {found.high:.3f})"
    cells = (record.subject.name, record.task, headline, flag)
    return f"| {' | '.join(inline(cell) for cell in cells)} |"
