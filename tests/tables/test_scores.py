import json
import os

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aas_bench.errors import InputError, SchemaError, UnknownNameError
from aas_bench.tables.scores import ScoreTable, load_scores

CELLS = ("oiop", "oidp", "diop", "didp")

numbers = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))
words = st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), min_size=1, max_size=12)


@st.composite
def tables(draw):
    """Frames as a user would hold them: some rewards, some cells, some labels, some extras."""
    n = draw(st.integers(1, 6))
    columns = {
        "pair_id": draw(st.lists(words, min_size=n, max_size=n, unique=True)),
        "index": draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)),
        "model": draw(st.lists(words, min_size=n, max_size=n)),
        "dimensions": draw(st.lists(st.lists(words, max_size=3), min_size=n, max_size=n)),
    }
    if draw(st.booleans()):
        columns["label"] = draw(st.lists(st.sampled_from([1, 0, -1]), min_size=n, max_size=n))
    for reward in draw(st.sampled_from([("a",), ("b", "a"), ("image_reward", "hpsv3", "x")])):
        for cell in draw(st.sampled_from([CELLS, CELLS[1::2]])):
            columns[f"{reward}_{cell}"] = draw(st.lists(numbers, min_size=n, max_size=n))
        if draw(st.booleans()):
            for cut in ("cut_original", "cut_distorted"):
                flags = st.lists(st.booleans(), min_size=n, max_size=n)
                columns[f"{reward}_{cut}"] = draw(flags)
    if draw(st.booleans()):
        columns["dose"] = draw(st.lists(st.floats(0, 1), min_size=n, max_size=n))
    return columns


def frame_of(columns):
    return pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})


def write_csv(columns, file):
    import csv

    def text(value):
        if isinstance(value, list):
            return json.dumps(value)
        return "" if value is None else repr(value) if isinstance(value, float) else str(value)

    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        writer.writerows([text(v) for v in row] for row in zip(*columns.values(), strict=True))


def write_jsonl(columns, file):
    rows = zip(*columns.values(), strict=True)
    lines = (json.dumps(dict(zip(columns, row, strict=True))) for row in rows)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def write(rows, file):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def assert_holds(table, columns):
    assert table.frame["pair_id"].tolist() == columns["pair_id"]
    assert table.frame["model"].tolist() == columns["model"]
    assert [list(d) for d in table.frame["dimensions"]] == columns["dimensions"]
    assert table.clusters.tolist() == columns["index"]
    assert table.clusters.dtype == np.int64
    assert (table.label is None) == ("label" not in columns)
    if table.label is not None:
        assert table.label.tolist() == columns["label"]
        assert table.label.dtype == np.int8
    for reward in table.rewards:
        cells = table.cells(reward)
        for cell in CELLS:
            given_scores = columns.get(f"{reward}_{cell}", [None] * len(table))
            expected = [np.nan if v is None else v for v in given_scores]
            np.testing.assert_array_equal(getattr(cells, cell), np.array(expected, dtype=float))
            assert getattr(cells, cell).dtype == np.float64
        cuts = table.cuts(reward)
        assert (cuts is None) == (f"{reward}_cut_original" not in columns)
        if cuts is not None:
            assert cuts.original.tolist() == columns[f"{reward}_cut_original"]
            assert cuts.distorted.tolist() == columns[f"{reward}_cut_distorted"]


@settings(max_examples=30)
@given(tables())
def test_a_table_survives_every_kind_of_file(tmp_path_factory, columns):
    folder = tmp_path_factory.mktemp("tables")
    write_jsonl(columns, folder / "t.jsonl")
    write_csv(columns, folder / "t.csv")
    frame_of(columns).to_parquet(folder / "p.parquet")
    rewards = tuple(dict.fromkeys(c[:-5] for c in columns if c.endswith(CELLS)))
    saved = []
    for file in sorted(folder.iterdir()):
        table = load_scores(file)
        assert table.rewards == rewards
        assert_holds(table, columns)
        again = load_scores(table.save(folder / "again.parquet"))
        assert_holds(again, columns)
        pd.testing.assert_frame_equal(again.frame, load_scores(folder / "again.parquet").frame)
        saved.append((folder / "again.parquet").read_bytes())
    assert saved[1] == saved[2], "a table that came as JSONL or Parquet is written as other bytes"


