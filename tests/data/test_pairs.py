import io
import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, List, Value
from PIL import Image as Pil
from support import author_tables as theirs
from support import toy_pairs

from aas_bench.data.pairs import load_pairs
from aas_bench.data.schema import PAIR_COLUMNS, pair_features
from aas_bench.data.scores import ScoreTable, load_scores
from aas_bench.errors import InputError, SchemaError


def undecoded(pairs):
    """The rows, images as they are stored."""
    for name, feature in pairs.features.items():
        if isinstance(feature, Image):
            pairs = pairs.cast_column(name, Image(decode=False))
    return list(pairs)


def both_ways(source, **options):
    """The table, after checking that it streams to the same rows and features."""
    table = load_pairs(source, **options)
    streamed = load_pairs(source, streaming=True, **options)
    assert streamed.features == table.features
    assert undecoded(streamed) == undecoded(table)
    first, again = next(iter(streamed)), table[0]
    for name in ("image_original", "image_distorted"):
        if again[name] is not None:
            assert again[name].tobytes() == first[name].tobytes()
    canonical = pair_features()
    assert list(table.features)[: len(canonical)] == list(PAIR_COLUMNS)
    assert all(table.features[name] == feature for name, feature in canonical.items())
    return table


def canonical_rows(n=4):
    return list(toy_pairs.rows(n_prompts=n, generators=("one", "two")))


def with_files(folder, rows):
    """The rows with file names for images, the files in the folder."""
    named = []
    for i, row in enumerate(rows):
        files = {n: f"img/{i}_{n}.png" for n in theirs.image_columns(row)}
        for name, file in files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(row[name]["bytes"])
        named.append(row | files)
    return named


def write_lines(file, rows):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def without_images(rows):
    return [{n: v for n, v in r.items() if not n.startswith("image_")} for r in rows]


# Where a table may be


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
def test_file_names_beside_a_table(tmp_path, kind):
    rows = canonical_rows()
    named = with_files(tmp_path, rows)
    file = tmp_path / f"t.{kind}"
    if kind == "jsonl":
        write_lines(file, named)
    elif kind == "json":
        file.write_text(json.dumps(named))
    else:
        import pandas as pd

        pd.DataFrame(named).to_csv(file, index=False)
    pairs = both_ways(file)
    assert without_images(undecoded(pairs)) == without_images(rows)
    pixels = np.asarray(pairs[3]["image_distorted"])
    np.testing.assert_array_equal(
        pixels, np.asarray(Pil.open(io.BytesIO(rows[3]["image_distorted"]["bytes"])))
    )


def test_a_parquet_table_with_embedded_images(tmp_path):
    rows = canonical_rows()
    toy_pairs.dataset(rows).to_parquet(tmp_path / "t.parquet")
    assert undecoded(both_ways(tmp_path / "t.parquet")) == rows


def test_a_parquet_table_with_file_names(tmp_path):
    rows = canonical_rows()
    Dataset.from_list(with_files(tmp_path, rows)).to_parquet(tmp_path / "t.parquet")
    pairs = both_ways(tmp_path / "t.parquet")
    assert without_images(undecoded(pairs)) == without_images(rows)


@pytest.mark.parametrize("form", ["struct", "bytes"])
def test_parquet_that_datasets_did_not_write(tmp_path, form):
    rows = canonical_rows()
    table = Dataset.from_list(rows).data.table.replace_schema_metadata(None)
    if form == "bytes":
        for name in ("image_original", "image_distorted"):
            raw = pa.array([r[name]["bytes"] for r in rows], pa.binary())
            table = table.set_column(table.column_names.index(name), name, raw)
    pq.write_table(table, tmp_path / "t.parquet")
    assert undecoded(both_ways(tmp_path / "t.parquet")) == rows


def test_a_name_with_wildcards(tmp_path):
    folder = tmp_path / "run [1] *"
    folder.mkdir()
    for name in ("t.parquet", "u.parquet"):
        toy_pairs.dataset(canonical_rows()).to_parquet(folder / name)
    assert len(both_ways(folder / "t.parquet")) == 8


def test_a_saved_dataset(tmp_path):
    rows = canonical_rows()
    toy_pairs.dataset(rows).save_to_disk(tmp_path / "one")
    assert undecoded(both_ways(tmp_path / "one")) == rows
    assert undecoded(both_ways(str(tmp_path / "one"))) == rows


def test_saved_splits(tmp_path):
    table = toy_pairs.dataset(canonical_rows())
    DatasetDict(a=table.select([0]), b=table.select([1, 2])).save_to_disk(tmp_path / "two")
    assert len(both_ways(tmp_path / "two", split="b")) == 2
    with pytest.raises(InputError, match=r"has several splits. Choose one with split=: a, b"):
        load_pairs(tmp_path / "two")
    with pytest.raises(InputError, match=r"has no split 'c'. Choose one with split=: a, b"):
        load_pairs(tmp_path / "two", split="c")


