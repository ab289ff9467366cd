"""Every command on the page about judges that asks a model, run as it stands."""

import re
import shlex
from pathlib import Path

import pytest
from support.loopback_judge import JudgeService, answer_of_kind, dark_pairs

pytest.importorskip("openai")

ROOT = Path(__file__).parents[2]
MODELS = (ROOT / "docs" / "judges.md").read_text().partition("## Language models")[2]
COMMANDS = re.findall(r"^aas-bench .+$", MODELS, re.MULTILINE)


def test_the_page_has_every_way_of_asking():
    for each in ("judge pairwise", "judge graded", "judge checklist", "leaderboard run"):
        assert any(each in command for command in COMMANDS)


def test_the_commands_of_the_page_run(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "leaderboard").symlink_to(ROOT / "leaderboard")
    dark_pairs(4).to_parquet("pairs.parquet")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any")
    monkeypatch.setenv("AAS_BENCH_CACHE", str(tmp_path / "cache"))
    with JudgeService(answer_of_kind).running() as service:
        monkeypatch.setenv("OPENAI_BASE_URL", service.url)
        for command in COMMANDS:
            found = run(*shlex.split(command)[1:])
            assert (found.code, command) == (0, command), found.err
    assert service.asked
