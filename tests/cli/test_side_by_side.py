"""`evaluate` with several sets: each as it is alone, and one table of them."""

import json

import pytest
from datasets import Dataset
from support import toy_pairs
from support.toy_pairs import picture, png


@pytest.fixture
def sets(tmp_path):
    """Our pairs, and ordinary preference as Pick-a-Pic has it."""
    toy_pairs.dataset(toy_pairs.rows(6, generators=("one",))).to_parquet(tmp_path / "ours.parquet")
    votes = [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.0, 1.0), (1.0, 0.0)]
    rows = [
        {
            "caption": f"a cat {i // 2}",
            "jpg_0": png(picture(50 + 2 * i)),
            "jpg_1": png(picture(51 + 2 * i)),
            "label_0": votes[i][0],
            "label_1": votes[i][1],
        }
        for i in range(5)
    ]
    Dataset.from_list(rows).to_parquet(tmp_path / "pick.parquet")
    return tmp_path / "pick.parquet", tmp_path / "ours.parquet"


def test_each_set_is_as_it_is_alone(run, sets, tmp_path):
    pick, ours = sets
    options = ("-r", "polish", "-r", "random", "--json")
    both = run("evaluate", "-d", pick, "-d", ours, "-o", tmp_path / "both", *options)
    assert both.code == 0, both.err
    found = both.json
    assert [side["name"] for side in found["sets"]] == ["pick", "ours"]
    for side, source in zip(found["sets"], sets, strict=True):
        alone = run("evaluate", "-d", source, "-o", tmp_path / side["name"], *options).json
        for reward in ("polish", "random"):
            expected = alone["rewards"][reward]["preference"]["accuracy"]
            assert side["headlines"][reward] == expected
        assert (tmp_path / "both" / side["name"] / "report" / "index.html").is_file()
    assert [side["n_label_ties"] for side in found["sets"]] == [1, 0]
    assert [side["n_clusters"] for side in found["sets"]] == [3, 6]
    assert json.loads((tmp_path / "both" / "trade_off.json").read_bytes())["sets"] == found["sets"]
    page = (tmp_path / "both" / "index.html").read_text(encoding="utf-8")
    for side in found["sets"]:
        assert f'href="{side["name"]}/report/index.html"' in page
        for reward in ("polish", "random"):
            value = side["headlines"][reward]["value"]
            assert f'data-value="{value}"' in page


def test_the_terminal_shows_one_table(run, sets, tmp_path):
    pick, ours = sets
    outcome = run("evaluate", "-d", pick, "-d", ours, "-r", "polish", "-o", tmp_path / "both")
    lines = outcome.out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.split() == ["pick", "ours"])
    assert lines[head + 1].split(maxsplit=1)[0] == "reward"
    assert lines[head + 1].count("accuracy, ") == 2
    [row] = [line.split() for line in lines if line.startswith("polish")]
    assert len(row) == 3
    assert "pick: ties of the labels left out: 1" in outcome.out
    assert all(len(line) <= 80 for line in lines[:-1])


def test_two_sets_of_one_name_and_one_revision_for_two(run, sets, tmp_path):
    pick, _ = sets
    again = run("evaluate", "-d", pick, "-d", pick, "-r", "polish", "-o", tmp_path / "o", "--json")
    assert [side["name"] for side in again.json["sets"]] == ["pick_1", "pick_2"]
    command = ("evaluate", "-d", "a/b", "-d", "c/d", "-r", "polish", "-o", tmp_path / "x")
    refused = run(*command, "--revision", "main")
    assert refused.code == 2
    assert "Write it behind each: owner/name@revision" in refused.err