def test_a_folder_laid_out_like_a_hub_dataset(tmp_path):
    rows = canonical_rows()
    for config, part in (("prompts", rows[:1]), ("pairs", rows[1:])):
        (tmp_path / config).mkdir()
        toy_pairs.dataset(part).to_parquet(tmp_path / config / "test-00000-of-00001.parquet")
    (tmp_path / "README.md").write_text(
        "---\nconfigs:\n"
        "- config_name: prompts\n  data_files: [{split: test, path: prompts/test-*}]\n"
        "- config_name: pairs\n  data_files: [{split: test, path: pairs/test-*}]\n---\n"
    )
    assert undecoded(both_ways(tmp_path)) == rows[1:]
    assert undecoded(both_ways(tmp_path, config="prompts", split="test")) == rows[:1]
    with pytest.raises(InputError, match=r"none called 'images'. Choose .* prompts, pairs"):
        load_pairs(tmp_path, config="images")
    with pytest.raises(InputError, match=r"cannot be read as a dataset .*train"):
        load_pairs(tmp_path, split="train")


@pytest.mark.parametrize("spelling", ["{}", "{}_file_name"])
def test_an_image_folder_with_metadata(tmp_path, spelling):
    rows = with_files(tmp_path, canonical_rows())
    renamed = [
        {spelling.format(n) if n.startswith("image_") else n: v for n, v in r.items()} for r in rows
    ]
    write_lines(tmp_path / "metadata.jsonl", renamed)
    assert without_images(undecoded(both_ways(tmp_path))) == without_images(rows)


def test_an_image_folder_of_paintings(tmp_path):
    toy_pairs.picture(0).save(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text("file_name,caption\na.png,a boat\n")
    row = both_ways(tmp_path)[0]
    assert row["image_original"] is None
    assert row["image_distorted"].tobytes() == toy_pairs.picture(0).tobytes()
    assert (row["prompt_original"], row["prompt_distorted"]) == (None, "a boat")
    assert row["label"] == -1


def file_pairs(folder, identities, rows):
    for seed, identity in enumerate(identities):
        toy_pairs.picture(seed).save(folder / f"{identity}_original.png")
        toy_pairs.picture(100 + seed).save(folder / f"{identity}_distorted.jpg")
    write_lines(folder / "prompts.jsonl", rows)


def test_files_in_pairs_beside_a_table_of_prompts(tmp_path):
    row = {"original_prompt": "a cat", "selected": ["clarity"]}
    rows = [{"index": i, "disorted_long_prompt": f"a smeared cat {i}"} | row for i in (7, 12)]
    file_pairs(tmp_path, ["012", "7"], rows)
    pairs = both_ways(tmp_path)
    assert pairs["prompt_distorted"][:] == ["a smeared cat 7", "a smeared cat 12"]
    assert pairs["pair_id"][:] == ["unknown/0007", "unknown/0012"]
    assert pairs["dimensions"][:] == [["clarity"]] * 2
    assert pairs[0]["image_original"].tobytes() == toy_pairs.picture(1).tobytes()


def test_files_in_pairs_that_do_not_match_the_prompts(tmp_path):
    file_pairs(tmp_path, ["a", "b"], [{"id": "a", "prompt_distorted": "x"}, {"id": "c"}])
    (tmp_path / "a_original.png").unlink()
    match = (
        "id 'a' has no image original; id 'c' has no image original; id 'c' has no image "
        "distorted; images of 'b' have no row. Each row needs both images"
    )
    with pytest.raises(SchemaError, match=match):
        load_pairs(tmp_path)
    write_lines(tmp_path / "more.jsonl", [{"id": "a"}])
    with pytest.raises(InputError, match=r"2 tables beside the images. Put one there"):
        load_pairs(tmp_path)
    (tmp_path / "more.jsonl").unlink()
    write_lines(tmp_path / "prompts.jsonl", [{"name": "a"}])
    with pytest.raises(SchemaError, match=r"no column id or index. Add one"):
        load_pairs(tmp_path)


def test_two_files_for_one_image(tmp_path):
    file_pairs(tmp_path, ["a"], [{"id": "a", "prompt_distorted": "x"}])
    toy_pairs.picture(5).save(tmp_path / "a_original.webp")
    with pytest.raises(SchemaError, match="two files are image original of 'a'"):
        load_pairs(tmp_path)


# The authors' forms


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


# What is refused


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ({"a": 1}, r"also needs image_original, image_distorted, prompt_distorted; the .* are a\."),
        (
            {"image_distorted": "a.png", "prompt_distorted": "x"},
            r"nearest form \(pairs\) also needs image_original; the columns",
        ),
        ({"image": "a.png", "anti_aesthetic_caption": "x"}, "also needs clean_image"),
        ({"happy_image": "a", "sad_image": "b", "prompt": "x"}, "needs angry_image, fearful_image"),
        (
            {"original_image": "a", "dims": "[]", "disorted_long_prompt": "x"},
            "also needs image_distorted",
        ),
    ],
)
def test_a_table_of_no_known_form_says_what_it_lacks(tmp_path, row, match):
    write_lines(tmp_path / "t.jsonl", [row])
    for streaming in (False, True):
        with pytest.raises(SchemaError, match=match):
            load_pairs(tmp_path / "t.jsonl", streaming=streaming)


