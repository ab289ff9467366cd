"""The split as rows and as a dataset."""

import hashlib
import subprocess
import sys
from collections import Counter
from io import BytesIO
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aas_bench.counterfactual import split
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES, photograph
from aas_bench.counterfactual.split import (
    DOSES,
    PARAPHRASE_DOSE,
    counterfactual_dataset,
    counterfactual_features,
    counterfactual_files,
    counterfactual_rows,
    split_revision,
)
from aas_bench.errors import InputError, UnknownNameError
from aas_bench.run.score import score
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.schema import IMAGE_COLUMNS, PAIR_COLUMNS

SMALL = {"effects": ("clarity", "symmetry"), "scenes": ("coffee", "rocket"), "size": 320}
DIGEST = """
import hashlib
from aas_bench.counterfactual.split import counterfactual_rows
digest = hashlib.sha256()
for row in counterfactual_rows(scenes=["coffee"], size=320, doses=(0.5,), wordings=1):
    digest.update(row["pair_id"].encode() + row["prompt_distorted"].encode())
    digest.update(row["image_original"].tobytes() + row["image_distorted"].tobytes())
print(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def default_names():
    """The default split without its pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aas_bench.counterfactual.effects.Effect.__call__", lambda self, *a: a[0])
        return [
            {k: v for k, v in row.items() if not k.startswith("image")}
            for row in counterfactual_rows()
        ]


def test_the_names_told_beforehand_are_those_of_the_rows(default_names):
    told = split.names()
    assert set(told["effect"]) == {row["effect"] for row in default_names}
    assert set(told["dimension"]) == {name for row in default_names for name in row["dimensions"]}
    assert set(told["column"]) == set(counterfactual_features()) - set(IMAGE_COLUMNS)


def test_the_default_split(default_names):
    excluded = sum(len(effect.excluded) for effect in EFFECTS.values())
    items = (len(EFFECTS) * len(SCENES) - excluded) * len(DOSES)
    wordings = Counter(row["item"] for row in default_names)
    assert len(wordings) == items
    for row in default_names:
        expected = 5 if row["dose"] == PARAPHRASE_DOSE else 1
        assert wordings[row["item"]] == expected
    assert {row["label"] for row in default_names} == {1}
    ids = [row["pair_id"] for row in default_names]
    assert len(set(ids)) == len(ids)
    assert "clarity/astronaut/0.50/w0" in ids


def test_the_cluster_is_the_scene(default_names):
    by_index = {(row["index"], row["scene"], row["prompt_original"]) for row in default_names}
    assert len(by_index) == len(SCENES)
    assert sorted(index for index, _, _ in by_index) == list(range(len(SCENES)))
    only = next(counterfactual_rows(scenes=["rocket"], effects=["clarity"]))
    assert (only["index"], "rocket", only["prompt_original"]) in by_index


def test_the_request_is_the_same_at_every_dose(default_names):
    first = [row for row in default_names if row["wording"] == 0]
    asked = {(row["scene"], row["effect"], row["prompt_distorted"]) for row in first}
    assert len(asked) == len({(scene, effect) for scene, effect, _ in asked})


def test_excluded_pairs_are_absent(default_names):
    made = {(row["effect"], row["scene"]) for row in default_names}
    excluded = {(e.name, scene) for e in EFFECTS.values() for scene in e.excluded}
    assert not made & excluded


def test_a_row_holds_what_its_names_say():
    for row in counterfactual_rows(**SMALL, doses=(0.25, 1.0), wordings=2):
        assert set(PAIR_COLUMNS) | {"scene", "effect", "dose", "wording", "item"} == set(row)
        scene, effect = SCENES[row["scene"]], EFFECTS[row["effect"]]
        pixels = photograph(scene, size=320)
        assert np.asarray(row["image_original"]).tobytes() == pixels.tobytes()
        expected = effect(pixels, row["dose"], scene)
        assert np.asarray(row["image_distorted"]).tobytes() == expected.tobytes()
        assert row["prompt_distorted"] == effect.prompt(scene, wording=row["wording"])
        assert row["dimensions"] == [effect.dimension]
        assert row["pair_id"] == f"{row['item']}/w{row['wording']}"


def test_rows_with_one_picture_share_it():
    rows = list(counterfactual_rows(**SMALL, doses=(0.5, 1.0), wordings=3))
    assert len({id(row["image_original"]) for row in rows}) == 2
    assert len({id(row["image_distorted"]) for row in rows}) == len(rows) / 3
    for row, following in pairwise(rows):
        same = row["item"] == following["item"]
        assert (row["image_distorted"] is following["image_distorted"]) == same


