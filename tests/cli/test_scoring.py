"""`score` as a user sees it."""

import datasets


def test_no_library_draws_its_own_bars(run, tmp_path):
    datasets.enable_progress_bars()
    arguments = ["--data", "counterfactual", "--limit", 2, "--reward", "random"]
    outcome = run("score", *arguments, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert "2 pairs, 0 with errors" in outcome.out
    assert "examples/s" not in outcome.err
