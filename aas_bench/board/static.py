"""The leaderboard as plain files: no server, nothing fetched, opens from disk."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import tempfile
from itertools import islice
from pathlib import Path
from typing import Final

from markupsafe import Markup

from aas_bench.board.compare import comparable, record_name
from aas_bench.board.export import FORMS, export
from aas_bench.board.render import asset, render, render_view, style
from aas_bench.board.site import TABS, Site, about
from aas_bench.errors import InputError

MARKER: Final = ".aas-bench-leaderboard"
"""File that tells an exported folder, which may be replaced, from any other, which may not."""
MOST_PAIRS: Final = 300
"""Most comparisons in the page; the live page makes any."""


def write_static(site: Site, out: str | Path) -> Path:
    """Write `index.html`, one page for each further tab, `table/` and `gallery/`.

    The folder is built aside and then put in place, so that it is whole or absent.

    Args:
        site: The leaderboard.
        out: Folder to write; an earlier export there is replaced.

    Returns:
        Path of `index.html`.

    Raises:
        InputError: `out` is a file, or a folder that holds something other than an export.
    """
    target = Path(out).resolve()
    _refuse_foreign(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        _fill(site, aside)
        _put_in_place(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
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
        (folder / f"{file}.html").write_text(_page(site, tab), encoding="utf-8", newline="\n")
    shutil.copytree(site.images, folder, dirs_exist_ok=True)
    (folder / MARKER).write_text("1\n", encoding="utf-8")


def _page(site: Site, tab: str) -> str:
    script = asset("board.js")
    return render(
        "static.html.j2",
        title=TABS[tab],
        tab=tab,
        tabs=TABS,
        head=Markup(site.head()),  # noqa: S704 - rendered with autoescape
        body=Markup(_body(site, tab)),  # noqa: S704 - rendered with autoescape
        foot=Markup(site.foot()),  # noqa: S704 - rendered with autoescape
        style=Markup(style(gradio=False)),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=_sha256(script),
    )


def _body(site: Site, tab: str) -> str:
    if tab in site.views:
        return render_view(site.views[tab], exports="table")
    if tab == "gallery":
        return site.gallery()
    if tab == "about":
        return about()
    if tab == "submit":
        return render("submit_static.html.j2")
    return _comparisons(site)


def _comparisons(site: Site) -> str:
    """Every two results of one kind, task and status, as far as there are not too many."""
    pairs = list(islice(comparable(site.results), MOST_PAIRS + 1))
    found = [(a, b, site.comparison(a, b)) for a, b in pairs[:MOST_PAIRS]]
    return render(
        "compare_static.html.j2",
        comparisons=[c for _, _, c in found if c is not None],
        cut=len(pairs) > MOST_PAIRS,
        record_name=record_name,
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _refuse_foreign(target: Path) -> None:
    if target.is_dir() and ((target / MARKER).exists() or not any(target.iterdir())):
        return
    if target.exists() or target.is_symlink():
        msg = f"{target} exists and is no exported leaderboard. Give another folder."
        raise InputError(msg)


def _put_in_place(aside: Path, target: Path) -> None:
    """Rename the finished folder to its place; an earlier export goes only once that is done."""
    mask = os.umask(0)
    os.umask(mask)
    aside.chmod(0o777 & ~mask)
    if not target.exists():
        aside.rename(target)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
    target.rename(old)
    try:
        aside.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)
