"""The authors' forms of a pair table come out canonical."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Image, List, Value
from support import author_tables as theirs
from support import toy_pairs
from support.pair_files import (
    both_ways,
    canonical_rows,
    undecoded,
)

from aas_bench.errors import SchemaError
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.scores import ScoreTable, load_scores


def test_the_authors_benchmark(tmp_path):
    rows = list(theirs.benchmark_rows())
    theirs.dataset(rows).to_parquet(tmp_path / "t.parquet")
    pairs = both_ways(tmp_path / "t.parquet")
    assert pairs["pair_id"][:3] == ["flux_dev/0000", "flux_dev/0001", "flux_dev/0002"]
    assert pairs["dimensions"][:2] == [["clarity"], ["clarity", "color brightness"]]
    assert pairs["label"][:] == [r["llm_selected"] for r in rows]
    assert set(pairs["label_source"]) == {"llm_selected"}
    for row, old in zip(undecoded(pairs), rows, strict=True):
        for name in ("image_original", "image_distorted", "prompt_original", "llm_judge", "rater"):
            assert row[name] == old[name]
        for name in ("blip_selected", "third_llm_selected", "blip_score", "blip_score_original"):
            assert row[name] == old[name]
        for cell in theirs.CELLS:
            assert row[f"hpsv2_{cell}"] == old["hpsv2_reward"][f"hpsv2_{cell}"]
            assert row[f"image_reward_{cell}"] == old["image_reward"][f"image_reward_{cell}"]
            mu, sigma = old["hpsv3_reward"][f"hpsv3_{cell}"]
            assert (row[f"hpsv3_{cell}"], row[f"hpsv3_{cell}_sigma"]) == (mu, sigma)
    gone = {"selected_dims", "hpsv2_reward", "hpsv3_reward", "image_reward"}
    assert not gone & set(pairs.column_names)


def test_the_scores_in_a_pair_table_make_a_score_table(tmp_path):
    theirs.dataset(theirs.benchmark_rows()).to_parquet(tmp_path / "t.parquet")
    pairs = load_pairs(tmp_path / "t.parquet")
    frame = pairs.remove_columns(["image_original", "image_distorted"]).to_pandas()
    table, direct = ScoreTable.from_frame(frame), load_scores(tmp_path / "t.parquet")
    assert set(table.rewards) == set(direct.rewards) == {"hpsv2", "hpsv3", "image_reward"}
    assert table.frame["pair_id"].tolist() == direct.frame["pair_id"].tolist()
    np.testing.assert_array_equal(table.label, direct.label)
    for reward in table.rewards:
        np.testing.assert_array_equal(table.cells(reward).diop, direct.cells(reward).diop)


def test_the_label_of_choice(tmp_path):
    rows = list(theirs.benchmark_rows(3, models=("m",)))
    theirs.dataset(rows).to_parquet(tmp_path / "t.parquet")
    assert both_ways(tmp_path / "t.parquet", label="blip_selected")["label"][:] == [0, 0, 1]
    majority = both_ways(tmp_path / "t.parquet", label="majority")
    assert majority["label"][:] == [1, 1, -1]
    assert majority["label_source"][0] == (
        "majority of llm_selected, sec_llm_selected, third_llm_selected"
    )
    with pytest.raises(SchemaError, match="no label column 'mine'"):
        load_pairs(tmp_path / "t.parquet", label="mine")


def test_four_faces_in_a_row_are_three_pairs(tmp_path):
    rows = list(theirs.emotion_rows())
    theirs.dataset(rows).to_parquet(tmp_path / "t.parquet")
    pairs = both_ways(tmp_path / "t.parquet")
    assert len(pairs) == 9
    assert pairs["dimensions"][:4] == [["sad"], ["angry"], ["fearful"], ["sad"]]
    assert pairs["index"][:] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert pairs["pair_id"][4] == "gemini-2.5-flash-image/0001/angry"
    assert set(pairs["label"]) == {1}
    assert set(pairs["label_source"]) == {"construction"}
    row = undecoded(pairs)[5]
    assert row["image_original"] == rows[1]["happy_image"]
    assert row["image_distorted"] == rows[1]["fearful_image"]
    assert row["prompt_original"] == "a portrait of an happy person, number 1"
    assert row["prompt_distorted"] == "a portrait of an fearful person, number 1"
    assert row["sad_hpsv3_happy_image"] == rows[1]["sad_hpsv3_happy_image"]
    assert not any(name.endswith("_image") and "face" in name for name in row)
    assert "angry_image" not in row
    assert len(both_ways(tmp_path / "t.parquet", limit=4)) == 4


def test_a_face_without_a_slot_in_its_prompt(tmp_path):
    rows = [theirs.emotion_rows(1).__next__() | {"prompt": "a face"}]
    theirs.dataset(rows).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(SchemaError, match=r"row 0: prompt_original: the prompt has no \[emotion\]"):
        load_pairs(tmp_path / "t.parquet")


def test_score_comparison(tmp_path):
    half = List(Value("float16"))
    rows = list(theirs.score_comparison_rows())
    table = theirs.dataset(rows, hpsv2_scores=half, anti_aesthetics_scores=half)
    table.to_parquet(tmp_path / "t.parquet")
    pairs = both_ways(tmp_path / "t.parquet")
    assert pairs["pair_id"][:] == ["sdxl/0000", "flux_dev/0001", "flux_dev/0002"]
    assert pairs["dimensions"][0] == ["clarity", "emotion"]
    assert pairs["prompt_distorted"][0] == "a smeared cup 0"
    assert pairs["hpsv2_scores"][0] == [0.25, 0.5]
    assert pairs["label"][0] == -1
    assert pairs["label_source"][0] == "none"


@pytest.mark.parametrize("spelling", ["{}", "image_{}", "{}_image"])
def test_two_generators_in_two_columns(tmp_path, spelling):
    rows = [
        {
            spelling.format("dance_flux"): theirs.embedded(i),
            spelling.format("flux_krea"): theirs.embedded(10 + i),
            "prompt": f"war {i}",
            "topic": "anti-war",
        }
        for i in range(3)
    ]
    theirs.dataset(rows).to_parquet(tmp_path / "t.parquet")
    check_comparison(both_ways(tmp_path / "t.parquet"))


@pytest.mark.parametrize("annotated", [True, False])
def test_two_generators_in_a_struct(tmp_path, annotated):
    rows = [
        {
            "images": {"dance_flux": theirs.embedded(i), "flux_krea": theirs.embedded(10 + i)},
            "prompt": f"war {i}",
            "topic": "anti-war",
        }
        for i in range(3)
    ]
    fields = {"dance_flux": Image(), "flux_krea": Image()}
    types = {"images": fields, "prompt": Value("string"), "topic": Value("string")}
    table = Dataset.from_list(rows, features=Features(types) if annotated else None)
    table.to_parquet(tmp_path / "t.parquet")
    check_comparison(both_ways(tmp_path / "t.parquet"))


def check_comparison(pairs):
    row = undecoded(pairs)[2]
    assert row["image_original"] == theirs.embedded(2)
    assert row["image_distorted"] == theirs.embedded(12)
    assert (row["prompt_original"], row["prompt_distorted"]) == (None, "war 2")
    assert row["dimensions"] == ["anti-war"]
    assert row["topic"] == "anti-war"
    assert row["pair_id"] == "flux_krea-against-dance_flux/0002"
    assert row["label"] == -1


def test_photographs_beside_clean_generations(tmp_path):
    rows = [
        {
            "index": i,
            "image": theirs.embedded(i),
            "clean_image": theirs.embedded(10 + i),
            "category": "a.b",
            "anti_aesthetic_caption": "grain",
            "clean_caption": "a cow",
        }
        for i in range(2)
    ]
    theirs.dataset(rows).to_parquet(tmp_path / "t.parquet")
    row = undecoded(both_ways(tmp_path / "t.parquet"))[1]
    assert row["image_original"] == theirs.embedded(11)
    assert row["image_distorted"] == theirs.embedded(1)
    assert (row["prompt_original"], row["prompt_distorted"]) == ("a cow", "grain")
    assert row["dimensions"] == ["a.b"]
    assert (row["label"], row["label_source"]) == (1, "construction")


def test_class_labels_become_their_names(tmp_path):
    rows = [r | {"label": 2, "model": 0, "dimensions": [1, 0]} for r in canonical_rows(1)[:1]]
    table = toy_pairs.dataset(rows)
    types = {
        "model": ClassLabel(names=["one"]),
        "dimensions": List(ClassLabel(names=["blur", "grain"])),
        "label": ClassLabel(names=["tie", "original", "distorted"]),
    }
    table = Dataset.from_list(rows, features=Features({**table.features, **types}))
    table.to_parquet(tmp_path / "t.parquet")
    row = both_ways(tmp_path / "t.parquet")[0]
    assert (row["label"], row["model"], row["dimensions"]) == (1, "one", ["grain", "blur"])


def test_further_columns_are_kept_with_their_types(tmp_path):
    rows = [
        r | {"seed": theirs.embedded(i), "topic": i % 2, "nested": {"a": [i]}, "none": None}
        for i, r in enumerate(canonical_rows())
    ]
    theirs.dataset(rows, topic=ClassLabel(names=["war", "smog"])).to_parquet(tmp_path / "t.parquet")
    pairs = both_ways(tmp_path / "t.parquet")
    assert pairs.features["topic"] == ClassLabel(names=["war", "smog"])
    assert pairs.features["seed"] == Image()
    assert undecoded(pairs) == rows
