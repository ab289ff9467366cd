"""`score` as a user sees it."""

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
