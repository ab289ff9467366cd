"""The two metrics, each with a cache of its own."""

import evaluate
import pytest

from aas_bench.metric import metric_path


@pytest.fixture
def load(tmp_path):
    def loaded(name, config=None, **options):
        return evaluate.load(metric_path(name), config, cache_dir=str(tmp_path), **options)

    return loaded


@pytest.fixture
def preference_metric(load):
    return load("aas_preference")


@pytest.fixture
def override_metric(load):
    return load("aas_override")