@pytest.fixture
def rows_with_files(tmp_path):
    (tmp_path / "outside.png").write_bytes(toy_pairs.png(toy_pairs.picture(1)))
    (tmp_path / "in").mkdir()
    return with_files(tmp_path / "in", canonical_rows(2)[:2])


def refused(file, match):
    """Refused at once, or when the row is reached in a stream, in one line."""
    for call in (load_pairs, lambda f: list(load_pairs(f, streaming=True))):
        with pytest.raises(SchemaError, match=match) as caught:
            call(file)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("../outside.png", r"image_original: '../outside.png' leads out of the folder"),
        ("img/../../outside.png", "leads out of the folder"),
        ("link.png", "leads out of the folder"),
        ("linked/outside.png", "leads out of the folder"),
        ("/etc/hostname", "is an absolute path; put the image into the folder"),
        ("C:\\x.png", "is an absolute path"),
        ("\\\\host\\share\\x.png", "is an absolute path"),
        ("img/none.png", "there is no file 'img/none.png' in"),
        ("img", "there is no file 'img' in"),
        ("http://127.0.0.1/x.png", "there is no file 'http"),
        ("a\0b.png", "cannot be a file name"),
        (None, "row 1: image_original: is null"),
    ],
)
def test_file_names_stay_in_their_folder(tmp_path, rows_with_files, name, match):
    folder = tmp_path / "in"
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "linked").symlink_to(tmp_path)
    rows_with_files[1]["image_original"] = name
    refused(write_lines(folder / "t.jsonl", rows_with_files), match)


def test_the_absolute_name_of_a_file_in_the_folder_is_refused_too(tmp_path, rows_with_files):
    folder = tmp_path / "in"
    rows_with_files[1]["image_original"] = str(folder / "img" / "1_image_original.png")
    refused(write_lines(folder / "t.jsonl", rows_with_files), "is an absolute path")


def write_as_it_is(rows, file):
    """Without the embedding that `to_parquet` does."""
    pq.write_table(pa.Table.from_pylist(rows, schema=pair_features().arrow_schema), file)


@pytest.mark.parametrize("path", ["/etc/hostname", "img/x.png", "https://example.org/x.png", None])
def test_embedded_images_may_not_point_elsewhere(tmp_path, path):
    rows = canonical_rows()
    rows[2]["image_distorted"] = {"bytes": None, "path": path}
    write_as_it_is(rows, tmp_path / "t.parquet")
    expected = "neither bytes nor path" if path is None else "has no bytes, and its path"
    refused(tmp_path / "t.parquet", f"row 2: image_distorted: .*{expected}")


def test_embedded_images_may_point_into_the_folder(tmp_path):
    rows = canonical_rows()
    (tmp_path / "x.png").write_bytes(toy_pairs.png(toy_pairs.picture(1)))
    rows[2]["image_distorted"] = {"bytes": None, "path": str(tmp_path / "x.png")}
    write_as_it_is(rows, tmp_path / "t.parquet")
    row = both_ways(tmp_path / "t.parquet")[2]
    assert row["image_distorted"].tobytes() == toy_pairs.picture(1).tobytes()


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"pair_id": "one/0000"}, r"pair_id 'one/0000' stands"),
        ({"pair_id": None}, "row 1: pair_id: is null"),
        ({"label": 5}, "row 1: label: 5 is not 1, 0 or -1"),
        ({"prompt_distorted": None}, "row 1: prompt_distorted: is null"),
        ({"index": None}, "row 1: index: None is not a whole number"),
        ({"image_distorted": None}, "row 1: image_distorted: is null"),
    ],
)
def test_rows_at_fault_are_named(tmp_path, changed, match):
    rows = canonical_rows()
    rows[1] |= changed
    toy_pairs.dataset(rows).to_parquet(tmp_path / "t.parquet")
    refused(tmp_path / "t.parquet", match)


