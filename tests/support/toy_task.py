"""A dataset that the package does not know: its pairs, its analysis, and its builder."""

from typing import ClassVar

import datasets
import numpy as np
from support.toy_pairs import dataset, picture, png

from aas_bench.measure.analyses.shared import choice_measure
from aas_bench.measure.analyses.task_report import TaskReport
from aas_bench.publish.builder import BenchBuilder, BenchConfig, for_viewer
from aas_bench.tables.schema import DIMENSIONS, pair_features

N_PAIRS = 12
KINDS = ("cirrus", "nimbus")
CARD = """---
pretty_name: "Skies that someone asked to be dull"
license: cc0-1.0
configs:
  pairs: A bright sky beside a dull one.
columns: {}
---
{% extends "base.md" %}
{% block what %}
Twelve skies.
{% endblock %}
"""


def rows():
    for i in range(N_PAIRS):
        yield {
            "pair_id": f"sky/{i:04d}",
            "index": i,
            "model": "painter",
            "image_original": {"bytes": png(picture(2 * i)), "path": None},
            "image_distorted": {"bytes": png(picture(2 * i + 1)), "path": None},
            "prompt_original": f"sky number {i}",
            "prompt_distorted": f"sky number {i}, dull and grey",
            "dimensions": [KINDS[i % 2]],
            "label": 1,
        }


def skies():
    """The pairs, as the row's `build` gives them."""
    return dataset(rows())


def by_kind(scores):
    """The analysis, as the row's `analysis` names it."""
    chosen = scores.breakdown(
        choice_measure(scores),
        {"kind of cloud": scores.require_groups("kind", DIMENSIONS).masks()},
        name="chosen",
        title="How often the dull sky wins",
        unit="share",
    )
    return TaskReport(
        task=scores.task.name,
        question=scores.task.question,
        analyses=(chosen,),
        findings=dict.fromkeys(scores.rewards, "looked at the sky."),
    )


def builder_of(task):
    """Its builder, as a dataset script would write it."""

    class Skies(BenchBuilder):
        TASK = task
        BUILDER_CONFIGS: ClassVar = [BenchConfig(name="pairs", version=datasets.Version("1.0.0"))]

        def _info(self):
            return datasets.DatasetInfo(features=for_viewer(pair_features()))

        def items(self):
            return range(N_PAIRS)

        def rows(self, item):
            yield list(rows())[item]

    return Skies


def wins_by_kind(frame, reward):
    """Share of dull skies that win, by kind: plain counting."""
    wins = (frame[f"{reward}_didp"] > frame[f"{reward}_oidp"]).to_numpy()
    kind = np.array([names[0] for names in frame["dimensions"]])
    return {name: wins[kind == name].mean() for name in KINDS}
