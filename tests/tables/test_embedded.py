from pathlib import Path

import pyarrow as pa
import pytest
from datasets import Dataset, Image
from huggingface_hub import constants

from aas_bench.tables.images import TrustedPaths, column_faults


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").touch()
    (tmp_path / "out.png").touch()
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "out.png")
    return tmp_path / "in"


def test_the_folder_of_the_table_and_the_caches(folder, monkeypatch):
    monkeypatch.chdir(folder)
    trusted = TrustedPaths.of(folder)
    assert str(folder / "a.png") in trusted
    assert str(Path(constants.HF_HUB_CACHE) / "datasets--a--b" / "x.png") in trusted
    for outside in (folder.parent / "out.png", folder / ".." / "out.png", folder / "link.png"):
        assert str(outside) not in trusted
    assert "a.png" not in trusted, "a relative path would depend on the working directory"


def test_faults_name_the_row_across_batches_and_chunks(tmp_path):
    bad = {0: None, 3: {"bytes": None, "path": "x"}, 6: {"bytes": None, "path": None}}
    cells = [bad.get(i, {"bytes": b"x", "path": None}) for i in range(7)]
    chunks = [pa.array(part, Image.pa_type) for part in (cells[:4], cells[4:5], cells[5:])]
    table = Dataset(pa.table({"photo": pa.chunked_array(chunks)}))
    trusted = TrustedPaths.of(None)
    for batch_size in (1, 2, 7, 100):
        faults = list(column_faults(table, "photo", trusted, batch_size=batch_size))
        assert [row for row, _ in faults] == [0, 3, 6]
        assert all(fault.startswith(("is null", "has ")) for _, fault in faults)


def test_a_stream_may_name_files_of_its_own_repository_only():
    trusted = TrustedPaths.of(None, "owner/name")
    assert "hf://datasets/owner/name@0123/a.png" in trusted
    assert "zip://a.png::hf://datasets/owner/name@0123/a.zip" in trusted
    for other in (
        "hf://datasets/owner/names@0123/a.png",
        "hf://datasets/other/name@0123/a.png",
        "https://example.org/hf://datasets/owner/name@0123/a.png",
        "zip://a.png::https://example.org/a.zip",
        "file:///etc/hostname",
    ):
        assert other not in trusted
    local = TrustedPaths.of(None)
    assert "hf://datasets/None@0123/a.png" not in local
