"""What the README tells readers to type works as it stands."""

import re
import shlex
from pathlib import Path

import pytest

from aas_bench import load_scores, summarise
from aas_bench.cli import app
from aas_bench.evidence import EVIDENCE
from aas_bench.measure.standing import standings
from aas_bench.words import percent

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHELL = [
    line
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]


# The first is typed by `tests/first_hour`.
@pytest.mark.parametrize("block", PYTHON[1:], ids=lambda b: b.splitlines()[0])
def test_python_blocks_run(block, capsys):
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    said = capsys.readouterr().out.strip()
    assert said
    assert len(said.splitlines()) <= 8


def test_a_summary_of_many_reward_models_is_still_short():
    one = load_scores(EVIDENCE)
    names = [f"m{i}" for i in range(9)]
    frame = one.frame[["pair_id", "index"]].copy()
    for name in names:
        for cell in ("oiop", "oidp", "diop", "didp"):
            frame[f"{name}_{cell}"] = one.frame[f"hpsv3_{cell}"]
    summary = summarise(type(one).from_frame(frame))
    said = str(summary).splitlines()
    assert len(said) <= 20
    assert max(map(len, said)) <= 80
    assert said[1].startswith("m0: chose what was asked 29.0")
    assert said[-2] == "and 4 more reward models"
    assert repr(summary) == str(summary)


ROWS = {
    "chose I_a": ("chosen", 0),
    "moved towards the request, less those moved against it": ("moved", 0),
    "of those so moved, I_o won": ("overridden", 0),
    "moved in every unit of the score": ("moved_in_every_unit", 0),
    "of all pairs, so moved and I_o won": ("overridden_in_every_unit", 1),
}


def test_the_table_of_real_models_is_that_of_the_scores():
    found = standings(load_scores(EVIDENCE)).values()
    for row, (figure, digits) in ROWS.items():
        (line,) = (line for line in README.splitlines() if line.startswith(f"| {row} |"))
        shown = [cell.strip() for cell in line.strip("|").split("|")[1:]]
        for cell, standing in zip(shown, found, strict=True):
            each = getattr(standing, figure)
            low, high = (percent(end, digits=digits)[:-2] for end in (each.low, each.high))
            value = percent(each.value, digits=digits).replace("\u202f", " ")
            assert cell == f"{value} ({low} to {high})"


def test_nothing_is_said_to_be_understood_in_some_share():
    assert not re.search(r"(understands|notices)[^.]{0,60}\d+ ?%", README)


def test_the_two_commands_come_first():
    assert SHELL[0] == "pip install -e . && aas-bench demo"
    assert SHELL[1] == 'pip install -e ".[test]" && python -m pytest -n auto'


def test_every_command_and_option_named_exists():
    known = {command.name for command in app.registered_commands}
    for line in SHELL:
        for part in line.split("&&"):
            words = shlex.split(part)
            if words[0] == "aas-bench":
                assert words[1] in known


def test_links_to_files_of_the_repository_resolve():
    root = Path(__file__).parents[1]
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (root / target).exists(), target
