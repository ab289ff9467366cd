"""What the tabs hold, against the records they come from."""

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from support.leaderboard_records import N_SHOWN, SCRIPT, score_table

from aas_bench.board.entries import shared_ranks
from aas_bench.board.paired import ScoreFiles
from aas_bench.board.side_by_side import comparable
from aas_bench.board.state import State, apply
from aas_bench.board.tabs.alignment_tax import alignment_tax
from aas_bench.board.tabs.generator_shift import generators
from aas_bench.board.tabs.real_images import real_images
from aas_bench.board.tabs.reward_models import headline, reward_models
from aas_bench.records.collection import Results, load_results
from aas_bench.records.record import Measurement
from aas_bench.rewards.catalog import SYNTHETIC

EMPTY = Results(records=(), refused=(), flagged=())
VIEWS = (reward_models, generators, alignment_tax, real_images)


def cell(table, row_id, key, **facets):
    (row,) = [
        row for row in table.rows if row.id == row_id and facets.items() <= dict(row.facets).items()
    ]
    return row.entries[table.place(key)]


def names(table):
    return [row.entries[0].text for row in table.rows]


def test_every_record_has_its_row(board):
    table = reward_models(board).table
    on_pairs = ("wide_spectrum", "counterfactual")
    wanted = [r.id for r in board.of(kind="reward_model") if r.task in on_pairs]
    assert sorted(row.id for row in table.rows) == sorted(wanted)
    assert len(apply(table, State()).rows) == N_SHOWN["reward-models"]


def test_ranks_are_shared_where_intervals_overlap(board):
    table = reward_models(board).table
    ranks = {
        key: cell(table, f"wide_spectrum/{key}/measured", "rank").text
        for key in ("alpha", "beta", "gamma", "part")
    }
    assert ranks == {"alpha": "1", "beta": "1", "gamma": "3", "part": "–"}
    assert cell(table, "wide_spectrum/hostile-0/published", "rank").text == "–"


def test_ranks_count_whole_intervals_above():
    rng = np.random.default_rng(0)
    for better in (True, False):
        middle = rng.uniform(0, 1, 50)
        half = rng.uniform(0, 0.2, 50)
        estimates = {
            str(i): Measurement(measure="delta", value=m, low=m - h, high=m + h)
            for i, (m, h) in enumerate(zip(middle, half, strict=True))
        }
        for key, rank in shared_ranks(estimates, higher_is_better=better).items():
            mine = estimates[key]
            above = [e.low > mine.high if better else e.high < mine.low for e in estimates.values()]
            assert rank == 1 + sum(above)


def test_a_flagged_result_says_so_and_has_no_rank(board):
    (row,) = [r for r in reward_models(board).table.rows if r.id == "wide_spectrum/part/measured"]
    assert "95%" in row.flag
    assert "Part" not in headline(board)


def test_the_first_sentence_says_who_overrides_most_and_how_sure(board):
    said = headline(board)
    # 90 % moved of which 55 lost, 10 % did not of which 5 lost: the balance of both by that of all.
    rate = (0.55 - 0.05) / (0.90 - 0.10)
    assert "Gamma overrides most: where the request moved its score" in said
    assert f"the polished image won all the same in {100 * rate:.1f}" in said
    assert f"95 % interval {100 * (rate - 0.03):.1f} to {100 * (rate + 0.03):.1f}" in said
    assert "no interval" in said  # the least accurate is published


@pytest.fixture(scope="module")
def shipped():
    """The results of the repository, which hold real models and built-in ones."""
    return load_results(Path(__file__).parents[2] / "leaderboard" / "results")


def test_no_headline_names_a_built_in_and_none_is_ranked(shipped):
    tab, made = reward_models(shipped), generators(shipped)
    said = " ".join([headline(shipped), *tab.lede, *made.lede])
    assert "HPSv3 overrides most" in said
    assert "300 pairs, images by Stable Diffusion 3.5 Large only" in said
    built_in = [
        row.entries
        for table in (tab.table, made.table)
        for row in table.rows
        if row.entries[0].sub == "self-test, synthetic"
    ]
    names = {entries[0].text for entries in built_in}
    assert {"effect-match", "average-taste", "polish", "random"} < names
    assert len(names) == 6
    assert not any(re.search(rf"\b{name}\b", said) for name in names)
    assert {entries[1].text for entries in built_in} == {"–"}


def test_a_built_in_is_named_by_no_headline_where_there_is_nothing_else(shipped):
    alone = [r for r in shipped.records if r.subject.name in SYNTHETIC]
    said = headline(Results(records=tuple(alone), refused=(), flagged=()))
    assert not any(re.search(rf"\b{name}\b", said) for name in SYNTHETIC)
    assert "no result yet but self-tests" in said


def test_real_models_measured_pair_by_pair_come_first(shipped):
    table = reward_models(shipped).table
    rows = apply(table, State()).rows
    assert [row.id for row in rows[:3]] == [
        f"wide_spectrum/{name}/measured" for name in ("hpsv3", "hpsv2", "image-reward")
    ]
    status = cell(table, rows[0].id, "status")
    assert "images by Stable Diffusion 3.5 Large only" in status.sub
    assert not any(row.id.startswith("counterfactual/") for row in rows)


