"""The addresses that the live page fetches, over the application without a socket."""

import asyncio
import csv
import gzip
import io
import re
from html import escape

import pytest

pytest.importorskip("gradio")
from fastapi.testclient import TestClient

from aas_bench.board.page import SHEETS, build_app, build_blocks
from aas_bench.board.routes import api
from aas_bench.board.site import TABS, Site
from aas_bench.board.static import SHEETS as STATIC_SHEETS
from aas_bench.board.submit import answer
from aas_bench.pages.render import style
from aas_bench.records.collection import load_results

FRAGMENTS = [tab for tab in TABS if tab != "submit"]


@pytest.fixture(scope="module")
def client(site):
    with TestClient(api(lambda: site)) as client:
        yield client


@pytest.mark.parametrize("tab", FRAGMENTS)
def test_every_tab_has_its_fragment(client, tab):
    answer = client.get(f"/view/{tab}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f'data-tab="{tab}"' in answer.text


def test_a_fragment_is_computed_once_and_sent_again_only_when_it_changed(board_folder, monkeypatch):
    site = Site(board_folder, results=load_results(board_folder))
    made = []
    whole = site._fragment
    monkeypatch.setattr(site, "_fragment", lambda tab: (made.append(tab), whole(tab))[1])
    with TestClient(api(lambda: site)) as client:
        first = client.get("/view/generators", headers={"accept-encoding": "gzip"})
        again = client.get("/view/generators", headers={"if-none-match": first.headers["etag"]})
        plain = client.get("/view/generators", headers={"accept-encoding": "identity"})
    assert made == ["generators"]
    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.text == first.text
    assert gzip.decompress(site.page("generators").packed) == plain.content


def test_a_hundred_readers_at_once_get_the_same_answers(site):
    httpx = pytest.importorskip("httpx")

    async def ask():
        transport = httpx.ASGITransport(app=api(lambda: site))
        async with httpx.AsyncClient(transport=transport, base_url="http://page") as client:
            paths = ["/view/reward-models", "/view/compare-two", "/table/generators.csv"] * 34
            return paths, await asyncio.gather(*(client.get(path) for path in paths))

    paths, answers = asyncio.run(ask())
    assert {answer.status_code for answer in answers} == {200}
    for path in set(paths):
        assert len({a.content for p, a in zip(paths, answers, strict=True) if p == path}) == 1


def test_the_address_filters_and_sorts_an_export(client):
    query = {"tab": "generators", "family": "flux", "sort": "-delta", "cols": "delta"}
    answer = client.get("/table/generators.csv", params=query)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0]["name"] == "Flux Fine"
    ids = [row["record"].split("/")[1] for row in rows]
    assert ids == ["flux_fine", "flux_dev", "flux_krea", "soon"]
    assert set(rows[0]) == {"record", "status", "flag", "name", "delta", "delta_low", "delta_high"}
    assert "attachment" in answer.headers["content-disposition"]


@pytest.mark.parametrize(
    "path",
    ["/view/none", "/view/submit", "/table/none.csv", "/table/generators.exe", "/table/x",
     "/gallery/../../etc/passwd", "/view/%2e%2e"],
)  # fmt: skip
def test_what_is_not_there_is_404(client, path):
    assert client.get(path).status_code == 404


def test_two_records_are_compared_by_their_ids(client):
    ids = {"a": "wide_spectrum/gamma/measured", "b": "wide_spectrum/alpha/measured"}
    assert "−42.0 points" in client.get("/view/compare-two", params=ids).text
    strange = {"a": "<script>", "b": "../../etc/passwd"}
    answer = client.get("/view/compare-two", params=strange)
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert answer.text == client.get("/view/compare-two").text


def test_a_gallery_that_cannot_be_read_says_so_in_its_tab(board_folder, tmp_path):
    results = load_results(board_folder)
    site = Site(board_folder, gallery=str(tmp_path / "nothing"), results=results)
    with TestClient(api(lambda: site)) as client:
        answer = client.get("/view/gallery")
    assert answer.status_code == 200
    assert 'role="alert"' in answer.text
    assert client.get("/view/about").status_code == 200


def test_the_page_asks_nobody_else(site):
    with TestClient(build_app(site)) as client:
        text = client.get("/").text
        config = client.get("/config").json()
    styles = style("gradio.css", *SHEETS, dark="class") + style(*STATIC_SHEETS)
    assert "fonts.googleapis" not in text + str(config)
    assert "cdnjs" not in text
    assert config["analytics_enabled"] is False
    assert "http://" not in styles
    assert "https://" not in styles


def test_the_blocks_hold_the_tabs_but_not_the_tables(site):
    blocks = build_blocks(site)
    labels = [b.label for b in blocks.blocks.values() if type(b).__name__ == "Tab"]
    assert labels == list(TABS.values())
    assert len(str(blocks.get_config_file())) < 100_000


def test_a_link_to_the_page_says_what_it_holds(site, monkeypatch):
    monkeypatch.delenv("SPACE_HOST", raising=False)
    with TestClient(build_app(site)) as client:
        text = client.get("/").text
        picture = client.get("/preview.png")
        hostile = client.get("/", headers={"host": '"><script>'}).text
    tags = dict(
        re.findall(r'<meta (?:property|name)="((?:og|twitter):[^"]*)" content="([^"]*)"', text)
    )
    assert tags["og:title"] == "aas-bench leaderboard"
    assert tags["og:description"] == escape(site.answer)
    assert tags["og:image"] == "http://testserver/preview.png"
    assert "radio" not in "".join(tags.values())
    assert picture.content.startswith(b"\x89PNG")
    assert '"><script>' not in hostile
    monkeypatch.setenv("SPACE_HOST", "owner-board.hf.space")
    with TestClient(build_app(site)) as client:
        assert "https://owner-board.hf.space/preview.png" in client.get("/").text


def test_a_program_that_sends_nothing_gets_an_answer():
    for nothing in (None, 3, ["x"]):
        assert "The text is empty" in answer(nothing)
