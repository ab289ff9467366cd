import json
import re

import pytest
from support import author_tables
from support.pair_files import undecoded

from aas_bench.errors import InputError, SchemaError
from aas_bench.tables.pairs import load_pairs, open_row_pairs


def read(source):
    table = open_row_pairs(source)
    return [pair for number in range(len(table)) for pair in table.pairs(number)]


@pytest.mark.parametrize(
    "rows",
    [author_tables.benchmark_rows, author_tables.emotion_rows, author_tables.score_comparison_rows],
)
def test_rows_one_by_one_are_what_load_pairs_reads_at_once(rows, tmp_path):
    file = tmp_path / "t.parquet"
    author_tables.dataset(rows()).to_parquet(file)
    whole = load_pairs(file)
    assert read(file) == undecoded(whole)
    assert open_row_pairs(file).features == whole.features


def lines(folder, rows):
    from support.toy_pairs import picture

    for i in range(3):
        picture(i).save(folder / f"{i}.png")
    file = folder / "metadata.jsonl"
    file.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in rows))
    return file


def row(i, **changes):
    names = {"image_original_file_name": "0.png", "image_distorted_file_name": f"{i}.png"}
    return {**names, "prompt_original": "a cat", "prompt_distorted": f"a cat {i}", **changes}


@pytest.mark.parametrize("given", ["file", "folder"])
def test_broken_lines_are_told_and_the_rest_is_read(given, tmp_path):
    file = lines(tmp_path, [row(0), '{"prompt_orig', "[1]", "", row(2, extra=5)])
    table = open_row_pairs(file if given == "file" else tmp_path)
    assert len(table) == 2
    assert set(table.broken) == {2, 3}
    assert "is not JSON" in table.broken[2]
    assert table.broken[3] == "is not an object"
    [last] = table.pairs(1)
    assert last["prompt_distorted"] == "a cat 2"
    assert last["image_distorted"]["path"].endswith("2.png")
    assert (last["extra"], table.pairs(0)[0]["extra"]) == (5, None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_distorted_file_name": "9.png"}, "there is no file '9.png'"),
        ({"image_distorted_file_name": "../x.png"}, "leads out of the folder"),
        ({"prompt_distorted": None}, "prompt_distorted: is null"),
        ({"label": 7}, "7 is not 1, 0 or -1"),
    ],
)
def test_a_bad_row_raises_alone(changes, message, tmp_path):
    table = open_row_pairs(lines(tmp_path, [row(0), row(1, **changes), row(2)]))
    assert [len(table.pairs(n)) for n in (0, 2)] == [1, 1]
    with pytest.raises(SchemaError, match=re.escape(message)):
        table.pairs(1)


def test_an_image_that_is_null_or_lies_elsewhere_raises_alone(tmp_path):
    rows = list(author_tables.benchmark_rows(3, models=("m",)))
    rows[1]["image_original"] = None
    rows[2]["image_distorted"] = {"bytes": None, "path": "/etc/hostname"}
    from datasets import Dataset, Image

    table = Dataset.from_list(rows)
    for name in ("image_original", "image_distorted"):
        table = table.cast_column(name, Image(decode=False))
    table.to_parquet(tmp_path / "t.parquet")
    found = open_row_pairs(tmp_path / "t.parquet")
    assert len(found.pairs(0)) == 1
    with pytest.raises(SchemaError, match="row 1: image_original: is null"):
        found.pairs(1)
    with pytest.raises(SchemaError, match="row 2: image_distorted: has no bytes, and its path"):
        found.pairs(2)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([], InputError, "holds no rows. Give at least one"),
        (["nonsense"], InputError, "holds no rows. Give at least one"),
        ([{"a": 1}], SchemaError, "no pair table of a known form"),
        ([row(0), row(1, prompt_original=[1])], SchemaError, "a column mixes types"),
    ],
)
def test_what_is_no_table_is_refused_whole(rows, error, message, tmp_path):
    with pytest.raises(error, match=message):
        open_row_pairs(lines(tmp_path, rows))


@pytest.mark.real
@pytest.mark.parametrize("name", ["wide_spectrum", "critical_comparison"])
def test_the_authors_samples(real_data, name):
    file = real_data / name / "pairs.jsonl"
    assert read(file) == undecoded(load_pairs(file))
