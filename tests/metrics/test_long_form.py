"""`metric.summarise`: the Summary of `aas_bench.summarise`, with the numbers of `compute`."""

import json

import evaluate
import numpy as np
import pytest

import aas_bench
from aas_bench.errors import InputError
from aas_bench.measure.results import Summary
from aas_bench.metric.install import NAMES

N = 120


@pytest.fixture(scope="module")
def four():
    scores = np.random.default_rng(2).normal(size=(N, 4))
    scores[:, 3] += 1.2  # the request moves the score
    scores[:5, 3] = scores[:5, 1]  # ties
    return scores


LABELS = [1, 0, 1, -1] * (N // 4)
GROUPS = [["a"], ["a", "b"], ["b"], ["c"]] * (N // 4)
CLUSTERS = [f"prompt {i // 3}" for i in range(N)]
OPTIONS = {"clusters": CLUSTERS, "groups": GROUPS, "confidence_level": 0.9, "ties": "half"}


def loaded(name, how):
    if how == "plain":
        return aas_bench.load_metric(name)
    return evaluate.load(aas_bench.metric_path(name))


def same(result, key, estimate):
    assert result[key] == estimate.value is not None
    assert result[f"{key}_ci"] == [estimate.low, estimate.high]


@pytest.mark.parametrize("how", ["plain", "evaluate"])
def test_preference_in_long_form_is_the_summary_with_the_same_numbers(four, how):
    metric = loaded("aas_preference", how)
    given = {"predictions": four.tolist(), "references": LABELS, **OPTIONS}
    result, found = metric.compute(**given), metric.summarise(reward="mine", **given)
    assert isinstance(found, Summary)
    whole = found.rewards["mine"]
    for key in ("accuracy", "balanced_accuracy", "auroc", "cohen_kappa"):
        same(result, key, getattr(whole.preference, key))
    same(result, "tied", whole.choices.tied)
    for group in "ab":
        same(result["by_group"][group], "accuracy", whole.by[group].headline)
    assert result["n_clusters"] == whole.headline.n_clusters
    # It stays an ordinary metric afterwards.
    assert metric.compute(**given) == result


@pytest.mark.parametrize("how", ["plain", "evaluate"])
def test_override_in_long_form_is_the_summary_with_the_same_numbers(four, how):
    metric = loaded("aas_override", how)
    given = {"predictions": four.tolist(), **OPTIONS}
    result, found = metric.compute(**given), metric.summarise(**given)
    whole = found.rewards["reward"]
    for key in ("followed", "overridden", "missed", "lucky"):
        same(result, key, getattr(whole.override, key))
    for key in ("understood", "override_rate"):
        same(result, key, getattr(whole.placebo, key))
    assert "toprule" in found.to_latex()
    assert "<table" in found._repr_html_()
    assert found.compare(found).comparison.accuracy_difference.value == 0
    json.dumps(found.to_dict())


def test_pairs_added_one_by_one_count_and_pairs_without_clusters_stand_alone(four):
    metric = aas_bench.load_metric("aas_override")
    for row in four.tolist():
        metric.add(prediction=row)
    found = metric.summarise()
    result = metric.compute(predictions=four.tolist())
    assert found.n_pairs == found.n_clusters == N
    same(result, "override_rate", found.rewards["reward"].placebo.override_rate)


def test_what_no_summary_can_be_made_of_is_said(four):
    metric = aas_bench.load_metric("aas_preference")
    with pytest.raises(InputError, match="margins alone"):
        metric.summarise(predictions=[0.1, 0.2], references=[1, 0])
    with pytest.raises(InputError, match="Give the reward model a name"):
        metric.summarise(predictions=four.tolist(), references=LABELS, reward=" ")
    whole = {"predictions": four.tolist(), "references": LABELS}
    for bad in (
        {"clusters": [None, *CLUSTERS[1:]]},
        {"clusters": CLUSTERS[1:]},
        {"groups": [None, *GROUPS[1:]]},
        {"groups": GROUPS[1:]},
    ):
        for call in (metric.compute, metric.summarise):
            with pytest.raises(InputError, match=r"clusters|groups"):
                call(**whole, **bad)
    two = metric.summarise(predictions=four[:, [1, 3]].tolist(), references=LABELS)
    assert two.rewards["reward"].override is None
    assert metric.compute(predictions=[0.1, 0.2], references=[1, 0])["n"] == 2


def test_images_are_scored_and_summarised(four):
    pictures = [np.full((8, 8, 3), shade, np.uint8) for shade in range(6)]
    metric = aas_bench.load_metric("aas_override", "images")
    found = metric.summarise(
        images_original=pictures,
        images_distorted=pictures[::-1],
        prompts_original=["a cat"] * 6,
        prompts=["a dark cat"] * 6,
        reward_model=lambda images, prompts: [
            i.getpixel((0, 0))[0] * (len(p) % 7 - 3) for i, p in zip(images, prompts, strict=True)
        ],
    )
    assert found.rewards["reward"].override.n == 6
    assert set(NAMES) == {"aas_preference", "aas_override"}
