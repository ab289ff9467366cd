"""Several workers, by processes of one machine or by Ray: the table of one process, byte for byte.

A worker starts in seconds (it imports torch), so each kind of run is made once and looked at often.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import engine_runs, tiny_models
from support.engine_runs import PART_SIZE, DiesOnce

from aas_bench.errors import BackendError, InputError
from aas_bench.rewards.adapters import CallableReward
from aas_bench.run.devices import Devices
from aas_bench.run.judge import judge
from aas_bench.run.ray_cluster import RayCluster, processors_of_actor
from aas_bench.run.score import score

pytestmark = pytest.mark.slow


def scored(out, rewards, engine=None, pairs=None):
    pairs = engine_runs.pairs() if pairs is None else pairs
    score(pairs, rewards, out=out, part_size=PART_SIZE, engine=engine, progress=False)
    return (out / "scores.parquet").read_bytes()


@pytest.fixture(scope="module")
def rewards(tmp_path_factory):
    """A callable, one that tells of its batches, and a tiny CLIP that each worker loads by name."""
    folder = tiny_models.clip_folder(tmp_path_factory.mktemp("clip"), "saved")
    return [engine_runs.light, engine_runs.Telltale(), f"clip=hf:{folder}"]


@pytest.fixture(scope="module")
def undisturbed(rewards, tmp_path_factory):
    """The run of one process, and its table."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    return out, scored(out, rewards)


