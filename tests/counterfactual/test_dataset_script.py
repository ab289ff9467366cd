"""The builder class gives the same pairs as `counterfactual_dataset`."""

from pathlib import Path

import pytest
from support import scripts

from aas_bench.counterfactual.split import counterfactual_dataset, split_revision
from aas_bench.errors import InputError


@pytest.fixture(scope="module")
def script():
    return scripts.script("counterfactual")


def test_the_builder_makes_the_same_pairs(script, tmp_path):
    options = {"effects": ("richness",), "scenes": ("coffee", "flower"), "doses": (0.5, 0.75)}
    builder = script.Counterfactual(cache_dir=str(tmp_path), **options)
    builder.download_and_prepare()
    pairs = builder.as_dataset(split="test")
    expected = counterfactual_dataset(**options)
    assert len(pairs) == 12
    assert pairs.features == expected.features
    for got, row in zip(pairs, expected, strict=True):
        assert got["image_distorted"].tobytes() == row["image_distorted"].tobytes()
        assert got["pair_id"] == row["pair_id"]


def test_the_cache_names_the_revision(script, tmp_path):
    builder = script.Counterfactual(cache_dir=str(tmp_path))
    assert Path(builder.cache_dir).name == split_revision()
    assert builder.config.name == "pairs"
    assert builder.info.homepage.endswith("/weathon/aas_counterfactual")


def test_wrong_options_are_refused_at_once(script, tmp_path):
    with pytest.raises(InputError, match="Give 320 to 512"):
        script.Counterfactual(cache_dir=str(tmp_path), size=10)
