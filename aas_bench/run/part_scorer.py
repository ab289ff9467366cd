"""Parts of a scoring run, scored: from rows that are read to the table of a part.

Top to bottom: read part by part in groups of rows, prepare images in threads beside it, plan which
prompts share a batch, encode and combine what is not known yet, put the row of the table together.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import count, islice
from typing import TYPE_CHECKING, Any, Final

from aas_bench.checks.probes import Finding, ScoredCell, quick_check, refuse_unsound
from aas_bench.errors import BackendError, InputError, StoreError
from aas_bench.rewards.base import RewardModel, Term, weighted_sum
from aas_bench.run.directory import RunDirectory
from aas_bench.run.groups import (
    KEY_DISTORTED,
    KEY_ORIGINAL,
    PairRow,
    RowGroup,
    UndecodedPairs,
    prefetch,
    row_groups,
)
from aas_bench.run.model import BadImage, ModelRun, call, prepare
from aas_bench.tables.schema import (
    CELLS,
    CUT_OF,
    CUTS,
    IMAGE_DISTORTED,
    IMAGE_OF,
    IMAGE_ORIGINAL,
    PAIR_ID,
    PLACEBO_CELLS,
    PROMPT_DISTORTED,
    PROMPT_OF,
    PROMPT_ORIGINAL,
    placebo_column,
    score_column,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from aas_bench.placebos import Beside
    from aas_bench.run.growth import Asked, KnownScores

ERROR: Final = "error"
HIDDEN: Final = (KEY_ORIGINAL, KEY_DISTORTED)
"""Columns of a stored part that the finished table lacks."""
NOTHING_ODD: Final[Mapping[str, Sequence[str]]] = {"equal_images": (), "uniform_image": ()}
_GROUPS_AHEAD: Final = 1
_ASKED: Final = (PROMPT_ORIGINAL, PROMPT_DISTORTED)


_log = logging.getLogger(__name__)


def part_scorer(
    models: Sequence[RewardModel],
    *,
    pairs: Beside,
    batch_size: int | None,
    **options: Any,
) -> PartScorer:
    """What scores parts of pairs with these models, in this process or in a worker.

    Args:
        models: The reward models; none where only rows are to be read.
        pairs: The pairs and their placebos.
        batch_size: Items of one call to a model; None: each model's own.
        options: See `PartScorer`.
    """
    runs = [
        ModelRun(
            m,
            batch_size=positive("batch_size", m.batch_size if batch_size is None else batch_size),
            n_placebos=pairs.n_of.get(m.name, 0),
        )
        for m in models
    ]
    return PartScorer(UndecodedPairs(pairs.pairs, pairs.made), runs, **options)


def positive(option: str, value: Any) -> int:
    """A number of items, or an error."""
    if not isinstance(value, int):
        msg = f"{option}={value!r:.80} is no number of items. Give at least 1."
        raise InputError(msg)
    if value < 1:
        msg = f"{option}={value} is too small. Give at least 1."
        raise InputError(msg)
    return value


@dataclass(frozen=True, kw_only=True)
class _GroupAhead:
    """A group of rows and the images new to its part, on their way through the threads.

    Attributes:
        group: The rows.
        met: Rows whose prompts are planned first; see `PartScorer`.
        needs: By the key of an image, which models need it.
        images: The images that are under way.
    """

    group: RowGroup
    met: list[list[Mapping[str, Any]]]
    needs: dict[str, set[int]]
    images: dict[str, Future[list[Any]]]


@dataclass(frozen=True, kw_only=True)
class _StoredPart:
    """A part that an earlier call has finished."""

    number: int
    table: pa.Table


class PartScorer:
    """Runs the reward models over the parts of a source.

    Prompts are met so many rows of a part at once as images fit a batch. So it follows from the
    texts of the pairs alone which prompts share a batch, and a part can be scored without those
    before it (`score_part`).

    Args:
        source: The pairs.
        runs: The reward models at work.
        cells: Which of the four cells of a pair to score.
        part_size: Rows of a part.
        workers: Threads that decode and preprocess.
        raise_bad_images: Whether a bad image ends the run instead of being recorded.
        accept_prompt_blind: Whether a model that no prompt moves may go on.
        known: See there.
        checks: Those of an earlier round, which are not made again.

    Attributes:
        known: Scores that need not be made; None where there are none.
        n_scored: Rows of which a score was made.
        n_stored: Parts that were stored.
        checks: What the first scores of each model told of it.
        odd: Pairs whose images are equal, or of one colour, of those that were looked at.
    """

    def __init__(
        self,
        source: UndecodedPairs,
        runs: Sequence[ModelRun],
        *,
        cells: Sequence[str],
        part_size: int,
        workers: int,
        raise_bad_images: bool,
        accept_prompt_blind: bool,
        known: KnownScores | None = None,
        checks: Mapping[str, tuple[Finding, ...]] | None = None,
    ) -> None:
        self.source = source
        self.runs = list(runs)
        self.known = known
        self.n_scored = self.n_stored = 0
        self.checks = dict(checks or {})
        self._checked_in: dict[str, int] = {}
        self.odd: dict[str, list[str]] = {what: [] for what in NOTHING_ODD}
        self._flat: set[str] = set()
        self._accept_prompt_blind = accept_prompt_blind
        self._cells = tuple(cells)
        self._prompts = tuple(dict.fromkeys(PROMPT_OF[cell] for cell in cells))
        self._placebos = {
            column: PLACEBO_CELLS[kind]
            for kind in PLACEBO_CELLS
            if (column := placebo_column(kind)) in source.schema.names
        }
        self._part_size = part_size
        self._workers = workers
        self._raise_bad_images = raise_bad_images
        self._models: list[RewardModel] = [run.model for run in self.runs]
        self._capacity = max([2, *(run.batch_size for run in self.runs)])

    @property
    def columns(self) -> list[str]:
        """The columns that scoring adds to those of the pairs."""
        cells = [*CELLS, *CUTS, *(c for both in self._placebos.values() for c in both)]
        names = [score_column(m.name, c) for m in self._models for c in cells]
        return [*names, ERROR, *HIDDEN]

    @property
    def schema(self) -> pa.Schema:
        """The columns of a part: those of the pairs without the images, then `columns`."""
        import pyarrow as pa

        kinds = {**dict.fromkeys(CUTS, pa.bool_()), ERROR: pa.string()}
        kinds |= dict.fromkeys((KEY_ORIGINAL, KEY_DISTORTED), pa.string())
        lists = tuple(cell for both in self._placebos.values() for cell in both)
        kinds |= dict.fromkeys(lists, pa.list_(pa.float64()))
        of = {
            name: kind for end, kind in kinds.items() for name in self.columns if name.endswith(end)
        }
        return pa.schema(
            [*self.source.schema, *((n, of.get(n, pa.float64())) for n in self.columns)]
        )

    def tables(self, run: RunDirectory, *, advance: Callable[[int], object]) -> Iterator[pa.Table]:
        """Each part: the stored ones, and the others after storing them.

        Args:
            run: Where finished parts are, and go.
            advance: Told the number of rows done, group by group.
        """
        with ExitStack() as stack:
            pool = ThreadPoolExecutor(self._workers, thread_name_prefix="prepare")
            stack.callback(pool.shutdown, cancel_futures=True)
            work = stack.enter_context(
                closing(prefetch(self._ahead(run, pool), depth=_GROUPS_AHEAD))
            )
            rows: list[_ScoredRow] = []
            for item in work:
                if isinstance(item, _StoredPart):
                    columns = [*_ASKED, *self._placebos]
                    self._plan_rows(item.number, item.table.select(columns).to_pylist())
                    advance(item.table.num_rows)
                    yield item.table
                    continue
                rows += self._score_group(item, pool)
                advance(len(item.group.rows))
                if item.group.last:
                    table = self._table(rows)
                    run.write_part(item.group.part, table)
                    self.n_stored += 1
                    rows = []
                    yield table

    def _ahead(
        self, run: RunDirectory, pool: ThreadPoolExecutor
    ) -> Iterator[_GroupAhead | _StoredPart]:
        """Read ahead: what is stored, and what is to be scored with its images under way."""
        for part in count():
            stored = self.stored(run, part)
            if stored is not None:
                yield _StoredPart(number=part, table=stored)
                continue
            group = None
            for group in self._groups(part, self.source.read(*self._span(part)), pool):
                yield group
            if group is None:
                return

    def _groups(
        self, part: int, rows: Iterable[PairRow], pool: ThreadPoolExecutor
    ) -> Iterator[_GroupAhead]:
        """The groups of a part that is to be scored, their images under way."""
        met: list[list[Mapping[str, Any]]] = []
        seen: set[str] = set()
        told = self._meet(rows, met)
        for group in row_groups(told, part=part, capacity=self._capacity, needed=self._keys_needed):
            needs = self._needs(group.rows)
            images = {
                key: self._prepare(image, pool, needs[key])
                for key, image in group.images().items()
                if key in needs.keys() - seen
            }
            seen |= needs.keys()
            yield _GroupAhead(group=group, met=met.copy(), needs=needs, images=images)
            met.clear()

    def _meet(
        self, rows: Iterable[PairRow], met: list[list[Mapping[str, Any]]]
    ) -> Iterator[PairRow]:
        """The same rows; those whose prompts are met together are noted before they come."""
        left = iter(rows)
        while some := list(islice(left, self._capacity)):
            met.append([row.values for row in some])
            yield from some

    @property
    def n_parts(self) -> int | None:
        """How many parts there are; None of a stream."""
        total = self.source.total
        return None if total is None else -(-total // self._part_size)

    def _span(self, part: int) -> tuple[int, int]:
        return part * self._part_size, (part + 1) * self._part_size

    def rows_of(self, part: int) -> list[PairRow]:
        """The rows of a part."""
        return list(self.source.read(*self._span(part)))

    def stored(self, run: RunDirectory, part: int) -> pa.Table | None:
        """A part that is finished; None where it is to be scored."""
        table = run.part(part)
        if table is None or not self.source.holds(table, *self._span(part)):
            return None
        # Parquet renames the items of lists; the final file must not tell who wrote a part.
        return table.cast(self.schema)

    def finished(self, run: RunDirectory, n_pairs: int) -> Iterator[pa.Table]:
        """The parts of so many pairs in order, all of them stored.

        Raises:
            StoreError: One was damaged since.
        """
        for part in range(-(-n_pairs // self._part_size)):
            if (table := run.part(part)) is None:
                msg = f"{run.path}: part {part} was damaged or removed. Repeat the command."
                raise StoreError(msg)
            yield table.cast(self.schema)

    def told(self) -> dict[str, Any]:
        """What was met since it was last told: for whoever has others score parts, see `take`."""
        found = {
            "checks": {name: (part, self.checks[name]) for name, part in self._checked_in.items()},
            "odd": {what: list(names) for what, names in self.odd.items()},
            "models": [(run.batch_size, dict(run.n_done)) for run in self.runs],
            "n_scored": self.n_scored,
        }
        self.n_scored = 0
        for names in self.odd.values():
            names.clear()
        for run in self.runs:
            run.n_done.clear()
        return found

    def take(self, told: Mapping[str, Any]) -> None:
        """Take what a worker told of a part."""
        self.n_stored += 1
        self.n_scored += told["n_scored"]
        for name, (part, found) in told["checks"].items():
            if self._is_unchecked(name, part):
                self._note_check(name, part, found)
        for what, names in told["odd"].items():
            self.odd[what] += (name for name in names if name not in self.odd[what])
        for run, (batch_size, n_done) in zip(self.runs, told["models"], strict=True):
            run.batch_size = min(run.batch_size, batch_size)
            run.n_done.update(n_done)

    def score_part(
        self, part: int, rows: Sequence[PairRow], *, advance: Callable[[int], object]
    ) -> pa.Table:
        """The table of one part, as a run over all parts would store it.

        Args:
            part: Its number.
            rows: Its rows.
            advance: Told the number of rows done, group by group.
        """
        self._meet_until(part)
        scored: list[_ScoredRow] = []
        with ExitStack() as stack:
            pool = ThreadPoolExecutor(self._workers, thread_name_prefix="prepare")
            stack.callback(pool.shutdown, cancel_futures=True)
            groups = prefetch(self._groups(part, rows, pool), depth=_GROUPS_AHEAD)
            for group in stack.enter_context(closing(groups)):
                scored += self._score_group(group, pool)
                advance(len(group.group.rows))
        return self._table(scored)

    def _meet_until(self, part: int) -> None:
        """Plan the prompts of the parts before, of which another scores the images."""
        for run in self.runs:
            run.recall(part)
        for earlier in range(min((run.n_met for run in self.runs), default=part), part):
            self._plan_rows(earlier, self.source.texts(*self._span(earlier)))

    def _keys_needed(self, pair: PairRow) -> Collection[str]:
        return pair.image_keys() if self.known is None else self._needs([pair]).keys()

    def _needs(self, pairs: Iterable[PairRow]) -> dict[str, set[int]]:
        """The images of pairs that are to be encoded, and by which models."""
        if self.known is None:
            each = {*range(len(self.runs))}
            return {key: each for pair in pairs for key in pair.image_keys()}
        needs: dict[str, set[int]] = {}
        for pair in pairs:
            for i, run in enumerate(self.runs):
                for cell in self._lacking(run, pair):
                    needs.setdefault(cell.key, set()).add(i)
        return needs

    def _prepare(
        self, image: Mapping[str, Any], pool: ThreadPoolExecutor, needed: Collection[int]
    ) -> Future[list[Any]]:
        models = [model if i in needed else None for i, model in enumerate(self._models)]
        return pool.submit(prepare, image, models)

    def _score_group(self, work: _GroupAhead, pool: ThreadPoolExecutor) -> list[_ScoredRow]:
        group = work.group
        if group.number == 0:
            for run in self.runs:
                run.start_part(group.part)
        for some in work.met:
            for run in self.runs:
                self._plan_prompts(run, some)
        images = {key: image for key, image in group.images().items() if key in work.needs}
        lacking = {
            key: None
            for i, run in enumerate(self.runs)
            for key in run.uncached(key for key in images if i in work.needs[key])
        }
        futures = {
            k: work.images.get(k) or self._prepare(images[k], pool, work.needs[k]) for k in lacking
        }
        prepared = {key: future.result() for key, future in futures.items()}
        scored = [_ScoredRow(row) for row in group.rows]
        made: set[int] = set()
        for i, run in enumerate(self.runs):
            new = self._score_with(run, scored, {key: each[i] for key, each in prepared.items()})
            if new and self._is_unchecked(run.model.name, group.part):
                self._check(run, scored, group.part)
            made |= new
        self.n_scored += len(made)
        if self._raise_bad_images:
            for row in scored:
                row.raise_error()
        self._note_images([row for row in scored if self._looked_at(row, work)], prepared)
        return scored

    def _looked_at(self, row: _ScoredRow, work: _GroupAhead) -> bool:
        return self.known is None or not work.needs.keys().isdisjoint(row.pair.image_keys())

    def _note_images(self, scored: Sequence[_ScoredRow], prepared: Mapping[str, Any]) -> None:
        """Note the pairs whose images are one image, or show nothing."""
        self._flat |= {key for key, each in prepared.items() if each[-1]}
        for pair in (row.pair for row in scored):
            keys = pair.original.key, pair.distorted.key
            if keys[0] == keys[1] and pair.original.struct is not None:
                self._note("equal_images", pair)
            if self._flat.intersection(keys):
                self._note("uniform_image", pair)

    def _note(self, what: str, pair: PairRow) -> None:
        name = pair.values[PAIR_ID]
        if name not in self.odd[what]:
            self.odd[what].append(name)

    def _score_with(
        self, run: ModelRun, scored: Sequence[_ScoredRow], prepared: Mapping[str, Any]
    ) -> set[int]:
        """Fill in the scores of one model; which rows took some that were not known."""
        planned = [list(self._lacking(run, row.pair)) for row in scored]
        terms = [[run.model.terms(c.prompt, c.original) for c in cells] for cells in planned]
        found = run.scores(
            (
                (cell.key, term.prompt)
                for cells, sums in zip(planned, terms, strict=True)
                for cell, each in zip(cells, sums, strict=True)
                for term in each
            ),
            prepared,
        )
        name = run.model.name
        for row, cells, sums in zip(scored, planned, terms, strict=True):
            for cell, each in zip(cells, sums, strict=True):
                row.add(name, cell, each, [found[cell.key, term.prompt] for term in each])
            if self.known is not None:
                for cell in self._planned(run, row.pair):
                    if (value := self.known.score(name, cell.asked)) is not None:
                        row.set(name, cell, value)
            for prompt in self._prompts:
                text = row.pair.values[prompt]
                row.values[score_column(name, CUT_OF[prompt])] = (
                    None if text is None else self._is_cut(run, text)
                )
        return {number for number, cells in enumerate(planned) if cells}

    def _is_cut(self, run: ModelRun, prompt: str) -> bool:
        known = None if self.known is None else self.known.cut(run.model.name, prompt)
        return run.is_cut(prompt) if known is None else known

    def _is_unchecked(self, name: str, part: int) -> bool:
        """Workers meet parts in any order; the check of the first counts, as in one process."""
        return name not in self.checks or part < self._checked_in.get(name, -1)

    def _note_check(self, name: str, part: int, found: tuple[Finding, ...]) -> None:
        if name not in self.checks:
            _warn_of(name, found)
        self.checks[name], self._checked_in[name] = found, part

    def _check(self, run: ModelRun, scored: Sequence[_ScoredRow], part: int) -> None:
        """Look at the first scores before more are made, and say what is wrong with them."""
        name = run.model.name
        cells = [cell for row in scored for cell in self._given(name, row)]
        if not cells:
            return
        found = quick_check(run.model, cells, at_once=run.batch_size)
        if not self._accept_prompt_blind:
            refuse_unsound(name, found)
        self._note_check(name, part, found)

    def _given(self, name: str, row: _ScoredRow) -> Iterator[ScoredCell]:
        values, pair = row.values, row.pair
        images = {IMAGE_ORIGINAL: pair.original, IMAGE_DISTORTED: pair.distorted}
        for cell in self._cells:
            score, image = values.get(score_column(name, cell)), images[IMAGE_OF[cell]]
            if score is not None and image.struct is not None:
                yield ScoredCell(
                    key=image.key,
                    image=image.struct,
                    prompt=values[PROMPT_OF[cell]],
                    original=values[PROMPT_ORIGINAL],
                    score=score,
                )

    def _lacking(self, run: ModelRun, pair: PairRow) -> Iterator[_Cell]:
        """The scores of a pair that are to be made."""
        for cell in self._planned(run, pair):
            if self.known is None or self.known.score(run.model.name, cell.asked) is None:
                yield cell

    def _planned(self, run: ModelRun, pair: PairRow) -> Iterator[_Cell]:
        """The scores of a pair."""
        images = {IMAGE_ORIGINAL: pair.original, IMAGE_DISTORTED: pair.distorted}
        original = pair.values[PROMPT_ORIGINAL]
        for name in self._cells:
            prompt, of = pair.values[PROMPT_OF[name]], IMAGE_OF[name]
            if prompt is not None and images[of].struct is not None:
                yield _Cell(name=name, image=of, asked=(images[of].key, prompt, original))
        for column, names in self._placebos.items():
            for at, prompt in enumerate((pair.values[column] or ())[: run.n_placebos]):
                for name, (of, image) in zip(names, images.items(), strict=True):
                    if image.struct is not None:
                        asked = (image.key, prompt, original)
                        yield _Cell(name=name, image=of, asked=asked, at=at)

    def _plan_prompts(self, run: ModelRun, rows: Sequence[Mapping[str, Any]]) -> None:
        """Let a model plan the batches of the prompts of rows that are met together.

        Those that it has read in an earlier round share batches of their own: of them few are
        read again, for images that are new.
        """
        new: list[str] = []
        read: list[str] = []
        for row in rows:
            prompts = [row[name] for name in self._prompts if row[name] is not None]
            for column in self._placebos:
                prompts += (row[column] or ())[: run.n_placebos]
            for prompt in prompts:
                terms = call(run.model, "terms", prompt, row[PROMPT_ORIGINAL])
                is_read = self.known is not None and self.known.has_read(run.model.name, prompt)
                (read if is_read else new).extend([prompt, *(term.prompt for term in terms)])
        run.plan_prompts(new)
        run.plan_prompts(read)

    def _plan_rows(self, part: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Plan the prompts of a part that is stored, or scored elsewhere, as when it is scored."""
        new = [run for run in self.runs if part >= run.n_met]
        for run in new:
            run.start_part(part)
        for start in range(0, len(rows), self._capacity):
            for run in new:
                self._plan_prompts(run, rows[start : start + self._capacity])

    def _table(self, rows: Sequence[_ScoredRow]) -> pa.Table:
        import pyarrow as pa

        return pa.Table.from_pylist([row.finished() for row in rows], schema=self.schema)


