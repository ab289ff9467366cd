"""The authors' tables are read without one byte of their images."""

import io
import json

import numpy as np
import pytest
from support.author_tables import benchmark_rows, dataset

from aas_bench.errors import BackendError, InputError, SchemaError
from aas_bench.paper import author_table
from aas_bench.paper.author_table import read_columns


def scores(name):
    return name in ("index", "model", "hpsv3_reward", "image_original")


@pytest.fixture(scope="module")
def table():
    return dataset(benchmark_rows(4))


@pytest.fixture
def forms(table, tmp_path):
    """The same table in every form that is read."""
    table.to_parquet(tmp_path / "one.parquet")
    (tmp_path / "snapshot" / "data").mkdir(parents=True)
    for shard in range(3):
        part = table.shard(num_shards=3, index=shard, contiguous=True)
        part.to_parquet(tmp_path / "snapshot" / "data" / f"train-{shard:05d}-of-00003.parquet")
    table.save_to_disk(tmp_path / "saved")
    bare = table.remove_columns(["image_original", "image_distorted"])
    (tmp_path / "lines.jsonl").write_text("\n".join(json.dumps(row) for row in bare))
    return [tmp_path / name for name in ("one.parquet", "snapshot", "saved", "lines.jsonl")]


def test_every_form_gives_the_same_columns_and_never_an_image(forms):
    frames = [read_columns(form, scores) for form in forms]
    for frame in frames:
        assert sorted(frame.columns) == ["hpsv3_reward", "index", "model"]
        assert list(frame["index"]) == [0, 1, 2, 3] * 2
        assert list(frame["model"]) == ["flux_dev"] * 4 + ["sdxl"] * 4
        mu = [cell["hpsv3_diop"][0] for cell in frame["hpsv3_reward"]]
        assert mu == [cell["hpsv3_diop"][0] for cell in frames[0]["hpsv3_reward"]]


def test_images_are_neither_read_nor_decoded(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    rows = list(benchmark_rows(3))
    for row in rows:
        for column in ("image_original", "image_distorted"):
            row[column] = {"bytes": rng.bytes(1_000_000), "path": None}  # no image at all
    dataset(rows).to_parquet(tmp_path / "big.parquet")
    assert (tmp_path / "big.parquet").stat().st_size > 12_000_000
    n_read = 0

    class Counting(io.FileIO):
        def read(self, size=-1):
            nonlocal n_read
            data = super().read(size)
            n_read += len(data)
            return data

    monkeypatch.setattr(author_table.Path, "open", lambda self, mode: Counting(self, mode))
    assert len(read_columns(tmp_path / "big.parquet", scores)) == 6
    assert 0 < n_read < 200_000


HUB_CODE = """
import sys
from huggingface_hub.hf_file_system import HfFileSystemFile
fetched = []
whole = HfFileSystemFile._fetch_range
def counted(self, start, end):
    data = whole(self, start, end)
    fetched.append(len(data))
    return data
HfFileSystemFile._fetch_range = counted
from aas_bench.paper.author_table import read_columns
wanted = ("index", "model", "hpsv3_reward")
frame = read_columns("weathon/aas_benchmark_final", lambda name: name in wanted)
print(len(frame), sum(fetched), ",".join(sorted(frame.columns)))
"""


def test_from_the_hub_only_the_byte_ranges_of_the_scores_are_fetched(loopback_hub, tmp_path):
    rng = np.random.default_rng(0)
    rows = list(benchmark_rows(2))
    for row in rows:
        row["image_original"] = {"bytes": rng.bytes(3_000_000), "path": None}
    dataset(rows).to_parquet(tmp_path / "a.parquet", batch_size=1)  # a row group for each row
    # Their card lists a column twice, which a load through the card would trip over.
    twice = "  - name: hpsv3_reward\n    dtype: string\n" * 2
    card = f"---\ndataset_info:\n  features:\n{twice}---\n"
    loopback_hub.add(
        "weathon/aas_benchmark_final",
        {"README.md": card.encode(), "data/train-0.parquet": (tmp_path / "a.parquet").read_bytes()},
    )
    n_rows, n_bytes, columns = loopback_hub.run_python(HUB_CODE).split()
    assert (n_rows, columns) == ("4", "hpsv3_reward,index,model")
    assert 0 < int(n_bytes) < 300_000
    assert not loopback_hub.sent("GET", "README.md")
    assert loopback_hub.unknown == []


MISSING = """
from aas_bench.errors import InputError
from aas_bench.paper.author_table import read_columns
try:
    read_columns("weathon/absent", lambda name: True)
except InputError as error:
    print(error)
"""


def test_a_dataset_that_is_not_there_is_the_callers_to_mend(loopback_hub):
    assert "no dataset of that name on the Hub" in loopback_hub.run_python(MISSING)


def test_without_a_network_the_error_says_what_to_do(network_attempts):
    with pytest.raises(BackendError, match="Connect to the network, or give a local copy"):
        read_columns("weathon/aas_benchmark_final", scores)


def test_what_cannot_be_read_says_so(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        read_columns(tmp_path / "absent.parquet", scores)
    with pytest.raises(InputError, match="holds no Parquet file"):
        read_columns(tmp_path, scores)
    (tmp_path / "x.parquet").write_bytes(b"no table")
    with pytest.raises(InputError, match="is not readable Parquet"):
        read_columns(tmp_path / "x.parquet", scores)


def test_a_table_without_a_wanted_column_is_refused(forms):
    with pytest.raises(SchemaError, match="no column of scores"):
        read_columns(forms[0], lambda name: name == "absent")


def test_files_of_different_tables_are_refused(forms):
    one, folder = forms[0], forms[1]
    dataset(benchmark_rows(1)).remove_columns(["hpsv3_reward"]).to_parquet(folder / "z.parquet")
    assert one.is_file()
    with pytest.raises(SchemaError, match="different columns"):
        read_columns(folder, scores)
