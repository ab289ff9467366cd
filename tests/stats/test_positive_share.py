"""The share of positive labels from accuracy and F1, against labels and answers that are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from aas_bench.errors import InputError
from aas_bench.stats.positive_share import positive_share


@given(
    share=st.floats(0.05, 0.95),
    right=st.floats(0.3, 0.95),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_true_share_lies_between_the_ends(share, right, seed):
    rng = np.random.default_rng(seed)
    labels = rng.random(400) < share
    answers = np.where(rng.random(400) < right, labels, ~labels)
    accuracy, f1 = accuracy_score(labels, answers), f1_score(labels, answers)
    if f1 >= 1:
        return
    low, high = positive_share(round(accuracy, 3), round(f1, 3))
    assert low - 1e-9 <= labels.mean() <= high + 1e-9


def test_both_ends_are_reached():
    # All errors false negatives, then all false positives: TP + e and TP.
    accuracy, tp = 0.9, 0.4
    f1 = 2 * tp / (2 * tp + 0.1)
    low, high = positive_share(accuracy, f1, rounding=0)
    assert (low, high) == pytest.approx((tp, tp + 0.1))


def test_the_published_rows():
    assert positive_share(0.913, 0.954)[0] == pytest.approx(0.8869, abs=1e-4)
    assert positive_share(0.965, 0.972)[1] == pytest.approx(0.6632, abs=1e-4)


def test_figures_that_no_labels_give():
    assert positive_share(0.2, 0.99) is None


@pytest.mark.parametrize(
    ("accuracy", "f1"), [(1.1, 0.5), (-0.1, 0.5), (0.5, 1.0), (0.5, float("nan"))]
)
def test_what_is_no_share_is_refused(accuracy, f1):
    with pytest.raises(InputError):
        positive_share(accuracy, f1)
