"""What four stored scores a pair say of a reward model, where nothing else is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from aas_bench.measure.view import View, Views
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate
from aas_bench.tables.scores import ScoreTable


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One reward model on pairs without labels, the original prompt being the only placebo.

    Attributes:
        chosen: Pairs in which the image that was asked for scored higher under its own prompt.
        moved: u: pairs whose score moved towards the request, less those that moved against it.
        overridden: O: of these, the share in which the polished image scored higher all the same.
        moved_in_every_unit: Pairs whose score so moved however the score is rescaled.
        overridden_in_every_unit: Pairs among them, as a share of all, that polish won.
    """

    chosen: Estimate
    moved: Estimate
    overridden: Estimate
    moved_in_every_unit: Estimate
    overridden_in_every_unit: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)


def standings(table: ScoreTable) -> Mapping[str, Standing]:
    """Every reward model of a table of four scores a pair, in the order of the table.

    Labels are not read. Intervals are over base prompts.

    Raises:
        MissingScoresError: A score is missing.

    Example:
        >>> from aas_bench import load_scores
        >>> from aas_bench.evidence import EVIDENCE
        >>> found = standings(load_scores(EVIDENCE))["hpsv3"]
        >>> round(found.chosen.value, 3), round(found.moved.value, 3)
        (0.29, 0.88)
        >>> round(found.overridden.value, 3), round(found.overridden_in_every_unit.value, 3)
        (0.75, 0.233)
    """
    views = replace(Views.of(table, Analysis()), label=None)
    return {name: _standing(views.view(name)) for name in table.rewards}


def _standing(view: View) -> Standing:
    swap, units = view.placebos["original"], view.rescaling
    assert units is not None
    return Standing(
        chosen=view.chosen,
        moved=swap.understood,
        overridden=swap.override_rate,
        moved_in_every_unit=units.towards,
        overridden_in_every_unit=units.overridden,
    )
