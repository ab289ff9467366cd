"""A reproduction as files: JSON, CSV, LaTeX and a page."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Final

from aas_bench.files import write_atomically
from aas_bench.pages.kit import Column, Entry, Row, Table, estimate_entry
from aas_bench.pages.render import render_page
from aas_bench.paper.comparison import Comparison, Figure
from aas_bench.paper.recompute import Reproduction
from aas_bench.words import Spelling, for_spreadsheet, latex, latex_table

HEADINGS: Final = {
    "delta_hpsv2": "Δ HPSv2",
    "delta_hpsv3": "Δ HPSv3",
    "hpsv3_after": "HPSv3 after",
    "delta_image_reward": "Δ ImageReward",
    "delta_rater": "Δ rater",
    "rater_after": "rater after",
    "llm_win": "judge",
    "special_effects_diff": "effects",
    "main_concepts_diff": "concepts",
}
_PLAIN: Final = Spelling(digits=3)
_LACKING: Final = "the original prompt was not scored"
_FIELDS: Final = (
    *("table", "row", "column", "published", "recomputed", "low", "high", "n", "n_clusters"),
    *("coverage", "rounded", "agrees", "difference", "reason"),
)


def write_reproduction(result: Reproduction, folder: Path) -> Path:
    """Write `reproduction.json`, `.csv`, `.tex` and `index.html`; the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    document = json.dumps(result.to_dict(), indent=2, allow_nan=False, ensure_ascii=False)
    write_atomically(folder / "reproduction.json", f"{document}\n".encode())
    write_atomically(folder / "reproduction.csv", to_csv(result).encode())
    write_atomically(folder / "reproduction.tex", to_latex(result).encode())
    return write_atomically(folder / "index.html", to_html(result).encode())


def columns(table: Comparison) -> list[str]:
    """The columns of a table that any row has, in order."""
    return list(dict.fromkeys(each.column for each in table.figures))


def interval(figure: Figure) -> str:
    """The interval to the figure's digits, or why there is none."""
    ours = figure.recomputed
    if ours is None or ours.low is None or ours.high is None:
        return "" if ours is None else ours.reason or ""
    return Spelling(digits=figure.digits).ends(ours)


def to_csv(result: Reproduction) -> str:
    """One row a figure; an empty cell is undefined."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _FIELDS, lineterminator="\n")
    writer.writeheader()
    for table in result.comparisons:
        for each in table.figures:
            told = each.to_dict() | (each.recomputed.to_dict() if each.recomputed else {})
            told |= {"recomputed": told.get("value"), "table": table.name}
            told |= {"row": for_spreadsheet(each.row), "reason": each.reason or told["reason"]}
            writer.writerow({name: told.get(name) for name in _FIELDS})
    return text.getvalue()


def to_latex(result: Reproduction) -> str:
    """A `booktabs` table for each of the paper's: ours, the published figure in brackets."""
    return "\n".join(map(_latex, result.comparisons))


def to_html(result: Reproduction) -> str:
    """One page that needs nothing from elsewhere; every value from the data is escaped."""
    return render_page(
        "reproduction.html.j2",
        "report.css",
        result=result,
        n_agree=sum(table.n_agree for table in result.comparisons),
        n_differ=sum(table.n_differ for table in result.comparisons),
        columns=columns,
        headings=HEADINGS,
        interval=interval,
        overrides=_overrides(result),
    )


def _overrides(result: Reproduction) -> Table:
    parts = ("understood", "overridden", "override_rate")
    return Table(
        name="overrides",
        caption="Override analysis",
        columns=(
            Column(key="name", label="Reward model", kind="name"),
            *(Column(key=part, label=part.replace("_", " "), kind="estimate") for part in parts),
        ),
        rows=tuple(
            Row(
                id=name,
                entries=(
                    Entry(text=name),
                    *(
                        estimate_entry(
                            getattr(reward.placebo, part, None), _PLAIN, lacking=_LACKING
                        )
                        for part in parts
                    ),
                ),
            )
            for name, reward in result.rewards.items()
        ),
    )


def _latex(table: Comparison) -> str:
    names = columns(table)
    return latex_table(
        ["", *names],
        [
            [latex(row), *(_latex_cell(figures.get(name)) for name in names)]
            for row, figures in table.rows().items()
        ],
        numeric=[False, *(True for _ in names)],
        caption=f"Table {table.name}: ours (published).",
        label=f"tab:{table.name}",
    )


def _latex_cell(figure: Figure | None) -> str:
    if figure is None:
        return "--"
    ours, theirs = figure.rounded, figure.printed
    shown = "--" if ours is None else f"${ours}$"
    return shown if theirs is None else f"{shown} (${theirs}$)"
