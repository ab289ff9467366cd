"""`import`: what a table of any form is read as, and that its canonical copy evaluates alike."""

import json

import numpy as np
import pandas as pd
import pytest
from field.test_folders import ASKED
from field.test_folders import READ as LAYOUTS
from field.test_score_files import READ as TABLES
from support import toy_pairs

from aas_bench import score
from aas_bench.errors import InputError, SchemaError
from aas_bench.measure.summary import summarise
from aas_bench.tables.imported import map_source
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.scores import load_scores


@pytest.mark.parametrize(("name", "content"), TABLES.values(), ids=list(TABLES))
def test_scores_read_back_are_the_scores(tmp_path, name, content):
    source = tmp_path / name
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    mapped = map_source(source)
    again = load_scores(mapped.save(tmp_path / "canonical.parquet"))
    pd.testing.assert_frame_equal(again.frame, load_scores(source).frame, check_dtype=False)
    assert mapped.form == "scores"
    assert mapped.rewards == again.rewards
    told = {ours for made in mapped.read.values() for ours in made}
    assert {name for name in again.frame if name.endswith(("_oidp", "_didp"))} <= told
    assert str(summarise(again)) == str(summarise(load_scores(source)))


@pytest.mark.parametrize(
    ("layout", "out"),
    [(layout, ("canonical.parquet", "canonical")[n % 2]) for n, layout in enumerate(LAYOUTS)],
    ids=lambda each: getattr(each, "__name__", each),
)
def test_images_read_back_are_the_pairs(tmp_path, layout, out):
    (tmp_path / "given").mkdir()
    source = layout(tmp_path / "given")
    mapped = map_source(source)
    again, given = load_pairs(mapped.save(tmp_path / out)), load_pairs(source)
    assert again.column_names == given.column_names
    small = [n for n in given.column_names if not n.startswith("image_") and n != "index"]
    assert again.select_columns(small)[:] == given.select_columns(small)[:]
    for column in ("image_original", "image_distorted"):
        assert {column} <= {ours for made in mapped.read.values() for ours in made}
        for one, other in zip(again[column], given[column], strict=True):
            assert one.tobytes() == other.tobytes()
    assert len(mapped) == len(ASKED)
    originals = set(given["prompt_original"]) - {None}
    assert mapped.n_clusters == len(originals or set(given["prompt_distorted"]))
    one, other = (summarise(score(pairs, brightness)) for pairs in (given, again))
    assert one.to_pandas().equals(other.to_pandas())


def brightness(images, prompts):
    """Likes bright pictures, and long prompts, each a little differently."""
    looks = zip(images, prompts, strict=True)
    return [np.asarray(i.convert("L")).mean() / 255 * (1 + len(p) / 50) for i, p in looks]


