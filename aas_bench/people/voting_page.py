"""The page for voting, served to this machine only.

An answer is taken only as JSON from its own page.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from markupsafe import Markup

from aas_bench.errors import InputError
from aas_bench.files import json_value
from aas_bench.pages.loopback import LoopbackHandler, LoopbackServer, hashed
from aas_bench.pages.render import asset, render, style
from aas_bench.people.ballot import ANSWERS, LONGEST_NAME, Ballot, Question
from aas_bench.tables.votes import SIDES

_MOST_BYTES: Final = 4096
_MOST_DIGITS: Final = 9
_LONGEST_SIDE: Final = 2048
_SCRIPT: Final = "annotate.js"
_SHEET: Final = "annotate.css"


class VotingServer(LoopbackServer):
    """Serves one ballot.

    Args:
        ballot: The pairs and votes.
        port: 0 takes a free one.
        rater: Who votes; None asks for a name.

    Raises:
        InputError: The port is taken.
    """

    def __init__(self, ballot: Ballot, *, port: int = 0, rater: str | None = None) -> None:
        self.ballot = ballot
        self.page, policy = _page(ballot, rater)
        super().__init__(port, _Handler, policy=policy)


def _page(ballot: Ballot, rater: str | None) -> tuple[bytes, str]:
    """The page and the policy that lets it load nothing but its own images and answers."""
    script, sheet = asset(_SCRIPT), style(_SHEET)
    page = render(
        "annotate.html.j2",
        style=Markup(sheet),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        rater=rater,
        n_pairs=len(ballot),
        longest_name=LONGEST_NAME,
    )
    policy = (
        "default-src 'none'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors 'none'; style-src {hashed(sheet)}; "
        f"script-src {hashed(script)}"
    )
    return page.encode(), policy


class _Handler(LoopbackHandler):
    """One request."""

    server: VotingServer

    def get(self) -> None:
        """The page, a question or an image."""
        address = urlsplit(self.path)
        given = {name: found[-1] for name, found in parse_qs(address.query).items()}
        if address.path == "/":
            self.send(self.server.page, "text/html; charset=utf-8")
        elif address.path == "/raters":
            self._json(self.server.ballot.raters())
        elif address.path == "/question":
            rater = given.get("rater", "")
            self._json(_told(self.server.ballot.question(rater), rater))
        elif address.path == "/image":
            self._image(given)
        else:
            self.refuse(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _image(self, given: Mapping[str, str]) -> None:
        row, ballot = given.get("row", ""), self.server.ballot
        if _number(row) >= len(ballot) or given.get("side") not in SIDES:
            self.refuse(HTTPStatus.NOT_FOUND, "There is no such image.")
            return
        side = SIDES[SIDES.index(given["side"])]
        image = ballot.image(given.get("rater", ""), int(row), side)
        image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
        # Anew and without loss: nothing of a file's name, kind or size tells one from the other.
        buffer = io.BytesIO()
        image.save(buffer, "PNG", compress_level=1)
        self.send(buffer.getvalue(), "image/png", keep=True)

    def post(self) -> None:
        """A vote or an undo."""
        length = self.headers.get("Content-Length", "")
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip()
        if _number(length) > _MOST_BYTES or kind != "application/json":
            self.close_connection = True
            self.refuse(HTTPStatus.BAD_REQUEST, "An answer is a small JSON document.")
            return
        body = _object(self.rfile.read(int(length)))
        rater, ballot = str(body.get("rater", "")), self.server.ballot
        if self.path == "/undo":
            self._json(_told(ballot.undo(rater), rater))
        elif self.path == "/vote":
            row, ms, answer = body.get("row"), body.get("ms"), body.get("answer")
            if type(row) is not int or type(ms) is not int or answer not in ANSWERS:
                msg = "row, ms or answer is not what the page sends. Load the page again."
                raise InputError(msg)
            self._json(_told(ballot.answer(rater, row, answer, max(ms, 0)), rater))
        else:
            self.refuse(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _json(self, value: Mapping[str, Any]) -> None:
        self.send(json.dumps(value).encode(), "application/json")


def _number(text: str) -> float:
    """A number of few digits; beyond every bound where it is none."""
    short = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    return int(text) if short else math.inf


def _object(text: bytes) -> Mapping[str, Any]:
    try:
        found = json_value(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        msg = "an answer is one JSON object. Load the page again."
        raise InputError(msg)
    return found


def _told(question: Question, rater: str) -> dict[str, Any]:
    """A question with the addresses of its images and of those that come next."""
    told = asdict(question)
    for name, row in (("images", question.row), ("ahead", question.following)):
        told[name] = [] if row is None else [_address(rater, row, side) for side in SIDES]
    del told["following"]
    return told


def _address(rater: str, row: int, side: str) -> str:
    return f"/image?row={row}&side={side}&rater={quote(rater, safe='')}"
