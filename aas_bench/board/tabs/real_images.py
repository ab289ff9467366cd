"""Real photographs and paintings: what people made, scored below what machines polish."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aas_bench.board.entries import (
    Lookup,
    count_entry,
    coverage_entry,
    measured,
    measured_column,
    name_entry,
    on_shelf,
    status_entry,
)
from aas_bench.board.sentences import sure
from aas_bench.board.tabs.tab import Tab
from aas_bench.measure.measures import MEASURES
from aas_bench.pages.kit import Column, Entry, Row, Table, facet, on_axis
from aas_bench.records.collection import Results
from aas_bench.records.record import Measurement
from aas_bench.words import plain_name

NAME: Final = "real-photographs-and-art"
WHOLE: Final = "all photographs"
_ART: Final = ("art_rank", "art_entries", "art_relative", "art_mean")


def real_images(results: Results) -> Tab:
    """The view of the gap by category and of where paintings rank."""
    photographs = on_shelf(results, "photographs")
    paintings = on_shelf(results, "paintings")
    rows = _gap_rows(photographs)
    return Tab(
        name=NAME,
        title="Real photographs and art",
        lede=_lede(photographs, paintings),
        table=Table(
            name=NAME,
            caption="Score of a clean generation minus that of the real photograph, by category",
            columns=_GAP_COLUMNS,
            rows=rows,
            facets=(*facet("reward", "Reward model", rows), *facet("status", "Status", rows)),
            sort="-gap",
            empty="No reward model has been measured on real photographs yet.",
        ),
        more=tuple(t for t in (_art_table(paintings), _painting_table(paintings)) if t.rows),
    )


_GAP_COLUMNS: Final = (
    Column(key="name", label="Category", kind="name"),
    measured_column("gap", kind="estimate", ends=("photograph higher", "", "clean higher")),
    Column(key="reward", label="Reward model"),
    Column(key="n", label="Pairs", kind="number"),
    Column(key="coverage", label="Coverage", kind="number", shown=False),
    Column(key="status", label="Status", kind="status"),
)


def _gap_rows(found: Sequence[Lookup]) -> tuple[Row, ...]:
    gaps = [
        (each, m)
        for each in found
        for m in each.record.measurements
        if m.measure == "gap" and m.by in (None, "category")
    ]
    gap_entries = on_axis([measured(m) for _, m in gaps], mark=0)
    return tuple(
        Row(
            id=each.record.id,
            entries=(
                category_entry(m.group),
                gap,
                Entry(text=each.record.subject.name),
                count_entry(m),
                coverage_entry(m, each.record),
                status_entry(each.record),
            ),
            facets={"reward": each.record.subject.name, "status": each.record.status},
            status=each.record.status,
            flag=each.flag,
        )
        for (each, m), gap in zip(gaps, gap_entries, strict=True)
    )


def category_entry(group: str | None) -> Entry:
    """A photo category, its dimension below it."""
    if group is None:
        return Entry(text=WHOLE)
    dimension, _, _ = group.rpartition(".")
    return Entry(text=plain_name(group), sub=plain_name(dimension))


def _art_table(found: Sequence[Lookup]) -> Table:
    shown = [each for each in found if each.first(*_ART) is not None]
    return Table(
        name="art-rank",
        caption="Paintings placed among generators by their mean score",
        columns=(
            Column(key="name", label="Reward model", kind="name"),
            *(measured_column(measure) for measure in _ART),
            Column(key="n", label="Paintings", kind="number"),
            Column(key="status", label="Status", kind="status"),
        ),
        rows=tuple(
            Row(
                id=each.record.id,
                entries=(
                    name_entry(each),
                    *(measured(each.get(measure)) for measure in _ART),
                    count_entry(each.get("art_mean")),
                    status_entry(each.record),
                ),
                facets={},
                status=each.record.status,
                flag=each.flag,
            )
            for each in shown
        ),
        sort="-art_relative",
    )


def _painting_table(found: Sequence[Lookup]) -> Table:
    scores = [
        (each, m)
        for each in found
        for m in each.record.measurements
        if m.measure == "art_score" and m.group
    ]
    return Table(
        name="paintings",
        caption="Single paintings under their captions",
        columns=(
            Column(key="name", label="Painting", kind="name"),
            measured_column("art_score"),
            Column(key="reward", label="Reward model"),
            Column(key="status", label="Status", kind="status"),
        ),
        rows=tuple(
            Row(
                id=each.record.id,
                entries=(
                    Entry(text=m.group or ""),
                    measured(m),
                    Entry(text=each.record.subject.name),
                    status_entry(each.record),
                ),
                facets={},
                status=each.record.status,
                flag=each.flag,
            )
            for each, m in scores
        ),
        sort="art_score",
    )


def _lede(photographs: Sequence[Lookup], paintings: Sequence[Lookup]) -> tuple[str, ...]:
    said = []
    for each in photographs[:1]:
        whole = each.get("gap")
        if whole is None or whole.value is None:
            continue
        said.append(
            f"{each.record.subject.name} scores a clean generation of the same content "
            f"{sure(whole)} above the real photograph{_widest(each)}."
        )
    for each in paintings[:1]:
        rank, entries = each.get("art_rank"), each.get("art_entries")
        if rank is None or entries is None or None in (rank.value, entries.value):
            continue
        art = MEASURES["art_rank"].spelling
        said.append(
            f"Placed among generators by {each.record.subject.name}, paintings come "
            f"{art.value(rank.value)} of {art.value(entries.value)} (no interval)."
        )
    return tuple(said) or ("No reward model has been measured on real images yet.",)


def _widest(of: Lookup) -> str:
    groups: list[Measurement] = [
        m for m in of.record.measurements if m.measure == "gap" and m.group and m.value is not None
    ]
    if not groups:
        return ""
    widest = max(groups, key=lambda m: m.value or 0.0)
    name = category_entry(widest.group).text
    return f"; widest for {name}, {MEASURES['gap'].spelling.value(widest.value)}"
