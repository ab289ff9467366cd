import numpy as np
import pandas as pd
import pytest

from aas_bench.errors import InputError, MissingScoresError
from aas_bench.stats import (
    chosen,
    krippendorff_alpha,
    paraphrase_consistency,
    preference,
    strength_curve,
)
from aas_bench.stats.inputs import read_groups


def test_a_missing_score_raises_and_says_how_to_go_on():
    with pytest.raises(MissingScoresError, match=r"2 of 4 pairs.*0: 1, 3.*on_missing=\"drop\""):
        preference([1.0, np.nan, 2.0, None], [1, 0, 1, 0])


def test_dropping_lowers_the_coverage_and_nothing_else():
    kept = preference([1.0, -2.0, 2.0], [1, 0, 1])
    dropped = preference([1.0, np.nan, -2.0, 2.0], [1, 0, 0, 1], on_missing="drop")
    assert dropped.accuracy.value == kept.accuracy.value
    assert (dropped.accuracy.low, dropped.accuracy.high) == (kept.accuracy.low, kept.accuracy.high)
    assert (dropped.n, dropped.n_missing, dropped.accuracy.coverage) == (3, 1, 0.75)


@pytest.mark.parametrize("ties", ["original", "half"])
@pytest.mark.parametrize("clusters", [None, ["a", "b"]])
def test_nothing_left_is_undefined_with_a_reason(clusters, ties):
    nothing = preference([np.nan, np.nan], [1, 0], clusters=clusters, on_missing="drop", ties=ties)
    for name in ("accuracy", "balanced_accuracy", "f1", "auroc", "cohen_kappa"):
        estimate = getattr(nothing, name)
        assert (estimate.value, estimate.low, estimate.n, estimate.coverage) == (None, None, 0, 0.0)
        assert estimate.reason == "no pair has scores and a label of 0 or 1"
    assert chosen([np.nan], on_missing="drop").reason == "no pair has scores"


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([], []), {}, r"margin is empty\. Give at least one pair"),
        (([1.0, 2.0], [1]), {}, r"margin has 2 values but label has 1\. Give one of each"),
        (([1.0], [1]), {"clusters": [1, 2]}, "clusters has 2"),
        (([[1.0]], [1]), {}, r"margin has shape \(1, 1\)\. Give one number per pair"),
        ((["1.5"], [1]), {}, r"margin is not a column of numbers\. Give one number"),
        (([[1.0], [1.0, 2.0]], [1]), {}, "margin is not a column of numbers"),
        (([1.0, np.inf], [1, 0]), {}, r"margin holds 1 infinite.*first at 1.*Give finite scores"),
        (([1.0, -1e200], [1, 0]), {"on_missing": "drop"}, "margin holds 1 infinite"),
        (([1.0, 2.0], [1, 2]), {}, r"1 of 2 labels.*found 2\)\. Use 1 where"),
        (([1.0, 2.0], [1, np.nan]), {}, r"found nan\)\. Use 1 where"),
        (([1.0, 2.0], [1, 0.5]), {}, r"found 0\.5"),
        (([1.0], [[1]]), {}, r"label has shape \(1, 1\)\. Give one label"),
        (([1.0, 2.0], [1, 0]), {"clusters": ["a", None]}, r"clusters is missing in 1 of 2 rows"),
        (([1.0, 2.0], [1, 0]), {"clusters": [1.0, np.nan]}, r"clusters is missing.*Give every"),
        (([1.0, 2.0], [1, 0]), {"clusters": pd.Series([pd.NA, 1])}, "clusters is missing"),
        (([1.0], [1]), {"clusters": [[1]]}, r"clusters has shape \(1, 1\)\. Give one value"),
        (([1.0, 2.0], [1, 0]), {"clusters": np.array([1, "a"], object)}, "clusters mixes kinds"),
        (([1.0], [1]), {"ties": "none"}, r"ties='none' is not an option\. Use 'original' or"),
        (([1.0], [1]), {"on_missing": "skip"}, r"on_missing='skip'.*Use 'raise' or 'drop'"),
        (([1.0], [1]), {"confidence_level": 95}, r"confidence_level=95 .*such as 0\.95"),
        (([1.0], [1]), {"confidence_level": "0.9"}, "confidence_level='0.9'"),
    ],
)
def test_each_fault_is_told_in_one_line(arguments, options, message):
    with pytest.raises(InputError, match=message) as caught:
        preference(*arguments, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "column",
    [[1.0, -1.0, 2.0], (1, -1, 2), np.array([1, -1, 2], np.float32), pd.Series([1.0, -1.0, 2.0])],
)
def test_any_column_of_numbers_will_do(column):
    result = preference(column, pd.Series([1, 0, 0]), clusters=pd.Series(["a", "b", "b"]))
    assert result.accuracy.value == pytest.approx(2 / 3)
    assert result.accuracy.n_clusters == 2


def test_inputs_are_left_as_they_were():
    margin, label = np.array([0.0, 1.0, np.nan]), np.array([1, 0, 1])
    before = margin.copy(), label.copy()
    preference(margin, label, ties="half", on_missing="drop")
    np.testing.assert_array_equal(margin, before[0])
    np.testing.assert_array_equal(label, before[1])


def test_groups_may_overlap_and_may_be_empty():
    groups = read_groups([["b", "a"], [], ["a", "a"]], 3)
    assert {name: rows.tolist() for name, rows in groups.items()} == {"a": [0, 2], "b": [0]}


def test_groups_are_checked():
    with pytest.raises(InputError, match=r"groups has 1 entries for 2 pairs\. Give one per pair"):
        read_groups(["a"], 2)
    with pytest.raises(InputError, match=r"groups is missing in row 1.*Give every pair a group"):
        read_groups(["a", None], 2)


def test_other_tables_are_checked_too():
    with pytest.raises(InputError, match=r"strengths is empty.*Give numbers"):
        strength_curve([1.0], [1.0], strengths=[])
    with pytest.raises(InputError, match=r"ratings has shape \(2,\)\. Give one row per unit"):
        krippendorff_alpha([1.0, 2.0])
    with pytest.raises(InputError, match="ratings holds 1 infinite"):
        krippendorff_alpha([[1.0, np.inf]])
    with pytest.raises(InputError, match=r"level='ratio'.*Use 'nominal' or"):
        krippendorff_alpha([[1.0, 1.0]], level="ratio")
    with pytest.raises(InputError, match=r"item a lies in two clusters\. Give all rows"):
        paraphrase_consistency([1.0, 2.0], ["a", "a"], [0, 1], clusters=[0, 1])
