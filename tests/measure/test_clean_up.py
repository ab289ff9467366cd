from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from aas_bench.generators.settings import Settings
from aas_bench.measure.clean_up import MEASURES, NEARER, clean_up, clean_up_table
from aas_bench.measure.summary import STANDARD
from aas_bench.run.prompts import load_prompts
from aas_bench.run.seeds import seed_pair

SETTINGS = Settings(width=320, height=320)
PROMPTS = load_prompts(limit=5)


@pytest.fixture
def generated(tmp_path):
    """A run whose outputs are a mix of seed image and photograph, exact but for rounding."""

    def run(share, *, missing=()):
        for prompt in PROMPTS.prompts:
            pair = seed_pair(prompt, SETTINGS)
            output = Image.blend(pair.distorted, pair.original, share)
            output.save(tmp_path / f"{prompt.index}.png")

        def image_path(index, _):
            return None if index in missing else tmp_path / f"{index}.png"

        submission = SimpleNamespace(id="x", name="X", settings_for=lambda *_: SETTINGS)
        return SimpleNamespace(
            prompts=PROMPTS, image_path=image_path, submission=submission, preset="default"
        )

    return run


def means(run):
    found = clean_up(clean_up_table(run), STANDARD)["means"]
    assert list(found) == [*MEASURES, NEARER]
    return {name: estimate["value"] for name, estimate in found.items()}


def test_an_output_that_is_the_seed_image_has_not_moved(generated):
    found = means(generated(0.0))
    assert found["to_seed"] == found["way_back"] == 0
    assert found["to_original"] == found["seed_to_original"] > 0
    assert found["effect_after"] == found["effect_before"]


def test_an_output_that_is_the_photograph_has_gone_the_whole_way(generated):
    found = means(generated(1.0))
    assert found["to_original"] == 0
    assert found["to_seed"] == found["seed_to_original"]
    assert found["way_back"] == pytest.approx(1)
    assert found["effect_after"] < found["effect_before"]


def test_half_way_is_half_way_and_the_distance_is_that_of_the_pixels(generated):
    found = means(generated(0.5))
    assert found["way_back"] == pytest.approx(0.5, abs=0.02)  # 8-bit rounding
    pairs = [seed_pair(prompt, SETTINGS) for prompt in PROMPTS.prompts]
    whole = [
        np.mean(np.abs(np.array(p.original).astype(int) - np.array(p.distorted).astype(int)))
        for p in pairs
    ]
    assert found["seed_to_original"] == pytest.approx(np.mean(whole))
    assert found["to_seed"] == pytest.approx(np.mean(whole) / 2, abs=0.5)


def test_what_was_not_made_lowers_the_coverage(generated):
    found = clean_up(clean_up_table(generated(1.0, missing={2})), STANDARD)["means"]["way_back"]
    assert (found["n"], found["coverage"]) == (4, 0.8)
    nothing = clean_up(clean_up_table(generated(1.0, missing=set(range(5)))), STANDARD)["means"][
        "way_back"
    ]
    assert nothing["value"] is None
    assert nothing["reason"]
