"""What a service's error means, and when to ask again."""

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

pytest.importorskip("httpx")

from aas_bench.errors import BackendError
from aas_bench.service.faults import RefusedError, ServiceError, error_from, seconds_until


def test_retry_after_as_number_and_date():
    assert seconds_until("7") == 7.0
    assert seconds_until("-3") == 0.0
    later = datetime.now(timezone.utc) + timedelta(seconds=90)
    assert 80 < seconds_until(format_datetime(later)) <= 90
    for unreadable in ("soon", "nan", "inf", ""):
        assert seconds_until(unreadable) is None


def test_one_tree():
    assert issubclass(RefusedError, ServiceError)
    assert issubclass(ServiceError, BackendError)


@pytest.mark.parametrize(
    ("status", "error", "kind", "repeat"),
    [
        (429, {"code": "rate_limit_exceeded"}, ServiceError, True),
        (429, {"code": "insufficient_quota"}, ServiceError, False),
        (503, {}, ServiceError, True),
        (400, {}, ServiceError, False),
        (400, {"code": "content_filter"}, RefusedError, False),
        (403, {"metadata": {"reasons": ["violence"]}}, RefusedError, False),
    ],
)
def test_what_an_error_answer_means(status, error, kind, repeat):
    found = error_from(status, {"error": {"message": "words", **error}})
    assert type(found) is kind
    assert (found.status, found.repeat, found.retryable) == (status, repeat, repeat)
    assert "words" in str(found)
