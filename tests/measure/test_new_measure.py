"""A measure is one row: summary, JSON, record, acceptance, table and column follow."""

import json

import numpy as np
import pandas as pd
import pytest
from support.leaderboard_records import scored_reward
from support.report_tables import score_frame

from aas_bench.board.entries import measured_column
from aas_bench.measure.measures import MEASURES, RANGES, Measure, Placed
from aas_bench.measure.summary import summarise
from aas_bench.records.accept import check_folder
from aas_bench.records.collection import collect, load_results, save_record
from aas_bench.stats.gap import paired_gap
from aas_bench.tables.scores import ScoreTable

ROW = Measure(
    name="mean_margin",
    label="Mean margin",
    formula="mean(d_a)",
    higher_is_better=True,
    unit="score",
    compute=lambda view: iter(
        [Placed(estimate=paired_gap(view.cells.didp, view.cells.oidp, **view.keywords).gap)]
    ),
)


@pytest.fixture
def with_row(monkeypatch):
    monkeypatch.setattr(MEASURES, "_rows", {**MEASURES._rows, ROW.name: ROW})


def test_a_new_measure_is_one_row(with_row, tmp_path):
    frame = score_frame()
    summary = summarise(ScoreTable.from_frame(frame), rewards=["alpha"])
    margin = (frame["alpha_didp"] - frame["alpha_oidp"]).to_numpy()
    found = {(m.by, m.group): m for m in summary.measurements() if m.measure == "mean_margin"}
    assert found[None, None].value == pytest.approx(margin.mean())
    emotion = np.array(["emotion" in asked for asked in frame["dimensions"]])
    assert found["dimensions", "emotion"].value == pytest.approx(margin[emotion].mean())
    assert found["dimensions", "emotion"].n == emotion.sum()
    told = json.loads(summary.to_json())["measurements"]
    assert sum(each["measure"] == "mean_margin" for each in told) == len(found)

    record = scored_reward(tmp_path, "r", 3, 1.0)
    save_record(record, tmp_path)
    assert record.get("mean_margin").n == 40
    assert [verdict.refused for verdict in check_folder(tmp_path)] == [()]
    table = pd.read_parquet(collect(load_results(tmp_path), tmp_path / "all.parquet"))
    assert table.set_index("measure")["value"]["mean_margin"] == record.get("mean_margin").value
    assert measured_column("mean_margin").label == "Mean margin"


@pytest.mark.parametrize("name", list(MEASURES))
def test_every_measure_has_a_unit_with_a_range(name):
    row = MEASURES[name]
    assert row.unit in RANGES
    low, high = row.range
    assert row.chance is None or (low or -np.inf) <= row.chance <= (high or np.inf)


def test_what_is_computed_lies_in_its_range():
    for seed in range(5):
        table = ScoreTable.from_frame(score_frame(seed=seed, doses=True, wordings=2))
        for found in summarise(table).measurements():
            low, high = MEASURES[found.measure].range
            for end in (found.value, found.low, found.high):
                assert end is None or (
                    (low is None or low <= end) and (high is None or end <= high)
                )
