"""What the tabs hold, against the records they come from."""

import re
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from scipy import stats
from support import toy_pairs
from support.leaderboard_records import N_SHOWN, SCRIPT, score_table

from aas_bench.board.entries import lookups, on_shelf, shared_ranks
from aas_bench.board.lead import marks
from aas_bench.board.paired import ScoreFiles
from aas_bench.board.side_by_side import comparable
from aas_bench.board.site import Site
from aas_bench.board.state import State, apply
from aas_bench.board.tabs.alignment_tax import alignment_tax
from aas_bench.board.tabs.generator_shift import generators, heat_map
from aas_bench.board.tabs.real_images import real_images
from aas_bench.board.tabs.reward_models import headline, reward_models
from aas_bench.board.tabs.self_test import self_test
from aas_bench.records.collection import Results, load_results
from aas_bench.records.record import Measurement
from aas_bench.rewards.catalog import SYNTHETIC

RESULTS = Path(__file__).parents[2] / "leaderboard" / "results"
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


def test_the_first_sentence_is_the_finding_with_its_interval(board):
    said = headline(board)
    assert said.startswith("Gamma chose the image that was asked for in 40\u202f% (35 to 45)")


def test_who_overrides_most_and_how_sure_stands_beside_the_chart(board):
    (said,) = reward_models(board).lede
    # 90 % moved of which 55 lost, 10 % did not of which 5 lost: the balance of both by that of all.
    rate = (0.55 - 0.05) / (0.90 - 0.10)
    assert "Gamma overrides most: where the request moved its score" in said
    assert f"the polished image won all the same in {100 * rate:.1f}" in said
    assert f"95 % interval {100 * (rate - 0.03):.1f} to {100 * (rate + 0.03):.1f}" in said


def test_the_chart_has_a_mark_for_each_whole_measured_model(board):
    figure = reward_models(board).lead
    assert [row[0] for row in figure.rows] == ["Gamma", "Beta", "Alpha"]
    assert figure.rows[0][1] == "40.0\u202f% (35.0 to 45.0)"
    drawn = str(figure.charts[0].svg)
    assert drawn.count('class="mark"') == 3
    assert "Part" not in drawn  # not whole
    assert "published" not in {each.of.record.status for each in marks(on_shelf(board, "pairs"))}


def test_without_a_measured_model_there_is_no_chart(board):
    told = tuple(r for r in board.records if r.status == "published")
    alone = Results(records=told, refused=(), flagged=())
    assert reward_models(alone).lead is None
    assert "measured" not in headline(alone)


@pytest.fixture(scope="module")
def shipped():
    """The results of the repository, which hold real models and built-in ones."""
    return load_results(Path(__file__).parents[2] / "leaderboard" / "results")


def test_built_ins_stand_in_the_self_test_tab_alone(shipped):
    others = [view(shipped) for view in VIEWS]
    said = " ".join([headline(shipped), *(line for tab in others for line in tab.lede)])
    assert "HPSv3 overrides most" in said
    assert "HPSv3 chose the image that was asked for in 29" in said
    assert "300 pairs, images by Stable Diffusion 3.5 Large only" in said
    tab = self_test(shipped)
    built_in = {row.entries[0].text for t in (tab.table, *tab.more) for row in t.rows}
    assert {"effect-match", "average-taste", "polish", "random"} < built_in
    assert len(built_in) == 6
    assert not any(re.search(rf"\b{name}\b", said) for name in built_in)
    elsewhere = {
        row.entries[0].text for each in others for t in (each.table, *each.more) for row in t.rows
    }
    assert not built_in & elsewhere
    ranked = [t for t in (tab.table, *tab.more) if t.place("rank") is not None]
    ranks = {row.entries[t.place("rank")].text for t in ranked for row in t.rows}
    assert ranks == {"–"}
    charts = [c.heading for each in others for f in each.figures for c in f.charts]
    assert not built_in & set(charts)


def test_two_published_rows_that_cannot_share_their_labels_are_named(shipped):
    labels, contradiction, baselines = reward_models(shipped).doubts
    assert "18 people" in labels
    assert "CLIP-L's row implies at least 88.7" in contradiction
    assert "BLIP-L ITM's at most 66.3" in contradiction
    assert "in at least 88.7" in baselines
    assert "more often than 7 of the published rows" in baselines


def test_rules_that_always_answer_the_same_stand_beside_chance(shipped):
    table = reward_models(shipped).table
    axis = cell(table, "wide_spectrum/pickscore/published", "accuracy").axis
    assert axis.mark == 0.5
    assert axis.others == (pytest.approx(0.8869, abs=1e-4), pytest.approx(0.1131, abs=1e-4))
    assert ";--d:88.7;--e:11.3" in cell(table, "wide_spectrum/pickscore/published", "accuracy").bar


def test_a_figure_given_roughly_is_told_roughly(shipped):
    table = real_images(shipped).table
    told = {
        row.entries[0].text: row.entries[table.place("gap")].text
        for row in table.rows
        if table.place("gap") is not None
    }
    assert sorted(told.values()).count("about 8") == 2


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


def test_one_prompt_is_shown_across_the_generators_that_answered_it(tmp_path):
    made = toy_pairs.dataset(toy_pairs.rows(n_prompts=3, generators=("one", "two")))
    made.to_parquet(tmp_path / "pairs.parquet")
    site = Site(RESULTS, gallery=str(tmp_path / "pairs.parquet"))
    prompt, cards = site.across
    assert [card["model"] for card in cards] == ["one", "two"]
    assert {"".join(text for text, _ in card["prompt"]) for card in cards} == {prompt}
    page = site.page("reward-models").body.decode()
    assert "One prompt, 2 generators" in page
    assert all(card["right"]["thumbnail"] in page for card in cards)


def test_without_a_gallery_no_picture_stands_beside_the_chart():
    assert Site(RESULTS).across == ("", [])


def test_a_cell_of_the_heat_map_leads_to_its_pairs(shipped):
    found = heat_map(lookups(shipped, built_in=True, kind="generator"))
    records = {record.id: record for record in shipped.records}
    assert found.columns[2:]
    for row in found.rows:
        reward = row.entries[1].text
        for column, entry in zip(found.columns[2:], row.entries[2:], strict=True):
            group = column.label
            told = records[row.id].get("chosen", reward=reward, by="dimensions", group=group)
            assert entry.value == told.value
            assert entry.href == f"model/{row.id}.html#dimension={quote(group)}"


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
