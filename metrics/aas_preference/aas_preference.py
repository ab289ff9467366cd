"""Does a reward model prefer the image that the prompt asked for? A door to `aas_bench.stats`."""

import evaluate

from aas_bench.metric.evaluate_info import metric_info
from aas_bench.metric.preference_metric import PreferenceRows


class AasPreference(PreferenceRows, evaluate.Metric):
    """Preference accuracy of a reward model, with intervals over clusters."""

    def _info(self) -> evaluate.MetricInfo:
        return metric_info(self)
