"""Sentences about a summary: what a reward model did, and who overrides most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aas_bench.measure.results import Group, RewardSummary, Summary
from aas_bench.rewards.catalog import SYNTHETIC
from aas_bench.stats.estimate import Estimate, Ties
from aas_bench.stats.override import Override
from aas_bench.stats.placebo import PlaceboOverride
from aas_bench.tasks.catalog import DEFAULT
from aas_bench.words import NUMBER, ROUND_SHARE, SHARE, count, listing, percent, percent_in

_TIES: Final[Mapping[Ties, str]] = {
    "original": "counting ties for the polished image",
    "half": "counting half of them",
    "distorted": "counting none",
}
_RATES: Final = {"understood": "net move towards the request", "override_rate": "override rate"}


def made_by(models: Sequence[str]) -> str:
    """What made the images, for a caption; "" where nobody knows."""
    if not models:
        return ""
    if tuple(models) == (DEFAULT.name,):
        return "photographs, each beside a copy with one known effect"
    more = len(models) - 4
    names = [*models[:4], f"{more} others"] if more > 0 else list(models)
    return f"images by {listing(names)}"


def follows(reward: Group) -> bool:
    """Whether the score follows the request beyond what a scorer blind to it would show."""
    return reward.placebo is not None and reward.placebo.reading == "towards"


@dataclass(frozen=True, kw_only=True)
class Leaders:
    """The reward models with the highest override rate.

    Attributes:
        names: Highest rate first; then those that its interval does not tell from it: one of the
            two rates lies within the interval of the other.
        n_compared: Reward models that follow requests, which alone are compared.
    """

    names: tuple[str, ...]
    n_compared: int


def most_overriding(summary: Summary) -> Leaders | None:
    """Who overrides most, as far as the intervals tell; None where none follows requests.

    The built-in synthetic scorers are not among them: they have a known answer and test us.
    """
    rates = {
        name: _over_ties(reward)
        for name, reward in summary.rewards.items()
        if reward.placebo is not None and follows(reward) and name not in SYNTHETIC
    }
    if not rates:
        return None
    first, *rest = sorted(rates, key=lambda name: -(rates[name].value or 0.0))
    near = [n for n in rest if _holds(rates[first], rates[n]) or _holds(rates[n], rates[first])]
    return Leaders(names=(first, *near), n_compared=len(rates))


def finding(reward: RewardSummary) -> str:
    """What one reward model did, in a sentence without its name, each share with its interval."""
    headline = reward.headline
    if headline.value is None:
        return f"could not be judged: {headline.reason}."
    result, found = reward.override, reward.placebo
    if result is None or found is None or found.understood.value is None:
        verb = "agreed with the label" if reward.preference else "chose the image asked for"
        tied = f"; it {preferred(reward)}" if _has_ties(reward) else ""
        return f"{verb} in {percent_in(headline)} of pairs{tied}."
    end = preferred(reward)
    if prompt_blind(result):
        return f"sets two images apart by the same whatever the prompt says, and {end}."
    net, rate = _net(reward, found), found.override_rate
    if found.understood_shown.value is None:
        return f"has no override rate ({rate.reason}); it {end}."
    if found.reading == "unclear":
        said = f"is not shown to move towards requests beyond noise ({net}), so an override rate"
        return f"{said} is undefined; it {end}.{disagreement(reward)}"
    if found.reading == "against":
        said = f"moved against requests ({net}), so an override rate is undefined"
        return f"{said}; it {end}.{disagreement(reward)}"
    lost = (
        f"its override rate is undefined: {rate.reason}"
        if rate.value is None
        else f"of those it preferred the polished image in {_by_ties(reward, rate)}"
    )
    lost += f"; it {end}" if _has_ties(reward) else ""
    return f"{_moved(found)} ({net}); {lost}.{disagreement(reward)}"


def preferred(reward: Group) -> str:
    """How often polish won, and how often neither did, where scores can be equal."""
    found = reward.choices
    if not _has_ties(reward):
        return f"preferred the polished image in {percent_in(found.polished)} of pairs"
    return (
        f"preferred the image asked for in {percent_in(found.chosen)} of pairs and the polished "
        f"one in {percent_in(found.polished)}, and scored both the same in {percent_in(found.tied)}"
    )


def ties_range(reward: Group, measure: str) -> str:
    """The least and the largest that a rate can be as ties count; "" where they do not matter."""
    rates = [each.value for each in reward.by_ties(measure).values() if each.value is not None]
    return f"{SHARE.value(min(rates))} to {SHARE.value(max(rates))}" if rates else ""


def ties_decide(reward: Group) -> str:
    """The range of an override rate, where whole percents tell that it is one; else ""."""
    rates = [each.value for each in reward.by_ties("override_rate").values()]
    return ties_range(reward, "override_rate") if len(set(map(percent, rates))) > 1 else ""


def unlabelled(summary: Summary) -> str:
    """What is assumed of pairs without labels, and what if it fails; "" where labels say it."""
    if summary.measure == "accuracy" or not summary.paired:
        return ""
    said = "No labels: every image is taken to show what was asked for."
    bounds = {name: r.failed for name, r in summary.rewards.items() if r.failed is not None}
    if not bounds:
        return said
    told = (
        f"{name} {ROUND_SHARE.value(b.low)} to {ROUND_SHARE.value(b.high)} "
        f"({ROUND_SHARE.value(b.low_sure)} to {ROUND_SHARE.value(b.high_sure)})"
        for name, b in bounds.items()
    )
    share = percent(next(iter(bounds.values())).share)
    return (
        f"{said} Should up to {share} not, the override rates of the others lie within (with the "
        f"error of the sample): {listing(told)}."
    )


def labels_doubt(summary: Summary) -> str:
    """How far the labels are believed, and what is left of each accuracy; "" without labels."""
    if summary.measure != "accuracy" or not summary.paired:
        return ""
    told = [*filter(None, (_by_people(summary), _by_judges(summary)))]
    return (
        " ".join(told) or "Labels are taken as true: no votes beside them say how often they err."
    )


def _by_people(summary: Summary) -> str:
    confirmed = summary.shared.get("labels_confirmed")
    if not confirmed:
        return ""
    share = confirmed[0].estimate
    return (
        f"People confirmed {percent_in(share)} of {count(share.n, 'label')} that they looked at. "
        "With the labels' errors allowed for, the accuracies are: "
        f"{_accuracies(summary, 'accuracy_audited')}."
    )


def _by_judges(summary: Summary) -> str:
    errors = {placed.group: placed.estimate for placed in summary.shared.get("judge_error", ())}
    if not errors:
        return ""
    reasons = {each.reason for each in errors.values() if each.value is None}
    if reasons:
        return f"How often {listing(map(str, errors))} err is {reasons.pop()}."
    told = listing(f"{name} {percent_in(each)}" for name, each in errors.items())
    return (
        f"Read off their disagreements, judges err in: {told}. With that allowed for, the "
        f"accuracies are: {_accuracies(summary, 'accuracy_judged')}. This holds if judges and "
        "reward models err independently; where the same pairs mislead them, it does not."
    )


def _accuracies(summary: Summary, measure: str) -> str:
    return listing(
        f"{name} {percent_in(placed.estimate)}"
        if placed.estimate.value is not None
        else f"{name} unknown ({placed.estimate.reason})"
        for name, reward in summary.rewards.items()
        for placed in reward.figures.get(measure, ())
    )


def over_wordings(reward: RewardSummary) -> str:
    """What holds over all wordings of a pair, beside what the wordings do; "" with one wording."""
    found = {
        (name, placed.group): placed.estimate
        for name, each in reward.figures.items()
        for placed in each
        if placed.by in (None, "rate")
    }
    headline = "accuracy" if reward.preference else "chosen"
    whole = found.get((f"{headline}_over_wordings", None))
    if whole is None:
        return ""
    what = "agreed with the label" if reward.preference else "chose the image asked for"
    said = [f"{what} in {percent_in(whole)}{_spread(found, 'headline')}"]
    for name, label in _RATES.items():
        rate = found.get((f"{name}_over_wordings", None))
        if rate is not None:
            said.append(f"{label} {percent_in(rate)}{_spread(found, name)}")
    noise, signal = found.get(("wording_noise", None)), found.get(("signal_to_noise", None))
    if noise is not None and noise.value is not None:
        ratio = ""
        if signal is not None and signal.value is not None:
            ratio = f", signal to noise {NUMBER.value(signal.value)}"
        said.append(f"noise between wordings {NUMBER.value(noise.value)}{ratio}")
    told = [
        f"{label} {percent_in(rate)}"
        for name, label in _RATES.items()
        if (rate := found.get((f"latent_{name}", None))) is not None and rate.value is not None
    ]
    under = f" Under the noise: {'; '.join(told)}." if told else ""
    return f"over all wordings of {count(whole.n, 'pair')}: {'; '.join(said)}.{under}"


def _spread(found: Mapping[tuple[str, str | None], Estimate], rate: str) -> str:
    spread = found.get(("wording_spread", rate))
    if spread is None or spread.value is None:
        return ""
    return f", give or take {100 * spread.value:.1f} points from wording to wording"


def _has_ties(reward: Group) -> bool:
    """Whether ties are as many as whole percents tell."""
    return (reward.choices.tied.value or 0.0) >= 0.005


def _by_ties(reward: Group, rate: Estimate) -> str:
    """An override rate, by what ties count as where that is seen."""
    rates = reward.by_ties("override_rate")
    if not ties_decide(reward):
        return percent_in(rate)
    return listing(f"{percent_in(rates[rule])} {said}" for rule, said in _TIES.items())


def _over_ties(reward: RewardSummary) -> Estimate:
    """The override rate with the widest interval that ties leave it."""
    assert reward.placebo is not None
    rate = reward.placebo.override_rate
    every = [rate, *reward.by_ties("override_rate").values()]
    ends = [(e.low, e.high) for e in every if e.low is not None and e.high is not None]
    if not ends:
        return rate
    return replace(rate, low=min(low for low, _ in ends), high=max(high for _, high in ends))


def disagreement(reward: RewardSummary) -> str:
    """A sentence where kinds of placebo read apart, with a space before it; "" where they agree."""
    if len({each.reading for each in reward.placebos.values()}) < 2:
        return ""
    told = (f"{kind} {_net(reward, each)}" for kind, each in reward.placebos.items())
    return f" Placebos disagree: {listing(told)}."


def _net(reward: Group, found: PlaceboOverride) -> str:
    """The balance that an override rate rests on, and which pairs it is of, where not all."""
    where = ""
    if found.labelled:
        where = f" of the {count(found.n_shown, 'pair')} labelled as asked"
    elif found.n < reward.headline.n:
        where = f" of the {count(found.n, 'pair')} with placebos of this kind"
    return f"net share {percent_in(found.understood_shown)}{where}"


def _moved(found: PlaceboOverride) -> str:
    """What a reading of "towards" says, in the words that its kind of placebo bears."""
    than = {
        "matched": "than matched placebos would explain",
        "original": "than the original prompt would explain",
    }.get(found.kind or "", "than under other requests")
    return f"moved towards the request more often {than}"


def prompt_blind(override: Override) -> bool:
    """Whether the prompt moves no score at all."""
    response = override.prompt_response
    return override.moved.value == 0 and response.value == response.low == response.high == 0


def _holds(interval: Estimate, estimate: Estimate) -> bool:
    if interval.low is None or interval.high is None:
        return True
    return interval.low <= (estimate.value or 0.0) <= interval.high
