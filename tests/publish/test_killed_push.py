"""Killed at any instant of a push: readers find the old rows or the new ones, whole."""

import subprocess
import sys

import pytest
from support.toy_builder import Toy

from aas_bench.publish.build import build
from aas_bench.publish.push import publish
from aas_bench.publish.sync import Target

REPO = "weathon/toy"
READ = """
from datasets import load_dataset
rows = load_dataset("weathon/toy", split="test")
print(len(rows), len({row["pair_id"] for row in rows}))
"""


@pytest.mark.parametrize(
    ("method", "within", "nth", "late", "n_rows"),
    [
        ("PUT", "/_lfs/", 1, False, 8),  # in the middle of a large file
        ("POST", "/commit/", 1, False, 8),  # all large files arrived
        ("POST", "/commit/", 1, True, 12),  # committed, and never told so
        ("POST", "/tag/", 1, False, 12),  # committed, without its tag
    ],
)
def test_whole_old_or_whole_new(
    loopback_hub, tmp_path, monkeypatch, method, within, nth, late, n_rows
):
    hub = loopback_hub
    hub.patch(monkeypatch)
    publish(build([Toy(n=8)], tmp_path / "one", progress=False), Target(repo=REPO))
    repo = hub.repos["dataset", REPO]
    old = repo.resolve("main")
    options = ("--n", "12", "--dry-run", str(tmp_path / "two"), "--push", REPO, "--no-create-pr")
    command = (sys.executable, "-m", "support.toy_builder", "main", *options)
    processes = []
    hub.interrupt(method, within, lambda: processes[0].kill(), nth=nth, late=late)
    processes.append(
        subprocess.Popen(command, env=hub.environment(), stdout=subprocess.DEVNULL, stderr=-1)
    )
    processes[0].communicate(timeout=120)
    assert processes[0].returncode == -9
    assert (repo.resolve("main") == old) == (n_rows == 8)
    assert hub.run_python(READ).split() == [str(n_rows)] * 2
    done = hub.run(*command)
    assert done.returncode == 0, done.stderr
    assert hub.run_python(READ).split() == ["12", "12"]
    assert repo.tags == {"v1": old, "v2": repo.resolve("main")}
    assert len([title for title in repo.titles.values() if title.startswith("Publish")]) == 2
