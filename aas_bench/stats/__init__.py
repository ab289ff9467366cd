"""The statistics, on numpy arrays; nothing here knows an image, a model or a file."""

from __future__ import annotations

from aas_bench.stats.agreement import krippendorff_alpha, quadratic_kappa, spearman
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.by_family import GroupTest, compare_by_group
from aas_bench.stats.consistency import Consistency, paraphrase_consistency
from aas_bench.stats.differences import (
    GeneratorComparison,
    RewardComparison,
    SignedRank,
    compare_generators,
    compare_rewards,
    holm,
)
from aas_bench.stats.dose import DoseResponse, EffectResponse, dose_response
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.gap import PairedGap, paired_gap
from aas_bench.stats.generation import GeneratorShift, generator_shift
from aas_bench.stats.intervals import wilson
from aas_bench.stats.judge_errors import JudgeErrors, audited_rate, corrected_rate
from aas_bench.stats.latent import LatentOverride, Wordings, latent_override, wording_override
from aas_bench.stats.latent_truth import PanelErrors, panel_errors, panel_rate
from aas_bench.stats.override import OUTCOMES, Override, outcomes, override
from aas_bench.stats.paintings_rank import ArtRank, art_rank
from aas_bench.stats.placebo import (
    KINDS,
    FailedImages,
    PlaceboOverride,
    failed_image_bounds,
    placebo_from_four,
    placebo_override,
)
from aas_bench.stats.position_bias import position_bias
from aas_bench.stats.preference import (
    Choices,
    Preference,
    choices,
    chosen,
    preference,
)
from aas_bench.stats.rating import RatingErrors, rating_errors
from aas_bench.stats.rescaling import Rescaling, rescaling
from aas_bench.stats.resolution import difference, resolution
from aas_bench.stats.sign_flip import SignFlip, sign_flip
from aas_bench.stats.strength import STRENGTHS, StrengthCurve, strength_curve

__all__ = [
    "KINDS",
    "OUTCOMES",
    "STRENGTHS",
    "Analysis",
    "ArtRank",
    "Choices",
    "Consistency",
    "DoseResponse",
    "EffectResponse",
    "Estimate",
    "FailedImages",
    "GeneratorComparison",
    "GeneratorShift",
    "GroupTest",
    "JudgeErrors",
    "LatentOverride",
    "Override",
    "PairedGap",
    "PanelErrors",
    "PlaceboOverride",
    "Preference",
    "RatingErrors",
    "Rescaling",
    "RewardComparison",
    "SignFlip",
    "SignedRank",
    "StrengthCurve",
    "Wordings",
    "art_rank",
    "audited_rate",
    "choices",
    "chosen",
    "compare_by_group",
    "compare_generators",
    "compare_rewards",
    "corrected_rate",
    "difference",
    "dose_response",
    "failed_image_bounds",
    "generator_shift",
    "holm",
    "krippendorff_alpha",
    "latent_override",
    "outcomes",
    "override",
    "paired_gap",
    "panel_errors",
    "panel_rate",
    "paraphrase_consistency",
    "placebo_from_four",
    "placebo_override",
    "position_bias",
    "preference",
    "quadratic_kappa",
    "rating_errors",
    "rescaling",
    "resolution",
    "sign_flip",
    "spearman",
    "strength_curve",
    "wilson",
    "wording_override",
]
