import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aas_bench.errors import SchemaError
from aas_bench.tables import authors

names = st.lists(st.text(max_size=20))
votes = st.lists(st.sampled_from([1, 0, -1, None, float("nan")]), max_size=5)


@given(names)
def test_lists_of_names_survive_every_way_of_writing_them(items):
    for written in (items, tuple(items), np.array(items, dtype=object), str(items)):
        assert authors.parse_dimensions(written) == items
    assert authors.parse_dimensions(json.dumps(items)) == items


@pytest.mark.parametrize("empty", [None, float("nan"), np.float32("nan"), "", "  ", []])
def test_no_dimensions(empty):
    assert authors.parse_dimensions(empty) == []


def test_a_bare_name_is_a_list_of_one():
    assert authors.parse_dimensions("main object") == ["main object"]


@pytest.mark.parametrize(
    "text",
    ["[__import__('os').getcwd()]", "[open('x')]", "['a', 1]", "['a'", "[" * 5000, 7, {"a": 1}],
)
def test_text_is_never_run_and_never_guessed(text):
    with pytest.raises(SchemaError, match=r"is not a list of dimension names|is not text"):
        authors.parse_dimensions(text)


@given(votes)
def test_label_is_the_value_of_more_than_half_of_the_votes(given_votes):
    cast = [v for v in given_votes if v in (1, 0, -1)]
    value, count = Counter(cast).most_common(1)[0] if cast else (-1, 0)
    expected = value if 2 * count > len(cast) else -1
    assert authors.label_value(given_votes) == expected


@pytest.mark.parametrize(
    ("vote", "label"),
    [
        ("distorted", 1),
        ("Original", 0),
        ("tie", -1),
        ("1", 1),
        (True, 1),
        (0.5, -1),
        ([1, 0, 1], 1),
    ],
)
def test_votes_may_be_names(vote, label):
    assert authors.label_value([vote]) == label


@pytest.mark.parametrize("vote", [2, 0.25, "yes", [2], float("inf")])
def test_other_votes_are_refused(vote):
    with pytest.raises(SchemaError, match="is not 1, 0 or -1"):
        authors.label_value([vote])


def test_which_column_becomes_the_label():
    every = ["third_llm_selected", "blip_selected", "sec_llm_selected", "llm_selected", "label"]
    assert authors.label_columns(every) == ("label",)
    assert authors.label_columns(every[:4]) == ("llm_selected",)
    assert authors.label_columns(["blip_selected", "third_llm_selected"]) == ("third_llm_selected",)
    assert authors.label_columns(every, label="blip_selected") == ("blip_selected",)
    assert authors.label_columns(every, label="majority") == authors.JUDGE_COLUMNS
    assert authors.label_columns(["image"]) == ()


def test_asking_for_a_label_that_is_not_there():
    with pytest.raises(SchemaError, match=r"no label column 'gold'.* Label columns here: llm_sele"):
        authors.label_columns(["llm_selected"], label="gold")
    with pytest.raises(SchemaError, match="no column to take a majority of"):
        authors.label_columns(["blip_selected"], label="majority")


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.5, (1.5, None)), (None, (None, None)), ([1.5], (1.5, None)), ("2", ("2", None))],
)
def test_split_score(value, expected):
    assert authors.split_score(value) == expected


def test_split_score_of_mu_and_sigma():
    assert authors.split_score(np.array([1.5, 0.5])) == (1.5, 0.5)
    with pytest.raises(SchemaError, match=r"3 numbers is neither \[mu\] nor \[mu, sigma\]"):
        authors.split_score([1, 2, 3])


def test_the_first_spelling_wins_and_ours_is_never_overwritten():
    assert authors.renames(["selected_dims", "dims"]) == {"selected_dims": "dimensions"}
    assert authors.renames(["selected_dims", "dimensions"]) == {}
    assert authors.renames(["disorted_long_prompt"]) == {"disorted_long_prompt": "prompt_distorted"}


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("hpsv3_oiop", True),
        ("image_reward_didp", True),
        ("hpsv3_oiop_sigma", False),
        ("oiop", False),
        ("_oiop", False),
        ("hpsv3_cut_original", False),
    ],
)
def test_is_cell(name, cell):
    assert authors.is_cell(name) is cell
