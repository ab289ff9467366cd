"""Scorers and generators with a known answer: whether the measurement finds it."""

from __future__ import annotations

from typing import Final

from aas_bench.board.entries import generators_of, on_shelf
from aas_bench.board.tabs import generator_shift, reward_models
from aas_bench.board.tabs.edited_images import edited_table
from aas_bench.board.tabs.tab import Tab
from aas_bench.pages.kit import Table, facet
from aas_bench.records.collection import Results

NAME: Final = "self-test"

_WHAT: Final = (
    "Synthetic scorers and generators whose answer is known beforehand. They show that the "
    "measurement finds it; they are no models, and enter no other table, count or rank."
)
_WHO: Final = (
    "effect-match reads the request and nothing else; polish and random do not read it; "
    "average-taste reads it and is drawn to polish all the same. Their pairs are the nine "
    "built-in photographs with an effect of known dose."
)


def self_test(results: Results) -> Tab:
    """The view of the built-in subjects, which enter no other table, count or rank."""
    scorers = on_shelf(results, "pairs", built_in=True)
    made = generators_of(results, built_in=True)
    edited = generators_of(results, built_in=True, edited=True)
    rows = reward_models.pair_rows(scorers)
    generators = Table(
        name="self-test-generators",
        caption="Built-in generators, one row for each result and reward model",
        columns=generator_shift.COLUMNS,
        rows=generator_shift.generator_rows(made),
        sort="delta",
    )
    return Tab(
        name=NAME,
        title="Self-test",
        lede=(_WHAT, _WHO),
        table=Table(
            name=NAME,
            caption="Built-in scorers, one row for each result",
            columns=reward_models.COLUMNS,
            rows=rows,
            facets=facet("task", "Pairs", rows),
            sort="-accuracy",
            empty="The built-in scorers have no result here yet.",
        ),
        figures=reward_models.knobs(scorers),
        more=tuple(
            table
            for table in (
                generators,
                generator_shift.heat_map(made, name="self-test-by-effect"),
                edited_table(edited, name="self-test-edited"),
            )
            if table is not None and table.rows
        ),
        legend=any(each.get("overridden") for each in scorers),
    )
