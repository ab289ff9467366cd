"""`analyse`, `compare`, `report` and `view`: from a score table to numbers and pages."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aas_bench.cli.options import (
    By,
    ColumnNames,
    Confidence,
    Config,
    Generators,
    Json,
    OnMissing,
    Out,
    Resamples,
    Revision,
    Rewards,
    Seed,
    Split,
    TaskName,
    Ties,
    Votes,
    column_names,
    command_line,
    emit,
    find_data,
    now,
)
from aas_bench.errors import InputError

if TYPE_CHECKING:
    from aas_bench.tables.scores import ScoreTable
    from aas_bench.tables.without_images import StoredColumns

Table = Annotated[
    str,
    typer.Argument(
        callback=find_data,
        help="Score table, run directory, build, task, Hub id, also id@revision, or hf://...",
    ),
]


def analyse(
    table: Table,
    *,
    reward: Rewards = None,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    by: By = None,
    task: TaskName = None,
    generators: Generators = None,
    resamples: Resamples = 1000,
    seed: Seed = 0,
    confidence: Confidence = 0.95,
    ties: Ties = "original",
    on_missing: OnMissing = "raise",
    votes: Votes = None,
    columns: ColumnNames = None,
    as_json: Json = False,
) -> None:
    """Preference, override analysis, strength curve and task report of the scores in TABLE."""
    from aas_bench.cli.scoring import stored_task
    from aas_bench.measure.summary import summarise

    stored, scores = _read(table, reward, columns, config, split, revision)
    summary = summarise(
        _voted(scores, votes),
        by=by,
        task=task or stored_task(Path(table)),
        generators=generators,
        n_resamples=resamples,
        seed=seed,
        confidence_level=confidence,
        ties=ties,
        on_missing=on_missing,
        source=stored.file or stored.name,
        revision=stored.commit,
        command=command_line(),
    )
    if as_json:
        emit(summary.to_dict())
        return
    from aas_bench.cli.text import summary_table

    summary_table(summary, groups=by is not None)


def compare(
    table: Table,
    a: Annotated[str, typer.Argument(help="One reward model.")],
    b: Annotated[str, typer.Argument(help="The other reward model.")],
    *,
    config: Config = None,
    split: Split = None,
    revision: Revision = None,
    resamples: Resamples = 1000,
    seed: Seed = 0,
    confidence: Confidence = 0.95,
    ties: Ties = "original",
    on_missing: OnMissing = "raise",
    columns: ColumnNames = None,
    as_json: Json = False,
) -> None:
    """Compare two reward models on the same pairs (paired intervals, sign flips by prompt)."""
    if a == b:
        msg = f"both reward models are {a!r}. Name two of the table."
        raise InputError(msg)
    from aas_bench.measure.compare import match_rewards
    from aas_bench.stats.analysis import Analysis

    stored, scores = _read(table, [a, b], columns, config, split, revision)
    analysis = Analysis(
        confidence_level=confidence,
        ties=ties,
        on_missing=on_missing,
        n_resamples=resamples,
        seed=seed,
    )
    match = match_rewards(scores, scores, a, b, analysis)
    assert match is not None  # a table shares its pairs with itself
    if as_json:
        told = {"a": a, "b": b, "measure": match.measure, "revision": stored.commit}
        emit({**told, **match.comparison.to_dict()})
        return
    from aas_bench.cli.text import comparison_table

    comparison_table(a, b, match)


def report(
    run: Table,
    out: Out,
    *,
    data: Annotated[
        str | None,
        typer.Option(
            callback=find_data, help="Pairs with the images, for the gallery; see load_pairs."
        ),
    ] = None,
    reward: Rewards = None,
    by: By = None,
    task: TaskName = None,
    generators: Generators = None,
    resamples: Resamples = 1000,
    seed: Seed = 0,
    confidence: Confidence = 0.95,
    ties: Ties = "original",
    on_missing: OnMissing = "drop",
    votes: Votes = None,
    columns: ColumnNames = None,
    as_json: Json = False,
) -> None:
    """Write the HTML report of a run directory or a score table to a folder."""
    from aas_bench.cli.scoring import open_pairs, stored_pairs, stored_run, stored_task
    from aas_bench.measure.summary import summarise
    from aas_bench.pages.report import write_report

    stored, scores = _read(run, reward, columns)
    scores = _voted(scores, votes)
    pairs = open_pairs(data, {}) if data else stored_pairs(Path(run))
    summary = summarise(
        scores,
        by=by,
        task=task or stored_task(Path(run)),
        generators=generators,
        n_resamples=resamples,
        seed=seed,
        confidence_level=confidence,
        ties=ties,
        on_missing=on_missing,
        source=stored.file or stored.name,
        revision=stored.commit,
        command=command_line(),
        created=now(),
        run=stored_run(Path(run)),
    )
    index = write_report(summary, scores, pairs=pairs, out=out)
    if as_json:
        emit({"report": str(index), **summary.to_dict()})
    else:
        typer.echo(f"report: {index}")


def view(
    run: Annotated[
        str,
        typer.Argument(
            callback=find_data,
            help="Run of score, judge or a generator, finished or not; or a table.",
        ),
    ],
    other: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN2]", callback=find_data, help="Another on the same pairs, beside it."
        ),
    ] = None,
    *,
    data: Annotated[
        str | None,
        typer.Option(
            callback=find_data, help="Pairs with the images, if RUN does not say; see load_pairs."
        ),
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Look at the pairs of a run: images, prompts, scores, outcomes; on a page for this machine."""
    import warnings
    import webbrowser
    from urllib.parse import urlencode

    from PIL.Image import DecompressionBombWarning

    from aas_bench.cli.scoring import open_pairs, stored_task
    from aas_bench.tasks.catalog import TASKS
    from aas_bench.viewer.runs import beside, open_for_looking
    from aas_bench.viewer.viewer_page import ViewerServer

    # An image above a bound is said to be so in its place.
    warnings.filterwarnings("ignore", category=DecompressionBombWarning)
    given = None if data is None else open_pairs(data, {})
    opened = open_for_looking(run, lambda: _pairs_of(run) if given is None else given)
    if other is not None:  # the images are those of the first
        opened = beside(opened, open_for_looking(other, None))
    task = stored_task(Path(run))
    server = ViewerServer(opened, port=port, task=None if task is None else TASKS[task])
    address = f"{server.url}{'?' if opened.focus else ''}{urlencode(opened.focus)}"
    try:
        for note in opened.notes:
            typer.echo(note, err=True)
        typer.echo(f"look at {address} (end with Ctrl-C)")
        sys.stdout.flush()
        if browser:
            webbrowser.open(address)
        server.serve_forever()
    except KeyboardInterrupt:
        typer.echo("")
    finally:
        server.server_close()


