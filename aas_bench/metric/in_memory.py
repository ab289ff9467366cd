"""The metrics without `evaluate`: the same checks and numbers, the rows kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aas_bench.errors import UnknownNameError
from aas_bench.metric.install import NAMES
from aas_bench.metric.override_metric import OverrideRows
from aas_bench.metric.preference_metric import PreferenceRows


class _InMemory:
    """What `CheckedInputs` asks of `evaluate.Metric`: keep rows and hand them to `_compute`."""

    columns: Any
    check_configuration: Any
    _compute: Any

    def __init__(self, config_name: str) -> None:
        self.check_configuration(config_name)
        self.config_name = config_name
        self.writer: Any = None  # column -> values; None: no row was added yet

    def _feature_names(self) -> list[str]:
        return list(self.columns[self.config_name])

    def add_batch(self, **columns: Any) -> None:
        """Keep rows."""
        self.writer = self.writer or {name: [] for name in columns}
        for name, values in columns.items():
            self.writer[name] += values

    def compute(self, **given: Any) -> dict[str, Any] | None:
        """Compute on the rows given here and before, and forget them."""
        rows = {name: given.pop(name) for name in self._feature_names()}
        if any(values is not None for values in rows.values()):
            self.add_batch(**rows)
        kept, self.writer = self.writer, None
        result: dict[str, Any] = self._compute(**kept, **given)
        return result


class Preference(PreferenceRows, _InMemory):
    """`aas_preference`."""

    name = "aas_preference"


class Override(OverrideRows, _InMemory):
    """`aas_override`."""

    name = "aas_override"


_METRICS: Final[Mapping[str, type[Preference] | type[Override]]] = {
    "aas_preference": Preference,
    "aas_override": Override,
}


def load_metric(
    name: str = "aas_preference", config_name: str = "default"
) -> Preference | Override:
    """A metric without `evaluate`: `compute`, `add` and `add_batch` as `evaluate.load` gives them.

    It takes the same arguments and gives the same numbers; only `evaluate.combine` and evaluation
    in several processes need the metric of `evaluate`.

    Args:
        name: "aas_preference" or "aas_override".
        config_name: "default", or "images" to score images with a `reward_model=`.

    Raises:
        UnknownNameError: No metric or configuration has this name.

    Example:
        >>> metric = load_metric("aas_preference")
        >>> result = metric.compute(predictions=[[0.31, 0.27], [0.22, 0.29]], references=[1, 1])
        >>> result["accuracy"], result["n"]
        (0.5, 2)
    """
    if name not in _METRICS:
        hint = f"The metrics are {' and '.join(NAMES)}."
        raise UnknownNameError("metric", name, NAMES, hint=hint)
    return _METRICS[name](config_name)
