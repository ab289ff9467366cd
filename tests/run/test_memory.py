"""What a scoring run holds does not grow with its pairs, and letting go changes no byte."""

import contextlib
import copy
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.engine_runs import Telltale
from support.toy_pairs import dataset, rows
from support.toy_rewards import ToyDual

from aas_bench import placebos
from aas_bench.errors import StoreError
from aas_bench.placebos import with_placebos
from aas_bench.run import directory, model
from aas_bench.run.directory import RunDirectory, open_run
from aas_bench.run.groups import UndecodedPairs
from aas_bench.run.score import score, score_into

TEXT = 4000
"""Characters of a caption: pairs that are heavy but for their images."""


def heavy(n):
    """Pairs of which each has a caption of its own, and so two placebos of its own."""
    [one] = rows(n_prompts=1, generators=("one",))
    for i in range(n):
        caption = "x" * TEXT + f" {i}"
        yield one | {
            "pair_id": f"one/{i}",
            "index": i,
            "prompt_original": caption,
            "prompt_distorted": f"{caption}, blurred",
            "dimensions": ["clarity"],
        }


def most_held(n, folder, monkeypatch):
    """Bytes of Python and of Arrow above those at the start, whenever a part is stored or read."""
    pairs, seen = dataset(heavy(n)), []
    write, read = RunDirectory.write_part, RunDirectory.part

    def held():
        return tracemalloc.get_traced_memory()[0] + pa.total_allocated_bytes()

    def noted(method):
        def call(*given):
            seen.append(held())
            return method(*given)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "write_part", noted(write))
        patch.setattr(RunDirectory, "part", noted(read))
        tracemalloc.start()
        try:
            start = held()
            done = score_into(folder / str(n), pairs, Telltale(), part_size=16, progress=False)
        finally:
            tracemalloc.stop()
    assert done.n_pairs == n
    table = pq.read_table(done.scores)
    assert table["placebos_matched"].to_pylist()[-1][1].count("x") >= TEXT
    return max(seen) - start, table.nbytes


def test_what_is_held_does_not_grow_with_the_pairs(tmp_path, monkeypatch):
    monkeypatch.setattr(placebos, "_composed", placebos._composed.__wrapped__)  # it keeps 4,096
    monkeypatch.setattr(model, "MOST_PROMPTS", 64)
    monkeypatch.setattr(directory, "ROW_GROUP", 32)
    most_held(32, tmp_path, monkeypatch)  # imports
    few, size = most_held(128, tmp_path, monkeypatch)
    many, of_many = most_held(384, tmp_path, monkeypatch)
    assert of_many - size > 256 * 4 * TEXT
    assert many - few < (of_many - size) / 8


class Scrambled:
    """Workers in this process that take turns, at parts in any order, one of them twice."""

    def __init__(self, n, seed=None):
        self.n, self.seed = n, seed

    def open(self, job):
        self.job, self.facts, self.threads = job, job.open(None), 1
        return contextlib.nullcontext(self)

    def results(self, setting, pieces, *, advance):
        order = list(pieces)
        if self.seed is not None:
            order = np.random.default_rng(self.seed).permutation(order).tolist()
        workers = [copy.copy(self.job) for _ in range(self.n)]
        for worker in workers:
            worker.begin(setting)
        workers[0].do(workers[0].read(order[0]), advance)  # and is lost before it is told
        for turn, piece in enumerate(order):
            worker = workers[turn % self.n]
            yield worker.do(worker.read(piece), advance)


@pytest.mark.usefixtures("unchecked")
def test_prompts_that_were_forgotten_come_back_the_same_whoever_meets_them(tmp_path, monkeypatch):
    """The scores tell which prompts shared a batch; each prompt recurs twice, soon or late."""
    table = [row | {"dimensions": ["clarity"]} for row in rows(n_prompts=11)]
    pairs = dataset(table[i] for i in np.random.default_rng(0).permutation(33))

    def scored(name, **options):
        score(pairs, [Telltale()], out=tmp_path / name, part_size=4, progress=False, **options)
        return (tmp_path / name / "scores.parquet").read_bytes()

    remembered = scored("remembered")
    monkeypatch.setattr(model, "MOST_PROMPTS", 20)
    whole = scored("whole")
    assert whole != remembered
    for lost in (0, 3, 4, 8):
        (tmp_path / f"whole/parts/part-{lost:05d}.sha256").unlink()
    assert scored("whole") == whole
    assert scored("one after the other", engine=Scrambled(1)) == whole
    assert scored("by turns", engine=Scrambled(2)) == whole
    for seed in range(3):
        assert scored(f"scrambled {seed}", engine=Scrambled(2, seed=seed)) == whole


