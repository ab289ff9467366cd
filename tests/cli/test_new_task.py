"""One row is a dataset: a toy row alone drives score, analysis, record, pages and card."""

import json

import pandas as pd
import pytest
import yaml
from huggingface_hub import DatasetCard
from support.toy_task import CARD, KINDS, N_PAIRS, builder_of, wins_by_kind

from aas_bench.board.site import Site
from aas_bench.errors import SchemaError, UnknownNameError
from aas_bench.measure.analyses.recognise import recognised
from aas_bench.measure.summary import summarise
from aas_bench.publish.build import build
from aas_bench.publish.eval_results import eval_yaml
from aas_bench.records.collection import load_results
from aas_bench.tables.scores import load_scores
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.task import HubBenchmark, Task


@pytest.fixture(params=[None, "support.toy_task:by_kind"], ids=["plain", "analysed"])
def clouds(request, monkeypatch, tmp_path):
    """The row, in the registry that everything reads."""
    row = Task(
        name="clouds",
        title="skies over the sea",
        summary="bright and dull skies",
        question="Does the reward prefer the dull sky that was asked for?",
        hub_id="someone/clouds",
        build="support.toy_task:skies",
        image_distorted="a dull sky",
        image_original="a bright sky",
        label="1 by construction",
        licence="CC0.",
        groups="cloud",
        asked=frozenset(KINDS),
        analysis=request.param,
        pairs_of={"reward_model": 2 * N_PAIRS},
        benchmarks=(HubBenchmark(id="skies", kind="reward_model", measure="accuracy"),),
        cards=tmp_path / "cards",
    )
    row.cards.mkdir()
    (row.cards / "clouds.md").write_text(CARD, encoding="utf-8")
    monkeypatch.setitem(TASKS._rows, row.name, row)
    return row


def test_one_row_is_scored_analysed_recorded_shown_and_published(clouds, run, tmp_path):
    assert "bright and dull skies" in run("list", "tasks").out
    (listed,) = [t for t in run("list", "tasks", "--json").json["tasks"] if t["name"] == "clouds"]
    assert listed["asked"] == sorted(KINDS)

    # Scored by name, analysed, and shown in a report.
    out, board = tmp_path / "run", tmp_path / "board"
    done = run("evaluate", "--data", "clouds", "-r", "random", "--out", out)
    assert done.code == 0, done.err
    table = load_scores(out / "scores.parquet")
    wins = wins_by_kind(pd.read_parquet(out / "scores.parquet"), "random")
    summary = json.loads((out / "report" / "summary.json").read_text())
    assert summary["task"]["task"] == "clouds"
    assert summary["task"]["question"] == clouds.question
    found = {kind: summary["rewards"]["random"]["by"][kind] for kind in KINDS}
    assert {k: g["preference"]["accuracy"]["value"] for k, g in found.items()} == wins
    page = (out / "report" / "index.html").read_text()
    if clouds.analysis:
        (analysis,) = summary["task"]["analyses"]
        by_kind = analysis["by"]["kind of cloud"]
        assert {k: each["random"]["value"] for k, each in by_kind.items()} == wins
        assert "How often the dull sky wins" in page
        assert "looked at the sky." in done.out
    assert KINDS[0] in page

    # A table of nothing but scores is known as the row's by what it asks for.
    assert recognised(table) is clouds
    assert summarise(table, n_resamples=50).task.task == "clouds"

    # A record calls the groups as the row does; half of the pairs are not a whole result.
    added = run("results", "add", out, "--to", board)
    assert added.code == 0, added.err
    (record,) = load_results(board).records
    assert record.task == "clouds"
    groups = {m.group: m.value for m in record.measurements if m.by and m.measure == "accuracy"}
    assert {m.by for m in record.measurements if m.group} - {"placebo"} == {"cloud"}
    assert groups == wins
    checked = run("results", "check", board)
    assert checked.code == 0, checked.out
    assert f"{N_PAIRS} of the task's {2 * N_PAIRS} pairs" in checked.out

    # The leaderboard shows it under its title.
    site = Site(board)
    assert "skies over the sea" in site.page("self-test").body.decode()
    assert record.id in [row.id for row in site.tables["self-test"].rows]

    # The card and the Hub's own benchmark file.
    built = build([builder_of(clouds)()], tmp_path / "dataset", progress=False)
    card = DatasetCard.load(built.path / "README.md")
    assert card.data.pretty_name == "Skies that someone asked to be dull"
    assert "aas-bench evaluate --data clouds" in card.text
    assert "Twelve skies." in card.text
    assert [t["id"] for t in yaml.safe_load(eval_yaml("clouds"))["tasks"]] == ["skies"]


def test_a_row_without_a_card_says_where_to_write_it(clouds, tmp_path):
    (clouds.cards / "clouds.md").unlink()
    with pytest.raises(SchemaError, match=r"there is no card .*clouds\.md.*publish-a-dataset"):
        build([builder_of(clouds)()], tmp_path / "dataset", progress=False)


def test_without_the_row_the_name_is_unknown_and_the_choices_are_named(run, tmp_path):
    asked = run("evaluate", "--data", "clouds", "-r", "random", "--out", tmp_path / "run")
    assert (asked.code, "List them with: aas-bench list tasks" in asked.err) == (2, True)
    with pytest.raises(
        UnknownNameError, match=r"'clouds'\. There are: counterfactual, .*list tasks"
    ):
        TASKS["clouds"]
