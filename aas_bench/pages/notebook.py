"""A summary where a notebook shows it: the headline table and a few pairs of images."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any, Final

from PIL import Image

from aas_bench.measure.results import Summary
from aas_bench.measure.summary import verdicts
from aas_bench.pages.render import render
from aas_bench.pages.report_tables import headline_table
from aas_bench.tables.schema import IMAGE_DISTORTED, IMAGE_ORIGINAL, PAIR_ID, PROMPT_DISTORTED

_MOST_PAIRS: Final = 3
_SIDE: Final = 160
_SAID: Final = {"asked": "chose what was asked for", "polished": "chose the polished image"}


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """A pair: its prompt, its two images as addresses, and what each reward model did."""

    prompt: str
    asked: str
    polished: str
    verdicts: tuple[str, ...]


def summary_html(summary: Summary) -> str:
    """`Summary._repr_html_`; every value from the data is escaped."""
    return render(
        "notebook.html.j2",
        head=str(summary).splitlines()[0],
        table=headline_table(summary) if summary.paired else None,
        pairs=list(_pairs(summary)),
        side=_SIDE,
    )


def _pairs(summary: Summary) -> Iterator[_Shown]:
    """The first pairs of the table whose two images are there."""
    if summary.pairs is None:
        return
    said = {name: verdicts(summary.table, name) for name in summary.rewards}
    rows = {str(pair_id): row for row, pair_id in enumerate(summary.table.frame[PAIR_ID])}
    whole = (
        pair
        for pair in summary.pairs
        if pair[PAIR_ID] in rows and isinstance(pair[IMAGE_ORIGINAL], Image.Image)
        if isinstance(pair[IMAGE_DISTORTED], Image.Image)
    )
    for pair in islice(whole, _MOST_PAIRS):
        found = {name: each[rows[pair[PAIR_ID]]] for name, each in said.items()}
        yield _Shown(
            prompt=str(pair[PROMPT_DISTORTED]),
            asked=_address(pair[IMAGE_DISTORTED]),
            polished=_address(pair[IMAGE_ORIGINAL]),
            verdicts=tuple(f"{k}: {_SAID.get(v, v)}" for k, v in found.items() if v is not None),
        )


def _address(image: Any) -> str:
    """A small copy of an image inside an address."""
    small = image.convert("RGB")
    small.thumbnail((2 * _SIDE, 2 * _SIDE))
    buffer = BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
