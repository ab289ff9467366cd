"""Generators that were given an image: do they clean it up although told to keep its effect?"""

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
    rank_entry,
    ranks_by_task,
    status_entry,
)
from aas_bench.pages.kit import SHARE_ENDS, SHARES, Column, Row, Table, on_axis

NAME: Final = "edited-images"
_WAY: Final = "way_back"
_NEARER: Final = "nearer_original"
_BESIDE: Final = ("effect_before", "effect_after", "to_seed", "to_original", "seed_to_original")

_COLUMNS: Final = (
    Column(key="name", label="Generator", kind="name"),
    Column(
        key="rank",
        label="Rank",
        kind="number",
        tip="By the way back. Intervals that overlap share a rank.",
    ),
    measured_column(_WAY, kind="estimate", ends=("kept as given", "", "cleaned up")),
    measured_column(_NEARER, kind="estimate", ends=SHARE_ENDS),
    *(measured_column(name, shown=name.startswith("effect")) for name in _BESIDE),
    Column(key="n", label="Images", kind="number"),
    Column(key="coverage", label="Coverage", kind="number"),
    Column(key="status", label="Status", kind="status"),
)


def edited_table(found: Sequence[Lookup], *, name: str = NAME) -> Table | None:
    """A row for each image-to-image result; None where there is none.

    Args:
        found: The results that were made from seed images.
        name: Of the table.
    """
    if not found:
        return None
    ways = on_axis([measured(each.get(_WAY), of=each) for each in found], mark=0)
    ranks = ranks_by_task(((each, each.get(_WAY)) for each in found), higher_is_better=False)
    return Table(
        name=name,
        caption="Given a photograph with an effect and told to keep it: how far back to the clean "
        "photograph does the output go? 0: as given, 1: the photograph.",
        columns=_COLUMNS,
        rows=tuple(
            Row(
                id=each.record.id,
                entries=(
                    name_entry(each),
                    rank_entry(ranks.get(each.record.id)),
                    way,
                    measured(each.get(_NEARER), axis=SHARES),
                    *(measured(each.get(measure)) for measure in _BESIDE),
                    count_entry(each.get(_WAY)),
                    coverage_entry(each.get(_WAY), each.record),
                    status_entry(each.record),
                ),
                status=each.record.status,
                flag=each.flag,
            )
            for each, way in zip(found, ways, strict=True)
        ),
        sort=f"-{_WAY}",
    )
