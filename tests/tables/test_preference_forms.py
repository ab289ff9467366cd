"""Public preference sets in small, with the columns that they are published with."""

import json

import numpy as np
import pytest
from datasets import Dataset, Features, Image, List, Value
from sklearn.metrics import accuracy_score
from support.toy_pairs import picture, png

from aas_bench.errors import InputError, SchemaError
from aas_bench.run.score import score
from aas_bench.tables.pairs import load_pairs


def image(seed):
    return {"bytes": png(picture(seed)), "path": None}


def pick_a_pic(images=("jpg_0", "jpg_1"), kind=None):
    """`yuvalkirstain/pickapic_v2`: bytes of JPEG there; a choice, or 0.5 for both of a tie."""
    votes = [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.0, 1.0)]
    rows = [
        {
            "are_different": True,
            "best_image_uid": str(i),
            "caption": f"a cat {i // 2}",
            images[0]: png(picture(2 * i)) if kind is None else image(2 * i),
            images[1]: png(picture(2 * i + 1)) if kind is None else image(2 * i + 1),
            "label_0": votes[i][0],
            "label_1": votes[i][1],
            "model_0": "sd",
            "model_1": "sdxl",
            "ranking_id": i,
            "has_label": True,
        }
        for i in range(4)
    ]
    table = Dataset.from_list(rows)
    for name in images if kind is not None else ():
        table = table.cast_column(name, kind)
    return table


@pytest.mark.parametrize(
    "table", [pick_a_pic(), pick_a_pic(("image_0", "image_1"), Image())], ids=["jpg", "image"]
)
@pytest.mark.parametrize("streaming", [False, True])
def test_pick_a_pic(table, streaming):
    pairs = load_pairs(table.to_iterable_dataset() if streaming else table)
    rows = list(pairs)
    assert [row["label"] for row in rows] == [0, 1, -1, 1]
    assert [row["index"] for row in rows] == [0, 0, 1, 1], "pairs of one prompt are one cluster"
    assert [row["prompt_distorted"] for row in rows] == table["caption"][:]
    assert {row["prompt_original"] for row in rows} == {None}
    assert len({row["pair_id"] for row in rows}) == 4
    assert rows[1]["model_1"] == "sdxl"
    for i, row in enumerate(rows):
        assert row["image_original"].tobytes() == picture(2 * i).tobytes()
        assert row["image_distorted"].tobytes() == picture(2 * i + 1).tobytes()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    for i in range(8):
        picture(i).save(tmp_path / "images" / f"{i}.png")
    return tmp_path


def file_of(folder, rows, name):
    path = folder / name
    path.write_text(json.dumps(rows))
    return path


def seeds(pairs):
    """Which pictures the pairs are of."""
    known = {picture(i).tobytes(): i for i in range(8)}
    return [
        (known[row["image_original"].tobytes()], known[row["image_distorted"].tobytes()])
        for row in pairs
    ]


def names(*numbers):
    return [f"images/{i}.png" for i in numbers]


def test_hpd_v2_test_and_train(folder):
    ranked = [
        {"prompt": "a", "image_path": names(0, 1), "rank": [2, 1], "raw_annotations": []},
        {"prompt": "b", "image_path": names(2, 3, 4), "rank": [1, 2, 2], "raw_annotations": []},
    ]
    pairs = load_pairs(file_of(folder, ranked, "test.json"))
    assert seeds(pairs) == [(0, 1), (2, 3), (2, 4), (3, 4)]
    assert pairs["label"][:] == [1, 0, 0, -1]
    assert pairs["index"][:] == [0, 1, 1, 1]
    voted = [{"prompt": "a", "image_path": names(5, 6), "human_preference": [0, 1]}]
    voted += [{"prompt": "a", "image_path": names(5, 7), "human_preference": [1, 0]}]
    pairs = load_pairs(file_of(folder, voted, "train.json"))
    assert (seeds(pairs), pairs["label"][:]) == ([(5, 6), (5, 7)], [1, 0])
    assert pairs["index"][:] == [0, 0]


