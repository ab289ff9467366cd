"""Every number that a report, a record or the leaderboard can show: one row per measure.

A row says what the number is called and means, and how it is taken from a `View`; so a new measure
is one row, and whatever reads a Summary, a record or the leaderboard has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from aas_bench.measure.view import TIES, View
from aas_bench.registry import Registry
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.latent import LEAST_WORDINGS, ONE_WORDING, spread_of
from aas_bench.tasks.task import Kind
from aas_bench.words import SHARE, Spelling

Scope: TypeAlias = Literal["group", "whole", "table"]
RANGES: Final[Mapping[str, tuple[float | None, float | None]]] = {
    "share": (0.0, 1.0),
    "net share": (-1.0, 1.0),
    "kappa": (-1.0, 1.0),
    "correlation": (-1.0, 1.0),
    "points": (-100.0, 100.0),
    "rank": (1.0, None),
    "levels": (0.0, 255.0),
    "ratio": (None, None),
    "score": (None, None),
}
"""Every unit that a measure can be in, with the least and the most of it."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """An estimate and where it stands: nowhere in particular, in a group, at a strength or dose."""

    estimate: Estimate
    by: str | None = None
    group: str | None = None
    at: float | None = None


Compute: TypeAlias = Callable[[View], Iterator[Placed]]
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
        unit: What it counts in, a key of `RANGES`; "score" is in units of the reward.
        digits: Decimals to show.
        at: What a Measurement's `at` holds; None where it is unused.
        compute: Takes it from a view; yields nothing where it does not apply. None: it is not
            computed from scores but published.
        scope: "group": over all pairs and within each group; "whole": over all pairs alone;
            "table": once for all reward models together.
        kinds: The subjects whose records hold it.
        own: Whether it belongs to the tasks that name it alone (`Task.measures`).
    """

    name: str
    label: str
    formula: str
    higher_is_better: bool | None
    chance: float | None = None
    unit: str = "share"
    digits: int = 3
    at: str | None = None
    compute: Compute | None = None
    scope: Scope = "group"
    kinds: tuple[Kind, ...] = ("reward_model", "generator")
    own: bool = False

    @property
    def range(self) -> tuple[float | None, float | None]:
        """The least and the most that it can be; None where nothing bounds it."""
        return RANGES[self.unit]

    @property
    def spelling(self) -> Spelling:
        """How its values are read: shares in percent, but those that nobody reads so."""
        if self.unit in ("share", "net share") and self.name not in _NOT_IN_PERCENT:
            return SHARE
        return Spelling(digits=self.digits)


JUDGE: Final = "judge"
"""What figures of single judges are grouped by."""
NO_FOUR: Final = Estimate(value=None, n=0, coverage=0.0, reason="no pair has all four scores")


NO_LATENT_ENDS: Final = "resampled clusters give it no interval that holds"
NO_LATENT: Final = "the original prompt has fewer than four wordings: noise under it is not known"


def _over_ties(compute: Compute) -> Compute:
    """A rate that rests on what a tie counts as, under every rule where there are ties."""

    def over(view: View) -> Iterator[Placed]:
        yield from compute(view)
        for ties in TIES if view.whole and view.has_ties else ():
            for placed in compute(view.under(ties)):
                if placed.by is None:
                    yield replace(placed, by="ties", group=ties)

    return over


def _preference(name: str) -> Compute:
    def compute(view: View) -> Iterator[Placed]:
        if view.preference is not None:
            yield Placed(estimate=getattr(view.preference, name))
        yield from _by_wording(view, name)

    return compute


def _override(name: str) -> Compute:
    def compute(view: View) -> Iterator[Placed]:
        if view.override is not None:
            yield Placed(estimate=getattr(view.override, name))

    return compute


def _placebo(name: str) -> Compute:
    """An estimate against the headline's placebos, and beside it by kind, so that it is told."""

    def compute(view: View) -> Iterator[Placed]:
        found = view.placebos
        if view.placebo is not None:
            yield Placed(estimate=getattr(view.placebo, name))
        for kind, each in found.items() if view.whole else ():
            yield Placed(estimate=getattr(each, name), by="placebo", group=kind)

    return compute


