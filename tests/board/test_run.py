import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from support.fake_generator import FakeGenerator

from aas_bench.tables.schema import score_column
from aas_bench.tables.scores import load_scores

PROGRAM = Path(__file__).parents[2] / "leaderboard" / "run.py"
FEW = 18  # two prompts for each scene
REWARDS = ("effect-match", "average-taste", "polish")


def images(run):
    return {p.name: p.read_bytes() for p in (run / "images").iterdir()}


def lasting(record):
    """A result without what differs from run to run."""
    return {k: v for k, v in record.items() if k not in {"measured", "provenance"}}


def result(out, name):
    return json.loads((out / name / "result.json").read_bytes())


def figures(record):
    """By reward model, its figures over all pairs by measure."""
    found = {}
    for each in record["measurements"]:
        if each["reward"] is not None and each["by"] is None and each["at"] is None:
            found.setdefault(each["reward"], {})[each["measure"]] = each
    return found


def test_faithful_follows_and_polish_does_not(leaderboard, builtin, tmp_path):
    code, stdout, stderr = leaderboard("run", *builtin, "--out", tmp_path, "--limit", FEW)
    assert (code, stderr) == (0, "")
    faithful, polish = (result(tmp_path, f"builtin_{name}") for name in ("faithful", "polish"))
    for record in (faithful, polish):
        assert record["coverage"]["n_complete"] == FEW
        assert set(figures(record)) == set(REWARDS)
        assert record["prompts"]["source"] == "counterfactual"
    follows, polishes = figures(faithful), figures(polish)
    assert follows["effect-match"]["chosen"]["value"] > 0.9
    assert follows["effect-match"]["chosen"]["low"] > 0.5
    assert polishes["effect-match"]["chosen"]["value"] == 0
    assert follows["polish"]["delta"]["high"] < 0
    assert polishes["polish"]["delta"]["value"] == 0
    override = follows["average-taste"]
    assert override["overridden"]["value"] > 0
    assert sum(override[o]["value"] for o in ("followed", "overridden", "missed", "lucky")) == (
        pytest.approx(1)
    )
    for name in ("builtin_faithful", "builtin_polish"):
        report = tmp_path / name / "report" / "index.html"
        assert str(report) in stdout
        assert f"builtin:{name.removeprefix('builtin_')}" in report.read_text()
    tax = json.loads((tmp_path / "families.json").read_bytes())["families"]["builtin"]
    taste = [row for row in tax if row["reward"] == "polish"]
    assert {(r["aligned"], r["base"]) for r in tax} == {("builtin_polish", "builtin_faithful")}
    assert [row["rank_biserial"]["value"] for row in taste] == [1, 1]
    for name in ("mean", "rank"):
        assert all(row[f"{name}_p_holm"] >= row[f"{name}_test"]["p_value"] for row in taste)
    assert "family builtin" in stdout


def test_the_record_says_what_the_scores_say(leaderboard, builtin, tmp_path):
    code, stdout, _ = leaderboard(
        "run", builtin[0], "--out", tmp_path, "--limit", 6, "-r", "polish", "--json"
    )
    assert code == 0
    (record,) = json.loads(stdout)["results"]
    assert record == result(tmp_path, "builtin_faithful")
    (scores,) = tmp_path.glob("builtin_faithful/scores/*/scores.parquet")
    frame = load_scores(scores).frame
    original, distorted = (frame[score_column("polish", c)] for c in ("oiop", "diop"))
    row = figures(record)["polish"]
    assert row["delta"]["value"] == pytest.approx((distorted - original).mean())
    assert row["after"]["value"] == pytest.approx(distorted.mean())
    assert list(figures(record)) == ["polish"]
    assert record["submission"]["settings"]["original"]["width"] == 384
    assert record["provenance"]["seed"] == record["seed"] == 0
    assert "numpy" in record["generator"]["versions"]


