"""`reproduce` on the command line."""

import json

import pandas as pd
import pytest
from support.author_tables import benchmark_rows, dataset, emotion_rows


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authors")
    dataset(benchmark_rows(12, models=("flux_dev", "playground"))).to_parquet(folder / "b.parquet")
    dataset(emotion_rows(5)).to_parquet(folder / "e.parquet")
    return folder


def test_json_holds_all_three_tables_beside_the_published_figures(run, tables):
    done = run(
        "reproduce", "--data", tables / "b.parquet", "--emotion", tables / "e.parquet", "--json"
    )
    assert done.code == 0
    assert [table["name"] for table in done.json["tables"]] == ["D.1", "D.2", "D.3"]
    figure = done.json["tables"][0]["figures"][1]
    assert (figure["row"], figure["column"], figure["published"]) == (
        "flux_dev",
        "delta_hpsv3",
        -3.165,
    )
    assert figure["recomputed"]["n"] == 12
    assert figure["recomputed"]["low"] < figure["recomputed"]["high"]
    assert done.json["n_rows"] == 24


def test_the_terminal_says_what_agrees_and_what_is_not_there(run, tables):
    done = run("reproduce", "--data", tables / "b.parquet")
    assert done.code == 0
    assert "≠" in done.out
    assert "- what is not in this table" in done.out
    assert "0 figures agree to the last digit, 18 differ" in done.out
    assert "Table D.3" not in done.out
    assert "who overrides, and who does not understand" in done.out


def test_every_file_is_written(run, tables, tmp_path):
    done = run("reproduce", "--data", tables / "b.parquet", "--out", tmp_path / "out")
    assert f"page: {tmp_path / 'out' / 'index.html'}" in done.out.replace("\n", "")
    document = json.loads((tmp_path / "out" / "reproduction.json").read_text())
    table = pd.read_csv(tmp_path / "out" / "reproduction.csv")
    assert len(table) == sum(len(each["figures"]) for each in document["tables"])


def test_a_table_without_scores_is_one_line_and_exit_code_2(run, tmp_path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    done = run("reproduce", "--data", tmp_path / "x.csv")
    assert (done.code, done.out) == (2, "")
    assert "no column of scores" in done.err
    assert done.err.count("\n") == 1


def test_a_path_that_is_not_there(run, tmp_path):
    done = run("reproduce", "--data", tmp_path / "absent.parquet")
    assert done.code == 2
    assert "there is no such file" in done.err
