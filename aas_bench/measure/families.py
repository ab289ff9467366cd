"""The alignment tax: an aligned generator against the base model that it was made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from aas_bench.pages.generator import GeneratorResult
from aas_bench.stats.compare import SignedRank, compare_generators, holm
from aas_bench.stats.estimate import Scores
from aas_bench.tables.scores import ScoreTable

MEASURES: Final = {
    "delta": "diop - oiop: how far the image moves when an unpretty one is asked for",
    "after": "diop: how polished the image still is then",
}
_TEST: Final = (
    "Wilcoxon's signed-rank test of aligned minus base on one value per base prompt (the mean "
    "where several prompts share one); p_holm is adjusted over all tests of the family"
)


def alignment_tax(results: Sequence[GeneratorResult]) -> dict[str, Any]:
    """Compare every result with that of its base, where both are given and share a family.

    Args:
        results: Results on the same prompts, scored with the same reward models.

    Returns:
        `families`: by family a list of comparisons, each with `aligned`, `base`, `reward`,
        `measure`, the SignedRank's fields and `p_holm` (None where there is no test): JSON values.
    """
    scored = {r.record["submission"]["id"]: r for r in results if r.table is not None}
    families: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for result in scored.values():
        facts = result.record["submission"]
        base = scored.get(facts["base"])
        if base is not None and base.record["submission"]["family"] == facts["family"]:
            families[facts["family"]] += _comparisons(result, base)
    for comparisons in families.values():
        _adjust(comparisons)
    return {"test": _TEST, "measures": dict(MEASURES), "families": dict(families)}


def _comparisons(aligned: GeneratorResult, base: GeneratorResult) -> list[dict[str, Any]]:
    assert aligned.table is not None
    assert base.table is not None
    found = []
    for reward in aligned.table.rewards:
        ours, theirs = _values(aligned.table, reward), _values(base.table, reward)
        for measure in MEASURES:
            test: SignedRank = compare_generators(ours[measure], theirs[measure], on_missing="drop")
            found.append(
                {
                    "aligned": aligned.record["submission"]["id"],
                    "base": base.record["submission"]["id"],
                    "reward": reward,
                    "measure": measure,
                    **test.to_dict(),
                }
            )
    return found


def _values(table: ScoreTable, reward: str) -> dict[str, Scores]:
    """Both measures, one value per base prompt in ascending order; NaN where a score is missing."""
    cells = table.cells(reward)
    each = {"delta": cells.diop - cells.oiop, "after": cells.diop}
    clusters, place = np.unique(table.clusters, return_inverse=True)
    sizes = np.bincount(place, minlength=len(clusters))
    return {name: np.bincount(place, weights=value) / sizes for name, value in each.items()}


def _adjust(comparisons: list[dict[str, Any]]) -> None:
    tested = [each for each in comparisons if each["p_value"] is not None]
    adjusted = holm([each["p_value"] for each in tested]).tolist() if tested else []
    for each in comparisons:
        each["p_holm"] = None
    for each, p_holm in zip(tested, adjusted, strict=True):
        each["p_holm"] = p_holm
