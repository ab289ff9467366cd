"""The metric Spaces, loaded by `evaluate` as users do."""

import json
import sys

import pytest

from aas_bench.errors import InputError
from aas_bench.publish.spaces import metric_files, publish_metrics, write_metrics

NAMES = ["aas_preference", "aas_override"]

COMPUTE = """
import evaluate
metric = evaluate.load("weathon/aas_preference")
result = metric.compute(
    predictions=[[7.1, 3.2], [0.2, 0.9], [6.0, 4.5], [5.5, 1.0]], references=[1, 1, 1, 0]
)
assert (result["accuracy"], result["auroc"], result["n"]) == (0.5, 1.0, 4), result
override = evaluate.load("weathon/aas_override")
assert "overridden" in override.compute(predictions=[[1.0, 0.5, 0.2, 0.9]] * 4)
"""


def test_evaluate_loads_them_from_the_hub(loopback_hub, monkeypatch):
    loopback_hub.patch(monkeypatch)
    published = publish_metrics()
    assert [space.repo for space in published] == [f"weathon/{name}" for name in NAMES]
    for name in NAMES:
        there = loopback_hub.files(f"weathon/{name}", kind="space")
        assert set(there) - {".gitattributes"} == {
            "README.md",
            "app.py",
            "requirements.txt",
            f"{name}.py",
        }
    loopback_hub.run_python(COMPUTE)


def test_the_second_time_nothing_is_pushed(loopback_hub, monkeypatch):
    loopback_hub.patch(monkeypatch)
    publish_metrics(names=NAMES[:1])
    before = loopback_hub.files(f"weathon/{NAMES[0]}", kind="space")
    space = loopback_hub.repos["space", f"weathon/{NAMES[0]}"]
    space.commit("main", {**before, "app.py": b"old", "examples.json": b"[]"}, "theirs")
    (published,) = publish_metrics(names=NAMES[:1])
    assert list(published.difference.changed) == ["app.py"]
    assert space.files()["examples.json"] == b"[]", "what a maintainer added stays"
    (published,) = publish_metrics(names=NAMES[:1])
    assert published.url is None


def test_the_folder_holds_what_would_be_pushed(tmp_path):
    folders = write_metrics(tmp_path / "out")
    assert [folder.name for folder in folders] == NAMES
    for folder in folders:
        files = {p.name: p.read_bytes() for p in folder.iterdir()}
        assert files == {n: p.read_bytes() for n, p in metric_files(folder.name).items()}
    assert write_metrics(tmp_path / "out") == folders
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(InputError, match=r"holds 'mine.txt', which is none of ours. Give a new"):
        write_metrics(tmp_path / "out")
    with pytest.raises(InputError, match=r"mine.txt is a file. Give a folder"):
        write_metrics(tmp_path / "out" / "mine.txt")


def test_the_command(loopback_hub, tmp_path):
    done = loopback_hub.run(
        sys.executable, "-m", "aas_bench", "publish", "metrics", "--repo-namespace", "me", "--json"
    )
    assert done.returncode == 0, done.stderr
    published = json.loads(done.stdout)["published"]
    assert [space["repo"] for space in published] == ["me/aas_preference", "me/aas_override"]
    assert loopback_hub.files("me/aas_override", kind="space")["app.py"]
    done = loopback_hub.run(sys.executable, "-m", "aas_bench", "publish", "metrics", token=None)
    assert done.returncode == 2
    assert done.stderr == (
        "aas-bench: there is no Hub token. Log in with: hf auth login, or set HF_TOKEN.\n"
    )
    done = loopback_hub.run(
        sys.executable,
        "-m",
        "aas_bench",
        "publish",
        "metrics",
        "--dry-run",
        str(tmp_path / "out"),
        "--create-pr",
    )
    assert (done.returncode, (tmp_path / "out").exists()) == (2, False)
    assert "--dry-run pushes nothing" in done.stderr
