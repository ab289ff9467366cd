"""The notebook of the first hour runs as it stands, and shows what it promises."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "first-hour.ipynb"


def test_the_first_hour_runs(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    bars = [o for outputs in shown for o in outputs if "%|" in o.get("text", "")]
    assert bars == []
    said = [o.text for outputs in shown for o in outputs if o.get("name") == "stderr"]
    assert said == []
    result, tidy, latex, match, figure = (outputs[-1] for outputs in shown)
    assert result.data["text/plain"].startswith("24 pairs of 9 base prompts")
    assert result.data["text/html"].count("<img") == 6
    assert tidy.data["text/html"].count("<tr") > 2
    assert r"\bottomrule" in latex.text
    assert "first less second" in match.data["text/plain"]
    assert "<svg" in figure.data["image/svg+xml"]
