"""The viewer's page: every choice is in the address, so that a pair can be linked to."""

from __future__ import annotations

import io
import secrets
import textwrap
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from aas_bench.errors import InputError
from aas_bench.measure.part import FACTS, Parts
from aas_bench.measure.rows import members
from aas_bench.measure.summary import STANDARD, VERDICTS
from aas_bench.pages.gallery import LABELS, decimals_of, marked_words, score_text
from aas_bench.pages.loopback import LoopbackHandler, LoopbackServer, hashed
from aas_bench.pages.pictures import FULL_PX, JPEG_QUALITY, THUMBNAIL_PX
from aas_bench.pages.render import asset, render, style
from aas_bench.pages.report_tables import part_table
from aas_bench.tables.images import open_image
from aas_bench.tables.schema import CELLS, LABEL, MODEL, PAIR_ID, PROMPT_DISTORTED, PROMPT_ORIGINAL
from aas_bench.tasks.task import Task
from aas_bench.viewer.choice import PAGE, SORTS, Choice, Selection, select
from aas_bench.viewer.runs import SIDES, Opened, Side
from aas_bench.words import level

_SCRIPT: Final = "view.js"
_SHEET: Final = "view.css"
_SIZES: Final = {"small": THUMBNAIL_PX, "full": FULL_PX}
_MOST_BESIDE: Final = 6
"""Reward models that a card has room for."""
_MOST_KEPT: Final = 64 * 2**20
"""Bytes of images that are at hand for the next look."""
_DECODING: Final = 2
"""Images decoded at once: one may take some hundred megabytes."""
_WIDTH: Final = 34
_NAMED: Final = ("effect", "dose", MODEL)


