"""The package as its users have it: the wheel in a place of its own, no network."""

import os
import subprocess
import sys

import pytest
from support.journeys import ROOT, Journey

# Stands in the installed place: a program of a journey must not leave this machine.
REFUSE = """
import os, socket

HERE = ("127.", "::1", "localhost")

def refuse(call):
    def guarded(self, address, *rest):
        if isinstance(address, tuple) and not str(address[0]).startswith(HERE):
            with open(os.environ["AAS_TEST_REACHED"], "a") as log:
                log.write(f"{address[0]}\\n")
            raise ConnectionError(f"no network: {address[0]}")
        return call(self, address, *rest)
    return guarded

socket.socket.connect = refuse(socket.socket.connect)
socket.socket.connect_ex = refuse(socket.socket.connect_ex)
"""


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A virtual environment with the wheel in it; what the wheel needs is this environment's.

    Workers of one run share it.
    """
    from filelock import FileLock

    pytest.importorskip("hatchling")
    pytest.importorskip("pip")
    shared = os.environ.get("PYTEST_XDIST_WORKER") is not None
    base = tmp_path_factory.getbasetemp()
    place = (base.parent if shared else base) / "installed"
    with FileLock(f"{place}.lock"):
        if not (place / "done").exists():
            _install(place)
            (place / "done").touch()
    return place


def _install(place):
    wheels = place / "wheels"
    _call(sys.executable, "-m", "venv", "--without-pip", place)
    _call(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels)
    (wheel,) = wheels.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", place / "bin" / "python", "install"]
    _call(*pip, "--no-deps", "--no-index", "--no-compile", "--quiet", wheel)
    (site,) = place.glob("lib/*/site-packages")
    # The path lines of a .pth are not sites themselves: an editable install there stays unseen.
    needed = [path for path in sys.path if path.endswith("site-packages")]
    (site / "needed.pth").write_text("\n".join(needed))
    (site / "sitecustomize.py").write_text(REFUSE)


def _call(*command):
    subprocess.run([*map(str, command)], cwd=ROOT, check=True, capture_output=True)


@pytest.fixture
def journey(installed, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    return Journey(folder=folder, installed=installed)
