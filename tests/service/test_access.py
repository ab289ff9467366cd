"""How a service is asked: options that make sense, a key that is never shown."""

import pytest

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.service.access import SERVICES, Service, ServiceOptions


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"concurrency": 0}, "concurrency is 0. Give a whole number from 1"),
        ({"attempts": 1.5}, "attempts is 1.5. Give a whole number from 1"),
        ({"timeout": float("inf")}, "timeout is inf. Give seconds, above 0"),
        ({"backoff": -1}, "backoff is -1. Give seconds, above 0"),
        ({"time_out": 3}, "has no option 'time_out'. It has: base_url, concurrency"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(InputError, match=message):
        ServiceOptions.of(options)


def test_every_service_says_where_its_key_belongs(monkeypatch):
    for row in SERVICES.values():
        monkeypatch.delenv(row.key, raising=False)
        with pytest.raises(InputError, match=f"Set the environment variable {row.key}"):
            Service.find(row.name, ServiceOptions())
        monkeypatch.setenv(row.key, "sk-secret")
        monkeypatch.delenv(row.url, raising=False)
        found = Service.find(row.name, ServiceOptions())
        assert (found.base_url, found.key) == (row.default_url, "sk-secret")
        assert "sk-secret" not in repr(found)


def test_a_service_that_nobody_knows():
    with pytest.raises(UnknownNameError, match=r"called 'open-ai'\. Did you mean openai"):
        Service.find("open-ai", ServiceOptions())
