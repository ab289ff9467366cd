import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aas_bench.errors import InputError, SchemaError, raise_faults
from aas_bench.tables.formats import read_columns, read_frame


def refused(path, match, error=InputError):
    with pytest.raises(error, match=match) as caught:
        read_frame(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_table(tmp_path):
    refused(tmp_path, "is a folder. Give one table file")
    refused(tmp_path / "no.parquet", "there is no such file. Check the path")
    for name, shown in (("a.xlsx", ".xlsx"), ("a", "a file without suffix")):
        (tmp_path / name).touch()
        refused(tmp_path / name, rf"cannot read '{shown}'. Give .parquet, .feather")


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("t.csv", b"a,b\n1\n", "is not readable CSV .*Quote cells"),
        ("t.csv", "a\nä\n".encode("latin-1"), "line 2 is not UTF-8. Save it in UTF-8, e.g. iconv"),
        ("t.jsonl", "ä".encode("latin-1"), "line 1 is not UTF-8. Save it in UTF-8"),
        ("t.json", b"{", "is not JSON .*belongs in a .jsonl file"),
        ("t.parquet", b"PAR1 and then nothing", "is not readable Parquet .*Write it again"),
    ],
)
def test_damaged_files(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, match)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("t.csv", "", "the table is empty"),
        ("t.csv", "a,b\n", "the table is empty"),
        ("t.csv", "a,b,a\n1,2,3\n", "two columns are called 'a'. Rename"),
        ("t.jsonl", "\n \n", "the table is empty"),
        ("t.jsonl", '{"a": 1}\n[1]\n{oops\n', r"line 2 is not an object; line 3 is not JSON"),
        ("t.json", "[]", "the table is empty"),
        ("t.json", "[1]", r"is not a list of objects. Write \[{"),
    ],
)
def test_tables_without_form(tmp_path, name, content, match):
    (tmp_path / name).write_text(content)
    refused(tmp_path / name, match, SchemaError)


def test_faults_are_gathered_and_bounded():
    raise_faults("t", [], "Mend.")
    with pytest.raises(SchemaError, match=r"^t: f0; f1; f2; f3; f4; and 3 more\. Mend\.$"):
        raise_faults("t", [f"f{i}" for i in range(8)], "Mend.")


@given(rows=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_every_kind_of_file_keeps_every_digit(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("digits")
    objects = [{"x": x} for x in rows]
    (folder / "t.csv").write_text("x\n" + "".join(f"{x!r}\n" for x in rows))
    (folder / "t.json").write_text(json.dumps(objects))
    (folder / "t.jsonl").write_text("".join(json.dumps(o) + "\n" for o in objects))
    pq.write_table(pa.table({"x": rows}), folder / "t.parquet")
    for file in sorted(folder.iterdir()):
        assert read_frame(file)["x"].astype(float).tolist() == rows, file.name


def test_csv_leaves_text_alone(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text(
        '\ufeffpair_id,model,prompt_distorted,when,n\n0017,null,"a cup,\nbroken",2020-01-02,\n',
        encoding="utf-8",
    )
    row = read_frame(file).iloc[0]
    assert row["pair_id"] == "0017"
    assert row["model"] == "null"
    assert row["prompt_distorted"] == "a cup,\nbroken"
    assert row["when"] == "2020-01-02"
    assert row["n"] is None


def test_csv_types_are_inferred_from_all_rows(tmp_path):
    file = tmp_path / "t.csv"
    n = 600_000  # beyond the first megabyte
    file.write_text("x,y\n" + "1,\n" * n + "1.5,2.5\n")
    frame = read_frame(file)
    assert frame["x"].iloc[-1] == 1.5
    assert frame["y"].notna().sum() == 1


@pytest.mark.parametrize("packed", [False, True])
def test_threads_of_arrow_hold_nothing_of_python(tmp_path, monkeypatch, packed):
    """They may let it go when the interpreter has ended, and the process is aborted."""
    import gzip

    from pyarrow import csv

    read, given = csv.read_csv, []
    monkeypatch.setattr(csv, "read_csv", lambda *a, **k: given.append((a[0], k)) or read(*a, **k))
    content = b"a,b\n1,x\n"
    (tmp_path / "table.csv").write_bytes(gzip.compress(content) if packed else content)
    assert [*read_columns(str(tmp_path / "table.csv"))] == ["a", "b"]
    [(source, options)] = given
    assert isinstance(source, pa.OSFile) or not options["read_options"].use_threads


def test_images_are_not_read(tmp_path):
    image = pa.array([{"bytes": b"x", "path": None}])
    pq.write_table(
        pa.table({"image_original": image, "raw": [b"x"], "n": [1]}), tmp_path / "t.parquet"
    )
    assert list(read_frame(tmp_path / "t.parquet").columns) == ["n"]


def test_class_labels_in_parquet_are_read_by_name(tmp_path):
    from datasets import ClassLabel, Dataset, Features, List

    names = ClassLabel(names=["blur", "grain"])
    table = Dataset.from_dict(
        {"one": [1, None], "several": [[1, 0], []]},
        features=Features({"one": names, "several": List(names)}),
    )
    table.to_parquet(tmp_path / "t.parquet")
    frame = read_frame(tmp_path / "t.parquet")
    assert frame["one"][0] == "grain"
    assert frame["one"].isna().tolist() == [False, True]
    assert list(frame["several"]) == [["grain", "blur"], []]
    Dataset.from_dict({"one": [-1]}, features=Features({"one": names})).to_parquet(
        tmp_path / "bad.parquet"
    )
    with pytest.raises(SchemaError, match="one holds a class that its 2 names lack"):
        read_frame(tmp_path / "bad.parquet")
