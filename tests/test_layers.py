"""Imports point downward: read every import, also those inside functions."""

import ast
from pathlib import Path

import pytest

from aas_bench.tasks.catalog import TASKS

PACKAGE = Path(__file__).parents[1] / "aas_bench"

LAYERS = {
    "errors": 0,
    "evidence": 0,
    "version": 0,
    "files": 1,
    "loggers": 1,
    "registry": 1,
    "words": 1,
    "tasks": 2,
    "stats": 2,
    "tables": 3,
    "sources": 4,
    "counterfactual": 4,
    "service": 4,
    "rewards": 5,
    "generators": 5,
    "rewriters": 5,
    "judges": 5,
    "run": 6,
    "measure": 7,
    "metric": 7,
    "records": 8,
    "pages": 9,
    "paper": 10,
    "publish": 11,
    "board": 11,
    "cli": 12,
    "__main__": 13,
}
FORBIDDEN_BESIDE_LOWER = {("tables", "stats"), ("tasks", "stats")}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def layer_of(path: Path) -> str:
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def own_imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "aas_bench":
            names = (
                [node.module] if "." in node.module else [f"aas_bench.{a.name}" for a in node.names]
            )
            found |= {n.split(".")[1] for n in names if "." in n}
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("aas_bench.")}
    return found - {"__version__"}


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_downward(path):
    layer = layer_of(path)
    if layer == "__init__":
        return
    assert layer in LAYERS, f"{layer} has no place in the layer table: add it, lowest that fits"
    for imported in own_imports(path) - {layer}:
        assert LAYERS[imported] < LAYERS[layer], f"{layer} must not import {imported}"
        assert (layer, imported) not in FORBIDDEN_BESIDE_LOWER


def test_every_layer_named_exists_or_is_announced():
    found = {layer_of(p) for p in modules()} - {"__init__"}
    assert found <= set(LAYERS)


def test_only_tasks_names_a_task():
    elsewhere = [path for path in modules() if layer_of(path) != "tasks"]
    literals = {
        (node.value, f"{path.relative_to(PACKAGE)}:{node.lineno}")
        for path in elsewhere
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert len(literals) > 1000
    named = sorted(where for text, where in literals if text in TASKS)
    assert not named, "a task's name belongs in aas_bench/tasks: make it a field of its row"
