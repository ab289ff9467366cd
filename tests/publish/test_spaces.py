"""The metric Spaces, loaded by `evaluate` as users do."""

import base64
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support.loopback_hub import loopback_hub as served

from aas_bench.errors import InputError
from aas_bench.metric.install import NAMES
from aas_bench.publish.spaces import leaderboard_files, metric_files, publish_metrics, write_spaces
from aas_bench.publish.wheel import wheel
from aas_bench.records.address import SETTING, send_to
from aas_bench.version import __version__

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"
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
            "Dockerfile",
            wheel()[0],
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
    spaces = {name: metric_files(name) for name in NAMES}
    folders = write_spaces(tmp_path / "out", spaces)
    for folder in folders:
        assert {p.name: p.read_bytes() for p in folder.iterdir()} == spaces[folder.name]
    assert write_spaces(tmp_path / "out", spaces) == folders
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(InputError, match=r"holds 'mine.txt', which is none of ours. Give a new"):
        write_spaces(tmp_path / "out", spaces)
    with pytest.raises(InputError, match=r"mine.txt is a file. Give a folder"):
        write_spaces(tmp_path / "out" / "mine.txt", spaces)


def test_the_wheel_is_what_its_record_says():
    name, content = wheel()
    archive = zipfile.ZipFile(io.BytesIO(content))
    info = f"aas_bench-{__version__}.dist-info"
    rows = list(csv.reader(archive.read(f"{info}/RECORD").decode().splitlines()))
    assert [row[0] for row in rows] == archive.namelist()
    for path, digest, size in rows[:-1]:
        data = archive.read(path)
        hashed = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        assert (digest, int(size)) == (f"sha256={hashed}", len(data))
    assert {"aas_bench/py.typed", "aas_bench/_metrics/aas_override/aas_override.py"} <= {
        row[0] for row in rows
    }
    wheel.cache_clear()
    assert wheel() == (name, content), "the same code gives the same bytes"


RUN = """
import importlib.metadata, sys
import aas_bench, app
assert aas_bench.__file__.startswith(sys.argv[1]), aas_bench.__file__
files = importlib.metadata.distribution("aas-bench").files
assert all(file.locate().is_file() for file in files if ".." not in file.parts)
"""
METRIC = """
from aas_bench.pages.metric_page import build_page
assert app.PAGE.script.parent.samefile(".")
"""
BOARD = """
from aas_bench.board.site import Site
from aas_bench.records.address import send_to
assert len(Site(app.RESULTS).results.records) > 10
assert send_to() == "me/results", send_to()
"""


@pytest.fixture(scope="module")
def spaces():
    """The three Spaces on a Hub, as the commands put them there."""
    with served() as hub:
        for command in (
            ["metrics", "--repo-namespace", "me"],
            ["leaderboard", str(LEADERBOARD), "--push", "me/board", "--send-to", "me/results"],
        ):
            done = hub.run(sys.executable, "-m", "aas_bench", "publish", *command)
            assert done.returncode == 0, done.stderr
        assert hub.unknown == []
        yield hub


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "more"),
    [("aas_preference", METRIC), ("aas_override", METRIC), ("board", BOARD)],
    ids=lambda text: text.split()[0],
)
def test_a_space_runs_from_its_own_files(spaces, tmp_path, space, more):
    for name, content in spaces.files(f"me/{space}", kind="space").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (own,) = (
        line
        for line in (tmp_path / "requirements.txt").read_text().splitlines()
        if not line.startswith("gradio")
    )
    site = tmp_path / "site"
    install = ["install", "--no-index", "--no-deps", "--no-compile", "--target", str(site), own]
    python = [sys.executable, "-m", "pip", *install]
    done = subprocess.run(python, cwd=tmp_path, capture_output=True, text=True, check=False)
    if "No module named pip" in done.stderr:
        pytest.skip("needs pip")
    assert done.returncode == 0, done.stderr
    docker = (tmp_path / "Dockerfile").read_text()
    said = dict(
        line[4:].split("=", 1) for line in docker.splitlines() if line.startswith("ENV AAS")
    )
    done = subprocess.run(
        [sys.executable, "-c", RUN + more, str(site)],
        cwd=tmp_path,
        env={**os.environ, **said, "PYTHONPATH": os.pathsep.join((str(site), str(tmp_path)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_newer_wheel_takes_the_place_of_an_older_one(spaces):
    repo = spaces.repos["space", "me/aas_override"]
    old = "aas_bench-0.0.1-py3-none-any.whl"
    repo.commit("main", {**repo.files(), old: b"old", "theirs.whl": b"stays"}, "as it was")
    command = [sys.executable, "-m", "aas_bench", "publish", "metrics", "--repo-namespace", "me"]
    assert spaces.run(*command).returncode == 0
    there = repo.files()
    assert old not in there
    assert {"theirs.whl", wheel()[0]} <= set(there)


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_how_to_install_the_wheel_beside_it(spaces, name):
    card = spaces.files(f"me/{name}", kind="space")["README.md"].decode()
    assert f"https://huggingface.co/spaces/me/{name}/resolve/main/{wheel()[0]}\n" in card
    assert "weathon/" not in card
    assert "pip install aas-bench" not in card


def test_where_results_are_sent_is_checked(tmp_path, monkeypatch):
    monkeypatch.delenv(SETTING, raising=False)
    assert send_to() == "weathon/aas_bench_results"
    for address in ("me/results", "https://example.org/send", "mailto:me@example.org"):
        monkeypatch.setenv(SETTING, address)
        assert send_to() == address
    for address in ("results", "http://example.org", "javascript:alert(1)", "a/b\nRUN rm"):
        with pytest.raises(InputError, match="is no place for results"):
            leaderboard_files(LEADERBOARD, send_to=address)
    with pytest.raises(InputError, match=r"holds no app.py and results. Give the leaderboard's"):
        leaderboard_files(tmp_path)


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