@settings(max_examples=30)
@given(tables())
def test_equal_tables_are_equal_bytes_and_lists_of_dimensions_keep_their_type(
    tmp_path_factory, columns
):
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("a", "b"):
        ScoreTable.from_frame(frame_of(columns)).save(folder / name)
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()
    assert str(pq.read_schema(folder / "a").field("dimensions").type).startswith("list<")
    assert "string" in str(pq.read_schema(folder / "a").field("dimensions").type)


def test_null_is_null_on_disk(tmp_path):
    file = write([{"r_oiop": None}, {"r_oiop": 1.0}], tmp_path / "t.jsonl")
    column = pq.read_table(load_scores(file).save(tmp_path / "s.parquet"))["r_oiop"]
    assert column.null_count == 1
    assert column.to_pylist() == [None, 1.0]


def test_nan_in_a_file_is_missing(tmp_path):
    (tmp_path / "t.jsonl").write_text('{"r_oiop": NaN, "r_didp": 1}\n{"r_didp": null}\n')
    assert np.isnan(load_scores(tmp_path / "t.jsonl").cells("r").oiop).all()
    (tmp_path / "t.csv").write_text("r_oiop,r_didp\nnan,1\nNULL,\n")
    cells = load_scores(tmp_path / "t.csv").cells("r")
    assert np.isnan(cells.oiop).all()
    np.testing.assert_array_equal(cells.didp, [1, np.nan])


def test_what_is_made_where_absent(tmp_path):
    table = load_scores(write([{"r_oiop": 1.0}] * 2, tmp_path / "t.jsonl"))
    assert list(table.frame.columns) == ["pair_id", "index", "model", "dimensions", "r_oiop"]
    assert table.frame["pair_id"].tolist() == ["unknown/0000", "unknown/0001"]
    assert table.label is None
    assert table.cuts("r") is None


def test_pair_columns_come_first_and_images_stay_behind(tmp_path):
    row = {"r_oiop": 1.0, "image_original": "a.png", "note": "n", "label": 1, "model": "m"}
    table = load_scores(write([row], tmp_path / "t.jsonl"))
    expected = ["pair_id", "index", "model", "dimensions", "label", "r_oiop", "note"]
    assert list(table.frame.columns) == expected


def test_what_callers_get_is_theirs():
    table = ScoreTable.from_frame(frame_of({"r_oiop": [1.0], "label": [1]}))
    table.cells("r").oiop[0] = 5
    table.clusters[0] = 5
    table.label[0] = 0
    assert table.cells("r").oiop[0] == 1
    assert table.clusters[0] == 0
    assert table.label[0] == 1


def test_only_some_rewards(tmp_path):
    row = {"a_oiop": 1, "a_oiop_sigma": 2, "a_cut_original": True, "b_oiop": 3, "c_oiop": 4}
    file = write([row], tmp_path / "t.jsonl")
    table = load_scores(file, rewards=["c", "a"])
    assert table.rewards == ("a", "c")
    assert [c for c in table.frame if c[0] in "abc"] == [
        *("a_oiop", "a_oiop_sigma", "a_cut_original"),
        "c_oiop",
    ]
    with pytest.raises(UnknownNameError, match=r"called 'aa'.* Did you mean a\? The table has"):
        load_scores(file, rewards=["aa"])
    with pytest.raises(UnknownNameError, match="no reward model in this table is called 'b'"):
        table.cells("b")
    with pytest.raises(UnknownNameError, match="The table has scores of: a, c"):
        table.cuts("b")


