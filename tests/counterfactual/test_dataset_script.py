"""The builder class gives the same pairs as `counterfactual_dataset`."""

import importlib.util
import sys
from pathlib import Path

import pytest

from aas_bench.counterfactual.split import counterfactual_dataset, split_revision
from aas_bench.errors import InputError

SCRIPT = Path(__file__).parents[2] / "dataset_scripts" / "counterfactual.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("counterfactual_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, spec.name, module)  # where dataclasses look up annotations
        spec.loader.exec_module(module)
        yield module


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
