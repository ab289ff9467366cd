"""The figures of a report as files, and a summary in a notebook."""

import sys
from io import BytesIO
from xml.etree import ElementTree as ET

import pytest
from PIL import Image
from support.report_tables import pair_rows, score_frame

from aas_bench.errors import InputError, MissingExtraError, UnknownNameError
from aas_bench.measure.summary import summarise
from aas_bench.pages.figures import charts
from aas_bench.pages.report import render
from aas_bench.stats.override import OUTCOMES
from aas_bench.tables.scores import ScoreTable

SVG = "{http://www.w3.org/2000/svg}"


def test_every_figure_of_the_report_can_be_drawn(summary, tmp_path):
    page, named = render(summary), charts(summary)
    assert page.count('class="chart"') == len(named) > 3
    for name, chart in named.items():
        assert str(chart.svg) in page
        file = summary.plot(tmp_path / f"{name}.svg", name=name)
        drawn = ET.fromstring(file.read_text(encoding="utf-8"))
        assert drawn.tag == f"{SVG}svg"
        assert drawn.get("viewBox") == f"0 0 {drawn.get('width')} {drawn.get('height')}"
        assert "var(" not in file.read_text(encoding="utf-8")
        shown = [each.text for each in drawn.iter(f"{SVG}text")]
        if name == "override":
            assert all(outcome in shown for outcome in OUTCOMES)
        if name.startswith("dose-"):
            assert any(text.endswith("by dose") for text in shown)
            assert all(reward in shown for reward in summary.rewards)


def test_pdf_and_png_are_what_their_names_say(summary, tmp_path):
    pytest.importorskip("cairosvg")
    pdf = summary.plot(tmp_path / "first.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    with Image.open(BytesIO(summary.plot(tmp_path / "first.PNG").read_bytes())) as image:
        drawn = ET.fromstring(summary.plot(tmp_path / "first.svg").read_text(encoding="utf-8"))
        assert image.size == tuple(2 * int(drawn.get(side)) for side in ("width", "height"))
        assert image.convert("RGB").getcolors(1 << 20) != [(image.width * image.height, (255,) * 3)]


def test_what_cannot_be_drawn_says_how_to_go_on(summary, tmp_path, monkeypatch):
    with pytest.raises(
        UnknownNameError, match=r"no figure is called 'overide'. Did you mean overr"
    ):
        summary.plot(tmp_path / "a.svg", name="overide")
    with pytest.raises(InputError, match=r"Give a file that ends in .svg, .pdf or .png"):
        summary.plot(tmp_path / "a.jpg")
    monkeypatch.setitem(sys.modules, "cairosvg", None)
    with pytest.raises(MissingExtraError, match=r"pip install .aas-bench\[plot\]"):
        summary.plot(tmp_path / "a.pdf")
    assert not list(tmp_path.iterdir())
    bare = ScoreTable.from_frame(score_frame(originals=False).drop(columns="dimensions"))
    with pytest.raises(InputError, match="no figure"):
        summarise(bare).plot(tmp_path / "a.svg")


def test_a_notebook_shows_the_table_and_three_pairs(table):
    found = summarise(table, pairs=list(pair_rows(table)))
    html = found._repr_html_()
    assert html.count("<img") == 6
    assert html.count("<tr>") == 1 + len(found.rewards)
    for name, reward in found.rewards.items():
        assert name in html
        assert f"{100 * reward.headline.value:.1f}" in html
    assert "<img" not in summarise(table)._repr_html_()


def test_what_a_notebook_shows_is_escaped():
    frame = score_frame(rewards=("<b>mine",))
    html = summarise(ScoreTable.from_frame(frame))._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;mine" in html
