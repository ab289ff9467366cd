"""The two `evaluate` metrics: where they are, and how to make their bare names resolve."""

from aas_bench.metric.install import install_metric, metric_path

__all__ = ["install_metric", "metric_path"]
