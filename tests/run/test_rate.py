"""Ratings by dimension as a run: whole parts, killed anywhere, nothing made up."""

import multiprocessing
import signal
import time

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from support.loopback_judge import choose, dark_pairs
from support.toy_raters import ToyRater, slow_rating

from aas_bench.errors import InputError, StoreError
from aas_bench.measure.judged import summarise_judgements
from aas_bench.run.judge import judge
from aas_bench.run.rate import PART_SIZE
from aas_bench.tasks.taxonomy import DIMENSIONS

TIMES = ["latency_seconds"]


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
    n = 4 * PART_SIZE
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=slow_rating, args=(tmp_path / "run", n))
    process.start()
    parts = tmp_path / "run" / "parts"
    while process.is_alive() and not list(parts.glob("*.sha256")):
        time.sleep(0.005)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    kept = len(list(parts.glob("*.sha256")))
    assert kept < 4
    assert not (tmp_path / "run" / "judged.parquet").exists()
    rater = ToyRater()
    said = rate(dark_pairs(n), rater, out=tmp_path / "run")
    assert rater.n_seen == 2 * PART_SIZE * (4 - kept)
    whole = rate(dark_pairs(n), ToyRater(), out=tmp_path / "whole")
    pd.testing.assert_frame_equal(said.frame, whole.frame)
    both = (each.answers.drop(columns=TIMES) for each in (said, whole))
    pd.testing.assert_frame_equal(*both)
    stored = (pd.read_parquet(tmp_path / name / "judged.parquet") for name in ("run", "whole"))
    pd.testing.assert_frame_equal(*stored)


def test_a_damaged_part_is_made_again(tmp_path):
    whole = rate(dark_pairs(3), ToyRater(), out=tmp_path / "run")
    part = next((tmp_path / "run" / "parts").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-9])
    rater = ToyRater()
    again = rate(dark_pairs(3), rater, out=tmp_path / "run")
    assert rater.n_seen == 6
    pd.testing.assert_frame_equal(again.frame, whole.frame)


def test_an_image_that_is_absent_is_missing_and_says_why():
    pairs = dark_pairs(2)
    rows = [dict(row) for row in pairs]
    rows[1]["image_distorted"] = None
    said = rate(type(pairs).from_list(rows, features=pairs.features), ToyRater())
    assert said.frame["toy_rating_distorted"].isna().tolist() == [False, True]
    lost = said.answers[said.answers["status"] == "not asked"]
    assert set(lost["reason"]) == {"there is none"}
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
        ("vlm:/nowhere/at/all", "no vision-language model that can be loaded"),
    ],
)
def test_mistakes_are_told(judges, message):
    with pytest.raises(InputError, match=message):
        judge(dark_pairs(1), judges, by="dimensions", progress=False)


def test_names_and_runs_do_not_mix(tmp_path):
    with pytest.raises(InputError, match="two judges are called 'toy'"):
        rate(dark_pairs(1), ToyRater(), ToyRater())
    rate(dark_pairs(1), ToyRater(), out=tmp_path / "run")
    with pytest.raises(StoreError, match="another configuration"):
        rate(dark_pairs(2), ToyRater(), out=tmp_path / "run")