@pytest.mark.usefixtures("unchecked")
def test_parts_in_any_order_are_met_once_while_nothing_is_forgotten(monkeypatch):
    """Else a part that Ray brings late would cost another look at all before it."""
    met = []
    texts = UndecodedPairs.texts
    monkeypatch.setattr(
        UndecodedPairs, "texts", lambda self, *span: met.append(span) or texts(self, *span)
    )
    pairs = dataset(rows(n_prompts=11))
    score(pairs, ToyDual(), part_size=4, progress=False, engine=Scrambled(1, seed=0))
    assert len(met) == len({*met}) < 9
    met.clear()
    monkeypatch.setattr(model, "MOST_PROMPTS", 8)
    score(pairs, ToyDual(), part_size=4, progress=False, engine=Scrambled(1, seed=0))
    assert len(met) > len({*met})


@pytest.mark.usefixtures("unchecked")
def test_a_prompt_is_encoded_again_after_it_was_forgotten_and_not_before(monkeypatch):
    pairs = dataset(rows(n_prompts=11))
    for most, times in ((22, {1}), (21, {3})):
        monkeypatch.setattr(model, "MOST_PROMPTS", most)
        toy = ToyDual()
        found = score(pairs, toy, part_size=11, progress=False)
        assert set(toy.prompts.values()) == times
        assert found.cells("toy").didp.shape == (33,)


def cut(table, sizes):
    ends = np.cumsum(sizes)
    return [
        table.slice(end - size, size).combine_chunks()
        for end, size in zip(ends, sizes, strict=True)
    ]


@pytest.mark.parametrize("sizes", [[23], [1] * 23, [5, 0, 10, 8], [7, 7, 7, 2], [0, 0, 23]])
def test_the_bytes_of_a_table_do_not_hang_on_how_it_is_cut(sizes, tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "ROW_GROUP", 5)
    names = [None if i % 7 == 0 else f"name {i % 3}" for i in range(23)]
    lists = [None if i % 5 == 0 else [float(i)] * (i % 4) for i in range(23)]
    table = pa.table({"name": names, "lists": lists, "x": np.arange(23.0)})
    with open_run(tmp_path / "run", kind="scores", spec={}) as run:
        whole = run.write_table("whole.parquet", [table], table.schema).read_bytes()
        file = run.write_table("cut.parquet", cut(table, sizes), table.schema)
    assert file.read_bytes() == whole
    found = pq.ParquetFile(file)
    assert [found.metadata.row_group(i).num_rows for i in range(5)] == [5, 5, 5, 5, 3]
    assert found.read().to_pylist() == table.to_pylist()


def test_neither_do_those_of_long_texts_that_fill_several_pages(tmp_path, monkeypatch):
    monkeypatch.setattr(directory, "ROW_GROUP", 900)
    table = pa.table({"text": [f"{i} " * 1000 for i in range(1000)]})
    with open_run(tmp_path / "run", kind="scores", spec={}) as run:
        sizes = [[1000], [450, 450, 100], [7] * 142 + [6]]
        found = [
            run.write_table(f"{i}.parquet", cut(table, each), table.schema).read_bytes()
            for i, each in enumerate(sizes)
        ]
    assert len(set(found)) == 1


def test_a_part_that_is_damaged_before_the_end_is_told_and_made_again(tmp_path, monkeypatch):
    pairs, write = dataset(rows()), RunDirectory.write_table
    score(pairs, ToyDual(), out=tmp_path / "whole", part_size=4, progress=False)

    def damaged(run, *given):
        (run.path / "parts/part-00002.parquet").write_bytes(b"nonsense")
        return write(run, *given)

    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "write_table", damaged)
        with pytest.raises(StoreError, match=r"part 2 was damaged or removed\. Repeat the comm"):
            score(pairs, ToyDual(), out=tmp_path / "run", part_size=4, progress=False)
    assert not (tmp_path / "run/scores.parquet").exists()
    score(pairs, ToyDual(), out=tmp_path / "run", part_size=4, progress=False)
    tables = [(tmp_path / run / "scores.parquet").read_bytes() for run in ("whole", "run")]
    assert tables[0] == tables[1]


def test_placebos_made_on_the_way_are_those_of_the_column():
    """One run may go on with either: the same identity, the same rows."""
    pairs = dataset(row | {"dimensions": ["clarity"]} for row in rows(n_prompts=9))
    beside = placebos.choose_placebos(pairs, None, 3, {"toy": 8})
    made = UndecodedPairs(beside.pairs, beside.made)
    held = UndecodedPairs(with_placebos(pairs, n_placebos=3))
    assert made.schema == held.schema
    assert made.fingerprint() == held.fingerprint()
    assert "placebos_matched" not in beside.pairs.column_names
    assert made.texts(5, 99) == held.texts(5, 99)
    assert len(made.texts(0, 1)[0]["placebos_matched"]) == 3
    assert [row.values for row in made.read(3, 9)] == [row.values for row in held.read(3, 9)]
    stream = UndecodedPairs(pairs.to_iterable_dataset(), beside.made)
    assert [row.values for row in stream.read(3, 9)] == [row.values for row in held.read(3, 9)]