def test_killed_and_run_again_it_gives_the_same_images(leaderboard, builtin, tmp_path):
    command = ["run", str(builtin[0]), "-r", "polish", "--limit", str(FEW), "--out"]
    assert leaderboard(*command, tmp_path / "whole")[0] == 0
    broken = tmp_path / "broken" / "builtin_faithful"
    process = subprocess.Popen([sys.executable, PROGRAM, *command, tmp_path / "broken"])
    while process.poll() is None and len(list(broken.glob("records/*.json"))) < 3:
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    n_made = len(list(broken.glob("records/*.json")))
    assert 3 <= n_made < 2 * FEW
    assert not (broken / "result.json").exists()
    made = {p: p.stat().st_mtime_ns for p in (broken / "records").glob("*.json")}
    assert leaderboard(*command, tmp_path / "broken")[0] == 0
    assert images(broken) == images(tmp_path / "whole" / "builtin_faithful")
    assert {p: p.stat().st_mtime_ns for p in made} == made
    records = [result(tmp_path / run, "builtin_faithful") for run in ("broken", "whole")]
    assert lasting(records[0]) == lasting(records[1])


def test_ctrl_c_leaves_a_run_that_goes_on(builtin, tmp_path):
    command = [sys.executable, PROGRAM, "run", *builtin, "--out", tmp_path]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        # A shell ignores SIGINT for what it runs in the background, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while process.poll() is None and not list(tmp_path.glob("*/records/*.json")):
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted. Go on with: aas-bench leaderboard run" in stderr
    assert "Traceback" not in stderr


def test_another_seed_does_not_mix(leaderboard, builtin, tmp_path):
    command = ["run", builtin[1], "--out", tmp_path, "--limit", 2, "-r", "polish"]
    assert leaderboard(*command)[0] == 0
    before = images(tmp_path / "builtin_polish")
    code, _, stderr = leaderboard(*command, "--seed", 1)
    assert code == 1
    assert "seed was 0, is 1" in stderr
    assert len(stderr.splitlines()) == 1
    assert images(tmp_path / "builtin_polish") == before


def test_a_missing_image_is_a_pair_without_scores(leaderboard, builtin, tmp_path, monkeypatch):
    verdicts = {(0, "distorted"): ("refused", "no"), (1, "original"): ("failed", "timed out")}
    generators = [FakeGenerator(verdicts=verdicts), FakeGenerator()]
    monkeypatch.setattr("aas_bench.run.generate.load_generator", lambda *_, **__: generators.pop(0))
    command = ["run", builtin[0], "--out", tmp_path, "--limit", 5, "-r", "polish", "--json"]
    code, stdout, stderr = leaderboard(*command)
    assert code == 0, stderr
    (record,) = json.loads(stdout)["results"]
    assert record["coverage"]["n_complete"] == 3
    assert record["coverage"]["distorted"]["reasons"] == {"refused: no": 1}
    row = figures(record)["polish"]
    assert row["chosen"]["coverage"] == row["delta"]["coverage"] == 0.6
    assert row["delta"]["n"] == 3
    (scores,) = tmp_path.glob("builtin_faithful/scores/*/scores.parquet")
    frame = load_scores(scores).frame
    assert len(frame) == 5
    assert frame["polish_diop"].isna().tolist() == [True, False, False, False, False]
    code, stdout, _ = leaderboard(*command, "--retry-failed")
    assert json.loads(stdout)["results"][0]["coverage"]["n_complete"] == 4
    assert figures(json.loads(stdout)["results"][0])["polish"]["delta"]["n"] == 4


def test_a_generator_that_makes_nothing_gives_a_record_without_numbers(
    leaderboard, builtin, tmp_path, monkeypatch
):
    verdicts = {(i, v): ("refused", "no") for i in range(3) for v in ("original", "distorted")}
    monkeypatch.setattr(
        "aas_bench.run.generate.load_generator",
        lambda *_, **__: FakeGenerator(verdicts=verdicts),
    )
    code, stdout, stderr = leaderboard("run", *builtin, "--out", tmp_path, "--limit", 3, "--json")
    assert code == 0, stderr
    document = json.loads(stdout)
    for record in document["results"]:
        assert record["coverage"]["n_complete"] == 0
        for row in figures(record).values():
            assert row["delta"]["value"] is None
            assert row["delta"]["reason"]
            assert row["delta"]["coverage"] == row["chosen"]["coverage"] == 0
    assert {row["mean_p_holm"] for row in document["families"]["builtin"]} == {None}


