"""Ratings by dimension as a run: killed anywhere, grown, nothing made up."""

import multiprocessing
import signal
import time

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from support.loopback_judge import choose, dark_pairs
from support.toy_raters import ToyRater, places, slow_rating

from aas_bench.errors import InputError, StoreError
from aas_bench.measure.judged import summarise_judgements
from aas_bench.run.devices import Devices
from aas_bench.run.judge import judge
from aas_bench.tasks.taxonomy import DIMENSIONS

TIMES = ["latency_seconds"]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("AAS_BENCH_CACHE", str(tmp_path / "users"))


def rate(pairs, *raters, **options):
    return judge(pairs, [*raters], by="dimensions", progress=False, **options)


def test_an_image_has_a_rating_in_each_dimension_and_a_pair_their_sums():
    pairs = dark_pairs(5)
    said = rate(pairs, ToyRater())
    assert len(said.answers) == 5 * 2 * len(DIMENSIONS)
    for row, pair in enumerate(pairs):
        for shown in ("original", "distorted"):
            bright = np.asarray(pair[f"image_{shown}"].convert("L")).mean()
            expected = sum(2 * (bright + d) / 512 for d in range(len(DIMENSIONS)))
            assert said.frame[f"toy_rating_{shown}"][row] == pytest.approx(expected)
    found = summarise_judgements(said).judges["toy"]
    change = said.frame["toy_rating_distorted"] - said.frame["toy_rating_original"]
    assert found.measures["delta"].value == pytest.approx(change.mean())
    each = [estimate.value for estimate in found.dimensions.values()]
    assert sum(each) == pytest.approx(change.mean())
    assert found.measures["delta"].low < change.mean() < found.measures["delta"].high
    assert (found.statuses, set(found.mass.values())) == ({"ok": 10}, {0.9})


def test_killed_and_resumed(tmp_path):
    n = 40  # 80 images, 16 at once
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=slow_rating, args=(tmp_path, n))
    process.start()
    kept = 0
    while process.is_alive() and kept < 16:
        kept = len(list((tmp_path / "cache").rglob("*.json")))
        time.sleep(0.005)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    kept = len(list((tmp_path / "cache").rglob("*.json")))
    assert 16 <= kept < 80
    assert not (tmp_path / "run" / "judged.parquet").exists()
    rater = ToyRater()
    said = rate(dark_pairs(n), rater, **places(tmp_path))
    assert rater.n_seen == 80 - kept
    same(said, rate(dark_pairs(n), ToyRater(), out=tmp_path / "whole"))
    stored = (pd.read_parquet(tmp_path / name / "judged.parquet") for name in ("run", "whole"))
    pd.testing.assert_frame_equal(*stored)


def same(a, b):
    pd.testing.assert_frame_equal(a.frame, b.frame)
    pd.testing.assert_frame_equal(*(each.answers.drop(columns=TIMES) for each in (a, b)))


def test_a_damaged_rating_is_made_again(tmp_path):
    whole = rate(dark_pairs(3), ToyRater(), **places(tmp_path))
    kept = next((tmp_path / "cache").rglob("*.json"))
    kept.write_bytes(kept.read_bytes()[:-9])
    rater = ToyRater()
    same(rate(dark_pairs(3), rater, **places(tmp_path)), whole)
    assert rater.n_seen == 1


def test_a_run_grows_by_pairs_and_raters(tmp_path):
    rate(dark_pairs(3), ToyRater("a"), **places(tmp_path))
    a, b = ToyRater("a"), ToyRater("b")
    grown = rate(dark_pairs(5), a, b, **places(tmp_path))
    assert (a.n_seen, b.n_seen) == (4, 10)
    same(grown, rate(dark_pairs(5), ToyRater("a"), ToyRater("b"), cache=tmp_path / "other"))


def test_workers_rate_as_one_process_does(tmp_path):
    one = rate(dark_pairs(20), ToyRater(), cache=tmp_path / "one")
    two = rate(dark_pairs(20), ToyRater(), cache=tmp_path / "two", engine=Devices("cpu,cpu"))
    same(one, two)


def test_an_image_that_is_absent_is_missing_and_says_why():
    pairs = dark_pairs(2)
    rows = [dict(row) for row in pairs]
    rows[1]["image_distorted"] = None
    said = rate(type(pairs).from_list(rows, features=pairs.features), ToyRater())
    assert said.frame["toy_rating_distorted"].isna().tolist() == [False, True]
    lost = said.answers[said.answers["status"] == "not asked"]
    assert set(lost["reason"]) == {"picture: there is none"}
    assert lost["prediction"].isna().all()
    found = summarise_judgements(said).judges["toy"]
    assert (found.n_missing, found.measures["delta"].coverage) == (1, 0.5)


def test_several_raters_stand_side_by_side():
    said = rate(dark_pairs(2), ToyRater("a"), ToyRater("b"))
    assert said.judges == ("a", "b")
    both = [said.frame[f"{name}_rating_original"].tolist() for name in "ab"]
    assert both[0] == both[1]


@pytest.mark.parametrize(
    ("judges", "message"),
    [
        ("openai:m", "openai:m cannot rate by dimension"),
        (lambda q, p: choose("first"), "cannot rate by dimension"),
        ([], "no judge is given"),
        ("vlm:/nowhere/at/all", "there is no folder '/nowhere/at/all'"),
    ],
)
def test_mistakes_are_told(judges, message):
    with pytest.raises(InputError, match=message):
        judge(dark_pairs(1), judges, by="dimensions", progress=False)


def test_names_and_runs_do_not_mix(tmp_path):
    with pytest.raises(InputError, match="two judges are called 'toy'"):
        rate(dark_pairs(1), ToyRater(), ToyRater())
    rate(dark_pairs(1), ToyRater(), out=tmp_path / "run")
    with pytest.raises(StoreError, match="are not among those given"):
        rate(dark_pairs(3).select([1, 2]), ToyRater(), out=tmp_path / "run")
