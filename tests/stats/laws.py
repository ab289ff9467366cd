"""What every public statistic must and must not react to.

A case is one table of scores, drawn at random, with everything any statistic takes. Each entry
says how a statistic reads a case, and what becomes of its figures when the case is changed:

- rows in another order, and every cluster given twice, change no figure;
- all scores times 4, plus 8, change nothing but what `UNITS` says;
- the two images (and the labels) swapped change what the entry's `swapped` says.

Scores are whole, so that all of this holds to the last bit of a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from aas_bench import stats

Figures = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row per pair; the second reward model's scores are `other`."""

    oiop: np.ndarray
    oidp: np.ndarray
    diop: np.ndarray
    didp: np.ndarray
    other: np.ndarray
    label: np.ndarray
    cluster: np.ndarray
    dose: np.ndarray
    wording: np.ndarray

    @property
    def margin(self) -> np.ndarray:
        return self.didp - self.oidp

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Case:
        return Case(**{f.name: change(getattr(self, f.name)) for f in fields(self)})


def random_case(seed: int) -> Case:
    """Twelve clusters of eight pairs: two doses by four wordings; no margin or response is 0."""
    rng = np.random.default_rng(seed)
    n = 96
    oiop, oidp, diop = 2.0 * rng.integers(-25, 25, (3, n))
    return Case(
        oiop=oiop,
        oidp=oidp,
        diop=diop,
        didp=oidp + 2.0 * rng.integers(-30, 30, n) + 1,
        other=rng.choice([-1, 1], n) * rng.integers(1, 60, n).astype(float),
        label=rng.integers(-1, 2, n),
        cluster=np.repeat(np.arange(12), 8),
        dose=np.tile(np.repeat([0.5, 1.0], 4), 12),
        wording=np.tile(np.arange(4), 24),
    )


def shuffled(case: Case) -> Case:
    order = np.random.default_rng(0).permutation(len(case.label))
    return case.changed(lambda column: column[order])


def doubled(case: Case) -> Case:
    twice = case.changed(lambda column: np.concatenate([column, column]))
    n = len(case.cluster)
    return replace(twice, cluster=twice.cluster + np.repeat([0, 1000], n))


def scaled(case: Case) -> Case:
    cells = {name: 4 * getattr(case, name) + 8 for name in ("oiop", "oidp", "diop", "didp")}
    return replace(case, other=4 * case.other, **cells)


def swapped(case: Case) -> Case:
    return replace(
        case,
        oiop=case.diop,
        diop=case.oiop,
        oidp=case.didp,
        didp=case.oidp,
        other=-case.other,
        label=np.where(case.label < 0, -1, 1 - case.label),
    )


def flat(result: Any, prefix: str = "") -> Figures:
    """Point values by dotted name; intervals and counts are left to other tests."""
    if isinstance(result, stats.Estimate):
        return {prefix: result.value}
    found: Figures = {}
    items = result.items() if isinstance(result, Mapping) else vars(result).items()
    for name, value in items:
        path = f"{prefix}.{name}" if prefix else str(name)
        if isinstance(value, Mapping | stats.estimate.Result):
            found |= flat(value, path)
        elif isinstance(value, tuple):
            found |= {
                k: v
                for i, item in enumerate(value)
                if isinstance(item, stats.Estimate)
                for k, v in flat(item, f"{path}.{i}").items()
            }
    return found


def same(figures: Figures) -> Figures:
    return figures


def complement(figures: Figures) -> Figures:
    return {name: 1 - value for name, value in figures.items()}


def negated(figures: Figures) -> Figures:
    return {name: -value for name, value in figures.items()}


def without(*parts: str) -> Callable[[Figures], Figures]:
    """No law for the figures whose name holds one of these parts."""
    return lambda figures: {
        name: value for name, value in figures.items() if not any(part in name for part in parts)
    }


@dataclass(frozen=True, kw_only=True)
class Law:
    """How a statistic reads a case, and its figures once the images are swapped.

    Attributes:
        read: Its point values by name.
        swapped: From figures before the swap to those after; fewer where only some have a law.
        units: Figures in units of the score, by part of their name: 4 times as large if all
            scores are, and, where True, moved by the shift of 8 as well.
        unscored: The statistic takes no scores: no scale, no swap.
        doubles: Two copies of the clusters change no figure.
    """

    read: Callable[[Case], Figures]
    swapped: Callable[[Figures], Figures] = same
    units: Mapping[str, bool] | None = None
    unscored: bool = False
    doubles: bool = True


def _cells(case: Case) -> tuple[np.ndarray, ...]:
    return case.oiop, case.oidp, case.diop, case.didp


def _group(case: Case) -> list[list[str]]:
    return [["all", f"dose {dose}"] for dose in case.dose]


def _item(case: Case) -> np.ndarray:
    return np.array([f"{c}/{d}" for c, d in zip(case.cluster, case.dose, strict=True)])


