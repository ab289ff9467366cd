"""The paper's figures, as printed."""

import json

import pytest
from scipy import stats

from aas_bench.records.collection import load_results
from aas_bench.records.published import (
    GENERATOR_COLUMNS,
    figures,
    published_measurements,
    published_records,
)


def proportion_interval(hits, n):
    found = stats.binomtest(hits, n).proportion_ci(method="wilson")
    return found.low, found.high


@pytest.fixture(scope="module")
def records(submissions):
    return {each.id: each for each in published_records(submissions)}


def test_the_committed_records_are_those_of_the_figures(board, records):
    stored = {r.id: r for r in load_results(board).records if r.status != "measured"}
    assert stored == records, "run: aas-bench results published --to leaderboard/results"


def test_acceptance_knows_the_same_figures(records):
    assert published_measurements() == {r.id: r.measurements for r in records.values()}


@pytest.mark.parametrize(
    ("record", "measure", "where", "value"),
    [
        ("wide_spectrum/flux_dev", "delta", {"reward": "hpsv3"}, -3.165),
        ("wide_spectrum/flux_krea", "llm_win", {}, 0.783),
        ("wide_spectrum/gpt-image-1.5", "after", {"reward": "hpsv3"}, -1.175),
        ("wide_spectrum/nano-banana", "delta", {"reward": "rater"}, -3.263),
        ("wide_spectrum/hpsv3", "auroc", {}, 0.385),
        ("wide_spectrum/clip-l", "accuracy", {}, 0.913),
        ("emotion_bias/hpsv3", "accuracy", {"by": "emotion", "group": "angry"}, 0.19),
        ("ava_photos/hpsv3", "gap", {}, 5.9),
        ("lapis_art/hpsv3", "art_relative", {}, 0.57),
    ],
)
def test_some_figures_by_hand(records, record, measure, where, value):
    found = records[f"{record}/published"].get(measure, **where)
    assert found.value == value


def test_a_share_of_a_printed_n_has_wilsons_interval_and_says_so(records):
    known = 0
    for record in records.values():
        for each in record.measurements:
            if each.low is None:
                continue
            known += 1
            assert each.reason.startswith("Wilson interval from the printed n")
            ends = proportion_interval(round(each.value * each.n), each.n)
            assert (each.low, each.high) == pytest.approx(ends)
    assert known == 12 + 10  # emotions; wins by the judge
    accuracy = records["wide_spectrum/hpsv3/published"].get("accuracy")
    assert (accuracy.n, accuracy.low) == (None, None)


def test_rows_added_after_the_paper_point_at_the_page_that_has_them(records):
    later = {i for i, r in records.items() if r.source and "github.io" in r.source.url}
    assert later == {
        f"wide_spectrum/{name}/published" for name in ("gpt-image-1.5", "qwen_image", "seeddream4")
    }
    graded = records["wide_spectrum/flux_dev/published"].get("special_effects_diff")
    assert graded.reason.endswith("appendix figure")


def test_what_the_paper_does_not_print_is_left_out(records):
    assert records["wide_spectrum/gpt-5-chat/published"].get("auroc") is None
    assert records["wide_spectrum/qwen_image/published"].get("llm_win") is None
    kept = {m.measure for m in records["wide_spectrum/seeddream4/published"].measurements}
    assert kept == {"delta", "after"}


def test_a_generator_points_at_its_own_weights(records):
    subject = records["wide_spectrum/dance_flux/published"].subject
    assert subject.repo == "xzyhku/flux_hpsv2.1_dancegrpo"
    assert (subject.base, subject.open_weights) == ("flux_dev", True)
    closed = records["wide_spectrum/nano-banana/published"].subject
    assert (closed.repo, closed.open_weights) == (None, False)


def test_no_family_has_a_base_outside_it(records):
    of = {r.subject.id: r.subject for r in records.values() if r.subject.kind == "generator"}
    for subject in of.values():
        if subject.base is not None:
            assert of[subject.base].family == subject.family


@pytest.mark.real
def test_every_figure_is_that_of_the_reference(real_data):
    path = real_data.parents[1] / "reference" / "published_results.json"
    if not path.is_file():
        pytest.skip("the reference figures are not here")
    truth = json.loads(path.read_text(encoding="utf-8"))
    ours = figures("generators")
    assert list(ours) == [row["id"] for row in truth["generators"]["rows"]]
    for row in truth["generators"]["rows"]:
        assert {k: ours[row["id"]][k] for k in GENERATOR_COLUMNS} == {
            k: row[k] for k in GENERATOR_COLUMNS
        }
    d2 = [list(row.values())[1:] for row in figures("reward_models").values()]
    assert d2 == truth["reward_models"]["rows"]
    d3 = [list(row.values())[1:] for row in figures("emotions").values()]
    assert d3 == truth["emotion_bias"]["rows"]
