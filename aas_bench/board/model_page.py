"""One result at a stable address: its figures, the pairs they rest on, a badge, how to cite it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import escape
from typing import Any, Final
from urllib.parse import quote

import numpy as np

from aas_bench.board.entries import Lookup, measured
from aas_bench.board.paired import ScoreFiles
from aas_bench.measure.measures import MEASURES
from aas_bench.measure.row_findings import told_again
from aas_bench.measure.rows import GROUPINGS, headline_rows
from aas_bench.measure.summary import verdicts
from aas_bench.pages.chart import printable
from aas_bench.pages.kit import Column, Entry, Facet, Row, Table, facet, number_entry
from aas_bench.pages.render import render_page
from aas_bench.records.record import Measurement, Record
from aas_bench.stats.override import OUTCOMES
from aas_bench.tables.schema import CELLS
from aas_bench.tables.scores import ScoreTable
from aas_bench.tasks.catalog import TASKS
from aas_bench.words import UNDEFINED, number, percent_in

MOST_PAIRS: Final = 1000
SHEETS: Final = ("board/board.css", "board/static.css")
_CELL_MEANING: Final = {
    "oiop": "Polished image, plain prompt.",
    "oidp": "Polished image, the prompt that asked.",
    "diop": "Image asked for, plain prompt.",
    "didp": "Image asked for, the prompt that asked.",
}
_HEADLINES: Final = (
    *("chosen", "accuracy", "override_rate", "delta", "gap", "art_mean", "llm_win"),
    "way_back",
)
PAPER: Final = """\
@inproceedings{guo2026universal,
  title     = {Position: Universal Aesthetic Alignment Narrows Artistic Expression},
  author    = {Guo, Wenqi Marshall and Qian, Qingyun and Hasan, Khalad and Du, Shan},
  booktitle = {Forty-third International Conference on Machine Learning},
  year      = {2026},
  url       = {https://openreview.net/forum?id=1gQ4zc1Q8I}
}"""
_BADGE: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" \
aria-label="{whole}"><title>{whole}</title>\
<rect width="{left}" height="20" rx="3" fill="#3a3f44"/>\
<rect x="{left}" width="{right}" height="20" rx="3" fill="#0b5f66"/>\
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">\
<text x="6" y="14">{name}</text><text x="{at}" y="14">{said}</text></g></svg>
"""
_LETTER_PX: Final = 6.6


def model_page(of: Lookup, scores: ScoreFiles, *, root: str) -> str:
    """The whole page of one result.

    Args:
        of: The result.
        scores: Where per-pair scores lie.
        root: Address of the leaderboard, as the page is to link to it.
    """
    table = scores.open(of.record)
    return render_page(
        "board/model.html.j2",
        *SHEETS,
        record=of.record,
        flag=of.flag,
        task=TASKS[of.record.task],
        said=said(of),
        figures=_figures(of.record),
        pairs=None if table is None else pair_table(table),
        doctor=_doctor(of.record),
        n_pairs=0 if table is None else len(table),
        most=MOST_PAIRS,
        bibtex=bibtex(of.record),
        badge=f"{of.record.id.rpartition('/')[2]}.svg",
        preview=f"{of.record.id.rpartition('/')[2]}.png",
        root=root,
    )


def _doctor(record: Record) -> list[str]:
    """What the record tells of its pairs, a line each; what has another form is left out."""
    told: Any = (record.provenance or {}).get("doctor")
    return [line for each in told if (line := told_again(each))] if isinstance(told, list) else []


def said(of: Lookup) -> str:
    """The result in one line: its first headline figure with its interval."""
    found = _headline(of.record)
    if found is None:
        return "announced, without figures"
    return f"{MEASURES[found.measure].label} {_whole(found)}"


def badge(of: Lookup) -> str:
    """The result as an SVG for a README; safe as it is, whatever the record says."""
    name, text = f"aas-bench · {printable(of.record.subject.name)[:40]}", said(of)
    left, right = (round(len(part) * _LETTER_PX) + 12 for part in (name, text))
    parts = {"name": name, "said": text, "whole": f"{name}: {text}"}
    return _BADGE.format(
        width=left + right,
        left=left,
        right=right,
        at=left + 6,
        **{key: escape(value) for key, value in parts.items()},
    )


def preview(of: Lookup) -> bytes:
    """The result as a PNG of 1200 x 630 pixels, which sites show beside a link to it."""
    where = f"{TASKS[of.record.task].title}, {of.record.status}"
    return preview_of(of.record.subject.name, said(of), where, of.record.subset or "")


def preview_of(name: str, figure: str, where: str, which: str) -> bytes:
    """A name, a figure, and what it is of, as a PNG of 1200 x 630 pixels."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (1200, 630), "#ffffff")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 14, 630), fill="#0b5f66")
    for top, size, colour, text in (
        (70, 34, "#5a6068", "aas-bench: does it make what you asked for?"),
        (180, 72, "#1a1d20", name[:26]),
        (320, 44, "#0b5f66", figure[:48]),
        (410, 34, "#1a1d20", where[:64]),
        (470, 28, "#5a6068", which[:76]),
    ):
        plain = printable(text).replace("\N{NARROW NO-BREAK SPACE}", " ")
        plain = plain.replace("\N{MINUS SIGN}", "-")
        draw.text((70, top), plain, fill=colour, font=ImageFont.load_default(size))
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def bibtex(record: Record) -> str:
    """How to cite the paper and this result."""
    year = "2026" if record.created is None else str(record.created.year)
    name = "".join(mark for mark in record.subject.name if mark not in "{}\\$&#%_^~")
    return (
        f"{PAPER}\n"
        f"@misc{{aasbench-{record.id.replace('/', '-').replace('_', '-')},\n"
        f"  title        = {{aas-bench: {name} on {TASKS[record.task].title}}},\n"
        f"  howpublished = {{aas-bench leaderboard, record {{\\tt {_tex(record.id)}}}}},\n"
        f"  year         = {{{year}}}\n"
        "}"
    )


def pair_table(table: ScoreTable) -> Table:
    """The pairs that the figures rest on, a row for each and reward model."""
    frame = table.frame
    rows = np.flatnonzero(headline_rows(frame))
    asked = next((name for name in GROUPINGS if name in frame), None)
    found = []
    for reward in table.rewards:
        cells, verdict = table.cells(reward), verdicts(table, reward)
        for row in rows[:MOST_PAIRS].tolist():
            scores = {name: float(getattr(cells, name)[row]) for name in CELLS}
            groups = () if asked is None else _names(frame[asked].iloc[row])
            found.append(
                Row(
                    id=str(frame["pair_id"].iloc[row]),
                    entries=(
                        Entry(text=str(frame["pair_id"].iloc[row])),
                        Entry(text=reward),
                        Entry(text=", ".join(groups) or UNDEFINED),
                        *(_score(value) for value in scores.values()),
                        _score(scores["didp"] - scores["oidp"]),
                        Entry(text=verdict[row] or UNDEFINED),
                    ),
                    facets={
                        "outcome": verdict[row] or "",
                        "reward": reward,
                        "dimension": "|".join(groups),
                    },
                )
            )
    columns = (
        Column(key="pair", label="Pair", kind="name"),
        Column(key="reward", label="Measured by", shown=len(table.rewards) > 1),
        Column(key="asked", label="Asked for", shown=any(r.facets["dimension"] for r in found)),
        *(Column(key=n, label=n, kind="number", tip=_CELL_MEANING[n]) for n in CELLS),
        Column(
            key="margin",
            label="didp \N{MINUS SIGN} oidp",
            kind="number",
            tip="Above 0 the image that was asked for won under the prompt that asked.",
        ),
        Column(key="outcome", label="Outcome"),
    )
    kept = [i for i, column in enumerate(columns) if column.shown]
    return Table(
        name="pair-table",
        caption="The pairs that the figures rest on",
        columns=tuple(columns[i] for i in kept),
        rows=tuple(replace(row, entries=tuple(row.entries[i] for i in kept)) for row in found),
        facets=(
            *facet("outcome", "Outcome", found),
            *facet("reward", "Measured by", found),
            *_dimension_facet(found),
        ),
        sort="margin",
    )


def _dimension_facet(rows: list[Row]) -> Iterator[Facet]:
    names = sorted({n for row in rows for n in row.facets["dimension"].split("|") if n})
    if len(names) > 1:
        yield Facet(key="dimension", label="Asked for", values=tuple(names))


def _names(cell: object) -> tuple[str, ...]:
    if isinstance(cell, str):
        return (cell,)
    if isinstance(cell, (list, tuple, np.ndarray)):
        return tuple(map(str, cell))
    return ()


def _score(value: float) -> Entry:
    known = None if np.isnan(value) else value
    return number_entry(number(known, digits=3), known)


def _figures(record: Record) -> dict[str, list[Mapping[str, object]]]:
    """Lines by heading: of all pairs, by group, by strength or dose."""
    found: dict[str, list[Mapping[str, object]]] = {
        "Figures": [],
        "By group": [],
        "By strength or dose": [],
    }
    whole, by_group, by_strength = found.values()
    for each in record.measurements:
        of = by_group if each.by is not None else whole if each.at is None else by_strength
        of.append(_figure(each))
    return found


def _figure(found: Measurement) -> Mapping[str, object]:
    """A line of the page: what, in which group, how much, and where its pairs are."""
    row = MEASURES[found.measure]
    where = [found.reward, found.group, None if found.at is None else f"at {found.at:g}"]
    query = [f"outcome={found.measure}"] if found.measure in OUTCOMES else []
    if found.by == "dimensions" and found.group is not None:
        query.append(f"dimension={quote(found.group)}")
    return {
        "label": row.label,
        "tip": row.formula,
        "where": ", ".join(part for part in where if part),
        "entry": measured(found),
        "reason": found.reason or "",
        "href": "#" + "&".join(query) if query else "#pairs",
    }


def _headline(record: Record) -> Measurement | None:
    whole = [m for m in record.measurements if m.by is None and m.at is None]
    known = [m for m in whole if m.value is not None and m.measure in _HEADLINES]
    return min(known, key=lambda m: _HEADLINES.index(m.measure), default=None)


def _whole(found: Measurement) -> str:
    spelling = MEASURES[found.measure].spelling
    if spelling.share:
        return percent_in(found) if found.low is not None else spelling.value(found.value)
    return spelling.whole(found) if found.low is not None else spelling.value(found.value)


def _tex(text: str) -> str:
    return text.replace("_", r"\_")
