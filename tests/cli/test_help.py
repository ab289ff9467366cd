"""Help texts are whole and fit 80 columns, for every command there is."""

import pytest
from typer.main import get_command

from aas_bench.cli import app


def commands(command, path=()):
    """Each command and group with the words that it is typed by."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


ALL = list(commands(get_command(app)))


def squeezed(text):
    return " ".join(text.split())


@pytest.mark.parametrize(("path", "command"), ALL, ids=[" ".join(path) or "-" for path, _ in ALL])
def test_help_is_whole(run, monkeypatch, path, command):
    monkeypatch.setenv("COLUMNS", "80")
    outcome = run(*path, "--help")
    assert outcome.code == 0
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert "…" not in outcome.out
    shown = squeezed(outcome.out)
    for option in command.params:
        if getattr(option, "help", None) and not getattr(option, "hidden", False):
            assert squeezed(option.help) in shown
    for inner in getattr(command, "commands", {}).values():
        assert squeezed(inner.help.split("\n\n")[0]) in shown
    assert squeezed(command.help.split("\n\n")[0]) in shown


def test_the_version_is_told(run):
    from aas_bench.version import __version__

    outcome = run("--version")
    assert (outcome.code, outcome.out) == (0, f"aas-bench {__version__}\n")
