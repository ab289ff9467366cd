"""`score` as a user sees it."""

import os
import subprocess
import sys


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
