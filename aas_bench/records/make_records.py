"""From a run directory to records: the numbers, the scores they rest on, and how it was made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import InputError, StoreError
from aas_bench.records.from_scores import ANALYSIS, measurements, scores_only
from aas_bench.records.published import reward_subject
from aas_bench.records.record import SCHEMA_VERSION, Record, Scores, Subject
from aas_bench.records.store import save_record
from aas_bench.tables.scores import ScoreTable, load_scores
from aas_bench.tasks.catalog import TASKS

MEASURED: Final = "measured"

_TOLD: Final = (
    *("command", "git_revision", "machine", "python", "seed", "time", "versions"),
    *("pairs", "reward", "generator", "coverage", "prompts"),
)
_PATH: Final = re.compile(r"(?<![\w.:/\\])(?:~|[A-Za-z]:)?[/\\](?:[^\s/\\]+[/\\])*")
_NOT_SLUG: Final = re.compile(r"[^a-z0-9._-]+")
_ENDS: Final = "._-"


def add_run(
    run: Path, folder: Path, *, task: str | None = None, tag: str = MEASURED
) -> tuple[Record, ...]:
    """Write a run's records and their scores files into a folder of records.

    Args:
        run: A directory made by `score` or `evaluate` (one record for each reward model), or one
            generator's directory made by `leaderboard/run.py` (one record).
        folder: Where records are kept; made where absent.
        task: The task of the pairs or prompts; None: as the run says.
        tag: Last part of the records' ids; another one keeps an earlier result beside.

    Raises:
        InputError: The folder is no such run, or its task is unknown.
        StoreError: A file of the run is damaged.
    """
    if (run / "result.json").is_file():
        return (_add_generator(run, folder, task, tag),)
    if (run / "scores.parquet").is_file():
        return _add_rewards(run, folder, task, tag)
    msg = (
        f"{run} holds neither scores.parquet nor result.json. "
        "Give the folder that `aas-bench evaluate` or leaderboard/run.py wrote."
    )
    raise InputError(msg)


def redacted(value: Any) -> Any:
    """JSON values with the folders of every absolute path left out."""
    if isinstance(value, str):
        return _PATH.sub("", value)
    if isinstance(value, Mapping):
        return {str(key): redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return value


def slug(name: str) -> str:
    """A name as an id: lower case, and a hyphen for what an id cannot hold.

    Raises:
        InputError: Nothing is left of it.
    """
    text = _NOT_SLUG.sub("-", name.lower()).strip(_ENDS)[:64].strip(_ENDS)
    if not text:
        msg = f"{name!r} holds no letter or digit to name a record by. Give it another name."
        raise InputError(msg)
    return text


def _add_rewards(run: Path, folder: Path, task: str | None, tag: str) -> tuple[Record, ...]:
    about, manifest = _json(run / "run.json"), _json(run / "manifest.json")
    pairs = _json(run / "pairs.json") if (run / "pairs.json").is_file() else {}
    task = _task(task, pairs.get("source"))
    described = {each["name"]: each for each in manifest["spec"]["rewards"]}
    table = load_scores(run / "scores.parquet", rewards=list(about["rewards"]))
    return tuple(
        _add(
            scores_only(table, (name,)),
            folder,
            subject=reward_subject(slug(name), name),
            task=task,
            tag=tag,
            about=about | {"reward": described[name], "pairs": manifest["spec"]["pairs"]["sha256"]},
        )
        for name in table.rewards
    )


def _add_generator(run: Path, folder: Path, task: str | None, tag: str) -> Record:
    result = _json(run / "result.json")
    if "rewards" not in result:
        msg = f"{run}: an image-to-image run has no scores. Run it without --seed-images."
        raise InputError(msg)
    found = [load_scores(file) for file in sorted(run.glob("scores/*/scores.parquet"))]
    wanted = set(result["rewards"])
    tables = [table for table in found if set(table.rewards) == wanted]
    if len(tables) != 1:
        msg = f"{run}: {len(tables)} score tables of {', '.join(sorted(wanted))}. Run it afresh."
        raise StoreError(msg)
    about = result["provenance"] | {
        "generator": result["generator"],
        "coverage": result["coverage"],
        "prompts": result["prompts"],
    }
    return _add(
        scores_only(tables[0], tables[0].rewards),
        folder,
        subject=_generator_subject(result["submission"]),
        task=_task(task, result["prompts"]["source"]),
        tag=tag,
        about=about,
    )


def _add(
    table: ScoreTable,
    folder: Path,
    *,
    subject: Subject,
    task: str,
    tag: str,
    about: Mapping[str, Any],
) -> Record:
    """Write the scores, read them back, measure and write the record beside them."""
    place = folder / task / subject.id
    if (place / f"{tag}.json").exists():
        msg = f"{place / tag}.json exists already. Remove it, or keep both with another --tag."
        raise InputError(msg)
    place.mkdir(parents=True, exist_ok=True)
    file = table.save(place / f"{tag}.parquet")
    record = Record(
        schema_version=SCHEMA_VERSION,
        id=f"{task}/{subject.id}/{tag}",
        status="measured",
        subject=subject,
        task=task,
        measurements=measurements(load_scores(file), kind=subject.kind, task=task),
        scores=Scores(
            file=file.name,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            n_pairs=len(table),
        ),
        provenance=_provenance(about),
        created=date.fromisoformat(about["time"][:10]),
    )
    save_record(record, folder)
    return record


def _provenance(about: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: about[name] for name in _TOLD if name in about}
    return {**redacted(found), "analysis": dict(ANALYSIS)}


def _generator_subject(facts: Mapping[str, Any]) -> Subject:
    """What a generator's result says of it; the repository is that of its own weights."""
    own = list(facts["sources"].values())[-1:]
    weights = own[0] if own and not own[0]["local"] else {}
    return Subject(
        **{name: facts[name] for name in ("id", "name", "family", "base", "alignment", "licence")},
        kind="generator",
        open_weights=None if facts["backend"] == "builtin" else facts["alignment"] != "closed",
        repo=weights.get("repo"),
        revision=weights.get("revision"),
    )


def _task(given: str | None, source: str | None) -> str:
    """The task asked for, or that of the source by its name or its id on the Hub."""
    if given is not None:
        return TASKS[given].name
    for task in TASKS.values():
        prompts = None if task.prompts is None else task.prompts.hub_id
        if source in {task.name, task.hub_id, task.authors_id, prompts} - {None}:
            return task.name
    msg = f"the run was made from {source!r}, which names no task. Give one with --task."
    raise InputError(msg)


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({error}). Run the command that made it again."
        raise StoreError(msg) from error
    return found