def test_cut_flags_without_a_prompt():
    table = ScoreTable.from_frame(
        frame_of(
            {
                "r_oiop": [1.0] * 3,
                "r_cut_original": [True, None, False],
                "r_cut_distorted": [1, 0, 1],
            }
        )
    )
    assert table.cuts("r").original.tolist() == [True, False, False]
    assert table.cuts("r").distorted.tolist() == [True, False, True]


def test_the_authors_nested_columns(tmp_path):
    rows = [
        {
            "index": 3,
            "model": "sdxl",
            "selected_dims": "['clarity', 'emotion']",
            "llm_selected": -1,
            "hpsv3_reward": {"hpsv3_oiop": [1.0, 0.5], "hpsv3_didp": [2.0, 0.25]},
            "image_reward": {"image_reward_oiop": 3.0, "image_reward_didp": None},
            "blip_score": [[0.1]],
        },
        {"index": 4, "model": "sdxl", "hpsv3_reward": None, "llm_selected": 1},
    ]
    frame_of({k: [r.get(k) for r in rows] for k in rows[0]}).to_parquet(tmp_path / "t.parquet")
    for file in (tmp_path / "t.parquet", write(rows, tmp_path / "t.jsonl")):
        table = load_scores(file)
        assert table.rewards == ("hpsv3", "image_reward")
        assert table.frame["pair_id"].tolist() == ["sdxl/0003", "sdxl/0004"]
        assert [list(d) for d in table.frame["dimensions"]] == [["clarity", "emotion"], []]
        assert table.label.tolist() == [-1, 1]
        np.testing.assert_array_equal(table.cells("hpsv3").didp, [2, np.nan])
        np.testing.assert_array_equal(table.frame["hpsv3_didp_sigma"], [0.25, np.nan])
        np.testing.assert_array_equal(table.cells("image_reward").oiop, [3, np.nan])
        assert "blip_score" in table.frame
        assert "llm_selected" in table.frame


def test_flat_lists_of_mu_and_sigma(tmp_path):
    table = load_scores(
        write([{"hpsv3_oiop": [1.5, 0.5]}, {"hpsv3_oiop": [2]}], tmp_path / "t.jsonl")
    )
    assert table.cells("hpsv3").oiop.tolist() == [1.5, 2]
    np.testing.assert_array_equal(table.frame["hpsv3_oiop_sigma"], [0.5, np.nan])


def test_label_of_choice(tmp_path):
    rows = [
        {"r_oiop": 1, "llm_selected": 0, "sec_llm_selected": 1, "third_llm_selected": 1},
        {"r_oiop": 1, "llm_selected": 1, "sec_llm_selected": 0, "third_llm_selected": None},
    ]
    file = write(rows, tmp_path / "t.jsonl")
    assert load_scores(file).label.tolist() == [0, 1]
    assert load_scores(file, label="sec_llm_selected").label.tolist() == [1, 0]
    assert load_scores(file, label="majority").label.tolist() == [1, -1]
    with pytest.raises(SchemaError, match="no label column 'human'"):
        load_scores(file, label="human")


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv"])
def test_large_clusters_stay_apart(tmp_path, kind):
    """Beyond 2**53 neighbours are one float, beyond 2**63 there is no int64."""
    index = [2**53, 2**53 + 1, 2**62 + 1, 2**62]
    columns = {"index": index, "r_oiop": [1.0] * 4}
    if kind == "parquet":
        frame_of(columns).to_parquet(tmp_path / "t.parquet")
    else:
        (write_jsonl if kind == "jsonl" else write_csv)(columns, tmp_path / f"t.{kind}")
    assert load_scores(tmp_path / f"t.{kind}").clusters.tolist() == index


