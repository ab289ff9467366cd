"""What a leaderboard record can hold: one row per measure; pages and exports read labels here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aas_bench.registry import Registry
from aas_bench.words import SHARE, Spelling

_NOT_IN_PERCENT: Final = ("auroc", "f1")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure.

    Attributes:
        name: What a Measurement's `measure` holds.
        label: Column heading, in a few words.
        formula: One line; cells are image first, then prompt (`diop`: distorted image, original
            prompt), d_a = didp - oidp, d_o = diop - oiop.
        higher_is_better: None where neither end is better by itself.
        chance: What a coin scores; None where that has no meaning.
        unit: "share", "score" (units of the reward), "points" (of 100), "rank", "ratio", "kappa".
        digits: Decimals to show.
        at: What a Measurement's `at` holds; None where it is unused.
    """

    name: str
    label: str
    formula: str
    higher_is_better: bool | None
    chance: float | None = None
    unit: str = "share"
    digits: int = 3
    at: str | None = None

    @property
    def spelling(self) -> Spelling:
        """How its values are read: shares in percent, but those that nobody reads so."""
        if self.unit == "share" and self.name not in _NOT_IN_PERCENT:
            return SHARE
        return Spelling(digits=self.digits)


MEASURES: Final = Registry(
    "measure",
    (
        Measure(
            name="accuracy",
            label="Accuracy",
            formula="share of labelled pairs in which (d_a > 0) agrees with the label",
            higher_is_better=True,
            chance=0.5,
        ),
        Measure(
            name="balanced_accuracy",
            label="Balanced accuracy",
            formula="mean of the hit rates on label 1 and on label 0",
            higher_is_better=True,
            chance=0.5,
        ),
        Measure(
            name="f1",
            label="F1",
            formula="2 tp / (2 tp + fp + fn), positive: the requested image wins",
            higher_is_better=True,
        ),
        Measure(
            name="auroc",
            label="AUROC",
            formula="P(d_a of a pair labelled 1 > d_a of one labelled 0), ties a half",
            higher_is_better=True,
            chance=0.5,
        ),
        Measure(
            name="cohen_kappa",
            label="Cohen's κ",
            formula="agreement of choice and label beyond chance",
            higher_is_better=True,
            chance=0.0,
            unit="kappa",
        ),
        Measure(
            name="chosen",
            label="Chose what was asked",
            formula="mean(d_a > 0): the requested image scores higher under its prompt",
            higher_is_better=True,
            chance=0.5,
        ),
        Measure(
            name="followed",
            label="Followed",
            formula="share with d_a > d_o and d_a > 0",
            higher_is_better=True,
        ),
        Measure(
            name="overridden",
            label="Overridden",
            formula="share with d_a > d_o and d_a <= 0: understood, and taste won",
            higher_is_better=False,
        ),
        Measure(
            name="missed",
            label="Missed",
            formula="share with d_a <= d_o and d_a <= 0: not understood",
            higher_is_better=False,
        ),
        Measure(
            name="lucky",
            label="Lucky",
            formula="share with d_a <= d_o and d_a > 0: right without understanding",
            higher_is_better=None,
        ),
        Measure(
            name="understood",
            label="Understood",
            formula="share with d_a > d_o",
            higher_is_better=True,
            chance=0.5,
        ),
        Measure(
            name="override_rate",
            label="Override rate",
            formula="overridden / understood: of what it understood, how often taste won",
            higher_is_better=False,
        ),
        Measure(
            name="override_strength",
            label="Override strength",
            formula="-2 M / I on means, I = d_a - d_o, M = (d_a + d_o) / 2; above 1 taste wins",
            higher_is_better=False,
            unit="ratio",
            digits=2,
        ),
        Measure(
            name="prompt_response",
            label="Prompt response",
            formula="mean(d_a - d_o)",
            higher_is_better=True,
            unit="score",
        ),
        Measure(
            name="prior_pull",
            label="Prior pull",
            formula="mean((d_a + d_o) / 2); negative: towards the polished image",
            higher_is_better=None,
            unit="score",
        ),
        Measure(
            name="knob_accuracy",
            label="Accuracy at strength λ",
            formula="accuracy with the margin d_a - λ d_o",
            higher_is_better=True,
            chance=0.5,
            at="preference strength λ; 0 is the model as shipped",
        ),
        Measure(
            name="knob_chosen",
            label="Chose what was asked at strength λ",
            formula="mean(d_a - λ d_o > 0)",
            higher_is_better=True,
            chance=0.5,
            at="preference strength λ; 0 is the model as shipped",
        ),
        Measure(
            name="win_rate",
            label="Win rate at dose",
            formula="share of scenes in which the image with the effect wins, at one dose",
            higher_is_better=True,
            chance=0.5,
            at="dose of the effect, 0 to 1",
        ),
        Measure(
            name="dose_spearman",
            label="Dose response",
            formula="mean over scenes of Spearman's correlation of d_a with the dose",
            higher_is_better=True,
            chance=0.0,
            unit="ratio",
        ),
        Measure(
            name="unanimous",
            label="Same choice in every wording",
            formula="share of requests with one choice in all wordings",
            higher_is_better=True,
        ),
        Measure(
            name="delta",
            label="Δ",
            formula="mean(diop - oiop): how far the images leave the polished look when asked to",
            higher_is_better=False,
            unit="score",
        ),
        Measure(
            name="after",
            label="After",
            formula="mean(diop): how polished the images still are then",
            higher_is_better=False,
            unit="score",
        ),
        Measure(
            name="complete",
            label="Pairs made",
            formula="share of prompts with both images",
            higher_is_better=True,
        ),
        Measure(
            name="llm_win",
            label="Judge prefers the request",
            formula="share of pairs in which the LLM judge prefers the distorted image",
            higher_is_better=True,
        ),
        Measure(
            name="special_effects_diff",
            label="Effects, judged",
            formula="LLM judge's 0-100 for the requested effects, distorted minus original image",
            higher_is_better=True,
            unit="points",
            digits=2,
        ),
        Measure(
            name="main_concepts_diff",
            label="Content, judged",
            formula="LLM judge's 0-100 for the main concepts, distorted minus original image",
            higher_is_better=True,
            unit="points",
            digits=2,
        ),
        Measure(
            name="gap",
            label="Clean minus photograph",
            formula="mean(oidp - didp): clean image minus photograph, under the latter's caption",
            higher_is_better=None,
            unit="score",
            digits=1,
        ),
        Measure(
            name="art_mean",
            label="Mean of paintings",
            formula="mean score of paintings under their captions",
            higher_is_better=None,
            unit="score",
            digits=2,
        ),
        Measure(
            name="art_rank",
            label="Rank among generators",
            formula="1 + generators whose mean score is higher",
            higher_is_better=False,
            unit="rank",
            digits=0,
        ),
        Measure(
            name="art_entries",
            label="Entries ranked",
            formula="generators and the paintings",
            higher_is_better=None,
            unit="rank",
            digits=0,
        ),
        Measure(
            name="art_relative",
            label="Place between worst and best",
            formula="(mean - lowest generator) / (highest - lowest generator)",
            higher_is_better=True,
            unit="ratio",
            digits=2,
        ),
        Measure(
            name="art_score",
            label="Score of one painting",
            formula="score of one painting under its caption",
            higher_is_better=None,
            unit="score",
            digits=2,
        ),
    ),
    hint="aas_bench/measure/measures.py lists them.",
)