def _warn_of(name: str, found: Iterable[Finding]) -> None:
    for finding in found:
        if finding.outcome == "fail":
            _log.warning("reward model %r: %s.", name, finding.text)


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """One score of a pair.

    Attributes:
        name: One of the four cells, or the cell of a kind of placebo.
        image: The column of the image.
        asked: What it is known by: which image it is, the prompt, the original one of the pair.
        at: Which placebo; None: none of them.
    """

    name: str
    image: str
    asked: Asked
    at: int | None = None

    @property
    def key(self) -> str:
        """Which image it is."""
        return self.asked[0]

    @property
    def prompt(self) -> str:
        """What the image is scored under."""
        return self.asked[1]

    @property
    def original(self) -> str | None:
        """The original prompt of the pair."""
        return self.asked[2]


class _ScoredRow:
    """A row on its way into the table; what is not scored stays null."""

    def __init__(self, pair: PairRow) -> None:
        self.pair = pair
        self.values: dict[str, Any] = {
            **pair.values,
            KEY_ORIGINAL: pair.original.key,
            KEY_DISTORTED: pair.distorted.key,
        }
        self._reasons: dict[str, dict[str, None]] = {}
        if pair.values[PROMPT_DISTORTED] is None:
            self._reasons[PROMPT_DISTORTED] = {"there is none": None}
        if pair.distorted.struct is None:
            self._reasons[IMAGE_DISTORTED] = {"there is none": None}

    def add(
        self,
        reward: str,
        cell: _Cell,
        terms: Sequence[Term],
        values: Sequence[float | BadImage],
    ) -> None:
        """Set a cell to the weighted sum of `values`, or note why there is none."""
        numbers = [value for value in values if not isinstance(value, BadImage)]
        for bad in (value for value in values if isinstance(value, BadImage)):
            self._reasons.setdefault(cell.image, {})[bad.reason] = None
        if len(numbers) < len(values):
            return
        for number in numbers:
            if not math.isfinite(number):
                msg = (
                    f"reward model {reward!r} gave {number} for {cell.name} of pair "
                    f"{self.pair.values[PAIR_ID]!r}. Scores must be finite; try dtype float32."
                )
                raise BackendError(msg)
        self.set(reward, cell, weighted_sum(tuple(terms), numbers))

    def set(self, reward: str, cell: _Cell, value: float) -> None:
        """Set a cell."""
        column = score_column(reward, cell.name)
        if cell.at is None:
            self.values[column] = value
        else:
            self.values.setdefault(column, {})[cell.at] = value

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
        """The row of the table; scores under placebos as a list in their order."""
        values = {
            name: [value.get(at) for at in range(max(value) + 1)]
            if isinstance(value, dict) and name not in self.pair.values
            else value
            for name, value in self.values.items()
        }
        return {**values, ERROR: self.error()}
