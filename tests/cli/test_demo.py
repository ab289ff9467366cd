"""The demo, run as a whole: what it writes, and that it leaves nothing else behind."""

import json
import re

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
    assert all(len(line) <= 80 or str(tmp_path) in line for line in done.out.splitlines())
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


LINES = {
    # chosen, u, O and the share overridden in every unit, as issued with the scores; the interval
    # ends are those of `tests/evidence`, within a point.
    "HPSv3": ("29", "88", "75", "23"),
    "HPSv2": ("64", "96", "35", "23"),
    "ImageReward": ("77", "87", "18", "9"),
}


def test_real_models_open_the_demo_with_their_intervals(run, small, tmp_path):
    done = run("demo", "--no-open", "--out", tmp_path / "out")
    head, test = done.out.split("Self-test: synthetic scorers")
    lines = head.splitlines()
    assert "real reward models" in lines[0]
    for line, (name, values) in zip(lines[2:5], LINES.items(), strict=True):
        assert line.startswith(name)
        found = re.findall(r"(\d+)\W%\s\((\d+) to (\d+)\)", line)
        assert tuple(value for value, _, _ in found) == values
        assert all(int(low) < int(value) < int(high) for value, low, high in found)
    said = " ".join(head.split())
    assert "44 %, 81 % and 69 % of pairs moved towards the request" in said
    assert "23.3 %, 23.0 % and 9.3 %" in said
    assert "not a request understood" in said
    assert "understood the request" not in head
    assert "effect-match" in test
    assert "effect-match" not in head


def test_the_report_shows_real_models_before_the_self_test(run, small, tmp_path):
    run("demo", "--no-open", "--out", tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert 0 < page.index("HPSv3") < page.index('id="self-test"') < page.index("effect-match</")
    assert "overrides most" not in page
    assert "override most" not in page
    assert "These scorers are synthetic" in page


def test_the_demo_as_json(run, small, tmp_path):
    told = json.loads(run("demo", "--no-open", "--json", "--out", tmp_path / "out").out)
    assert told["n_pairs"] == 16
    assert told["real_models"]["HPSv3"]["chosen"]["value"] == 0.29
    assert set(told["rewards"]) == {"effect-match", "average-taste", "polish"}


def test_the_version_is_told(run):
    done = run("--version")
    assert (done.code, done.out) == (0, f"aas-bench {__version__}\n")
