"""Leaderboard records to change one thing of."""

from aas_bench.records.record import (
    SCHEMA_VERSION,
    Measurement,
    Record,
    Scores,
    Source,
    Subject,
)

PAPER = Source(title="A paper", url="https://arxiv.org/abs/2512.11883", location="Table 1")
DELTA = Measurement(measure="delta", reward="hpsv3", value=-1.5)
AFTER = Measurement(measure="after", reward="hpsv3", value=0.1 + 0.2, low=0.1, high=0.5)


def record(**changes):
    """A published record of one figure."""
    facts = {
        "schema_version": SCHEMA_VERSION,
        "id": "wide_spectrum/model-1/published",
        "status": "published",
        "subject": Subject(id="model-1", name="Model 1", kind="generator"),
        "task": "wide_spectrum",
        "measurements": (DELTA,),
        "source": PAPER,
    }
    return Record(**(facts | changes))


def pending():
    """A row without figures."""
    return record(
        id="wide_spectrum/model-1/pending", status="pending", measurements=(), source=None
    )


def measured(*, n_pairs=784, coverage=1.0, **changes):
    """A measured record of the counterfactual split; its scores file is not there."""
    facts = {
        "id": "counterfactual/model-1/measured",
        "status": "measured",
        "task": "counterfactual",
        "subject": Subject(id="model-1", name="Model 1", kind="reward_model"),
        "measurements": (Measurement(measure="accuracy", value=0.5, coverage=coverage), AFTER),
        "scores": Scores(file="measured.parquet", sha256="0" * 64, n_pairs=n_pairs),
        "provenance": {"seed": 0},
        "source": None,
    }
    return record(**(facts | changes))
