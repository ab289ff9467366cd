"""Score the rows of a pair table part by part: groups in, stored tables out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import BackendError, InputError
from aas_bench.rewards.base import RewardModel, Term, weighted_sum
from aas_bench.run.local import BadImage, ModelRun, prepare
from aas_bench.run.plan import PairRow, PairSource, RowGroup, row_groups
from aas_bench.run.prefetch import ahead
from aas_bench.run.store import RunDirectory
from aas_bench.tables.schema import (
    CELLS,
    CUT_DISTORTED,
    CUT_ORIGINAL,
    CUTS,
    DIDP,
    DIOP,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    OIDP,
    OIOP,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    score_column,
)

if TYPE_CHECKING:
    import pyarrow as pa

ERROR: Final = "error"
GROUP: Final = "_group"
CELLS_OF: Final[dict[str, tuple[str, ...]]] = {"both": CELLS, "distorted": (OIDP, DIDP)}

_GROUPS_AHEAD: Final = 1
_IMAGE_OF: Final = {
    OIOP: IMAGE_ORIGINAL,
    OIDP: IMAGE_ORIGINAL,
    DIOP: IMAGE_DISTORTED,
    DIDP: IMAGE_DISTORTED,
}
_PROMPT_OF: Final = {
    OIOP: PROMPT_ORIGINAL,
    DIOP: PROMPT_ORIGINAL,
    OIDP: PROMPT_DISTORTED,
    DIDP: PROMPT_DISTORTED,
}
_CUT_OF: Final = {PROMPT_ORIGINAL: CUT_ORIGINAL, PROMPT_DISTORTED: CUT_DISTORTED}


@dataclass(frozen=True, kw_only=True)
class _Work:
    """A group of rows and the images new to its part, on their way through the threads."""

    group: RowGroup
    images: dict[str, Future[list[Any]]]


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """A part that an earlier call has finished."""

    table: pa.Table


class PartScorer:
    """Runs the reward models over the parts of a source.

    Args:
        source: The pairs.
        runs: The reward models at work.
        cells: Which of the four cells of a pair to score.
        part_size: Rows of a part.
        workers: Threads that decode and preprocess.
        raise_bad_images: Whether a bad image ends the run instead of being recorded.
    """

    def __init__(
        self,
        source: PairSource,
        runs: Sequence[ModelRun],
        *,
        cells: Sequence[str],
        part_size: int,
        workers: int,
        raise_bad_images: bool,
    ) -> None:
        self.source = source
        self.runs = list(runs)
        self.n_scored = 0
        self._cells = tuple(cells)
        self._prompts = tuple(dict.fromkeys(_PROMPT_OF[cell] for cell in cells))
        self._part_size = part_size
        self._workers = workers
        self._raise_bad_images = raise_bad_images
        self._models: list[RewardModel] = [run.model for run in self.runs]
        self._capacity = max(2, *(run.batch_size for run in self.runs))

    @property
    def columns(self) -> list[str]:
        """The columns that scoring adds to those of the pairs."""
        names = [score_column(m.name, c) for m in self._models for c in (*CELLS, *CUTS)]
        return [*names, ERROR, GROUP]

    @property
    def schema(self) -> pa.Schema:
        """The columns of a part: those of the pairs without the images, then `columns`."""
        import pyarrow as pa

        special = {ERROR: pa.string(), GROUP: pa.int32()}
        added = [
            (name, special.get(name) or (pa.bool_() if name.endswith(CUTS) else pa.float64()))
            for name in self.columns
        ]
        return pa.schema([*self.source.schema, *added])

    def tables(self, run: RunDirectory, *, advance: Callable[[int], object]) -> Iterator[pa.Table]:
        """Each part in order: the stored ones, and the others after storing them.

        Args:
            run: Where finished parts are, and go.
            advance: Told the number of rows done, group by group.
        """
        with ExitStack() as stack:
            pool = ThreadPoolExecutor(self._workers, thread_name_prefix="prepare")
            stack.callback(pool.shutdown, cancel_futures=True)
            work = stack.enter_context(closing(ahead(self._work(run, pool), depth=_GROUPS_AHEAD)))
            rows: list[_ScoredRow] = []
            for item in work:
                if isinstance(item, _Stored):
                    self._meet_again(item.table)
                    advance(item.table.num_rows)
                    yield item.table
                    continue
                rows += self._score_group(item, pool)
                advance(len(item.group.rows))
                if item.group.last:
                    table = self._table(rows)
                    run.write_part(item.group.part, table)
                    self.n_scored += len(rows)
                    rows = []
                    yield table

    def _work(self, run: RunDirectory, pool: ThreadPoolExecutor) -> Iterator[_Work | _Stored]:
        """Read ahead: what is stored, and what is to be scored with its images under way."""
        for part in count():
            start, stop = part * self._part_size, (part + 1) * self._part_size
            stored = run.part(part)
            if stored is not None and self.source.holds(stored, start, stop):
                # Parquet renames the items of lists; the final file must not tell who wrote a part.
                yield _Stored(table=stored.cast(self.schema))
                continue
            rows = self.source.read(start, stop)
            seen: set[str] = set()
            group = None
            for group in row_groups(rows, part=part, capacity=self._capacity):
                new = {k: image for k, image in group.images().items() if k not in seen}
                seen |= new.keys()
                images = {key: self._prepare(image, pool) for key, image in new.items()}
                yield _Work(group=group, images=images)
            if group is None:
                return

    def _prepare(self, image: Mapping[str, Any], pool: ThreadPoolExecutor) -> Future[list[Any]]:
        return pool.submit(prepare, image, self._models)

    def _score_group(self, work: _Work, pool: ThreadPoolExecutor) -> list[_ScoredRow]:
        group = work.group
        if group.number == 0:
            for run in self.runs:
                run.start_part()
        images = group.images()
        lacking = dict.fromkeys(key for run in self.runs for key in run.lacks(images))
        futures = {k: work.images.get(k) or self._prepare(images[k], pool) for k in lacking}
        prepared = {key: future.result() for key, future in futures.items()}
        scored = [_ScoredRow(row, group.number) for row in group.rows]
        for i, run in enumerate(self.runs):
            self._score_with(run, scored, {key: each[i] for key, each in prepared.items()})
        if self._raise_bad_images:
            for row in scored:
                row.raise_error()
        return scored

    def _score_with(
        self, run: ModelRun, scored: Sequence[_ScoredRow], prepared: Mapping[str, Any]
    ) -> None:
        self._meet(run, [row.pair.values for row in scored])
        planned = [list(self._planned(run.model, row.pair)) for row in scored]
        found = run.scores(
            ((cell.key, term.prompt) for cells in planned for cell in cells for term in cell.terms),
            prepared,
        )
        for row, cells in zip(scored, planned, strict=True):
            for cell in cells:
                values = [found[cell.key, term.prompt] for term in cell.terms]
                row.add(run.model.name, cell, values)
            for prompt in self._prompts:
                text = row.pair.values[prompt]
                cut = None if text is None else run.is_cut(text)
                row.values[score_column(run.model.name, _CUT_OF[prompt])] = cut

    def _planned(self, model: RewardModel, pair: PairRow) -> Iterator[_Cell]:
        images = {IMAGE_ORIGINAL: pair.original, IMAGE_DISTORTED: pair.distorted}
        for name in self._cells:
            prompt, image = pair.values[_PROMPT_OF[name]], images[_IMAGE_OF[name]]
            if prompt is not None and image.struct is not None:
                terms = model.terms(prompt, pair.values[PROMPT_ORIGINAL])
                yield _Cell(name=name, key=image.key, terms=terms)

    def _meet(self, run: ModelRun, rows: Sequence[Mapping[str, Any]]) -> None:
        """Let a model plan the batches of the prompts of a group."""
        met: list[str] = []
        for row in rows:
            for prompt in (row[name] for name in self._prompts if row[name] is not None):
                terms = run.model.terms(prompt, row[PROMPT_ORIGINAL])
                met += [prompt, *(term.prompt for term in terms)]
        run.meet(met)

    def _meet_again(self, stored: pa.Table) -> None:
        """Plan the batches of a stored part's prompts, as when it was scored."""
        columns = [GROUP, PROMPT_ORIGINAL, PROMPT_DISTORTED]
        rows = stored.select(columns).to_pylist()
        for _, group in groupby(rows, key=itemgetter(GROUP)):
            members = list(group)
            for run in self.runs:
                self._meet(run, members)

    def _table(self, rows: Sequence[_ScoredRow]) -> pa.Table:
        import pyarrow as pa

        return pa.Table.from_pylist([row.finished() for row in rows], schema=self.schema)


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """One of the four scores of a pair: the image and the weighted prompts it is made of."""

    name: str
    key: str
    terms: tuple[Term, ...]


