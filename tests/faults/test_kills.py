"""kill -9 at random instants of everything that takes long: no row is lost, none is altered.

A few kills of each here; `AAS_BENCH_KILLS=40 pytest -s tests/faults/test_kills.py` is the campaign
of docs/reliability.md, and prints its figures.
"""

import io
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from support.fault_jobs import workshop
from support.loopback_hub import loopback_hub
from support.loopback_judge import JudgeService, choose
from support.toy_pairs import dataset, rows

from aas_bench.tables.votes import read_lines

pytest.importorskip("openai")

N_KILLS = int(os.environ.get("AAS_BENCH_KILLS", "3"))
SEED = int(os.environ.get("AAS_BENCH_KILLS_SEED", "0"))
MOST_OF_ONE_RUN = 5  # then it may end
SHARE = 0.6  # of an undisturbed run; what goes on has less to do
SUBMISSION = Path(__file__).parents[2] / "leaderboard" / "submissions" / "builtin_faithful.yaml"
TIMES = ["latency_seconds", "cost_usd"]


@pytest.fixture(scope="module")
def hub():
    with loopback_hub() as served:
        yield served


@pytest.fixture(scope="module")
def start(hub, tmp_path_factory):
    environment = {**hub.environment(), "OPENAI_API_KEY": "any", "CUDA_VISIBLE_DEVICES": ""}
    with workshop(environment, tmp_path_factory.mktemp("logs")) as begin:
        yield begin


def ended(child):
    assert child.wait() == 0, child.said()


def survives(start, name, arguments, result, folder, check=lambda out: None):
    """Kill a job until it was killed often enough; each run ends as an undisturbed one.

    Args:
        start: Starts a job.
        name: The job.
        arguments: Its arguments for a folder.
        result: What a folder holds at the end: name -> comparable value, "rows" -> how many.
        folder: Where to work.
        check: What holds after each kill.
    """
    rng = np.random.default_rng(SEED)
    begun = time.monotonic()
    ended(start(name, *arguments(folder / "whole")))
    duration = time.monotonic() - begun
    expected = result(folder / "whole")
    n_killed = n_runs = n_rows = 0
    while n_killed < N_KILLS:
        out = folder / str(n_runs)
        for _ in range(MOST_OF_ONE_RUN):
            child = start(name, *arguments(out))
            time.sleep(rng.uniform(0, duration * SHARE))
            child.kill()
            code = child.wait()
            if code == 0:
                break  # it ended before
            assert code == -9, child.said()
            n_killed += 1
            check(out)
        ended(start(name, *arguments(out)))
        found = result(out)
        assert found == expected
        n_rows += found["rows"]
        # What was half-written is cleared away; but a cache may be another process's too.
        assert not [each for each in out.rglob(".aside-*") if "cache" not in each.parts]
        n_runs += 1
    report(name, n_killed, n_runs, n_rows)


def report(name, n_killed, n_runs, n_rows):
    told = f"{name}: {n_killed} kills, {n_runs} runs, {n_rows} rows, 0 lost, 0 altered"
    print(f"\n{told}", flush=True)  # noqa: T201 - the figures of the campaign


def test_scoring(start, tmp_path):
    def result(out):
        content = (out / "scores.parquet").read_bytes()
        return {"bytes": content, "rows": pq.read_metadata(io.BytesIO(content)).num_rows}

    n_parts = {}

    def check(out):
        now = len(list(out.glob("parts/*.sha256")))
        assert now >= n_parts.get(out, 0), "a kill undid what was finished"
        n_parts[out] = now

    survives(start, "score_pairs", lambda out: [out], result, tmp_path, check)


def test_judging(start, tmp_path):
    def result(out):
        answers = pd.read_parquet(out / "run" / "answers.parquet")
        content = (out / "run" / "judged.parquet").read_bytes()
        told = answers.drop(columns=TIMES, errors="ignore").to_json()
        return {"judged": content, "answers": told, "rows": len(answers)}

    kept = {}

    def check(out):
        """What was answered stays: each answer was paid for."""
        files = {p: p.read_bytes() for p in (out / "cache").rglob("*.json")}
        assert kept.get(out, {}).items() <= files.items()
        kept[out] = files

    with JudgeService(lambda seen: choose(seen.darker), stall=0.01).running() as service:
        survives(start, "ask_judges", lambda out: [service.url, out], result, tmp_path, check)


