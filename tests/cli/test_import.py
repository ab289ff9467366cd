"""`import`: the mapping is shown, and nothing is written unasked."""

import io
import json

import pandas as pd
import pytest

from aas_bench.tables.scores import load_scores

ROWS = "prompt_distorted,hps_oidp,hps_didp,oiop,note\na grim cat,1,2,3,x\na cup,1,0,2,y\n"
ROWS += "a grim cat,3,4,5,z\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (tmp_path / "s.csv").write_text(ROWS)
    return tmp_path


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_mapping_is_a_table_of_80_columns(run, here):
    (here / "long.csv").write_text(ROWS.replace("note", "a_column_of_a_very_long_name_" * 2))
    for name in ("s.csv", "long.csv"):
        outcome = run("import", name)
        assert outcome.code == 0
        assert max(map(len, outcome.out.splitlines())) <= 80
        assert "…" not in outcome.out
    lines = [line.split() for line in run("import", "s.csv").out.splitlines()]
    assert ["oiop", "score_oiop"] in lines
    assert ["kept", "as", "they", "are:", "note"] in lines
    assert ["(none)", "index:", "one", "for", "each", "prompt_distorted"] in lines
    assert "3 pairs of 2 base prompts; labels: none; no faults" in run("import", "s.csv").out
    assert [path.name for path in here.iterdir() if path.suffix != ".csv"] == []


def test_without_a_terminal_it_takes_yes(run, here):
    outcome = run("import", "s.csv", "-o", "t.parquet")
    assert outcome.code == 2
    (line,) = outcome.err.splitlines()
    assert line.endswith("there is no terminal to ask on. If the mapping is right: --yes.")
    assert not (here / "t.parquet").exists()
    said = json.loads(run("import", "s.csv", "-o", "t.parquet", "--yes", "--json").out)
    assert (said["form"], said["n_clusters"], said["written"]) == ("scores", 2, "t.parquet")
    assert load_scores("t.parquet").clusters.tolist() == [0, 1, 0]
    again = run("import", "s.csv", "-o", "t.parquet", "--yes")
    assert (again.code, again.out) == (2, "")


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_a_terminal_is_asked(run, here, monkeypatch, answer, code):
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert run("import", "s.csv", "-o", "t.parquet").code == code
    assert (here / "t.parquet").exists() == (not code)


def test_columns_that_lack_are_asked_for_on_a_terminal(run, here, monkeypatch):
    frame = pd.DataFrame({"before": ["a.png"], "after": ["a.png"], "wish": ["a grim cat"]})
    frame.to_csv("pairs.csv", index=False)
    from support import toy_pairs

    toy_pairs.picture(1).save("a.png")
    refused = run("import", "pairs.csv", "-o", "t.parquet", "--yes")
    assert refused.code == 2
    (line,) = refused.err.splitlines()
    assert "prompt_distorted" in line
    monkeypatch.setattr("sys.stdin", Terminal("before\nafters\nafter\nwish\ny\n"))
    done = run("import", "pairs.csv", "-o", "t.parquet")
    assert done.code == 0, done.err
    assert "There is no column 'afters'" in done.err
    assert ["wish", "prompt_distorted"] in [line.split() for line in done.out.splitlines()]
    given = ["--column", "before=image_original", "--column", "after=image_distorted"]
    given += ["--column", "wish=prompt_distorted"]
    assert run("import", "pairs.csv", "-o", "u.parquet", "--yes", *given).code == 0


def test_faults_are_told_after_the_columns(run, here):
    (here / "bad.csv").write_text(ROWS.replace("a cup,1", "a cup,one"))
    outcome = run("import", "bad.csv", "-o", "t.parquet", "--yes")
    assert outcome.code == 2
    assert "hps_didp" in outcome.out
    (line,) = outcome.err.splitlines()
    assert "row 1: hps_oidp: 'one' is not a number" in line
    assert not (here / "t.parquet").exists()
