"""Where a pair table may be, and the options of load_pairs."""

import io
import json
import os
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict, Image
from PIL import Image as Pil
from pyarrow.dataset import ParquetFragmentScanOptions
from support import toy_pairs
from support.pair_files import (
    both_ways,
    canonical_rows,
    undecoded,
    with_files,
    without_images,
    write_lines,
)

from aas_bench.errors import InputError, SchemaError
from aas_bench.tables.pairs import load_pairs

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
    message = r"has several splits. Choose one with split= \(--split\): a, b"
    with pytest.raises(InputError, match=message):
        load_pairs(tmp_path / "two")
    with pytest.raises(InputError, match=r"has no split 'c'. Choose one with split= \(--split\)"):
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


def snapshot(folder, files):
    """A folder as the Hub's clients lay it out: links into `blobs`."""
    home, blobs = folder / "datasets--a--b" / "snapshots" / "0123", folder / "datasets--a--b/blobs"
    blobs.mkdir(parents=True)
    for number, (name, content) in enumerate(files.items()):
        (blobs / str(number)).write_bytes(content)
        link = home / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blobs / str(number), link.parent))
    return home


def test_a_snapshot_of_the_hub_is_read_through_its_links(tmp_path):
    rows = canonical_rows(2)
    named = with_files(tmp_path / "plain", rows)
    lines = "".join(json.dumps(row) + "\n" for row in named).encode()
    files = {
        file.relative_to(tmp_path / "plain").as_posix(): file.read_bytes()
        for file in (tmp_path / "plain").rglob("*.png")
    }
    home = snapshot(tmp_path, files | {"metadata.jsonl": lines})
    pairs = both_ways(home)
    assert without_images(undecoded(pairs)) == without_images(rows)
    assert pairs[1]["image_original"].tobytes() == toy_pairs.picture(2).tobytes()


def test_a_link_out_of_a_snapshot_is_refused(tmp_path):
    rows = canonical_rows(1)[:1]
    named = with_files(tmp_path / "plain", rows)
    lines = json.dumps(named[0] | {"image_original": "x.png"}).encode()
    distorted = named[0]["image_distorted"]
    files = {distorted: (tmp_path / "plain" / distorted).read_bytes(), "metadata.jsonl": lines}
    home = snapshot(tmp_path, files)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "blob").write_bytes(rows[0]["image_original"]["bytes"])
    (home / "x.png").symlink_to(tmp_path / "other" / "blob")
    with pytest.raises(SchemaError, match=r"'x.png' leads out of the folder"):
        load_pairs(home)


# In memory


def test_what_is_open_already():
    rows = canonical_rows()
    table = toy_pairs.dataset(rows)
    assert undecoded(both_ways(table)) == rows
    assert undecoded(load_pairs(table.to_iterable_dataset())) == rows
    renamed = table.rename_columns({"image_original": "original_image", "prompt_distorted": "p"})
    renamed = renamed.rename_column("p", "disorted_long_prompt")
    assert undecoded(both_ways(renamed)) == rows
    frame = Dataset.from_list(rows).to_pandas()
    assert undecoded(both_ways(frame)) == rows


def test_what_cannot_be_a_table():
    with pytest.raises(InputError, match=r"a list is no table. Give a Dataset"):
        load_pairs([1])
    with pytest.raises(InputError, match=r"the Dataset has no split. Leave out split"):
        load_pairs(toy_pairs.dataset(canonical_rows()), split="test")
    with pytest.raises(SchemaError, match=r"holds text, not images. Embed the images"):
        load_pairs(Dataset.from_list([r | {"image_original": "a.png"} for r in canonical_rows()]))


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
    as_ours = ParquetFragmentScanOptions(pre_buffer=False)
    raw = Dataset.from_parquet(str(tmp_path / "t.parquet"), fragment_scan_options=as_ours)
    files = {f["filename"] for f in raw.cache_files}
    monkeypatch.setattr(Image, "decode_example", lambda *a, **k: pytest.fail("it was decoded"))
    pairs = load_pairs(tmp_path / "t.parquet")
    assert files <= {f["filename"] for f in pairs.cache_files}
    assert len(list(load_pairs(tmp_path / "t.parquet", streaming=True).take(0))) == 0


def test_an_old_conversion_is_never_served_from_the_cache(tmp_path, monkeypatch):
    toy_pairs.dataset(canonical_rows()).to_parquet(tmp_path / "t.parquet")
    assert load_pairs(tmp_path / "t.parquet")["dimensions"][0] == ["sharpness"]
    monkeypatch.setattr("aas_bench.tables.authors.parse_dimensions", lambda value: ["mended"])
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
    with pytest.raises(SchemaError, match=r"form \(pairs\) has .* and also needs image_original"):
        load_pairs(real_data / "danceflux" / "outputs.jsonl")
