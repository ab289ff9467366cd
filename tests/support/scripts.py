"""The dataset scripts: as modules, as programs, and what their builds hold."""

import importlib.util
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from datasets import load_dataset
from support.pair_files import undecoded

SCRIPTS = Path(__file__).parents[2] / "dataset_scripts"


def script(name):
    """A dataset script as a module."""
    spec = importlib.util.spec_from_file_location(f"{name}_script", SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look up annotations
    spec.loader.exec_module(module)
    return module


def program(name, *arguments, **environment):
    """A dataset script as its users run it; settings of None are taken away."""
    settings = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, SCRIPTS / f"{name}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={n: value for n, value in settings.items() if value is not None},
    )


@dataclass(frozen=True)
class Done:
    """What a program left."""

    returncode: int
    stdout: str
    stderr: str


def call(name, *arguments):
    """The same within this process, which is quicker."""
    out, err = io.StringIO(), io.StringIO()
    argv = [f"{name}.py", *map(str, arguments)]
    with mock.patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err):
        try:
            script(name).main()
        except SystemExit as exit:
            return Done(exit.code or 0, out.getvalue(), err.getvalue())
    return Done(0, out.getvalue(), err.getvalue())


def rows(folder, config=None):
    """The rows of a build, images as bytes."""
    return undecoded(load_dataset(str(folder), config, split="test"))


def notes(folder, kind="fault"):
    """What a build noted: (item, reason)."""
    lines = (folder / ".build" / "faults.jsonl").read_text(encoding="utf-8").splitlines()
    return [(n["item"], n["reason"]) for n in map(json.loads, lines) if n["kind"] == kind]
