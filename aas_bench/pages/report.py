"""The report: one folder with a page, its images and its numbers, readable from disk."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aas_bench import words
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.errors import InputError
from aas_bench.measure.results import Summary
from aas_bench.pages import findings
from aas_bench.pages.figures import (
    dose_charts,
    knob_chart,
    override_chart,
)
from aas_bench.pages.gallery import Gallery, build_gallery
from aas_bench.pages.series import series_mark
from aas_bench.pages.task_charts import ladder_charts, task_panels
from aas_bench.stats.override import OUTCOMES
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
        out: Folder to write; an earlier report there is replaced.
        title: Heading of the page; None: the question that it answers.
        max_gallery: Most pairs in the gallery; of more a random sample is shown.

    Returns:
        Path of `index.html`.

    Raises:
        InputError: `out` is a file, or a folder that holds something other than a report.
    """
    target = Path(out).resolve()
    _refuse_foreign(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        gallery = None
        if pairs is not None and summary.paired:
            folder = aside / "images"
            gallery = build_gallery(
                summary.ordered(), table, pairs, folder=folder, max_gallery=max_gallery
            )
        _write_text(aside / MARKER, "1\n")
        _write_text(aside / "summary.json", summary.to_json() + "\n")
        _write_text(aside / "index.html", render(summary.ordered(), gallery, title=title))
        _put_in_place(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Path(out) / "index.html"


def render(summary: Summary, gallery: Gallery | None = None, *, title: str | None = None) -> str:
    """The page of a report as HTML text; every value from the data is escaped.

    The reward models appear in the order of the summary, which must be that of the gallery.
    """
    environment = Environment(
        loader=PackageLoader("aas_bench.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "words": words,
        "findings": findings,
        "series_mark": series_mark,
    }
    script = _template("report.js")
    return environment.get_template("report.html.j2").render(
        title=title or (TITLE if summary.paired else ART_TITLE),
        summary=summary,
        ranks=summary.ranks(),
        most=findings.most_overriding(summary),
        groups=list(dict.fromkeys(g for r in summary.rewards.values() for g in r.by)),
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
        gallery=gallery,
        filters=[] if gallery is None else _filters(summary, gallery),
        cards=None if gallery is None else _script_json(_cards(summary, gallery)),
        style=Markup(_template("report.css")),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _cards(summary: Summary, gallery: Gallery) -> dict[str, Any]:
    labels = {card["label"] for card in gallery.cards}
    return {
        "rewards": list(summary.rewards),
        "cards": gallery.cards,
        "tell_label": len(labels) > 1,
    }


def _filters(summary: Summary, gallery: Gallery) -> list[tuple[str, str, list[str]]]:
    """Name, caption and values of each filter that has something to choose from."""
    given = {v["verdict"] for card in gallery.cards for v in card["scores"]}
    verdicts = [v for v in (*OUTCOMES, "asked", "polished") if v in given]
    filters = [
        ("dimension", "Dimension", gallery.options("dimension")),
        ("group", str(summary.by), gallery.options("group")),
        ("dose", "Dose", gallery.options("dose")),
        ("reward", "Reward model", list(summary.rewards)),
        ("outcome", "Outcome", verdicts),
    ]
    return [row for row in filters if len(row[2]) > 1]


def _provenance(summary: Summary) -> list[tuple[str, str]]:
    """The provenance as lines of text; what is unknown is left out."""
    flat: list[tuple[str, Any]] = []
    for key, value in summary.provenance.items():
        nested = isinstance(value, Mapping)
        flat += [(f"{key} {k}", v) for k, v in value.items()] if nested else [(key, value)]
    return [
        (
            key.replace("_", " ").removeprefix("versions "),
            value if isinstance(value, str) else json.dumps(value),
        )
        for key, value in flat
        if value is not None
    ]


def _script_json(value: Any) -> Markup:
    """JSON that can stand inside a script element: nothing in it can close the element."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=True, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - no character of markup is left


def _template(name: str) -> str:
    return (resources.files("aas_bench.pages") / "templates" / name).read_text("utf-8")


def _write_text(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _refuse_foreign(target: Path) -> None:
    if target.is_dir() and ((target / MARKER).exists() or not any(target.iterdir())):
        return
    if target.exists() or target.is_symlink():
        msg = f"{target} exists and is not a report. Give another folder, or remove it first."
        raise InputError(msg)


def _put_in_place(aside: Path, target: Path) -> None:
    """Rename the finished folder to its place; an earlier report goes only once that is done."""
    aside.chmod(0o777 & ~_umask())
    if not target.exists():
        aside.rename(target)
        return
    old = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.old."))
    target.rename(old)
    try:
        aside.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
