"""Where a number comes from."""

import json
import platform
import subprocess
from importlib import metadata

from aas_bench.run.provenance import git_revision, provenance, versions


def test_versions_are_those_installed():
    found = versions()
    assert found["numpy"] == metadata.version("numpy")
    assert found["pillow"] == metadata.version("pillow")


def test_it_is_json():
    told = json.loads(json.dumps(provenance(seed=3), allow_nan=False))
    assert told["seed"] == 3
    assert told["python"] == platform.python_version()


def test_a_seed_is_not_made_up():
    assert provenance()["seed"] is None


def test_git_revision(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        command = ["git", *identity, *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)

    git("init", "-q")
    (tmp_path / "x").write_text("1")
    git("add", "x")
    git("commit", "-qm", "x")
    commit = git("rev-parse", "HEAD").stdout.strip()
    assert git_revision(tmp_path) == commit
    (tmp_path / "x").write_text("2")
    assert git_revision(tmp_path) == f"{commit}-dirty"


def test_outside_a_repository_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_revision(tmp_path) is None


def test_without_git_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_revision(tmp_path) is None
