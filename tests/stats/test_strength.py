import numpy as np
import pytest
from hypothesis import given, settings
from support.reference import score_interval
from support.strategies import columns, labelled

from aas_bench.stats import STRENGTHS, chosen, preference, strength_curve


def test_the_default_strengths():
    assert tuple(np.round(np.arange(31) * 0.05, 2)) == STRENGTHS
    assert strength_curve([1.0], [1.0]).strengths == STRENGTHS


@settings(deadline=None, max_examples=50)
@given(labelled(labels=(-1, 0, 1)), columns(1, min_size=40, max_size=40))
def test_each_point_is_the_preference_of_its_margin(pairs, other):
    d_a, label, clusters = pairs
    d_o = other[0, : len(d_a)]
    options = {"clusters": clusters}
    curve = strength_curve(d_a, d_o, label, strengths=[0, 0.5, 1], **options)
    bare = strength_curve(d_a, d_o, strengths=[0, 0.5, 1], **options)
    assert (curve.measure, bare.measure) == ("accuracy", "chosen")
    for strength, point, share in zip([0, 0.5, 1], curve.points, bare.points, strict=True):
        margin = d_a - strength * d_o
        assert share.value == pytest.approx(np.mean(margin > 0))
        assert share == chosen(margin, **options)
        alone = preference(margin, label, **options).accuracy
        assert (point.value, point.n, point.reason) == (alone.value, alone.n, alone.reason)
        assert (point.low, point.high) == pytest.approx((alone.low, alone.high))


def test_intervals_equal_their_reference():
    rng = np.random.default_rng(2)
    d_a, d_o, label = rng.normal(size=50), rng.normal(-1, 1, 50), rng.integers(0, 2, 50)
    clusters = rng.integers(0, 12, 50)
    point = strength_curve(d_a, d_o, label, clusters=clusters).points[10]
    right = ((d_a - 0.5 * d_o > 0) == label).astype(float)
    expected = score_interval(right.mean(), (right - right.mean()) / 50, clusters)
    assert (point.low, point.high) == pytest.approx(expected)


def test_ties_count_as_in_the_preference():
    points = strength_curve([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], strengths=[0, 1], ties="half").points
    assert [point.value for point in points] == pytest.approx([2.5 / 3, 2 / 3])


def test_missing_and_undefined_points():
    curve = strength_curve([1.0, np.nan], [0.0, 1.0], [-1, 1], on_missing="drop")
    assert {point.reason for point in curve.points} == {"no pair has scores and a label of 0 or 1"}
    assert curve.points[0].coverage == 0.5
