"""A page for each result: its figures, its pairs, a badge, how to cite it."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest
from PIL import Image
from support.leaderboard_records import HOSTILE

pytest.importorskip("gradio")
from fastapi.testclient import TestClient

from aas_bench.board.entries import address
from aas_bench.board.routes import api
from aas_bench.board.site import Site

RESULTS = Path(__file__).parents[2] / "leaderboard" / "results"
HPSV3 = "wide_spectrum/hpsv3/measured"


@pytest.fixture(scope="module")
def shipped():
    return Site(RESULTS)


class Reading(HTMLParser):
    """Metas, links and ids of a page, and the texts of its table of pairs."""

    def __init__(self, text):
        super().__init__()
        self.metas, self.links, self.ids, self.scripts = {}, [], set(), 0
        self.rows, self._cells, self._in = [], None, False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids.add(found.get("id"))
        self.scripts += tag == "script"
        if tag == "meta":
            self.metas[found.get("property") or found.get("name")] = found.get("content")
        if tag == "a":
            self.links.append(found["href"])
        if tag == "table":
            self._in = found.get("id") == "pair-table"
        if self._in and tag == "tr":
            self._cells = []

    def handle_data(self, data):
        if self._cells is not None and data.strip():
            self._cells.append(data.strip())

    def handle_endtag(self, tag):
        if tag == "tr" and self._cells is not None:
            self.rows.append(self._cells)
            self._cells = None


def test_the_page_holds_the_pairs_of_its_figures(shipped):
    kind, body = shipped.model(f"{HPSV3}.html")
    page = Reading(body.decode())
    assert kind == "text/html; charset=utf-8"
    frame = pd.read_parquet(RESULTS / f"{HPSV3}.parquet")
    margins = dict(zip(frame["pair_id"], frame["HPSv3_didp"] - frame["HPSv3_oidp"], strict=True))
    _, *rows = page.rows
    assert {row[0] for row in rows} == set(margins)
    for name, *_, margin, outcome in rows:
        assert float(margin.replace("−", "-")) == pytest.approx(margins[name], abs=6e-4)
        assert (margins[name] > 0) == (outcome in ("followed", "lucky"))
    assert "#outcome=overridden" in page.links
    assert "pairs" in page.ids


def test_a_link_to_it_shows_what_it_says(shipped):
    page = Reading(shipped.model(f"{HPSV3}.html")[1].decode())
    assert page.metas["og:title"] == "HPSv3 · aas-bench"
    assert "29\u202f% (24 to 34)" in page.metas["og:description"]
    image = Image.open(io.BytesIO(shipped.model(f"{HPSV3}.png")[1]))
    assert (page.metas["og:image"], image.size, image.format) == (
        "measured.png",
        (1200, 630),
        "PNG",
    )


def test_the_badge_is_xml_and_names_the_figure(shipped):
    kind, body = shipped.model(f"{HPSV3}.svg")
    root = ET.fromstring(body)
    assert kind == "image/svg+xml"
    assert "29\u202f% (24 to 34)" in root.attrib["aria-label"]


def test_every_name_in_a_table_leads_to_a_page(shipped):
    for table in shipped.tables.values():
        for row in table.rows:
            href = row.entries[0].href
            if href:
                assert href == f"model/{row.id}.html"
                shipped.model(href.removeprefix("model/"))
    assert len({address(r) for r in shipped.results.records}) == len(shipped.results.records)


def test_every_figure_in_a_table_of_results_leads_to_its_pairs(shipped):
    scored = {record.id: record.scores is not None for record in shipped.results.records}
    for name in ("reward-models", "generators", "self-test"):
        table = shipped.tables[name]
        for row in table.rows:
            for column, entry in zip(table.columns, row.entries, strict=True):
                if column.kind == "estimate" and entry.value is not None:
                    pairs = "#pairs" if scored[row.id] else ""
                    assert entry.href == f"model/{row.id}.html{pairs}"


def test_it_says_how_to_cite_both(shipped):
    text = shipped.model(f"{HPSV3}.html")[1].decode()
    (cited,) = re.findall(r"<pre[^>]*>(.*?)</pre>", text, re.S)
    assert cited.count("@") == 2
    assert cited.count("{") == cited.count("}")
    assert "Guo, Wenqi Marshall" in cited
    assert "aas-bench: HPSv3 on wide-spectrum prompts" in cited


def test_hostile_names_are_text_in_page_badge_and_citation(site):
    for i, name in enumerate(HOSTILE):
        id_ = f"wide_spectrum/hostile-{i}/published"
        text = site.model(f"{id_}.html")[1].decode()
        assert Reading(text).scripts == 1  # the kit's own
        assert "<img src=x" not in text
        ET.fromstring(site.model(f"{id_}.svg")[1])
        assert site.model(f"{id_}.png")[1].startswith(b"\x89PNG")
        assert name not in text or "<" not in name


@pytest.mark.parametrize(
    "name", ["none/none/none.html", "../secret.html", f"{HPSV3}.exe", HPSV3, "%2e%2e/x.html"]
)
def test_what_is_not_there_is_404(shipped, name):
    with TestClient(api(lambda: shipped)) as client:
        assert client.get(f"/model/{name}").status_code == 404
        assert client.get(f"/model/{HPSV3}.html").status_code == 200
