"""The public names are listed, resolve, and nothing else leaks."""

import doctest
import sys

import pytest

import aas_bench


def test_public_names_are_pinned():
    assert sorted(aas_bench.__all__) == [
        "OverrideMetric",
        "RemoteReward",
        "RewardModel",
        "ScoreTable",
        "Summary",
        "__version__",
        "check_reward",
        "doctor",
        "judge",
        "load_metric",
        "load_pairs",
        "load_reward",
        "load_scores",
        "metric_path",
        "score",
        "summarise",
        "with_placebos",
        "write_report",
    ]


@pytest.mark.parametrize("name", aas_bench.__all__)
def test_every_public_name_resolves_and_is_documented(name):
    value = getattr(aas_bench, name)
    assert name == "__version__" or value.__doc__


@pytest.mark.parametrize("name", sorted(set(aas_bench.__all__) - {"__version__"}))
def test_every_public_name_has_an_example_that_runs(name):
    value = getattr(aas_bench, name)
    module = sys.modules[value.__module__]
    tests = doctest.DocTestFinder(recurse=False).find(value, name, module=module)
    assert sum(len(each.examples) for each in tests) > 0, f"{name} has no example"
    for each in tests:
        told: list[str] = []
        failed, _ = doctest.DocTestRunner().run(each, out=told.append)
        assert not failed, "".join(told)


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = aas_bench.nonsense
