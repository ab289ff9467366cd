"""The Space folders: cards whose examples run, and scripts that evaluate's scanner accepts."""

import doctest
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from evaluate.loading import get_imports

from aas_bench.metric import metric_path
from aas_bench.metric.install import NAMES

SECTIONS = (
    "Metric Description",
    "How to Use",
    "Inputs",
    "Output Values",
    "Values from Popular Papers",
    "Examples",
    "Limitations and Bias",
    "Citation",
    "Further References",
)


def card(name):
    _, head, body = (Path(metric_path(name)) / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


def examples_fail(text, name, names):
    test = doctest.DocTestParser().get_doctest(text, names, name, name, 0)
    assert test.examples
    return doctest.DocTestRunner().run(test).failed


@pytest.mark.parametrize("name", NAMES)
def test_the_front_matter_is_that_of_a_metric_space(name):
    head, _ = card(name)
    assert head["title"] == name
    assert (head["sdk"], head["app_port"], head["pinned"]) == ("docker", 7860, False)
    assert head["tags"] == ["evaluate", "metric"]
    assert head["description"]
    folder = Path(metric_path(name))
    assert {"app.py", "requirements.txt", f"{name}.py"} <= {p.name for p in folder.iterdir()}
    assert "aas-bench" in (folder / "requirements.txt").read_text().split()


@pytest.mark.parametrize("name", NAMES)
def test_the_card_has_the_sections_and_names_every_key(name, load):
    _, body = card(name)
    headings = re.findall(r"^#+ (.+)$", body, flags=re.MULTILINE)
    assert [h for h in headings if h in SECTIONS] == list(SECTIONS)
    assert "2512.11883" in body
    row = [1.0, 2.0, 4.0, 3.0]
    result = load(name).compute(predictions=[row, row[::-1]], references=[1, 0])
    for key in result:
        assert f"`{key}`" in body or key.endswith("_ci"), key


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_the_card_run(name):
    blocks = re.findall(r"```python\n(.*?)```", card(name)[1], flags=re.DOTALL)
    assert examples_fail("\n".join(blocks), name, {}) == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_the_script_run(name, load):
    text = load(name).inputs_description
    names = {"evaluate": SimpleNamespace(load=load)}
    assert examples_fail(text, name, names) == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_script_is_a_thin_door_that_the_scanner_accepts(name):
    script = Path(metric_path(name)) / f"{name}.py"
    assert len(script.read_text("utf-8").splitlines()) < 20
    kinds = {kind for kind, *_ in get_imports(str(script))}
    packages = {package for _, package, *_ in get_imports(str(script))}
    assert kinds == {"library"}
    assert packages == {"aas_bench", "evaluate"}