def test_hpd_v2_as_it_is_unpacked(tmp_path):
    """`file_path` in `train.json`; the images of each table in the folder of its name."""
    home = tmp_path / "HPD"
    (home / "train").mkdir(parents=True)
    picture(3).save(tmp_path / "outside.png")
    for i in range(3):
        picture(i).save(home / "train" / f"{i}.png")
    rows = [{"prompt": "a", "file_path": ["0.png", "1.png"], "human_preference": [0, 1]}]
    rows += [{"prompt": "b", "file_path": ["2.png", "1.png"], "human_preference": [1, 0]}]
    pairs = load_pairs(file_of(home, rows, "train.json"))
    assert (seeds(pairs), pairs["label"][:]) == ([(0, 1), (2, 1)], [1, 0])
    for name in ("../../outside.png", "x" * 300, "3.png"):
        rows[0]["file_path"][0] = name
        with pytest.raises(SchemaError, match="row 0: image_original"):
            load_pairs(file_of(home, rows, "train.json"))


def test_hpd_v3_prefers_its_first_path(folder):
    row = {"prompt": "a", "confidence": 0.99, "choice_dist": [12, 7], "model1": "x", "model2": "y"}
    rows = [row | {"path1": "images/1.png", "path2": "images/2.png"}]
    pairs = load_pairs(file_of(folder, rows, "v3.json"))
    assert (seeds(pairs), pairs["label"][:]) == ([(2, 1)], [1])
    assert pairs[0]["confidence"] == 0.99


def test_image_reward_lists(folder):
    rows = [{"id": "x", "prompt": "a", "generations": names(0, 1, 2), "ranking": [3, 1, 2]}]
    pairs = load_pairs(file_of(folder, rows, "test.json"))
    assert seeds(pairs) == [(0, 1), (0, 2), (1, 2)]
    assert pairs["label"][:] == [1, 1, 0]


def image_reward_db():
    """`zai-org/ImageRewardDB`: one image a row, ranked among those of its prompt."""
    ranks = {"p1": [2, 1, 2], "p2": [1, 2]}
    rows = [
        {"image": image(n), "prompt_id": p, "prompt": f"prompt {p}", "rank": r, "overall_rating": 5}
        for n, (p, r) in enumerate((p, r) for p, each in ranks.items() for r in each)
    ]
    return Dataset.from_list(rows).cast_column("image", Image())


def test_image_reward_db():
    pairs = load_pairs(image_reward_db())
    assert seeds(pairs) == [(0, 1), (0, 2), (1, 2), (3, 4)]
    assert pairs["label"][:] == [1, -1, 0, 0]
    assert pairs["index"][:] == [0, 0, 0, 1]
    with pytest.raises(InputError, match=r"several rows. Load it without streaming"):
        load_pairs(image_reward_db().to_iterable_dataset())


def test_image_reward_db_rows_that_name_their_images(folder):
    """The metadata tables of the repository."""
    rows = [
        {"image_path": name, "prompt_id": "p", "prompt": "a", "rank": rank}
        for name, rank in zip(names(0, 1, 2), [2, 1, 3], strict=True)
    ]
    pairs = load_pairs(file_of(folder, rows, "metadata-test.json"))
    assert (seeds(pairs), pairs["label"][:]) == ([(0, 1), (0, 2), (1, 2)], [1, 0, 0])
    rows[1]["rank"] = "best"
    rows[0]["rank"] = rows[2]["rank"] = "2"
    with pytest.raises(SchemaError, match="row 1: 'best' is no vote and no rank"):
        load_pairs(file_of(folder, rows, "metadata-test.json"))


