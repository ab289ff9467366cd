"""The pairs themselves: which are shown, their image files, and what each card says."""

from __future__ import annotations

import difflib
import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aas_bench.errors import InputError
from aas_bench.measure.results import Summary
from aas_bench.measure.rows import headline_rows, members
from aas_bench.measure.summary import verdicts
from aas_bench.pages.kit import Facet
from aas_bench.pages.pictures import Pictures
from aas_bench.stats.override import OUTCOMES
from aas_bench.tables.schema import (
    DIMENSIONS,
    IMAGE_COLUMNS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    LABEL,
    MODEL,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
)
from aas_bench.tables.scores import Cells, ScoreTable
from aas_bench.words import number

_TOKENS = re.compile(r"\s+|[^\s\w]+|\w+")
_NOT_MARKED = " \t\n,.;:"
_MOST_DECIMALS = 6
LABELS = {1: "the image asked for", 0: "the polished image", -1: "neither"}


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """The cards of pairs.

    Attributes:
        cards: One per pair shown, in the order of the table.
        rewards: The reward models, in the order of the scores of a card.
        n_pairs: Pairs that could have been shown.
        n_unreadable: Pairs left out because an image is missing or damaged.
        by: What the groups of the cards are.
    """

    cards: list[dict[str, Any]]
    rewards: tuple[str, ...]
    n_pairs: int
    n_unreadable: int = 0
    by: str = "Group"

    @property
    def facets(self) -> tuple[Facet, ...]:
        """The filters that have something to choose from."""
        given = {score["verdict"] for card in self.cards for score in card["scores"]}
        wanted = (
            ("dimension", "Dimension", self._options("dimension")),
            ("group", self.by, self._options("group")),
            ("dose", "Dose", sorted(self._options("dose"), key=float)),
            ("reward", "Reward model", self.rewards),
            (
                "outcome",
                "Outcome",
                [v for v in (*OUTCOMES, "asked", "polished", "tied") if v in given],
            ),
        )
        return tuple(
            Facet(key=key, label=label, values=tuple(values))
            for key, label, values in wanted
            if len(values) > 1
        )

    def words(self, card: Mapping[str, Any]) -> str:
        """What the search looks through, in lower case."""
        prompt = "".join(text for text, _ in card["prompt"])
        return " ".join([prompt, *card["dimension"], *card["group"], card[PAIR_ID]]).lower()

    def facts(self, card: Mapping[str, Any]) -> list[str]:
        """What is known of a pair beside its scores."""
        said = [*card["dimension"], *card["group"]]
        if card["dose"] is not None:
            said.append(f"dose {card['dose']}")
        if self._labels_differ and card["label"] is not None:
            said.append(f"label: {LABELS[card['label']]}")
        return [*said, card[PAIR_ID]]

    @cached_property
    def _labels_differ(self) -> bool:
        return len({card["label"] for card in self.cards}) > 1

    def _options(self, key: str) -> list[str]:
        """Distinct values over all cards, in order of appearance."""
        values = dict.fromkeys(
            v for c in self.cards for v in (c[key] if isinstance(c[key], list) else [c[key]])
        )
        return [v for v in values if v is not None]


def build_gallery(
    summary: Summary, table: ScoreTable, pairs: Any, *, folder: Path, max_gallery: int
) -> Gallery:
    """Choose the pairs, write their images and describe them.

    Args:
        summary: Names the reward models and the column that groups are read from.
        table: The scores.
        pairs: A datasets.Dataset, or an iterable of rows, in the pair schema.
        folder: Where the image files go; made where absent.
        max_gallery: Most pairs to show; above that a seeded random sample of them.

    Raises:
        InputError: `pairs` holds none of the pairs of the table.
    """
    rows = np.flatnonzero(headline_rows(table.frame))
    row_of = {str(table.frame[PAIR_ID].iloc[row]): int(row) for row in rows}
    shown = _sample(list(row_of), max_gallery, int(summary.provenance["seed"]))
    pictures = Pictures(folder)
    cards = _cards(summary, table, pairs, row_of, shown, pictures)
    met = {card[PAIR_ID]: card for card in cards}
    if not met:
        msg = "none of the given pairs is in the score table. Give the pairs that were scored."
        raise InputError(msg)
    whole = [met[p] for p in shown if p in met and met[p]["left"] and met[p]["right"]]
    return Gallery(
        cards=whole,
        rewards=tuple(summary.rewards),
        n_pairs=len(row_of),
        n_unreadable=len(met) - len(whole),
        by=str(summary.by or "Group"),
    )


