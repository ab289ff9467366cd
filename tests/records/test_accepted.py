"""What is not accepted is not shown, whatever it says of itself."""

import json
import shutil

import pytest

from aas_bench.records.accept import accepted


@pytest.fixture
def folder(board, tmp_path):
    shutil.copytree(board, tmp_path / "results")
    return tmp_path / "results"


def edit(file, change, *, to=None):
    document = json.loads(file.read_text())
    change(document)
    (to or file).parent.mkdir(parents=True, exist_ok=True)
    (to or file).write_text(json.dumps(document))


def test_the_shipped_results_are_all_shown(board):
    found = accepted(board)
    assert found.refused == ()
    assert len(found.records) == len(list(board.rglob("*.json"))) - 1


def test_a_forged_figure_is_listed_with_its_reason_and_enters_nothing(folder):
    file = folder / "wide_spectrum" / "hpsv3" / "measured.json"

    def forge(document):
        chosen = next(m for m in document["measurements"] if m["measure"] == "chosen")
        chosen["value"] = 0.999

    accepted(folder)  # what was accepted before is no excuse
    edit(file, forge)
    found = accepted(folder)
    (refused,) = found.refused
    assert refused.file == "wide_spectrum/hpsv3/measured.json"
    assert "chosen: value is 0.999, recomputed 0.29" in refused.reason
    assert "wide_spectrum/hpsv3/measured" not in {r.id for r in found.records}


def test_a_record_without_its_scores_is_not_shown(folder):
    (folder / "wide_spectrum" / "hpsv3" / "measured.parquet").unlink()
    (refused,) = accepted(folder).refused
    assert "its scores measured.parquet are not beside it" in refused.reason


def test_scores_changed_afterwards_are_seen(folder):
    accepted(folder)
    scores = folder / "wide_spectrum" / "hpsv3" / "measured.parquet"
    shutil.copy(folder / "wide_spectrum" / "hpsv2" / "measured.parquet", scores)
    (refused,) = accepted(folder).refused
    assert "its scores have the checksum" in refused.reason


@pytest.mark.parametrize("value", [-5.0, 1e15, 1.0001])
def test_a_figure_that_cannot_be_is_refused(folder, value):
    file = folder / "wide_spectrum" / "clip-l" / "published.json"
    edit(file, lambda d: d["measurements"][0].update(value=value))
    (refused,) = accepted(folder).refused
    assert "accuracy lies outside 0 to 1" in refused.reason


def test_figures_of_the_paper_with_another_source_are_refused(folder):
    file = folder / "wide_spectrum" / "clip-l" / "published.json"
    edit(file, lambda d: d["source"].update(url="https://evil.example"))
    (refused,) = accepted(folder).refused
    assert "the source is not that of" in refused.reason


def test_figures_that_nobody_published_are_refused(folder):
    file = folder / "wide_spectrum" / "clip-l" / "published.json"

    def rename(document):
        document["id"] = "wide_spectrum/mine/published"
        document["subject"]["id"] = "mine"

    edit(file, rename, to=folder / "wide_spectrum" / "mine" / "published.json")
    (refused,) = accepted(folder).refused
    assert "the figures are not those of" in refused.reason
