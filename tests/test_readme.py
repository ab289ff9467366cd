"""What the README tells readers to type works as it stands."""

import re
import shlex
from pathlib import Path

import pytest

from aas_bench.cli import app

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SHELL = [
    line
    for block in re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]


@pytest.mark.parametrize("block", PYTHON, ids=lambda b: b.splitlines()[0])
def test_python_blocks_run(block, capsys):
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.strip()


def test_the_two_commands_come_first():
    assert SHELL[0] == "pip install -e . && aas-bench demo"
    assert SHELL[1].startswith('pip install -e ".[test]"')


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
