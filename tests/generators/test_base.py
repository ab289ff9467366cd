from __future__ import annotations

import pytest
from PIL import Image

from aas_bench.errors import InputError
from aas_bench.generators.base import Outcome, Request
from aas_bench.generators.settings import Settings

IMAGE = Image.new("RGB", (4, 4))


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "ok"},
        {"status": "ok", "image": IMAGE, "reason": "why"},
        {"status": "failed", "image": IMAGE, "reason": "why"},
        {"status": "refused"},
    ],
)
def test_an_outcome_is_an_image_or_a_reason(fields):
    with pytest.raises(ValueError, match="an image if and only if it is ok"):
        Outcome(latency=0.0, **fields)


@pytest.mark.parametrize("fields", [{"index": -1, "seed": 0}, {"index": 0, "seed": -1}])
def test_a_request_counts_from_zero(fields):
    with pytest.raises(InputError, match=r"neither may be negative\. Count from 0"):
        Request(variant="original", prompt="x", settings=Settings(), **fields)