def _swapped_override(figures: Figures) -> Figures:
    """Every gain changes its sign: followed and missed change places, lucky and overridden too."""
    renamed = {"followed": "missed", "missed": "followed", "overridden": "lucky"}
    renamed["lucky"] = "overridden"
    after = {}
    for name, value in figures.items():
        head, _, last = name.rpartition(".")
        if last in renamed:
            after[f"{head}.{renamed[last]}".lstrip(".")] = value
        elif last in ("moved", "understood", "chosen"):
            after[name] = 1 - value
        elif last in ("prompt_response", "prior_pull"):
            after[name] = -value
        elif last == "override_strength":
            after[name] = value
    return after


def _after_comparison(case: Case) -> Figures:
    result = stats.compare_rewards(case.margin, case.other, case.label, clusters=case.cluster)
    return flat(result) | {"only_a": result.n_only_a / (result.n_only_a + result.n_only_b)}


def _generators(case: Case) -> Figures:
    result = stats.compare_generators(case.didp, case.oidp, clusters=case.cluster)
    return flat(result) | {"median": result.median_difference}


def _gap(case: Case) -> Figures:
    found = flat(stats.paired_gap(case.oidp, case.didp))
    names = {"a": "mean_a", "b": "mean_b", "a_wins": "wins_a", "b_wins": "wins_b"}
    return {names.get(name, name): value for name, value in found.items()}


def _outcomes(case: Case) -> Figures:
    codes = stats.outcomes(*_cells(case))
    return {name: np.mean(codes == code) for code, name in enumerate(stats.OUTCOMES)}


def _by_wording(case: Case, column: np.ndarray) -> np.ndarray:
    """One row per item, one column per wording."""
    return column[np.lexsort((case.wording, case.dose, case.cluster))].reshape(-1, 4)


def _turned(figures: Figures) -> Figures:
    """Every gain changes its sign, and so does what moves it; who wins then is another question."""
    turn = {"response": lambda value: 1 - value, "understood": lambda value: -value}
    return {name: turn[name](figures[name]) for name in turn}


def _rescaled(figures: Figures) -> Figures:
    kept = {name: figures[name] for name in ("still",)}
    return kept | {"towards": figures["against"], "against": figures["towards"]}


def _votes(case: Case) -> np.ndarray:
    """Three judges who know the sign of the margin and err in other clusters each."""
    wrong = [case.cluster % 5 == at for at in (0, 2, 3)]
    late = case.wording > 1
    return np.array([(case.margin > 0) ^ (each & late) for each in wrong], dtype=float).T


def _panel(found: stats.PanelErrors) -> Figures:
    many = {"wrong": found.errors, "ones": found.sensitivity, "zeros": found.specificity}
    rates = {
        f"{name} {j}": rate.value for name, each in many.items() for j, rate in enumerate(each)
    }
    return rates | {"share": found.share.value}


def _ones_for_zeros(figures: Figures) -> Figures:
    other = {"ones": "zeros", "zeros": "ones"}
    turned = {n: figures[" ".join(other.get(w, w) for w in n.split())] for n in figures}
    return turned | {"share": 1 - figures["share"]}


