"""`score` as a user sees it."""

import json
import os
import subprocess
import sys

from support import toy_pairs


def test_no_library_draws_its_own_bars(tmp_path):
    arguments = ["--data", "counterfactual", "--limit", "2", "--reward", "random"]
    done = subprocess.run(
        [sys.executable, "-m", "aas_bench", "score", *arguments, "--out", str(tmp_path / "run")],
        env={k: v for k, v in os.environ.items() if k != "HF_DATASETS_DISABLE_PROGRESS_BARS"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 pairs, 0 with errors" in done.stdout
    assert "examples/s" not in done.stderr


def test_a_run_tells_which_placebos_it_scored(run, tmp_path):
    pairs = toy_pairs.dataset(toy_pairs.rows(n_prompts=2, generators=("one",)))
    pairs.map(lambda row: {"dimensions": ["emotion"]}).to_parquet(tmp_path / "two.parquet")

    def scored(out, *options):
        data = ("--data", tmp_path / "two.parquet", "--reward", "polish")
        return run("score", *data, "--out", tmp_path / out, *options)

    assert "matched placebos: 2 a pair for polish (4 more scores); " in scored("run").err
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["n_placebos"] == {"polish": 2}
    # More of them are more prompts: the run grows, and is as one made at once.
    assert scored("run", "--n-placebos", "3").code == scored("once", "--n-placebos", "3").code == 0
    grown, once = (tmp_path / name / "scores.parquet" for name in ("run", "once"))
    assert grown.read_bytes() == once.read_bytes()
    assert "placebos" not in scored("without", "--placebos", "none").err
    # Each asks for the same dimension: there is no foreign request.
    refused = scored("foreign", "--placebos", "foreign")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert "no pair can have foreign placebos" in refused.err


def test_evaluate_opens_the_pairs_once(run, tmp_path, monkeypatch):
    from aas_bench.tables import pairs

    opened = []
    load = pairs.load_pairs
    monkeypatch.setattr(
        pairs, "load_pairs", lambda source, **options: opened.append(source) or load(source)
    )
    table = tmp_path / "pairs.parquet"
    toy_pairs.dataset(toy_pairs.rows(n_prompts=2)).to_parquet(table)
    done = run("evaluate", "-d", table, "-r", "polish", "-o", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    assert opened == [str(table)]
    assert (tmp_path / "run" / "report" / "index.html").is_file()