def scores(**columns):
    """Two generators under 30 shared prompts, and no index."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"prompt": [f"a grim {i}" for i in range(30)] * 2})
    frame["image"] = [f"{i}.png" for i in range(60)]
    for cell in ("oiop", "oidp", "diop", "didp"):
        frame[f"hps_{cell}"] = rng.normal(size=60)
    return frame.rename(columns={"prompt": "prompt_distorted"}).assign(**columns)


def test_repeated_prompts_are_clusters_and_it_is_said(tmp_path):
    mapped = map_source(scores())
    assert mapped.made["index"] == "one for each prompt_distorted"
    assert (len(mapped), mapped.n_clusters) == (60, 30)
    again = load_scores(mapped.save(tmp_path / "s.parquet"))
    given = summarise(type(again).from_frame(scores()))
    assert str(summarise(again)) == str(given)
    assert again.frame["index"].tolist() == [*range(30)] * 2


def test_a_cluster_column_of_any_kind_is_the_index(tmp_path):
    scene = [f"s{i % 7}" for i in range(60)]
    mapped = map_source(scores(scene=scene), cluster="scene")
    frame = load_scores(mapped.save(tmp_path / "s.parquet")).frame
    assert frame["index"].tolist() == [i % 7 for i in range(60)]
    assert mapped.made["index"] == "one for each scene"
    assert mapped.n_clusters == 7
    with pytest.raises(InputError, match=r"no column is called 'scenes'.*Did you mean scene"):
        map_source(scores(scene=scene), cluster="scenes")


def test_a_cluster_column_that_joins_nothing_gives_way_to_the_prompts():
    mapped = map_source(scores(), cluster="image")
    assert (mapped.n_clusters, mapped.made["index"]) == (30, "one for each prompt_distorted")


def test_a_score_without_a_reward_beside_another_is_named(tmp_path):
    mapped = map_source(scores(oiop=1.0, oidp=2.0))
    assert mapped.read["oiop"] == ("score_oiop",)
    assert mapped.rewards == ("hps", "score")
    pairs = toy_pairs.dataset(toy_pairs.rows(n_prompts=2, generators=("one",)))
    pairs = pairs.add_column("oiop", [1.0, 2.0]).add_column("hps_oiop", [3.0, 4.0])
    mapped = map_source(pairs)
    assert mapped.read["oiop"] == ("score_oiop",)
    assert load_scores(mapped.save(tmp_path / "p.parquet")).rewards == ("score", "hps")


def test_labels_are_counted_and_may_be_another_column():
    said = [1] * 40 + [0] * 15 + [-1] * 5
    mapped = map_source(scores(label=said, mine=said[::-1]), label="mine")
    assert mapped.labels == {"distorted": 40, "original": 15, "tie": 5}
    assert mapped.read["mine"] == ("label",)
    assert map_source(scores()).labels is None


def test_a_preference_set_says_which_columns_became_the_pair():
    pairs = toy_pairs.dataset(toy_pairs.rows(n_prompts=2, generators=("one", "two")))
    pairs = pairs.select_columns(["image_original", "image_distorted", "prompt_distorted"])
    names = {"image_original": "jpg_0", "image_distorted": "jpg_1", "prompt_distorted": "caption"}
    pairs = pairs.rename_columns(names).add_column("label_0", [0.0, 1.0, 0.5, 0.0])
    mapped = map_source(pairs.add_column("label_1", [1.0, 0.0, 0.5, 1.0]))
    assert mapped.form == "pick-a-pic"
    assert mapped.read["jpg_1"] == ("image_distorted",)
    assert mapped.read["caption"] == ("index", "prompt_distorted")
    assert mapped.read["label_0"] == ("label",)
    assert mapped.labels == {"distorted": 2, "original": 1, "tie": 1}


def test_a_table_with_faults_shows_its_columns_and_is_not_saved(tmp_path):
    mapped = map_source(scores(label=7))
    assert mapped.read["label"] == ("label",)
    with pytest.raises(SchemaError, match="label: 7 is not 1, 0 or -1"):
        mapped.save(tmp_path / "s.parquet")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("there.parquet", "is there already. Give another name"),
        ("no/such.parquet", "there is no such folder"),
        ("s.csv", "is no place for the table. Give NAME.parquet with --out"),
    ],
)
def test_nothing_is_written_over(tmp_path, out, said):
    (tmp_path / "there.parquet").write_bytes(b"mine")
    with pytest.raises(InputError, match=said):
        map_source(scores()).save(tmp_path / out)
    assert (tmp_path / "there.parquet").read_bytes() == b"mine"


def test_what_is_neither_is_told_by_what_it_holds():
    with pytest.raises(InputError, match="no pair table of a known form"):
        map_source(pd.DataFrame({"x": [1], "y": [2]}))
    with pytest.raises(InputError, match="hps_oidp: 'good' is not a number"):
        map_source(pd.DataFrame({"hps_oidp": ["good"]})).save("x.parquet")


def test_a_folder_names_its_files_by_what_they_hold(tmp_path):
    (tmp_path / "given").mkdir()
    source = next(each for each in LAYOUTS if each.__name__ == "two_folders_and_prompts")
    folder = map_source(source(tmp_path / "given")).save(tmp_path / "out")
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert [row["image_distorted_file_name"] for row in rows] == [
        "images/000000_distorted.png",
        "images/000001_distorted.png",
    ]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["given", "out"]
