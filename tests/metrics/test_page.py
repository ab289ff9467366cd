"""The page of the metric Spaces."""

import json
import runpy
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from aas_bench.errors import InputError
from aas_bench.metric import metric_path
from aas_bench.metric.install import NAMES
from aas_bench.metric.pasted import columns_of, read_table
from aas_bench.pages.metric_page import build_page, compute, launch_page

OPTIONS = {
    "confidence_level": 0.9,
    "ties": "original",
    "drop": False,
}
TABLE = """index,kind,hpsv3_oidp,hpsv3_didp,mine_oidp,mine_didp,label
0,blur,5.0,2.0,1.0,2.0,1
0,<b>gloom</b>,4.0,6.0,1.0,3.0,1
1,blur,5.0,1.0,4.0,3.0,0
2,blur,5.0,,4.0,3.0,1
"""


def page_of(name):
    return runpy.run_path(str(Path(metric_path(name)) / "app.py"))["PAGE"]


def ask(name, text="", *, file=None, reward=None, group=None, **changes):
    options = {**OPTIONS, **changes}
    return compute(page_of(name), text, file, reward, group, *options.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_answered_by_the_metric(name, load):
    shown = page_of(name)
    html, result = ask(name, shown.example)
    arguments = read_table(shown.example, None).arguments(shown.cells, None, None)
    options = {"confidence_level": 0.9}
    assert result == load(name).compute(**arguments, **options)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    for number in shown.numbers:
        assert number.name in unescape(html)
        assert number.value(result) in html
        assert number.interval(result) in html
    assert shown.sentence(result) in unescape(html)
    assert "90" in html
    assert "clusters (column index)" in html


def test_a_reward_and_a_group_are_chosen_by_name():
    html, result = ask("aas_preference", TABLE, reward="mine", group="kind")
    assert (result["accuracy"], result["n"], result["n_clusters"]) == (0.75, 4, 3)
    assert list(result["by_group"]) == ["<b>gloom</b>", "blur"]
    assert "&lt;b&gt;gloom&lt;/b&gt;" in html
    assert "<b>gloom" not in html
    assert columns_of(TABLE, None) == {"rewards": ["hpsv3", "mine"], "groups": ["kind"]}


def test_pairs_without_scores_are_left_out_on_request():
    _, result = ask("aas_preference", TABLE, reward="hpsv3")
    assert 'on_missing="drop"' in result["error"]
    html, result = ask("aas_preference", TABLE, reward="hpsv3", drop=True)
    assert (result["n"], result["coverage"]) == (3, 0.75)
    assert "75.0" in html


def test_ties_count_as_chosen():
    table = "score_original,score_distorted,label\n1,1,1\n1,2,1\n"
    assert ask("aas_preference", table)[1]["accuracy"] == 0.5
    assert ask("aas_preference", table, ties="half")[1]["accuracy"] == 0.75


def test_an_undefined_number_is_shown_as_a_dash_with_its_reason():
    html, result = ask("aas_preference", "score_original,score_distorted,label\n1,2,1\n2,1,1\n")
    assert result["auroc"] is None
    assert "single class: every label is 1" in html
    html, _ = ask("aas_override", "oiop,oidp,diop,didp\n9,9,4,4\n8,8,5,5\n")
    assert "there is no override rate" in html
    html, _ = ask("aas_preference", "score_original,score_distorted,label\n1,2,-1\n2,1,-1\n")
    assert "There is no accuracy" in html


@pytest.mark.parametrize("separator", [",", "\t"])
def test_the_form_of_the_text_does_not_matter(separator):
    rows = [("score_original", "score_distorted", "label", "note")]
    rows += [(0.5, 0.75, 1, "a b"), (2, 1, 0, "c")]
    expected = [[0.5, 0.75], [2.0, 1.0]]
    text = "\n".join(separator.join(map(str, row)) for row in rows)
    records = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    lines = "\n".join(map(json.dumps, records))
    for form in (text, f"\n{text}\n\n", lines, json.dumps(records)):
        given = read_table(form, None).arguments(("oidp", "didp"), None, None)
        assert given["predictions"].tolist() == expected
        assert given["references"].tolist() == [1, 0]
        assert given["clusters"] is None


def test_a_cell_with_a_comma_survives_the_spreadsheet():
    text = "score_original\tscore_distorted\tlabel\tkind\n1\t2\t1\tred, blue\n1\t2\t1\tb\n"
    assert read_table(text, None).scores.frame["kind"].tolist() == ["red, blue", "b"]


def test_a_file_is_used_instead_of_the_text(tmp_path):
    path = tmp_path / "scores.parquet"
    read_table(TABLE, None).scores.save(path)
    _, result = ask("aas_preference", "nonsense", file=str(path), reward="mine")
    assert result["n"] == 4


FAULTS = [
    ("", {}, "there is no table. Paste one"),
    ("a,b\n1,2\n", {}, "the table: no score column among a, b. Call them"),
    ("index,label\n", {}, "the table: the table is empty"),
    (TABLE, {}, "scores of hpsv3, mine. Choose one of them"),
    (TABLE, {"reward": "min"}, "'min'. Did you mean mine"),
    (TABLE, {"reward": "mine", "group": "kinds"}, "'kinds'. Did you mean kind"),
    (TABLE.replace("5.0,1.0", "5.0,inf"), {"reward": "mine"}, "hpsv3_didp: is infinite"),
    (TABLE.replace(",label", ",judge"), {"reward": "mine"}, "no references given"),
    ("oiop,didp,label\n1,2,1\n", {}, "score has no oidp. Give the columns oidp, didp"),
]


@pytest.mark.parametrize(("text", "choice", "message"), FAULTS, ids=[f[2] for f in FAULTS])
def test_a_fault_is_shown_in_place_of_the_numbers(text, choice, message):
    html, result = ask("aas_preference", text, **choice)
    assert message in result["error"]
    assert "/tmp" not in result["error"]
    assert 'role="alert"' in html


def test_the_name_of_the_server_folder_stays_there(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError) as caught:
        read_table("", str(path))
    assert str(tmp_path) not in str(caught.value)
    assert "scores.csv" in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_page_answers_over_loopback(name):
    pytest.importorskip("gradio")
    client_of = pytest.importorskip("gradio_client").Client
    shown = page_of(name)
    page = build_page(shown)
    assert page.analytics_enabled is False
    _, address, _ = launch_page(
        page, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True, share=False
    )
    try:
        client = client_of(address, verbose=False)
        html, result = client.predict(
            shown.example, None, "score", "dimension", *OPTIONS.values(), api_name="/compute"
        )
        rewards, groups = client.predict(TABLE, None, api_name="/columns")
    finally:
        page.close()
    assert result == ask(name, shown.example, reward="score", group="dimension")[1]
    assert np.isfinite(result[shown.numbers[0].key])
    assert "by group" in html
    assert [choice[0] for choice in rewards["choices"]] == ["hpsv3", "mine"]
    assert [choice[0] for choice in groups["choices"]] == ["none", "kind"]