def _rescaling(name: str) -> Compute:
    def compute(view: View) -> Iterator[Placed]:
        if view.rescaling is not None:
            yield Placed(estimate=getattr(view.rescaling, name))

    return compute


def _chosen(view: View) -> Iterator[Placed]:
    if view.preference is None:
        yield Placed(estimate=view.chosen)
    elif view.override is not None:
        yield Placed(estimate=view.override.chosen)
    yield from _by_wording(view, "chosen")


def _choices(name: str) -> Compute:
    def compute(view: View) -> Iterator[Placed]:
        yield Placed(estimate=getattr(view.choices, name))

    return compute


def _over_wordings(measure: str) -> Compute:
    def compute(view: View) -> Iterator[Placed]:
        found = view.over_wordings
        if found is not None and measure == ("accuracy" if view.preference else "chosen"):
            yield Placed(estimate=found)

    return compute


def _averaged(name: str) -> Compute:
    def compute(view: View) -> Iterator[Placed]:
        if view.wordings is not None:
            yield Placed(estimate=getattr(view.wordings.average, name))

    return compute


def _wording_spread(view: View) -> Iterator[Placed]:
    """Of each rate between wordings, where there are two."""
    found = view.wordings
    if view.over_wordings is None or view.consistency is None:
        return
    rates = [each.value for each in view.consistency.accuracy_by_wording.values()]
    yield _spread(view, "headline", spread_of(rates))
    if found is not None:
        yield _spread(view, "understood", found.understood_spread)
        yield _spread(view, "override_rate", found.override_rate_spread)


def _spread(view: View, of: str, value: float | None) -> Placed:
    assert view.over_wordings is not None
    return replace(_told(view, value), by="rate", group=of)


def _told(view: View, value: float | None) -> Placed:
    """A number of all pairs with two wordings that has no interval."""
    assert view.over_wordings is not None
    reason = "a wording has none" if value is None else "no interval: wordings are too few for one"
    return Placed(
        estimate=replace(view.over_wordings, value=value, low=None, high=None, reason=reason)
    )


def _wording_noise(name: str) -> Compute:
    def compute(view: View) -> Iterator[Placed]:
        found = view.wordings
        if found is not None:
            placed = _told(view, getattr(found, name))
            reason = ONE_WORDING if found.noise is None else "wordings change nothing"
            if placed.estimate.value is None:
                placed = replace(placed, estimate=replace(placed.estimate, reason=reason))
            yield placed

    return compute


def _latent(name: str) -> Compute:
    def compute(view: View) -> Iterator[Placed]:
        found = view.wordings
        if view.latent is not None:
            estimate = getattr(view.latent, name)
            if name == "understood" and estimate.value is not None:
                # Resampled clusters end below 1 where the truth is 1: no interval that holds.
                estimate = replace(estimate, low=None, high=None, reason=NO_LATENT_ENDS)
            yield Placed(estimate=estimate)
        elif found is not None and found.n_wordings >= LEAST_WORDINGS:
            none = replace(
                found.average.response, value=None, low=None, high=None, reason=NO_LATENT
            )
            yield Placed(estimate=none)

    return compute


def _knob(measure: str) -> Compute:
    def compute(view: View) -> Iterator[Placed]:
        if view.knob is not None and view.knob.measure == measure:
            for at, point in zip(view.knob.strengths, view.knob.points, strict=True):
                yield Placed(estimate=point, at=round(at, 9))

    return compute


def _by_wording(view: View, measure: str) -> Iterator[Placed]:
    if view.whole and view.consistency is not None and view.consistency.measure == measure:
        for wording, share in view.consistency.accuracy_by_wording.items():
            yield Placed(estimate=share, by="wording", group=str(wording))


def _unanimous(view: View) -> Iterator[Placed]:
    if view.consistency is not None:
        yield Placed(estimate=view.consistency.unanimous)