def test_at_dose_zero_there_is_nothing_to_prefer():
    (row,) = counterfactual_rows(effects=["clarity"], scenes=["coffee"], doses=[0], wordings=1)
    assert row["label"] == -1
    assert row["image_original"].tobytes() == row["image_distorted"].tobytes()


def test_another_process_makes_the_same_bytes():
    first = subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, check=True)
    digest = hashlib.sha256()
    for row in counterfactual_rows(scenes=["coffee"], size=320, doses=(0.5,), wordings=1):
        digest.update(row["pair_id"].encode() + row["prompt_distorted"].encode())
        digest.update(row["image_original"].tobytes() + row["image_distorted"].tobytes())
    assert first.stdout.decode().strip() == digest.hexdigest()


def test_the_dataset_holds_the_rows_without_loss():
    rows = list(counterfactual_rows(**SMALL))
    dataset = counterfactual_dataset(**SMALL)
    assert dataset.features == counterfactual_features()
    assert dataset["pair_id"][:] == [row["pair_id"] for row in rows]
    for got, row in zip(dataset, rows, strict=True):
        assert got["image_distorted"].tobytes() == row["image_distorted"].tobytes()
        assert got["image_original"].tobytes() == row["image_original"].tobytes()
        assert {k: v for k, v in got.items() if "image" not in k} == {
            k: v for k, v in row.items() if "image" not in k
        }


def test_files_hold_the_same_pairs_and_give_the_same_scores(tmp_path):
    files, stored = counterfactual_files(tmp_path, **SMALL), counterfactual_dataset(**SMALL)
    assert files.features == stored.features
    for got, expected in zip(files, stored, strict=True):
        for column in IMAGE_COLUMNS:
            assert got.pop(column).tobytes() == expected.pop(column).tobytes()
        assert got == expected
    n_items = len(set(stored["item"][:]))
    assert len(list(tmp_path.iterdir())) == len(SMALL["scenes"]) + n_items, "each picture once"
    rewards = ["effect-match", "average-taste", "polish"]
    tables = [score(pairs, rewards, progress=False).frame for pairs in (files, stored)]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_equal_pictures_are_equal_bytes():
    options = {k: list(v) if k != "size" else v for k, v in SMALL.items()}
    options |= {"doses": [0.75], "wordings": None}
    once, twice = (list(split.encoded_rows(options, "any")) for _ in range(2))
    assert once == twice
    originals = {row["image_original"]["bytes"] for row in once}
    assert len(originals) == 2
    assert Image.open(BytesIO(originals.pop())).format == "PNG"


def test_the_dataset_is_read_again_until_the_code_changes(monkeypatch):
    options = {**SMALL, "effects": ("clarity",), "doses": (0.5,), "wordings": 1}
    first = counterfactual_dataset(**options).cache_files
    assert counterfactual_dataset(**options).cache_files == first
    monkeypatch.setattr(split, "split_revision", lambda: "0" * 16)
    assert counterfactual_dataset(**options).cache_files != first


def test_the_revision_names_the_code():
    assert split_revision() == split_revision()
    assert len(split_revision()) == 16


@pytest.mark.slow
def test_load_pairs_knows_it_by_name(default_names):
    pairs = load_pairs("counterfactual")
    assert pairs["pair_id"][:] == [row["pair_id"] for row in default_names]
    assert set(pairs.column_names) >= {"scene", "effect", "dose", "wording", "item"}


@pytest.mark.parametrize("make", [counterfactual_rows, counterfactual_dataset])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"effects": ["blur"]}, UnknownNameError, "no effect is called 'blur'"),
        ({"scenes": ["chelsee"]}, UnknownNameError, "Did you mean chelsea"),
        ({"doses": [0.5, 1.5]}, InputError, r"\[0.5, 1.5\]\. Give one or more numbers in \[0, 1\]"),
        ({"doses": [float("nan")]}, InputError, "Give one or more numbers"),
        ({"doses": []}, InputError, "Give one or more numbers"),
        ({"wordings": 0}, InputError, "wordings is 0. Give 1 to 5"),
        ({"wordings": 6}, InputError, "wordings is 6. Give 1 to 5"),
        ({"size": 64}, InputError, "Give 320 to 512"),
        ({"effects": []}, InputError, "Choose others"),
        ({"effects": ["background"], "scenes": ["hubble"]}, InputError, "No object stands out"),
    ],
)
def test_a_wrong_choice_is_refused_before_anything_is_made(make, options, error, message):
    with pytest.raises(error, match=message):
        make(**options)