def test_image_reward_db_groups():
    """The configurations `1k_group` to `8k_group`: lists, under the names of the single rows."""
    rows = {"prompt_id": ["p"], "prompt": ["a"], "rank": [[2, 1, 3]]}
    table = Dataset.from_dict(rows | {"image": [[image(0), image(1), image(2)]]})
    table = table.cast_column("image", List(Image()))
    for source in (table, table.to_iterable_dataset()):
        pairs = list(load_pairs(source))
        assert seeds(pairs) == [(0, 1), (0, 2), (1, 2)]
        assert [row["label"] for row in pairs] == [1, 0, 0]


def test_genai_bench():
    """`TIGER-Lab/GenAI-Bench`, images: the vote as a word."""
    words = ["leftvote", "rightvote", "tievote", "bothbad_vote"]
    rows = [
        {"prompt": "a", "left_image": image(i), "right_image": image(i + 1), "vote_type": word}
        for i, word in enumerate(words)
    ]
    table = Dataset.from_list(rows)
    for name in ("left_image", "right_image"):
        table = table.cast_column(name, Image())
    for source in (table, table.to_iterable_dataset()):
        pairs = list(load_pairs(source))
        assert seeds(pairs) == [(0, 1), (1, 2), (2, 3), (3, 4)]
        assert [row["label"] for row in pairs] == [0, 1, -1, -1]
    with pytest.raises(SchemaError, match="row 0: vote_type 'left' is none of leftvote, right"):
        load_pairs(table.remove_columns("vote_type").add_column("vote_type", ["left"] * 4))


def test_lists_of_embedded_images():
    features = Features(prompt=Value("string"), image_path=List(Image()), rank=List(Value("int64")))
    rows = {"prompt": ["a"], "image_path": [[image(0), image(1), image(2)]], "rank": [[1, 3, 2]]}
    table = Dataset.from_dict(rows, features=features)
    for source in (table, table.to_iterable_dataset()):
        pairs = list(load_pairs(source))
        assert seeds(pairs) == [(0, 1), (0, 2), (1, 2)]
        assert [row["label"] for row in pairs] == [0, 0, 1]


@pytest.mark.parametrize("columns", [("chosen", "rejected"), ("img_better", "img_worse")])
def test_chosen_and_rejected(columns):
    rows = [{"prompt": "a", columns[0]: image(2 * i), columns[1]: image(2 * i + 1)} for i in (0, 1)]
    table = Dataset.from_list(rows)
    for name in columns:
        table = table.cast_column(name, Image())
    pairs = load_pairs(table)
    assert (seeds(pairs), pairs["label"][:]) == ([(1, 0), (3, 2)], [1, 1])
    assert pairs["index"][:] == [0, 0]


def test_faults_are_told(folder):
    rows = [{"prompt": "a", "image_path": names(0, 1), "rank": [1]}]
    with pytest.raises(SchemaError, match=r"row 0 has 2 images and 1 ranks. Give each image one"):
        load_pairs(file_of(folder, rows, "a.json"))
    table = pick_a_pic().remove_columns("label_0").add_column("label_0", ["x", "1", "1", "1"])
    with pytest.raises(SchemaError, match="row 0: 'x' is no vote and no rank"):
        load_pairs(table)


def red(images, prompts):
    return [float(np.asarray(i)[..., 0].mean()) for i in images]


def test_accuracy_is_that_of_the_choice_that_people_made():
    table = score(load_pairs(pick_a_pic()), red, accept_prompt_blind=True, progress=False)
    found = table.cells("red")
    values = [[red([picture(2 * i + k)], None)[0] for k in (0, 1)] for i in range(4)]
    assert np.column_stack([found.oidp, found.didp]).tolist() == values
    from aas_bench import summarise

    labelled = [0, 1, 3]
    expected = accuracy_score([0, 1, 1], [values[i][1] > values[i][0] for i in labelled])
    preference = summarise(table).rewards["red"].preference
    assert preference.accuracy.value == expected
    assert (preference.accuracy.n, preference.accuracy.n_clusters) == (3, 2)
    assert preference.n_label_ties == 1
