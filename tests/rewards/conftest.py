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
