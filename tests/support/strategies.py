"""Hypothesis strategies for the tables that the statistics take."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

# Whole numbers tie often; the others hardly ever, and their sums are not exact.
tied = st.integers(-4, 4).map(float)
untied = st.floats(-1e6, 1e6, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-6)
scores = st.one_of(tied, untied)


@st.composite
def columns(draw, n_columns: int, *, min_size: int = 1, max_size: int = 30, element=scores):
    """Float columns of one length, shape (n_columns, n)."""
    n = draw(st.integers(min_size, max_size))
    row = st.lists(element, min_size=n, max_size=n)
    return np.array([draw(row) for _ in range(n_columns)]).reshape(n_columns, n)


@st.composite
def labelled(draw, *, labels=(0, 1), min_size: int = 1, max_size: int = 40):
    """A margin, a label and a cluster for each pair."""
    pair = st.tuples(scores, st.sampled_from(labels), st.integers(0, 5))
    pairs = draw(st.lists(pair, min_size=min_size, max_size=max_size))
    margin, label, cluster = zip(*pairs, strict=True)
    return np.array(margin), np.array(label), np.array(cluster)


@st.composite
def ratings(draw):
    """A table of units by raters, a third of it missing."""
    n_units, n_raters = draw(st.integers(1, 8)), draw(st.integers(2, 4))
    cell = st.sampled_from([0.0, 1.0, 2.0, 5.0, np.nan, np.nan])
    cells = draw(st.lists(cell, min_size=n_units * n_raters, max_size=n_units * n_raters))
    return np.array(cells).reshape(n_units, n_raters)
