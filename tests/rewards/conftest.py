"""Shared by the tests of reward models."""

import sys

import pytest


@pytest.fixture
def record_difference(record_property):
    """Fail where a golden is missed; else leave the difference in the report (-s prints it)."""

    def record(name: str, difference: float, tolerance: float) -> None:
        record_property("largest_difference", f"{name} {difference:.2e}")
        sys.stdout.write(f"\n{name}: off by {difference:.2e}, allowed {tolerance:.0e}\n")
        assert difference <= tolerance

    return record


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """An empty cache and no network."""
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