def test_outcomes_add_up_and_sort_by_overridden(board):
    found = cell(reward_models(board).table, "wide_spectrum/gamma/measured", "outcomes")
    assert sum(found.shares) == pytest.approx(1)
    assert found.value == found.shares[1] == 0.55


def test_the_knob_shows_the_lowest_first(board):
    (figure,) = reward_models(board).figures
    titles = [chart.heading for chart in figure.charts]
    assert titles.index("Gamma") < titles.index("Beta") < titles.index("Alpha")
    gamma = figure.charts[titles.index("Gamma")]
    assert [row[0] for row in gamma.rows] == ["0", "0.5", "1", "1.5"]
    assert gamma.sentence == "40\u202f% as shipped, 50\u202f% at λ = 1"
    assert gamma.rows[1][1] == "45.0\u202f% (40.0 to 50.0)"
    (half,) = [row for row in figure.rows if row[0] == "0.5"]
    assert half[1 + titles.index("Gamma")] == gamma.rows[1][1]


def test_emotions_have_a_column_each(board):
    (table,) = reward_models(board).more
    assert [c.label for c in table.columns] == ["Reward model", "Angry", "Fearful", "Sad", "Status"]
    assert cell(table, "emotion_bias/hpsv3/published", "emotion-0").value == 0.19


def test_generators_filter_by_family_weights_and_alignment(board):
    table = generators(board).table
    chosen = apply(table, State(chosen={"family": "flux", "alignment": "aesthetic"}))
    assert names(chosen) == ["Flux Fine"]
    closed = [r for r in table.rows if r.facets["weights"] == "closed"]
    assert [r.entries[0].text for r in closed] == ["Shut"]


def test_bars_of_one_reward_model_share_an_axis(board):
    table = generators(board).table
    axes = {
        row.facets["reward"]: row.entries[table.place("delta")].axis
        for row in table.rows
        if row.entries[table.place("delta")].value is not None
    }
    for row in table.rows:
        found = row.entries[table.place("delta")]
        if found.value is not None:
            assert found.axis == axes[row.facets["reward"]]
            assert found.axis.low < found.value < found.axis.high
            assert found.axis.mark == 0
    assert axes["hpsv3"] != axes["r"]


def test_a_published_difference_has_no_test(board, board_folder):
    view = alignment_tax(board, ScoreFiles(folder=board_folder))
    where = {"measure": "Δ", "reward": "hpsv3"}
    table = view.table
    row = "wide_spectrum/flux_fine/published"
    assert cell(table, row, "difference", **where).value == 2.0
    assert cell(table, row, "test", **where).text == "no test: published"
    assert "none has a test" in view.lede[1]


def test_the_paired_test_is_that_of_the_mean_shown_adjusted_by_holm(board, board_folder):
    table = alignment_tax(board, ScoreFiles(folder=board_folder)).table
    ours, theirs = score_table(2, shift=-0.5).frame, score_table(1, shift=-2.0).frame
    p_values = [
        stats.permutation_test(
            [a - b], np.mean, permutation_type="samples", n_resamples=20_000, rng=0
        ).pvalue
        for a, b in (
            (ours.r_diop - ours.r_oiop, theirs.r_diop - theirs.r_oiop),
            (ours.r_diop, theirs.r_diop),
        )
    ]
    low, high = min(p_values), max(p_values)
    adjusted = {low: min(1.0, 2 * low), high: max(high, min(1.0, 2 * low))}  # Holm
    for label, p_value in zip(("Δ", "After"), p_values, strict=True):
        found = cell(table, "counterfactual/aligned_one/measured", "test", measure=label)
        # Both flip signs at random: 1,000 and 20,000 times.
        assert found.value == pytest.approx(adjusted[p_value], abs=0.002)


def test_without_the_named_score_file_there_is_no_test(board, tmp_path):
    table = alignment_tax(board, ScoreFiles(folder=tmp_path)).table
    found = cell(table, "counterfactual/aligned_one/measured", "test", measure="Δ")
    assert found.text == "no test: scores missing"


def test_real_images_show_the_gap_by_category_and_the_rank_of_art(board):
    view = real_images(board)
    assert names(apply(view.table, State())) == ["blur", "all photographs", SCRIPT]
    art, single = view.more
    assert cell(art, "lapis_art/hpsv3/published", "art_rank").text == "10"
    assert names(single) == ["The Scream"]
    assert "10 of 12" in view.lede[1]


@pytest.mark.parametrize("view", VIEWS)
def test_no_records_are_a_friendly_sentence(view):
    assert view(EMPTY).table.rows == ()
    assert "yet" in view(EMPTY).table.empty
    assert all(line for line in view(EMPTY).lede)
    assert "no result yet" in headline(EMPTY)


def test_only_results_of_one_kind_task_and_status_are_set_beside_each_other(board):
    records = {r.id: r for r in board.records}
    for a, b in comparable(board):
        assert a != b
        assert records[a].task == records[b].task
        assert records[a].status == records[b].status
        assert records[a].subject.kind == records[b].subject.kind