class ViewerServer(LoopbackServer):
    """Serves one run.

    Args:
        opened: The run.
        port: 0 takes a free one.
        task: The task of the pairs, where it is known.

    Raises:
        InputError: The port is taken.
    """

    def __init__(self, opened: Opened, *, port: int = 0, task: Task | None = None) -> None:
        self.opened = opened
        self.parts = Parts(opened.table, task=task)
        # Of this run alone: a browser must not show an earlier run's images at the same address.
        self.run = secrets.token_hex(4)
        self.selection = lru_cache(maxsize=8)(self._selection)
        self._images: OrderedDict[tuple[int, Side, str], bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._decoding = threading.Semaphore(_DECODING)
        self.ids = pd.Index(opened.table.frame[PAIR_ID])
        cells = {name: self.parts.cells(name) for name in opened.table.rewards}
        self.decimals = {name: decimals_of(each) for name, each in cells.items()}
        self.sheet, self.script = style(_SHEET), asset(_SCRIPT)
        policy = (
            "default-src 'none'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
            f"frame-ancestors 'none'; style-src {hashed(self.sheet)}; "
            # Bars say where they end in an attribute; it holds numbers of ours.
            f"style-src-attr 'unsafe-inline'; script-src {hashed(self.script)}"
        )
        super().__init__(port, _Handler, policy=policy)

    def _selection(self, query: str) -> Selection:
        return select(self.parts, Choice.of(dict(_given(query)), self.parts))

    def image(self, row: int, side: Side, size: str) -> bytes:
        """An image as JPEG.

        Raises:
            InputError: There is none, it is too large, or it cannot be read.
        """
        key = row, side, size
        found = self._kept(key)
        if found is not None:
            return found
        with self._decoding:
            found = self._kept(key)  # a page asks for it while another is at it
            if found is None:
                image = open_image(self.opened.images.cell(row, side), name="the image")
                image.thumbnail((_SIZES[size], _SIZES[size]))  # in place: it is ours
                buffer = io.BytesIO()
                image.save(buffer, "JPEG", quality=JPEG_QUALITY)
                found = self._keep(key, buffer.getvalue())
        return found

    def _kept(self, key: tuple[int, Side, str]) -> bytes | None:
        with self._lock:
            if key in self._images:
                self._images.move_to_end(key)
            return self._images.get(key)

    def _keep(self, key: tuple[int, Side, str], content: bytes) -> bytes:
        with self._lock:
            self._images[key] = content
            while sum(map(len, self._images.values())) > _MOST_KEPT:
                self._images.popitem(last=False)
        return content


class _Handler(LoopbackHandler):
    """One request."""

    server: ViewerServer

    def get(self) -> None:
        """The list, a pair or an image."""
        address = urlsplit(self.path)
        given = _given(address.query)
        if address.path == "/":
            self._page(given, _listed(self.server, Choice.of(given, self.server.parts)))
        elif address.path == "/pair":
            found = _alone(self.server, Choice.of(given, self.server.parts), given.get("pair", ""))
            if found is None:
                self.refuse(HTTPStatus.NOT_FOUND, "There is no such pair.")
            else:
                self._page(given, found)
        elif address.path == "/image":
            self._image(given)
        else:
            self.refuse(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _page(self, given: Mapping[str, str], values: Mapping[str, Any]) -> None:
        server = self.server
        page = render(
            "view.html.j2",
            style=Markup(server.sheet),  # noqa: S704 - our own file
            script=Markup(server.script),  # noqa: S704 - our own file
            opened=server.opened,
            level=level(STANDARD.confidence_level),
            **values,
        )
        self.send(page.encode(), "text/html; charset=utf-8")

    def _image(self, given: Mapping[str, str]) -> None:
        row, side, size = given.get("row", ""), given.get("side"), given.get("size", "small")
        known = row.isdecimal() and len(row) < 12 and int(row) < len(self.server.ids)
        if not known or side not in SIDES or size not in _SIZES:
            self.refuse(HTTPStatus.NOT_FOUND, "There is no such image.")
            return
        try:
            content = self.server.image(int(row), SIDES[SIDES.index(side)], size)
        except (InputError, OSError) as error:
            # A browser draws it in place of the image: what is missing is said where it is missed.
            lines = textwrap.wrap(f"No image: {error}", _WIDTH)[:8]
            drawn = render("absent.svg.j2", lines=lines)
            self.send(drawn.encode(), "image/svg+xml", status=HTTPStatus.NOT_FOUND)
        else:
            self.send(content, "image/jpeg", keep=True)


def _given(query: str) -> dict[str, str]:
    return {name: found[-1] for name, found in parse_qs(query, max_num_fields=40).items()}


def _listed(server: ViewerServer, choice: Choice) -> dict[str, Any]:
    """The list of pairs: what is shown of them, and the figures of all that the filters leave."""
    selection = server.selection(choice.at(1).address())
    last = max(1, -(-len(selection.rows) // PAGE))
    choice = choice.at(min(choice.page, last))
    start = (choice.page - 1) * PAGE
    focus = [name for name in (choice.reward, choice.other) if name]
    return {
        "choice": choice,
        "controls": _controls(server.parts, choice),
        "cards": _cards(server, choice, selection.rows[start : start + PAGE]),
        "n_shown": len(selection.rows),
        "n_part": int(selection.part.sum()),
        "start": start,
        "last": last,
        "pages": {n: choice.at(n).address() for n in (choice.page - 1, choice.page + 1)},
        "figures": _figures(server.parts, focus, selection),
        "match": _match(server.parts, choice, selection),
        "pair": None,
    }


def _figures(parts: Parts, rewards: list[str], selection: Selection) -> Any:
    if not rewards or not selection.part.any():
        return None
    found = {name: parts.figures(name, selection.part) for name in rewards}
    return part_table(parts.measure, found)


def _match(parts: Parts, choice: Choice, selection: Selection) -> Any:
    if choice.reward is None or choice.other is None:
        return None
    return parts.match(choice.reward, choice.other, selection.part)


def _controls(parts: Parts, choice: Choice) -> list[dict[str, Any]]:
    """The selects of the form: name, label, value and options as (value, text)."""
    rewards = [(name, name) for name in parts.table.rewards]
    shown: list[tuple[str, str, str | None, list[tuple[str, str]]]] = []
    if len(rewards) > 1:
        beside = [("", "none"), *(each for each in rewards if each[0] != choice.reward)]
        shown += [("reward", "Reward model", choice.reward, rewards)]
        shown += [("other", "Beside it", choice.other, beside)]
    for name, groups in parts.facts.items():
        names = sorted(groups, key=float) if name == "dose" else list(groups)
        label = {"dimensions": "Dimension"}.get(name, name.capitalize())
        shown.append(
            (name, label, choice.facts.get(name), [("", "all"), *((each, each) for each in names)])
        )
    if choice.reward is not None:
        codes = np.unique(parts.verdicts(choice.reward))
        given = [(VERDICTS[code], VERDICTS[code]) for code in codes if code >= 0]
        shown.append(("outcome", "Outcome", choice.outcome, [("", "all"), *given]))
        sorts = [each for each in SORTS.items() if choice.other or each[0] != "differ"]
        shown.append(("sort", "Order", choice.sort, sorts))
    keys = ("name", "label", "value", "options")
    return [dict(zip(keys, each, strict=True)) for each in shown]


def _cards(
    server: ViewerServer,
    choice: Choice,
    rows: Sequence[int] | NDArray[np.intp],
    *,
    whole: bool = False,
) -> list[dict[str, Any]]:
    """What is said of pairs; `whole`: of all reward models, not of those in focus alone."""
    rewards = [name for name in (choice.reward, choice.other) if name]
    if whole or not choice.other:
        rewards = list(dict.fromkeys([*rewards, *server.opened.table.rewards]))
    shown = rewards if whole else rewards[:_MOST_BESIDE]
    beaten = {name: server.parts.beaten(name, rows) for name in shown}
    cards = []
    for row in map(int, rows):
        values = server.opened.table.frame.iloc[row]
        original, asked = (_text(values, n) for n in (PROMPT_ORIGINAL, PROMPT_DISTORTED))
        pair = str(values[PAIR_ID])
        cards.append(
            {
                "id": pair,
                "href": f"/pair?{choice.at(1).address(pair=pair)}",
                "prompt": marked_words(original, asked) if asked else [],
                "original": original,
                "facts": _facts(values),
                "images": {side: _image_addresses(server, row, side) for side in SIDES},
                "scores": [_scores(server, name, row, beaten[name].get(row)) for name in shown],
                "more": len(rewards) - len(shown),
            }
        )
    return cards


def _scores(
    server: ViewerServer, reward: str, row: int, beaten: tuple[int, int] | None
) -> dict[str, Any]:
    cells, code = server.parts.cells(reward), int(server.parts.verdicts(reward)[row])
    decimals = server.decimals[reward]
    return {
        "reward": reward,
        **{cell: score_text(getattr(cells, cell)[row], decimals) for cell in CELLS},
        "verdict": None if code < 0 else VERDICTS[code],
        "beaten": beaten,
    }


def _image_addresses(server: ViewerServer, row: int, side: Side) -> dict[str, str]:
    where = {"row": int(row), "side": side, "run": server.run}
    return {size: f"/image?{urlencode(where | {'size': size})}" for size in _SIZES}


def _facts(values: pd.Series[Any]) -> list[str]:
    """What is known of a pair beside prompts and scores."""
    said: list[str] = []
    for name in (*FACTS, "error"):
        if name in values.index:
            told = [f"{float(v):g}" if name == "dose" else v for v in members(values[name])]
            said += [f"{name} {each}" if name in _NAMED else each for each in told]
    label = values.get(LABEL)
    if label is not None and not pd.isna(label):
        said.append(f"label: {LABELS[int(label)]}")
    return said


def _text(values: pd.Series[Any], name: str) -> str | None:
    found = values.get(name)
    return None if found is None or pd.isna(found) else str(found)


def _alone(server: ViewerServer, choice: Choice, pair: str) -> dict[str, Any] | None:
    """One pair, with those before and after it in the list it is of; None where there is none."""
    place = int(server.ids.get_indexer([pair])[0])
    if place < 0:
        return None
    rows = server.selection(choice.at(1).address()).rows
    found = np.flatnonzero(rows == place)
    at = int(found[0]) if len(found) else None
    near: dict[str, str] = {}
    for name, step in (("before", -1), ("after", 1)):
        if at is not None and 0 <= at + step < len(rows):
            beside = str(server.ids[rows[at + step]])
            near[name] = f"/pair?{choice.at(1).address(pair=beside)}"
    home = choice.at(1 if at is None else at // PAGE + 1)
    return {
        "choice": choice,
        "pair": _cards(server, choice, [place], whole=True)[0],
        "at": at,
        "n_shown": len(rows),
        "near": near,
        "home": home.address(),
    }
