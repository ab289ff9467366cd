"""The paper's tables D.1, D.2 and D.3, recomputed from the authors' stored scores.

Each published figure stands beside what the stored scores give, rounded to the printed digits. A
figure whose scores are not in the table is absent with the reason, never 0. What the paper lacks
is added: intervals over base prompts, n, coverage, and the override analysis.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from aas_bench.errors import SchemaError
from aas_bench.measure.results import RewardSummary
from aas_bench.measure.summary import STANDARD, measure_scores
from aas_bench.measure.view import Views
from aas_bench.paper.author_table import read_columns
from aas_bench.paper.comparison import Comparison, compare
from aas_bench.records.published import (
    EMOTION_DIGITS,
    EMOTIONS,
    GENERATOR_COLUMNS,
    REWARD_COLUMNS,
    figures,
)
from aas_bench.stats.estimate import Codes, Estimate, Labels, Mask, Scores
from aas_bench.tables.authors import is_cell, is_null, split_score
from aas_bench.tables.schema import INDEX, LABEL, MODEL, score_column
from aas_bench.tables.scores import ScoreTable

if TYPE_CHECKING:
    import pandas as pd

_OURS: Final = {
    "hpsv2": "hpsv2.1",
    "image_reward": "image-reward",
    "blip": "blip-l-itm",
    "pick": "pickscore",
    "pick_score": "pickscore",
    "clip": "clip-l",
    "img_reward": "image-reward",
}
"""The authors' names of reward models in table D.2, where ours differ."""

Columns: TypeAlias = Mapping[str, Scores]
_SHIFT: Final = ("oiop", "diop")
_CHOICE: Final = ("oidp", "didp")

_STRUCTS: Final = ("llm_judge", "rater")
_VOTES: Final = ("llm_selected", "sec_llm_selected", "third_llm_selected", "blip_selected", LABEL)
_BLIP: Final = ("blip_score_original", "blip_score_distorted")
_PAIRS: Final = (INDEX, MODEL, "model_used", "selected_dims", "dimensions", "pair_id")
_EMOTION_REWARDS: Final = {"hpsv2": "hpsv2", "hpsv3": "hpsv3", "img_reward": "image-reward"} | {
    "blip": "blip"
}


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What `reproduce` returns.

    Attributes:
        source: The table that was read; None where only the emotions were.
        n_rows: Its rows.
        comparisons: D.1 and D.2, and D.3 where the emotion table was given.
        rewards: By reward model the preference and the override analysis, which the paper lacks.
    """

    source: str
    n_rows: int
    comparisons: tuple[Comparison, ...]
    rewards: Mapping[str, RewardSummary]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; undefined is null with its reason."""
        return {
            "source": self.source,
            "n_rows": self.n_rows,
            "analysis": asdict(STANDARD),
            "tables": [each.to_dict() for each in self.comparisons],
            "rewards": {name: summary.to_dict() for name, summary in self.rewards.items()},
        }


def reproduce(
    data: str | os.PathLike[str],
    *,
    emotion: str | os.PathLike[str] | None = None,
    label: str | None = None,
    revision: str | None = None,
) -> Reproduction:
    """Recompute the paper's tables from the authors' stored scores.

    Args:
        data: `weathon/aas_benchmark_final` or a copy of it; see `author_table.read_columns`.
        emotion: `weathon/emotion_bias_dataset` or a copy of it, for table D.3.
        label: Where the ground truth of D.2 comes from; None: the first judge, as the paper.
            See `aas_bench.tables.authors.label_columns`.
        revision: Branch, tag or commit of `data` on the Hub.

    Raises:
        InputError: A table cannot be read.
        SchemaError: A table is not in the authors' schema.
        BackendError: The Hub cannot be reached.
    """
    frame = read_columns(data, _is_score, revision=revision)
    table = ScoreTable.from_frame(frame, label=label, source=os.fspath(data))
    summary = measure_scores(table, STANDARD, task=None, report=None)
    comparisons = [_generators(table), _reward_models(table, summary.rewards)]
    if emotion is not None:
        comparisons.append(emotions(emotion))
    return Reproduction(
        source=os.fspath(data),
        n_rows=len(table),
        comparisons=tuple(comparisons),
        rewards=summary.rewards,
    )


def emotions(source: str | os.PathLike[str]) -> Comparison:
    """Table D.3: how often the face that was asked for outscores the happy one."""
    frame = read_columns(source, _is_emotion_score)
    columns: dict[tuple[str, str], Columns] = {}
    for theirs, ours in _EMOTION_REWARDS.items():
        for emotion in EMOTIONS:
            asked, happy = f"{emotion}_{theirs}", f"{emotion}_{theirs}_happy_image"
            if {asked, happy} <= set(frame.columns):
                scores = {"oidp": _numbers(frame[happy]), "didp": _numbers(frame[asked])}
                columns[ours, emotion] = scores
    if not columns:
        msg = f"{source}: no column such as sad_hpsv3 and sad_hpsv3_happy_image. Check the table."
        raise SchemaError(msg)
    views = _views(np.arange(len(frame)), {" ".join(key): each for key, each in columns.items()})
    shares: dict[str, dict[str, Estimate]] = {}
    for ours, emotion in columns:
        shares.setdefault(ours, {})[emotion] = views.view(f"{ours} {emotion}").chosen
    title = "emotions: share of prompts whose requested face outscores the happy one"
    found = compare(figures("emotions"), shares, dict.fromkeys(EMOTIONS, EMOTION_DIGITS))
    return Comparison(name="D.3", title=title, figures=found)


