"""A few cells of `benchmarks/calibration.py`, with room for the chance of a short simulation."""

import importlib.util
import json
import sys

import pytest
from stats.conftest import REPOSITORY

PATH = REPOSITORY / "benchmarks" / "calibration.py"
N_TABLES = 500
# Three standard errors of a share near 0.95 or 0.05 on so many tables.
SLACK = 3 * (0.05 * 0.95 / N_TABLES) ** 0.5


@pytest.fixture(scope="module")
def calibration():
    spec = importlib.util.spec_from_file_location("calibration", PATH)
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules["calibration"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["calibration"]


def shares(calibration, name, n_clusters, sizes):
    (case,) = (case for case in calibration.CASES if case.name == name)
    rows = calibration.simulate(case, n_clusters, sizes, N_TABLES)
    return {row.claim: row.share for row in rows}


@pytest.mark.parametrize("n_clusters", [9, 20])
@pytest.mark.parametrize(
    "name",
    [
        "rate 0.5, clustered",
        "rate 0.9, clustered",
        "override",
        "AUROC 0.8",
        "mean, normal",
        "Spearman 0.5",
        "two models, AUROC 0.8",
    ],
)
def test_equal_clusters_hold_the_level(calibration, name, n_clusters):
    for claim, share in shares(calibration, name, n_clusters, "equal").items():
        is_test = claim in ("sign flips", "Wilcoxon")
        low, high = (0.03, 0.07) if is_test else (0.93, 0.97)
        assert low - SLACK <= share <= high + SLACK, claim


@pytest.mark.parametrize("n_clusters", [9, 50])
@pytest.mark.parametrize(
    "name", ["rate 0.5, clustered", "rate 0.9, clustered", "rate 0.98, clustered", "AUROC 0.95"]
)
def test_unequal_clusters_never_fall_far_below(calibration, name, n_clusters):
    for claim, share in shares(calibration, name, n_clusters, "pareto").items():
        assert share >= 0.9, claim


def test_what_the_benchmark_marks(calibration):
    # An interval that ignores the clusters: the mark must show.
    def naive(rng, cluster):
        margin = calibration.latent(rng, cluster, 0.5)
        return {"": calibration.Interval(calibration.chosen(margin), 0.5)}

    (row,) = calibration.simulate(calibration.Case(name="naive", draw=naive), 9, "equal", 200)
    assert row.share < 0.85
    assert row.met is False
    assert "*" in calibration.markdown([row])


def test_the_command_writes_both_files(calibration, tmp_path, monkeypatch, capsys):
    words = ["calibration", "--only", "gap", "--tables", "5", "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr(calibration, "CLUSTERS", (9,))
    assert calibration.main() in (0, 1)
    text = (tmp_path / "calibration.md").read_text()
    assert text.strip() in capsys.readouterr().out
    rows = json.loads((tmp_path / "calibration.json").read_text())
    assert {(row["claim"], row["sizes"]) for row in rows} == {
        (claim, sizes) for claim in ("gap", "wins") for sizes in ("equal", "pareto")
    }
