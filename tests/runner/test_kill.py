"""kill -9 at random instants, then the same call: byte for byte the table of an unbroken run."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.toy_pairs import dataset, rows
from support.toy_rewards import ToyCross, ToyDual

from aas_bench.data.pairs import load_pairs
from aas_bench.runner.score import score

TESTS = Path(__file__).parents[1]
PREAMBLE = f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
TOY = """
from runner.test_kill import toy_run
print("ready", flush=True)
toy_run(sys.argv[1])
"""
SPLIT = """
from runner.test_kill import split_run
print("ready", flush=True)
split_run(sys.argv[1])
"""


class SlowDual(ToyDual):
    def encode_images(self, images):
        time.sleep(0.01)
        return super().encode_images(images)


def toy_run(out):
    models = [SlowDual("dual"), ToyCross("cross")]
    return score(dataset(rows(n_prompts=20)), models, out=out, part_size=4, progress=False)


def split_run(out):
    rewards = ["polish", "effect-match", "random"]
    return score(load_pairs("counterfactual"), rewards, out=out, part_size=64, progress=False)


def killed_after(seconds, code, out):
    """Start the run in a process of its own and kill it; whether it was still at work."""
    command = [sys.executable, "-c", PREAMBLE + code, str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(seconds)
        process.kill()
    return process.returncode == -9


def survives(code, run, tmp_path, *, n_instants):
    started = time.monotonic()
    run(tmp_path / "whole")
    duration = time.monotonic() - started
    expected = (tmp_path / "whole" / "scores.parquet").read_bytes()
    instants = np.random.default_rng(0).uniform(0, duration, n_instants)
    n_killed = n_unfinished = 0
    for i, instant in enumerate(instants):
        out = tmp_path / str(i)
        n_killed += killed_after(instant, code, out)
        n_unfinished += not (out / "scores.parquet").exists()
        run(out)
        assert (out / "scores.parquet").read_bytes() == expected
        assert not list(out.rglob(".aside-*"))
    assert n_killed > 0
    assert n_unfinished > 0


def test_a_killed_run_ends_as_if_it_had_not_been(tmp_path):
    survives(TOY, toy_run, tmp_path, n_instants=4)


@pytest.mark.slow
def test_twenty_kills_of_the_counterfactual_split(tmp_path):
    survives(SPLIT, split_run, tmp_path, n_instants=20)


def test_killed_again_and_again(tmp_path):
    """Every attempt gets a little further; none undoes what another has finished."""
    toy_run(tmp_path / "whole")
    out = tmp_path / "out"
    n_parts = 0
    for _ in range(6):
        killed_after(0.25, TOY, out)
        now = len(list((out / "parts").glob("*.sha256"))) if out.exists() else 0
        assert now >= n_parts
        n_parts = now
    toy_run(out)
    files = [(tmp_path / run / "scores.parquet").read_bytes() for run in ("whole", "out")]
    assert files[0] == files[1]
