"""What `evaluate` is told of a metric: its columns with their types, and whom to cite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aas_bench.metric.checked import IMAGES, CheckedInputs

if TYPE_CHECKING:
    import evaluate

_CITATION: Final = """
@inproceedings{guo2026universal,
  title = {Position: Universal Aesthetic Alignment Narrows Artistic Expression},
  author = {Guo, Wenqi Marshall and Qian, Qingyun and Hasan, Khalad and Du, Shan},
  booktitle = {International Conference on Machine Learning},
  year = {2026},
  url = {https://arxiv.org/abs/2512.11883}
}
"""


def metric_info(metric: CheckedInputs) -> evaluate.MetricInfo:
    """The `_info` of a metric, from its columns.

    Raises:
        UnknownNameError: It has no such configuration.
    """
    import datasets
    import evaluate

    def kind(column: str) -> Any:
        if column == "references":
            return datasets.Value("int8")
        if column == "predictions":
            return datasets.List(datasets.Value("float64"))
        return datasets.Image(decode=False) if column in IMAGES else datasets.Value("string")

    metric.check_configuration(metric.config_name)
    names = metric.columns[metric.config_name]
    features: Any = datasets.Features({name: kind(name) for name in names})
    if "predictions" in features and 1 in metric.row_widths:  # a margin may stand alone
        margins = {**features, "predictions": datasets.Value("float64")}
        features = [features, datasets.Features(margins)]
    return evaluate.MetricInfo(
        description=metric.description,
        citation=_CITATION,
        inputs_description=metric.inputs_description,
        features=features,
        homepage="https://arxiv.org/abs/2512.11883",
        license="Apache-2.0",
    )
