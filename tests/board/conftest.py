from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
from support.leaderboard_records import fill

from aas_bench.board.site import Site
from aas_bench.records.store import load_results

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"


@pytest.fixture
def program():
    """leaderboard/run.py as a module."""
    spec = importlib.util.spec_from_file_location("leaderboard_run", LEADERBOARD / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def leaderboard(program, monkeypatch, capsys):
    """Call run.py; its exit code, stdout and stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["leaderboard/run.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            program.main()
        captured = capsys.readouterr()
        return left.value.code or 0, captured.out, captured.err

    return call


@pytest.fixture
def builtin():
    """The files of the two built-in submissions, the base first."""
    folder = LEADERBOARD / "submissions"
    return [folder / "builtin_faithful.yaml", folder / "builtin_polish.yaml"]


@pytest.fixture(scope="session")
def board_folder(tmp_path_factory):
    """Records of every kind, hostile names, and files that must be refused."""
    return fill(tmp_path_factory.mktemp("records"))


@pytest.fixture(scope="session")
def board(board_folder):
    """The records of `board_folder`."""
    return load_results(board_folder)


@pytest.fixture(scope="session")
def site(board_folder):
    """The leaderboard of `board_folder`."""
    return Site(board_folder)
