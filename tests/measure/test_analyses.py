"""Each task's figures against scipy, pandas and plain counting."""

import json

import numpy as np
import pytest
from scipy import stats as truth
from support import task_tables as tables
from support.reference import score_interval

from aas_bench.errors import MissingScoresError, SchemaError, UnknownNameError
from aas_bench.measure.analyses.recognise import recognised
from aas_bench.measure.summary import summarise
from aas_bench.registry import import_object
from aas_bench.tables.scores import ScoreTable
from aas_bench.tasks.catalog import TASKS

FRAMES = {
    "ava_photos": tables.photos,
    "emotion_bias": tables.emotions,
    "critical_comparison": tables.critical,
    "lapis_art": tables.paintings,
    "wide_spectrum": tables.wide,
}


def task_of(frame, **options):
    options = {"on_missing": "drop", **options}
    return summarise(ScoreTable.from_frame(frame), **options).task


def analysis(report, name):
    return next(a for a in report.analyses if a.name == name)


def exploded(frame, column="dimensions"):
    """One row per pair and name, as pandas sees the groups."""
    return frame.explode(column).dropna(subset=[column])


def value(group, reward="hpsv3"):
    return group[reward].value


def test_every_analysis_named_is_there():
    named = {name: import_object(t.analysis) for name, t in TASKS.items() if t.analysis}
    assert set(named) == set(FRAMES)
    assert all(map(callable, named.values()))


@pytest.mark.parametrize("task", FRAMES)
def test_a_task_is_recognised_from_its_columns_and_the_document_is_json(task):
    frame = FRAMES[task]()
    assert recognised(ScoreTable.from_frame(frame)) is TASKS[task]
    summary = summarise(ScoreTable.from_frame(frame), on_missing="drop")
    document = json.loads(summary.to_json(), parse_constant=pytest.fail)["task"]
    assert document["task"] == task
    assert set(document["findings"]) == {"hpsv3", "other"}
    first = document["analyses"][0]
    assert {"value", "low", "high", "n", "coverage"} <= set(first["overall"]["hpsv3"])
    assert first["by"]


def test_tables_that_tell_no_task_have_none():
    frame = tables.wide()
    frame["dimensions"] = [["clarity"], ["my own"]] * (len(frame) // 2)
    assert recognised(ScoreTable.from_frame(frame)) is None
    assert task_of(frame) is None
    frame["dimensions"] = [[]] * len(frame)
    assert recognised(ScoreTable.from_frame(frame)) is None


def test_photos_gap_by_element_and_category_is_a_groupby_mean():
    frame = tables.photos()
    report = task_of(frame)
    gap, wins = analysis(report, "gap"), analysis(report, "photo_wins")
    frame["gap"] = frame["hpsv3_oidp"] - frame["hpsv3_didp"]
    frame["wins"] = frame["hpsv3_didp"] > frame["hpsv3_oidp"]
    assert value(gap.overall) == pytest.approx(frame["gap"].mean())
    assert value(wins.overall) == frame["wins"].mean()
    by_element = exploded(frame).groupby("dimensions")
    for element, rows in by_element:
        assert value(gap.by["element"][element]) == pytest.approx(rows["gap"].mean())
        assert value(wins.by["element"][element]) == rows["wins"].mean()
        assert gap.by["element"][element]["hpsv3"].n == len(rows)
    counted = sum(group["hpsv3"].n for group in gap.by["element"].values())
    assert counted > len(frame)
    # A photograph with two elements of one category counts in it once.
    in_focus = [any(e.startswith("clarity") for e in asked) for asked in frame["dimensions"]]
    focus = gap.by["category"]["clarity_and_focus"]["hpsv3"]
    assert (focus.n, focus.value) == (sum(in_focus), pytest.approx(frame["gap"][in_focus].mean()))
    primary = frame.groupby("category")["gap"].mean()
    found = {name: value(group) for name, group in gap.by["primary element"].items()}
    assert found == pytest.approx(primary.to_dict())
    assert sum(g["hpsv3"].n for g in gap.by["primary element"].values()) == len(frame)


def test_photos_gap_under_the_clean_caption_only_where_it_was_scored():
    frame = tables.photos()
    clean = analysis(task_of(frame), "gap_clean_caption")
    assert value(clean.overall) == pytest.approx((frame.hpsv3_oiop - frame.hpsv3_diop).mean())
    report = task_of(tables.photos(clean_caption=False))
    assert [a.name for a in report.analyses] == ["gap", "photo_wins"]
    assert "clean caption was not scored" in report.notes[0]


def test_photos_interval_by_hand():
    frame = tables.photos(n=25)
    estimate = analysis(task_of(frame), "gap").overall["hpsv3"]
    gap = (frame["hpsv3_oidp"] - frame["hpsv3_didp"]).to_numpy()
    # Every photograph is its own cluster, which leaves Student's interval.
    expected = truth.ttest_1samp(gap, 0).confidence_interval(0.95)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))


