import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def real_scores() -> Path:
    """The authors' 300 scored rows, where they are at hand."""
    folder = os.environ.get("AAS_BENCH_REAL_DATA", REPOSITORY.parent / "shared" / "data" / "real")
    path = Path(folder) / "scores" / "stable_diffusion_3.5_large.jsonl"
    if not path.exists():
        pytest.skip("the authors' data is not here")
    return path
