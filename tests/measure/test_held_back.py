"""The metric for training loops gives the numbers of `summarise`, with and without torchmetrics."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import torchmetrics
from support.toy_pairs import picture
from support.toy_rewards import ToyCross

from aas_bench import OverrideMetric, ScoreTable, summarise
from aas_bench.errors import InputError

CELLS = ("oiop", "oidp", "diop", "didp")


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(5)
    n = 120
    taste, read = rng.normal(-1, 1, n), rng.normal(1.2, 0.5, n)
    noise = rng.normal(0, 0.2, (4, n))
    frame = pd.DataFrame({"pair_id": [f"p/{i}" for i in range(n)], "index": np.arange(n) // 3})
    frame["r_oiop"], frame["r_oidp"] = noise[0], noise[1] - read / 2
    frame["r_diop"], frame["r_didp"] = taste + noise[2], taste + read / 2 + noise[3]
    return frame


def columns(frame, rows=slice(None)):
    return [frame[f"r_{cell}"].to_numpy()[rows] for cell in CELLS]


def expected(frame):
    found = summarise(ScoreTable.from_frame(frame), on_missing="drop").rewards["r"]
    shares = {
        "chosen": found.chosen,
        "understood": found.placebo.understood,
        "override_rate": found.placebo.override_rate,
    }
    return {
        name + end: getattr(estimate, field)
        for name, estimate in shares.items()
        for end, field in (("", "value"), ("_low", "low"), ("_high", "high"))
    }


def test_batches_add_up_to_the_numbers_of_a_summary(frame):
    metric = OverrideMetric()
    for start in range(0, 120, 50):
        rows = slice(start, start + 50)
        metric.update(*columns(frame, rows), frame["index"].to_numpy()[rows])
    found = metric.compute()
    assert found.pop("n") == 120
    assert 0.2 < found["override_rate"] < 0.8
    assert found == pytest.approx(expected(frame), rel=1e-12)


def test_missing_scores_are_left_out(frame):
    frame = frame.copy()
    frame.loc[:9, "r_diop"] = np.nan
    metric = OverrideMetric()
    metric.update(*columns(frame), frame["index"])
    found = metric.compute()
    assert found.pop("n") == 110
    assert found == pytest.approx(expected(frame), rel=1e-12)


def test_without_clusters_every_pair_is_its_own(frame):
    frame = frame.assign(index=np.arange(120))
    metric = OverrideMetric()
    metric.update(*(torch.tensor(c) for c in columns(frame)))
    found = metric.compute()
    assert found.pop("n") == 120
    assert found == pytest.approx(expected(frame), rel=1e-12)


def test_nothing_is_undefined_and_reset_forgets(frame):
    metric = OverrideMetric()
    metric.update(*columns(frame))
    metric.reset()
    found = metric.compute()
    assert found.pop("n") == 0
    assert set(found.values()) == {None}


def test_a_model_blind_to_prompts_has_no_override_rate():
    metric = OverrideMetric()
    score = np.linspace(0, 1, 40)
    metric.update(score, score, score[::-1], score[::-1])
    found = metric.compute()
    assert found["chosen"] == 0.5
    assert found["override_rate"] is None


def test_pairs_are_scored_in_the_order_of_the_cells():
    images = [(picture(i), picture(100 + i)) for i in range(3)]
    prompts = [(f"a cat {i}", f"a blurred cat {i}, dull") for i in range(3)]
    model = ToyCross()
    metric = OverrideMetric()
    metric.score(model, images, prompts)
    want = [
        model.score([p[i] for p in images], [p[j] for p in prompts]) for i in (0, 1) for j in (0, 1)
    ]
    assert np.array_equal(np.asarray(metric.rows[0])[:, :4], np.stack(want, axis=1))
    with pytest.raises(InputError, match="3 pairs of images but 2"):
        metric.score(model, images, prompts[:2])


def test_pairs_of_one_plain_prompt_are_not_taken_for_independent():
    images = [(picture(i), picture(100 + i)) for i in range(6)]
    prompts = [(f"a cat {i // 3}", f"a blurred cat {i}, dull") for i in range(6)]
    asked, told = OverrideMetric(), OverrideMetric()
    asked.score(ToyCross(), images, prompts)
    told.score(ToyCross(), images, prompts, clusters=[0, 0, 0, 1, 1, 1])
    assert asked.compute() == told.compute()
    alone = OverrideMetric()
    alone.score(ToyCross(), images, prompts, clusters=range(6))
    assert alone.compute() != told.compute()


def test_a_plot_without_its_packages_says_which(monkeypatch):
    monkeypatch.setattr("aas_bench.measure.held_back.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install torchmetrics matplotlib"):
        OverrideMetric().plot()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (([1], [1], [1], [1, 2]), "have 1, 1, 1, 2, 1 numbers"),
        (([1], [1], [1], [1], [0.5]), "whole numbers"),
        (([1], [1], [1], [1], [2**53]), "whole numbers"),
        ((["x"], [1], [1], [1]), "no numbers"),
    ],
)
def test_what_fits_no_pair_is_refused(given, why):
    with pytest.raises(InputError, match=why):
        OverrideMetric().update(*given)


def test_it_is_a_metric_of_torchmetrics(frame):
    metric = OverrideMetric()
    assert isinstance(metric, torchmetrics.Metric)
    together = torchmetrics.MetricCollection({"guard": metric})
    together.update(*columns(frame))
    alone = OverrideMetric()
    alone(*columns(frame, slice(0, 60)))
    alone(*columns(frame, slice(60, 120)))
    assert together.compute()["n"] == alone.compute()["n"] == 120
    assert together.compute()["chosen"] == alone.compute()["chosen"]
    pytest.importorskip("matplotlib")  # torchmetrics draws with it, and does not bring it
    figure, axes = alone.plot([alone.compute(), alone.compute()])
    assert len(axes.lines) >= 3
    figure.clear()


def test_processes_are_put_together(frame):
    """As torchmetrics does after its exchange: one tensor in place of the list."""
    metric = OverrideMetric()
    metric.update(*columns(frame))
    whole = metric.compute()
    metric = OverrideMetric()
    metric.rows = torch.cat(
        [torch.tensor(np.c_[np.stack(columns(frame), 1), np.full(120, np.nan)])]
    )
    assert metric.compute() == whole


def test_without_torchmetrics_the_numbers_are_the_same(frame):
    code = (
        "import sys, json; sys.modules['torchmetrics'] = None\n"
        "from aas_bench import OverrideMetric\n"
        "cells = json.load(sys.stdin); metric = OverrideMetric(); metric.update(*cells)\n"
        "metric.reset(); metric.update(*cells); found = metric.compute()\n"
        "print(json.dumps(found)); assert 'torch' not in sys.modules\n"
    )
    cells = json.dumps([column.tolist() for column in columns(frame)])
    done = subprocess.run(
        [sys.executable, "-c", code], input=cells, capture_output=True, text=True, check=True
    )
    metric = OverrideMetric()
    metric.update(*columns(frame))
    assert json.loads(done.stdout) == metric.compute()


class Run:
    def __init__(self):
        self.told = []

    def log(self, values, step=None):
        self.told.append((values, step))


class Writer:
    def __init__(self):
        self.told = {}

    def add_scalar(self, name, value, step):
        self.told[name] = (value, step)


def test_trackers_are_told_what_is_defined(frame):
    metric = OverrideMetric()
    metric.update(*columns(frame))
    run, writer = Run(), Writer()
    found = metric.log_to(run, step=7)
    metric.log_to(writer, step=8, prefix="x/")
    assert run.told == [({f"held_back/{name}": v for name, v in found.items()}, 7)]
    assert writer.told == {f"x/{name}": (value, 8) for name, value in found.items()}
    empty = Run()
    OverrideMetric().log_to(empty)
    assert empty.told == [({"held_back/n": 0}, None)]
    with pytest.raises(InputError, match="neither log nor add_scalar"):
        metric.log_to(object())
