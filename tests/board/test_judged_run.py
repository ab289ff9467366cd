"""A generator's images before judges: the same measures as the published ones."""

import json

import pytest
from support.loopback_judge import JudgeService, choose

pytest.importorskip("openai")


def _say(seen):
    if "questions" in seen.task:
        return {
            each["key"]: "no" if "only_if" not in each else "not applicable"
            for each in seen.task["questions"]
        }
    if "caption" in seen.task:
        return {"why": "", "main_concept": 80, "requested_effects": 30}
    return choose("neither")


def test_a_run_asks_judges_in_each_way(leaderboard, builtin, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any")
    monkeypatch.setenv("AAS_BENCH_CACHE", str(tmp_path / "cache"))
    command = ["run", builtin[1], "--out", tmp_path / "run", "--limit", 2, "-r", "polish"]
    command += ["--judge", "j=openai:m"]
    with JudgeService(_say).running() as service:
        monkeypatch.setenv("OPENAI_BASE_URL", service.url)
        code, stdout, _ = leaderboard(*command)
        n_asked = len(service.asked)
        assert leaderboard(*command)[0] == 0
        assert len(service.asked) == n_asked
    assert code == 0
    assert "Judge prefers the request" in stdout
    record = json.loads((tmp_path / "run" / "builtin_polish" / "result.json").read_bytes())
    found = {each["measure"]: each for each in record["judged"]["measurements"]}
    assert {each["reward"] for each in found.values()} == {"j"}
    # `polish` gives one and the same picture twice: a tie, and no difference of any mark.
    assert {name: each["value"] for name, each in found.items()} == {
        "llm_win": 0,
        "special_effects_diff": 0,
        "main_concepts_diff": 0,
        "effects_present_diff": 0,
        "effects_strong_diff": 0,
    }
    assert record["judged"]["missing"]["pairwise"] == {"j": 0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--judge", "gpt"], "no judge is called 'gpt'"),
        (["--judge", "openai:m", "--seed-images"], "Leave --judge out"),
    ],
)
def test_mistakes_are_found_before_the_images(leaderboard, builtin, tmp_path, arguments, message):
    code, _, stderr = leaderboard("run", builtin[0], "--out", tmp_path / "run", *arguments)
    assert code == 2
    assert message in stderr
    assert not (tmp_path / "run").exists()
