"""The authors' samples: the gap and the place as computed by hand from their files."""

import json

import numpy as np
import pandas as pd
import pytest

from aas_bench.measure.analyses.generator_means import HPSV3_LEADERBOARD
from aas_bench.measure.summary import summarise
from aas_bench.tables.scores import ScoreTable

pytestmark = pytest.mark.real


def lines(path):
    if not path.exists():
        pytest.skip("the authors' data is not here")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_photographs_lose_by_the_hand_computed_gap(real_data):
    rows = lines(real_data / "ava_photos" / "pairs.jsonl")
    by_hand = [row["hpsv3_clean"] - row["hpsv3_photo"] for row in rows]
    assert len(by_hand) == 11
    # Both scores stand under the anti-aesthetic caption.
    frame = pd.DataFrame(rows).rename(
        columns={"hpsv3_clean": "hpsv3_oidp", "hpsv3_photo": "hpsv3_didp", "elements": "dimensions"}
    )
    report = summarise(ScoreTable.from_frame(frame)).task
    assert report.task == "ava_photos"
    gap, wins = report.analyses
    assert gap.overall["hpsv3"].value == pytest.approx(sum(by_hand) / 11)
    assert round(gap.overall["hpsv3"].value, 2) == 19.82
    assert wins.overall["hpsv3"].value == sum(difference < 0 for difference in by_hand) / 11 == 0
    for element, group in gap.by["element"].items():
        mine = [d for d, row in zip(by_hand, rows, strict=True) if element in row["elements"]]
        assert (group["hpsv3"].value, group["hpsv3"].n) == (
            pytest.approx(sum(mine) / len(mine)),
            len(mine),
        )


def test_paintings_stand_where_the_hand_computed_mean_puts_them(real_data):
    rows = lines(real_data / "lapis" / "art.jsonl")
    by_hand = [row["hpsv3"] for row in rows]
    frame = pd.DataFrame(rows).rename(columns={"hpsv3": "hpsv3_didp"})
    report = summarise(ScoreTable.from_frame(frame)).task
    assert report.task == "lapis_art"
    place = report.places["hpsv3"]
    assert place.mean.value == pytest.approx(np.mean(by_hand))
    assert (place.mean.n, round(place.mean.value, 2)) == (8, -2.68)
    above = sum(mean > np.mean(by_hand) for mean in HPSV3_LEADERBOARD.means.values())
    assert (place.rank, place.n_ranked) == (1 + above, 12)
    assert place.relative.value < 0
