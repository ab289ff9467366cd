"""Image-to-image mode: how far a generator moves a wide-spectrum image back to the polished one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SIZE
from aas_bench.rewards.effect_match import measurable, strengths
from aas_bench.run.generate import Generated
from aas_bench.run.prompts import Prompt
from aas_bench.run.seeds import seed_pair
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import Intervals

MEASURES: Final = {
    "to_seed": "mean absolute difference of RGB values (0 to 255) between output and seed image",
    "to_original": "the same between output and photograph",
    "seed_to_original": "the same between seed image and photograph",
    "way_back": (
        "share of the way from the seed image (0) to the photograph (1): the output's step away "
        "from the seed image, projected on the difference of the two"
    ),
    "effect_before": "strength of the requested effect in the seed image, in (0, 1): effect-match",
    "effect_after": "the same in the output",
}


def clean_up(generated: Generated, analysis: Analysis) -> dict[str, Any]:
    """Means over the seed images, with intervals over scenes.

    Args:
        generated: A run with seed images.
        analysis: Its confidence level is what counts.

    Returns:
        `measures` says what each name means, `means` holds an Estimate for each: JSON values.
        Images that were not made are left out and lower the coverage.
    """
    prompts = generated.prompts.prompts
    table = np.array([list(_row(generated, prompt)) for prompt in prompts], dtype=np.float64)
    columns = dict(zip(MEASURES, table.T, strict=True))
    clusters = np.array([prompt.cluster for prompt in prompts])
    sample = read_sample(columns, clusters=clusters, on_missing="drop").complete()
    intervals = Intervals(sample, analysis)
    means = {
        name: intervals.mean(column, undefined="no image was made")
        for name, column in sample.scores.items()
    }
    return {
        "measures": dict(MEASURES),
        "means": {name: mean.to_dict() for name, mean in means.items()},
    }


def _row(generated: Generated, prompt: Prompt) -> Iterator[float]:
    """The six measures of one output, in the order of `MEASURES`; NaN where there is none."""
    path = generated.image_path(prompt.index, "distorted")
    if path is None:
        return iter([np.nan] * len(MEASURES))
    settings = generated.submission.settings_for("distorted", generated.preset)
    pair = seed_pair(prompt, settings)
    with Image.open(path) as file:
        output = file.convert("RGB")
    made, start, polished = (_floats(i) for i in (output, pair.distorted, pair.original))
    return iter(
        [
            float(np.abs(made - start).mean()),
            float(np.abs(made - polished).mean()),
            float(np.abs(start - polished).mean()),
            float(np.vdot(made - start, polished - start) / np.vdot(*[polished - start] * 2)),
            _strength(prompt, pair.distorted),
            _strength(prompt, output),
        ]
    )


def _floats(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=np.float64)


def _strength(prompt: Prompt, image: Image.Image) -> float:
    assert prompt.effect is not None
    return float(strengths(measurable(image, size=SIZE))[list(EFFECTS).index(prompt.effect)])
