"""`evaluate`, `analyse` and `report` on every task, from pictures to the task's own figures."""

import json

import pandas as pd
import pytest
from support import task_tables as tables

TASKS = {
    "ava_photos": {"gap", "photo_wins", "gap_clean_caption"},
    "emotion_bias": {"accuracy", "override_rate"},
    "critical_comparison": {"chosen", "effect", "margin"},
    "lapis_art": {"mean"},
    "wide_spectrum": {"accuracy", "override_rate", "spearman_label"},
}


@pytest.mark.parametrize("task", TASKS)
def test_evaluate_gives_each_task_its_own_analysis(run, tmp_path, task):
    source = tables.pair_folder(tmp_path / "data", task)
    out = tmp_path / "run"
    arguments = ("--data", source, "--reward", "polish", "--out", out, "--resamples", 30)
    code, text, err = run("evaluate", *arguments, "--json")
    assert code == 0, err
    document = json.loads(text)
    assert document["task"]["task"] == task
    assert {a["name"] for a in document["task"]["analyses"]} == TASKS[task]
    page = (out / "report" / "index.html").read_text()
    assert '<section id="task">' in page
    code, text, err = run("analyse", out, "--resamples", 30)
    assert code == 0, err
    words = " ".join(text.split())
    assert f"{task}: " in words
    assert document["task"]["findings"]["polish"].replace("\u202f", " ") in words
    assert "polish could not be judged" not in words
    if task == "lapis_art":
        assert "accuracy" not in words


def test_the_gap_of_an_evaluation_is_the_mean_of_its_scores(run, tmp_path):
    source = tables.pair_folder(tmp_path / "data", "ava_photos")
    out = tmp_path / "run"
    code, text, err = run(
        "evaluate", "--data", source, "--reward", "polish", "--out", out, "--json"
    )
    assert code == 0, err
    frame = pd.read_parquet(out / "scores.parquet")
    by_hand = (frame["polish_oidp"] - frame["polish_didp"]).mean()
    gap = json.loads(text)["task"]["analyses"][0]
    assert gap["overall"]["polish"]["value"] == pytest.approx(by_hand)


def test_the_four_faces_of_a_prompt_are_one_cluster(run, tmp_path):
    source = tables.pair_folder(tmp_path / "data", "emotion_bias", n=5)
    out = tmp_path / "run"
    run("evaluate", "--data", source, "--reward", "polish", "--out", out, "--json")
    code, text, err = run("analyse", out, "--json")
    assert code == 0, err
    overall = json.loads(text)["task"]["analyses"][0]["overall"]["polish"]
    assert (overall["n"], overall["n_clusters"]) == (15, 5)


def test_paintings_take_a_table_of_generators(run, tmp_path):
    path = tmp_path / "art.parquet"
    tables.paintings(rewards=("mine",)).to_parquet(path)
    means = tmp_path / "means.csv"
    means.write_text("name,mean\nlow,-100\nhigh,100\n", encoding="utf-8")
    code, text, err = run("analyse", path, "--generators", means, "--json")
    assert code == 0, err
    place = json.loads(text)["task"]["places"]["mine"]
    assert (place["rank"], place["n_ranked"]) == (2, 3)
    assert "2 of 3" in run("analyse", path, "--generators", means)[1]
    out = tmp_path / "report"
    code, _, err = run("report", path, "--generators", means, "--out", out)
    assert code == 0, err
    assert "Rank among generators under mine" in (out / "index.html").read_text()
    code, _, err = run("analyse", path, "--generators", tmp_path / "absent.csv")
    assert (code, err.count("\n")) == (2, 1)
    assert "absent.csv: there is no such file" in err


def test_a_lacking_column_is_one_line_and_exit_2(run, tmp_path):
    path = tmp_path / "critical.parquet"
    tables.critical().drop(columns=["topic", "dimensions"]).to_parquet(path)
    code, out, err = run("analyse", path, "--task", "critical_comparison")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no column 'dimensions' or 'topic'" in err
    assert 'load_pairs("critical_comparison")' in err
    code, _, err = run("analyse", path, "--task", "critical")
    assert (code, err.count("\n")) == (2, 1)
    assert "critical_comparison" in err


def test_a_run_says_its_task_by_name_where_the_columns_do_not(run, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    frame = tables.critical(rewards=("polish",))
    frame["topic"] = frame["topic"] + " (my own)"
    frame["dimensions"] = [[topic] for topic in frame["topic"]]
    frame.to_parquet(folder / "scores.parquet")
    assert json.loads(run("analyse", folder, "--json")[1])["task"] is None
    (folder / "pairs.json").write_text(json.dumps({"source": "critical_comparison"}))
    assert json.loads(run("analyse", folder, "--json")[1])["task"]["task"] == "critical_comparison"


def test_evaluate_takes_the_task_that_its_data_is_called(run, tmp_path, monkeypatch):
    from aas_bench.cli import scoring
    from aas_bench.tables.pairs import load_pairs

    source = tables.pair_folder(tmp_path / "data", "critical_comparison")
    table = source.read_text().replace("anti-war", "a topic of mine")
    source.write_text(table)
    arguments = ("--reward", "polish", "--resamples", 20, "--json")
    unnamed = run("evaluate", "--data", source, "--out", tmp_path / "a", *arguments)
    assert json.loads(unnamed[1])["task"] is None
    monkeypatch.setattr(scoring, "open_pairs", lambda data, options: load_pairs(source))
    named = run("evaluate", "--data", "critical_comparison", "--out", tmp_path / "b", *arguments)
    assert json.loads(named[1])["task"]["task"] == "critical_comparison"


def test_long_lists_of_groups_are_cut_and_say_so(run, tmp_path):
    path = tmp_path / "critical.parquet"
    frame = tables.critical(n=55, rewards=("mine",))
    frame["dimensions"] = [[f"topic {i}"] for i in range(55)]
    frame.drop(columns="topic").to_parquet(path)
    text = run("analyse", path, "--task", "critical_comparison", "--resamples", 20)[1]
    assert text.count("and 15 more groups; --json has them all") == 3
    photos = tmp_path / "photos.parquet"
    tables.photos(rewards=("mine",)).to_parquet(photos)
    text = run("analyse", photos, "--resamples", 20)[1]
    assert "by element, primary element: --json has them" in text
    assert max(map(len, text.splitlines())) <= 80
