"""From a run directory to records: the numbers, the scores they rest on, and how it was made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import InputError, StoreError
from aas_bench.evidence import EVIDENCE, HUB_ID, NAMES, SUBSET
from aas_bench.files import file_sha256, json_value, whole_file
from aas_bench.measure.clean_up import clean_up_measurements, load_clean_up
from aas_bench.measure.row_findings import TABLE_PROBES
from aas_bench.measure.summary import STANDARD, Summary, standard
from aas_bench.records.collection import load_results, save_record
from aas_bench.records.published import paper, reward_subject
from aas_bench.records.record import SCHEMA_VERSION, Measurement, Record, Scores, Source, Subject
from aas_bench.records.scores_file import scores_only
from aas_bench.tables.scores import ScoreTable, load_scores, score_columns
from aas_bench.tasks.catalog import TASKS, task_of
from aas_bench.version import __version__

MEASURED: Final = "measured"
RESULT: Final = "result.json"
SCORES: Final = "scores.parquet"
DOCTOR: Final = "doctor.json"
CLEAN_UP: Final = "clean_up.parquet"
CLEANED: Final = "clean-up"
"""Last part of the id of an image-to-image result, which stands beside the text-to-image one."""

_TOLD: Final = (
    *("command", "git_revision", "machine", "python", "seed", "time", "versions"),
    *("pairs", "reward", "generator", "coverage", "prompts", "judged"),
    "revision",
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
            generator's directory made by `leaderboard/run.py` (one record; that of a run from
            seed images ends in `clean-up`).
        folder: Where records are kept; made where absent.
        task: The task of the pairs or prompts; None: as the run says.
        tag: Last part of the records' ids; another one keeps an earlier result beside.

    Raises:
        InputError: The folder is no such run, or its task is unknown.
        StoreError: A file of the run is damaged.
    """
    if (run / RESULT).is_file():
        return (_add_generator(run, folder, task, tag),)
    if (run / SCORES).is_file():
        return _add_rewards(run, folder, task, tag)
    msg = (
        f"{run} holds neither {SCORES} nor {RESULT}. "
        "Give the folder that `aas-bench evaluate` or leaderboard/run.py wrote."
    )
    raise InputError(msg)


def add_evidence(folder: Path, *, time: str, tag: str = MEASURED) -> tuple[Record, ...]:
    """Write the records of the published per-pair scores that the package brings.

    They are measured like a run of ours, and say whose scores they are and of which pairs. Which
    commit of a reward model gave the scores is not published, so no revision is told.

    Args:
        folder: Where records are kept; made where absent.
        time: When they are measured, as an ISO date or time.
        tag: Last part of the records' ids.

    Raises:
        InputError: A record of this id is there already.
    """
    table = load_scores(EVIDENCE)
    task = _task(None, HUB_ID)
    records = []
    for column, name in NAMES.items():
        cells = dict(zip(score_columns(column), score_columns(name), strict=True))
        renamed = ScoreTable(frame=table.frame.rename(columns=cells), rewards=(name,))
        subject = reward_subject(slug(column.replace("_", "-")), name)
        record = _add(
            scores_only(renamed, (name,)),
            folder,
            subject=subject.model_copy(update={"revision": None}),
            task=task,
            tag=tag,
            about={
                "time": time,
                "command": ["aas-bench", "results", "evidence"],
                "versions": {"aas-bench": __version__},
            },
            source=Source(
                title=paper()["title"],
                url=f"https://huggingface.co/datasets/{HUB_ID}",
                location="scores of Stable Diffusion 3.5 Large",
            ),
            subset=SUBSET,
        )
        records.append(record)
    return tuple(records)


def remeasure(folder: Path) -> tuple[Record, ...]:
    """Measure every measured record of a folder again, from the scores beside it.

    For records that an earlier version of the package made, whose numbers no longer follow from
    their scores. Subject, task, scores and provenance stay as they are.

    Raises:
        InputError: There is no such folder, or a record's scores are not beside it.
        StoreError: The scores are not those that a record names.
    """
    return tuple(_again(record, folder) for record in load_results(folder).of(status="measured"))


def _again(record: Record, folder: Path) -> Record:
    assert record.scores is not None
    file = (folder / record.id).parent / record.scores.file
    moved = load_clean_up(file) if file.is_file() else None
    table = load_scores(file) if moved is None else None
    if file_sha256(file) != record.scores.sha256:
        msg = f"{file} is not the file that {record.id} was measured from. Add its run anew."
        raise StoreError(msg)
    if table is None:
        assert moved is not None
        again = tuple(map(Measurement.of, clean_up_measurements(moved, STANDARD)))
        return _saved(record.model_copy(update={"measurements": again}), folder)
    summary = standard(table, task=record.task)
    found = map(Measurement.of, summary.measurements(record.subject.kind))
    provenance = {**(record.provenance or {}), "analysis": asdict(summary.analysis)}
    provenance["doctor"] = _doctor(summary, {"doctor": {"findings": provenance.get("doctor", ())}})
    told = {"measurements": tuple(found), "provenance": provenance}
    return _saved(record.model_copy(update=told), folder)


