"""The per-pair scores beside a record: all that its numbers rest on, and nothing else."""

from __future__ import annotations

from typing import Final

from aas_bench.tables.judge_columns import judge_columns
from aas_bench.tables.schema import DIMENSIONS, INDEX, LABEL, MODEL, PAIR_ID
from aas_bench.tables.scores import ScoreTable, score_columns

_KEPT: Final = (
    *(PAIR_ID, INDEX, MODEL, DIMENSIONS, LABEL),
    *("scene", "effect", "dose", "wording", "item", "emotion", "category", "topic"),
)


def scores_only(table: ScoreTable, rewards: tuple[str, ...], *, judged: bool = False) -> ScoreTable:
    """The table without prompts, paths and other text.

    Args:
        table: The scores.
        rewards: Whose scores are kept.
        judged: Whether what judges said of each pair is kept too, as a generator's record needs it.
    """
    wanted = [*_KEPT, *(name for reward in rewards for name in score_columns(reward))]
    wanted += judge_columns(table.frame) if judged else []
    columns = [name for name in wanted if name in table.frame]
    return ScoreTable(frame=table.frame[columns], rewards=rewards)
