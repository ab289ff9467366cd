"""The numbers of aas_preference, and how its rows may come in."""

import inspect
import json
import math

import evaluate
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from sklearn import metrics as sk
from support.reference import auroc_by_counting
from support.strategies import labelled

from aas_bench.errors import InputError, MissingScoresError, UnknownNameError
from aas_bench.metric import metric_path
from aas_bench.stats.preference import preference

AGREEMENT = ("accuracy", "balanced_accuracy", "f1", "auroc", "cohen_kappa")
KEYS = (*AGREEMENT, "chosen", "polished", "tied")
COUNTS = {"n", "n_label_ties", "n_reward_ties", "n_missing", "n_clusters"}
# One instance serves all examples, on purpose; a busy machine draws them slowly.
CALM = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def pairs(n=60, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, 2)).round(1)
    return scores, rng.integers(-1, 2, n), rng.integers(0, 9, n)


def sklearn_scores(margin, label):
    kept = label >= 0
    margin, label, choice = margin[kept], label[kept], margin[kept] > 0
    return {
        "accuracy": sk.accuracy_score(label, choice),
        "balanced_accuracy": sk.balanced_accuracy_score(label, choice),
        "f1": sk.f1_score(label, choice),
        "auroc": sk.roc_auc_score(label, margin),
        "cohen_kappa": sk.cohen_kappa_score(label, choice),
    }


@given(table=labelled(labels=(0, 1, -1)))
@settings(max_examples=25, suppress_health_check=CALM)
def test_numbers_are_those_of_the_statistics_and_of_scikit_learn(preference_metric, table):
    margin, label, cluster = table
    result = preference_metric.compute(predictions=margin, references=label, clusters=cluster)
    direct = preference(margin, label, clusters=cluster)
    for key in AGREEMENT:
        estimate = getattr(direct, key)
        ends = None if estimate.low is None else [estimate.low, estimate.high]
        assert (result[key], result[f"{key}_ci"]) == (estimate.value, ends)
    if {0, 1} <= set(label):
        for key, value in sklearn_scores(margin, label).items():
            assert result[key] == pytest.approx(value, abs=1e-12)


def test_every_key_is_there_and_everything_is_json():
    metric = evaluate.load(metric_path(), keep_in_memory=True)
    scores, label, cluster = pairs()
    result = metric.compute(
        predictions=scores, references=label, clusters=cluster, groups=["x", "y", "z"] * 20
    )
    expected = {*KEYS, *(f"{key}_ci" for key in KEYS), *COUNTS, "coverage", "reasons"}
    assert set(result) == expected | {"by_group", "by_ties"}
    assert [set(part) for part in result["by_group"].values()] == [expected] * 3
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_intervals_are_over_whole_clusters(preference_metric):
    scores, label, cluster = pairs()
    margin = scores[:, 1] - scores[:, 0]
    result = preference_metric.compute(
        predictions=scores, references=label, clusters=cluster, confidence_level=0.8
    )

    rng, members = np.random.default_rng(0), [np.flatnonzero(cluster == c) for c in set(cluster)]
    resampled = []
    for _ in range(1500):
        rows = np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))])
        resampled.append(auroc_by_counting(margin[rows], label[rows]))
    low, high = np.quantile(resampled, (0.1, 0.9))
    assert result["auroc_ci"] == pytest.approx([low, high], abs=0.05)
    assert result["n_clusters"] == len(set(cluster[label >= 0]))
    wide = preference_metric.compute(predictions=scores, references=label, clusters=cluster)
    assert wide["auroc_ci"][0] < low
    assert wide["auroc_ci"][1] > high


def test_three_forms_give_one_result_and_alternate_on_one_instance(preference_metric):
    scores, label, _ = pairs()
    margin = scores[:, 1] - scores[:, 0]
    four = np.column_stack([np.full(60, 7.0), scores[:, 0], np.full(60, -7.0), scores[:, 1]])
    forms = [scores, margin, four, margin[:, None], scores.tolist(), margin.tolist(), scores]
    results = [preference_metric.compute(predictions=form, references=label) for form in forms]
    assert all(result == results[0] for result in results)


