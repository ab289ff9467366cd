"""The Hub's evaluation formats, read back by the Hub's own client."""

from dataclasses import replace
from datetime import date

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries
from support.result_records import measured, record

from aas_bench.errors import SchemaError
from aas_bench.measure.measures import MEASURES
from aas_bench.publish.eval_results import (
    FRAMEWORK,
    eval_entries,
    eval_yaml,
    model_files,
    parse_eval_yaml,
)
from aas_bench.records.record import Measurement, Subject
from aas_bench.rewards.catalog import REWARDS
from aas_bench.tasks.catalog import TASKS

BENCHMARKS = dict.fromkeys(b for task in TASKS.values() for b in task.benchmarks)
CHOSEN = Measurement(
    measure="chosen", reward="effect-match", value=0.25, low=0.2, high=0.3125, n=98, coverage=1.0
)


def result(name="model-1", *, repo="org/model", base=None, day=3, kind="generator", **changes):
    """A measured generator of the counterfactual split."""
    subject = Subject(id=name, name=name, kind=kind, repo=repo, base=base)
    facts = {
        "id": f"counterfactual/{name}/measured",
        "subject": subject,
        "measurements": (CHOSEN,),
        "created": date(2026, 2, day),
    }
    return measured(**(facts | changes))


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda b: f"{b.measure}-{b.reward}")
def test_the_hub_ranks_by_value_so_higher_must_be_better(benchmark):
    assert MEASURES[benchmark.measure].higher_is_better is True
    assert benchmark.reward is None or benchmark.reward in REWARDS


def test_four_tasks_rank_reward_models_and_two_rank_generators():
    ranked = [(name, each.kind) for name, task in TASKS.items() for each in task.benchmarks]
    assert {name for name, kind in ranked if kind == "reward_model"} == {
        *("counterfactual", "wide_spectrum", "emotion_bias", "ava_photos")
    }
    assert {name for name, kind in ranked if kind == "generator"} == {
        *("counterfactual", "wide_spectrum")
    }


def test_every_benchmark_file_is_valid_and_holds_its_leaderboards():
    for task in TASKS:
        text = eval_yaml(task)
        expected = [each.id for each in TASKS[task].benchmarks]
        if text is None:
            assert expected == []
            continue
        parsed = parse_eval_yaml(text)
        assert [each.id for each in parsed.tasks] == expected
        assert {each.split for each in parsed.tasks} == {"test"}
        assert parsed.evaluation_framework == FRAMEWORK


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("name: [", "eval.yaml"),
        ("7", "valid dictionary"),
        ("name: a\ndescription: b\ntasks: [{id: x}]", "evaluation_framework"),
        ("name: a\ndescription: b\nevaluation_framework: f\ntasks: []", "at least 1"),
        ("name: a\ndescription: b\nevaluation_framework: f\ntasks: [{config: x}]", "tasks.0.id"),
        ("name: a\ndescription: b\nevaluation_framework: f\ntasks: [{id: x}, {id: x}]", "one id"),
        ("name: a\ndescription: b\nevaluation_framework: f\ntasks: [{id: x, solver: y}]", "Extra"),
        ("name: a\ndescription: b\nevaluation_framework: [f]\ntasks: [{id: x}]", "valid string"),
    ],
)
def test_a_wrong_benchmark_file_is_refused(text, match):
    with pytest.raises(SchemaError, match=match):
        parse_eval_yaml(text)


def test_a_measured_result_becomes_an_entry_that_the_hub_reads_back():
    files, skipped = model_files([result()], {})
    assert skipped == {}
    (entry,) = parse_eval_result_entries(yaml.safe_load(files["org/model"]))
    assert (entry.dataset_id, entry.task_id) == (
        TASKS["counterfactual"].hub_id,
        "generation_compliance",
    )
    assert (entry.value, entry.date) == (0.25, "2026-02-03")
    assert entry.source_url.endswith("/records/counterfactual/model-1/measured.json")
    assert entry.verify_token is None
    assert "0.200 to 0.312" in entry.notes
    assert "n = 98, coverage 100.0%" in entry.notes
    assert "verifyToken" not in files["org/model"]


@pytest.mark.parametrize(
    ("one", "flags", "reason"),
    [
        (record(), {}, "is published, not measured"),
        (result(repo=None), {}, "its subject has no repository on the Hub"),
        (result(), {"counterfactual/model-1/measured": "on 80 %"}, "on 80 %"),
        (result(created=None), {}, "it has no date"),
        (result(kind="reward_model"), {}, "no leaderboard on the Hub takes its measures"),
    ],
)
def test_what_must_not_be_said_on_a_model_page_is_skipped_with_the_reason(one, flags, reason):
    assert model_files([one], flags) == ({}, {one.id: reason})


def test_a_method_on_the_base_models_weights_says_nothing_on_the_base_models_page():
    base, tuned = result("base"), result("tuned", base="base", repo="org/model")
    files, skipped = model_files([base, tuned], {})
    assert len(yaml.safe_load(files["org/model"])) == 1
    assert skipped == {tuned.id: "its repository is that of its base model"}


def test_of_two_results_the_newer_counts():
    old, new = (
        result(day=day, id=f"counterfactual/model-1/day{day}", measurements=(found,))
        for day, found in ((9, CHOSEN), (20, replace(CHOSEN, value=0.75)))
    )
    for order in ([old, new], [new, old]):
        files, _ = model_files(order, {})
        (entry,) = yaml.safe_load(files["org/model"])
        assert entry["value"] == 0.75


def test_an_undefined_number_is_not_published():
    undefined = Measurement(
        measure="chosen", reward="effect-match", value=None, n=0, reason="no pair has scores"
    )
    assert eval_entries(result(measurements=(undefined,))) == []