LAWS: dict[str, Law] = {
    "art_rank": Law(
        read=lambda c: flat(stats.art_rank(c.didp, {"a": -60.0, "b": 60.0})),
        swapped=without("mean", "relative"),
        units={"mean": True, "relative": False},
    ),
    "audited_rate": Law(
        read=lambda c: {
            "rate": stats.audited_rate(c.margin > 0, np.where(c.dose > 0.5, c.label, np.nan)).value
        },
        swapped=complement,
    ),
    "choices": Law(
        read=lambda c: flat(stats.choices(c.margin)),
        swapped=lambda figures: {
            "chosen": figures["polished"],
            "polished": figures["chosen"],
            "tied": figures["tied"],
        },
    ),
    "chosen": Law(
        read=lambda c: {"chosen": stats.chosen(c.margin).value},
        swapped=complement,
    ),
    "compare_by_group": Law(
        read=lambda c: flat(stats.compare_by_group(c.didp, c.oidp, _group(c), clusters=c.cluster)),
        swapped=negated,
        units={"mean_difference": False},
        doubles=False,
    ),
    "compare_generators": Law(
        # A rank among copies is not twice the rank, by the half that midranks take off.
        read=_generators,
        swapped=negated,
        units={"median": False, "mean_difference": False},
        doubles=False,
    ),
    "compare_rewards": Law(read=_after_comparison),
    "corrected_rate": Law(
        # The audit is as large whatever the pairs.
        read=lambda c: {
            "rate": stats.corrected_rate(
                stats.chosen(c.margin),
                stats.JudgeErrors(n_true=40, right_true=36, n_false=50, right_false=40),
            ).value
        },
        swapped=without(""),
    ),
    "difference": Law(
        read=lambda c: {"mean": stats.difference(c.didp, c.oidp).mean()},
        swapped=negated,
        units={"mean": False},
    ),
    "dose_response": Law(
        read=lambda c: flat(stats.dose_response(c.margin, c.dose, c.wording, c.cluster).effects),
        swapped=lambda figures: {
            name: -value if "spearman" in name else 1 - value for name, value in figures.items()
        },
    ),
    "failed_image_bounds": Law(
        read=lambda c: {
            name: getattr(
                stats.failed_image_bounds(
                    stats.placebo_override(c.margin, c.margin - np.abs(c.other)), 0.1
                ),
                name,
            )
            for name in ("low", "high", "explained_by")
        },
        swapped=without(""),
    ),
    "generator_shift": Law(
        read=lambda c: flat(stats.generator_shift(c.oiop, c.diop)),
        swapped=lambda figures: {"delta": -figures["delta"]},
        units={"delta": False, "after": True},
    ),
    "holm": Law(
        read=lambda c: {"sum": stats.holm(np.abs(c.didp) / 200).sum()}, unscored=True, doubles=False
    ),
    "krippendorff_alpha": Law(
        # Alpha corrects for the number of ratings, which the copies change.
        read=lambda c: {
            level: stats.krippendorff_alpha(
                np.stack([c.margin, c.other], axis=1), level=level
            ).value
            for level in ("nominal", "ordinal", "interval")
        },
        doubles=False,
    ),
    "latent_override": Law(
        read=lambda c: flat(
            stats.latent_override(
                _by_wording(c, c.margin),
                _by_wording(c, c.margin - 3 * np.abs(c.other)),
                n_resamples=0,
            )
        ),
        swapped=without(""),
    ),
    "outcomes": Law(read=_outcomes, swapped=_swapped_override),
    "override": Law(
        read=lambda c: flat(stats.override(*_cells(c))),
        swapped=_swapped_override,
        units={"prompt_response": False, "prior_pull": False},
    ),
    "paired_gap": Law(
        read=_gap,
        # a is the original image: the gap turns around with the images.
        swapped=lambda figures: {
            "gap": -figures["gap"],
            "mean_a": figures["mean_b"],
            "mean_b": figures["mean_a"],
            "wins_a": figures["wins_b"],
            "wins_b": figures["wins_a"],
        },
        units={"gap": False, "mean": True},
    ),
    "panel_errors": Law(
        read=lambda c: _panel(stats.panel_errors(_votes(c))),
        swapped=_ones_for_zeros,
        doubles=False,
    ),
    "panel_rate": Law(
        read=lambda c: {
            "rate": stats.panel_rate((c.margin > 0) ^ (c.wording == 2), _votes(c)).value
        },
        doubles=False,
    ),
    "paraphrase_consistency": Law(
        read=lambda c: flat(stats.paraphrase_consistency(c.margin, _item(c), c.wording, c.label))
    ),
    "placebo_from_four": Law(
        # Scores drawn at random: whether the override rate is defined depends on how many.
        read=lambda c: without("override_rate")(flat(stats.placebo_from_four(*_cells(c)))),
        swapped=_turned,
    ),
    "placebo_override": Law(
        read=lambda c: flat(
            stats.placebo_override(c.margin, c.margin - np.abs(c.other), labels=c.label)
        ),
        swapped=without(""),
    ),
    "preference": Law(
        read=lambda c: flat(stats.preference(c.margin, c.label)),
        swapped=without("f1"),
    ),
    "position_bias": Law(
        read=lambda c: {"bias": stats.position_bias(c.margin > 0, c.other > 0).value},
        swapped=negated,
    ),
    "quadratic_kappa": Law(
        read=lambda c: {"kappa": stats.quadratic_kappa(c.margin, c.other).value}
    ),
    "rating_errors": Law(
        read=lambda c: flat(stats.rating_errors(2.0 * (c.margin > 0), c.label + 1)),
        swapped=without(""),
    ),
    "rescaling": Law(read=lambda c: flat(stats.rescaling(*_cells(c))), swapped=_rescaled),
    "resolution": Law(
        read=lambda c: {"largest": stats.resolution(c.didp, c.oidp).max()}, unscored=True
    ),
    "sign_flip": Law(
        # Twice the evidence is another p-value.
        read=lambda c: {"p": stats.sign_flip(c.margin, clusters=c.cluster).p_value},
        doubles=False,
    ),
    "spearman": Law(read=lambda c: {"rho": stats.spearman(c.margin, c.other).value}),
    "strength_curve": Law(
        read=lambda c: flat(
            stats.strength_curve(c.margin, c.diop - c.oiop, c.label, strengths=[0.0, 0.371])
        ),
    ),
    "wilson": Law(
        read=lambda c: {"low": stats.wilson(int((c.margin > 0).sum()), len(c.label))[0]},
        unscored=True,
        doubles=False,
    ),
    "wording_override": Law(
        read=lambda c: flat(
            stats.wording_override(
                _by_wording(c, c.margin), _by_wording(c, c.margin - np.abs(c.other))
            )
        ),
        swapped=without(""),
    ),
}
