"""Run directories: whole or absent, one writer, one configuration."""

import hashlib
import json
import os
import subprocess
import sys

import pyarrow as pa
import pytest

from aas_bench.errors import InputError, StoreError
from aas_bench.files import write_atomically
from aas_bench.run.directory import open_run

TABLE = pa.table({"pair_id": ["a", "b"], "x": [1.0, None]})
SPEC = {"rewards": [{"name": "toy"}], "prompts": "both"}


def run_at(path, spec=SPEC):
    return open_run(path, kind="scores", spec=spec)


def test_a_part_comes_back(tmp_path):
    with run_at(tmp_path / "run") as run:
        assert run.part(3) is None
        run.write_part(3, TABLE)
    with run_at(tmp_path / "run") as run:
        assert run.part(3).equals(TABLE)
        assert run.part(0) is None


def test_the_checksum_file_is_what_sha256sum_reads(tmp_path):
    with run_at(tmp_path) as run:
        run.write_part(0, TABLE)
    told = (tmp_path / "parts/part-00000.sha256").read_text()
    content = (tmp_path / "parts/part-00000.parquet").read_bytes()
    assert told == f"{hashlib.sha256(content).hexdigest()}  part-00000.parquet\n"


def damage_content(parts):
    file = parts / "part-00000.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES = {
    "one bit": damage_content,
    "cut": lambda parts: os.truncate(parts / "part-00000.parquet", 20),
    "empty": lambda parts: os.truncate(parts / "part-00000.parquet", 0),
    "no content": lambda parts: (parts / "part-00000.parquet").unlink(),
    "no checksum": lambda parts: (parts / "part-00000.sha256").unlink(),
    "empty checksum": lambda parts: os.truncate(parts / "part-00000.sha256", 0),
    "checksum is no text": lambda parts: (parts / "part-00000.sha256").write_bytes(b"\xff\xfe"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_part_is_no_part(tmp_path, damage):
    with run_at(tmp_path) as run:
        run.write_part(0, TABLE)
        assert run.part(0) is not None
        damage(tmp_path / "parts")
        assert run.part(0) is None
        run.write_part(0, TABLE)
        assert run.part(0).equals(TABLE)


def test_what_was_being_written_at_a_kill_is_cleared_away(tmp_path):
    with run_at(tmp_path) as run:
        run.write_part(0, TABLE)
    for folder in (tmp_path, tmp_path / "parts"):
        (folder / ".aside-x7").write_bytes(b"half")
    with run_at(tmp_path) as run:
        assert run.part(0) is not None
    assert not list(tmp_path.rglob(".aside-*"))


def test_two_writers(tmp_path):
    with (
        run_at(tmp_path),
        pytest.raises(StoreError, match=r"another process writes to this run. Wait"),
        run_at(tmp_path),
    ):
        pass
    with run_at(tmp_path):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    code = (
        "import sys, time\n"
        "from aas_bench.run.directory import open_run\n"
        f"with open_run(sys.argv[1], kind='scores', spec={SPEC!r}):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(StoreError, match="another process"), run_at(tmp_path):
            pass
        process.kill()
    with run_at(tmp_path) as run:
        run.write_part(0, TABLE)


def test_another_specification_is_refused_with_all_that_differs(tmp_path):
    with run_at(tmp_path):
        pass
    other = {"rewards": [{"name": "other"}, {"name": "toy"}], "prompts": "distorted"}
    with pytest.raises(StoreError) as caught, run_at(tmp_path, other):
        pass
    for difference in (
        "prompts was 'both', is 'distorted'",
        "rewards[0].name was 'toy', is 'other'",
        "rewards[1].name was None, is 'toy'",
        "give another directory",
    ):
        assert difference in str(caught.value)


def test_many_differences_stay_one_line(tmp_path):
    with run_at(tmp_path, {str(i): i for i in range(50)}):
        pass
    with (
        pytest.raises(StoreError, match="and 46 more") as caught,
        run_at(tmp_path, {"x": "y" * 999}),
    ):
        pass
    assert len(str(caught.value)) < 1000


def test_another_kind_of_run_is_refused(tmp_path):
    with run_at(tmp_path):
        pass
    with (
        pytest.raises(StoreError, match="is a run of scores, not of images"),
        open_run(tmp_path, kind="images", spec=SPEC),
    ):
        pass


def test_equal_json_is_equal(tmp_path):
    """A tuple is a list in JSON, and the order of keys means nothing."""
    with run_at(tmp_path, {"a": (1, 2), "b": {}}):
        pass
    with run_at(tmp_path, {"b": {}, "a": [1, 2]}):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe"])
def test_a_damaged_manifest(tmp_path, content):
    with run_at(tmp_path):
        pass
    (tmp_path / "manifest.json").write_bytes(content)
    with (
        pytest.raises(StoreError, match=r"manifest.json is damaged .* run again"),
        run_at(tmp_path),
    ):
        pass


def test_a_folder_of_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with (
        pytest.raises(InputError, match=r"holds 'thesis.tex' and no run. Give a new"),
        run_at(tmp_path),
    ):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(InputError, match=r"is a file. Give a directory"), run_at(tmp_path / "run"):
        pass


def test_a_kill_before_the_manifest_leaves_a_usable_folder(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "lock").touch()
    (tmp_path / ".aside-abc").write_text("{")
    with run_at(tmp_path):
        assert json.loads((tmp_path / "manifest.json").read_text())["spec"] == SPEC


def test_json_must_be_json(tmp_path):
    with run_at(tmp_path) as run:
        with pytest.raises(InputError, match="Use strings, finite numbers"):
            run.write_json("run.json", {"x": float("nan")})
        with pytest.raises(InputError, match="Use strings, finite numbers"):
            run.write_json("run.json", {"x": object()})
        assert not (tmp_path / "run.json").exists()


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    file = write_atomically(tmp_path / "x", b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"the disk is full. Make room and repeat the command"):
        write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["x"]