def test_columns_come_as_any_sequence(preference_metric):
    table = pd.DataFrame({"m": [0.5, -1.0, 2.0, 1.0], "y": [1, 1, 0, 1]}, index=[9, 8, 7, 6])
    result = preference_metric.compute(predictions=table["m"], references=table["y"])
    assert result["accuracy"] == 0.5
    result = preference_metric.compute(predictions=(0.5, -1.0), references=(True, True))
    assert result["accuracy"] == 0.5


def test_rows_and_batches_add_up(preference_metric):
    scores, label, cluster = pairs()
    whole = preference_metric.compute(predictions=scores, references=label, clusters=cluster)
    for score, one in zip(scores[:10], label[:10], strict=True):
        preference_metric.add(prediction=score, reference=one)
    preference_metric.add_batch(predictions=scores[10:40], references=label[10:40])
    parts = preference_metric.compute(
        predictions=scores[40:], references=label[40:], clusters=cluster
    )
    assert parts == whole


def test_a_group_is_computed_as_if_it_were_alone(preference_metric):
    scores, label, cluster = pairs()
    groups = [["blur"], ["blur", "gloom"], "gloom"] * 20
    given = {"predictions": scores, "references": label, "clusters": cluster}
    result = preference_metric.compute(**given, groups=groups)
    blur = np.arange(60) % 3 != 2
    alone = preference_metric.compute(**{name: column[blur] for name, column in given.items()})
    assert result["by_group"]["blur"] == {k: v for k, v in alone.items() if k[:3] != "by_"}
    assert list(result["by_group"]) == ["blur", "gloom"]
    assert alone["by_group"] == {}


def test_ties_of_the_reward(preference_metric):
    given = {"predictions": [0.0, 1.0], "references": [1, 1]}
    assert preference_metric.compute(**given)["accuracy"] == 0.5
    half = preference_metric.compute(**given, ties="half")
    assert (half["accuracy"], half["n_reward_ties"]) == (0.75, 1)


def test_missing_scores_raise_or_are_counted(preference_metric):
    given = {"predictions": [[1.0, 2.0], [None, 2.0], [math.nan, 1.0]], "references": [1, 1, 0]}
    with pytest.raises(MissingScoresError, match='on_missing="drop"'):
        preference_metric.compute(**given)
    result = preference_metric.compute(**given, on_missing="drop")
    assert (result["n"], result["n_missing"]) == (1, 2)
    assert result["coverage"] == pytest.approx(1 / 3)


def test_undefined_is_null_with_a_reason(preference_metric):
    result = preference_metric.compute(predictions=[1.0, -1.0], references=[1, 1])
    assert result["auroc"] is None
    assert result["auroc_ci"] is None
    assert result["reasons"]["auroc"] == "single class: every label is 1"
    nothing = preference_metric.compute(predictions=[1.0], references=[-1])
    assert (nothing["accuracy"], nothing["n"], nothing["n_label_ties"]) == (None, 0, 1)


