"""The page on reward models says what the catalogue and the goldens say."""

from __future__ import annotations

import re

import pytest
from support import golden_weights as made
from support import reward_table

from aas_bench.rewards.catalog import REWARDS

# no public code pins a commit of their repositories: the newest is taken and recorded
UNPINNED = {"vqascore", "visionreward"}
WITH_WEIGHTS = [row for row in REWARDS.values() if row.weights is not None]


def test_the_table_is_the_catalogues():
    assert reward_table.written() == reward_table.table()


def test_every_golden_was_met_when_it_was_added():
    files = sorted(made.FOLDER.glob("*.json"))
    assert len(files) == 12
    for file in files:
        facts = made.golden(file.stem)
        assert 0 < facts["largest_difference"] < facts["tolerance"] / 5


def test_only_models_whose_library_is_asked_instead_lack_a_golden():
    without = {
        r.name for r in WITH_WEIGHTS if reward_table.parity(r.name) == reward_table.NO_GOLDEN
    }
    assert without == {"clip-h", "siglip2", "laion-aesthetic", "unified-reward-2", "vlm-yes"}


@pytest.mark.parametrize("row", WITH_WEIGHTS, ids=lambda row: row.name)
def test_a_row_pins_a_full_commit_or_names_a_page(row):
    assert (row.weights.repo is None) == (row.weights.page is not None)
    if row.weights.repo is not None and row.name not in UNPINNED:
        assert re.fullmatch(r"[0-9a-f]{40}", row.weights.revision)


def test_the_page_explains_every_model_by_name():
    text = reward_table.PAGE.read_text(encoding="utf-8").replace(reward_table.table(), "")
    assert all(f"`{row.name}`" in text for row in WITH_WEIGHTS)