def test_from_seed_images_polish_goes_back_and_faithful_does_not(leaderboard, builtin, tmp_path):
    code, stdout, stderr = leaderboard(
        "run", *builtin, "--out", tmp_path, "--limit", 9, "--seed-images", "--json"
    )
    assert (code, stderr) == (0, "")
    faithful, polish = (r["clean_up"]["means"] for r in json.loads(stdout)["results"])
    assert faithful["way_back"]["high"] < 0.1
    assert polish["way_back"]["low"] > 0.3
    assert faithful["to_seed"]["value"] < faithful["to_original"]["value"]
    assert polish["to_seed"]["value"] > polish["to_original"]["value"]
    assert faithful["effect_after"]["value"] > faithful["effect_before"]["value"]
    assert polish["effect_after"]["value"] < polish["effect_before"]["value"]
    assert faithful["effect_before"] == polish["effect_before"]
    assert not (tmp_path / "builtin_polish" / "report").exists()


def test_check_tells_the_cost_without_weights(leaderboard, builtin):
    flux = builtin[0].with_name("flux_dev.yaml")
    code, stdout, stderr = leaderboard("check", flux, builtin[0], "--limit", 10)
    assert (code, stderr) == (0, "")
    assert " ".join(stdout.split()) == (
        f"{flux}: flux_dev: 20 images, 640 steps, 640 denoiser calls, memory class L "
        f"{builtin[0]}: builtin_faithful: 20 images, no card needed"
    )
    code, stdout, _ = leaderboard("check", flux, "--json")
    (row,) = json.loads(stdout)["submissions"]
    assert (row["images"], row["memory"], row["pending"]) == (600, "L", [])


def test_every_published_submission_passes_the_check(leaderboard, builtin):
    files = sorted(builtin[0].parent.glob("*.yaml"))
    assert leaderboard("check", *files)[0] == 0


def test_every_fault_of_every_file_is_a_line_and_the_code_is_2(leaderboard, builtin, tmp_path):
    facts = yaml.safe_load(builtin[0].read_text())
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(yaml.safe_dump({**facts, "id": "../x", "nonsense": 1}))
    second.write_text(yaml.safe_dump({**facts, "model": "other"}))
    code, _, stderr = leaderboard("check", first, second, builtin[0])
    assert code == 2
    assert [line.split(" ")[0] for line in stderr.splitlines()] == [
        f"{first}:",
        f"{first}:",
        f"{second}:",
    ]
    code, stdout, _ = leaderboard("check", first, second, "--json")
    assert code == 2
    assert json.loads(stdout)["faults"] == stderr.splitlines()
    code, _, run_stderr = leaderboard("run", first, second, "--out", tmp_path / "out")
    assert (code, run_stderr) == (2, stderr)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--rewards", "polsh"], "Did you mean polish"),
        (["--preset", "paper"], "no preset is called 'paper'"),
        (["--prompts", "absent.jsonl"], "there is no such file"),
        (["--seed-images", "-r", "polish"], "Leave --rewards out"),
    ],
)
def test_a_wrong_option_is_one_line_before_any_image(
    arguments, told, leaderboard, builtin, tmp_path
):
    code, _, stderr = leaderboard("run", builtin[0], "--out", tmp_path / "out", *arguments)
    assert code == 2
    assert told in stderr
    assert len(stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_pending_revision_and_an_id_given_twice_do_not_run(leaderboard, builtin, tmp_path):
    krea = builtin[0].with_name("flux_krea.yaml")
    code, _, stderr = leaderboard("run", krea, "--out", tmp_path / "out")
    assert code == 2
    assert "Fill in revision" in stderr
    copy = tmp_path / "copy.yaml"
    copy.write_text(builtin[0].read_text())
    code, _, stderr = leaderboard("run", builtin[0], copy, "--out", tmp_path / "out")
    assert code == 2
    assert stderr == (
        f"{copy}: id: 'builtin_faithful' is that of {builtin[0]} too. Give each its own.\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run"], "aas-bench: Missing argument 'files'. See: aas-bench leaderboard run --help"),
        (["make"], "aas-bench: No such command 'make'. See: aas-bench leaderboard --help"),
        (["check", "x.yaml", "--limit", "0"], "Invalid value for '--limit'"),
    ],
)
def test_wrong_usage_is_one_line(leaderboard, arguments, line):
    code, stdout, stderr = leaderboard(*arguments)
    assert (code, stdout) == (2, "")
    assert line in stderr
    assert len(stderr.splitlines()) == 1
