"""One reward model on some of the rows of a score table: every statistic is computed here, once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, get_args

import numpy as np
from numpy.typing import NDArray

from aas_bench.measure.judge_figures import judge_figures
from aas_bench.measure.rows import base_prompts, headline_rows, reworded_rows, wording_rows
from aas_bench.rewards.catalog import REWARDS
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.consistency import Consistency, paraphrase_consistency
from aas_bench.stats.dose import DoseResponse, dose_response
from aas_bench.stats.estimate import Estimate, Labels, Mask, Scores, Ties
from aas_bench.stats.gap import PairedGap, paired_gap
from aas_bench.stats.generation import GeneratorShift, generator_shift
from aas_bench.stats.judge_errors import audited_rate
from aas_bench.stats.latent import (
    LEAST_WORDINGS,
    LatentOverride,
    Wordings,
    latent_override,
    wording_override,
)
from aas_bench.stats.latent_truth import panel_errors, panel_rate
from aas_bench.stats.override import OUTCOMES, Override, outcomes, override
from aas_bench.stats.placebo import (
    FailedImages,
    PlaceboOverride,
    failed_image_bounds,
    placebo_override,
)
from aas_bench.stats.placebo import Kind as PlaceboKind
from aas_bench.stats.preference import (
    Choices,
    Preference,
    choice,
    choices,
    chosen,
    preference,
    right,
)
from aas_bench.stats.rescaling import Rescaling, rescaling
from aas_bench.stats.resolution import difference, resolution
from aas_bench.stats.scale import logit, logit_resolution
from aas_bench.stats.strength import StrengthCurve, strength_curve
from aas_bench.tables.judge_columns import labels_by_judge
from aas_bench.tables.schema import PEOPLE_VOTE
from aas_bench.tables.scores import Cells, ScoreTable

TIES: Final = get_args(Ties)
PLACEBOS: Final[tuple[PlaceboKind, ...]] = ("matched", "original", "foreign")
"""Kinds of placebo, the best evidence first: foreign ones change the content too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """One reward model on some of the rows; statistics are computed on first use and kept.

    Attributes:
        views: The table that it is a view of.
        reward: The reward model.
        rows: The rows, shape (n rows of the table,).
    """

    views: Views
    reward: str
    rows: Mask

    @property
    def n(self) -> int:
        """The rows, with or without scores."""
        return int(np.count_nonzero(self.rows))

    @property
    def whole(self) -> bool:
        """Whether these are all the rows of the headline."""
        return self.rows is self.views.rows

    @property
    def cells(self) -> Cells:
        """The four scores of the rows."""
        whole = self.views.cells(self.reward)
        return Cells(**{name: column[self.rows] for name, column in vars(whole).items()})

    @property
    def margin(self) -> Scores:
        """d_a = didp - oidp: what the image that was asked for gains on the polished one."""
        cells = self.cells
        return difference(cells.didp, cells.oidp)

    @cached_property
    def on_scale(self) -> Cells:
        """The four scores where a difference means the same anywhere: probabilities as log-odds."""
        cells = self.cells
        if not self.views.probability(self.reward):
            return cells
        return Cells(**{name: logit(column) for name, column in vars(cells).items()})

    @property
    def label(self) -> Labels | None:
        """The labels of the rows; None where no row of the table's headline has one."""
        label = self.views.label
        return None if label is None else label[self.rows]

    @property
    def four(self) -> bool:
        """Whether the original prompt was scored at all; some tasks have none."""
        return self.views.has_four(self.reward)

    @property
    def keywords(self) -> dict[str, Any]:
        """The options of a statistic on these rows."""
        analysis = self.views.analysis
        return {
            "confidence_level": analysis.confidence_level,
            # Where images stand alone, every margin is missing by nature and none by fault.
            "on_missing": analysis.on_missing if self.views.paired else "drop",
            "clusters": self.views.clusters[self.rows],
        }

    @property
    def choice_keywords(self) -> dict[str, Any]:
        """The same for a statistic of choices, which can be ties."""
        return {**self.keywords, "ties": self.views.analysis.ties}

    @property
    def test_keywords(self) -> dict[str, Any]:
        """The same for a test, which flips signs at random."""
        analysis = self.views.analysis
        return {**self.keywords, "n_resamples": analysis.n_resamples, "seed": analysis.seed}

    @cached_property
    def preference(self) -> Preference | None:
        """Agreement with the labels; None without labels."""
        label = self.label
        if label is None:
            return None
        return preference(self.margin, label, **self.choice_keywords)

    @property
    def _chose(self) -> Scores:
        """How far the distorted image was chosen, in [0, 1]; NaN where a score is missing."""
        margin = self.margin
        return np.where(np.isnan(margin), np.nan, choice(margin, self.views.analysis.ties))

    @cached_property
    def audited(self) -> Estimate | None:
        """The accuracy that people would find; None where they did not vote beside labels."""
        label, people = self.label, self.views.people
        if label is None or people is None:
            return None
        rows = label >= 0
        said, found = label[rows], people[self.rows][rows]
        chose = self._chose[rows]
        truth = np.where(found >= 0, right(chose, found == 1), found)
        truth[np.isnan(chose)] = np.nan
        return audited_rate(right(chose, said), truth, **{**self.keywords, **self._among(rows)})

    @cached_property
    def judged(self) -> Estimate | None:
        """The accuracy by several judges, less their errors; None where no two of them voted."""
        votes = self.views.judges_votes
        if self.label is None or len(votes) < 2:
            return None
        table = np.column_stack([each[self.rows] for each in votes.values()])
        return panel_rate(self._chose, table, **self.keywords)

    @cached_property
    def confirmed(self) -> Estimate | None:
        """Share of the pairs with a label and a vote in which people chose as the label says."""
        label, people = self.label, self.views.people
        if label is None or people is None:
            return None
        both = (label >= 0) & (people[self.rows] >= 0)
        if not both.any():
            return None
        agreed = np.where(label[both] == people[self.rows][both], 1.0, -1.0)
        return chosen(agreed, **{**self.keywords, **self._among(both)})

    def _among(self, rows: Mask) -> dict[str, Any]:
        """The clusters of some of these rows."""
        return {"clusters": self.views.clusters[self.rows][rows]}

    @cached_property
    def chosen(self) -> Estimate:
        """Share of pairs in which the image that was asked for scores higher."""
        return chosen(self.margin, **self.choice_keywords)

    @cached_property
    def choices(self) -> Choices:
        """How many pairs were chosen as asked, how many not, and how many are ties."""
        return choices(self.margin, **self.keywords)

    @property
    def has_ties(self) -> bool:
        """Whether any figure of these rows rests on what a tie counts as."""
        return bool(self.choices.tied.value) or bool(
            self.override and self.override.n_response_ties
        )

    def under(self, ties: Ties) -> View:
        """The same rows under another rule of ties."""
        return self.views.under(ties).view(self.reward, self.rows)

    @cached_property
    def override(self) -> Override | None:
        """The four outcomes; None without scores under the original prompt."""
        if not self.four:
            return None
        cells = self.on_scale
        return override(cells.oiop, cells.oidp, cells.diop, cells.didp, **self.choice_keywords)

    @cached_property
    def placebos(self) -> Mapping[PlaceboKind, PlaceboOverride]:
        """Understanding and override by kind of placebo, in the order of `PLACEBOS`.

        The first is the headline. Empty without scores under any placebo.
        """
        found = {kind: self._against(kind) for kind in PLACEBOS}
        return {kind: each for kind, each in found.items() if each is not None}

    def _against(self, kind: PlaceboKind) -> PlaceboOverride | None:
        found = self._gains(kind)
        if found is None:
            return None
        real, placebo, tolerance = found
        options = {**self.choice_keywords, "labels": self.label, "tolerance": tolerance}
        if kind != "original":
            # Pairs may have fewer placebos than the widest; a missing real score was refused.
            options["on_missing"] = "drop"
        return placebo_override(real, placebo, kind=kind, **options)

    @cached_property
    def best_placebo(self) -> PlaceboKind | None:
        """The kind of placebo of the headline; None where no row has one."""
        return next((kind for kind in PLACEBOS if self._gains(kind) is not None), None)

    def beaten(self, kind: PlaceboKind) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """Of each row, the placebos that moved its score less than its request, and how many.

        Shapes (n,); None where these rows have none of this kind.
        """
        found = self._gains(kind)
        if found is None:
            return None
        real, placebo, tolerance = found
        gap = real[:, None] - placebo
        less = (gap > 0) & (gap >= tolerance[:, None])
        return less.sum(axis=1), (~np.isnan(gap)).sum(axis=1)

    def _gains(self, kind: PlaceboKind) -> tuple[Scores, Scores, Scores] | None:
        """Gains under the request, (n,), under placebos, (n, K), and their resolution, (n,)."""
        cells, raw = self.on_scale, self.cells
        real = difference(cells.didp, cells.oidp)
        if kind == "original":
            four = raw.oiop, raw.oidp, raw.diop, raw.didp
            placebo = difference(cells.diop, cells.oiop)[:, None]
            return (real, placebo, self._resolution(*four)) if self.four else None
        scores = self.views.placebos(self.reward, kind)
        if scores is None:
            return None
        polished, asked = (each[self.rows] for each in scores)
        if np.isnan(polished + asked).all():
            return None
        tolerance = self._resolution(raw.oidp, raw.didp, _largest(polished), _largest(asked))
        if self.views.probability(self.reward):
            polished, asked = (
                logit(each.ravel()).reshape(each.shape) for each in (polished, asked)
            )
        return real, asked - polished, tolerance

    def _resolution(self, *scores: Scores) -> Scores:
        found = logit_resolution if self.views.probability(self.reward) else resolution
        return np.nan_to_num(found(*scores))

    @property
    def placebo(self) -> PlaceboOverride | None:
        """The headline of `placebos`."""
        return next(iter(self.placebos.values()), None)

    def failed(self, share: float) -> FailedImages | None:
        """Bounds of the override rate if so many images failed; None where labels say which did."""
        if self.placebo is None or self.placebo.labelled:
            return None
        return failed_image_bounds(self.placebo, share)

    @cached_property
    def rescaling(self) -> Rescaling | None:
        """What holds in every increasing unit; None without scores under the original prompt."""
        if not self.four:
            return None
        cells = self.cells
        return rescaling(cells.oiop, cells.oidp, cells.diop, cells.didp, **self.keywords)

    @cached_property
    def knob(self) -> StrengthCurve | None:
        """The choice over the preference strength; None likewise."""
        if not self.four:
            return None
        cells = self.on_scale
        d_a, d_o = difference(cells.didp, cells.oidp), difference(cells.diop, cells.oiop)
        return strength_curve(d_a, d_o, self.label, **self.choice_keywords)

    @cached_property
    def shift(self) -> GeneratorShift | None:
        """How the images move under the original prompt; None likewise."""
        if not self.four:
            return None
        cells = self.cells
        return generator_shift(cells.oiop, cells.diop, **self.keywords)

    @cached_property
    def gap(self) -> PairedGap:
        """How much higher the original image scores, under the distorted prompt."""
        cells = self.cells
        return paired_gap(cells.oidp, cells.didp, **self.keywords)

    @cached_property
    def gap_clean_caption(self) -> PairedGap:
        """The same under the original prompt."""
        cells = self.cells
        return paired_gap(cells.oiop, cells.diop, **self.keywords)

    @cached_property
    def dose(self) -> DoseResponse | None:
        """Win rate over dose by effect; None where the table has no doses."""
        frame = self.views.table.frame
        if not {"dose", "effect", "scene"} <= set(frame.columns):
            return None
        keywords = {name: value for name, value in self.keywords.items() if name != "clusters"}
        return dose_response(
            self.margin,
            frame["dose"].to_numpy(dtype=np.float64)[self.rows],
            frame["effect"].to_numpy()[self.rows],
            frame["scene"].to_numpy()[self.rows],
            **keywords,
        )

    @cached_property
    def consistency(self) -> Consistency | None:
        """Agreement between wordings, over the whole table; None where it has no wordings."""
        frame = self.views.table.frame
        rows = reworded_rows(frame)
        if not np.any(rows):
            return None
        every = self.views.view(self.reward, rows)
        return paraphrase_consistency(
            every.margin,
            frame["item"].to_numpy()[rows],
            frame["wording"].to_numpy()[rows],
            every.label,
            **every.keywords,
        )

    @property
    def wording_average(self) -> PlaceboOverride | None:
        """The average of `wordings`."""
        return None if self.wordings is None else self.wordings.average

    @cached_property
    def wordings(self) -> Wordings | None:
        """Following and override averaged over wordings; None where no pair has two.

        Against the placebos of the headline.
        """
        if self._wording_rows is None or self.placebo is None:
            return None
        assert self.placebo.kind is not None
        real, placebo, tolerance = self._reworded(self.placebo.kind)
        return wording_override(
            real,
            placebo,
            kind=self.placebo.kind,
            tolerance=tolerance,
            labels=self._of_first(self.views.label),
            clusters=self._of_first(self.views.clusters),
            on_missing="drop",
            ties=self.views.analysis.ties,
            confidence_level=self.views.analysis.confidence_level,
        )

    @cached_property
    def latent(self) -> LatentOverride | None:
        """What the wordings are noise around; None without four of the request and of P_o each."""
        rows = self._wording_rows
        if rows is None or rows.shape[1] < LEAST_WORDINGS or not self.four:
            return None
        real, placebo, _ = self._reworded("original")
        if placebo.shape[1] < LEAST_WORDINGS:
            return None
        return latent_override(
            real,
            placebo,
            labels=self._of_first(self.views.label),
            clusters=self._of_first(self.views.clusters),
            on_missing="drop",
            confidence_level=self.views.analysis.confidence_level,
            seed=self.views.analysis.seed,
        )

    @cached_property
    def over_wordings(self) -> Estimate | None:
        """The headline over every wording of the pairs that have two; n counts pairs."""
        rows = self._wording_rows
        if rows is None:
            return None
        asked = np.zeros(len(self.rows), dtype=bool)
        asked[rows[rows >= 0]] = True
        every = self.views.view(self.reward, asked)
        found = every.chosen if every.preference is None else every.preference.accuracy
        counted = ~np.isnan(self.views.view(self.reward, np.ones_like(asked)).margin)
        if self.views.label is not None:
            counted &= self.views.label >= 0
        return replace(found, n=int(((rows >= 0) & counted[rows]).any(axis=1).sum()))

    @cached_property
    def _wording_rows(self) -> NDArray[np.intp] | None:
        return wording_rows(self.views.table.frame) if self.whole else None

    def _reworded(self, kind: PlaceboKind) -> tuple[Scores, Scores, Scores]:
        """`_gains` of each pair with two wordings: real (n, W), placebo (n, W K or K), (n,)."""
        rows = self._wording_rows
        assert rows is not None
        found = self.views.view(self.reward, np.ones(len(self.rows), dtype=bool))._gains(kind)
        assert found is not None
        there = rows >= 0
        real, placebo, tolerance = (each[rows] for each in found)
        real, placebo = np.where(there, real, np.nan), np.where(there[..., None], placebo, np.nan)
        first = placebo[np.arange(len(rows)), there.argmax(axis=1)]
        same = (placebo == first[:, None]) | np.isnan(placebo)
        # Placebos that no wording changes are those of one wording.
        every = first if same.all() else placebo.reshape(len(rows), -1)
        return real, every, np.where(there, tolerance, 0.0).max(axis=1)

    def _of_first(self, column: NDArray[Any] | None) -> NDArray[Any] | None:
        """A column of the table at the first wording of each pair that has two."""
        rows = self._wording_rows
        assert rows is not None
        first = rows[np.arange(len(rows)), (rows >= 0).argmax(axis=1)]
        return None if column is None else column[first]

    def outcomes(self) -> dict[str, int] | None:
        """Pairs by outcome; None without scores under the original prompt."""
        if not self.four:
            return None
        cells = self.cells
        codes = outcomes(cells.oiop, cells.oidp, cells.diop, cells.didp)
        counts = np.bincount(codes[codes >= 0], minlength=len(OUTCOMES)).tolist()
        return dict(zip(OUTCOMES, counts, strict=True))

    def coverage(self) -> float:
        """Share of the rows that were scored under the distorted prompt."""
        scored = self.margin if self.views.paired else self.cells.didp
        return float(np.mean(~np.isnan(scored)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Views:
    """One score table, opened for measuring.

    Attributes:
        table: The score table.
        analysis: How it is analysed.
        paired: Whether its rows are pairs.
        rows: The rows behind every headline: each pair once.
        label: The labels, shape (n,); None where none of those rows has one.
        people: What people chose beside the labels, shape (n,), NaN where nobody looked; None
            where there are no such votes.
    """

    table: ScoreTable
    analysis: Analysis
    paired: bool
    rows: Mask
    label: Labels | None
    people: Scores | None = None
    _cells: dict[str, Cells] = field(default_factory=dict, repr=False)
    _views: dict[tuple[str, bytes], View] = field(default_factory=dict, repr=False)
    _placebos: dict[tuple[str, str], tuple[Scores, Scores] | None] = field(
        default_factory=dict, repr=False
    )
    _under: dict[Ties, Views] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, table: ScoreTable, analysis: Analysis, *, paired: bool = True) -> Views:
        """A table, opened: one row per item counts, and labels only where any is 0 or 1."""
        rows, label = headline_rows(table.frame), table.label
        labelled = label is not None and bool(np.any(label[rows] >= 0))
        return cls(
            table=table,
            analysis=analysis,
            paired=paired,
            rows=rows,
            label=label if labelled else None,
            people=_people(table, rows) if labelled else None,
        )

    def view(self, reward: str, rows: Mask | None = None) -> View:
        """A reward model on some of the rows, by default those of the headline.

        Equal rows give one view, so that what several parts of a report ask for is computed once.
        """
        chosen_rows = self.rows if rows is None else rows
        key = reward, hashlib.blake2b(chosen_rows.tobytes(), digest_size=16).digest()
        if key not in self._views:
            self._views[key] = View(views=self, reward=reward, rows=chosen_rows)
        return self._views[key]

    def forget(self) -> None:
        """Let the views go; what is true of the whole table stays."""
        self._views.clear()

    def under(self, ties: Ties) -> Views:
        """The same table under another rule of ties."""
        if ties == self.analysis.ties:
            return self
        if ties not in self._under:
            analysis = replace(self.analysis, ties=ties)
            self._under[ties] = replace(self, analysis=analysis, _views={}, _under={})
        return self._under[ties]

    def probability(self, reward: str) -> bool:
        """Whether the scores are probabilities, as the catalog has it."""
        name = reward.partition(":")[0]
        return name in REWARDS and REWARDS[name].scale == "probability"

    def cells(self, reward: str) -> Cells:
        """The four scores of all rows."""
        if reward not in self._cells:
            self._cells[reward] = self.table.cells(reward)
        return self._cells[reward]

    def placebos(self, reward: str, kind: PlaceboKind) -> tuple[Scores, Scores] | None:
        """The scores of all rows under their placebo requests; see `ScoreTable.placebo_scores`."""
        key = reward, kind
        if key not in self._placebos:
            self._placebos[key] = self.table.placebo_scores(reward, kind)
        return self._placebos[key]

    @cached_property
    def clusters(self) -> NDArray[np.int64]:
        """The base prompt of every row."""
        return base_prompts(self.table)

    def judged(self, measure: str) -> dict[str | None, Estimate]:
        """A measure of what judges said, by judge; see `judge_figures`."""
        return judge_figures(
            measure,
            self.table.frame,
            self.rows,
            clusters=self.clusters[self.rows],
            confidence_level=self.analysis.confidence_level,
        )

    @cached_property
    def judges_votes(self) -> dict[str, Scores]:
        """What each judge says of every row; see `labels_by_judge`."""
        return labels_by_judge(self.table.frame)

    @cached_property
    def judge_errors(self) -> dict[str, Estimate]:
        """How often each of several judges errs; empty where there are no two."""
        votes = self.judges_votes
        if len(votes) < 2:
            return {}
        found = panel_errors(
            np.column_stack([each[self.rows] for each in votes.values()]),
            clusters=self.clusters[self.rows],
            confidence_level=self.analysis.confidence_level,
        )
        return dict(zip(votes, found.errors, strict=True))

    def has_four(self, reward: str) -> bool:
        """Whether the original prompt was scored at all."""
        cells = self.cells(reward)
        return not np.all(np.isnan(cells.oiop[self.rows]) | np.isnan(cells.diop[self.rows]))

    @cached_property
    def complete(self) -> Estimate:
        """Share of prompts whose pair has any score: both images were made."""
        margins: Mapping[str, Scores] = {
            reward: self.cells(reward).didp - self.cells(reward).oidp
            for reward in self.table.rewards
        }
        made = ~np.all(np.isnan(list(margins.values())), axis=0)
        whole = self.view(self.table.rewards[0], np.ones(len(made), dtype=bool))
        return chosen(np.where(made, 1.0, -1.0), **whole.keywords)


def _people(table: ScoreTable, rows: Mask) -> Scores | None:
    if PEOPLE_VOTE not in table.frame:
        return None
    people = table.frame[PEOPLE_VOTE].to_numpy(np.float64, na_value=np.nan)
    return None if np.isnan(people[rows]).all() else people


def _largest(scores: Scores) -> Scores:
    """Of each row the score that is furthest from 0, nan where there is none; shape (n,)."""
    there = ~np.isnan(scores)
    furthest = np.where(there, np.abs(scores), -1.0).argmax(axis=1)
    largest: Scores = scores[np.arange(len(scores)), furthest]
    return largest
