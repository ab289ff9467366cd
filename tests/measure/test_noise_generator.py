"""Pictures of noise must not read as a finding, whichever way their coins fall."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from PIL import Image
from support.generator_runs import submission

from aas_bench.generators.base import Generator, Outcome
from aas_bench.pages.generator import measure_generator
from aas_bench.run.generate import generate
from aas_bench.run.prompts import load_prompts


class Noise(Generator):
    """Reads no prompt: every picture is noise of its own."""

    def __init__(self, seed):
        self.seed = seed

    def generate(self, requests):
        return [self._make(request) for request in requests]

    def describe(self):
        return {"kind": "noise"}

    def _make(self, request):
        rng = np.random.default_rng([request.index, request.variant == "distorted", self.seed])
        pixels = rng.integers(0, 256, (320, 320, 3), dtype=np.uint8)
        return Outcome(status="ok", image=Image.fromarray(pixels), latency=0.0)


@pytest.mark.parametrize(("seed", "lucky"), [(1, False), (3, True)])
def test_noise_has_no_override_rate_and_its_choices_an_interval_around_chance(
    seed, lucky, tmp_path
):
    with mock.patch("aas_bench.run.generate.load_generator", return_value=Noise(seed)):
        made = generate(
            submission("noise"), load_prompts(limit=12), out=tmp_path / "noise", progress=False
        )
    record = measure_generator(made, ["effect-match"], progress=False).record
    told = {
        each["measure"]: each for each in record["measurements"] if each["by"] is each["at"] is None
    }
    chosen, override = told["chosen"], told["override_rate"]
    assert (chosen["value"] > 0.8) == lucky  # ten of twelve, by luck alone
    assert chosen["low"] < 0.5 < chosen["high"]
    assert (override["value"], override["low"], override["high"]) == (None, None, None)
    assert override["reason"].startswith("the understood share may be 0: its interval is")
