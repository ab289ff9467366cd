"""The real reward models that the package brings the scores of: figures, sentences, chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aas_bench.evidence import EVIDENCE, NAMES
from aas_bench.measure.standing import Standing, standings
from aas_bench.pages.chart import Chart, Drawing, Scale, interval_mark, series
from aas_bench.pages.summary_charts import WIDTH
from aas_bench.tables.scores import load_scores
from aas_bench.words import ROUND_SHARE, SHARE, listing, percent

HEADING: Final = "Three real reward models"
FIGURES: Final = {
    "chosen": "chose asked-for",
    "moved": "moved (net)",
    "overridden": "yet polish won",
    "overridden_in_every_unit": "in every unit",
}
"""What is shown of each model, in few words; `MEANINGS` says what they stand for."""
MEANINGS: Final = {
    "chosen": "Pairs in which the image that was asked for scored higher than the polished one, "
    "under the prompt that asked for it.",
    "moved": "Pairs whose score moved towards the request, less those whose score moved against "
    "it, by exchange with the prompt of the polished image. Chance is 0.",
    "overridden": "Of the pairs that so moved, those in which the polished image scored higher "
    "all the same, taking differences of scores at face value.",
    "overridden_in_every_unit": "Of all pairs, those that moved and that polish won however the "
    "score is rescaled.",
}
_ROW, _HEAD = 24, 36


@dataclass(frozen=True, kw_only=True)
class RealModels:
    """The evidence, read and measured.

    Attributes:
        found: By the name that people read.
        n_pairs: Pairs.
    """

    found: Mapping[str, Standing]
    n_pairs: int

    @property
    def lede(self) -> str:
        """What was scored, and by whom."""
        return (
            f"{self.n_pairs} pairs, images by Stable Diffusion 3.5 Large, scores published by "
            "the authors of arXiv 2512.11883; 95 % intervals over prompts."
        )

    @property
    def every_unit(self) -> str:
        """What holds however the scores are rescaled."""
        who = listing(self.found)
        moved = listing(percent(s.moved_in_every_unit.value) for s in self.found.values())
        lost = listing(
            percent(s.overridden_in_every_unit.value, digits=1) for s in self.found.values()
        )
        return (
            f"In every unit of the score, {moved} of pairs moved towards the request ({who}), and "
            f"{lost} of all pairs so moved and were won by polish. That HPSv3 overrides more than "
            "HPSv2 rests on the unit of its score."
        )

    @property
    def limits(self) -> str:
        """What the figures do not say."""
        return (
            "Limits: a score that moved is not a request understood (the two prompts differ in "
            "more than the request); no label says which images show what was asked for; one "
            "generator."
        )

    def rows(self) -> list[tuple[str, ...]]:
        """A model a row: its name, then `FIGURES` with intervals."""
        return [
            (name, *(ROUND_SHARE.whole(getattr(standing, key)) for key in FIGURES))
            for name, standing in self.found.items()
        ]


def real_models() -> RealModels:
    """Measure the scores in the package."""
    table = load_scores(EVIDENCE)
    found = {NAMES[name]: standing for name, standing in standings(table).items()}
    return RealModels(found=found, n_pairs=len(table))


def real_chart(models: RealModels) -> Chart:
    """Each figure of each model as a mark on its interval, models under one another."""
    block = len(models.found) * _ROW + _HEAD
    height = len(FIGURES) * block + 24
    drawing = Drawing("real", WIDTH, height)
    x = Scale(low=0, high=1, start=118, stop=WIDTH - 130)
    for i, (key, heading) in enumerate(_HEADINGS.items()):
        top = i * block + _HEAD
        drawing.text(1, top - 12, heading, bold=True)
        for tick in (0, 0.5, 1):
            drawing.line([(x(tick), top - 4), (x(tick), top + block - _HEAD - 2)], "rule")
            if i == len(FIGURES) - 1:
                drawing.text(x(tick), height - 6, percent(tick), fill="muted", anchor="middle")
        for position, (name, standing) in enumerate(models.found.items()):
            y, estimate = top + position * _ROW + _ROW / 2 - 3, getattr(standing, key)
            drawing.text(x.start - 12, y, name, fill=series(position), anchor="end", middle=True)
            interval_mark(drawing, estimate, x, y, position=position)
            drawing.text(x.stop + 14, y, ROUND_SHARE.whole(estimate), middle=True)
    sentence = " ".join(
        f"{name}: {', '.join(map(' '.join, zip(FIGURES.values(), row, strict=True)))}."
        for name, *row in models.rows()
    )
    return Chart(
        name="real",
        heading=HEADING,
        svg=drawing.svg(title=HEADING, description=sentence),
        sentence=sentence,
        columns=("Reward model", *FIGURES.values(), "moved, in every unit"),
        rows=tuple(
            (
                name,
                *(SHARE.whole(getattr(standing, key)) for key in FIGURES),
                SHARE.whole(standing.moved_in_every_unit),
            )
            for name, standing in models.found.items()
        ),
    )


_HEADINGS: Final = {
    "chosen": "Chose what was asked for",
    "moved": "Moved towards the request (net share)",
    "overridden": "Moved, and polish won (of those that moved)",
    "overridden_in_every_unit": "The same in every unit (of all pairs)",
}
