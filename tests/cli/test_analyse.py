"""`analyse` and `compare`: the document they print, and one line for every bad input."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv", "scores.jsonl"])
def test_numbers_equal_scikit_learn(run, scores, name):
    path = scores(name)
    frame = pd.read_parquet(path) if name.endswith("parquet") else None
    outcome = run("analyse", path, "--json", "--resamples", 50)
    assert outcome.code == 0, outcome.err
    rewards = outcome.json["rewards"]
    assert set(rewards) == {"alpha", "beta"}
    if frame is not None:
        margin = frame["alpha_didp"] - frame["alpha_oidp"]
        preference = rewards["alpha"]["preference"]
        assert preference["accuracy"]["value"] == accuracy_score(frame["label"], margin > 0)
        assert preference["auroc"]["value"] == pytest.approx(roc_auc_score(frame["label"], margin))


def test_document_has_the_promised_shape(run, scores):
    entry = run("analyse", scores(), "--json", "--resamples", 50).json["rewards"]["alpha"]
    assert entry["n"] == 60
    for key in ("followed", "overridden", "missed", "lucky", "moved", "override_strength"):
        assert {"value", "low", "high", "n", "coverage"} <= set(entry["override"][key])
    shares = [entry["override"][k]["value"] for k in ("followed", "overridden", "missed", "lucky")]
    assert sum(shares) == pytest.approx(1)
    assert len(entry["knob"]["strength"]) == len(entry["knob"]["accuracy"])
    assert entry["knob"]["accuracy"][0] == entry["preference"]["accuracy"]["value"]
    assert set(entry["generator"]) >= {"delta", "after"}


def test_without_labels_the_share_that_chooses_the_asked_image_stands_in(run, scores, tmp_path):
    path = scores()
    frame = pd.read_parquet(path).drop(columns="label")
    frame.to_parquet(tmp_path / "unlabelled.parquet")
    entry = run("analyse", tmp_path / "unlabelled.parquet", "--json").json["rewards"]["alpha"]
    assert "preference" not in entry
    assert entry["chosen"]["value"] == np.mean(frame["alpha_didp"] > frame["alpha_oidp"])
    assert "chosen" in entry["knob"]


def test_groups_are_reported(run, scores):
    entry = run("analyse", scores(), "--by", "topic", "--json").json["rewards"]["alpha"]
    assert set(entry["by"]) == {"odd", "even"}


def test_groups_asked_for_stand_in_the_text(run, scores):
    path = scores(topic=["rare"] + ["common"] * 59)
    assert "rare" not in run("analyse", path).out
    lines = run("analyse", path, "--by", "topic").out.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith(("rare", "common"))] == [
        ["common", "59"],
        ["rare", "1"],
    ]


def test_names_cannot_steer_the_terminal_or_break_a_row(run, scores):
    path = scores()
    frame = pd.read_parquet(path)
    hostile = "[red]a\x1b[31m\nb"
    frame.columns = [name.replace("alpha", hostile) for name in frame.columns]
    frame.to_parquet(path)
    out = run("analyse", path).out
    assert "\x1b" not in out
    assert r"[red]a\x1b[31m\nb" in out
    missing = run("analyse", path, "--reward", "\x1b[31m")
    assert (missing.code, missing.err.count("\n"), "\x1b" in missing.err) == (2, 1, False)


def test_unwritable_folder_is_one_line(run, scores, tmp_path):
    (tmp_path / "file").write_text("mine")
    outcome = run("report", scores(), "--out", tmp_path / "file" / "below", "--resamples", 20)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert (tmp_path / "file").read_text() == "mine"


def test_json_goes_alone_to_stdout_and_text_is_for_people(run, scores):
    path = scores()
    assert run("analyse", path, "--json").out.lstrip().startswith("{")
    text = run("analyse", path).out
    assert "alpha" in text
    assert "towards requests beyond noise" in text


def test_compare_two_rewards(run, scores):
    outcome = run("compare", scores(), "alpha", "beta", "--json")
    assert outcome.code == 0, outcome.err
    assert 0 <= outcome.json["accuracy_test"]["p_value"] <= 1


BAD = {
    "unknown column": (["--by", "nonsense"], {}, "nonsense"),
    "unknown reward": (["--reward", "alhpa"], {}, "alpha"),
    "inf": ([], {"alpha_didp": np.inf}, "inf"),
    "nan": ([], {"alpha_didp": [np.nan] + [0.5] * 59}, "drop"),
    "label": ([], {"label": 7}, "label"),
}


@pytest.mark.parametrize(("options", "columns", "word"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line_and_exit_2(run, scores, options, columns, word):
    outcome = run("analyse", scores(**columns), *options)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.count("\n") == 1
    assert word in outcome.err


def test_one_class_only_is_a_result_with_a_reason(run, scores):
    entry = run("analyse", scores(label=1), "--json").json["rewards"]["alpha"]
    assert entry["preference"]["auroc"]["value"] is None
    assert entry["preference"]["auroc"]["reason"]


def test_missing_scores_may_be_dropped_and_lower_the_coverage(run, scores):
    path = scores(alpha_didp=[np.nan] + [0.5] * 59)
    entry = run("analyse", path, "--on-missing", "drop", "--json").json["rewards"]["alpha"]
    assert entry["preference"]["accuracy"]["n"] == 59
    assert entry["preference"]["accuracy"]["coverage"] == pytest.approx(59 / 60)


@pytest.mark.parametrize("content", [b"", b"PAR1 not really parquet"])
def test_broken_file(run, tmp_path, content):
    path = tmp_path / "broken.parquet"
    path.write_bytes(content)
    outcome = run("analyse", path)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)


def test_missing_file(run, tmp_path):
    outcome = run("analyse", tmp_path / "absent.parquet")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "absent.parquet" in outcome.err


def test_empty_table(run, scores, tmp_path):
    path = scores()
    pd.read_parquet(path).iloc[:0].to_parquet(tmp_path / "empty.parquet")
    outcome = run("analyse", tmp_path / "empty.parquet")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)


def test_table_without_scores_names_what_it_lacks(run, tmp_path):
    pd.DataFrame({"pair_id": ["a"], "index": [0]}).to_csv(tmp_path / "none.csv", index=False)
    outcome = run("analyse", tmp_path / "none.csv")
    assert outcome.code == 2
    assert "_didp" in outcome.err
