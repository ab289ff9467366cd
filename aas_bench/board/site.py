"""Everything the page serves, computed once for one revision of the results."""

from __future__ import annotations

import gzip
import hashlib
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from aas_bench.board.entries import Lookup, on_shelf
from aas_bench.board.export import export
from aas_bench.board.lead import marks
from aas_bench.board.model_page import PAPER, badge, model_page, preview, preview_of
from aas_bench.board.paired import ScoreFiles
from aas_bench.board.showcase import make_showcase, one_prompt
from aas_bench.board.side_by_side import Comparison, choices, compare, default_pair
from aas_bench.board.state import State, apply
from aas_bench.board.tabs.alignment_tax import alignment_tax
from aas_bench.board.tabs.generator_shift import generators
from aas_bench.board.tabs.real_images import real_images
from aas_bench.board.tabs.reward_models import headline, reward_models
from aas_bench.board.tabs.self_test import self_test
from aas_bench.board.tabs.tab import Tab
from aas_bench.errors import AasBenchError
from aas_bench.measure.measures import MEASURES
from aas_bench.pages.gallery import Gallery
from aas_bench.pages.kit import Table
from aas_bench.pages.render import render
from aas_bench.records.accept import accepted
from aas_bench.records.collection import Results, collect

TABS: Final[Mapping[str, str]] = {
    "reward-models": "Reward models",
    "generators": "Generators",
    "alignment-tax": "Alignment tax",
    "real-photographs-and-art": "Real photographs and art",
    "gallery": "Gallery",
    "compare-two": "Compare two",
    "self-test": "Self-test",
    "submit": "Submit",
    "about": "About",
}
"""Tabs in their order, by their name in addresses."""


