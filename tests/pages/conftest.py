"""One summarised table for all tests of the report."""

import pytest
from support.report_tables import score_table

from aas_bench.measure.summary import summarise


@pytest.fixture(scope="session")
def table():
    return score_table(cuts=True, doses=True, wordings=2)


@pytest.fixture(scope="session")
def summary(table):
    return summarise(table)