def test_a_photo_finding_says_which_image_scores_higher():
    frame = tables.photos()
    assert "scores the clean image" in task_of(frame).findings["hpsv3"]
    frame["hpsv3_didp"] += 100
    report = task_of(frame)
    assert "scores the photograph" in report.findings["hpsv3"]
    assert "the photograph wins in 100\u202f%" in report.findings["hpsv3"]
    gap = analysis(report, "gap").overall["hpsv3"]
    low, high = sorted((-gap.low, -gap.high))
    assert f"{-gap.value:.2f} ({low:.2f} to {high:.2f}) higher" in report.findings["hpsv3"]


def test_emotions_are_counted_by_emotion_and_their_prompts_are_clusters():
    frame = tables.emotions()
    accuracy = analysis(task_of(frame), "accuracy")
    right = (frame["hpsv3_didp"] > frame["hpsv3_oidp"]).to_numpy()
    emotion = frame["dimensions"].str[0]
    assert list(accuracy.by["emotion"]) == ["sad", "angry", "fearful"]
    for name, group in accuracy.by["emotion"].items():
        assert value(group) == right[emotion == name].mean()
        assert group["hpsv3"].n == 30
    whole = accuracy.overall["hpsv3"]
    assert (whole.value, whole.n, whole.n_clusters) == (right.mean(), 90, 30)
    expected = score_interval(right.mean(), (right - right.mean()) / 90, frame["index"].tolist())
    assert (whole.low, whole.high) == pytest.approx(expected)


def test_emotions_have_an_override_rate_where_the_happy_prompt_was_scored():
    assert [a.name for a in task_of(tables.emotions()).analyses] == ["accuracy"]
    frame = tables.emotions(originals=True)
    rate = analysis(task_of(frame), "override_rate")
    d_a, d_o = frame.hpsv3_didp - frame.hpsv3_oidp, frame.hpsv3_diop - frame.hpsv3_oiop
    for name, group in rate.by["emotion"].items():
        rows = frame["dimensions"].str[0] == name
        assert is_swap(group["hpsv3"], d_a[rows], d_o[rows])


def is_swap(estimate, d_a, d_o):
    """Whether it is the override rate by the swap, or there is none and the reason says so."""
    up, down = d_a > d_o, d_a < d_o
    if estimate.value is None:  # by far not told from noise, so that no interval could differ
        return bool(estimate.reason) and (up.mean() - down.mean()) < 3 / len(d_a) ** 0.5
    net = (up & (d_a <= 0)).mean() - (down & (d_o <= 0)).mean()
    return estimate.value == pytest.approx(net / (up.mean() - down.mean()))


def of_all_signs(difference):
    """Wilcoxon's p-value, every sign of every rank tried."""
    ranks = truth.rankdata(abs(difference))
    sums = np.zeros(1)
    for rank in ranks:
        sums = np.concatenate([sums, sums + rank])
    smaller = np.minimum(sums, ranks.sum() - sums)
    found = ranks[difference > 0].sum()
    return (smaller <= min(found, ranks.sum() - found)).mean()


