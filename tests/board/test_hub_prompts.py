"""The published prompts, in the authors' own columns, from a Hub on loopback."""

import io
import json
import sys
from pathlib import Path

import pytest
from datasets import Dataset

from aas_bench.run.prompts import N_PUBLISHED, PUBLISHED

PROGRAM = Path(__file__).parents[2] / "leaderboard" / "run.py"
# As leaderboard/run.py is started, but without the pauses between a client's attempts.
IMPATIENT = """
import runpy, sys, time
time.sleep = lambda seconds: None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def hub(loopback_hub):
    rows = [
        {
            "original_prompt": f"caption {i}",
            "disorted_long_prompt": f"caption {i}, blurred and dark",
            "selected": '["color-brightness"]',
            "negative_prompt": "sharp, bright",
        }
        for i in range(N_PUBLISHED + 10)
    ]
    file = io.BytesIO()
    Dataset.from_list(rows).to_parquet(file)
    loopback_hub.add(PUBLISHED, {"data/train-00000-of-00001.parquet": file.getvalue()})
    return loopback_hub


@pytest.fixture
def run(hub, builtin, tmp_path):
    def call(limit, **environment):
        command = ["run", str(builtin[0]), "--prompts", PUBLISHED, "--out", str(tmp_path / "run")]
        options = ["--limit", str(limit), "-r", "polish", "--json"]
        program = [sys.executable, "-c", IMPATIENT, str(PROGRAM)]
        settings = [f"{name}={value}" for name, value in environment.items()]
        return hub.run("env", *settings, *program, *command, *options, token=None)

    return call


@pytest.mark.slow
def test_the_authors_prompts_run_and_go_on_from_the_cache(run, hub, tmp_path):
    done = run(3)
    assert (done.returncode, done.stderr) == (0, "")
    (result,) = json.loads(done.stdout)["results"]
    commit = hub.repos["dataset", PUBLISHED].resolve("main")
    assert (result["prompts"]["source"], result["prompts"]["revision"]) == (PUBLISHED, commit)
    assert result["coverage"]["n_complete"] == 3
    records = tmp_path / "run/builtin_faithful/records"
    asked = {p.stem: json.loads(p.read_bytes())["prompt"] for p in records.iterdir()}
    assert asked == {
        **{f"{i:04d}_original": f"caption {i}" for i in range(3)},
        **{f"{i:04d}_distorted": f"caption {i}, blurred and dark" for i in range(3)},
    }
    again = run(3, HF_ENDPOINT="http://127.0.0.1:1", HF_HUB_OFFLINE="1")
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads(again.stdout)["results"][0]["measurements"] == result["measurements"]

    counted = hub.run_python(
        "from aas_bench.run.prompts import PUBLISHED, load_prompts\n"
        "asked = load_prompts(PUBLISHED).prompts\n"
        "print(len(asked), asked[-1].index, asked[-1].dimensions, asked[-1].negative)"
    )
    assert counted.strip() == "300 299 ('color-brightness',) sharp, bright"


@pytest.mark.parametrize("offline", ["0", "1"])
def test_without_the_hub_it_is_one_line(run, tmp_path, offline):
    done = run(3, HF_ENDPOINT="http://127.0.0.1:1", HF_HUB_OFFLINE=offline)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(
        f"aas-bench: {PUBLISHED}: the Hub does not answer and the dataset is not"
    )
    assert line.endswith("Connect to the network, or give a local copy.")
    assert done.stdout == ""
    assert not (tmp_path / "run").exists()
