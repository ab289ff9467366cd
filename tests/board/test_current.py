"""New results appear without a restart, and a broken folder keeps the page that there is."""

import shutil
import time
from pathlib import Path

import pytest

from aas_bench.board.current import Current, stamp
from aas_bench.board.site import Site

RESULTS = Path(__file__).parents[2] / "leaderboard" / "results"
NEW = Path("wide_spectrum", "hpsv3")


@pytest.fixture
def folder(tmp_path):
    """The shipped results without HPSv3's own."""
    shutil.copytree(RESULTS, tmp_path / "results")
    shutil.rmtree(tmp_path / "results" / NEW)
    return tmp_path / "results"


def until(holds):
    for _ in range(600):
        if holds():
            return True
        time.sleep(0.05)
    return False


def test_a_new_record_appears(folder):
    current = Current(Site(folder), every=0)
    before = current()
    assert "HPSv3" not in before.head()
    shutil.copytree(RESULTS / NEW, folder / NEW)
    assert until(lambda: "HPSv3 chose" in current().head())
    assert current().revision != before.revision
    assert current().images == before.images


def test_what_did_not_change_is_not_made_again(folder):
    current = Current(Site(folder), every=0)
    first = current()
    time.sleep(0.5)
    assert current() is first


def test_a_folder_that_goes_away_leaves_the_page(folder):
    current = Current(Site(folder), every=0)
    first = current()
    shutil.rmtree(folder)
    time.sleep(0.5)
    assert current() is first


def test_the_stamp_changes_with_content_names_and_nothing_else(folder):
    before = stamp(folder)
    assert stamp(folder) == before
    (folder / "more.json").write_text("{")
    assert stamp(folder) != before
