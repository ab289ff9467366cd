"""Image-to-image mode: how far a generator moves a wide-spectrum image back to the polished one.

The generator gets a photograph with an effect and a prompt that asks for this effect. Each output
is measured once, into a table with a row for each seed image; every figure follows from that table,
for the run that made it and for whoever accepts its record.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES, SIZE
from aas_bench.errors import SchemaError, StoreError
from aas_bench.measure.measurement import Measurement
from aas_bench.rewards.effect_match import measurable, strengths
from aas_bench.run.generate import Generated
from aas_bench.run.prompts import Prompt
from aas_bench.run.seeds import seed_pair
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.inputs import read_sample
from aas_bench.stats.intervals import Intervals
from aas_bench.tables.schema import DIMENSIONS, INDEX, MODEL, PAIR_ID, pair_name

if TYPE_CHECKING:
    import pandas as pd

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
NEARER: Final = "nearer_original"
"""Share of the outputs that lie nearer to the photograph than to the seed image."""

_TOLD: Final = (PAIR_ID, INDEX, MODEL, DIMENSIONS, "scene", "effect")
COLUMNS: Final = (*_TOLD, *MEASURES)
"""The columns of the table, in order."""
_NOTHING: Final = "no image was made"
_MOST: Final = {"to_seed": 255.0, "to_original": 255.0, "seed_to_original": 255.0} | dict.fromkeys(
    ("effect_before", "effect_after"), 1.0
)


def clean_up_table(generated: Generated) -> pd.DataFrame:
    """A row for each seed image, in the order of the prompts, with `COLUMNS`.

    Args:
        generated: A run with seed images; what was not made has no numbers.
    """
    import pandas as pd

    rows = [_row(generated, prompt) for prompt in generated.prompts.prompts]
    table: pd.DataFrame = pd.DataFrame(rows, columns=list(COLUMNS))
    return table


def load_clean_up(file: Path) -> pd.DataFrame | None:
    """The table that a file holds; None where it holds something else, such as scores.

    Raises:
        StoreError: It is no readable Parquet.
        SchemaError: A value is none that a run can give.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(file).names
        if not set(MEASURES) <= set(names):
            return None
        table: pd.DataFrame = pq.read_table(file).to_pandas()
    except (pa.ArrowException, OSError) as error:
        msg = f"{file} is not readable Parquet ({error}). Write it again."
        raise StoreError(msg) from error
    _check(table, file)
    return table


def clean_up_figures(table: pd.DataFrame, analysis: Analysis) -> dict[str, Estimate]:
    """Means over the seed images and the share that came nearer, with intervals over scenes.

    Args:
        table: From `clean_up_table`.
        analysis: Its confidence level is what counts.
    """
    columns = {name: table[name].to_numpy(np.float64) for name in MEASURES}
    clusters = table[INDEX].to_numpy()
    sample = read_sample(columns, clusters=clusters, on_missing="drop").complete()
    intervals = Intervals(sample, analysis)
    found = {
        name: intervals.mean(column, undefined=_NOTHING) for name, column in sample.scores.items()
    }
    nearer = sample.scores["to_original"] < sample.scores["to_seed"]
    return found | {NEARER: intervals.rate(nearer.astype(np.float64), undefined=_NOTHING)}


def clean_up_measurements(table: pd.DataFrame, analysis: Analysis) -> tuple[Measurement, ...]:
    """The figures as a record holds them, and the way back by what was asked for."""
    whole = clean_up_figures(table, analysis)
    told = [Measurement(measure=name, **each.to_dict()) for name, each in whole.items()]
    asked = [tuple(each) for each in table[DIMENSIONS]]
    for group in sorted({name for names in asked for name in names}):
        rows = table[[group in names for names in asked]]
        for name in ("way_back", NEARER):
            found = clean_up_figures(rows, analysis)[name]
            told.append(Measurement(measure=name, by=DIMENSIONS, group=group, **found.to_dict()))
    return tuple(told)


def clean_up(table: pd.DataFrame, analysis: Analysis) -> dict[str, Any]:
    """What a run's result says: `measures` names the measures, `means` holds them: JSON values."""
    means = clean_up_figures(table, analysis)
    nearer = "share of the outputs that lie nearer to the photograph than to the seed image"
    return {
        "measures": {**MEASURES, NEARER: nearer},
        "means": {name: mean.to_dict() for name, mean in means.items()},
    }


def _check(table: pd.DataFrame, file: Path) -> None:
    """Refuse columns and values that no run gives."""
    if tuple(table.columns) != COLUMNS or table.empty:
        msg = f"{file}: the columns are {list(table.columns)}, not {list(COLUMNS)}. Run it again."
        raise SchemaError(msg)
    unknown = sorted((set(table["scene"]) - set(SCENES)) | (set(table["effect"]) - set(EFFECTS)))
    if unknown:
        msg = f"{file}: no scene or effect is called {unknown[0]!r:.60}. Run it again."
        raise SchemaError(msg)
    if table[PAIR_ID].duplicated().any():
        msg = f"{file}: a pair stands in it twice. Run it again."
        raise SchemaError(msg)
    made = table[list(MEASURES)].notna()
    if (made.any(axis=1) & ~made.all(axis=1)).any():
        msg = f"{file}: an output has some of its measures and not the others. Run it again."
        raise SchemaError(msg)
    for name in MEASURES:
        values = table[name].to_numpy(np.float64)
        values = values[~np.isnan(values)]
        low, high = (0.0, _MOST[name]) if name in _MOST else (-np.inf, np.inf)
        if not (np.isfinite(values) & (values >= low) & (values <= high)).all():
            msg = f"{file}: {name} holds a value outside {low:g} to {high:g}. Run it again."
            raise SchemaError(msg)


def _row(generated: Generated, prompt: Prompt) -> list[Any]:
    facts = generated.submission
    told = [
        pair_name(facts.id, prompt.index),
        prompt.cluster,
        facts.name,
        list(prompt.dimensions),
        prompt.scene,
        prompt.effect,
    ]
    return [*told, *_measured(generated, prompt)]


def _measured(generated: Generated, prompt: Prompt) -> Iterator[float]:
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
