"""Two records side by side."""

import pytest
from scipy import stats
from support.leaderboard_records import score_table

from aas_bench.board.entries import Lookup
from aas_bench.board.paired import ScoreFiles
from aas_bench.board.side_by_side import choices, compare, default_pair


def pair(board, a, b, folder=None):
    records = {r.id: r for r in board.records}
    flags = board.flags()
    two = [Lookup(records[key], flags.get(key)) for key in (a, b)]
    return compare(*two, ScoreFiles(folder=folder) if folder else None)


def test_the_difference_is_the_first_less_the_second(board):
    found = pair(board, "wide_spectrum/alpha/measured", "wide_spectrum/gamma/measured")
    accuracy = next(line for line in found.lines if line.label == "Accuracy")
    assert (accuracy.a.value, accuracy.b.value) == (0.82, 0.40)
    assert accuracy.difference == "+42.0 points"
    assert found.warning == ""
    assert "No paired test" in found.verdict
    assert set(found.groups) == {"strength"}


def test_mcnemar_on_the_shared_pairs_is_the_binomial_test(board, board_folder):
    found = pair(
        board,
        "counterfactual/scored-a/measured",
        "counterfactual/scored-b/measured",
        board_folder,
    )
    right = []
    for seed, shift in ((3, 1.0), (4, -0.2)):
        frame = score_table(seed, shift=shift).frame
        right.append((frame.r_didp > frame.r_oidp) == (frame.label == 1))
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    few, differ = min(only_a, only_b), only_a + only_b
    p_value = stats.binomtest(few, differ).pvalue - stats.binom.pmf(few, differ, 0.5)  # mid-p
    accuracy = next(line for line in found.lines if line.label == "Accuracy")
    assert f"p = {p_value:.3f}" in accuracy.test
    assert "40 labelled pairs" in found.verdict
    assert accuracy.difference.split()[0].lstrip("+−") in found.verdict


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ("wide_spectrum/alpha/measured", "counterfactual/scored-a/measured", "different pairs"),
        (
            "wide_spectrum/alpha/measured",
            "wide_spectrum/hostile-0/published",
            "the other published",
        ),
        ("wide_spectrum/alpha/measured", "wide_spectrum/flux_dev/published", "no figure in common"),
    ],
)
def test_what_cannot_simply_be_compared_is_said(board, a, b, said):
    assert said in pair(board, a, b).warning


def test_a_flag_is_repeated(board):
    found = pair(board, "wide_spectrum/alpha/measured", "wide_spectrum/part/measured")
    assert "Part" in found.flags[0]


def test_one_record_twice_is_no_comparison(board):
    found = pair(board, "wide_spectrum/alpha/measured", "wide_spectrum/alpha/measured")
    assert found.verdict == "Choose two different results."


def test_pending_records_cannot_be_chosen(board):
    ids = {key for rows in choices(board).values() for key, _ in rows}
    assert ids == {r.id for r in board.records if r.measurements}
    assert set(default_pair(board)) <= ids


def test_scores_of_another_checksum_are_not_used(board, board_folder, tmp_path):
    ids = ("counterfactual/scored-a/measured", "counterfactual/scored-b/measured")
    assert "McNemar" in pair(board, *ids, board_folder).verdict
    for key, other in (ids, ids[::-1]):  # whole files, but each the other's
        path = (tmp_path / key).parent / "measured.parquet"
        path.parent.mkdir(parents=True)
        path.write_bytes(((board_folder / other).parent / "measured.parquet").read_bytes())
    assert "No paired test" in pair(board, *ids, tmp_path).verdict
