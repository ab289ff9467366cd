from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
from support.leaderboard_records import fill

from aas_bench.board.site import Site
from aas_bench.records.collection import load_results

LEADERBOARD = Path(__file__).parents[2] / "leaderboard"


@pytest.fixture
def leaderboard(monkeypatch, capsys):
    """Call leaderboard/run.py; its exit code, stdout and stderr."""
    program = str(LEADERBOARD / "run.py")

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", [program, *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(program, run_name="__main__")
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
    return Site(board_folder, results=load_results(board_folder))
