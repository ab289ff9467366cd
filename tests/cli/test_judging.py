"""`aas-bench judge`, against a loopback endpoint."""

import json

import numpy as np
import pandas as pd
import pytest
from support.loopback_apis import openrouter_error
from support.loopback_judge import JudgeService, answer_of_kind, dark_pairs

from aas_bench.board.tabs.reward_models import reward_models
from aas_bench.records.accept import accepted

pytest.importorskip("openai")


@pytest.fixture
def pairs(tmp_path):
    dark_pairs(6).to_parquet(tmp_path / "pairs.parquet")
    return tmp_path / "pairs.parquet"


@pytest.fixture
def endpoint(monkeypatch, tmp_path):
    """A model that knows dark from bright, at OPENAI_BASE_URL."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any")
    monkeypatch.setenv("AAS_BENCH_CACHE", str(tmp_path / "cache"))

    with JudgeService(answer_of_kind).running() as service:
        monkeypatch.setenv("OPENAI_BASE_URL", service.url)
        yield service


def test_pairwise(run, pairs, endpoint, tmp_path):
    command = ["judge", "pairwise", "-d", pairs, "-j", "openai:m", "-j", "two=openai:n"]
    command += ["-o", tmp_path / "run", "--concurrency", 3]
    found = run(*command)
    assert (found.code, found.err) == (0, "")
    assert "openai:m: 12 of 12 questions answered" in found.out
    assert "judge prefers the request: 100.0\N{NARROW NO-BREAK SPACE}%" in found.out
    assert "bias to the first image: 0.000" in found.out
    assert "openai:m and two: kappa" in found.out
    assert "\x1b" not in found.out
    assert endpoint.most_under_way <= 3
    frame = pd.read_parquet(tmp_path / "run" / "judged.parquet")
    assert frame["label_majority"].tolist() == [1] * 6
    n_asked = len(endpoint.asked)
    assert n_asked == 24
    again = run(*command, "--json")
    assert len(endpoint.asked) == n_asked
    assert again.json["judges"]["two"]["measures"]["llm_win"]["value"] == 1
    stored = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert stored == again.json


def test_a_judge_as_a_subject_goes_into_a_record(run, pairs, endpoint, tmp_path):
    out = tmp_path / "run"
    both = ["-o", out, "--prompts", "both"]
    found = run("judge", "pairwise", "-d", pairs, "-j", "gpt=openai:m", *both)
    assert f"as a subject: aas-bench analyse {out / 'scores.parquet'}" in found.out
    analysed = run("analyse", out / "scores.parquet", "--json")
    assert analysed.code == 0
    reward = analysed.json["rewards"]["gpt"]
    assert reward["outcomes"] == {"followed": 6, "overridden": 0, "missed": 0, "lucky": 0}
    assert reward["preference"]["accuracy"]["value"] == 1
    records = tmp_path / "records"
    added = run("results", "add", out, "--task", "wide_spectrum", "--to", records)
    assert (added.code, added.err) == (0, "")
    checked = run("results", "check", records)
    assert checked.code == 0, checked.err
    [file] = records.rglob("*.json")
    assert [row.entries[0].text for row in reward_models(accepted(records)).table.rows] == ["gpt"]
    record = json.loads(file.read_text())
    assert record["subject"]["kind"] == "reward_model"
    assert record["provenance"]["reward"]["score"].startswith("share of the judge's vote")
    figures = {m["measure"]: m["value"] for m in record["measurements"] if "by" not in m}
    assert (figures["accuracy"], figures["followed"], figures["missed"]) == (1, 1, 0)


def test_graded_and_checklist(run, pairs, endpoint, tmp_path):
    options = ["-d", pairs, "-j", "openai:m"]
    graded = run("judge", "graded", *options, "-o", tmp_path / "graded", "--json")
    found = graded.json["judges"]["openai:m"]["measures"]
    assert found["main_concepts_diff"]["value"] == 0
    assert found["special_effects_diff"]["value"] > 20
    checked = run("judge", "checklist", *options, "-o", tmp_path / "checklist")
    assert checked.code == 0, checked.err
    assert "effects found, judged: 100.0\N{NARROW NO-BREAK SPACE}%" in checked.out
    items = pd.read_parquet(tmp_path / "checklist" / "items.parquet")
    assert len(items) == 6 * 2 * 6
    bright = items[(items["image"] == "original") & items["only_if"].notna()]
    assert bright["holds"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-j", "gpt-5"], "no judge is called 'gpt-5'"),
        (["-j", "openai:m", "--dtype", "int4"], "int4"),
        ([], "--judge"),
    ],
)
def test_mistakes_are_one_line(run, pairs, endpoint, tmp_path, arguments, message):
    found = run("judge", "pairwise", "-d", pairs, "-o", tmp_path / "run", *arguments)
    assert found.code == 2
    assert message in found.err
    assert found.err.count("\n") == 1


def test_nothing_answered_is_no_result(run, pairs, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any")
    with JudgeService(lambda seen: openrouter_error(401, "no such user")).running() as service:
        command = ["judge", "pairwise", "-d", pairs, "-j", "m=openai:m", "--base-url", service.url]
        command += ["-o", tmp_path / "run", "--cache", tmp_path / "cache", "--concurrency", 1]
        found = run(*command)
        told = run(*command, "--json")
    assert found.code == told.code == 1
    line = "m: 0 of 12 questions answered; 9 not asked; 3 HTTP 401 (the key is not accepted)"
    assert line in " ".join(found.out.split())
    assert "no question was answered" in found.err
    assert found.err.count("\n") == 1
    assert told.json["judges"]["m"]["statuses"] == {"not asked": 9, "HTTP 401": 3}


def test_of_many_judges_those_are_shown_that_agree_least(run, pairs, endpoint, tmp_path):
    judges = [part for i in range(6) for part in ("-j", f"j{i}=openai:m{i}")]
    found = run("judge", "pairwise", "-d", pairs, *judges, "-o", tmp_path / "run")
    assert "the 8 of 15 pairs of judges that agree least" in found.out
    assert found.out.count(": kappa") == 8
    stored = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert len(stored["agreement"]["j0"]) == 5


def test_a_missing_key_is_one_line(run, pairs, monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    found = run("judge", "pairwise", "-d", pairs, "-j", "openai:m", "-o", tmp_path / "run")
    assert found.code == 2
    assert "Set the environment variable OPENAI_API_KEY" in found.err


def test_judges_are_listed(run):
    assert "openai:MODEL" in run("list", "judges").out
    assert len(run("list", "judges", "--json").json["judges"]) == 2


@pytest.fixture
def rated(tmp_path):
    """Ratings of two judges, as `judge dimensions` writes them, and what people gave."""
    rng = np.random.default_rng(0)
    keys = [(f"p/{i} image_original", dim) for i in range(20) for dim in ("clarity", "emotion")]
    rows = [
        {"judge": judge, "image": image, "dimension": dim, "prediction": 2 * rng.random()}
        for judge in ("a", "b")
        for image, dim in keys
    ]
    (tmp_path / "ratings").mkdir()
    pd.DataFrame(rows).to_parquet(tmp_path / "ratings" / "answers.parquet")
    people = pd.DataFrame(keys, columns=["image", "dimension"])
    people = people.assign(
        rating=rng.integers(0, 3, len(keys)), applies=rng.random(len(keys)) < 0.8
    )
    people.sample(frac=1, random_state=0).to_csv(tmp_path / "people.csv", index=False)
    return pd.DataFrame(rows), people


def test_ratings_are_compared_with_people(run, rated, tmp_path):
    ratings, people = rated
    command = ["judge", "evaluate-dimensions", tmp_path / "ratings", "--judge", "b"]
    command += ["--ratings", tmp_path / "people.csv"]
    found = run(*command)
    assert (found.code, found.err) == (0, "")
    assert "a half as the higher one" in " ".join(found.out.split())
    overall = run(*command, "--json").json["overall"]
    both = people.merge(ratings[ratings["judge"] == "b"], on=["image", "dimension"])
    right = (np.floor(both["prediction"] + 0.5) == both["rating"])[both["applies"]]
    assert overall["rater"]["accuracy"]["value"] == pytest.approx(right.mean())
    assert (overall["n"], overall["n_masked"]) == (len(right), len(both) - len(right))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate-dimensions", "ratings"], "the ratings are by a, b. Name one of them"),
        (["evaluate-dimensions", "ratings", "-j", "c"], "the ratings are by a, b. Name one of"),
        (["evaluate-dimensions", "people.csv"], "Give dimension, prediction and rating"),
        (["evaluate-dimensions", "ratings", "-j", "a", "--ratings", "no.csv"], "no.csv"),
        (["dimensions", "-d", "pairs.parquet", "-j", "openai:m", "-o", "x"], "cannot rate by"),
    ],
)
def test_mistakes_with_ratings_are_one_line(
    run, pairs, rated, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    found = run("judge", *arguments)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
    assert found.err.count("\n") == 1
