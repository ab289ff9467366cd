"""aas-bench: do reward models and generators honour a prompt that asks for an unpretty image?

Public names resolve on first use, so that importing the package stays free of torch, datasets and
evaluate.
"""

from __future__ import annotations

import warnings as _warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from aas_bench.version import __version__

if TYPE_CHECKING:
    from aas_bench.checks.check_reward import check_reward as check_reward
    from aas_bench.diagnosis.examine import doctor as doctor
    from aas_bench.measure.held_back import OverrideMetric as OverrideMetric
    from aas_bench.measure.summary import Summary as Summary
    from aas_bench.measure.summary import summarise as summarise
    from aas_bench.metric import metric_path as metric_path
    from aas_bench.metric.in_memory import load_metric as load_metric
    from aas_bench.pages.report import write_report as write_report
    from aas_bench.placebos import with_placebos as with_placebos
    from aas_bench.rewards.base import RewardModel as RewardModel
    from aas_bench.rewards.catalog import load_reward as load_reward
    from aas_bench.rewards.served import RemoteReward as RemoteReward
    from aas_bench.run.judge import judge as judge
    from aas_bench.run.score import score as score
    from aas_bench.tables.pairs import load_pairs as load_pairs
    from aas_bench.tables.scores import ScoreTable as ScoreTable
    from aas_bench.tables.scores import load_scores as load_scores

# What a notebook without ipywidgets says when `datasets` is imported; nobody asked for bars there.
_warnings.filterwarnings("ignore", message="IProgress not found")

_PUBLIC = {
    "OverrideMetric": "aas_bench.measure.held_back",
    "RemoteReward": "aas_bench.rewards.served",
    "RewardModel": "aas_bench.rewards.base",
    "ScoreTable": "aas_bench.tables.scores",
    "Summary": "aas_bench.measure.summary",
    "check_reward": "aas_bench.checks.check_reward",
    "doctor": "aas_bench.diagnosis.examine",
    "judge": "aas_bench.run.judge",
    "load_metric": "aas_bench.metric.in_memory",
    "load_pairs": "aas_bench.tables.pairs",
    "load_reward": "aas_bench.rewards.catalog",
    "load_scores": "aas_bench.tables.scores",
    "metric_path": "aas_bench.metric",
    "score": "aas_bench.run.score",
    "summarise": "aas_bench.measure.summary",
    "with_placebos": "aas_bench.placebos",
    "write_report": "aas_bench.pages.report",
}

__all__ = [  # noqa: PLE0604 - the names are the keys above
    "__version__",
    *sorted(_PUBLIC),
]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    msg = f"module 'aas_bench' has no attribute '{name}'"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted(__all__)
