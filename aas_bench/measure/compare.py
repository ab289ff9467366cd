"""Reward against reward, and a generator against its base: pairs joined by key, tests by family."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from aas_bench.errors import InputError, SchemaError
from aas_bench.measure.results import Match, Summary
from aas_bench.measure.rows import base_prompts, headline_rows
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.differences import (
    GeneratorComparison,
    compare_generators,
    compare_rewards,
    holm,
)
from aas_bench.stats.estimate import Mask, Scores
from aas_bench.stats.resolution import difference
from aas_bench.tables.schema import INDEX, PAIR_ID
from aas_bench.tables.scores import ScoreTable

SHIFTS: Final = {
    "delta": "diop - oiop: how far the image moves when an unpretty one is asked for",
    "after": "diop: how polished the image still is then",
}
"""What an aligned generator is compared with its base by."""

_TEST: Final = (
    "Aligned minus base on the prompts of both. mean_test: sign flips by base prompt of the mean "
    "difference; rank_test: Wilcoxon's, of one value per base prompt. mean_p_holm and rank_p_holm "
    "are adjusted over all tests of their kind in the family"
)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A generator that was made and scored.

    Attributes:
        id: Its submission's id.
        family: Generators that go back to one base model share it; None: it has none.
        base: Id of what it was aligned from.
        table: Its scores.
    """

    id: str
    family: str | None
    base: str | None
    table: ScoreTable


def match_rewards(
    ours: ScoreTable,
    theirs: ScoreTable,
    a: str,
    b: str,
    analysis: Analysis,
    *,
    rows: Mask | None = None,
) -> Match | None:
    """Compare two reward models on the pairs that both tables hold.

    As in `summarise`, of several wordings of a request one counts, and without labels in {0, 1} the
    share that chose what was asked for takes the place of the accuracy.

    Args:
        ours: Scores of the first reward model; its labels count.
        theirs: Scores of the second; may be the same table.
        a: The first.
        b: The second.
        analysis: How they are compared.
        rows: Which rows of the first table to look at, shape (n,); None: all.

    Returns:
        Match; None where the tables share none of these pairs.

    Raises:
        UnknownNameError: A table has no scores of its reward model.
        MissingScoresError: A score is missing and `analysis.on_missing` is "raise".
    """
    counted = headline_rows(ours.frame)
    here = np.flatnonzero(counted if rows is None else counted & rows)
    there = pd.Index(theirs.frame[PAIR_ID]).get_indexer(ours.frame[PAIR_ID].iloc[here])
    here, there = here[there >= 0], there[there >= 0]
    if len(here) == 0:
        return None
    first, second = ours.cells(a), theirs.cells(b)
    label = None if ours.label is None else ours.label[here]
    labelled = label is not None and bool(np.any(label >= 0))
    comparison = compare_rewards(
        difference(first.didp[here], first.oidp[here]),
        difference(second.didp[there], second.oidp[there]),
        # Without labels, who chooses what was asked is compared: every label counts as 1.
        label if labelled and label is not None else np.ones(len(here), dtype=np.int8),
        clusters=base_prompts(ours)[here],
        **asdict(analysis),
    )
    return Match(measure="accuracy" if labelled else "chosen", comparison=comparison)


def compare_summaries(ours: Summary, theirs: Summary, a: str | None, b: str | None) -> Match:
    """`Summary.compare`: as the first summary is analysed."""
    first, second = _one_of(ours, a), _one_of(theirs, b)
    match = match_rewards(ours.table, theirs.table, first, second, ours.analysis)
    if match is None:
        msg = "the two summaries share no pair. Compare scores of the same pairs, by pair_id."
        raise InputError(msg)
    return match


def _one_of(summary: Summary, name: str | None) -> str:
    """The reward model that is named, or the only one there is."""
    if name is not None:
        _ = summary.rewards[name]  # an unknown name is answered with the nearest
        return name
    if len(summary.rewards) > 1:
        msg = f"there are several reward models: {', '.join(summary.rewards)}. Name one of each."
        raise InputError(msg)
    return next(iter(summary.rewards))


