"""Imports point downward and never in a circle: read every import, wherever it stands.

Imports inside functions and those for type checkers only count like any other.
"""

import ast
import importlib
import inspect
from collections import Counter
from pathlib import Path

import pytest

from aas_bench.tasks.catalog import TASKS

PACKAGE = Path(__file__).parents[1] / "aas_bench"
DOORS = ("dataset_scripts", "leaderboard")
"""Folders of programs outside the package that compute nothing themselves."""

LAYERS = {
    "errors": 0,
    "bodies": 0,
    "evidence": 0,
    "version": 0,
    "files": 1,
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
    "checks": 6,
    "placebos": 6,
    "run": 7,
    "measure": 8,
    "serving": 8,
    "metric": 9,
    "diagnosis": 9,
    "records": 9,
    "pages": 10,
    "paper": 11,
    "publish": 12,
    "board": 12,
    "people": 12,
    "viewer": 12,
    "cli": 13,
    "__main__": 14,
}
FORBIDDEN_BESIDE_LOWER = {("tables", "stats"), ("tasks", "stats")}
MAY_USE_STATISTICS = {"stats", "measure", "evidence", "metric"}
MAY_SHARE_A_NAME = {"__init__", "base", "catalog"}


def modules(package=PACKAGE):
    """Every file of a package by the name it is imported by."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = (package.name, *path.relative_to(package).with_suffix("").parts)
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imported(path, known):
    """Module and name of each import of our own; the name is None where a module is imported."""
    top = next(iter(known)).partition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == top:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield (inner, None) if inner in known else (node.module, alias.name)
        if isinstance(node, ast.Import):
            yield from ((a.name, None) for a in node.names if a.name.partition(".")[0] == top)


def layer_of(module):
    return module.split(".")[1] if "." in module else "__init__"


def upward(known):
    """Imports of a layer that is not lower; the package's own front only resolves names."""
    for module, path in known.items():
        here = layer_of(module)
        for target, name in imported(path, known):
            there = layer_of(target)
            if there in (here, "__init__") or here == "__init__":
                continue
            if LAYERS[there] >= LAYERS[here] or (here, there) in FORBIDDEN_BESIDE_LOWER:
                yield f"{module} imports {target}" + (f".{name}" if name else "")


def circles(known):
    """Groups of files that reach each other by imports."""
    edges = {m: {t for t, _ in imported(path, known)} - {m} for m, path in known.items()}
    reached = {module: _reach(module, edges) for module in edges}
    found = {
        frozenset(other for other in reached[module] if module in reached.get(other, ()))
        for module in edges
        if module in reached[module]
    }
    return sorted(" <-> ".join(sorted(group)) for group in found)


def _reach(start, edges):
    found, left = set(), [start]
    while left:
        new = edges.get(left.pop(), set()) - found
        found |= new
        left += new
    return found


def statistics_used(files, known):
    """Statistics imported by these files.

    What an import gives is looked up: a class, an alias of types or a constant may travel, as an
    `Estimate` does from the measuring room to a page; a function, or a module as a whole, computes.
    """
    for path in files:
        for target, name in imported(path, known):
            if layer_of(target) != "stats":
                continue
            if name is None or inspect.isroutine(getattr(importlib.import_module(target), name)):
                yield f"{path.parent.name}/{path.name} imports {target}" + (
                    f".{name}" if name else ""
                )


def names_twice(known):
    """File names that stand for two things."""
    stems = Counter(path.stem for path in known.values())
    return sorted(s for s, n in stems.items() if n > 1 and s not in MAY_SHARE_A_NAME)


def test_every_layer_has_a_place():
    missing = {layer_of(module) for module in modules()} - {"__init__", *LAYERS}
    assert not missing, "they have no place in the layer table: add them, lowest that fits"


def test_imports_point_downward():
    assert list(upward(modules())) == []


def test_no_file_imports_itself_in_a_circle():
    assert circles(modules()) == []


def test_statistics_are_computed_in_the_measuring_room_only():
    known = modules()
    files = [p for m, p in known.items() if layer_of(m) not in MAY_USE_STATISTICS]
    files += [p for door in DOORS for p in sorted((PACKAGE.parent / door).glob("*.py"))]
    assert list(statistics_used(files, known)) == []


def test_a_file_name_means_one_thing():
    assert names_twice(modules()) == []


def test_only_tasks_names_a_task():
    elsewhere = [path for module, path in modules().items() if layer_of(module) != "tasks"]
    literals = {
        (node.value, f"{path.relative_to(PACKAGE)}:{node.lineno}")
        for path in elsewhere
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert len(literals) > 1000
    named = sorted(where for text, where in literals if text in TASKS)
    assert not named, "a task's name belongs in aas_bench/tasks: make it a field of its row"


@pytest.fixture
def house(tmp_path):
    """A package of the given files."""

    def build(**files):
        package = tmp_path / "aas_bench"
        for name, text in files.items():
            file = package.joinpath(*name.split("__")).with_suffix(".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return modules(package)

    return build


TYPE_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "
INSIDE = "def f():\n    "


@pytest.mark.parametrize("where", ["", TYPE_ONLY, INSIDE])
def test_a_circle_of_two_files_is_seen(house, where):
    back = f"{where}from aas_bench.tables import a\n"
    known = house(tables__a="from aas_bench.tables.b import x\n", tables__b=back)
    assert circles(known) == ["aas_bench.tables.a <-> aas_bench.tables.b"]
    assert list(upward(known)) == []


def test_a_chain_is_no_circle(house):
    chain = {
        "tables__a": "from aas_bench.tables.b import x\nfrom aas_bench.tables.c import x\n",
        "tables__b": "import aas_bench.tables.c\n",
        "tables__c": "x = 1\n",
    }
    assert circles(house(**chain)) == []


@pytest.mark.parametrize("where", ["", TYPE_ONLY, INSIDE])
@pytest.mark.parametrize("how", ["from aas_bench.pages.b import x", "import aas_bench.pages.b"])
def test_an_upward_import_is_seen(house, where, how):
    known = house(measure__a=f"{where}{how}\n", pages__b="from aas_bench.measure import a\n")
    [found] = upward(known)
    assert found.startswith("aas_bench.measure.a imports aas_bench.pages.b")


def test_a_statistic_is_told_from_a_type(house):
    typed = "from aas_bench.stats.estimate import Estimate, Scores\n"
    computed = "from aas_bench.stats.preference import preference\n"
    whole = "from aas_bench.stats import preference\n"
    files = house(pages__a=typed + computed, pages__b=whole)
    found = statistics_used([files[f"aas_bench.pages.{n}"] for n in "ab"], modules())
    assert list(found) == [
        "pages/a.py imports aas_bench.stats.preference.preference",
        "pages/b.py imports aas_bench.stats.preference",
    ]


def test_a_name_given_twice_is_seen(house):
    known = house(tables__a="", pages__a="", tables__base="", pages__base="")
    assert names_twice(known) == ["a"]
