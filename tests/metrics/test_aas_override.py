"""The numbers of aas_override."""

import json
import math

import evaluate
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from support.reference import outcome
from support.strategies import columns

from aas_bench.errors import InputError, MissingScoresError, UnknownNameError
from aas_bench.stats.override import override
from aas_bench.stats.placebo import placebo_from_four
from aas_bench.tables.scores import load_scores

OUTCOMES = ("followed", "overridden", "missed", "lucky")
DESCRIBED = (*OUTCOMES, "moved", "chosen", "overridden_of_moved", "override_strength")
DESCRIBED = (*DESCRIBED, "prompt_response", "prior_pull")
ESTIMATED = ("response", "understood", "override_rate")
KEYS = (*DESCRIBED, *ESTIMATED)
# One instance serves all examples, on purpose; a busy machine draws them slowly.
CALM = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def cells(n=60, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 4)).round(1)


@given(table=columns(4))
@settings(max_examples=25, suppress_health_check=CALM)
def test_numbers_are_those_of_the_statistics_and_of_the_definition(override_metric, table):
    result = override_metric.compute(predictions=table.T)
    direct, against = override(*table), placebo_from_four(*table)
    for key in KEYS:
        estimate = getattr(against if key in ESTIMATED else direct, key)
        ends = None if estimate.low is None else [estimate.low, estimate.high]
        assert (result[key], result[f"{key}_ci"]) == (estimate.value, ends)
    found = [outcome(*row) for row in table.T]
    for name in OUTCOMES:
        assert result[name] == pytest.approx(found.count(name) / len(found))


def test_every_key_is_there_and_everything_is_json(override_metric):
    result = override_metric.compute(
        predictions=cells(), references=[1, 0, -1] * 20, groups=["x", "y"] * 30, clusters=range(60)
    )
    expected = {*KEYS, *(f"{key}_ci" for key in KEYS), "n", "n_missing", "n_clusters"}
    expected |= {"n_reward_ties", "n_response_ties", "coverage", "reasons", "reading", "placebo"}
    expected |= {"polished", "tied", "polished_ci", "tied_ci"}
    assert set(result) == expected | {"by_label", "by_group", "by_ties"}
    assert {name: set(each) for name, each in result["by_ties"].items()} == dict.fromkeys(
        ("original", "half", "distorted"), expected
    )
    assert set(result["by_group"]["x"]) == set(result["by_label"]["-1"]) == expected
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_references_are_optional_and_say_which_pairs_can_be_overridden(override_metric):
    scores, label = cells(), np.array([1, 0, -1] * 20)
    without = override_metric.compute(predictions=scores)
    given_them = override_metric.compute(predictions=scores, references=label)
    assert without["by_label"] == {}
    for key in (*DESCRIBED, "response", "understood"):
        assert given_them[key] == without[key]
    strict = override_metric.compute(predictions=scores[label == 1])
    assert given_them["by_label"]["1"]["override_rate"] == strict["override_rate"]
    assert given_them["override_rate"] == strict["override_rate"]
    assert given_them["by_label"]["0"]["reasons"]["override_rate"] == "no pair is labelled 1"


def test_references_for_some_pairs_only_are_refused(override_metric):
    override_metric.add(prediction=[1.0, 2.0, 3.0, 4.0], reference=1)
    override_metric.add(prediction=[1.0, 2.0, 3.0, 4.0])
    with pytest.raises(InputError, match=r"missing for 1 of 2 pairs. Give all or none"):
        override_metric.compute()


def test_a_model_that_never_reads_the_prompt_has_no_override_rate(override_metric):
    result = override_metric.compute(predictions=[[9, 9, 4, 4], [8, 8, 5, 5]])
    assert (result["missed"], result["override_rate"]) == (1.0, None)
    assert result["reasons"]["overridden_of_moved"] == "no score moved towards its request"
    assert (result["understood"], result["reading"]) == (0.0, "unclear")


def test_missing_scores_raise_or_are_counted(override_metric):
    scores = [[1.0, 2.0, 3.0, math.nan], [1.0, 2.0, 3.0, 4.0]]
    with pytest.raises(MissingScoresError, match='on_missing="drop"'):
        override_metric.compute(predictions=scores)
    result = override_metric.compute(predictions=scores, on_missing="drop")
    assert (result["n"], result["n_missing"], result["coverage"]) == (1, 1, 0.5)


FAULTS = [
    ({"predictions": None}, "no predictions given. The default configuration takes predictions"),
    ({"predictions": []}, "predictions is empty"),
    ({"predictions": [1.0, 2.0]}, "is one number. Give every pair .oiop, oidp, diop, didp."),
    ({"predictions": [[1.0, 2.0]] * 2}, "is a list of 2. Give every pair .oiop, oidp, diop, didp"),
    ({"predictions": [[1.0] * 4, [1.0] * 3]}, "mix forms: row 0 is a list of 4, row 1 is a list"),
    ({"predictions": [[1.0] * 4, [math.inf] * 4]}, "predictions holds 1 infinite"),
    ({"references": [1, 3]}, "not 1, 0 or -1"),
    ({"references": [1]}, "predictions has 2 rows but references has 1"),
    ({"resamples": 9}, "no column or option is called 'resamples'"),
    ({"prompts_original": ["a"]}, "prompts_original belongs to the images configuration"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[str(f[0])[:40] for f in FAULTS])
def test_a_fault_is_one_clear_line(load, change, message):
    metric = load("aas_override", keep_in_memory=True)
    with pytest.raises(InputError, match=message) as caught:
        metric.compute(**{"predictions": [[1.0] * 4, [2.0] * 4], **change})
    assert "\n" not in str(caught.value)


def test_an_unknown_configuration_names_the_known(load):
    with pytest.raises(UnknownNameError, match="are default and images"):
        load("aas_override", "pictures")


def test_it_combines_with_aas_preference_on_the_same_rows(load):
    scores, label = cells(), np.array([1, 0, -1] * 20)
    modules = [load("aas_preference"), load("aas_override")]
    options = {"clusters": np.arange(60) // 3, "groups": ["x", "y"] * 30}
    alone = [m.compute(predictions=scores, references=label, **options) for m in modules]
    both = evaluate.combine(modules)
    merged = both.compute(predictions=scores, references=label, **options)
    assert merged["auroc_ci"] == alone[0]["auroc_ci"]
    assert merged["override_rate_ci"] == alone[1]["override_rate_ci"]
    assert merged["aas_override_by_group"] == alone[1]["by_group"]
    both.add_batch(predictions=scores, references=label)
    assert both.compute(**options) == merged


@pytest.mark.real
def test_the_published_scores_give_the_values_on_the_card(override_metric, real_data):
    table = load_scores(real_data / "scores" / "stable_diffusion_3.5_large.jsonl")
    expected = {
        "hpsv3": (0.88, 0.75, 0.94, 0.29, 0.68),
        "hpsv2": (0.96, 0.354, 0.98, 0.64, 0.35),
        "image_reward": (0.867, 0.181, 0.933, 0.77, 0.193),
    }
    for reward, values in expected.items():
        four = table.cells(reward)
        rows = np.column_stack([four.oiop, four.oidp, four.diop, four.didp])
        result = override_metric.compute(predictions=rows, clusters=table.clusters)
        found = [
            result[k] for k in ("understood", "override_rate", "moved", "chosen", "overridden")
        ]
        assert found == pytest.approx(values, abs=5e-4)