class _ScoredRow:
    """A row on its way into the table; what is not scored stays null."""

    def __init__(self, pair: PairRow, group: int) -> None:
        self.pair = pair
        self.values: dict[str, Any] = {**pair.values, GROUP: group}
        self._reasons: dict[str, dict[str, None]] = {}
        if pair.values[PROMPT_DISTORTED] is None:
            self._reasons[PROMPT_DISTORTED] = {"there is none": None}
        if pair.distorted.struct is None:
            self._reasons[IMAGE_DISTORTED] = {"there is none": None}

    def add(self, reward: str, cell: _Cell, values: Sequence[float | BadImage]) -> None:
        """Set a cell to the weighted sum of `values`, or note why there is none."""
        numbers = [value for value in values if not isinstance(value, BadImage)]
        for bad in (value for value in values if isinstance(value, BadImage)):
            self._reasons.setdefault(_IMAGE_OF[cell.name], {})[bad.reason] = None
        if len(numbers) < len(values):
            return
        for number in numbers:
            if not math.isfinite(number):
                msg = (
                    f"reward model {reward!r} gave {number} for {cell.name} of pair "
                    f"{self.pair.values[PAIR_ID]!r}. Scores must be finite; try dtype float32."
                )
                raise BackendError(msg)
        self.values[score_column(reward, cell.name)] = weighted_sum(cell.terms, numbers)

    def error(self) -> str | None:
        """Every column that could not be used, and why."""
        faults = [f"{column}: {', '.join(why)}" for column, why in sorted(self._reasons.items())]
        return "; ".join(faults) or None

    def raise_error(self) -> None:
        """Raise the error that would otherwise be recorded."""
        if error := self.error():
            msg = (
                f"pair {self.pair.values[PAIR_ID]!r}: {error.rstrip('.')}. "
                "Mend the pair, or record it and go on: on_error='record' (--on-error record)."
            )
            raise InputError(msg)

    def finished(self) -> dict[str, Any]:
        """The row of the table."""
        return {**self.values, ERROR: self.error()}
