"""kill -9 at random instants, then the same call: byte for byte the table of an unbroken run."""

import time

import numpy as np
import pytest
from support.kill_runs import killed_after, split_run, toy_run

from aas_bench.tables.pairs import load_pairs

EVERY = 4  # One pair in four is scored, in parts a fourth as large: as many parts as of all.


def survives(run, folder, *, n_instants):
    started = time.monotonic()
    run(folder / "whole")
    duration = time.monotonic() - started
    expected = (folder / "whole" / "scores.parquet").read_bytes()
    n_killed = n_unfinished = 0
    for i, instant in enumerate(np.random.default_rng(0).uniform(0, duration, n_instants)):
        out = folder / str(i)
        n_killed += killed_after(instant, run, out)
        n_unfinished += not (out / "scores.parquet").exists()
        run(out)
        assert (out / "scores.parquet").read_bytes() == expected
        assert not list(out.rglob(".aside-*"))
    assert n_killed > 0
    assert n_unfinished > 0


def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path):
    survives(toy_run, tmp_path, n_instants=6)


@pytest.mark.slow
def test_twenty_kills_of_the_counterfactual_split(tmp_path):
    split = load_pairs("counterfactual")
    split.select(range(0, len(split), EVERY)).save_to_disk(tmp_path / "split")
    survives(split_run, tmp_path, n_instants=20)


def test_killed_again_and_again(tmp_path):
    """Every attempt may get a little further; none undoes what another has finished."""
    toy_run(tmp_path / "whole")
    out = tmp_path / "out"
    n_parts = 0
    for _ in range(6):
        killed_after(0.2, toy_run, out)
        now = len(list((out / "parts").glob("*.sha256"))) if out.exists() else 0
        assert now >= n_parts
        n_parts = now
    toy_run(out)
    files = [(tmp_path / run / "scores.parquet").read_bytes() for run in ("whole", "out")]
    assert files[0] == files[1]