def match_generators(
    ours: ScoreTable, theirs: ScoreTable, reward: str, shift: str, analysis: Analysis
) -> GeneratorComparison | None:
    """Compare two generators on the prompts that either has answered; ours minus theirs.

    Pairs are joined by `pair_id` without the generator before its first slash, so that one that is
    missing on either side is left out, and counted, and no other takes its place.

    Args:
        ours: Scores of one generator's images.
        theirs: Scores of the other's.
        reward: The reward model that scored both.
        shift: A name of `SHIFTS`.
        analysis: How they are compared; missing pairs are always dropped and counted.

    Returns:
        GeneratorComparison; None where the tables share no pair.

    Raises:
        InputError: `shift` is none of these.
        UnknownNameError: A table has no scores of the reward model.
        SchemaError: A key names two pairs of a table, or pairs of two base prompts.
    """
    if shift not in SHIFTS:
        msg = f"shift={shift!r} is not an option. Use {' or '.join(map(repr, SHIFTS))}."
        raise InputError(msg)
    a, b = (_shifts(table, reward, shift) for table in (ours, theirs))
    joined = a.add_suffix("_a").join(b.add_suffix("_b"), how="outer")
    both = joined.dropna(subset=["cluster_a", "cluster_b"])
    if both.empty:
        return None
    apart = both.index[both["cluster_a"] != both["cluster_b"]]
    if len(apart):
        msg = (
            f"the pair {apart[0]!r} has the {INDEX} {both['cluster_a'][apart[0]]:.0f} in one table "
            f"and {both['cluster_b'][apart[0]]:.0f} in the other. Score the same prompts."
        )
        raise SchemaError(msg)
    options = asdict(replace(analysis, on_missing="drop"))
    del options["ties"]
    return compare_generators(
        joined["value_a"].to_numpy(),
        joined["value_b"].to_numpy(),
        clusters=joined["cluster_a"].fillna(joined["cluster_b"]).to_numpy(),
        **options,
    )


def alignment_tax(generators: Iterable[Made], analysis: Analysis) -> dict[str, Any]:
    """Compare every generator with its base, where both are given and share a family.

    Args:
        generators: Generators that answered the same prompts, scored with the same reward models.
        analysis: How they are compared.

    Returns:
        `families`: by family a list of comparisons, each with `aligned`, `base`, `reward`,
        `measure`, the fields of a GeneratorComparison, `mean_p_holm` and `rank_p_holm` (None where
        there is no test): JSON values.
    """
    made = {each.id: each for each in generators}
    rows: list[dict[str, Any]] = []
    found: list[tuple[str, GeneratorComparison]] = []
    for each in made.values():
        base = made.get(each.base or "")
        if base is None or each.family is None or base.family != each.family:
            continue
        for reward in (name for name in each.table.rewards if name in base.table.rewards):
            for shift in SHIFTS:
                test = match_generators(each.table, base.table, reward, shift, analysis)
                if test is not None:
                    facts = {"aligned": each.id, "base": base.id, "reward": reward}
                    rows.append({**facts, "measure": shift, **test.to_dict()})
                    found.append((each.family, test))
    members = [family for family, _ in found]
    means = holm_by_family(members, [test.mean_test.p_value for _, test in found])
    ranks = holm_by_family(members, [test.rank_test.p_value for _, test in found])
    families: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for family, row, mean, rank in zip(members, rows, means, ranks, strict=True):
        families[family].append({**row, "mean_p_holm": mean, "rank_p_holm": rank})
    return {"test": _TEST, "measures": dict(SHIFTS), "families": dict(families)}


def holm_by_family(
    families: Sequence[Hashable], p_values: Sequence[float | None]
) -> list[float | None]:
    """Adjust p-values by Holm's method within each family.

    Args:
        families: The family of each test.
        p_values: Its p-value; None where there is no test, which then does not count.

    Returns:
        Adjusted p-values in the order given; None where there is no test.

    Example:
        >>> holm_by_family(["a", "a", "b", "a"], [0.01, 0.04, 0.04, None])
        [0.02, 0.04, 0.04, None]
    """
    places: dict[Hashable, list[int]] = defaultdict(list)
    for i, (family, p_value) in enumerate(zip(families, p_values, strict=True)):
        if p_value is not None:
            places[family].append(i)
    adjusted: list[float | None] = [None] * len(p_values)
    for of_family in places.values():
        found = holm([p for i in of_family if (p := p_values[i]) is not None]).tolist()
        for i, p_value in zip(of_family, found, strict=True):
            adjusted[i] = p_value
    return adjusted


def _shifts(table: ScoreTable, reward: str, shift: str) -> pd.DataFrame:
    """The value and the base prompt of each pair, by what it is called without its maker."""
    rows = headline_rows(table.frame)
    cells, frame = table.cells(reward), table.frame[rows]
    value: Scores = difference(cells.diop, cells.oiop) if shift == "delta" else cells.diop
    names = [str(name) for name in frame[PAIR_ID]]
    makers = {name.partition("/")[0] for name in names}
    if len(makers) == 1:
        names = [name.partition("/")[2] or name for name in names]
    found: pd.DataFrame = pd.DataFrame(
        {"value": value[rows], "cluster": table.clusters[rows]}, index=names
    )
    if not found.index.is_unique:
        twice = found.index[found.index.duplicated()][0]
        msg = f"two pairs are called {twice!r} apart from their maker. Give one generator's scores."
        raise SchemaError(msg)
    return found
