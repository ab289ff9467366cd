"""The tables of docs/reward-models.md, from the catalogue and the goldens.

`python -m support.reward_table` in the folder tests writes it into the page.
"""

from __future__ import annotations

from pathlib import Path

from support.golden_weights import FOLDER, golden

from aas_bench.rewards.catalog import REWARDS
from aas_bench.rewards.facts import RewardRow

PAGE = Path(__file__).parents[2] / "docs" / "reward-models.md"
START, END = "<!-- table: start -->", "<!-- table: end -->"

# hpsv2.0 is the same code and shape as hpsv2.1; some goldens have the real classes at tiny sizes
GOLDEN_OF = {"hpsv2.0": "hpsv2.1", "hpsv3": "hpsv3-tiny"}
NO_GOLDEN = "no golden; equals its library on a tiny model"


def parity(name: str) -> str:
    stored = GOLDEN_OF.get(name, name)
    if not (FOLDER / f"{stored}.json").is_file():
        return NO_GOLDEN
    facts = golden(stored)
    tiny = ["at tiny sizes"] if "config" in facts and facts["parameters"] < 1e8 else []
    noted = [*([stored] if stored != name else []), *tiny]
    note = f" ({', '.join(noted)})" if noted else ""
    return f"{facts['largest_difference']:.1e} of {facts['tolerance']:.0e} allowed{note}"


def score(row: RewardRow) -> str:
    low, high = row.score_range
    bounds = "" if low is None or high is None else f", {low:g} to {high:g}"
    return f"{row.unit}{bounds}"


def source(row: RewardRow) -> str:
    weights = row.weights
    assert weights is not None
    if weights.repo is None:
        return f"`{weights.file}`, linked at {weights.page}"
    size = f"{weights.size / 1e9:.2f} GB" if weights.size > 1e8 else f"{weights.size / 1e6:.1f} MB"
    pinned = f"@ `{weights.revision[:7]}`" if weights.revision else "(newest commit)"
    return f"`{weights.repo}` {pinned}: `{weights.file}`, {size}"


def table() -> str:
    """Three narrow tables, since one of all columns is wider than any screen."""
    rows = {f"`{row.name}`": row for row in REWARDS.values() if row.weights is not None}
    meaning: dict[str, list[str]] = {}
    for name, row in rows.items():
        meaning.setdefault(row.difference, []).append(name)
    return "\n\n".join(
        (
            columns(
                "name | parity: largest difference | tokens read | score",
                [(name, parity(r.name), read(r), score(r)) for name, r in rows.items()],
            ),
            columns(
                "name | official dtype | licence | weights",
                [(name, r.dtype, r.licence, source(r)) for name, r in rows.items()],
            ),
            columns(
                "name | a difference of scores is",
                [(", ".join(names), told) for told, names in meaning.items()],
            ),
        )
    )


def read(row: RewardRow) -> str:
    return "none" if row.family == "image-only" else str(row.prompt_limit or "all")


def columns(heads: str, rows: list[tuple[str, ...]]) -> str:
    lines = [f"| {heads} |", "|" + " --- |" * len(heads.split(" | "))]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def written() -> str:
    """The table as the page has it."""
    _, _, after = PAGE.read_text(encoding="utf-8").partition(f"{START}\n")
    return after.partition(f"\n{END}")[0]


if __name__ == "__main__":
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(page.replace(written(), table()), encoding="utf-8")
