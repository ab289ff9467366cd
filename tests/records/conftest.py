"""Small runs and records whose numbers are known."""

from pathlib import Path

import pytest
from support import score_runs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def board():
    """The committed records."""
    return ROOT / "leaderboard" / "results"


@pytest.fixture(scope="session")
def submissions():
    return ROOT / "leaderboard" / "submissions"


@pytest.fixture
def reward_run(tmp_path):
    """Makes a folder as `score` leaves it; see `support.score_runs`."""
    return lambda **given: score_runs.reward_run(tmp_path, **given)
