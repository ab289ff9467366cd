"""Paintings among generators: the published place, tables of one's own, and their faults."""

import json

import numpy as np
import pytest
from support import task_tables as tables

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.measure.analyses.generator_means import HPSV3_LEADERBOARD, read_generators
from aas_bench.measure.analyses.paintings import rank_words
from aas_bench.measure.summary import summarise
from aas_bench.tables.scores import ScoreTable


def art(frame, **options):
    return summarise(ScoreTable.from_frame(frame), **options).task


def at_mean(mean, reward="hpsv3", n=400):
    """Paintings whose mean is exactly that."""
    frame = tables.paintings(n=n, rewards=(reward,))
    frame[f"{reward}_didp"] += mean - frame[f"{reward}_didp"].mean()
    return frame


def write(path, rows):
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


def test_the_published_mean_gives_the_published_rank_and_position():
    # The paper: mean 5.86, rank 10 of 12 on HPSv3's own leaderboard, relative position 0.57.
    report = art(at_mean(5.86))
    place = report.places["hpsv3"]
    assert (place.rank, place.n_ranked) == (10, 12)
    assert round(place.relative.value, 2) == 0.57
    assert report.generators["hpsv3"] is HPSV3_LEADERBOARD
    assert "HPSv3's own README" in report.notes[0]
    assert "their prompts are not these captions" in report.notes[0]
    assert "ranks real art 10 of 12 (" in report.findings["hpsv3"]
    assert report.remark("mean", "hpsv3") == rank_words(place)


def test_rank_words_say_what_the_interval_leaves_open():
    sure = art(at_mean(5.86, n=40_000)).places["hpsv3"]
    assert rank_words(sure) == "10 of 12 (anywhere in the interval)"
    wide = art(at_mean(8.2, n=20)).places["hpsv3"]
    assert wide.rank_best < wide.rank_worst
    assert rank_words(wide) == f"{wide.rank} of 12 ({wide.rank_best} to {wide.rank_worst})"
    assert rank_words(art(at_mean(5.86, n=1)).places["hpsv3"]) == "10 of 12"


def test_means_and_ranks_by_style_and_genre_are_groupby_means():
    frame = tables.paintings()
    report = art(frame)
    mean = next(a for a in report.analyses if a.name == "mean")
    relative = next(a for a in report.analyses if a.name == "relative")
    means = np.array(sorted(HPSV3_LEADERBOARD.means.values()))
    for column in ("style", "genre"):
        expected = frame.groupby(column)["hpsv3_didp"].mean().to_dict()
        found = {g: each["hpsv3"].value for g, each in mean.by[column].items()}
        assert found == pytest.approx(expected)
        for group, value in expected.items():
            place = report.places_by[column][group]["hpsv3"]
            assert place.rank == 1 + int((means > value).sum())
            position = (value - means[0]) / (means[-1] - means[0])
            assert relative.by[column][group]["hpsv3"].value == pytest.approx(position)
            assert report.remark("mean", "hpsv3", group) == rank_words(place)


def test_a_reward_without_a_table_has_a_mean_and_no_rank():
    frame = tables.paintings(groups=False)
    report = art(frame)
    assert list(report.places) == ["hpsv3"]
    relative = next(a for a in report.analyses if a.name == "relative")
    assert relative.overall["other"].value is None
    assert "no table of generators' means" in relative.overall["other"].reason
    assert report.analyses[0].overall["other"].value == pytest.approx(frame["other_didp"].mean())
    assert "they have no rank" in report.findings["other"]
    assert report.remark("mean", "other") == ""
    notes = " ".join(report.notes)
    assert "No rank for other" in notes
    assert "Not by style or genre" in notes
    alone = art(tables.paintings(rewards=("other",)))
    assert [a.name for a in alone.analyses] == ["mean"]


def test_paintings_are_no_pairs(tmp_path):
    from aas_bench.pages.report import write_report

    table = ScoreTable.from_frame(tables.paintings())
    summary = summarise(table)  # scores of the missing image are not missing scores
    assert not summary.paired
    assert summary.rewards["hpsv3"].coverage == 1
    page = write_report(summary, table, pairs=[], out=tmp_path / "report").read_text()
    assert "Headline table" not in page
    assert "polished" not in page.split('id="method"')[0].split("</style>")[1]
    frame = tables.paintings()
    frame.loc[3, "hpsv3_didp"] = np.nan
    with pytest.raises(MissingScoresError, match="1 of 50 pairs lack a score of 'hpsv3'"):
        summarise(ScoreTable.from_frame(frame))
    dropped = summarise(ScoreTable.from_frame(frame), on_missing="drop")
    assert dropped.task.places["hpsv3"].mean.coverage == dropped.rewards["hpsv3"].coverage == 0.98


def test_tables_of_ones_own(tmp_path):
    csv = write(tmp_path / "g.csv", ["name,mean", "low,0", "high,10"])
    rows = [{"name": "low", "mean": 0}, {"name": "high", "mean": 10}]
    listed = write(tmp_path / "list.json", [json.dumps(rows)])
    mapped = write(tmp_path / "map.json", [json.dumps({"low": 0, "high": 10})])
    for path in (csv, listed, mapped):
        report = art(at_mean(5.0, "other"), generators=path)
        place = report.places["other"]
        assert (place.rank, place.n_ranked) == (2, 3)
        assert place.relative.value == pytest.approx(0.5)
        assert path.name in report.notes[0]


def test_a_table_of_several_rewards_serves_each_its_own(tmp_path):
    path = write(
        tmp_path / "g.csv",
        ["name,mean,reward", "a,100,hpsv3", "b,-100,hpsv3", "a,-50,other", "b,-100,other"],
    )
    places = art(tables.paintings(), generators=path).places
    assert (places["hpsv3"].rank, places["other"].rank) == (2, 1)


def test_means_of_one_unnamed_reward_do_not_serve_two(tmp_path):
    path = write(tmp_path / "g.csv", ["name,mean", "a,1", "b,2"])
    with pytest.raises(InputError, match=r"does not say which reward.*Add a column 'reward'"):
        art(tables.paintings(), generators=path)


BAD = {
    "absent": (None, r"no file.*Give a CSV or JSON table with name and mean"),
    "no column": (["name,score", "a,1"], r"no column 'mean'"),
    "rows": (
        ["name,mean", "a,1", ",2", "b,x", "a,3"],
        r"row 1 lacks a name or a finite mean; row 2 lacks.*; row 3 names 'a' a second time",
    ),
    "infinite": (["name,mean", "a,inf"], r"row 0 lacks a name or a finite mean"),
    "empty": (["name,mean"], r"it has no rows"),
    "blank": ([], r"no column 'mean'"),
}


@pytest.mark.parametrize(("rows", "message"), BAD.values(), ids=BAD)
def test_faulty_tables_are_one_line(tmp_path, rows, message):
    path = tmp_path / "g.csv"
    if rows is not None:
        write(path, rows)
    with pytest.raises(InputError, match=message) as caught:
        read_generators(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[1, 2]", "3", '{"a": true}', '{"a": null}', "[]"])
def test_faulty_json_is_one_line(tmp_path, text):
    path = write(tmp_path / "g.json", [text])
    with pytest.raises(InputError, match=r"Give (a list of objects|one row per generator)"):
        read_generators(path)
