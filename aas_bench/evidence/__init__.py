"""Scores of real reward models that were published pair by pair, kept in the package.

Figures only: no prompt and no image is here. `sources.md` beside this file says where each table
comes from.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd

EVIDENCE: Final = Path(__file__).parent / "stable_diffusion_3.5_large.parquet"
HUB_ID: Final = "weathon/aas_benchmark_final"
"""The authors' data set on the Hugging Face Hub that the scores were taken from."""
SUBSET: Final = "300 pairs, images by Stable Diffusion 3.5 Large only, without labels"
"""What part of that data set it is."""
NAMES: Final = {"hpsv3": "HPSv3", "hpsv2": "HPSv2", "image_reward": "ImageReward"}
"""What people call the reward models whose scores are here."""


def load_evidence() -> pd.DataFrame:
    """The authors' scores of 300 pairs by HPSv3, HPSv2 and ImageReward.

    `aas_bench.load_scores(EVIDENCE)` reads the same table as a ScoreTable.

    Returns:
        One row per pair, in the order of the base prompts: `pair_id`, `index`, `model`, and
        `<reward>_<cell>` in float64 for `hpsv3`, `hpsv2` and `image_reward`, each in its own unit;
        `hpsv3_<cell>_sigma` is HPSv3's second output. No label, no prompt, no image.

    Source:
        Rows of Stable Diffusion 3.5 Large in weathon/aas_benchmark_final, the data set of arXiv
        2512.11883.

    Example:
        >>> frame = load_evidence()
        >>> len(frame), float((frame.hpsv3_didp > frame.hpsv3_oidp).mean())
        (300, 0.29)
    """
    import pandas as pd

    return pd.read_parquet(EVIDENCE)