def test_all_faults_of_a_table_come_together(tmp_path):
    rows = canonical_rows()
    rows[1] |= {"label": 5, "image_original": None}
    rows[3] |= {"prompt_distorted": None, "pair_id": "one/0002"}
    toy_pairs.dataset(rows).to_parquet(tmp_path / "t.parquet")
    parts = (
        r"row 1: label: .*; row 3: prompt_distorted: is null; row 1: image_original: is null; "
        r"pair_id 'one/0002' stands in rows 2 and 3\. Mend"
    )
    with pytest.raises(SchemaError, match=parts):
        load_pairs(tmp_path / "t.parquet")


def test_a_column_of_images_that_holds_something_else(tmp_path):
    row = {"image_original": 1, "image_distorted": "a.png", "prompt_distorted": "x"}
    write_lines(tmp_path / "t.jsonl", [row])
    with pytest.raises(SchemaError, match=r"t.jsonl: column 'image_original' holds Value"):
        load_pairs(tmp_path / "t.jsonl")


def test_json_that_mixes_types(tmp_path):
    write_lines(tmp_path / "t.jsonl", [{"a": 1}, {"a": [1]}])
    with pytest.raises(SchemaError, match=r"a column mixes types .*Give each column one type"):
        load_pairs(tmp_path / "t.jsonl")


# Options


def test_limit(tmp_path):
    rows = canonical_rows()
    toy_pairs.dataset(rows).to_parquet(tmp_path / "t.parquet")
    assert undecoded(both_ways(tmp_path / "t.parquet", limit=3)) == rows[:3]
    assert len(both_ways(tmp_path / "t.parquet", limit=99)) == 8
    with pytest.raises(InputError, match=r"limit is 0. Give at least 1"):
        load_pairs(tmp_path / "t.parquet", limit=0)


@pytest.mark.parametrize("option", ["split", "revision", "config"])
def test_a_file_has_no_splits_and_so_on(tmp_path, option):
    write_lines(tmp_path / "t.jsonl", [{"a": 1}])
    with pytest.raises(InputError, match=rf"has no {option}. Leave out {option}."):
        load_pairs(tmp_path / "t.jsonl", **{option: "x"})


def test_loading_does_not_decode_or_copy_images(tmp_path, monkeypatch):
    toy_pairs.dataset(canonical_rows()).to_parquet(tmp_path / "t.parquet")
    raw = Dataset.from_parquet(str(tmp_path / "t.parquet"))
    files = {f["filename"] for f in raw.cache_files}
    monkeypatch.setattr(Image, "decode_example", lambda *a, **k: pytest.fail("it was decoded"))
    pairs = load_pairs(tmp_path / "t.parquet")
    assert files <= {f["filename"] for f in pairs.cache_files}
    assert len(list(load_pairs(tmp_path / "t.parquet", streaming=True).take(0))) == 0


def test_an_old_conversion_is_never_served_from_the_cache(tmp_path, monkeypatch):
    toy_pairs.dataset(canonical_rows()).to_parquet(tmp_path / "t.parquet")
    assert load_pairs(tmp_path / "t.parquet")["dimensions"][0] == ["sharpness"]
    monkeypatch.setattr("aas_bench.data.authors.parse_dimensions", lambda value: ["mended"])
    assert load_pairs(tmp_path / "t.parquet")["dimensions"][0] == ["mended"]


def test_a_stream_can_be_read_twice_and_sent_to_a_worker(tmp_path):
    toy_pairs.dataset(canonical_rows()).to_parquet(tmp_path / "t.parquet")
    pairs = load_pairs(tmp_path / "t.parquet", streaming=True)
    assert [r["pair_id"] for r in pairs] == [r["pair_id"] for r in pairs]
    sent = pickle.loads(pickle.dumps(pairs))
    assert [r["pair_id"] for r in sent] == [r["pair_id"] for r in pairs]


# The authors' data


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "n", "label"),
    [
        ("wide_spectrum/pairs.jsonl", 8, -1),
        ("ava_photos/pairs.jsonl", 11, 1),
        ("critical_comparison/pairs.jsonl", 5, -1),
        ("lapis/art.jsonl", 8, -1),
    ],
)
def test_the_authors_samples(real_data, file, n, label):
    old = [json.loads(line) for line in (real_data / file).read_text().splitlines()]
    pairs = both_ways(real_data / file)
    assert len(pairs) == n == len(old)
    assert set(pairs["label"]) == {label}
    for row, before in zip(undecoded(pairs), old, strict=True):
        assert row["index"] == before["index"]
        kept = set(before) & set(row) - {"image_original", "image_distorted"}
        assert all(row[name] == before[name] for name in kept)
        files = before.get("images", before)
        shown = {row[n]["path"].split("/")[-1] for n in row if n.startswith("image_") and row[n]}
        assert shown <= set(map(str, files.values()))


@pytest.mark.real
def test_the_authors_single_images_are_no_pairs(real_data):
    with pytest.raises(SchemaError, match=r"form \(pairs\) also needs image_original"):
        load_pairs(real_data / "danceflux" / "outputs.jsonl")