FINE = {"predictions": [[1.0, 2.0], [2.0, 1.0]], "references": [1, 0]}
FAULTS = [
    ({"predictions": None}, "no predictions given.*takes predictions, references"),
    ({"references": None}, "no references given.*takes predictions, references"),
    ({"predictions": [], "references": []}, "predictions is empty. Give at least one pair"),
    ({"references": [1]}, "predictions has 2 rows but references has 1. Give one of each"),
    (
        {"predictions": [[1.0, 2.0], [1.0, math.inf]]},
        "predictions holds 1 infinite.*NaN or None stands for",
    ),
    ({"predictions": [1.0, -math.inf]}, "predictions holds 1 infinite.*-inf.*Give finite scores"),
    ({"references": [1, 2]}, "references, row 1: 2 is not 1, 0 or -1"),
    ({"references": [1, 0.25]}, "references, row 1: 0.25 is not 1, 0 or -1"),
    ({"references": [1, "yes"]}, "references, row 1: 'yes' is not 1, 0 or -1"),
    ({"predictions": [[1.0, 2.0], 1.0]}, "mix forms: row 0 is a list of 2, row 1 is one number"),
    ({"predictions": [[1.0, 2.0], [1.0]]}, "mix forms: row 0 is a list of 2, row 1 is a list of 1"),
    ({"predictions": [[1.0, 2.0], None]}, "mix forms: .*row 1 is a NoneType"),
    ({"predictions": [[1.0] * 3] * 2}, "is a list of 3. Give every pair one number .* or .score_o"),
    ({"predictions": [[], []]}, "is a list of 0. Give every pair one number"),
    ({"predictions": ["high", "low"]}, "predictions, row 0: 'high' is not a number"),
    ({"predictions": "12"}, "predictions is a str. Give one entry per pair"),
    ({"predictions": 3.0}, "predictions is a float. Give one entry per pair"),
    ({"groups": ["a"]}, "groups has 1 entries for 2 pairs. Give one per pair"),
    ({"clusters": [1]}, "clusters has 1. Give one of each per pair"),
    ({"ties": "both"}, "ties='both' is not an option. Use 'original' or 'half'"),
    ({"on_missing": "skip"}, "on_missing='skip' is not an option. Use 'raise' or 'drop'"),
    ({"confidence_level": 95}, "confidence_level=95 .*Give one such as 0.95"),
    ({"reward_model": "polish"}, 'reward_model belongs to the images.*load.*"images"'),
    ({"prompts": ["a", "b"]}, 'prompts belongs to the images configuration.*load.*"images"'),
    ({"confidence": 0.9}, "'confidence'. Did you mean confidence_level.*takes predictions, ref"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[str(f[0])[:40] for f in FAULTS])
def test_a_fault_is_one_clear_line(load, change, message):
    metric = load("aas_preference", keep_in_memory=True)
    with pytest.raises(InputError, match=message) as caught:
        metric.compute(**{**FINE, **change})
    assert "\n" not in str(caught.value)
    assert metric.compute(**FINE)["n"] == 2, "a fault must not leave rows behind"


def test_computing_nothing_says_what_is_missing(preference_metric):
    with pytest.raises(InputError, match="no predictions and no references given"):
        preference_metric.compute()


def test_rows_of_another_form_cannot_be_added_later(preference_metric):
    preference_metric.add(prediction=1.0, reference=1)
    with pytest.raises(InputError, match=r"differ from those added before. Keep to one"):
        preference_metric.add(prediction=[1.0, 2.0], reference=1)
    assert preference_metric.compute()["n"] == 1


def test_a_column_that_no_configuration_has_is_refused(preference_metric):
    with pytest.raises(UnknownNameError, match=r"'prediction'. Did you mean predictions"):
        preference_metric.add_batch(prediction=[1.0], references=[1])


def test_an_unknown_configuration_names_the_known(load):
    with pytest.raises(UnknownNameError, match=r"Did you mean images.*are default and images"):
        load("aas_preference", "image")


def test_a_failed_computation_leaves_no_file_in_the_cache(preference_metric, tmp_path):
    with pytest.raises(InputError, match="Give one per pair"):
        preference_metric.compute(**FINE, groups=["a"])
    assert not list(tmp_path.rglob("*.arrow"))
    assert preference_metric.compute(**FINE)["accuracy"] == 1.0


def test_a_failure_spares_the_file_of_another_instance(load, tmp_path):
    first, second = load("aas_preference"), load("aas_preference")
    first.compute(**FINE)
    second.add_batch(**FINE)
    with pytest.raises(InputError, match="is empty"):
        first.compute(predictions=[], references=[])
    assert len(list(tmp_path.rglob("*.arrow"))) == 1
    assert second.compute()["n"] == 2


def test_two_of_a_kind_combine(load):
    scores, label, _ = pairs()
    metrics = {name: load("aas_preference", experiment_id=name) for name in ("a", "b")}
    both = evaluate.combine(metrics)
    both.add_batch(predictions=scores, references=label)
    result = both.compute(confidence_level=0.9)
    assert result["a_accuracy"] == result["b_accuracy"]
    assert math.isfinite(result["a_accuracy"])


def test_the_options_are_keyword_arguments_by_name(preference_metric):
    kinds = {p.kind for p in inspect.signature(preference_metric._compute).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}


def test_both_forms_are_announced(preference_metric):
    listed, plain = preference_metric.features
    assert list(listed) == list(plain) == ["predictions", "references"]
    assert listed["predictions"] != plain["predictions"]
