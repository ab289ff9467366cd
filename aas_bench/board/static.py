"""The leaderboard as plain files: no server, nothing fetched, opens from disk."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path
from typing import Final

from markupsafe import Markup

from aas_bench.board.entries import MODEL_PAGES
from aas_bench.board.export import FORMS, export
from aas_bench.board.side_by_side import comparable, record_name
from aas_bench.board.site import TABS, Site, about
from aas_bench.pages.folder import whole_folder, write_text
from aas_bench.pages.render import render, render_page
from aas_bench.records.address import send_to

SHEETS: Final = ("board/board.css", "board/static.css")
MARKER: Final = ".aas-bench-leaderboard"
"""File that tells an exported folder, which may be replaced, from any other, which may not."""
MOST_PAIRS: Final = 300
"""Most comparisons in the page; the live page makes any."""


def write_static(site: Site, out: str | Path) -> Path:
    """Write `index.html`, one page for each further tab, `model/`, `table/` and `gallery/`.

    The folder is built aside and then put in place, so that it is whole or absent.

    Args:
        site: The leaderboard.
        out: Folder to write; an earlier export there is replaced.

    Returns:
        Path of `index.html`.

    Raises:
        InputError: `out` is a file, or a folder that holds something other than an export.
    """
    with whole_folder(out, marker=MARKER, what="an exported leaderboard") as folder:
        _fill(site, folder)
    return Path(out) / "index.html"


def _fill(site: Site, folder: Path) -> None:
    tables = folder / "table"
    tables.mkdir()
    for name, table in site.tables.items():
        for form in FORMS:
            (tables / f"{name}.{form}").write_bytes(export(table, form))
    (tables / "records.parquet").write_bytes(site.collected)
    for tab in TABS:
        file = "index" if tab == next(iter(TABS)) else tab
        write_text(folder / f"{file}.html", _page(site, tab))
    for record in site.results.records:
        for ending in ("html", "svg", "png"):
            page = folder / MODEL_PAGES / f"{record.id}.{ending}"
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_bytes(site.model(f"{record.id}.{ending}", home="index.html")[1])
    shutil.copytree(site.images, folder, dirs_exist_ok=True)


def _page(site: Site, tab: str) -> str:
    return render_page(
        "board/static.html.j2",
        *SHEETS,
        tab=tab,
        tabs=TABS,
        head=Markup(site.head()),  # noqa: S704 - rendered with autoescape
        body=Markup(_body(site, tab)),  # noqa: S704 - rendered with autoescape
        foot=Markup(site.foot()),  # noqa: S704 - rendered with autoescape
    )


def _body(site: Site, tab: str) -> str:
    if tab in site.tabs:
        return site.tab(tab, exports="table")
    if tab == "gallery":
        return site.gallery()
    if tab == "about":
        return about()
    if tab == "submit":
        return render("board/submit_static.html.j2", address=send_to())
    return _comparisons(site)


def _comparisons(site: Site) -> str:
    """Every two results of one kind, task and status, as far as there are not too many."""
    pairs = list(islice(comparable(site.results), MOST_PAIRS + 1))
    found = [(a, b, site.comparison(a, b)) for a, b in pairs[:MOST_PAIRS]]
    return render(
        "board/compare_static.html.j2",
        comparisons=[c for _, _, c in found if c is not None],
        cut=len(pairs) > MOST_PAIRS,
        record_name=record_name,
    )