def _win_rate(view: View) -> Iterator[Placed]:
    for effect, response in view.dose.effects.items() if view.dose else ():
        for dose, rate in response.win_rate.items():
            yield Placed(estimate=rate, by="effect", group=effect, at=dose)


def _dose_spearman(view: View) -> Iterator[Placed]:
    for effect, response in view.dose.effects.items() if view.dose else ():
        yield Placed(estimate=response.spearman, by="effect", group=effect)


def _shift(name: str) -> Compute:
    def compute(view: View) -> Iterator[Placed]:
        yield Placed(estimate=NO_FOUR if view.shift is None else getattr(view.shift, name))

    return compute


def _gap(view: View) -> Iterator[Placed]:
    yield Placed(estimate=view.gap.gap)


def _audited(view: View) -> Iterator[Placed]:
    if view.audited is not None:
        yield Placed(estimate=view.audited)


def _by_panel(view: View) -> Iterator[Placed]:
    if view.judged is not None:
        yield Placed(estimate=view.judged)


def _judge_errors(view: View) -> Iterator[Placed]:
    for judge, estimate in view.views.judge_errors.items():
        yield Placed(estimate=estimate, by=JUDGE, group=judge)


def _confirmed(view: View) -> Iterator[Placed]:
    if view.confirmed is not None:
        yield Placed(estimate=view.confirmed)


def _judged(measure: str) -> Compute:
    """Of all judges, and of each by its name."""

    def compute(view: View) -> Iterator[Placed]:
        for judge, estimate in view.views.judged(measure).items():
            told: dict[str, Any] = {} if judge is None else {"by": JUDGE, "group": judge}
            yield Placed(estimate=estimate, **told)

    return compute


def _complete(view: View) -> Iterator[Placed]:
    yield Placed(estimate=view.views.complete)


