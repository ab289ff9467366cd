"""Reading ahead: same items, same order, never too far, and it ends."""

import threading
import time
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aas_bench.run.groups import prefetch


@given(items=st.lists(st.integers()), depth=st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_same_items_in_order(items, depth):
    assert list(prefetch(iter(items), depth=depth)) == items


def test_it_is_never_further_ahead_than_it_says():
    made = []

    def items():
        for i in range(30):
            made.append(i)
            yield i

    for taken in prefetch(items(), depth=2):
        time.sleep(0.002)
        # Taken, two in the queue, one in the hands of the thread.
        assert len(made) <= taken + 1 + 2 + 1


def test_an_exception_comes_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        msg = "no more"
        raise OSError(msg)

    taken = []
    with pytest.raises(OSError, match="no more"):
        taken.extend(prefetch(items(), depth=1))
    taken = []
    stream = prefetch(items(), depth=1)
    taken += [next(stream), next(stream)]
    with pytest.raises(OSError, match="no more"):
        next(stream)
    assert taken == [1, 2]


def test_closing_early_ends_the_thread():
    before = threading.active_count()

    def endless():
        while True:
            yield 0

    with closing(prefetch(endless(), depth=1)) as stream:
        next(stream)
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