def _saved(record: Record, folder: Path) -> Record:
    save_record(record, folder)
    return record


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
    if about.get("round", 1) <= len(manifest.get("earlier", ())):
        msg = f"{run} is being grown, and its table is not whole. Repeat the command that grows it."
        raise StoreError(msg)
    pairs = _json(run / "pairs.json") if (run / "pairs.json").is_file() else {}
    task = _task(task, pairs.get("source"))
    if (run / DOCTOR).is_file():
        about["doctor"] = _json(run / DOCTOR)
    described = {each["name"]: each for each in manifest["spec"]["rewards"]}
    table = load_scores(run / SCORES, rewards=list(about["rewards"]))
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
    result = _json(run / RESULT)
    about = result["provenance"] | {
        "generator": result["generator"],
        "coverage": result["coverage"],
        "prompts": result["prompts"],
        **({"judged": result["judged"]} if "judged" in result else {}),
    }
    if "clean_up" in result:
        tag = CLEANED if tag == MEASURED else tag
        return _add_clean_up(run, folder, result, about, task=task, tag=tag)
    table = load_scores(run / SCORES)
    return _add(
        scores_only(table, table.rewards, judged=True),
        folder,
        subject=_generator_subject(result["submission"]),
        task=_task(task, result["prompts"]["source"]),
        tag=tag,
        about=about,
    )


def _add_clean_up(
    run: Path,
    folder: Path,
    result: Mapping[str, Any],
    about: Mapping[str, Any],
    *,
    task: str | None,
    tag: str,
) -> Record:
    """The record of an image-to-image run, its table beside it."""
    subject = _generator_subject(result["submission"])
    task = _task(task, result["prompts"]["source"])
    table = load_clean_up(run / CLEAN_UP) if (run / CLEAN_UP).is_file() else None
    if table is None:
        msg = f"{run} holds no {CLEAN_UP}. Run the same command again: no image is made anew."
        raise InputError(msg)
    place = _place(folder, task, subject, tag)
    file = place / f"{tag}.parquet"
    with whole_file(file) as stream:
        stream.write((run / CLEAN_UP).read_bytes())
    found = {name: about[name] for name in _TOLD if name in about}
    record = Record(
        schema_version=SCHEMA_VERSION,
        id=f"{task}/{subject.id}/{tag}",
        status="measured",
        subject=subject,
        task=task,
        measurements=tuple(map(Measurement.of, clean_up_measurements(table, STANDARD))),
        scores=Scores(file=file.name, sha256=file_sha256(file), n_pairs=len(table)),
        provenance={**redacted(found), "analysis": asdict(STANDARD)},
        created=date.fromisoformat(about["time"][:10]),
    )
    return _saved(record, folder)


def _place(folder: Path, task: str, subject: Subject, tag: str) -> Path:
    place = folder / task / subject.id
    if (place / f"{tag}.json").exists():
        msg = f"{place / tag}.json exists already. Remove it, or keep both with another --tag."
        raise InputError(msg)
    place.mkdir(parents=True, exist_ok=True)
    return place


def _add(
    table: ScoreTable,
    folder: Path,
    *,
    subject: Subject,
    task: str,
    tag: str,
    about: Mapping[str, Any],
    source: Source | None = None,
    subset: str | None = None,
) -> Record:
    """Write the scores, read them back, measure and write the record beside them."""
    place = _place(folder, task, subject, tag)
    file = table.save(place / f"{tag}.parquet")
    summary = standard(load_scores(file), task=task)
    record = to_record(summary, file, subject=subject, task=task, tag=tag, about=about)
    record = record.model_copy(update={"source": source, "subset": subset})
    save_record(record, folder)
    return record


def to_record(
    summary: Summary,
    scores: Path,
    *,
    subject: Subject,
    task: str,
    tag: str,
    about: Mapping[str, Any],
) -> Record:
    """The record of a subject, from what was measured and the file of its scores.

    Args:
        summary: What `standard` gives for the scores.
        scores: The file that they were read from.
        subject: What the record is about.
        task: The task of the pairs.
        tag: Last part of the record's id.
        about: How the scores were made, with the `time`; what a record tells of it is kept.
    """
    found = {name: about[name] for name in _TOLD if name in about}
    return Record(
        schema_version=SCHEMA_VERSION,
        id=f"{task}/{subject.id}/{tag}",
        status="measured",
        subject=subject,
        task=task,
        measurements=tuple(map(Measurement.of, summary.measurements(subject.kind))),
        scores=Scores(
            file=scores.name,
            sha256=file_sha256(scores),
            n_pairs=summary.n_rows,
        ),
        provenance={
            **redacted(found),
            "analysis": asdict(summary.analysis),
            "doctor": _doctor(summary, about),
        },
        created=date.fromisoformat(about["time"][:10]),
    )


def _doctor(summary: Summary, about: Mapping[str, Any]) -> list[Any]:
    """What is odd: of the scores as measured here, of the images as the doctor left it."""
    odd = [each.to_dict() for each in summary.doctor]
    left = (about.get("doctor") or {}).get("findings", ())
    return [*odd, *(redacted(each) for each in left if each["probe"] not in TABLE_PROBES)]


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
    if (found := task_of(source)) is not None:
        return found
    msg = f"the run was made from {source!r}, which names no task. Give one with --task."
    raise InputError(msg)


def _json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read ({error}). Run the command that made it again."
        raise StoreError(msg) from error
    return found
