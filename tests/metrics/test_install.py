"""Where the metrics are, and loading them by bare name in a fresh process."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aas_bench.errors import StoreError, UnknownNameError
from aas_bench.metric import install, install_metric, metric_path

CLOSED_PORT = "http://127.0.0.1:9"
LOAD = """
import json, sys
from aas_bench.metric import install_metric
paths = [str(path) for path in install_metric()]
import evaluate
preference = evaluate.load("aas_preference").compute(
    predictions=[[1.0, 2.0], [2.0, 1.0]], references=[1, 1])
override = evaluate.load("aas_override", module_type="metric").compute(
    predictions=[[8, 7, 3, 4], [6, 2, 3, 5]])
images = evaluate.load("aas_preference", "images").config_name
values = [preference["accuracy"], override["overridden_of_moved"], images]
json.dump({"paths": paths, "values": values}, sys.stdout)
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty modules cache, in this process too."""
    import evaluate.config

    modules = tmp_path / "hf" / "modules"
    monkeypatch.setattr(evaluate.config, "HF_MODULES_CACHE", modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return modules / "evaluate_modules" / "metrics"


def everything(folder):
    return {
        p.relative_to(folder): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and "__pycache__" not in p.parts
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cache", "setting"),
    [
        ("HF_HOME", {"HF_EVALUATE_OFFLINE": "1"}),
        ("HF_MODULES_CACHE", {"HF_ENDPOINT": CLOSED_PORT, "HF_UPDATE_DOWNLOAD_COUNTS": "0"}),
    ],
)
def test_the_bare_names_load_from_any_folder_without_a_network(tmp_path, cache, setting):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment = {**kept, "HF_HOME": str(tmp_path / "hf"), cache: str(tmp_path / "hf"), **setting}
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=elsewhere,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["values"] == [0.5, 0.5, "images"]
    root = tmp_path / "hf" / ("modules" if cache == "HF_HOME" else "")
    assert all(Path(path).is_relative_to(root) for path in found["paths"])
    assert not list(elsewhere.iterdir())


def test_installing_again_changes_nothing(home):
    paths = install_metric()
    assert [path.name for path in paths] == ["aas_preference.py", "aas_override.py"]
    before, stamps = everything(home), [path.stat().st_mtime_ns for path in paths]
    assert install_metric() == paths
    assert everything(home) == before
    assert [path.stat().st_mtime_ns for path in paths] == stamps


def test_the_folder_is_named_by_the_hash_of_the_script(home):
    (path,) = install_metric(["aas_override"])
    assert path.parent.name == hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.read_bytes() == Path(metric_path("aas_override"), path.name).read_bytes()
    assert path.parents[1].name == "evaluate-metric--aas_override"
    assert all((p / "__init__.py").is_file() for p in list(path.parents)[:3])


def test_an_upgrade_replaces_the_old_script_and_touches_nothing_else(home, tmp_path, monkeypatch):
    (old,) = install_metric(["aas_preference"])
    others = [
        home / "evaluate-metric--accuracy" / ("a" * 64) / "accuracy.py",
        home / "aas_preference" / ("b" * 64) / "aas_preference.py",
        home / "evaluate-metric--aas_preference" / "notes.txt",
        home / "evaluate-metric--aas_preference" / "mine" / "aas_preference.py",
    ]
    for other in others:
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_text("theirs")
    new = tmp_path / "upgraded" / "aas_preference"
    new.mkdir(parents=True)
    (new / "aas_preference.py").write_bytes(old.read_bytes() + b"\n# newer\n")
    monkeypatch.setattr(install, "metric_path", lambda name: str(new))
    (path,) = install_metric(["aas_preference"])
    assert path != old
    assert not old.parent.exists()
    assert path.read_text().endswith("# newer\n")
    assert [other.read_text() for other in others] == ["theirs"] * 4
    assert not list(home.rglob(".new-*"))


def test_a_damaged_script_is_replaced(home):
    (path,) = install_metric(["aas_preference"])
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    assert install_metric(["aas_preference"]) == [path]
    assert path.read_bytes() == whole


def test_a_kill_before_the_move_leaves_the_old_script(home, monkeypatch):
    (path,) = install_metric(["aas_preference"])
    before = everything(home)

    def full(self, target):
        msg = "disk full"
        raise OSError(msg)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StoreError, match=r"disk full. Set HF_HOME to a writable folder"):
        install_metric(["aas_override"])
    assert path.is_file()
    after = everything(home)
    assert {name: after[name] for name in before} == before
    assert not list(home.rglob(".new-*"))


def test_an_unknown_metric_names_the_known():
    with pytest.raises(UnknownNameError, match=r"mean aas_override.*aas_preference and aas_over"):
        metric_path("aas_overide")
    with pytest.raises(UnknownNameError, match="metrics are aas_preference and aas_override"):
        install_metric(["accuracy"])


def test_a_wheel_carries_the_scripts_inside_the_package(tmp_path, monkeypatch):
    packed = tmp_path / "site" / "aas_bench" / "_metrics" / "aas_preference"
    packed.mkdir(parents=True)
    (packed / "aas_preference.py").write_text("")
    module = tmp_path / "site" / "aas_bench" / "metric" / "install.py"
    monkeypatch.setattr(install, "__file__", str(module))
    assert metric_path("aas_preference") == str(packed)
    with pytest.raises(StoreError, match=r"aas_override is missing.*Install aas-bench again"):
        metric_path("aas_override")
