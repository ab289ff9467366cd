"""What both metrics add to `evaluate.Metric`: inputs checked early, then computed in one way."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.metric import flat, metric_columns
from aas_bench.metric.image_scores import ROWS, score_pairs
from aas_bench.rewards.base import RewardModel
from aas_bench.stats.estimate import Result, Scores, Ties
from aas_bench.stats.inputs import check_sizes
from aas_bench.tables.reader import class_labels

if TYPE_CHECKING:
    from aas_bench.measure.results import Summary

IMAGES = ("images_original", "images_distorted")
PROMPTS = ("prompts_original", "prompts")
_PER_PAIR = ("groups", "clusters")
_COLUMNS = ("predictions", "references", *IMAGES, *PROMPTS)
# Which configuration an argument belongs to, where not to both.
BELONGS = {"predictions": "default"} | dict.fromkeys(
    (*IMAGES, *PROMPTS, "reward_model", "batch_size", "device", "dtype", "accept_prompt_blind"),
    "images",
)


class CheckedInputs:
    """Goes before `evaluate.Metric` in the bases of a metric.

    Attributes:
        description: What it measures.
        inputs_description: What it takes and gives.
        columns: The columns of each configuration.
        row_widths: Numbers that a row of `predictions` may have.
        optional_columns: Columns that a caller may leave out; stored as nulls.
        split_by_label: Whether the result is repeated under `by_label`.
    """

    description: ClassVar[str]
    inputs_description: ClassVar[str]
    columns: ClassVar[Mapping[str, tuple[str, ...]]]
    row_widths: ClassVar[tuple[int, ...]]
    optional_columns: ClassVar[frozenset[str]] = frozenset()
    split_by_label: ClassVar[bool] = False

    # What evaluate.Metric provides.
    config_name: str
    writer: Any
    filelocks: list[Any] | None
    file_paths: list[str] | None
    _feature_names: Callable[[], list[str]]
    _form: int
    _summarised_as: str | None = None

    @classmethod
    def check_configuration(cls, name: str) -> None:
        """Refuse a name that no configuration has.

        Raises:
            UnknownNameError: It is one.
        """
        if name not in cls.columns:
            hint = f"The configurations are {' and '.join(cls.columns)}."
            raise UnknownNameError("configuration", name, cls.columns, hint=hint)

    def compute(
        self, *, predictions: Any = None, references: Any = None, **rest: Any
    ) -> dict[str, Any] | None:
        """Compute the metric; `inputs_description` lists the columns and options.

        Returns:
            The result; None in all but the first process of a distributed evaluation.

        Raises:
            UnknownNameError: An option does not exist.
            InputError: A column is missing, empty, of another length, holds a wrong value, or
                belongs to another configuration.
            MissingScoresError: Scores are missing and `on_missing` is "raise".
        """
        given = {"predictions": predictions, "references": references, **rest}
        names = self._feature_names()
        options = [k for k in inspect.signature(self._compute).parameters if k not in _COLUMNS]
        self._check_names(given, [*names, *options])
        if self.writer is None or any(given.get(name) is not None for name in names):
            self._check_complete(given)
        given |= {name: None for name in names if name not in given}
        for name in _PER_PAIR:
            given[name] = plain_column(given.get(name))
        self.filelocks = self.file_paths = None  # those of the last call may be in others' hands
        try:
            result: dict[str, Any] | None = super().compute(**given)  # type: ignore[misc]
        except Exception:
            self._remove_cache_files()
            raise
        return result

    def summarise(self, *, reward: str = "reward", **given: Any) -> Summary | None:
        """The long form of `compute`: the same `Summary` that `aas_bench.summarise` gives.

        It shows itself in a notebook and gives `.to_pandas()`, `.to_latex()`, `.plot("fig.pdf")`
        and `.compare(other)`; its numbers are those of `compute`, and more.

        Args:
            reward: What to call the reward model.
            given: As in `compute`; pairs that were added before count as they do there.

        Returns:
            Summary; None in all but the first process of a distributed evaluation.

        Raises:
            InputError: As in `compute`, or `predictions` are margins without the two scores.

        Example:
            >>> from aas_bench import load_metric
            >>> metric = load_metric("aas_preference")
            >>> found = metric.summarise(predictions=[[0.3, 0.2], [0.2, 0.9]], references=[1, 1])
            >>> found.rewards["reward"].headline.value, found.n_pairs
            (0.5, 2)
        """
        self._summarised_as = reward
        try:
            found = self.compute(**given)
        finally:
            self._summarised_as = None
        return None if found is None else found["summary"]

    def _compute(
        self,
        *,
        references: Sequence[Any],
        predictions: Any = None,
        images_original: Any = None,
        images_distorted: Any = None,
        prompts_original: Any = None,
        prompts: Any = None,
        reward_model: str | RewardModel | Callable[..., Any] | None = None,
        batch_size: int | None = None,
        device: str | None = None,
        dtype: str | None = None,
        accept_prompt_blind: bool = False,
        groups: Sequence[Any] | None = None,
        clusters: Sequence[Any] | None = None,
        confidence_level: float = 0.95,
        ties: Literal["original", "half", "distorted"] = "original",
        on_missing: Literal["raise", "drop"] = "raise",
    ) -> dict[str, Any]:
        if self.config_name == "images":
            predictions = score_pairs(
                reward_model,
                images_original=images_original,
                images_distorted=images_distorted,
                prompts=prompts,
                prompts_original=prompts_original,
                batch_size=batch_size,
                device=device,
                dtype=dtype,
                accept_prompt_blind=accept_prompt_blind,
                on_missing=on_missing,
            )
        scores, labels = np.asarray(predictions, dtype=np.float64), self._labels(references)
        options: dict[str, Any] = {"confidence_level": confidence_level, "on_missing": on_missing}
        if self._summarised_as is not None:
            from aas_bench.metric.long_form_summary import summary_of

            summary = summary_of(
                scores,
                reward=self._summarised_as,
                labels=labels,
                groups=groups,
                clusters=clusters,
                ties=ties,
                **options,
            )
            return {"summary": summary}

        def measure(rows: flat.Rows, ties: Ties = ties) -> Result:
            chosen, among = flat.some(labels, rows), flat.some(clusters, rows)
            return self._measure(scores[rows], chosen, ties=ties, clusters=among, **options)

        result = flat.flatten(measure(flat.EVERY_ROW))
        if self.split_by_label:
            result["by_label"] = flat.by_group(measure, labels, len(scores))
        result["by_ties"] = flat.by_ties(measure, tied=result["tied"])
        return result | {"by_group": flat.by_group(measure, groups, len(scores))}

    def _labels(self, references: Sequence[Any]) -> Sequence[int] | None:
        """The references as labels; None where the caller gave none."""
        return references

    def _measure(self, scores: Scores, labels: Any, *, ties: Ties, **options: Any) -> Result:
        """The metric on pairs: scores (n,) or (n, width), labels (n,) or None."""
        raise NotImplementedError

    def add_batch(self, *, predictions: Any = None, references: Any = None, **rest: Any) -> None:
        """Add pairs.

        Raises:
            InputError: As in `compute`, for the columns.
        """
        names = self._feature_names()
        given = {"predictions": predictions, "references": references, **rest}
        self._check_names(given, names)
        self._check_complete(given)
        checked = {name: _read(name, given.get(name), self.row_widths) for name in names}
        sizes = {name: len(column) for name, column in checked.items() if column is not None}
        check_sizes(sizes, "rows")
        self._check_form(checked)
        batches = list(_batches(checked, max(sizes.values())))
        for batch in batches:  # all encoded before the first is written
            super().add_batch(**batch)  # type: ignore[misc]

    def add(self, *, prediction: Any = None, reference: Any = None, **rest: Any) -> None:
        """Add one pair; the columns of the "images" configuration keep their plural names."""
        given = {"predictions": prediction, "references": reference, **rest}
        self.add_batch(**{k: None if v is None else [v] for k, v in given.items()})

    def _check_names(self, given: dict[str, Any], known: list[str]) -> None:
        here = "default" if "predictions" in self._feature_names() else "images"
        for name in [name for name, value in given.items() if value is not None]:
            home = BELONGS.get(name, here)
            if home != here:
                other = 'evaluate.load(..., "images")' if home == "images" else "evaluate.load(...)"
                msg = f"{name} belongs to the {home} configuration. Load the metric with {other}."
                raise InputError(msg)
            if name not in known:
                mine = [k for k in dict.fromkeys(known) if BELONGS.get(k, here) == here]
                hint = f"This configuration takes {', '.join(mine)}."
                raise UnknownNameError("column or option", name, mine, hint=hint)

    def _check_complete(self, given: dict[str, Any]) -> None:
        names = self._feature_names()
        lacking = [n for n in names if given.get(n) is None and n not in self.optional_columns]
        if lacking:
            msg = (
                f"no {' and no '.join(lacking)} given. The {self.config_name} configuration takes "
                f"{', '.join(names)}."
            )
            raise InputError(msg)

    def _check_form(self, checked: dict[str, Any]) -> None:
        """All batches of one computation have rows of one form."""
        if "predictions" not in checked:
            return
        row = checked["predictions"][0]
        form = len(row) if isinstance(row, list) else 0
        if self.writer is not None and form != self._form:
            msg = "predictions mix forms: these rows differ from those added before. Keep to one."
            raise InputError(msg)
        self._form = form

    def _remove_cache_files(self) -> None:
        """`evaluate` leaves the cache files of a failed computation behind, and locked."""
        self.data = self.buf_writer = None
        for lock, path in zip(self.filelocks or [], self.file_paths or [], strict=True):
            Path(path).unlink(missing_ok=True)
            lock.release()
        self.filelocks = self.file_paths = None


def plain_column(column: Any) -> Any:
    """A column as Python values, whichever library holds it: as `load_dataset` gives it, too.

    A column of a `Dataset` knows what its classes are called, which none of its numbers does: they
    become names, and the class that `datasets` writes as -1 (not known) becomes None.
    """
    source, name = getattr(column, "source", None), getattr(column, "column_name", None)
    if source is None or name is None:
        for method in ("to_pylist", "to_list", "tolist"):
            if hasattr(column, method):
                return getattr(column, method)()
        return column
    if hasattr(source, "with_format"):  # not as tensors, which need no names either
        source = source.select_columns([name]).with_format(None)
    label = class_labels({name: (source.features or {}).get(name)}).get(name)
    rows = list(source[name])
    return rows if label is None else [_class_names(label, row) for row in rows]


def _class_names(label: Any, row: Any) -> Any:
    if isinstance(row, list):
        return [_class_names(label, each) for each in row]
    return None if row is None or row < 0 else label.int2str(row)


def _label_column(column: Any) -> Any:
    """Labels as numbers, those with names among them too."""
    values = plain_column(column)
    if any(isinstance(value, str) for value in values):
        return metric_columns.labels(values)
    return values


def _score_column(column: Any) -> Any:
    """Frames and tensors as arrays, other columns as Python values."""
    if hasattr(column, "detach"):  # NumPy knows neither gradients nor bfloat16
        return column.detach().double().cpu().numpy()
    if hasattr(column, "to_numpy") or hasattr(column, "__array__"):
        found = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
        if found.dtype != object or found.ndim > 1:
            return found
    return plain_column(column)


def _read(name: str, values: Any, widths: tuple[int, ...]) -> list[Any] | None:
    if values is None:
        return None
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        msg = f"{name} is a {type(values).__name__}. Give one entry per pair."
        raise InputError(msg)
    if name == "predictions":
        return metric_columns.score_rows(_score_column(values), widths)
    if name == "references":
        return metric_columns.labels(_label_column(values))
    if name in PROMPTS:
        return metric_columns.texts(name, plain_column(values))
    return list(values)


def _batches(checked: dict[str, list[Any] | None], n: int) -> Iterator[dict[str, list[Any]]]:
    """The columns in slices, images encoded slice by slice."""
    step = ROWS if IMAGES[0] in checked else n
    for start in range(0, n, step):
        rows = range(start, min(start + step, n))
        batch: dict[str, list[Any]] = {}
        for name, column in checked.items():
            if column is None:
                batch[name] = [None] * len(rows)
            elif name in IMAGES:
                batch[name] = [metric_columns.image_cell(name, row, column[row]) for row in rows]
            else:
                batch[name] = column[rows.start : rows.stop]
        yield batch