def _views(index: Codes, columns: Mapping[str, Columns], label: Labels | None = None) -> Views:
    """Loose columns as a score table, opened: whose scores they are -> cell -> scores."""
    import pandas as pd

    frame = pd.DataFrame({INDEX: index} | ({} if label is None else {LABEL: label}))
    scores = {score_column(n, cell): s for n, cells in columns.items() for cell, s in cells.items()}
    table = ScoreTable(frame=frame.assign(**scores), rewards=tuple(columns))
    return Views.of(table, STANDARD)


def _is_score(name: str) -> bool:
    known = name in (*_STRUCTS, *_VOTES, *_BLIP, *_PAIRS)
    return known or name.endswith("_reward") or is_cell(name)


def _is_emotion_score(name: str) -> bool:
    return name.partition("_")[0] in EMOTIONS


def _generators(table: ScoreTable) -> Comparison:
    frame = table.frame
    rewards, judged = Views.of(table, STANDARD), _views(table.clusters, dict(_judged(frame)))
    found: dict[str, dict[str, Estimate]] = {}
    for model in dict.fromkeys(frame[MODEL]):
        rows = (frame[MODEL] == model).to_numpy()
        found[model] = dict(_generator(rewards, judged, rows))
    columns = {name: column.digits for name, column in GENERATOR_COLUMNS.items()}
    title = "generators: distorted minus original image, both under the original prompt"
    return Comparison(
        name="D.1", title=title, figures=compare(figures("generators"), found, columns)
    )


def _judged(frame: pd.DataFrame) -> Iterator[tuple[str, Columns]]:
    """What raters and judges gave, as the scores of so many reward models."""
    if "rater" in frame:
        images = (_rated(frame["rater"], image) for image in ("original", "distorted"))
        yield "rater", dict(zip(_SHIFT, images, strict=True))
    if "llm_selected" in frame:
        yield "llm_win", _votes(frame["llm_selected"])
    for quality in ("special_effects", "main_concepts") if "llm_judge" in frame else ():
        marks = (
            _field(frame["llm_judge"], f"llm_{image}_{quality}")
            for image in ("original", "distorted")
        )
        yield f"{quality}_diff", dict(zip(_SHIFT, marks, strict=True))


def _generator(rewards: Views, judged: Views, rows: Mask) -> Iterator[tuple[str, Estimate]]:
    """Column of table D.1 -> estimate, for the rows of one generator."""
    for views, name, delta, after in (
        (rewards, "hpsv2", "delta_hpsv2", None),
        (rewards, "hpsv3", "delta_hpsv3", "hpsv3_after"),
        (rewards, "image_reward", "delta_image_reward", None),
        (judged, "rater", "delta_rater", "rater_after"),
        (judged, "special_effects_diff", "special_effects_diff", None),
        (judged, "main_concepts_diff", "main_concepts_diff", None),
    ):
        shift = views.view(name, rows).shift if name in views.table.rewards else None
        if shift is not None:
            yield delta, shift.delta
            if after:
                yield after, shift.after
    if "llm_win" in judged.table.rewards:
        yield "llm_win", judged.view("llm_win", rows).chosen


def _reward_models(table: ScoreTable, rewards: Mapping[str, RewardSummary]) -> Comparison:
    found: dict[str, dict[str, Estimate]] = {}
    for name, summary in rewards.items():
        if summary.preference is not None:
            found[_OURS.get(name, name)] = {
                column: getattr(summary.preference, column) for column in REWARD_COLUMNS
            }
    blip = _blip(table)
    if blip and table.label is not None:
        found.setdefault("blip-l-itm", blip)
    columns = {name: column.digits for name, column in REWARD_COLUMNS.items()}
    title = "reward models: choices under the distorted prompt against the judge, its ties left out"
    return Comparison(
        name="D.2", title=title, figures=compare(figures("reward_models"), found, columns)
    )


def _blip(table: ScoreTable) -> dict[str, Estimate]:
    """BLIP's stored scores, else its stored choices, which have no ranking and so no AUROC."""
    frame, label = table.frame, table.label
    if label is None:
        return {}
    if set(_BLIP) <= set(frame.columns):
        scores: Columns = dict(zip(_CHOICE, (_numbers(frame[name]) for name in _BLIP), strict=True))
        names = tuple(REWARD_COLUMNS)
    elif "blip_selected" in frame:
        scores, names = _votes(frame["blip_selected"]), ("accuracy", "f1")
    else:
        return {}
    found = _views(table.clusters, {"blip": scores}, label).view("blip").preference
    return {} if found is None else {name: getattr(found, name) for name in names}


def _votes(column: pd.Series[Any]) -> Columns:
    """Choices as scores: the image that was chosen gets 1, the other 0."""
    votes = _numbers(column)
    distorted = np.where(np.isnan(votes), np.nan, votes == 1)
    return dict(zip(_CHOICE, (1 - distorted, distorted), strict=True))


def _numbers(column: pd.Series[Any]) -> Scores:
    """Scores as floats; a [mu, sigma] cell is its mu, a null is nan.

    Raises:
        SchemaError: A cell is no score.
    """
    return np.array([_number(split_score(cell)[0], str(column.name)) for cell in column])


def _number(value: Any, name: str) -> float:
    if is_null(value):
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        msg = f"column {name!r} holds {value!r:.40}, which is no score. Mend that cell."
        raise SchemaError(msg) from None


def _field(column: pd.Series[Any], name: str) -> Scores:
    cells = (None if is_null(cell) else cell.get(name) for cell in column)
    return np.array([_number(cell, name) for cell in cells])


def _rated(column: pd.Series[Any], image: str) -> Scores:
    """The rater's scores of one image, summed over the dimensions."""
    cells = [None if is_null(cell) or is_null(cell.get(image)) else cell[image] for cell in column]
    return np.array([np.nan if c is None else float(np.sum(list(c["scores"]))) for c in cells])
