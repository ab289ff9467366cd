"""What both metrics add to `evaluate.Metric`: inputs checked early, one clear line each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.metric import metric_columns
from aas_bench.metric.image_scores import ROWS

IMAGES = ("images_original", "images_distorted")
PROMPTS = ("prompts_original", "prompts")
_PER_PAIR = ("groups", "clusters")
# Which configuration an argument belongs to, where not to both.
BELONGS = {"predictions": "default"} | dict.fromkeys(
    (*IMAGES, *PROMPTS, "reward_model", "batch_size"), "images"
)


class CheckedInputs:
    """Goes before `evaluate.Metric` in the bases of a metric.

    Attributes:
        row_widths: Numbers that a row of `predictions` may have.
        optional_columns: Columns that a caller may leave out; stored as nulls.
    """

    row_widths: ClassVar[tuple[int, ...]]
    optional_columns: ClassVar[frozenset[str]] = frozenset()

    # What evaluate.Metric provides.
    config_name: str
    writer: Any
    filelocks: list[Any] | None
    file_paths: list[str] | None
    _feature_names: Callable[[], list[str]]
    _compute: Callable[..., dict[str, Any]]
    _form: int

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
        self._check_names(given, [*names, *inspect.signature(self._compute).parameters])
        if self.writer is None or any(given.get(name) is not None for name in names):
            self._check_complete(given)
        given |= {name: None for name in names if name not in given}
        for name in _PER_PAIR:
            given[name] = metric_columns.plain_column(given.get(name))
        self.filelocks = self.file_paths = None  # those of the last call may be in others' hands
        try:
            result: dict[str, Any] | None = super().compute(**given)  # type: ignore[misc]
        except Exception:
            self._remove_cache_files()
            raise
        return result

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
        first, n = next(iter(sizes.items()))
        for name, size in sizes.items():
            if size != n:
                msg = f"{first} has {n} rows but {name} has {size}. Give one of each per pair."
                raise InputError(msg)
        if n == 0:
            msg = f"{first} is empty. Give at least one pair."
            raise InputError(msg)
        self._check_form(checked)
        for batch in list(_batches(checked, n)):  # all encoded before the first is written
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


def _read(name: str, values: Any, widths: tuple[int, ...]) -> list[Any] | None:
    if values is None:
        return None
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        msg = f"{name} is a {type(values).__name__}. Give one entry per pair."
        raise InputError(msg)
    if name == "predictions":
        return metric_columns.score_rows(values, widths)
    if name == "references":
        return metric_columns.labels(values)
    if name in PROMPTS:
        return metric_columns.texts(name, values)
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
