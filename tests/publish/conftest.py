"""Builders for the tests of the hub."""

import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "dataset_scripts"


def load_script(name):
    """A dataset script as a module."""
    spec = importlib.util.spec_from_file_location(f"{name}_script", SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look up annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def counterfactual():
    """Makes small builders of the counterfactual script."""
    script = load_script("counterfactual")

    def make(**options):
        small = {"effects": ("richness", "clarity"), "scenes": ("coffee", "rocket")}
        return script.Counterfactual(**{**small, "size": 320, "doses": (0.5, 1.0), **options})

    return make
