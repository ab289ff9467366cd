"""The demo, run as a whole: what it writes, and that it leaves nothing else behind."""

import json

import pandas as pd
import pytest

from aas_bench.counterfactual.split import counterfactual_files
from aas_bench.run.score import score
from aas_bench.version import __version__


@pytest.fixture
def small(monkeypatch):
    """The demo on two scenes and two effects."""
    monkeypatch.setattr(
        "aas_bench.counterfactual.split.counterfactual_files",
        lambda folder: counterfactual_files(
            folder, scenes=["coffee", "rocket"], effects=["clarity", "symmetry"], size=320
        ),
    )


def test_the_demo_writes_report_and_scores(run, small, tmp_path, monkeypatch):
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    done = run("demo", "--no-open", "--out", tmp_path / "out")
    assert done.code == 0
    assert f"report: {tmp_path / 'out' / 'index.html'}" in " ".join(done.out.split())
    assert list(aside.iterdir()) == []
    scores = pd.read_parquet(tmp_path / "out" / "scores.parquet")
    (tmp_path / "pictures").mkdir()
    pairs = counterfactual_files(
        tmp_path / "pictures",
        scenes=["coffee", "rocket"],
        effects=["clarity", "symmetry"],
        size=320,
    )
    expected = score(pairs, "polish", progress=False).frame
    pd.testing.assert_series_equal(scores["polish_didp"], expected["polish_didp"])
    shown = list((tmp_path / "out" / "images").glob("*.jpg"))
    assert len(shown) == len(list((tmp_path / "pictures").iterdir()))


def test_the_demo_as_json(run, small, tmp_path):
    told = json.loads(run("demo", "--no-open", "--json", "--out", tmp_path / "out").out)
    assert told["n_pairs"] == 16
    assert set(told["rewards"]) == {"effect-match", "average-taste", "polish"}


def test_the_version_is_told(run):
    done = run("--version")
    assert (done.code, done.out) == (0, f"aas-bench {__version__}\n")
