"""`results` and `publish results` on the command line."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from support.score_runs import reward_run

BOARD = Path(__file__).parents[2] / "leaderboard" / "results"


@pytest.fixture
def board(run, tmp_path):
    done = run("results", "add", reward_run(tmp_path), "--to", tmp_path / "board")
    assert done.code == 0
    assert "wide_spectrum/alpha/measured: " in done.out
    return tmp_path / "board"


def test_what_was_added_is_accepted(run, board):
    done = run("results", "check", board)
    assert (done.code, done.out) == (0, "2 accepted, 0 refused\n")


def test_a_tampered_record_leaves_with_1_and_the_difference(run, board):
    file = board / "wide_spectrum/alpha/measured.json"
    document = json.loads(file.read_text())
    document["measurements"][0]["value"] = 1.0
    file.write_text(json.dumps(document))
    for place in (board, file):
        done = run("results", "check", place)
        assert done.code == 1
        assert "accuracy: value is 1.0, recomputed 0." in " ".join(done.out.split())
        assert "1 refused" in done.out
    verdicts = run("results", "check", board, "--json").json
    assert verdicts["n_refused"] == 1
    assert [v["id"] for v in verdicts["verdicts"] if v["refused"]] == [
        "wide_spectrum/alpha/measured"
    ]


def test_a_broken_file_is_named_and_steers_no_terminal(run, board):
    (board / "evil\x1b[31m.json").write_text("{")
    done = run("results", "check", board)
    assert done.code == 1
    assert "\x1b" not in done.out
    assert "is not JSON" in done.out


def test_collecting_names_what_it_leaves_out(run, board, tmp_path):
    (board / "broken.json").write_text("[]")
    done = run("results", "collect", board, "--out", tmp_path / "all.parquet")
    assert done.code == 0
    assert "refused: broken.json: is not one JSON object" in done.err
    assert set(pd.read_parquet(tmp_path / "all.parquet")["subject"]) == {
        "alpha",
        "hf-org-script-alert-x-script",
    }


def test_the_papers_records_are_made_anew_as_they_are_committed(run, tmp_path):
    done = run(
        "results", "published", "--to", tmp_path, "--submissions", BOARD.parent / "submissions"
    )
    assert done.code == 0
    made = {p.relative_to(tmp_path): p.read_text() for p in tmp_path.rglob("*.json")}
    committed = {
        p.relative_to(BOARD): p.read_text()
        for p in BOARD.rglob("*.json")
        if p.name in ("published.json", "pending.json", "schema.json")
    }
    assert made == committed


def test_a_dry_run_writes_and_pushes_nothing(run, board, tmp_path):
    done = run("publish", "results", board, "--dry-run", tmp_path / "out", "--json")
    assert done.code == 0
    assert done.json["pushed"] == []
    assert done.json["n_records"] == 2
    assert (tmp_path / "out" / "results" / "README.md").is_file()
    assert (tmp_path / "out" / "benchmarks" / "wide_spectrum" / "eval.yaml").is_file()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ((), "either --dry-run FOLDER or --push"),
        (("--dry-run", "x", "--push", "a/b"), "either --dry-run FOLDER or --push"),
        (("--dry-run", "x", "--models"), "Leave out --benchmarks and --models"),
    ],
)
def test_options_at_odds(run, board, options, match):
    done = run("publish", "results", board, *options)
    assert done.code == 2
    assert match in done.err


def test_a_push_opens_a_pull_request_by_default(run, board, loopback_hub, monkeypatch):
    loopback_hub.patch(monkeypatch)
    loopback_hub.add("weathon/aas_bench_results", {"README.md": b"old"})
    done = run("publish", "results", board, "--push", "weathon/aas_bench_results")
    assert done.code == 0, done.err
    assert "/discussions/1" in done.out
    assert loopback_hub.files("weathon/aas_bench_results")["README.md"] == b"old"
    proposed = loopback_hub.files("weathon/aas_bench_results", revision="refs/pr/1")
    assert "records/wide_spectrum/alpha/measured.json" in proposed


def test_a_snapshot_is_frozen_once_and_compared(run, tmp_path):
    shutil.copytree(BOARD, tmp_path / "results")
    done = run("results", "snapshot", tmp_path / "results", "--to", tmp_path, "--version", "one")
    assert (done.code, "records:" in done.out) == (0, True)
    shutil.rmtree(tmp_path / "results" / "wide_spectrum" / "hpsv3")
    run("results", "snapshot", tmp_path / "results", "--to", tmp_path, "--version", "two")
    found = run("results", "diff", tmp_path / "one", tmp_path / "two", "-o", tmp_path / "d.html")
    assert found.code == 0
    assert "gone: wide_spectrum/hpsv3/measured chosen" in found.out
    assert (tmp_path / "d.html").is_file()
    again = run("results", "snapshot", tmp_path / "results", "--to", tmp_path, "--version", "two")
    assert again.code == 2
