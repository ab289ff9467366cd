"""Several requests at once, in order; costs that are numbers; no key in a record."""

import threading

import pytest

pytest.importorskip("openai")

from aas_bench.service.access import ServiceOptions
from aas_bench.service.client import Client, Trace

SECRET = "sk-secret-0123456789abcdef"


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    made = Client("openai", ServiceOptions(base_url="http://127.0.0.1:9", concurrency=3))
    yield made
    made.close()


def test_results_come_in_order_whoever_is_ready_first(client):
    second_done = threading.Event()

    def work(number):
        if number == 0:
            assert second_done.wait(10), "the second must not wait for the first"
        if number == 1:
            second_done.set()
        return number * number

    assert list(client.each(work, range(5))) == [0, 1, 4, 9, 16]


def test_whoever_stops_early_begins_no_further_ones(client):
    begun, go_on = [], threading.Event()

    def work(number):
        begun.append(number)
        assert number == 0 or go_on.wait(10)

    results = client.each(work, range(50))
    next(results)
    results.close()
    go_on.set()
    client.close()
    assert len(begun) <= 4  # the first, and three that were under way


def test_an_error_ends_the_rest(client):
    begun = []

    def work(number):
        begun.append(number)
        if number == 0:
            msg = "a defect"
            raise ZeroDivisionError(msg)

    with pytest.raises(ZeroDivisionError, match="a defect"):
        list(client.each(work, [0]))
    assert begun == [0]


def test_only_finite_amounts_are_paid():
    trace = Trace()
    for no_amount in (None, "0.1", True, float("nan"), float("inf"), -1):
        trace.pay(no_amount)
    assert trace.cost is None
    trace.pay(0.25)
    trace.pay(0.5)
    assert trace.cost == 0.75


def test_records_hold_no_key_and_no_line_feed(client):
    dirty = {"said": [f"bad {SECRET}\nkey"], SECRET: 1, "lone": "\ud800"}
    assert client.clean(dirty) == {"said": ["bad [key] key"], "[key]": 1, "lone": "?"}
