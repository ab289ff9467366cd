"""Building: whole or not at all, the same bytes whatever happened, faults told."""

import errno
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support import toy_builder
from support.toy_builder import Toy

from aas_bench.errors import InputError, SchemaError, StoreError
from aas_bench.publish import shards
from aas_bench.publish.build import build
from aas_bench.publish.builder import BadItem
from aas_bench.publish.built import STATE
from aas_bench.tables.pairs import load_pairs

TESTS = Path(__file__).parents[1]


def contents(folder):
    """Path -> hash of all that a build would push."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file())
    named = {p.relative_to(folder).as_posix(): p for p in files}
    return {
        name: hashlib.sha256(p.read_bytes()).hexdigest()
        for name, p in named.items()
        if not name.startswith(".build/")
    }


def child(*arguments):
    command = [sys.executable, "-m", "support.toy_builder", *map(str, arguments)]
    return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)


def test_the_layout_is_that_of_the_repository(tmp_path):
    built = build([Toy(n=10)], tmp_path / "out", progress=False)
    assert sorted(contents(tmp_path / "out")) == [
        "LICENSE",
        "README.md",
        "assets/grid.jpg",
        "croissant.json",
        *(f"pairs/test-{n:05d}-of-00003.parquet" for n in range(3)),
    ]
    (config,) = built.configs
    assert (config.n_items, config.n_rows, config.n_faults) == (10, 10, 0)
    pairs = load_pairs(tmp_path / "out")
    assert pairs["pair_id"][:] == [f"toy/{n:04d}" for n in range(10)]
    assert pairs[3]["image_original"].size == (24, 24)


def test_two_builds_are_equal_to_the_byte(tmp_path):
    for name in ("one", "two"):
        build([Toy(n=10)], tmp_path / name, progress=False)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.parametrize("when", ["0", "1", "4", "9", "record 0", "record 2", "card"])
def test_killed_at_any_instant_it_goes_on(tmp_path, when):
    out, whole = tmp_path / "out", tmp_path / "whole"
    build([toy_builder.Dying(n=10)], whole, progress=False)
    killed = child("build_and_die", out, when)
    assert killed.returncode == -9, killed.stderr
    assert contents(out) != contents(whole)
    finished = {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")}
    recorded = len(list((out / ".build" / "parts").glob("*.json")))
    built = build([toy_builder.Dying(n=10)], out, progress=False)
    assert contents(out) == contents(whole)
    assert built.configs[0].n_rows == 10
    kept = sum(p.stat().st_mtime_ns == before for p, before in finished.items())
    assert kept == recorded, "finished files are not made again"


def test_dying_twice_and_finishing_twice(tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    for when in ("5", "9"):
        assert child("build_and_die", out, when).returncode == -9
    build([toy_builder.Dying(n=10)], whole, progress=False)
    for _ in range(2):
        build([toy_builder.Dying(n=10)], out, progress=False)
        assert contents(out) == contents(whole)


def test_a_damaged_file_is_made_again(tmp_path):
    build([Toy(n=10)], tmp_path, progress=False)
    before = contents(tmp_path)
    damaged = tmp_path / "pairs" / "test-00001-of-00003.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    build([Toy(n=10)], tmp_path, progress=False)
    assert contents(tmp_path) == before


def test_faults_are_listed_and_the_rest_goes_on(tmp_path):
    built = build([Toy(n=10, bad=(0, 7), missing=4)], tmp_path, progress=False)
    (config,) = built.configs
    assert (config.n_rows, config.n_faults, config.n_flags) == (7, 3, 2)
    lines = [json.loads(line) for line in built.faults_file.read_text().splitlines()]
    assert {(line["kind"], line["item"], line["reason"]) for line in lines} == {
        ("fault", "item 0", "made to fail"),
        ("flag", "toy/0002", "worth a look"),
        ("flag", "toy/0003", "worth a look"),
        ("fault", "toy/0004", "image_original: a.jpg cannot be read (No such file or directory)"),
        ("fault", "item 7", "made to fail"),
    }
    assert "3 of 10 items of the source were left out" in (tmp_path / "README.md").read_text()
    again = build([Toy(n=10, bad=(0, 7), missing=4)], tmp_path, progress=False)
    assert again.n_faults == 3, "also when nothing was left to do"


def test_all_items_of_a_shard_at_fault(tmp_path):
    built = build([Toy(n=10, bad=(4, 5, 6, 7))], tmp_path, progress=False)
    assert built.configs[0].n_rows == 6
    assert len(load_pairs(tmp_path)) == 6


@pytest.mark.parametrize("twice", [1, 4])
def test_two_rows_of_one_name_are_refused(tmp_path, twice):
    message = rf"two rows of pairs are called 'toy/000{twice - 1}'.*Make the names in the source"
    for _ in range(2):  # also where the shards are finished
        with pytest.raises(SchemaError, match=message):
            build([Toy(n=10, twice=twice)], tmp_path, progress=False)
    assert not (tmp_path / "README.md").exists()


def test_another_build_is_refused_with_the_difference(tmp_path):
    build([Toy(n=10)], tmp_path, progress=False)
    before = contents(tmp_path)
    with pytest.raises(StoreError, match=r"limit was None, is 5.*Repeat the first command"):
        build([Toy(n=10)], tmp_path, limit=5, progress=False)
    with pytest.raises(StoreError, match=r"options.prompt was .*, is .*other"):
        build([Toy(n=10, prompt="other")], tmp_path, progress=False)
    assert contents(tmp_path) == before


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds 'thesis.txt' and no build. Give a new or empty"):
        build([Toy()], tmp_path, progress=False)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(InputError, match=r"is a file. Give a folder"):
        build([Toy()], tmp_path / "thesis.txt", progress=False)


@pytest.mark.parametrize("limit", [0, -3])
def test_a_limit_below_one_is_refused(tmp_path, limit):
    with pytest.raises(InputError, match=rf"limit is {limit}. Give at least 1"):
        build([Toy()], tmp_path / "out", limit=limit, progress=False)
    assert not (tmp_path / "out").exists()


def test_a_source_without_items_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"pairs: the source holds no items. Check the source"):
        build([Toy(n=0)], tmp_path / "out", progress=False)


def test_a_full_disk_is_told_and_survived(tmp_path, monkeypatch):
    calls = []

    def full(self):
        calls.append(1)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return flush(self)

    flush = shards._Groups._flush
    monkeypatch.setattr(shards._Groups, "_flush", full)
    with pytest.raises(StoreError, match=r"the disk is full. Make room and repeat the command"):
        build([Toy(n=10)], tmp_path / "out", progress=False)
    monkeypatch.undo()
    assert not list((tmp_path / "out").rglob(".aside-*"))
    build([Toy(n=10)], tmp_path / "out", progress=False)
    build([Toy(n=10)], tmp_path / "whole", progress=False)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_what_a_kill_left_half_written_is_never_pushed(tmp_path):
    built = build([Toy(n=2)], tmp_path, progress=False)
    known = contents(tmp_path)
    for folder in (".", "assets", built.configs[0].name, STATE):
        (tmp_path / folder / ".aside-0123").write_bytes(b"half")
    build([Toy(n=2)], tmp_path, progress=False)
    assert contents(tmp_path) == known
    assert not list(tmp_path.rglob(".aside-*"))


def test_row_groups_end_when_they_are_full(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "ROW_GROUP_BYTES", 8000)
    monkeypatch.setattr(Toy, "ITEMS_PER_SHARD", 20)
    build([Toy(n=20, padding=2000)], tmp_path, progress=False)
    (file,) = tmp_path.rglob("*.parquet")
    footer = pq.read_metadata(file)
    assert [footer.row_group(i).num_rows for i in range(footer.num_row_groups)] == [2] * 10


def test_no_folder_of_this_machine_gets_into_the_files(tmp_path):
    class FromFile(Toy):
        def rows(self, item):
            path = tmp_path / "private" / f"{item}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(toy_builder.picture(item))
            for row in super().rows(item):
                yield row | {"image_original": str(path)}

    build([FromFile(n=4)], tmp_path / "out", progress=False)
    (file,) = (tmp_path / "out").rglob("*.parquet")
    assert pq.read_table(file)["image_original"][2].as_py() == {
        "bytes": toy_builder.picture(2),
        "path": "2.jpg",
    }
    pushed = b"".join(p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert b"private" not in pushed


def test_items_need_a_repr_that_lasts(tmp_path):
    class Nameless(Toy):
        def items(self):
            return [object()]

    with pytest.raises(TypeError, match="has no repr that lasts; make it a dataclass"):
        build([Nameless()], tmp_path, progress=False)


def test_the_builder_serves_datasets_too(tmp_path):
    builder = Toy(n=6, bad=(2,), cache_dir=str(tmp_path))
    with pytest.warns(UserWarning, match="left out item 2: made to fail"):
        builder.download_and_prepare()
    assert len(builder.as_dataset(split="test")) == 5
    assert str(BadItem("a", "b")) == "a: b"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path):
    """100 and 500 pairs of 1 MB: what is held is a row group of 32 MB, not the data."""
    peaks = [int(child("peak_of_build", tmp_path / str(n), n, 500_000).stdout) for n in (100, 500)]
    assert peaks[1] - peaks[0] < 60e6, peaks
