"""Did the score follow the request, and did taste win? A door to `aas_bench.stats`."""

import datasets
import evaluate

from aas_bench.errors import UnknownNameError
from aas_bench.metric.override_metric import OverrideRows

_CITATION = """
@inproceedings{guo2026universal,
  title = {Position: Universal Aesthetic Alignment Narrows Artistic Expression},
  author = {Guo, Wenqi Marshall and Qian, Qingyun and Hasan, Khalad and Du, Shan},
  booktitle = {International Conference on Machine Learning},
  year = {2026},
  url = {https://arxiv.org/abs/2512.11883}
}
"""

_LABEL = datasets.Value("int8")
_TEXT = datasets.Value("string")
_IMAGE = datasets.Image(decode=False)
_SCORES = datasets.List(datasets.Value("float64"))
_FEATURES = {
    "default": datasets.Features(predictions=_SCORES, references=_LABEL),
    "images": datasets.Features(
        images_original=_IMAGE,
        images_distorted=_IMAGE,
        prompts_original=_TEXT,
        prompts=_TEXT,
        references=_LABEL,
    ),
}


class AasOverride(OverrideRows, evaluate.Metric):
    """The override analysis of a reward model, with intervals over clusters."""

    def _info(self) -> evaluate.MetricInfo:
        if self.config_name not in _FEATURES:
            hint = f"The configurations are {' and '.join(_FEATURES)}."
            raise UnknownNameError("configuration", self.config_name, _FEATURES, hint=hint)
        return evaluate.MetricInfo(
            description=OverrideRows.description,
            citation=_CITATION,
            inputs_description=OverrideRows.inputs_description,
            features=_FEATURES[self.config_name],
            homepage="https://arxiv.org/abs/2512.11883",
            license="Apache-2.0",
        )
