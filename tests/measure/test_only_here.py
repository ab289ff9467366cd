"""Scores become numbers in `measure/` alone: nobody else calls a statistic."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "aas_bench"
MAY = {"stats", "measure", "evidence"}
# What the metric scripts share checks what `evaluate` hands over.
CHECKS = {"read_labels", "read_scores", "read_groups"}


def called(path):
    """Functions that a file takes from the statistics; types and constants may travel."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("aas_bench.stats"):
            found |= {each.name for each in node.names if each.name.islower()}
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names if a.name.startswith("aas_bench.stats")}
    return found


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(PACKAGE.rglob("*.py")) if p.relative_to(PACKAGE).parts[0] not in MAY],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_no_statistic_is_called_elsewhere(path):
    room = path.relative_to(PACKAGE).parts[0]
    assert called(path) - (CHECKS if room == "metric" else set()) == set()


def test_the_rule_would_notice(tmp_path):
    file = tmp_path / "page.py"
    file.write_text("from aas_bench.stats.preference import Preference, preference\n")
    assert called(file) == {"preference"}
