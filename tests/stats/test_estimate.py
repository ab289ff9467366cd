import json

import numpy as np
import pytest

from aas_bench.stats import Estimate, dose_response, preference, strength_curve


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_never_holds_what_json_cannot(number):
    with pytest.raises(ValueError, match="finite numbers or None"):
        Estimate(value=number, n=1)
    with pytest.raises(ValueError, match="finite numbers or None"):
        Estimate(value=0.5, low=number, n=1)


def test_an_undefined_value_needs_a_reason():
    with pytest.raises(ValueError, match="needs a reason"):
        Estimate(value=None, n=0)


def test_every_result_is_plain_json():
    margin, label = np.array([1.0, -1.0, 0.5, np.nan]), np.array([1, 1, 1, 0])
    results = [
        preference(margin, label, clusters=np.array(list("aabb")), on_missing="drop"),
        strength_curve(margin, -margin, strengths=np.array([0.0, 1.0]), on_missing="drop"),
        dose_response(margin[:3], [0.25, 0.5, 0.5], ["blur"] * 3, np.array([1, 1, 2])),
    ]
    for result in results:
        again = json.loads(json.dumps(result.to_dict(), allow_nan=False))
        assert again == result.to_dict()
    assert list(results[2].to_dict()["effects"]["blur"]["win_rate"]) == ["0.25", "0.5"]
    assert results[0].to_dict()["auroc"] == {
        "value": None,
        "low": None,
        "high": None,
        "n": 3,
        "n_clusters": 2,
        "coverage": 0.75,
        "reason": "single class: every label is 1",
    }
