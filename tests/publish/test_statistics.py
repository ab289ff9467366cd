"""The figures of a card, against pandas on the same rows."""

import numpy as np
import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, Image, List, Value

from aas_bench.publish.statistics import small_columns, statistics

FEATURES = Features(
    {
        "image_original": Image(),
        "prompt_distorted": Value("string"),
        "pair_id": Value("string"),
        "index": Value("int64"),
        "dimensions": List(ClassLabel(names=["clarity", "emotion"])),
        "emotion": ClassLabel(names=["sad", "angry"]),
        "label": Value("int8"),
        "polish_didp": Value("float64"),
        "free": Value("string"),
        "raw": List({"a": Value("string")}),
    }
)


def read(files, features):
    return statistics(files, small_columns(files, features))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    rows = [
        {
            "image_original": {"bytes": b"not read", "path": None},
            "prompt_distorted": None if n == 3 else "word " * (n % 7 + 1),
            "pair_id": f"p{n}",
            "index": n // 3,
            "dimensions": [0, 1] if n % 2 else [1],
            "emotion": -1 if n == 5 else n % 2,
            "label": int(rng.integers(-1, 2)),
            "polish_didp": None if n % 10 == 0 else float(rng.normal(3, 2)),
            "free": f"note {n}",
            "raw": [{"a": "x"}],
        }
        for n in range(40)
    ]
    folder = tmp_path_factory.mktemp("table")
    files = [folder / "0.parquet", folder / "1.parquet"]
    for file, part in zip(files, (rows[:25], rows[25:]), strict=True):
        Dataset.from_list(part, features=FEATURES).to_parquet(file)
    return read(files, FEATURES), pd.DataFrame(rows), files


def test_counts(table):
    found, frame, files = table
    counts = {c.column: (dict(c.values), c.n_missing) for c in found.counts}
    assert set(counts) == {"dimensions", "emotion", "label"}
    assert counts["dimensions"] == ({"clarity": 20, "emotion": 40}, 0)
    assert counts["emotion"] == ({"sad": 20, "angry": 19}, 1)
    expected = frame["label"].value_counts()
    assert counts["label"][0] == {str(value): n for value, n in expected.items()}
    assert found.n_rows == 40
    assert found.n_clusters == frame["index"].nunique()
    assert found.n_file_bytes == sum(file.stat().st_size for file in files)


def test_distributions(table):
    found, frame, _ = table
    (scores,), (lengths,) = found.numbers, found.lengths
    for d, values in (
        (scores, frame["polish_didp"]),
        (lengths, frame["prompt_distorted"].str.split().str.len()),
    ):
        expected = values.describe()
        assert d.n == expected["count"]
        assert d.n_missing == 40 - d.n
        got = [d.mean, d.sd, d.minimum, d.quartile_1, d.median, d.quartile_3, d.maximum]
        wanted = [expected[k] for k in ("mean", "std", "min", "25%", "50%", "75%", "max")]
        assert got == pytest.approx(wanted, abs=1e-12)


def test_nothing_there(tmp_path):
    features = Features({"prompt_distorted": Value("string"), "polish_didp": Value("float64")})
    one = Dataset.from_dict({"prompt_distorted": [None], "polish_didp": [2.5]}, features=features)
    one.to_parquet(tmp_path / "one.parquet")
    found = read([tmp_path / "one.parquet"], features)
    (lengths,) = found.lengths
    assert (lengths.n, lengths.n_missing, lengths.mean, lengths.sd) == (0, 1, None, None)
    empty = Dataset.from_dict({"prompt_distorted": [], "polish_didp": []}, features=features)
    empty.to_parquet(tmp_path / "empty.parquet")
    assert read([tmp_path / "empty.parquet"], features).n_rows == 0


def test_four_rows_read_well(tmp_path):
    features = Features(
        {
            "label": Value("int8"),
            "score": Value("float64"),
            "ava_id": Value("int64"),
            "prompt_original": Value("string"),
            "prompt_original_source": Value("string"),
        }
    )
    rows = {
        "label": [1, 0, 1, -1],
        "score": [1.5, 2.5, 4.0, 4.0],
        "ava_id": [9, 8, 7, 6],
        "prompt_original": ["a cat", "a dog on a mat", "a cow", "an owl"],
        "prompt_original_source": ["clean_caption"] * 4,
    }
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "four.parquet")
    found = read([tmp_path / "four.parquet"], features)
    assert [(c.column, c.values) for c in found.counts] == [
        ("label", (("-1", 1), ("0", 1), ("1", 2))),
        ("prompt_original_source", (("clean_caption", 4),)),
    ]
    (score,), (lengths,) = found.numbers, found.lengths
    assert (score.mean, score.minimum, score.median, score.maximum) == (3.0, 1.5, 3.25, 4.0)
    assert (score.sd, score.quartile_1, score.quartile_3) == (None, None, None)
    assert (lengths.column, lengths.minimum, lengths.maximum) == ("prompt_original", 2, 5)