def test_a_leaderboard_run(start, tmp_path):
    def result(out):
        run = out / "builtin_faithful"
        document = json.loads((run / "result.json").read_bytes())
        (scores,) = run.glob("scores/*/scores.parquet")
        found = {p.name: p.read_bytes() for p in (run / "images").iterdir()}
        found |= {"scores": scores.read_bytes()}
        found |= {k: v for k, v in document.items() if k not in {"measured", "provenance"}}
        return found | {"rows": len(list((run / "images").iterdir()))}

    survives(start, "run_leaderboard", lambda out: [SUBMISSION, out], result, tmp_path)


def test_building(start, tmp_path):
    def result(out):
        files = {p.relative_to(out).as_posix(): p for p in sorted(out.rglob("*")) if p.is_file()}
        found = {n: p.read_bytes() for n, p in files.items() if not n.startswith(".build/")}
        n_rows = sum(pq.read_metadata(p).num_rows for p in out.glob("pairs/*.parquet"))
        return found | {"rows": n_rows}

    survives(start, "build_dataset", lambda out: [out], result, tmp_path)


def pair_ids(files):
    """The rows of the Parquet files of a repository."""
    found = []
    for name, content in sorted(files.items()):
        if name.endswith(".parquet"):
            found += pq.read_table(io.BytesIO(content), columns=["pair_id"])["pair_id"].to_pylist()
    return found


def test_publishing(start, hub, tmp_path):
    """Readers find the old rows or the new ones, whole, at every instant."""

    def repo(out):
        return f"weathon/toy-{out.name}"

    def arguments(out):
        if ("dataset", repo(out)) not in hub.repos:
            ended(start("publish_dataset", repo(out), 8, out / "one"))
        return [repo(out), 12, out / "two"]

    def check(out):
        there = pair_ids(hub.files(repo(out)))
        assert there in ([f"toy/{i:04d}" for i in range(n)] for n in (8, 12))

    def result(out):
        files = hub.files(repo(out))
        found = {n: c for n, c in files.items() if n.endswith(".parquet")}
        tags = sorted(hub.repos["dataset", repo(out)].tags)
        return found | {"rows": len(pair_ids(files)), "tags": tags}

    survives(start, "publish_dataset", arguments, result, tmp_path, check)
    assert hub.unknown == []


@pytest.fixture
def pairs(tmp_path):
    dataset(rows(n_prompts=60)).save_to_disk(tmp_path / "pairs")
    return tmp_path / "pairs"


def asked(url, path, **answer):
    body = json.dumps(answer).encode() if answer else None
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url + path, body, headers), timeout=5) as f:
        return json.loads(f.read())


def test_voting(start, pairs, tmp_path):
    """A vote that was acknowledged is in the file; one that was not is whole or not there."""
    rng = np.random.default_rng(SEED)
    votes, told = tmp_path / "votes.jsonl", tmp_path / "url"
    acknowledged, sent = [], []
    n_killed = 0
    while n_killed < N_KILLS:
        told.unlink(missing_ok=True)
        child = start("take_votes", pairs, votes, told)
        while not (told.exists() and told.read_text()):
            time.sleep(0.002)
        url = told.read_text()
        until = time.monotonic() + rng.uniform(0, 0.15)
        # Killed from here while a request is under way: the server works in another process.
        try:
            question = asked(url, "question?rater=Ada")
            while question["row"] is not None:
                if time.monotonic() > until:
                    child.kill()
                vote = {"rater": "Ada", "row": question["row"], "answer": "left", "ms": 5}
                sent.append(question["row"])
                question = asked(url, "vote", **vote)
                acknowledged.append(sent[-1])
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        else:
            child.kill()
            votes.rename(tmp_path / f"done-{n_killed}.jsonl")
            acknowledged, sent = [], []
        assert child.wait() == -9, child.said()
        n_killed += 1
        if not votes.exists():
            continue
        names = [f"{m}/{i:04d}" for m in ("one", "two", "three") for i in range(60)]
        stored = [names.index(vote.pair_id) for vote in read_lines(votes)]
        assert len(set(stored)) == len(stored)
        assert set(acknowledged) <= set(stored) <= set(sent)
    report("take_votes", n_killed, n_killed, len(acknowledged))
