"""docs/add-a-reward-model.md does what it says: its code is run, block by block."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aas_bench.errors import AasBenchError
from aas_bench.rewards.catalog import load_reward
from aas_bench.rewards.facts import RewardRow
from aas_bench.tables.scores import load_scores

PAGE = Path(__file__).parents[2] / "docs" / "add-a-reward-model.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language):
    return [
        code for kind, code in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if kind == language
    ]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs all Python blocks of the page in order, as one reader would; gives what they leave."""
    folder = tmp_path_factory.mktemp("reader")
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    left = {"folder": folder}
    try:
        for code in blocks("python"):
            if saved := re.match(r"# (\w+\.py)\n", code):
                (folder / saved[1]).write_text(code, encoding="utf-8")
                continue
            exec(compile(code, str(PAGE), "exec"), left)
        yield left
    finally:
        sys.path[:] = before
        sys.modules.pop("colour_words", None)


def test_every_block_is_of_a_kind_that_is_run():
    assert {kind for kind, _ in BLOCK.findall(PAGE.read_text(encoding="utf-8"))} == {"python", "sh"}
    assert len(blocks("python")) >= 5
    assert len(blocks("sh")) == 1


def test_the_function_scored_the_pairs(run):
    assert len(run["table"]) == 24
    assert 0 < np.mean(run["chose_what_was_asked_for"]) <= 1


def test_the_row_is_a_row(run):
    assert isinstance(run["row"], RewardRow)


def test_the_contrastive_name_of_the_page(run):
    [name] = re.findall(r"`(contrastive:\S+)`", PAGE.read_text(encoding="utf-8"))
    assert load_reward(name).base.name == "colour-words"


def test_the_command_is_typed_in_the_readers_folder(run, tmp_path):
    [line] = blocks("sh")
    program, *arguments = shlex.split(line)
    # as an installed command: its own folder is on the path, the current one is not
    script = tmp_path / program
    script.write_text("from aas_bench.cli import main\nmain()\n", encoding="utf-8")
    folder = str(run["folder"])
    assert folder not in os.environ.get("PYTHONPATH", "").split(os.pathsep)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script), *arguments]
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    table = load_scores(run["folder"] / "run" / "scores.parquet")
    assert table.rewards == ("colour-words", "polish")
    assert len(table) == 24
    assert not np.isnan(table.cells("colour-words").didp).any()


def test_the_promise_about_an_image_that_cannot_be_taken_is_about_value_error():
    """The page says ValueError; the package's own input errors are such."""
    from aas_bench.errors import InputError

    assert issubclass(InputError, ValueError)
    assert issubclass(InputError, AasBenchError)
