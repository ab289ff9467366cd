"""The counterfactual dataset goes to a Hub and comes back."""

from support.round_trip import round_trip

LOAD_PAIRS = """
from aas_bench import load_pairs
pairs = load_pairs("weathon/aas_counterfactual")
assert len(pairs) == 8, len(pairs)
assert pairs[0]["pair_id"] == "richness/coffee/0.50/w0", pairs[0]
assert pairs[0]["image_original"].size == (320, 213)
"""


def test_round_trip(loopback_hub, counterfactual, tmp_path, monkeypatch):
    built = round_trip(loopback_hub, [counterfactual()], tmp_path / "b", monkeypatch=monkeypatch)
    assert built.configs[0].n_rows == 8
    loopback_hub.run_python(LOAD_PAIRS)