WINDOW: Final = 200
"""Rows that the live page holds of a table at first; a longer one is filtered by the server."""
MOST_ROWS: Final = 2000
"""Rows that the live page ever holds of a table."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """An answer ready to send."""

    body: bytes
    packed: bytes
    tag: str

    @classmethod
    def of(cls, text: str) -> Page:
        """The text, also compressed, with a tag that changes with it."""
        body = text.encode()
        tag = hashlib.sha256(body).hexdigest()[:20]
        return cls(body=body, packed=gzip.compress(body, 6, mtime=0), tag=tag)


class Site:
    """The leaderboard of one folder of results.

    Args:
        folder: The folder of the records.
        gallery: What the gallery shows; see `make_showcase`.
        results: The records to show; None for those of the folder that are accepted.
        images: Where the gallery's images lie; None makes such a folder.

    Raises:
        InputError: There is no such folder.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        gallery: str | None = None,
        results: Results | None = None,
        images: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.folder = Path(folder)
        self.results: Results = accepted(self.folder) if results is None else results
        self.scores = ScoreFiles(folder=self.folder)
        self._gallery_source = gallery
        self._lock = threading.RLock()
        self._pages: dict[str, Page] = {}
        self._images = images or tempfile.TemporaryDirectory(prefix="aas-gallery-")
        self.images = Path(self._images.name)
        self._compared = lru_cache(maxsize=256)(self._compare)
        self.model = lru_cache(maxsize=256)(self._model)
        self._rows = lru_cache(maxsize=64)(self._render_rows)

    @cached_property
    def revision(self) -> str:
        """Changes with the records, and only with them."""
        digest = hashlib.sha256()
        for record in self.results.records:
            digest.update(record.to_json().encode())
        for each in self.results.refused:
            digest.update(f"{each.file}\0{each.reason}".encode())
        return digest.hexdigest()[:12]

    @cached_property
    def tabs(self) -> Mapping[str, Tab]:
        """The tabs that are tables, by name."""
        made = (
            reward_models(self.results),
            generators(self.results),
            alignment_tax(self.results, self.scores),
            real_images(self.results),
            self_test(self.results),
        )
        return {tab.name: tab for tab in made}

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """Every table by name."""
        found = [t for tab in self.tabs.values() for t in (tab.table, *tab.more)]
        return {table.name: table for table in found}

    @cached_property
    def shown(self) -> tuple[Gallery, str]:
        """The gallery, whose images lie under `images`, and what its pairs are."""
        return make_showcase(self._gallery_source, self.images)

    def warm(self) -> None:
        """Compute every tab but the gallery, so that no reader waits for it."""
        for tab in ("head", "foot", *TABS):
            if tab in self.tabs or tab in ("head", "foot", "about"):
                self.page(tab)

    def renewed(self) -> Site:
        """The leaderboard of the folder as it is now, with the gallery that is drawn already."""
        fresh = Site(self.folder, gallery=self._gallery_source, images=self._images)
        if "shown" in vars(self):
            vars(fresh)["shown"] = self.shown
        fresh.warm()
        return fresh

    def page(self, tab: str) -> Page:
        """The fragment of a tab.

        Raises:
            KeyError: There is no such tab, or it has no fragment.
        """
        if tab not in self._pages:
            with self._lock:
                if tab not in self._pages:
                    self._pages[tab] = Page.of(self._fragment(tab))
        return self._pages[tab]

    def ready(self, tab: str) -> Page | None:
        """The fragment of a tab, where it was computed before."""
        return self._pages.get(tab)

    def compared(self, a: str, b: str) -> Page:
        """The fragment of two records; "" or what is not there gives the pair to start with."""
        pair = default_pair(self.results) or ("", "")
        known = self._figures
        return self._compared(a if a in known else pair[0], b if b in known else pair[1])

    def exported(self, name: str, form: str, query: Mapping[str, str]) -> bytes:
        """A table as the address describes it.

        Raises:
            KeyError: There is no such table.
        """
        return export(apply(self.tables[name], State.read(query)), form)

    @cached_property
    def collected(self) -> bytes:
        """All measurements as one Parquet table."""
        with tempfile.TemporaryDirectory() as folder:
            return collect(self.results, Path(folder) / "records.parquet").read_bytes()

    @cached_property
    def answer(self) -> str:
        """The finding, in a sentence."""
        return headline(self.results)

    @cached_property
    def picture(self) -> bytes:
        """A PNG to show beside a link to the page: of the model that the answer is about."""
        found = marks(on_shelf(self.results, "pairs"))
        return preview(found[0].of) if found else preview_of("aas-bench", self.answer, "", "")

    def head(self) -> str:
        """Title and answer, above the tabs."""
        return render("board/head.html.j2", answer=self.answer)

    def foot(self) -> str:
        """What was refused and flagged, below the tabs."""
        return render(
            "board/foot.html.j2",
            refused=self.results.refused,
            flagged=self.results.flagged,
            n=len(self.results.records),
            revision=self.revision,
        )

    def _model(self, name: str, *, home: str = "") -> tuple[str, bytes]:
        """The page of a result (`.html`), its badge (`.svg`) or its preview (`.png`).

        Args:
            name: The record's id and one of these endings.
            home: File of the leaderboard's first page; "" where a server finds it.

        Returns:
            Media type and content.

        Raises:
            KeyError: There is no such result, or no such ending.
        """
        id_, _, ending = name.rpartition(".")
        of = self._records[id_]
        if ending == "html":
            page = model_page(of, self.scores, root="../" * (id_.count("/") + 1) + home)
            return "text/html; charset=utf-8", page.encode()
        if ending == "svg":
            return "image/svg+xml", badge(of).encode()
        if ending == "png":
            return "image/png", preview(of)
        raise KeyError(name)

    def comparison(self, a: str, b: str) -> Comparison | None:
        """Two records; None where either is not there."""
        known = self._figures
        if a not in known or b not in known:
            return None
        return compare(known[a], known[b], self.scores)

    @cached_property
    def _records(self) -> Mapping[str, Lookup]:
        flags = self.results.flags()
        return {r.id: Lookup(r, flags.get(r.id)) for r in self.results.records}

    @cached_property
    def _figures(self) -> Mapping[str, Lookup]:
        return {id_: of for id_, of in self._records.items() if of.record.measurements}

    def _compare(self, a: str, b: str) -> Page:
        text = render(
            "board/compare.html.j2",
            c=self.comparison(a, b),
            a=a,
            b=b,
            choices=choices(self.results),
        )
        return Page.of(text)

    def _fragment(self, tab: str) -> str:
        if tab in self.tabs:
            return self.tab(tab)
        makers: Mapping[str, Callable[[], str]] = {
            "gallery": self.gallery,
            "about": about,
            "head": self.head,
            "foot": self.foot,
        }
        return makers[tab]()

    def tab(self, name: str, *, exports: Literal["view", "table"] = "view") -> str:
        """The fragment of a tab that is a table.

        Args:
            name: The tab.
            exports: Whether downloads hold what the reader sees or the whole table.
        """
        tab = self.tabs[name]
        if exports == "view":
            tab = replace(tab, table=first_rows(tab.table))
        prompt, across = self.across if tab.lead else ("", [])
        return render("board/tab.html.j2", tab=tab, exports=exports, prompt=prompt, across=across)

    def rows(self, name: str, query: Mapping[str, str]) -> Page:
        """The first rows of a table as the address describes it, for a page that holds not all.

        Args:
            name: The table.
            query: As `exported`; `n`: how many rows.

        Raises:
            KeyError: There is no such table.
        """
        with self._lock:  # what many readers type at once is rendered once
            return self._rows(name, tuple(sorted(query.items())))

    def _render_rows(self, name: str, asked: tuple[tuple[str, str], ...]) -> Page:
        query = dict(asked)
        table = self.tables[name]
        wanted = query.pop("n", "")
        most = min(int(wanted), MOST_ROWS) if wanted.isdecimal() and len(wanted) < 7 else WINDOW
        state = State.read(query)
        found = apply(table, replace(state, columns=tuple(c.key for c in table.columns)))
        shown = replace(found, rows=found.rows[:most])
        return Page.of(render("board/rows.html.j2", t=shown, matching=len(found.rows)))

    @cached_property
    def across(self) -> tuple[str, list[dict[str, Any]]]:
        """One prompt and what several generators made of it, where a gallery was named."""
        if self._gallery_source is None:  # built-in photographs are a self-test
            return "", []
        try:
            return one_prompt(self.shown[0])
        except AasBenchError:  # the gallery's own tab says why
            return "", []

    def gallery(self) -> str:
        """The fragment of the gallery."""
        shown, sentence = self.shown
        return render("board/gallery.html.j2", shown=shown, sentence=sentence)


def first_rows(table: Table) -> Table:
    """The table as the live page first holds it."""
    if len(table.rows) <= WINDOW:
        return table
    state = State(columns=tuple(column.key for column in table.columns))
    found = apply(table, state).rows
    return replace(table, rows=found[:WINDOW], total=len(table.rows), matching=len(found))


def about() -> str:
    """The fragment about the method."""
    return render("board/about.html.j2", measures=MEASURES.values(), paper=PAPER)
