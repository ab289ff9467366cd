"""Samples are nested, spread over scenes and effects, and take first wordings first."""

from collections import Counter
from itertools import pairwise

import pytest
from datasets import Dataset

from aas_bench.errors import InputError, SchemaError, UnknownNameError
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.sample import Sample, nested_order

ROWS = [
    {"pair_id": f"{s}/{e}/{w}", "index": s, "scene": f"s{s}", "effect": f"e{e}", "wording": w}
    | {"item": f"{s}/{e}", "dimensions": [f"d{e % 2}"]}
    for w in range(2)
    for s in range(4)
    for e in range(6)
]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}


@pytest.mark.parametrize("seed", [0, 7])
def test_every_pair_is_taken_once_and_first_wordings_first(seed):
    order = nested_order(COLUMNS, range(len(ROWS)), seed=seed)
    assert sorted(order) == list(range(len(ROWS)))
    assert all(COLUMNS["wording"][row] == 0 for row in order[: len(ROWS) // 2])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [4, 6, 12, 24])
def test_any_first_few_are_balanced(seed, n):
    taken = nested_order(COLUMNS, range(len(ROWS)), seed=seed)[:n]
    scenes = Counter(COLUMNS["scene"][row] for row in taken)
    effects = Counter(COLUMNS["effect"][row] for row in taken)
    assert max(scenes.values()) - min(scenes.values()) <= 1
    assert len(scenes) == 4
    assert max(effects.values()) <= -(-n // 6) + 1


def test_a_smaller_sample_is_part_of_a_larger_one_in_the_order_of_the_table():
    pairs = Dataset.from_list(ROWS)
    taken = [Sample(n=n, seed=3).of(pairs)["pair_id"] for n in (5, 17, 48, 99)]
    for few, more in pairwise(taken):
        assert set(few) < set(more) or len(few) == len(ROWS)
        assert list(few) == [name for name in pairs["pair_id"] if name in set(few)]
    assert set(Sample(n=5, seed=4).of(pairs)["pair_id"]) != set(taken[0])


def test_effects_and_dimensions():
    pairs = Dataset.from_list(ROWS)
    assert set(Sample(effects=("e1", "e2")).of(pairs)["effect"]) == {"e1", "e2"}
    assert set(Sample(dimensions=("d1",)).of(pairs)["effect"]) == {"e1", "e3", "e5"}
    with pytest.raises(UnknownNameError, match="no effect of these pairs is called 'e9'"):
        Sample(effects=("e9",)).of(pairs)
    with pytest.raises(InputError, match="both this effect and this dimension"):
        Sample(effects=("e1",), dimensions=("d0",)).of(pairs)
    with pytest.raises(SchemaError, match=r"name no effect. Leave --effect out"):
        Sample(effects=("e1",)).of(pairs.remove_columns("effect"))
    with pytest.raises(InputError, match="sample is 0"):
        Sample(n=0)


@pytest.mark.parametrize(
    ("part", "meant"),
    [
        ({"effect": "blurr"}, "no effect of these pairs is called 'blurr'. Did you mean clarity?"),
        ({"effect": ["emotion", "emotoin"]}, "Did you mean emotion"),
        ({"dimension": "color-brightness"}, "Did you mean color brightness"),
        ({"dimension": "gloomy"}, "Did you mean emotion?"),
    ],
)
def test_names_of_the_built_in_pairs_are_looked_at_before_they_are_made(monkeypatch, part, meant):
    monkeypatch.setattr("aas_bench.tables.pairs.open_source", None)
    with pytest.raises(UnknownNameError, match=meant):
        load_pairs("counterfactual", **part)


def test_an_everyday_word_finds_the_name_that_a_table_has():
    with pytest.raises(UnknownNameError, match="Did you mean detail-refinement"):
        Sample(effects=("mushy",)).rows({"pair_id": ["a"], "effect": ["detail-refinement"]})
    with pytest.raises(UnknownNameError, match="There are: haze"):
        Sample(effects=("mushy",)).rows({"pair_id": ["a"], "effect": ["haze"]})
