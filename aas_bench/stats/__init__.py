"""The statistics, on numpy arrays; nothing here knows an image, a model or a file."""

from __future__ import annotations

from aas_bench.stats.agreement import krippendorff_alpha, quadratic_kappa, spearman
from aas_bench.stats.compare import (
    McNemar,
    RewardComparison,
    SignedRank,
    compare_generators,
    compare_rewards,
    holm,
)
from aas_bench.stats.consistency import Consistency, paraphrase_consistency
from aas_bench.stats.dose import DoseResponse, EffectResponse, dose_response
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.family import GroupTest, signed_rank_by_group
from aas_bench.stats.gap import PairedGap, paired_gap
from aas_bench.stats.generation import GeneratorShift, generator_shift
from aas_bench.stats.intervals import wilson
from aas_bench.stats.override import OUTCOMES, Override, outcomes, override, override_by_group
from aas_bench.stats.preference import Preference, chosen, preference, preference_by_group
from aas_bench.stats.rank import ArtRank, art_rank
from aas_bench.stats.strength import STRENGTHS, StrengthCurve, strength_curve

__all__ = [
    "OUTCOMES",
    "STRENGTHS",
    "ArtRank",
    "Consistency",
    "DoseResponse",
    "EffectResponse",
    "Estimate",
    "GeneratorShift",
    "GroupTest",
    "McNemar",
    "Override",
    "PairedGap",
    "Preference",
    "RewardComparison",
    "SignedRank",
    "StrengthCurve",
    "art_rank",
    "chosen",
    "compare_generators",
    "compare_rewards",
    "dose_response",
    "generator_shift",
    "holm",
    "krippendorff_alpha",
    "outcomes",
    "override",
    "override_by_group",
    "paired_gap",
    "paraphrase_consistency",
    "preference",
    "preference_by_group",
    "quadratic_kappa",
    "signed_rank_by_group",
    "spearman",
    "strength_curve",
    "wilson",
]
