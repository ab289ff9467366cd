"""What a pair table may not hold: each fault is named, in one line."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import toy_pairs
from support.pair_files import (
    both_ways,
    canonical_rows,
    with_files,
    write_lines,
)

from aas_bench.errors import SchemaError
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.schema import pair_features


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ({"a": 1}, r"also needs image_original, image_distorted, prompt_distorted; the .* are a\."),
        (
            {"image_distorted": "a.png", "prompt_distorted": "x"},
            r"nearest form \(pairs\) has image_distorted, .* and also needs image_original;",
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