def test_critical_topics_have_scipys_test_and_holm():
    frame = tables.critical()
    report = task_of(frame)
    p_values = {}
    for topic in tables.TOPICS:
        rows = frame[frame["topic"] == topic]
        expected = truth.wilcoxon(rows["hpsv3_didp"], rows["hpsv3_oidp"])
        found = report.tests["hpsv3"][topic]
        test = found.comparison.rank_test
        # Sizes tie in one topic, where scipy takes the normal distribution.
        p_values[topic] = of_all_signs(rows["hpsv3_didp"] - rows["hpsv3_oidp"])
        assert test.p_value == pytest.approx(p_values[topic])
        assert test.statistic == pytest.approx(expected.statistic)
        share = analysis(report, "chosen").by["topic"][topic]["hpsv3"]
        assert share.value == (rows["hpsv3_didp"] > rows["hpsv3_oidp"]).mean()
        margin = analysis(report, "margin").by["topic"][topic]["hpsv3"]
        assert margin.value == pytest.approx((rows["hpsv3_didp"] - rows["hpsv3_oidp"]).mean())
    ordered = sorted(p_values, key=p_values.get)
    smallest = report.tests["hpsv3"][ordered[0]].rank_p_holm
    assert smallest == pytest.approx(3 * p_values[ordered[0]])
    whole = truth.wilcoxon(frame["hpsv3_didp"], frame["hpsv3_oidp"])
    assert report.overall_tests["hpsv3"].rank_p_holm == pytest.approx(whole.pvalue)
    assert "apart on anti-war (aligned higher)" in report.findings["hpsv3"]
    assert "pollution" not in report.findings["hpsv3"]
    assert report.remark("effect", "hpsv3", "anti-war") == "p < 0.001"
    assert report.remark("chosen", "hpsv3", "anti-war") == ""
    middle = report.tests["hpsv3"][ordered[1]]
    assert middle.rank_p_holm > middle.comparison.rank_test.p_value
    assert report.remark("effect", "hpsv3", ordered[1]) == f"p = {middle.rank_p_holm:.3f}"
    assert report.remark("margin", "hpsv3", ordered[1]).startswith("p ")


def test_the_judge_correlates_as_scipy_says():
    frame = tables.wide()
    report = task_of(frame)
    frame["margin"] = frame["hpsv3_didp"] - frame["hpsv3_oidp"]
    for what in tables.JUDGED:
        frame["gain"] = frame[f"llm_distorted_{what}"] - frame[f"llm_original_{what}"]
        found = analysis(report, f"spearman_{what}")
        expected = truth.spearmanr(frame["margin"], frame["gain"]).statistic
        assert value(found.overall) == pytest.approx(expected)
        for dimension, rows in exploded(frame).groupby("dimensions"):
            expected = truth.spearmanr(rows["margin"], rows["gain"]).statistic
            assert value(found.by["dimension"][dimension]) == pytest.approx(expected)


def test_a_judge_in_a_struct_is_the_judge_in_columns():
    flat, nested = (task_of(tables.wide(judge=form)) for form in ("flat", "struct"))
    for what in tables.JUDGED:
        name = f"spearman_{what}"
        assert analysis(flat, name).overall == analysis(nested, name).overall


def test_without_marks_the_label_stands_in_and_without_labels_nothing():
    frame = tables.wide(judge=None)
    found = analysis(task_of(frame), "spearman_label")
    known = frame[frame["label"] >= 0]
    margin = known["hpsv3_didp"] - known["hpsv3_oidp"]
    expected = truth.spearmanr(margin, known["label"]).statistic
    assert value(found.overall) == pytest.approx(expected)
    assert found.overall["hpsv3"].coverage == pytest.approx(len(known) / len(frame))
    bare = task_of(tables.wide(judge=None, labels=False))
    assert [a.name for a in bare.analyses] == ["chosen", "override_rate"]
    assert "No judge's marks" in bare.notes[0]


def test_a_judge_that_left_pairs_out_lowers_the_coverage_and_stops_nothing():
    frame = tables.wide()
    frame.loc[:9, "llm_distorted_special_effects"] = np.nan
    report = task_of(frame, on_missing="raise")
    found = analysis(report, "spearman_special_effects").overall["hpsv3"]
    assert (found.n, found.coverage) == (30, 0.75)