def _pairs_of(run: str) -> Any:
    """The pairs that a run was made of, or that its table holds itself."""
    from aas_bench.cli.scoring import open_pairs, stored_pairs

    found = stored_pairs(Path(run))
    if found is None and Path(run).is_dir():
        msg = f"{run} does not say what it was made of"
        raise InputError(msg)
    return open_pairs(run, {}) if found is None else found


def _voted(scores: ScoreTable, votes: list[Path] | None) -> ScoreTable:
    """The scores with judges' labels and then people's votes, so that people audit judges."""
    if not votes:
        return scores
    from aas_bench.run.judge import JUDGED
    from aas_bench.tables.formats import read_frame
    from aas_bench.tables.votes import add_judges, add_votes, read_votes

    tables = {path: path / JUDGED if path.is_dir() else path for path in votes}
    of_judges = [path for path, file in tables.items() if file.suffix == ".parquet"]
    people = [path for path in votes if path not in of_judges]
    if of_judges:
        scores = add_judges(scores, {str(path): read_frame(tables[path]) for path in of_judges})
    return add_votes(scores, read_votes(people)) if people else scores


def _read(
    source: str,
    rewards: list[str] | None,
    columns: list[str] | None,
    config: str | None = None,
    split: str | None = None,
    revision: str | None = None,
) -> tuple[StoredColumns, ScoreTable]:
    """The table as it is stored, with the commit of its pairs, and its scores."""
    from aas_bench.cli.scoring import stored_revision
    from aas_bench.tables.open import Options
    from aas_bench.tables.scores import ScoreTable, named_columns
    from aas_bench.tables.without_images import read_without_images

    options = Options(config=config, split=split, streaming=False, revision=revision)
    stored = read_without_images(source, options)
    stored = replace(stored, commit=stored.commit or stored_revision(Path(source)))
    name = str(stored.file or stored.name)
    found = named_columns(stored.columns, column_names(columns))
    return stored, ScoreTable.from_columns(found, rewards=rewards, source=name)
