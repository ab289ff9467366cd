"""Numbers in words."""

import pytest

from aas_bench import words
from aas_bench.stats.estimate import Estimate
from aas_bench.words import FREE, NUMBER, ROUND_SHARE, SHARE, Spelling


@pytest.mark.parametrize(
    ("value", "text"),
    [(-0.5, "\u22120.50"), (0.126, "0.13"), (-0.001, "0.00"), (0.0, "0.00"), (None, "–")],
)
def test_numbers_have_a_true_minus_and_no_negative_zero(value, text):
    assert words.number(value) == text


def test_shares_and_intervals():
    assert words.percent(0.935) == "94\u202f%"
    assert words.percent(0.9349, digits=1) == "93.5\u202f%"
    assert words.percent(None) == "–"
    bounded = Estimate(value=0.5, low=0.254, high=0.75, n=4)
    assert words.SHARE.ends(bounded) == "25.4 to 75.0"
    assert words.SHARE.ends(Estimate(value=0.5, n=1, reason="one pair")) == "no interval"
    assert words.count(3300, "pair") == "3\u202f300 pairs"
    assert words.count(1, "pair") == "1 pair"
    assert words.listing(["a", "b", "c"]) == "a, b and c"
    assert words.listing(["a"]) == "a"
    assert words.percent_in(bounded) == "50\u202f% (25 to 75)"
    assert words.number_in(bounded) == "0.50 (0.25 to 0.75)"
    none = Estimate(value=None, n=0, reason="no pair")
    assert words.percent_in(none) == words.number_in(none) == "undefined (no pair)"


def test_names_as_people_say_them():
    assert words.plain_name("clarity_and_focus.film_artifacts") == "film artifacts"
    assert words.plain_name("anti-war") == "anti-war"
    assert words.spaced("color-aesthetic") == "color aesthetic"


@pytest.mark.parametrize(("p", "text"), [(None, ""), (0.0004, "p < 0.001"), (0.04, "p = 0.040")])
def test_p_values(p, text):
    assert words.p_value(p) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1e300, "\u22121.00e+300"),
        (1e15, "1.00e+15"),
        (999_999_999.0, "999999999.00"),
    ],
)
def test_a_number_too_long_to_read_is_written_in_powers_of_ten(value, text):
    assert words.number(value) == text
    assert len(words.percent(value)) < 15


def test_one_kind_of_figure_has_one_spelling():
    found = Estimate(value=0.4449, low=0.351, high=0.54, n=4)
    assert SHARE.value(found.value) == "44.5\u202f%"
    assert SHARE.whole(found) == "44.5\u202f% (35.1 to 54.0)"
    assert ROUND_SHARE.whole(found) == words.percent_in(found) == "44\u202f% (35 to 54)"
    assert NUMBER.whole(found) == "0.44 (0.35 to 0.54)"
    assert Spelling(digits=3).whole(found) == "0.445 (0.351 to 0.540)"
    assert FREE.whole(Estimate(value=9.0, low=-10.0, high=9.5, n=4)) == "9.0 (\u221210.0 to 9.5)"
    assert SHARE.whole(Estimate(value=0.5, n=1)) == "50.0\u202f% (no interval)"


def test_a_difference_wears_its_sign():
    assert SHARE.difference(0.041) == "+4.1 points"
    assert SHARE.difference(-0.041) == "\u22124.1 points"
    assert NUMBER.difference(1.5) == "+1.50"
    assert NUMBER.difference(0.0) == "0.00"
    assert NUMBER.difference(None) == "–"


def test_a_rank_says_what_its_interval_leaves_open():
    assert words.rank(10, 12, 9, 10) == "10 of 12 (9 to 10)"
    assert words.rank(10, 12, 10, 10) == "10 of 12 (anywhere in the interval)"
    assert words.rank(10, 12, None, None) == "10 of 12"
    assert words.rank(None, 12, None, None) == ""


def test_long_lists_are_cut_only_where_that_makes_them_shorter():
    assert words.listing(list("abcd"), most=3) == "a, b, c and d"
    assert words.listing(list("abcde"), most=3) == "a, b, c and 2 more"


def test_no_mark_of_a_text_acts_in_latex():
    assert words.latex("50 % of a_b & c\n#1 {x} ~^ \\ <b> −1") == (
        r"50 \% of a\_b \& c \#1 \{x\} \textasciitilde{}\textasciicircum{} \textbackslash{} "
        r"\textless{}b\textgreater{} $-$1"
    )