def test_wide_spectrum_by_dimension_and_generator():
    frame = tables.wide()
    report = task_of(frame)
    accuracy, rate = analysis(report, "accuracy"), analysis(report, "override_rate")
    d_a, d_o = frame.hpsv3_didp - frame.hpsv3_oidp, frame.hpsv3_diop - frame.hpsv3_oiop
    frame["right"] = np.where(frame["label"] >= 0, (d_a > 0) == (frame["label"] == 1), np.nan)
    frame["right"] = frame["right"].astype(float)
    models = {name: value(group) for name, group in accuracy.by["generator"].items()}
    assert models == pytest.approx(frame.groupby("model")["right"].mean().to_dict())
    dims = {name: value(group) for name, group in accuracy.by["dimension"].items()}
    expected = exploded(frame).groupby("dimensions")["right"].mean().to_dict()
    assert dims == pytest.approx(expected)
    for name, group in rate.by["generator"].items():
        rows = (frame["model"] == name) & (frame["label"] == 1)
        assert is_swap(group["hpsv3"], d_a[rows], d_o[rows])
    assert list(dims) == ["clarity", "background", "symmetry"]  # as in the taxonomy
    rates = {name: value(group) for name, group in accuracy.by["dimension"].items()}
    assert f"least for {min(rates, key=rates.get)}, " in report.findings["hpsv3"]


MISSING = {
    "topic": ("critical_comparison", ("topic", "dimensions"), r"by topic.*no column.*load_pairs"),
    "emotion": ("emotion_bias", ("dimensions",), r"by emotion.*'dimensions' or 'emotion'"),
    "elements": ("ava_photos", ("dimensions", "category"), r"by category and element.*'elements'"),
    "dimensions": ("wide_spectrum", ("dimensions",), r"by dimension.*'dimensions'"),
    "scores": ("ava_photos", ("hpsv3_oidp",), r"no column 'hpsv3_oidp'.*aas-bench score"),
    "paintings": ("lapis_art", ("hpsv3_didp",), r"no column 'hpsv3_didp'.*aas-bench score"),
}


@pytest.mark.parametrize(("task", "columns", "message"), MISSING.values(), ids=MISSING)
def test_a_table_without_its_columns_says_which_and_how_to_get_it(task, columns, message):
    frame = FRAMES[task](rewards=("hpsv3",)).drop(columns=list(columns))
    if "hpsv3_didp" in columns:
        frame["hpsv3_oiop"] = np.nan
    with pytest.raises(SchemaError, match=message) as caught:
        task_of(frame, task=task)
    assert "\n" not in str(caught.value)


def test_an_unknown_task_names_the_near_ones():
    with pytest.raises(UnknownNameError, match=r"Did you mean ava_photos\?.*list tasks"):
        task_of(tables.photos(), task="ava_photo")


def test_missing_scores_are_refused_or_counted():
    frame = tables.photos()
    frame.loc[[2, 5], "hpsv3_didp"] = np.nan
    with pytest.raises(MissingScoresError, match="2 of 40 pairs lack a score"):
        task_of(frame, on_missing="raise")
    estimate = analysis(task_of(frame), "gap").overall["hpsv3"]
    assert (estimate.n, estimate.coverage) == (38, 0.95)
    assert analysis(task_of(frame), "gap").overall["other"].coverage == 1


def test_a_reward_without_scores_could_not_be_judged():
    for task, make in FRAMES.items():
        frame = make()
        for cell in ("oiop", "oidp", "diop", "didp"):
            frame[f"other_{cell}"] = np.nan
        report = task_of(frame)
        assert report.task == task
        assert "could not be judged" in report.findings["other"]
        assert "could not be judged" not in report.findings["hpsv3"]


def test_counterfactual_keeps_its_own_sections():
    frame = tables.wide().assign(dose=0.5, effect="blur", scene="cat")
    report = task_of(frame)
    assert (report.task, report.analyses) == ("counterfactual", ())
