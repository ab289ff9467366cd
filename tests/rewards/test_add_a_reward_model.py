"""docs/add-a-reward-model.md does what it says: it is typed as printed, in an empty folder."""

import json
import os
import re
import subprocess
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest

from aas_bench.errors import AasBenchError
from aas_bench.tables.scores import load_scores

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "add-a-reward-model.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
CONTRASTIVE = re.findall(r"`(contrastive:\S+)`", PAGE.read_text(encoding="utf-8"))

LEFT = """
import json
from aas_bench import load_reward
left = {"n": len(table), "chose": float(np.mean(chose_what_was_asked_for))}
left |= {"row": type(row).__name__, "contrastive": load_reward(NAME).base.name}
print(json.dumps(left))
"""


def installed(folder):
    """An environment with this checkout installed, as `pip install -e .` would; its programs."""
    venv.create(folder, with_pip=False)
    python = next(folder.glob("lib*/python*/site-packages"))
    (python / "here.pth").write_text(f"{ROOT}\n{sysconfig.get_paths()['purelib']}\n")
    script = folder / "bin" / "aas-bench"
    script.write_text(f"#!{folder}/bin/python\nfrom aas_bench.cli import main\nmain()\n")
    script.chmod(0o755)
    return folder / "bin"


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """Types every block of the page in order, in an empty folder; gives the folder and the rest.

    Nothing helps imports: no PYTHONPATH, no path of this test. Python is one session on stdin.
    """
    programs, folder = installed(tmp_path_factory.mktemp("env")), tmp_path_factory.mktemp("reader")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"

    def typed(program, text):
        done = subprocess.run(
            [program],
            input=text,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    session = ""
    for kind, code in BLOCKS:
        if saved := re.match(r"# (\w+\.py)\n", code):
            (folder / saved[1]).write_text(code, encoding="utf-8")
        elif kind == "sh":
            typed("sh", f"set -e\n{code}")
        else:
            session += code
    said = typed("python", session + LEFT.replace("NAME", repr(CONTRASTIVE[0])))
    return folder, json.loads(said.splitlines()[-1])


def test_every_block_is_of_a_kind_that_is_typed():
    kinds = [kind for kind, _ in BLOCKS]
    assert set(kinds) == {"python", "sh"}
    assert kinds.count("python") >= 5
    assert kinds.count("sh") >= 1
    assert len(CONTRASTIVE) == 1


def test_python_does_what_the_page_says(reader):
    _, left = reader
    assert 0 < left.pop("chose") <= 1
    assert left == {"n": 24, "row": "RewardRow", "contrastive": "colour-words"}


def test_the_command_scored_the_pairs(reader):
    folder, _ = reader
    table = load_scores(folder / "run" / "scores.parquet")
    assert table.rewards == ("colour-words", "polish")
    assert len(table) == 24
    assert not np.isnan(table.cells("colour-words").didp).any()


def test_the_promise_about_an_image_that_cannot_be_taken_is_about_value_error():
    """The page says ValueError; the package's own input errors are such."""
    from aas_bench.errors import InputError

    assert issubclass(InputError, ValueError)
    assert issubclass(InputError, AasBenchError)
