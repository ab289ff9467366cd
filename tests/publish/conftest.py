"""Builders for the tests of the hub."""

import pytest
from support.scripts import script


@pytest.fixture(scope="session")
def counterfactual():
    """Makes small builders of the counterfactual script."""
    module = script("counterfactual")

    def make(**options):
        small = {"effects": ("richness", "clarity"), "scenes": ("coffee", "rocket")}
        return module.Counterfactual(**{**small, "size": 320, "doses": (0.5, 1.0), **options})

    return make


@pytest.fixture
def hub(loopback_hub, monkeypatch):
    """The Hub's client at work with the loopback Hub, without waits between retries."""
    loopback_hub.patch(monkeypatch)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    return loopback_hub
