"""One summarised table for all tests of the report, and the authors' data where it is present."""

import os
from pathlib import Path

import pytest
from support.report_tables import score_table

from aas_bench.measure.summary import summarise


@pytest.fixture(scope="session")
def table():
    return score_table(cuts=True, doses=True, wordings=2)


@pytest.fixture(scope="session")
def summary(table):
    return summarise(table, n_resamples=100)


@pytest.fixture(scope="session")
def real_scores():
    here = Path(__file__).resolve().parents[2]
    default = here.parent / "shared" / "data" / "real"
    folder = Path(os.environ.get("AAS_BENCH_REAL_DATA", default))
    path = folder / "scores" / "stable_diffusion_3.5_large.jsonl"
    if not path.exists():
        pytest.skip("the authors' data is not here")
    return path
