"""Score tables as people save them: each is a small file, and the scores that stand in it."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from aas_bench.errors import InputError
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.scores import load_scores
from aas_bench.tables.text_tables import MAX_ROW

ORIGINAL, DISTORTED = [0.25, -1.5], [0.5, 2.0]
"""Under the distorted prompt: oidp and didp of two pairs, the second asked of prompt 7."""

CSV = "pair_id,index,hps_oidp,hps_didp\na,3,0.25,0.5\nb,7,-1.5,2.0\n"
TSV = CSV.replace(",", "\t")
SEMICOLONS = CSV.replace(",", ";")
DECIMALS = SEMICOLONS.replace(".", ",")
ROWS = [
    {"pair_id": "a", "index": 3, "hps_oidp": 0.25, "hps_didp": 0.5},
    {"pair_id": "b", "index": 7, "hps_oidp": -1.5, "hps_didp": 2.0},
]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
FRAME = pd.DataFrame(COLUMNS)


def zstd(text):
    return pa.Codec("zstd").compress(text.encode(), asbytes=True)


def zipped(*texts):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, text in enumerate(texts):
            archive.writestr(f"{number}.csv", text)
    return file.getvalue()


def feather(frame, **options):
    file = io.BytesIO()
    frame.to_feather(file, **options)
    return file.getvalue()


def stream(frame):
    table, file = pa.Table.from_pandas(frame), io.BytesIO()
    with pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def renamed(*names, text=CSV):
    header = text.split("\n", 1)[0]
    mark = "," if "," in header else "\t"
    return mark.join(names) + text[len(header) :]


LONG = "pair_id,index,image,prompt,model,score\n" + "".join(
    f"{pair},{index},{image},distorted,hps,{score}\n"
    for pair, index, scores in (("a", 3, (0.25, 0.5)), ("b", 7, (-1.5, 2.0)))
    for image, score in zip(("original", "distorted"), scores, strict=True)
)
WORDS = LONG.replace(",distorted,hps", ",a grim street,hps")

READ = {
    "tab-separated": ("t.tsv", TSV),
    "tabs in a .csv": ("t.csv", TSV),
    "commas in a .tsv": ("t.tsv", CSV),
    "semicolons": ("t.csv", SEMICOLONS),
    "bars": ("t.csv", CSV.replace(",", "|")),
    "decimal commas": ("t.csv", DECIMALS),
    "decimal commas between tabs": ("t.tsv", TSV.replace(".", ",")),
    "Excel's first line": ("t.csv", "sep=;\r\n" + DECIMALS.replace("\n", "\r\n")),
    "a delimiter at each end": ("t.csv", SEMICOLONS.replace("\n", ";\n")),
    "gzip": ("t.csv.gz", gzip.compress(CSV.encode())),
    "bzip2": ("t.tsv.bz2", bz2.compress(TSV.encode())),
    "xz": ("t.jsonl.xz", lzma.compress(LINES.encode())),
    "zstandard": ("t.csv.zst", zstd(CSV)),
    "zip of one file": ("t.csv.zip", zipped(CSV)),
    "gzip that is not called so": ("t.csv", gzip.compress(CSV.encode())),
    "called gzip and is not": ("t.csv.gz", CSV),
    "JSON lines, packed": ("t.jsonl.gz", gzip.compress(LINES.encode())),
    "UTF-8 with mark": ("t.csv", CSV.encode("utf-8-sig")),
    "UTF-16": ("t.csv", CSV.encode("utf-16")),
    "UTF-16 without mark": ("t.csv", CSV.encode("utf-16-le")),
    "UTF-16, big end first": ("t.csv", b"\xfe\xff" + TSV.encode("utf-16-be")),
    "UTF-32": ("t.csv", CSV.encode("utf-32")),
    "JSON lines in UTF-16": ("t.jsonl", LINES.encode("utf-16")),
    "Feather": ("t.feather", feather(FRAME)),
    "Feather, packed": ("t.feather", feather(FRAME, compression="zstd")),
    "Arrow stream": ("t.arrow", stream(FRAME)),
    "Arrow file": ("t.arrow", feather(FRAME)),
    "categories": ("t.feather", feather(FRAME.astype({"pair_id": "category"}))),
    "column-wise JSON": ("t.json", json.dumps(COLUMNS)),
    "pandas' to_json": ("t.json", FRAME.to_json()),
    "pandas' split": ("t.json", FRAME.to_json(orient="split")),
    "pandas' index": ("t.json", FRAME.to_json(orient="index")),
    "pandas' table": ("t.json", FRAME.to_json(orient="table", index=False)),
    "rows under data": ("t.json", json.dumps({"data": ROWS, "n": 2})),
    "the viewer's rows": ("t.json", json.dumps({"rows": [{"row": row} for row in ROWS]})),
    "JSON lines called .json": ("t.json", LINES),
    "an array called .jsonl": ("t.jsonl", json.dumps(ROWS, indent=1)),
    "newline-delimited": ("t.ndjson", LINES.replace("\n", "\r\n")),
    "upper case": ("t.csv", renamed("PAIR_ID", "Index", "hps_OIDP", "hps_DIDP")),
    "padding": ("t.csv", renamed(" pair_id", "index ", "  hps_oidp", "hps_didp\t ")),
    "blanks and hyphens": ("t.csv", renamed("Pair ID", "index", "hps_oidp", "hps_didp")),
    "the pandas index": ("t.csv", FRAME.to_csv()),
    "numbers in quotes": ("t.csv", CSV.replace("0.25", '"0.25"').replace("2.0", '" 2.0 "')),
    "tensors": ("t.csv", CSV.replace("0.25", '"tensor([0.25])"').replace("2.0", "tensor(2.0)")),
    "tensors on a device": ("t.csv", CSV.replace("0.25", "\"tensor(0.25, device='cuda:0')\"")),
    "tensors with gradient": (
        "t.csv",
        CSV.replace("0.5", '"tensor([[0.5]], dtype=torch.bfloat16, grad_fn=<MulBackward0>)"'),
    ),
    "numpy's words": ("t.csv", CSV.replace("0.25", "np.float64(0.25)").replace("2.0", "[2.]")),
    "mean and spread": ("t.csv", CSV.replace("0.25", '"[0.25, 0.1]"')),
    "text in JSON": ("t.jsonl", LINES.replace("0.25", '"0.25"')),
    "lists of one": ("t.jsonl", LINES.replace("0.25", "[0.25]").replace("2.0", "[[2.0]]")),
    "two scores": ("t.csv", renamed("pair_id", "index", "score_original", "score_distorted")),
    "two scores of a model": (
        "t.csv",
        renamed("pair_id", "index", "hps_score_original", "hps_score_distorted"),
    ),
    "rejected and chosen": ("t.csv", renamed("pair_id", "index", "rejected_score", "chosen_score")),
    "cells without a name": ("t.csv", renamed("pair_id", "index", "oidp", "didp")),
    "one row a score": ("t.csv", LONG),
    "one row a score, one prompt": ("t.csv", WORDS),
    "one row a score, files": (
        "t.csv",
        LONG.replace(",original,", ",x/a_original.png,").replace("b,7,x/a_", "b,7,x/b_"),
    ),
    "one row a score, by cell": (
        "t.tsv",
        LONG.replace(",", "\t")
        .replace("image\tprompt\tmodel", "cell\tnote\treward")
        .replace("\toriginal\t", "\toidp\t")
        .replace("\tdistorted\tdistorted\t", "\tDIDP\tdistorted\t"),
    ),
}


@pytest.mark.parametrize(("name", "content"), READ.values(), ids=list(READ))
def test_a_table_as_people_save_it_gives_its_scores(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    table = load_scores(file)
    (reward,) = table.rewards
    cells = table.cells(reward)
    assert cells.oidp.tolist() == ORIGINAL
    assert cells.didp.tolist() == DISTORTED
    assert table.clusters.tolist() == [3, 7]
    assert table.frame["pair_id"].tolist() == ["a", "b"]


def test_cells_without_a_name_stand_beside_another_reward(tmp_path):
    (tmp_path / "t.csv").write_text("oidp,didp,hps_oidp,hps_didp\n1,2,3,4\n")
    table = load_scores(tmp_path / "t.csv")
    assert table.rewards == ("score", "hps")
    assert table.cells("score").didp.tolist() == [2]


def test_columns_are_what_the_caller_says(tmp_path):
    (tmp_path / "t.csv").write_text("base,made,mine\n1,2,5\n")
    table = load_scores(
        tmp_path / "t.csv", columns={"base": "oidp", "made": "didp", "mine": "index"}
    )
    assert table.rewards == ("score",)
    assert table.cells("score").oidp.tolist() == [1]
    assert table.clusters.tolist() == [5]


WIDE = "x" * (MAX_ROW + 1)
REFUSED = {
    "Latin-1": ("t.csv", "note,r_oidp\nä,1\n".encode("latin-1"), r"line 2 is not UTF-8.*iconv -f"),
    "Latin-1 in JSON": ("t.jsonl", b'{"r_oidp": 1}\n{"n": "\xe4"}\n', "line 2 is not UTF-8"),
    "a row too short": ("t.csv", "a,r_oidp\n1\n", "has 1 cells, the header 2.* Quote cells"),
    "a quotation mark left open": ("t.csv", f'r_oidp,n\n1,"{WIDE}', "never closed"),
    "a huge cell": ("t.csv", f"r_oidp,n\n1,{WIDE}\n", "a row is longer than 16,777,216 bytes"),
    "a huge line": ("t.jsonl", f'{{"n": "{WIDE}"}}\n', "line 1 is longer than 16,777,216"),
    "a spreadsheet": ("t.csv", zipped("a", "b"), "a zip archive of 2 files, or a spreadsheet"),
    "a picture": ("t.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(20), "holds NUL bytes|no text"),
    "cut gzip": ("t.csv.gz", gzip.compress(CSV.encode())[:-6], "cannot be read"),
    "no JSON": ("t.json", "{'a': 1}", "is not JSON"),
    "deep JSON": ("t.json", "[" * 100_000, "is not JSON|not a list"),
    "ragged columns": ("t.json", '{"r_oidp": [1], "r_didp": [1, 2]}', "is not a list of objects"),
    "thousands": ("t.csv", 'r_oidp\n"1,234.5"\n', "row 0: r_oidp: '1,234.5' is not a number"),
    "an address": ("t.csv", "r_oidp\nhttp://x\n", "is not a number"),
    "infinity": ("t.csv", "r_oidp\n1e999\n", "row 0: r_oidp: is infinite"),
    "true": ("t.jsonl", '{"r_oidp": true}\n', "True is not a number"),
    "three numbers": ("t.csv", 'r_oidp\n"[1, 2, 3]"\n', "a score of 3 numbers"),
    "code": ("t.csv", "r_oidp\n\"[__import__('os')]\"\n", "is not a number"),
    "a number beyond floats": ("t.jsonl", '{"r_oidp": 1' + "0" * 400 + "}\n", "is not a number"),
    "one name twice": ("t.csv", "r_oidp,r_oidp\n1,2\n", "two columns are called 'r_oidp'"),
    "one score twice": (
        "t.csv",
        LONG + "a,3,original,distorted,hps,9\n",
        "row 4: hps oidp of pair",
    ),
    "prompts unsaid": (
        "t.csv",
        WORDS.replace("original,a grim street", "original,a street"),
        "pair 'a' has 2 prompts and it is not said which is the original",
    ),
    "images unsaid": (
        "t.csv",
        LONG.replace(",original,", ",0001.png,"),
        "row 0: '0001.png' is not",
    ),
    "no scores": ("t.csv", "human score,note\n1,2\n", "--columns 'human score=oidp,...'"),
}


@pytest.mark.parametrize(("name", "content", "match"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_read_is_told_in_one_short_line(tmp_path, name, content, match):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=match) as caught:
        load_scores(file)
    message = str(caught.value)
    assert "\n" not in message
    assert "\0" not in message
    assert len(message.replace(str(file), "")) < 500


def test_a_bomb_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("aas_bench.tables.text_tables.MAX_UNPACKED", 2**20)
    for pack, name in ((gzip.compress, "t.csv.gz"), (bz2.compress, "t.jsonl.bz2")):
        (tmp_path / name).write_bytes(pack(b"r_oidp\n" + b"1\n" * 2**20))
        with pytest.raises(InputError, match=r"unpacks to more than 1,048,576 bytes\. Split"):
            load_scores(tmp_path / name)


def test_a_small_file_of_very_many_rows_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("aas_bench.tables.formats.MAX_CELLS", 1999)
    frame = pd.DataFrame({"r_oidp": [1.0] * 1000, "r_didp": [2.0] * 1000})
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"1,000 rows of 2 columns are too many\. Split"):
        load_scores(tmp_path / "t.parquet")
    frame[:999].to_parquet(tmp_path / "t.parquet")
    assert len(load_scores(tmp_path / "t.parquet").frame) == 999


@pytest.mark.parametrize("name", ["", " ", "x" * 300, "a/" + "x" * 5000 + ".csv"])
def test_what_can_be_no_name_is_told_at_both_doors(name):
    for door in (load_scores, load_pairs):
        with pytest.raises(InputError, match=r"is empty\. Give|is too long for a name\. Give"):
            door(name)


def test_a_huge_cell_of_a_binary_table_is_refused(tmp_path):
    frame = pd.DataFrame({"r_oidp": [1.0], "n": [WIDE]})
    frame.to_parquet(tmp_path / "t.parquet", compression=None, row_group_size=1)
    with pytest.raises(InputError, match=r"cells of 'n' exceed 16,777,216 bytes\. Leave"):
        load_scores(tmp_path / "t.parquet")


def test_a_huge_cell_among_small_ones_is_refused(tmp_path):
    frame = pd.DataFrame({"r_oidp": [1.0] * 100, "n": [WIDE, *["x"] * 99]})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_feather(tmp_path / "t.feather")
    for name in ("t.parquet", "t.feather"):
        with pytest.raises(InputError, match=r"cells of 'n' exceed 16,777,216 bytes\. Leave"):
            load_scores(tmp_path / name)


def test_a_base64_cell_does_not_fill_the_screen(tmp_path):
    cell = "iVBORw0KGgo" + "A" * 12_522
    (tmp_path / "t.jsonl").write_text(json.dumps({"r_oidp": cell}) + "\n")
    with pytest.raises(InputError, match="row 0: r_oidp: 'iVBORw0KGgo") as caught:
        load_scores(tmp_path / "t.jsonl")
    assert len(str(caught.value)) < 400 + len(str(tmp_path))


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, -(2**53) - 1])
def test_a_long_index_is_exact_through_every_file(tmp_path, number):
    index = [number, number - 2 if number > 0 else number + 2]
    columns = {"index": index, "r_oidp": [1.0, 2.0], "pair_id": ["a", "b"]}
    pd.DataFrame(columns).to_parquet(tmp_path / "t.parquet")
    pd.DataFrame(columns).to_csv(tmp_path / "t.csv", index=False)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pd.DataFrame(columns).to_feather(tmp_path / "t.feather")
    for file in sorted(tmp_path.iterdir()):
        assert load_scores(file).clusters.tolist() == index, file.name


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1])
def test_a_number_beyond_64_bits_is_refused_by_its_row(tmp_path, number):
    (tmp_path / "t.csv").write_text(f"index,r_oidp\n1,1\n{number},2\n")
    (tmp_path / "t.jsonl").write_text(
        f'{{"index": 1, "r_oidp": 1}}\n{{"index": {number}, "r_oidp": 2}}\n'
    )
    files = [tmp_path / "t.csv", tmp_path / "t.jsonl"]
    if 0 < number < 2**64:
        column = np.array([1, number], dtype=np.uint64)
        pd.DataFrame({"index": column, "r_oidp": [1.0, 2.0]}).to_parquet(tmp_path / "t.parquet")
        files.append(tmp_path / "t.parquet")
    for file in files:
        with pytest.raises(InputError, match=r"row 1: index: .* (does not fit|came as a float)"):
            load_scores(file)