def marked_words(original: str | None, distorted: str) -> list[tuple[str, bool]]:
    """The distorted prompt in runs, each marked where its words are not in the original.

    Example:
        >>> marked_words("a cat", "a blurred cat")
        [('a ', False), ('blurred', True), (' ', False), ('cat', False)]
    """
    if original is None:
        return [(distorted, False)]
    old, new = _TOKENS.findall(original), _TOKENS.findall(distorted)
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    runs: list[tuple[str, bool]] = []
    for operation, _, _, start, end in matcher.get_opcodes():
        text = "".join(new[start:end])
        words = text.strip(_NOT_MARKED)
        if operation == "equal" or not words:
            runs.append((text, False))
            continue
        lead, trail = text.split(words, 1)
        runs += [(lead, False), (words, True), (trail, False)]
    return [(text, marked) for text, marked in runs if text]


def _cards(
    summary: Summary,
    table: ScoreTable,
    pairs: Any,
    row_of: Mapping[str, int],
    shown: Container[str],
    pictures: Pictures,
) -> Iterator[dict[str, Any]]:
    judged = {name: verdicts(table, name) for name in summary.rewards}
    cells = {name: table.cells(name) for name in summary.rewards}
    decimals = {name: decimals_of(cells[name]) for name in summary.rewards}
    for pair in _rows_of(pairs, shown):
        row = row_of[str(pair[PAIR_ID])]
        facts = {str(k): v for k, v in table.frame.iloc[row].items()} | dict(pair)
        yield {
            PAIR_ID: str(pair[PAIR_ID]),
            "model": _text(facts.get(MODEL)),
            "dimension": members(facts.get(DIMENSIONS)),
            "group": _group(summary, facts),
            "dose": _dose(facts.get("dose")),
            "label": _label(facts.get(LABEL)),
            "prompt": marked_words(
                _text(facts.get(PROMPT_ORIGINAL)), _text(facts.get(PROMPT_DISTORTED)) or ""
            ),
            "left": _picture(pictures, pair, IMAGE_ORIGINAL),
            "right": _picture(pictures, pair, IMAGE_DISTORTED),
            "scores": [
                {
                    "left": score_text(cells[name].oidp[row], decimals[name]),
                    "right": score_text(cells[name].didp[row], decimals[name]),
                    "verdict": judged[name][row],
                }
                for name in summary.rewards
            ],
        }


def _rows_of(pairs: Any, shown: Container[str]) -> Iterable[Mapping[str, Any]]:
    """The rows to show; of a Dataset only these are read, and their images stay encoded."""
    if hasattr(pairs, "select_columns") and hasattr(pairs, "select"):
        from datasets import Image

        for column in IMAGE_COLUMNS:
            pairs = pairs.cast_column(column, Image(decode=False))
        ids = pairs.select_columns([PAIR_ID])[PAIR_ID]
        rows: Iterable[Mapping[str, Any]] = pairs.select(
            [i for i, pair_id in enumerate(ids) if str(pair_id) in shown]
        )
        return rows
    return (pair for pair in pairs if str(pair[PAIR_ID]) in shown)


def _picture(pictures: Pictures, pair: Mapping[str, Any], column: str) -> dict[str, Any] | None:
    """None where there is no image or it cannot be read; its scores are missing then, too."""
    if pair[column] is None:
        return None
    try:
        return asdict(pictures.store(pair[column], name=f"{column} of {pair[PAIR_ID]}"))
    except InputError:
        return None


def _sample(ids: list[str], most: int, seed: int) -> dict[str, None]:
    """At most that many pairs in random order, so that the first cards show a variety."""
    drawn = np.random.default_rng(seed).permutation(len(ids))[:most]
    return {ids[i]: None for i in drawn}


def _group(summary: Summary, facts: Mapping[str, Any]) -> list[str]:
    return [] if summary.by in (None, DIMENSIONS) else members(facts.get(str(summary.by)))


def _dose(value: Any) -> str | None:
    return None if value is None or pd.isna(value) else f"{float(value):g}"


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) else str(value)


def _label(value: Any) -> int | None:
    return None if value is None or pd.isna(value) else int(value)


def score_text(value: float, decimals: int) -> str | None:
    """A score as it is read; None where it is missing."""
    return None if np.isnan(value) else number(float(value), digits=decimals)


def decimals_of(cells: Cells) -> int:
    """Decimals that show a typical margin of this reward model with about three digits."""
    margin = np.abs(cells.didp - cells.oidp)
    typical = float(np.median(margin[margin > 0])) if np.any(margin > 0) else 1.0
    return int(np.clip(2 - np.floor(np.log10(typical)), 0, _MOST_DECIMALS))
