"""What a run would cost, known without weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from aas_bench.generators.pipelines import pipeline_row
from aas_bench.generators.settings import VARIANTS, Settings
from aas_bench.generators.spec import Submission


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The size of a run.

    Attributes:
        images: Images to make, both variants.
        steps: Denoising steps over all images; 0 where the work is done elsewhere.
        passes: Calls of the denoiser: twice the steps where guidance needs an unconditional one;
            at most so many where a class has a general row.
        memory: Smallest card, S up to 16 GB, M 24, L 48, XL 80; None where no card is needed.
    """

    images: int
    steps: int
    passes: int
    memory: str | None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, the fields by name."""
        return asdict(self)


def cost(submission: Submission, n_prompts: int, *, preset: str = "default") -> Cost:
    """Images, denoising steps and memory class of one run over `n_prompts` prompts.

    Raises:
        UnknownNameError: The submission has no such preset.
    """
    variants = [submission.settings_for(variant, preset) for variant in VARIANTS]
    steps = [settings.num_inference_steps or 0 for settings in variants]
    passes = [
        count * _passes_per_step(submission, settings)
        for count, settings in zip(steps, variants, strict=True)
    ]
    return Cost(
        images=n_prompts * len(variants),
        steps=n_prompts * sum(steps),
        passes=n_prompts * sum(passes),
        memory=submission.memory,
    )


def _passes_per_step(submission: Submission, settings: Settings) -> int:
    if submission.pipeline is None:
        return 0
    row = pipeline_row(submission.pipeline)
    strength = getattr(settings, row.guidance) or 0.0
    silent = row.guided_needs_negative and settings.negative_prompt is None
    return 2 if strength > row.guided_above and not silent else 1
