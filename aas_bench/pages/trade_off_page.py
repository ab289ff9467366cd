"""The page of several sets side by side: one table, and the way to each set's own report."""

from __future__ import annotations

from aas_bench.measure.trade_off import Side, TradeOff
from aas_bench.pages.kit import CHANCE, CHANCE_ENDS, Column, Entry, Row, Table, estimate_entry
from aas_bench.pages.render import render_page
from aas_bench.words import SHARE

MEASURES = {"accuracy": "accuracy against the labels", "chosen": "chose what was asked for"}


def trade_off_table(found: TradeOff) -> Table:
    """One row per reward model, one column per set."""
    columns = [Column(key="name", label="Reward model", kind="name")]
    columns += [
        Column(
            key=side.name,
            label=side.name,
            kind="estimate",
            tip=f"{MEASURES[side.measure]}, {side.n_pairs:,} pairs",
            ends=CHANCE_ENDS,
        )
        for side in found.sides
    ]
    rows = [
        Row(
            id=reward,
            entries=(
                Entry(text=reward),
                *(estimate_entry(s.headlines[reward], SHARE, axis=CHANCE) for s in found.sides),
            ),
        )
        for reward in found.rewards
    ]
    return Table(
        name="trade-off",
        caption="Reward models on several sets",
        columns=tuple(columns),
        rows=tuple(rows),
    )


def trade_off_page(found: TradeOff) -> str:
    """The page as HTML text; every value from the data is escaped."""
    return render_page(
        "trade_off.html.j2",
        "report.css",
        found=found,
        drawing=trade_off_table(found),
        told=[_told(side) for side in found.sides],
    )


def _told(side: Side) -> tuple[str, str]:
    """A set's name, and what its figures are."""
    text = f"{side.n_pairs:,} pairs of {side.n_clusters:,} base prompts: {MEASURES[side.measure]}"
    text += f"; ties of the labels left out: {side.n_label_ties:,}" if side.n_label_ties else ""
    return (
        side.name,
        f"{text}. From {side.source}{f' at {side.revision}' if side.revision else ''}.",
    )
