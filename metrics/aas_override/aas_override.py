"""Did the score follow the request, and did taste win? A door to `aas_bench.stats`."""

import evaluate

from aas_bench.metric.evaluate_info import metric_info
from aas_bench.metric.override_metric import OverrideRows


class AasOverride(OverrideRows, evaluate.Metric):
    """The override analysis of a reward model, with intervals over clusters."""

    def _info(self) -> evaluate.MetricInfo:
        return metric_info(self)