MEASURES: Final = Registry(
    "measure",
    (
        Measure(
            name="accuracy",
            label="Accuracy",
            formula="share of labelled pairs in which (d_a > 0) agrees with the label",
            higher_is_better=True,
            chance=0.5,
            compute=_over_ties(_preference("accuracy")),
        ),
        Measure(
            name="accuracy_audited",
            label="Accuracy, labels' errors allowed for",
            formula="sum over right and wrong by the label, h: share of pairs h times the share of "
            "the audited among them that people find right",
            higher_is_better=True,
            chance=0.5,
            scope="whole",
            compute=_audited,
        ),
        Measure(
            name="accuracy_judged",
            label="Accuracy, judges' errors allowed for",
            formula="mean of c T + (1 - c)(1 - T): c the choice, T the truth by three judges or "
            "more, whose errors are read off their disagreements",
            higher_is_better=True,
            chance=0.5,
            scope="whole",
            kinds=("reward_model",),
            compute=_by_panel,
        ),
        Measure(
            name="judge_error",
            label="Votes of a judge that are wrong",
            formula="r (1 - s) + (1 - r)(1 - t), by the disagreements of three judges or more who "
            "err independently given the truth",
            higher_is_better=False,
            chance=0.5,
            scope="table",
            kinds=("reward_model",),
            compute=_judge_errors,
        ),
        Measure(
            name="labels_confirmed",
            label="Labels confirmed by people",
            formula="share of pairs with a label and a vote in which most people chose as labelled",
            higher_is_better=True,
            chance=0.5,
            scope="table",
            compute=_confirmed,
        ),
        Measure(
            name="balanced_accuracy",
            label="Balanced accuracy",
            formula="mean of the hit rates on label 1 and on label 0",
            higher_is_better=True,
            chance=0.5,
            compute=_over_ties(_preference("balanced_accuracy")),
        ),
        Measure(
            name="f1",
            label="F1",
            formula="2 tp / (2 tp + fp + fn), positive: the requested image wins",
            higher_is_better=True,
            compute=_over_ties(_preference("f1")),
        ),
        Measure(
            name="auroc",
            label="AUROC",
            formula="P(d_a of a pair labelled 1 > d_a of one labelled 0), ties a half",
            higher_is_better=True,
            chance=0.5,
            compute=_preference("auroc"),
        ),
        Measure(
            name="cohen_kappa",
            label="Cohen's κ",
            formula="agreement of choice and label beyond chance",
            higher_is_better=True,
            chance=0.0,
            unit="kappa",
            compute=_over_ties(_preference("cohen_kappa")),
        ),
        Measure(
            name="chosen",
            label="Chose what was asked",
            formula="mean(d_a > 0): the requested image scores higher under its prompt",
            higher_is_better=True,
            chance=0.5,
            compute=_over_ties(_chosen),
        ),
        Measure(
            name="polished",
            label="Preferred the polished image",
            formula="mean(d_a < 0): the polished image scores higher under the request",
            higher_is_better=False,
            chance=0.5,
            compute=_choices("polished"),
        ),
        Measure(
            name="tied",
            label="Tied",
            formula="mean(d_a = 0): both images score the same, as far as their numbers tell",
            higher_is_better=None,
            compute=_choices("tied"),
        ),
        Measure(
            name="followed",
            label="Followed",
            formula="share with d_a > d_o and d_a > 0",
            higher_is_better=True,
            compute=_over_ties(_override("followed")),
        ),
        Measure(
            name="overridden",
            label="Overridden",
            formula="share with d_a > d_o and d_a <= 0: moved, and the other won",
            higher_is_better=False,
            compute=_over_ties(_override("overridden")),
        ),
        Measure(
            name="missed",
            label="Missed",
            formula="share with d_a <= d_o and d_a <= 0: not moved, and the other won",
            higher_is_better=False,
            compute=_over_ties(_override("missed")),
        ),
        Measure(
            name="lucky",
            label="Lucky",
            formula="share with d_a <= d_o and d_a > 0: chosen without having moved",
            higher_is_better=None,
            compute=_over_ties(_override("lucky")),
        ),
        Measure(
            name="moved",
            label="Moved towards the request",
            formula="share with d_a > d_o: noise moves half",
            higher_is_better=True,
            chance=0.5,
            compute=_over_ties(_override("moved")),
        ),
        Measure(
            name="response",
            label="Response to the request",
            formula="A = P(d(request) > d(placebo)), ties a half",
            higher_is_better=True,
            chance=0.5,
            compute=_placebo("response"),
        ),
        Measure(
            name="understood",
            label="Net move towards the request",
            formula="u = P(d(request) > d(placebo)) - P(d(request) < d(placebo))",
            higher_is_better=True,
            chance=0.0,
            unit="net share",
            compute=_placebo("understood"),
        ),
        Measure(
            name="understood_shown",
            label="Net move where the request is shown",
            formula="u over pairs labelled 1; over all pairs without labels",
            higher_is_better=True,
            chance=0.0,
            unit="net share",
            compute=_placebo("understood_shown"),
        ),
        Measure(
            name="override_rate",
            label="Override rate",
            formula="O = [P(request > placebo, request <= 0) - P(request < placebo, placebo <= 0)]"
            " / u over pairs labelled 1; undefined where u may be 0",
            higher_is_better=False,
            compute=_over_ties(_placebo("override_rate")),
        ),
        Measure(
            name="overridden_share",
            label="Overridden, against placebos",
            formula="O u: followed the request, and the polished image won all the same",
            higher_is_better=False,
            unit="net share",
            compute=_over_ties(_placebo("overridden")),
        ),
        Measure(
            name="crossing",
            label="Turned by the request",
            formula="share with d_o <= 0 < d_a, the same in every increasing unit",
            higher_is_better=True,
            compute=_rescaling("crossing"),
        ),
        Measure(
            name="certain",
            label="Moved in every unit",
            formula="share with d_a > d_o under every increasing rescaling of the score",
            higher_is_better=True,
            compute=_rescaling("towards"),
        ),
        Measure(
            name="certain_overridden",
            label="Overridden in every unit",
            formula="share with d_a > d_o under every increasing rescaling, and d_a <= 0",
            higher_is_better=False,
            compute=_rescaling("overridden"),
        ),
        Measure(
            name="override_strength",
            label="Override strength",
            formula="-2 M / I on means, I = d_a - d_o, M = (d_a + d_o) / 2; above 1 taste wins",
            higher_is_better=False,
            unit="ratio",
            digits=2,
            compute=_override("override_strength"),
        ),
        Measure(
            name="prompt_response",
            label="Prompt response",
            formula="mean(d_a - d_o)",
            higher_is_better=True,
            unit="score",
            compute=_override("prompt_response"),
        ),
        Measure(
            name="prior_pull",
            label="Prior pull",
            formula="mean((d_a + d_o) / 2); negative: towards the polished image",
            higher_is_better=None,
            unit="score",
            compute=_override("prior_pull"),
        ),
        Measure(
            name="knob_accuracy",
            label="Accuracy at strength λ",
            formula="accuracy with the margin d_a - λ d_o",
            higher_is_better=True,
            chance=0.5,
            at="preference strength λ; 0 is the model as shipped",
            compute=_knob("accuracy"),
            scope="whole",
        ),
        Measure(
            name="knob_chosen",
            label="Chose what was asked at strength λ",
            formula="mean(d_a - λ d_o > 0)",
            higher_is_better=True,
            chance=0.5,
            at="preference strength λ; 0 is the model as shipped",
            compute=_knob("chosen"),
            scope="whole",
        ),
        Measure(
            name="win_rate",
            label="Win rate at dose",
            formula="share of scenes in which the image with the effect wins, at one dose",
            higher_is_better=True,
            chance=0.5,
            at="dose of the effect, 0 to 1",
            compute=_win_rate,
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="dose_spearman",
            label="Dose response",
            formula="mean over scenes of Spearman's correlation of d_a with the dose",
            higher_is_better=True,
            chance=0.0,
            unit="correlation",
            compute=_dose_spearman,
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="unanimous",
            label="Same choice in every wording",
            formula="share of requests with one choice in all wordings",
            higher_is_better=True,
            compute=_unanimous,
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="accuracy_over_wordings",
            label="Accuracy over wordings",
            formula="accuracy over all wordings of the pairs that have two or more",
            higher_is_better=True,
            chance=0.5,
            compute=_over_wordings("accuracy"),
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="chosen_over_wordings",
            label="Chose what was asked, over wordings",
            formula="mean(d_a > 0) over all wordings of the pairs that have two or more",
            higher_is_better=True,
            chance=0.5,
            compute=_over_wordings("chosen"),
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="understood_over_wordings",
            label="Net move, over wordings",
            formula="u with what the model does averaged over the wordings of a pair",
            higher_is_better=True,
            chance=0.0,
            unit="net share",
            compute=_averaged("understood"),
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="override_rate_over_wordings",
            label="Override rate, over wordings",
            formula="O with what the model does averaged over the wordings of a pair",
            higher_is_better=False,
            compute=_averaged("override_rate"),
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="wording_spread",
            label="Spread between wordings",
            formula="standard deviation of a rate between wordings",
            higher_is_better=False,
            unit="ratio",
            compute=_wording_spread,
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="wording_noise",
            label="Noise between wordings",
            formula="standard deviation of d_a between the wordings of a pair, pooled over pairs",
            higher_is_better=False,
            unit="score",
            compute=_wording_noise("noise"),
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="signal_to_noise",
            label="Signal to noise",
            formula="mean(request - placebo) / (sqrt(2) noise between wordings)",
            higher_is_better=True,
            unit="ratio",
            digits=2,
            compute=_wording_noise("signal_to_noise"),
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="latent_understood",
            label="Net move under the noise",
            formula="u, against P_o, of the gains that four or more wordings are noise around",
            higher_is_better=True,
            chance=0.0,
            unit="net share",
            compute=_latent("understood"),
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="latent_override_rate",
            label="Override rate under the noise",
            formula="O, against P_o, of the gains that four or more wordings are noise around",
            higher_is_better=False,
            compute=_latent("override_rate"),
            scope="whole",
            kinds=("reward_model",),
        ),
        Measure(
            name="delta",
            label="Δ",
            formula="mean(diop - oiop): how far the images leave the polished look when asked to",
            higher_is_better=False,
            unit="score",
            compute=_shift("delta"),
            scope="whole",
            kinds=("generator",),
        ),
        Measure(
            name="after",
            label="After",
            formula="mean(diop): how polished the images still are then",
            higher_is_better=False,
            unit="score",
            compute=_shift("after"),
            scope="whole",
            kinds=("generator",),
        ),
        Measure(
            name="complete",
            label="Pairs made",
            formula="share of prompts with both images",
            higher_is_better=True,
            compute=_complete,
            scope="table",
            kinds=("generator",),
        ),
        Measure(
            name="llm_win",
            label="Judge prefers the request",
            formula="share of pairs in which the LLM judge prefers the distorted image",
            higher_is_better=True,
            compute=_judged("llm_win"),
            scope="table",
            kinds=("generator",),
        ),
        Measure(
            name="special_effects_diff",
            label="Effects, judged",
            formula="LLM judge's 0-100 for the requested effects, distorted minus original image",
            higher_is_better=True,
            unit="points",
            digits=2,
            compute=_judged("special_effects_diff"),
            scope="table",
            kinds=("generator",),
        ),
        Measure(
            name="main_concepts_diff",
            label="Content, judged",
            formula="LLM judge's 0-100 for the main concepts, distorted minus original image",
            higher_is_better=True,
            unit="points",
            digits=2,
            compute=_judged("main_concepts_diff"),
            scope="table",
            kinds=("generator",),
        ),
        Measure(
            name="effects_present_diff",
            label="Effects found, judged",
            formula="share of the requested effects that a judge finds, distorted minus original",
            higher_is_better=True,
            unit="net share",
            compute=_judged("effects_present_diff"),
            scope="table",
            kinds=("generator",),
        ),
        Measure(
            name="effects_strong_diff",
            label="Strong effects, judged",
            formula="share of them that a judge calls strong, distorted minus original image",
            higher_is_better=True,
            unit="net share",
            compute=_judged("effects_strong_diff"),
            scope="table",
            kinds=("generator",),
        ),
        Measure(
            name="gap",
            label="Clean minus photograph",
            formula="mean(oidp - didp): clean image minus photograph, under the latter's caption",
            higher_is_better=None,
            unit="score",
            digits=1,
            compute=_gap,
            kinds=("reward_model",),
            own=True,
        ),
        Measure(
            name="way_back",
            label="Way back to the photograph",
            formula="0 where the output is the seed image, 1 where it is the photograph: its step "
            "from the seed image, projected on the difference of the two",
            higher_is_better=False,
            unit="ratio",
            kinds=("generator",),
        ),
        Measure(
            name="nearer_original",
            label="Nearer to the photograph",
            formula="share of the outputs nearer to the photograph than to the seed image, by mean "
            "absolute difference of RGB values",
            higher_is_better=False,
            kinds=("generator",),
        ),
        *(
            Measure(
                name=name,
                label=label,
                formula=f"mean absolute difference of RGB values between {between}",
                higher_is_better=None,
                unit="levels",
                digits=1,
                kinds=("generator",),
            )
            for name, label, between in (
                ("to_seed", "Output to seed image", "output and seed image"),
                ("to_original", "Output to photograph", "output and photograph"),
                ("seed_to_original", "Seed image to photograph", "seed image and photograph"),
            )
        ),
        *(
            Measure(
                name=name,
                label=label,
                formula=f"strength of the requested effect in the {where}, 0 to 1, by effect-match",
                higher_is_better=None,
                unit="ratio",
                kinds=("generator",),
            )
            for name, label, where in (
                ("effect_before", "Effect in the seed image", "seed image"),
                ("effect_after", "Effect in the output", "output"),
            )
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