def test_columns_give_the_table_that_a_frame_gives(tmp_path):
    """What `score` has in memory against what it stored."""
    import pyarrow as pa

    table = pa.table(
        {
            "pair_id": ["a", "b", "c"],
            "index": [2, 1, 1],
            "model": ["m", None, "m"],
            "dimensions": pa.array([["blur", "grain"], None, []], pa.list_(pa.string())),
            "label": pa.array([1, -1, 0], pa.int8()),
            "r_oiop": [1.5, None, 2.0],
            "r_cut_original": [True, None, False],
            "error": pa.nulls(3, pa.string()),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    columns = dict(zip(table.column_names, table.columns, strict=True))
    found = ScoreTable.from_columns(columns)
    pd.testing.assert_frame_equal(found.frame, load_scores(tmp_path / "t.parquet").frame)
    assert found.frame["model"].tolist() == ["m", "unknown", "m"]
    assert found.frame["dimensions"].tolist() == [["blur", "grain"], [], []]
    assert found.cuts("r") is None
    np.testing.assert_array_equal(found.cells("r").oiop, [1.5, np.nan, 2.0])


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([{"a": 1}], "no score column among a. Call them <reward>_oiop"),
        ([{"oiop_x": 1}], "no score column among oiop_x"),
        ([{"caption": "p"}], "among caption. Score its pairs first: aas-bench"),
        ([{"r_oiop": 1}, {"r_oiop": float("inf")}], "row 1: r_oiop: is infinite"),
        ([{"r_oiop": 1}, {"r_oiop": "-Infinity"}], "row 1: r_oiop: is infinite"),
        ([{"r_oiop": 1}, {"r_oiop": "good"}], "row 1: r_oiop: 'good' is not a number"),
        ([{"r_oiop": 1}, {"r_oiop": True}], "row 1: r_oiop: True is not a number"),
        ([{"r_oiop": [1, 2, 3]}], "row 0: r_oiop: a score of 3 numbers"),
        ([{"r_oiop": 1, "label": 2}], "row 0: label: 2 is not 1, 0 or -1"),
        ([{"r_oiop": 1, "label": 0.25}], "row 0: label: 0.25 is not 1, 0 or -1"),
        ([{"r_oiop": 1, "index": 1.5}], "row 0: index: 1.5 is not a whole number"),
        ([{"r_oiop": 1, "index": "x"}], "row 0: index: 'x' is not a whole number"),
        ([{"r_oiop": 1, "index": 2**63}], "row 0: index: 9223372036854775808 does not fit 64 bits"),
        (
            [{"r_oiop": 1, "index": 2**64}],
            "row 0: index: 18446744073709551616 does not fit 64 bits",
        ),
        (
            [{"r_oiop": 1, "index": i} for i in (1, None)],
            "row 1: index: None is not a whole number",
        ),
        ([{"r_oiop": 1, "dims": "[1]"}], r"row 0: dimensions: '\[1\]' holds something"),
        ([{"r_oiop": 1, "pair_id": None}], "row 0: pair_id is null"),
        ([{"r_oiop": 1, "pair_id": "x"}] * 3, "pair_id 'x' stands in rows 0 and 1"),
        ([{"r_oiop": 1, "index": 7}] * 2, "pair_id 'unknown/0007' stands in rows 0 and 1"),
    ],
)
def test_bad_cells_are_named(tmp_path, rows, match):
    with pytest.raises(SchemaError, match=match) as caught:
        load_scores(write(rows, tmp_path / "t.jsonl"))
    assert "\n" not in str(caught.value)


def test_all_faults_in_one_message(tmp_path):
    rows = [{"r_oiop": "x", "label": 7, "index": 1}, {"r_oiop": 1e999, "label": 1, "index": 0.5}]
    parts = (
        "row 1: index: .*; row 0: label: 7 .*; row 0: r_oiop: 'x' .*; row 1: r_oiop: is infinite"
    )
    with pytest.raises(SchemaError, match=parts):
        load_scores(write(rows, tmp_path / "t.jsonl"))


