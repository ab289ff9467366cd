"""The results dataset: written, pushed to a Hub on loopback and loaded back."""

import json
import shutil

import pandas as pd
import pytest
import yaml
from support.result_records import pending
from support.score_runs import reward_run, score_frame

from aas_bench.errors import InputError
from aas_bench.publish.eval_results import EVAL_YAML, MODEL_FILE, parse_eval_yaml
from aas_bench.publish.results_repo import (
    push_benchmarks,
    push_models,
    push_results,
    write_results,
)
from aas_bench.publish.sync import Target
from aas_bench.records.collection import load_results, read_record, save_record
from aas_bench.records.make_records import add_run
from aas_bench.records.record import Subject

HOSTILE = '"><img src=x onerror=alert(1)> | [x](javascript:alert(1))'
REPO = "weathon/aas_bench_results"


@pytest.fixture
def records(tmp_path):
    """Two measured reward models, of which one has a repository on the Hub, and a pending row."""
    folder = tmp_path / "board"
    alpha, _ = add_run(reward_run(tmp_path), folder)
    subject = alpha.subject.model_copy(update={"repo": "org/alpha"})
    save_record(alpha.model_copy(update={"subject": subject}), folder)
    return folder


@pytest.fixture
def written(records, tmp_path):
    return write_results(records, tmp_path / "out")


def test_the_folder_holds_everything_that_would_be_pushed(written, records):
    results = written.folder / "results"
    table = pd.read_parquet(results / "data" / "test-00000-of-00001.parquet")
    assert set(table["record"]) == {r.id for r in load_results(records).records}
    for record in load_results(records).records:
        copied = results / "records" / f"{record.id}.json"
        assert read_record(copied) == record
        assert copied.with_name(record.scores.file).is_file()
    assert json.loads((results / "schema.json").read_text())["title"] == "Record"
    for file in written.benchmarks.values():
        parse_eval_yaml(file.read_text())
    (repo,) = written.models
    assert repo == "org/alpha"
    assert list(written.skipped.values()) == ["its subject has no repository on the Hub"]


def test_a_refused_record_stops_the_publication(records, tmp_path):
    file = records / "wide_spectrum/alpha/measured.json"
    document = json.loads(file.read_text())
    document["measurements"][0]["value"] = 1.0
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match="1 records are refused: wide_spectrum/alpha/measured"):
        write_results(records, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_names_in_the_card_are_text(tmp_path):
    add_run(reward_run(tmp_path, score_frame(rewards=(HOSTILE,))), tmp_path / "board")
    written = write_results(tmp_path / "board", tmp_path / "out")
    card = (written.folder / "results/README.md").read_text()
    assert "<img" not in card
    assert "](javascript" not in card
    assert "&lt;img src=x onerror=alert(1)&gt; &#124; &#91;x&#93;" in card
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["configs"][0]["data_files"][0]["path"] == "data/test-*"


def test_a_folder_with_something_else_is_left_alone(records, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(InputError, match="holds something else"):
        write_results(records, tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_writing_twice_gives_the_same_bytes(records, tmp_path):
    out = tmp_path / "out"
    first, second = (
        {p.relative_to(out): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}
        for _ in (write_results(records, out), write_results(records, out))
    )
    assert first == second


LOAD = """
import sys
from datasets import load_dataset
table = load_dataset(sys.argv[1], split="test")
print(len(table), sorted(set(table["record"])))
"""


def test_pushed_results_are_loaded_back_by_datasets(hub, written):
    pushed = push_results(written, Target(repo=REPO))
    assert pushed.url
    table = pd.read_parquet(written.folder / "results/data/test-00000-of-00001.parquet")
    ids = sorted(set(table["record"]))
    assert hub.run_python(LOAD, REPO).strip() == f"{len(table)} {ids}"
    again = push_results(written, Target(repo=REPO))
    assert (again.url, again.note) == (None, "all files are there")


def test_a_record_that_is_gone_goes_and_a_foreign_file_stays(hub, written, records, tmp_path):
    push_results(written, Target(repo=REPO))
    hub.add(REPO, {"notes.md": b"mine"})
    shutil.rmtree(records / "wide_spectrum" / "alpha")
    push_results(write_results(records, tmp_path / "out"), Target(repo=REPO))
    files = hub.files(REPO)
    assert "notes.md" in files
    assert "records/wide_spectrum/alpha/measured.json" not in files
    assert "records/wide_spectrum/hf-org-script-alert-x-script/measured.json" in files


def test_a_later_result_comes_as_a_pull_request(hub, written, records, tmp_path):
    push_results(written, Target(repo=REPO, create_pr=True))  # a new repository: nothing to review
    before = hub.files(REPO)
    save_record(pending_of_paper(), records)
    more = write_results(records, tmp_path / "out")
    pushed = push_results(more, Target(repo=REPO, create_pr=True))
    assert "/discussions/" in pushed.url
    assert hub.files(REPO) == before


def pending_of_paper():
    subject = Subject(id="z_image", name="Z-Image", kind="generator")
    return pending().model_copy(update={"id": "wide_spectrum/z_image/pending", "subject": subject})


def test_benchmarks_get_their_file_only_where_they_exist(hub, written):
    hub.add("weathon/aas_counterfactual", {"README.md": b"x"})
    pushed = {each.repo: each for each in push_benchmarks(written, create_pr=False)}
    assert pushed["weathon/aas_counterfactual"].url
    files = hub.files("weathon/aas_counterfactual")
    assert parse_eval_yaml(files[EVAL_YAML].decode()).tasks[0].id == "reward_preference"
    absent = pushed["weathon/aas_emotion_bias"]
    assert (absent.url, absent.note.split(",")[0]) == (None, "there is no such repository")


def test_a_model_is_asked_by_pull_request_and_never_made(hub, written):
    (absent,) = push_models(written)
    assert absent.url is None
    assert ("model", "org/alpha") not in hub.repos
    hub.add("org/alpha", {"README.md": b"x"}, kind="model")
    (pushed,) = push_models(written)
    assert "/discussions/" in pushed.url
    assert MODEL_FILE not in hub.files("org/alpha", kind="model")


def test_without_a_token_nothing_is_sent(loopback_hub, monkeypatch, written):
    loopback_hub.patch(monkeypatch, token=None)
    with pytest.raises(InputError, match="there is no Hub token"):
        push_results(written, Target(repo=REPO))
    assert not [r for r in loopback_hub.log if r.method == "POST"]