@pytest.fixture(scope="module")
def ray():
    """One cluster of two processors for all tests of this file."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_BACKEND_LOG_LEVEL", "fatal")
        ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
            object_store_memory=200 * 2**20,
        )
        yield ray
        ray.shutdown()


def thirds():
    """Every third pair of all."""
    return engine_runs.pairs().select(range(1, 198, 3))


def without_parts(run, out, lost, parts="parts"):
    """A run, or its last round, that was killed when these parts were missing."""
    (out / parts).mkdir(parents=True)
    for file in (run / "manifest.json", *sorted((run / parts).iterdir())):
        if not any(f"part-{n:05d}" in file.name for n in lost):
            (out / file.relative_to(run)).write_bytes(file.read_bytes())


def test_placebos_and_both_models_are_in_the_table(undisturbed):
    """What the other tests compare is no empty table."""
    import pyarrow.parquet as pq

    table = pq.read_table(undisturbed[0] / "scores.parquet")
    assert table.num_rows == 198
    assert {"light_didp", "clip_didp", "placebos_matched"} <= {*table.column_names}
    assert len(set(table["clip_didp"].to_pylist())) > 150


def test_one_process_finishes_what_others_began(undisturbed, rewards, tmp_path):
    run, table = undisturbed
    without_parts(run, tmp_path / "run", lost=(1, 2, 11))
    assert scored(tmp_path / "run", rewards) == table


@pytest.fixture(scope="module")
def grown(rewards, tmp_path_factory):
    """Runs of a third of the pairs, and of all of them after it: folders and the last table.

    Of the first round's models one tells of its batches, which hang on what was known; the tiny
    CLIP comes later.
    """
    few, out = tmp_path_factory.mktemp("few") / "run", tmp_path_factory.mktemp("grown") / "run"
    scored(few, rewards[:2], pairs=thirds())
    shutil.copytree(few, out)
    return few, out, scored(out, rewards)


def test_a_run_grows_on_devices_as_in_one_process(grown, rewards, tmp_path):
    few, _, table = grown
    assert (
        scored(tmp_path / "run", rewards[:2], Devices("cpu,cpu"), thirds())
        == (few / "scores.parquet").read_bytes()
    )
    assert scored(tmp_path / "run", rewards, Devices("cpu,cpu")) == table


def test_one_process_grows_what_ray_goes_on_with(grown, rewards, tmp_path, ray):
    few, out, table = grown
    shutil.copytree(few, tmp_path / "run")
    without_parts(out, tmp_path / "run", lost=(0, 1, 8, 12), parts="parts-2")
    assert scored(tmp_path / "run", rewards, RayCluster(cores=2)) == table
    told = [json.loads((run / "run.json").read_text()) for run in (out, tmp_path / "run")]
    assert told[0]["n_scored_by_this_command"] > told[1]["n_scored_by_this_command"] > 0
    assert told[0]["checks"] == told[1]["checks"]


def test_a_grown_run_holds_the_scores_of_one_made_at_once(grown, undisturbed):
    import pyarrow.parquet as pq

    once, later = (pq.read_table(run / "scores.parquet") for run in (undisturbed[0], grown[1]))
    names = [name for name in later.column_names if name.startswith("light_")]
    assert len(names) > 4
    assert later.select(["pair_id", *names]).equals(once.select(["pair_id", *names]))


class Overtaken:
    """One worker to which the second of two parts comes first, as Ray may order what is read."""

    def open(self, job):
        self.job, self.facts, self.threads = job, job.open(None), 1
        return contextlib.nullcontext(self)

    def results(self, setting, pieces, *, advance):
        self.job.begin(setting)
        for piece in sorted(pieces, key=lambda number: number ^ 1):
            yield self.job.do(self.job.read(piece), advance)


def test_the_checks_of_a_run_are_those_of_its_first_part_whoever_is_done_first(
    undisturbed, rewards, tmp_path
):
    assert scored(tmp_path / "run", rewards, Overtaken()) == undisturbed[1]
    told = [
        json.loads((run / "run.json").read_text()) for run in (undisturbed[0], tmp_path / "run")
    ]
    assert told[0]["checks"] == told[1]["checks"]
    assert told[0]["checks"]["clip"]


def test_a_killed_device_worker_is_told_and_its_part_made_again(tmp_path):
    rng = np.random.default_rng(int.from_bytes(os.urandom(4), "big"))
    dies = CallableReward(DiesOnce(tmp_path, at=int(rng.integers(1, 300))), name="light")
    whole = scored(tmp_path / "whole", CallableReward(DiesOnce(tmp_path, at=10**9), name="light"))
    with pytest.raises(BackendError, match=r"worker on cpu was killed \(SIGKILL\).*same command"):
        scored(tmp_path / "run", dies, Devices("cpu,cpu"))
    stored = sorted((tmp_path / "run" / "parts").glob("*.parquet"))
    assert len(stored) == 12  # thirteen parts, but for the one that was under way
    assert scored(tmp_path / "run", dies, Devices("cpu")) == whole


def test_ray_replaces_a_killed_worker(tmp_path, ray):
    rng = np.random.default_rng(int.from_bytes(os.urandom(4), "big"))
    dies = CallableReward(DiesOnce(tmp_path, at=int(rng.integers(1, 300))), name="light")
    whole = scored(tmp_path / "whole", CallableReward(DiesOnce(tmp_path, at=10**9), name="light"))
    assert scored(tmp_path / "run", dies, RayCluster()) == whole
    assert (tmp_path / "died").exists()


def test_work_that_stands_still_on_ray_is_an_error(tmp_path, ray, monkeypatch):
    """Two actors that are given both processors leave none to read with."""
    monkeypatch.setattr("aas_bench.run.ray_cluster.processors_of_actor", float)
    monkeypatch.setattr("aas_bench.run.ray_cluster.KEPT_FREE", 0.0)
    with pytest.raises(BackendError, match=r"nothing was done .* 2 actors ask for 1 CPU each"):
        scored(tmp_path / "run", engine_runs.light, RayCluster(stalled_after=8))


def test_actors_leave_processors_to_read_with():
    for cores in (1, 2, 3, 8, 64):
        assert 0 < processors_of_actor(cores) < cores


def test_workers_end_with_the_process_that_asked(tmp_path):
    """Killed outright, it can tell nobody; nothing may go on without it."""
    program = (
        "from support import engine_runs\n"
        "from aas_bench.run.devices import Devices\n"
        "from aas_bench.run.score import score\n"
        f"score(engine_runs.pairs(), engine_runs.slow, out={str(tmp_path / 'run')!r}, "
        "part_size=4, engine=Devices('cpu,cpu'), progress=False)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen([sys.executable, "-c", program], env=environment) as process:
        parts = tmp_path / "run" / "parts"
        deadline = time.monotonic() + 60
        while not list(parts.glob("*.sha256")) and time.monotonic() < deadline:
            time.sleep(0.05)
        children = children_of(process.pid)
        assert len(children) == 2
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(map(is_running, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, children))


def children_of(pid):
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in told.split()]


def is_running(pid):
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return told.rpartition(")")[2].split()[0] != "Z"


def test_an_error_of_a_worker_is_the_error_of_the_run(tmp_path):
    def broken(images, prompts):
        raise ZeroDivisionError("no light")

    with pytest.raises(InputError, match=r"broken.* raised ZeroDivisionError .no light"):
        scored(tmp_path / "run", broken, Devices("cpu"))


@pytest.mark.parametrize("names", ["", "gpu", "0,0", "cpu,0", "0,,1"])
def test_devices_that_cannot_be_are_refused(names):
    with pytest.raises(InputError, match="--devices"):
        Devices(names)


def test_judges_of_devices_say_what_one_process_says(tmp_path):
    pairs = engine_runs.pairs(n_prompts=20)
    tables = []
    for name, engine in (("one", None), ("two", Devices("cpu,cpu"))):
        options = {"out": tmp_path / name, "cache": tmp_path / "cache", "progress": False}
        judge(pairs, engine_runs.darker, engine=engine, prompts="both", **options)
        files = ("judged.parquet", "scores.parquet")
        tables.append([(tmp_path / name / file).read_bytes() for file in files])
    assert tables[0] == tables[1]


def test_judges_on_ray_say_what_one_process_says(tmp_path, ray):
    pairs = engine_runs.pairs(n_prompts=10)
    tables = []
    for name, engine in (("one", None), ("ray", RayCluster(cores=2))):
        options = {"out": tmp_path / name, "cache": tmp_path / "cache", "progress": False}
        judge(pairs, engine_runs.darker, engine=engine, **options)
        tables.append((tmp_path / name / "judged.parquet").read_bytes())
    assert tables[0] == tables[1]


def test_a_judge_that_is_a_service_takes_no_devices(tmp_path):
    with pytest.raises(InputError, match="openai:m asks a service"):
        judge(engine_runs.pairs(4), "openai:m", out=tmp_path / "run", engine=Devices("cpu"))


def test_a_cluster_that_does_not_answer_is_told_at_once(tmp_path):
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(InputError, match=rf"no Ray cluster answers at {address}.*ray start"):
        scored(tmp_path / "run", engine_runs.light, RayCluster(address=address))


@pytest.mark.parametrize(("mode", "told"), [(None, "RAY_AUTH_MODE=token"), ("token", "out.$")])
def test_a_cluster_that_asks_for_a_token_is_told_of(tmp_path, monkeypatch, mode, told):
    """Ray says of a missing token only that it could not connect."""
    ray = pytest.importorskip("ray")

    def refuse(**_):
        raise ConnectionError("Failed to connect to Ray cluster at 127.0.0.1:6379")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    if mode:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)
    with pytest.raises(InputError, match=told):
        scored(tmp_path / "run", engine_runs.light, RayCluster(address="auto"))


def test_a_client_of_ray_is_no_cluster():
    with pytest.raises(InputError, match=r"ray://a:10001.*--address auto"):
        RayCluster(address="ray://a:10001")


def test_object_storage_is_no_folder_for_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="is an address and no folder"):
        score(engine_runs.pairs(4), engine_runs.light, out="s3://bucket/run", progress=False)
    assert not list(tmp_path.iterdir())


def test_a_stream_takes_no_devices(tmp_path):
    stream = engine_runs.pairs(4).to_iterable_dataset()
    with pytest.raises(InputError, match="--streaming"):
        scored(tmp_path / "run", engine_runs.light, Devices("cpu"), pairs=stream)
