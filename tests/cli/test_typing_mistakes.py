"""Each typing mistake is answered with one line that names what was meant, and exit code 2."""

import shlex

import pytest
from support.typing_mistakes import MISTAKES, write_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("typed")
    write_files(folder)
    return folder


@pytest.mark.parametrize(("typed", "named"), MISTAKES.items(), ids=list(MISTAKES))
def test_a_typing_mistake(run, folder, monkeypatch, typed, named):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    outcome = run(*shlex.split(typed))
    assert outcome.code == 2, outcome.err
    (line,) = outcome.err.splitlines()
    assert line.startswith("aas-bench: ")
    assert named in line
    assert len(line) < 500
    assert outcome.out == ""
    assert not (folder / "r").exists()


def test_there_are_forty():
    assert len(MISTAKES) >= 40
