"""The exported folder: whole, self-contained, hostile names as text."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.leaderboard_records import HOSTILE, SCRIPT

from aas_bench.board.export import export
from aas_bench.board.site import TABS, Site
from aas_bench.board.static import MARKER, write_static
from aas_bench.errors import InputError

APP = Path(__file__).parents[2] / "leaderboard" / "app.py"


@pytest.fixture(scope="module")
def exported(site, tmp_path_factory):
    return write_static(site, tmp_path_factory.mktemp("static") / "site").parent


class Reading(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data.strip())


def read(path):
    page = Reading()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def test_every_tab_is_a_page_that_links_to_all_others(exported):
    names = {"index.html", *(f"{tab}.html" for tab in list(TABS)[1:])}
    assert names == {file.name for file in exported.glob("*.html")}
    for name in names:
        links = {a.get("href") for tag, a in read(exported / name).tags if tag == "a"}
        assert names <= links


def test_pages_fetch_nothing_and_every_local_link_is_there(exported):
    for file in exported.glob("*.html"):
        for tag, attributes in read(file).tags:
            assert not any(name.startswith("on") for name in attributes), (file, tag)
            for name in ("src", "href"):
                address = attributes.get(name)
                if address is None or address.startswith(("#", "data:")):
                    continue
                if address.startswith("https://"):
                    assert tag == "a"
                else:
                    assert (exported / address.partition("#")[0]).is_file(), address
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', file.read_text())[1]
        assert "default-src 'none'" in policy


def test_hostile_names_are_text(exported):
    page = read(exported / "index.html")
    assert set(HOSTILE) <= set(page.texts)
    scripts = [a for tag, a in page.tags if tag == "script"]
    assert scripts == [{}]
    assert not [a for tag, a in page.tags if tag == "img"]
    assert SCRIPT in read(exported / "real-photographs-and-art.html").texts


def test_what_was_refused_and_flagged_stands_on_every_page(exported, site):
    assert "wide_spectrum/part/measured" in {each.id for each in site.results.flagged}
    for file in exported.glob("*.html"):
        text = " ".join(read(file).texts)
        assert "4 files were refused:" in text
        assert "broken.json" in text
        assert "schema version 2" in text
        assert text.count("is also that of") == 2
        assert f"{len(site.results.flagged)} results are flagged as not whole:" in text
        assert all(each.id in text and each.reason in text for each in site.results.flagged)


def test_tables_are_the_exports(exported, site):
    for name, table in site.tables.items():
        for form in ("csv", "tex"):
            assert (exported / "table" / f"{name}.{form}").read_bytes() == export(table, form)
        assert (exported / "table" / f"{name}.parquet").stat().st_size > 0


def test_an_export_is_replaced_and_anything_else_is_not(site, tmp_path):
    out = tmp_path / "site"
    first = write_static(site, out).read_bytes()
    (out / "left.html").write_text("old")
    assert write_static(site, out).read_bytes() == first
    assert not (out / "left.html").exists()
    (out / MARKER).unlink()
    with pytest.raises(InputError, match="Give another folder"):
        write_static(site, out)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["site"]


def test_a_failed_export_leaves_the_earlier_one(site, tmp_path, monkeypatch):
    out = tmp_path / "site"
    first = write_static(site, out).read_bytes()
    monkeypatch.setattr("aas_bench.pages.render.asset", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError, match="division"):
        write_static(site, out)
    assert (out / "index.html").read_bytes() == first
    assert sorted(p.name for p in tmp_path.iterdir()) == ["site"]


def test_an_empty_folder_is_a_friendly_page(tmp_path):
    (tmp_path / "results").mkdir()
    index = write_static(Site(tmp_path / "results"), tmp_path / "site")
    assert "There is no result yet" in index.read_text()
    assert "There are not two results" in (tmp_path / "site" / "compare-two.html").read_text()


def run(*arguments, cwd):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(APP), *map(str, arguments)],
        capture_output=True, text=True, cwd=cwd, env=environment, check=False,
    )  # fmt: skip


def test_a_missing_folder_is_one_line_and_exit_code_2(tmp_path):
    done = run("export", "out", "--results", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "app.py: there is no folder 'nowhere'. Give the folder of the result records.\n"
    )
    assert run("--results", "nowhere", cwd=tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_the_program_exports(tmp_path, board_folder):
    done = run("export", "out", "--results", board_folder, cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, str(Path("out/index.html")))
    assert (tmp_path / "out" / "gallery.html").is_file()


def test_the_shipped_results_have_a_page(tmp_path):
    site = Site(APP.parent / "results")
    assert site.results.refused == ()
    assert site.results.records
    published = json.loads(
        (APP.parent / "results" / "wide_spectrum" / "hpsv3" / "published.json").read_text()
    )
    assert published["measurements"][0]["value"] == 0.381
    assert "38.1" in site.page("reward-models").body.decode()