def test_merge_joins_by_pair_whatever_the_order():
    a = ScoreTable.from_frame(
        frame_of({"pair_id": ["x", "y"], "index": [1, 2], "a_didp": [1.0, 2.0]})
    )
    b = ScoreTable.from_frame(
        frame_of({"pair_id": ["y", "x"], "index": [2, 1], "b_didp": [20.0, 10.0], "label": [0, 1]})
    )
    merged = a.merge(b)
    assert merged.rewards == ("a", "b")
    assert merged.frame["pair_id"].tolist() == ["x", "y"]
    assert merged.cells("b").didp.tolist() == [10, 20]
    assert merged.label.tolist() == [1, 0]
    assert b.merge(a).cells("a").didp.tolist() == [2, 1]
    assert a.rewards == ("a",), "merging leaves its inputs as they are"
    assert "b_didp" not in a.frame


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"pair_id": ["x", "y"], "a_oiop": [1.0, 2.0]}, "both tables hold scores of a. Load one"),
        ({"pair_id": ["x", "z"], "b_oiop": [1.0, 2.0]}, "different pairs: 2 are .* first 'y', 'z'"),
        (
            {"pair_id": ["x"], "b_oiop": [1.0]},
            "different pairs: 1 are .* first 'y'. Score the same",
        ),
        (
            {"pair_id": ["x", "y"], "index": [0, 5], "b_oiop": [1.0, 2.0]},
            "disagree on 'index' for 1 pairs, first 'y'",
        ),
        (
            {"pair_id": ["x", "y"], "label": [0, 1], "b_oiop": [1.0, 2.0]},
            "disagree on 'label' for 2 pairs, first 'x'",
        ),
    ],
)
def test_merge_refuses_other_pairs(other, match):
    table = ScoreTable.from_frame(
        frame_of({"pair_id": ["x", "y"], "label": [1, 0], "a_didp": [1.0, 2.0]})
    )
    with pytest.raises(SchemaError, match=match):
        table.merge(ScoreTable.from_frame(frame_of(other)))


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    table = ScoreTable.from_frame(frame_of({"r_oiop": [1.0]}))
    target = table.save(tmp_path / "s.parquet")
    before = target.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        ScoreTable.from_frame(frame_of({"r_oiop": [2.0]})).save(target)
    assert target.read_bytes() == before
    assert [f.name for f in tmp_path.iterdir()] == ["s.parquet"]


def test_saving_where_there_is_no_folder(tmp_path):
    table = ScoreTable.from_frame(frame_of({"r_oiop": [1.0]}))
    with pytest.raises(InputError, match=r"there is no folder .*nowhere'. Make it first"):
        table.save(tmp_path / "nowhere" / "s.parquet")


@pytest.mark.real
def test_the_authors_scores(real_data):
    table = load_scores(real_data / "scores" / "stable_diffusion_3.5_large.jsonl")
    assert table.rewards == ("hpsv3", "hpsv2", "image_reward")
    assert table.clusters.tolist() == list(range(300))
    cells = table.cells("hpsv3")
    assert (cells.diop - cells.oiop).mean() == pytest.approx(-4.702, abs=5e-4)
    assert cells.diop.mean() == pytest.approx(6.159, abs=5e-4)
    for reward, share in {"hpsv3": 0.290, "hpsv2": 0.640, "image_reward": 0.770}.items():
        cells = table.cells(reward)
        assert (cells.didp > cells.oidp).mean() == pytest.approx(share, abs=5e-4)


@pytest.mark.real
def test_the_authors_pairs_hold_scores_too(real_data):
    table = load_scores(real_data / "wide_spectrum" / "pairs.jsonl")
    assert table.rewards == ("hpsv3",)
    assert np.isnan(table.cells("hpsv3").oiop).all()
    assert np.isfinite(table.cells("hpsv3").didp).all()
    assert all(1 <= len(d) <= 4 for d in table.frame["dimensions"])
