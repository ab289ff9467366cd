"""The report: one folder with a page, its images and its numbers, readable from disk."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aas_bench import words
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.measure.results import Summary
from aas_bench.pages import findings
from aas_bench.pages.folder import whole_folder, write_text
from aas_bench.pages.gallery import Gallery, build_gallery
from aas_bench.pages.kit import Table
from aas_bench.pages.real_models import MEANINGS, RealModels, real_chart
from aas_bench.pages.render import render_page
from aas_bench.pages.report_tables import (
    any_override,
    cut_table,
    figures_table,
    group_table,
    headline_table,
    wording_table,
)
from aas_bench.pages.summary_charts import dose_charts, knob_chart, override_chart
from aas_bench.pages.task_charts import ladder_charts, task_panels
from aas_bench.rewards.catalog import REWARDS, SYNTHETIC
from aas_bench.tables.scores import ScoreTable

TITLE: Final = "Does the reward model honour the request?"
ART_TITLE: Final = "Where does real art stand?"
"""Of a report on images that stand alone."""
MARKER: Final = ".aas-bench-report"
"""File that tells a report folder, which may be replaced, from any other, which may not."""


def write_report(
    summary: Summary,
    table: ScoreTable,
    *,
    pairs: Any = None,
    real: RealModels | None = None,
    out: str | Path,
    title: str | None = None,
    max_gallery: int = 400,
) -> Path:
    """Write a report folder: `index.html`, `summary.json` and `images/`.

    The page needs nothing from elsewhere and opens from disk. The folder is built aside and then
    put in place, so that it is whole or absent; equal inputs give equal bytes.

    Args:
        summary: What `summarise` computed on `table`.
        table: The scores, for the cards of the gallery.
        pairs: The scored pairs with their images, as `load_pairs` gives them; without them the
            page has no gallery; nor has it where the rows are no pairs.
        real: Real reward models to open the page with, before the summary as a self-test.
        out: Folder to write; an earlier report there is replaced.
        title: Heading of the page; None: the question that it answers.
        max_gallery: Most pairs in the gallery; of more a random sample is shown.

    Returns:
        Path of `index.html`.

    Raises:
        InputError: `out` is a file, or a folder that holds something other than a report.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import pandas as pd
        >>> from aas_bench import summarise
        >>> frame = pd.DataFrame({"mine_oidp": [0.1, 0.4], "mine_didp": [0.3, 0.2]})
        >>> table = ScoreTable.from_frame(frame)
        >>> with TemporaryDirectory() as folder:
        ...     write_report(summarise(table), table, out=f"{folder}/report").name
        'index.html'
    """
    with whole_folder(out, marker=MARKER, what="a report") as folder:
        gallery = None
        if pairs is not None and summary.paired:
            images = folder / "images"
            gallery = build_gallery(
                summary.ordered(), table, pairs, folder=images, max_gallery=max_gallery
            )
        write_text(folder / "summary.json", summary.to_json() + "\n")
        page = render(summary.ordered(), gallery, title=title, real=real)
        write_text(folder / "index.html", page)
    return Path(out) / "index.html"


def render(
    summary: Summary,
    gallery: Gallery | None = None,
    *,
    title: str | None = None,
    real: RealModels | None = None,
) -> str:
    """The page of a report as HTML text; every value from the data is escaped.

    The reward models appear in the order of the summary, which must be that of the gallery.
    """
    return render_page(
        "report.html.j2",
        "report.css",
        title=title or (TITLE if summary.paired else ART_TITLE),
        summary=summary,
        real=real,
        real_chart=None if real is None else real_chart(real),
        meanings=MEANINGS,
        synthetic=[name for name in summary.rewards if name in SYNTHETIC],
        scales=_scales(summary),
        most=findings.most_overriding(summary),
        any_override=any_override(summary),
        tables=_tables(summary),
        override_chart=override_chart(summary),
        knob_chart=knob_chart(summary),
        dose_charts=dose_charts(summary),
        task_panels=task_panels(summary),
        ladder_charts=ladder_charts(summary),
        blind=[
            name
            for name, reward in summary.rewards.items()
            if reward.override is not None and findings.prompt_blind(reward.override)
        ],
        effect_notes=defaultdict(
            str, {words.spaced(e.name): e.proxy or "" for e in EFFECTS.values()}
        ),
        provenance=_provenance(summary),
        pairs=gallery,
    )


def _tables(summary: Summary) -> dict[str, Table]:
    """The tables that the summary has figures for, by their name in the template."""
    if not summary.paired:
        return {}
    rewards = summary.rewards.values()
    found = {"headline": headline_table(summary), "figures": figures_table(summary)}
    if any(reward.by for reward in rewards):
        found["groups"] = group_table(summary, "headline")
        found["group_overrides"] = group_table(summary, "override_rate")
    if summary.n_wordings > 1:
        found["wordings"] = wording_table(summary)
    if any(reward.truncation for reward in rewards):
        found["cut"] = cut_table(summary)
    return found


def _scales(summary: Summary) -> dict[str, str]:
    """What a difference of scores means, of the reward models that the catalog knows."""
    known = {name: name.partition(":")[0].replace("_", "-") for name in summary.rewards}
    return {name: REWARDS[row].difference for name, row in known.items() if row in REWARDS}


def _provenance(summary: Summary) -> list[tuple[str, str]]:
    """The provenance as lines of text; what is unknown is left out."""
    flat: list[tuple[str, Any]] = []
    for key, value in summary.provenance.items():
        nested = isinstance(value, Mapping)
        flat += [(f"{key} {k}", v) for k, v in value.items()] if nested else [(key, value)]
    checks = dict(flat).get("run checks") or {}
    told = [
        (
            key.replace("_", " ").removeprefix("versions "),
            value if isinstance(value, str) else json.dumps(value),
        )
        for key, value in flat
        if value is not None and key != "run checks"
    ]
    return told + [
        (f"check of {name}", "; ".join(finding["text"] for finding in findings))
        for name, findings in checks.items()
    ]
