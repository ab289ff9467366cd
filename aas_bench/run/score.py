"""Score pairs with reward models: the four scores of each pair, stored as they come.

One path serves every model, from top to bottom of this file: open the pairs and the models, read
part by part in groups of rows, encode each image and each prompt once, combine them for the cells
of the pairs, store the part. Decoding and preprocessing run in threads beside it.
"""

from __future__ import annotations

import json
import logging
import math
import os
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from aas_bench.checks.probes import Finding, ScoredCell, quick_check, refuse_unsound
from aas_bench.errors import BackendError, InputError
from aas_bench.files import bars_hidden, json_bytes, json_value
from aas_bench.placebos import NEEDED, Choice, choose_placebos
from aas_bench.rewards.base import RewardModel, Term, weighted_sum
from aas_bench.rewards.catalog import RewardSpec, load_reward
from aas_bench.run.directory import RunDirectory, open_run, parquet_bytes, rounds_of
from aas_bench.run.groups import (
    KEY_DISTORTED,
    KEY_ORIGINAL,
    PairRow,
    RowGroup,
    UndecodedPairs,
    prefetch,
    row_groups,
)
from aas_bench.run.model import BadImage, ModelRun, call, described, prepare
from aas_bench.run.progress import progress_bar, say
from aas_bench.run.provenance import provenance, versions
from aas_bench.tables.open import Source, hub_home, without_revision
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
    PLACEBO_CELLS,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    placebo_column,
    score_column,
)
from aas_bench.tables.scores import ScoreTable

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, IterableDataset

    from aas_bench.run.directory import Round
    from aas_bench.run.growth import Asked, KnownScores
    from aas_bench.run.pool import Engine

T = TypeVar("T")
Prompts: TypeAlias = Literal["both", "distorted"]
OnError: TypeAlias = Literal["record", "raise"]

SCORES: Final = "scores.parquet"
RUN: Final = "run.json"
PART_SIZE: Final = 256
_MOST_WORKERS: Final = 8
_LONGEST_NAME: Final = 200
_RAISES: Final = {"record": False, "raise": True}
ERROR: Final = "error"
_KIND: Final = "scores"
_LAYOUT: Final = 3
_HIDDEN: Final = (KEY_ORIGINAL, KEY_DISTORTED)
"""Columns of a stored part that the finished table lacks."""
CELLS_OF: Final[dict[str, tuple[str, ...]]] = {"both": CELLS, "distorted": (OIDP, DIDP)}

_NOTHING_ODD: Final[Mapping[str, Sequence[str]]] = {"equal_images": (), "uniform_image": ()}
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
_ASKED: Final = (PROMPT_ORIGINAL, PROMPT_DISTORTED)
_CUT_OF: Final = {PROMPT_ORIGINAL: CUT_ORIGINAL, PROMPT_DISTORTED: CUT_DISTORTED}

_log = logging.getLogger(__name__)


def score(
    pairs: Source,
    reward_models: RewardSpec | Sequence[RewardSpec],
    *,
    prompts: Prompts = "both",
    placebos: Choice | None = None,
    n_placebos: int | None = None,
    out: str | os.PathLike[str] | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    part_size: int = PART_SIZE,
    on_error: OnError = "record",
    progress: bool = True,
    device: str | None = None,
    dtype: str | None = None,
    accept_prompt_blind: bool = False,
    known: Sequence[str | os.PathLike[str]] = (),
    engine: Engine | None = None,
) -> ScoreTable:
    """Score each pair of images under each of its prompts, with every reward model.

    Each distinct image is encoded once a part and each distinct prompt once a run, by each model;
    the images are decoded once for all models. Placebo requests (`with_placebos`) are scored
    beside the pair's own prompts, from the same features: a dual encoder pays for each new prompt,
    a plain function half of what it takes for the four scores for each placebo. A pair without an
    original prompt has no `oiop` and no `diop`. An image that cannot be read or prepared leaves its
    scores missing; the column `error` says why.

    A run directory grows: with more pairs, more reward models or other placebos, only what it
    lacks is scored, and its table becomes the one that a single call would have made, up to the
    last bits of reward models whose scores hang on what else is in a batch.

    Args:
        pairs: The pair table, streaming or not, or whatever `load_pairs` takes.
        reward_models: One or several of what `load_reward` takes.
        prompts: "both" scores all four cells, "distorted" only `oidp` and `didp`.
        placebos: "none", "matched", "foreign" or "both"; None: matched ones where both prompts
            are scored, for those pairs that can have them, with a warning for others. Those that
            the pairs bring are taken as they are.
        n_placebos: How many of a kind for each pair, 1 to 64; None: as many as each reward model
            bears (`RewardModel.n_placebos`), fewer where few pairs share a caption.
        out: Run directory, which the same call continues after an interruption, and a call for
            more grows; None keeps nothing but the table.
        batch_size: Images, prompts or cells of one call to a model; None: each model's own.
        workers: Threads that decode and preprocess; None: one per processor, at most 8.
        part_size: Pairs that are stored at once: what a kill can cost.
        on_error: "record" goes on after a bad image, "raise" stops at the first.
        progress: Show rate and remaining time, where stderr is a terminal.
        device: Where models that are given by name run; see `load_reward`.
        dtype: Their number format; see `load_reward`.
        accept_prompt_blind: Go on with a model to which all prompts are one, or whose tokenizer
            does not know their words, and that does not say so itself (`reads_prompts = False`).
        known: Other run directories; what they hold of equal reward models, images and prompts is
            taken from there.
        engine: Workers that load the models and score parts, `Devices("0,1")` or `RayCluster()`;
            None: this process. The table is the same, byte for byte, where devices are of one
            kind and, on processors, compute with as many threads (`OMP_NUM_THREADS`).

    Returns:
        One row per pair, in the order of the pairs; also written to `out` as `scores.parquet`,
        beside `run.json`, which tells how it was made.

    Raises:
        InputError: Unusable pairs or options, a bad image where `on_error` is "raise", or a model
            that no prompt moves; the first scores tell (`checks/probes.py`).
        BackendError: A reward model gave a score that is not finite, or ran out of memory with a
            single item.
        StoreError: `out` is in use, or holds what is not asked for, or what has changed since: a
            reward model, an image or a prompt of the same name.

    Example:
        >>> from aas_bench import load_pairs
        >>> from datasets import Dataset
        >>> from PIL import Image
        >>> row = {"image_original": Image.new("RGB", (8, 8), "white")}
        >>> row |= {"image_distorted": Image.new("RGB", (8, 8)), "prompt_distorted": "a dark night"}
        >>> def darkness(images, prompts):
        ...     likes = [1 if "dark" in prompt else -1 for prompt in prompts]
        ...     return [(127 - i.getpixel((0, 0))[0]) * k for i, k in zip(images, likes)]
        >>> table = score(load_pairs(Dataset.from_list([row])), darkness, progress=False)
        >>> table.cells("darkness").oidp, table.cells("darkness").didp
        (array([-128.]), array([127.]))
    """
    opened = _open_pairs(pairs, shown=progress)
    with ExitStack() as stack:
        load = partial(_load_models, reward_models, dtype=dtype)
        pool = elsewhere = None
        if engine is None:
            models = load(device)
        else:
            from aas_bench.run.score_parts import ScoreJob, tables_of, told_models

            pool = stack.enter_context(engine.open(ScoreJob(load)))
            models, elsewhere = told_models(pool.facts), partial(tables_of, pool=pool)
        beside = choose_placebos(
            opened,
            placebos if placebos is not None or prompts == "both" else "none",
            n_placebos,
            {model.name: model.n_placebos for model in models},
        )
        if workers is None:
            workers = _default_workers() if pool is None else pool.threads
        make = partial(
            part_scorer,
            pairs=beside.pairs,
            n_placebos=beside.n_of,
            batch_size=batch_size,
            cells=_chosen("prompts", prompts, CELLS_OF),
            part_size=_size("part_size", part_size),
            workers=_size("workers", workers),
            raise_bad_images=_chosen("on_error", on_error, _RAISES),
            accept_prompt_blind=accept_prompt_blind,
        )
        parts = make(models)
        source = parts.source
        _check_columns(source, parts)
        told = {
            "pairs": source.fingerprint()
            | ({"source": str(pairs)} if source.total is None else {}),
            "part_size": part_size,
            "placebos": beside.n_of,
            "prompts": prompts,
            "rewards": [described(model) for model in models],
            "versions": versions(),
        }
        spec = json.loads(json_bytes(told))
        root = out if out is not None else stack.enter_context(tempfile.TemporaryDirectory())
        run = stack.enter_context(
            open_run(
                root,
                kind=_KIND,
                spec=spec,
                version=_LAYOUT,
                grow=lambda root, rounds: _check_growth(root, rounds, spec, source),
            )
        )
        others = (r for path in known for r in rounds_of(Path(path), kind=_KIND, version=_LAYOUT))
        if rounds := (*run.earlier, *others):
            from aas_bench.run.growth import KnownScores

            parts.known = KnownScores.of(rounds, spec)
        before = _told_before(run)
        parts.checks |= before.checks
        parts.odd = {what: [*names] for what, names in before.odd.items()}
        say(beside.cost(), shown=progress)
        tables = parts.tables
        if elsewhere is not None:
            make = partial(make, known=parts.known, checks=before.checks)
            tables = partial(elsewhere, parts, make=make)
        is_new = before.of_round != len(run.earlier) + 1
        return _run(parts, run, tables, source=_told(pairs, opened), is_new=is_new, shown=progress)


def part_scorer(
    models: Sequence[RewardModel],
    *,
    pairs: Dataset | IterableDataset,
    n_placebos: Mapping[str, int],
    batch_size: int | None,
    **options: Any,
) -> PartScorer:
    """What scores parts of pairs with these models, in this process or in a worker.

    Args:
        models: The reward models; none where only rows are to be read.
        pairs: The pairs, their placebos beside them.
        n_placebos: By reward model, how many of a pair's placebos of a kind it scores.
        batch_size: Items of one call to a model; None: each model's own.
        options: See `PartScorer`.
    """
    runs = [
        ModelRun(
            m,
            batch_size=_size("batch_size", m.batch_size if batch_size is None else batch_size),
            n_placebos=n_placebos.get(m.name, 0),
        )
        for m in models
    ]
    return PartScorer(UndecodedPairs(pairs), runs, **options)


def _check_growth(
    root: Path, rounds: Sequence[Round], spec: Mapping[str, Any], source: UndecodedPairs
) -> None:
    from aas_bench.run.growth import check_growth

    check_growth(root, rounds, spec, source)


def _told(pairs: Source, opened: Dataset | IterableDataset) -> dict[str, str | None]:
    """What a run says of its pairs: their name without a revision, and the commit they are of."""
    home, commit = hub_home(opened) or (type(pairs).__name__, None)
    return {
        "source": without_revision(pairs) if isinstance(pairs, str) else home,
        "revision": commit,
    }


def _run(
    parts: PartScorer,
    run: RunDirectory,
    tables_in: Callable[..., Iterator[pa.Table]],
    *,
    source: Mapping[str, str | None],
    is_new: bool,
    shown: bool,
) -> ScoreTable:
    import pyarrow as pa

    started = time.monotonic()
    with progress_bar("scoring", unit="pairs", total=parts.source.total, shown=shown) as advance:
        tables = list(tables_in(run, advance=advance))
    if not tables:
        msg = "the stream holds no pairs. Check the split, the filter or the limit."
        raise InputError(msg)
    table = pa.concat_tables(tables).drop_columns([*_HIDDEN])
    n_errors = table.num_rows - table[ERROR].null_count
    table = _without_lacking_placebos(table, parts)
    path = run.write(SCORES, parquet_bytes(table))
    tied = {r.model.name: _n_tied(table, r.model.name) for r in parts.runs}
    if parts.n_stored or is_new:
        seconds = time.monotonic() - started
        about = {
            "checks": {name: [f.to_dict() for f in each] for name, each in parts.checks.items()},
            "n_errors": n_errors,
            "n_pairs": table.num_rows,
            "n_tied": tied,
            "odd": parts.odd,
            "n_placebos": {r.model.name: r.n_placebos for r in parts.runs},
            "n_scored_by_this_command": parts.n_scored,
            "round": len(run.earlier) + 1,
            "rewards": {r.model.name: r.to_dict() for r in parts.runs},
            "seconds": round(seconds, 3),
            **source,
        }
        run.write_json(RUN, about | provenance())
    if odd := _odd(parts, tied, table.num_rows):
        _log.warning("%s; aas-bench doctor tells what that changes.", odd)
    if n_errors:
        _log.warning(
            "%d of %d pairs lack scores; the column %r says why.", n_errors, table.num_rows, ERROR
        )
    columns = dict(zip(table.column_names, table.columns, strict=True))
    names = [r.model.name for r in parts.runs]
    return ScoreTable.from_columns(columns, rewards=names, source=str(path))


@dataclass(frozen=True, kw_only=True)
class _ToldBefore:
    """What `run.json` tells of an earlier round, of which nothing is looked at again.

    Attributes:
        of_round: Which round it tells of; None where there is none.
        checks: What the scores of reward models told of them.
        odd: Pairs whose images are equal, or of one colour.
    """

    of_round: int | None = None
    checks: Mapping[str, tuple[Finding, ...]]
    odd: Mapping[str, Sequence[str]]


def _told_before(run: RunDirectory) -> _ToldBefore:
    try:
        about = json_value((run.path / RUN).read_bytes())
    except (OSError, ValueError):
        about = {}
    about = about if isinstance(about, dict) else {}
    of_round = about.get("round")
    if of_round is None or of_round > len(run.earlier):  # of this round: it looks for itself
        return _ToldBefore(of_round=of_round, checks={}, odd=_NOTHING_ODD)
    checks = {name: tuple(Finding(**f) for f in each) for name, each in about["checks"].items()}
    return _ToldBefore(of_round=of_round, checks=checks, odd=about["odd"])


def _n_tied(table: pa.Table, reward: str) -> int:
    """Pairs whose two images score exactly the same under the distorted prompt."""
    import pyarrow.compute as pc

    oidp, didp = (table[score_column(reward, cell)] for cell in (OIDP, DIDP))
    return pc.sum(pc.equal(oidp, didp)).as_py() or 0


def _odd(parts: PartScorer, tied: Mapping[str, int], n_pairs: int) -> str:
    """What a run met that nobody should pass over, in one clause; "" where there is nothing."""
    equal, flat = parts.odd["equal_images"], parts.odd["uniform_image"]
    told = [f"{name} ties {n} of {n_pairs} pairs" for name, n in tied.items() if n]
    told += [f"{len(equal)} pairs of equal images (first {equal[0]})"] if equal else []
    told += [f"{len(flat)} pairs with an image of one colour (first {flat[0]})"] if flat else []
    return "; ".join(told)


def _without_lacking_placebos(table: pa.Table, parts: PartScorer) -> pa.Table:
    """The table without the kinds of placebo that no pair has; says how many pairs lack them."""
    import pyarrow.compute as pc

    for kind, cells in PLACEBO_CELLS.items():
        if (column := placebo_column(kind)) not in table.column_names:
            continue
        n = pc.sum(pc.equal(pc.fill_null(pc.list_value_length(table[column]), 0), 0)).as_py()
        if n:
            _log.warning(
                "%d of %d pairs have no %s placebos, for which %s; there the original prompt is "
                "the only one.",
                *(n, table.num_rows, kind, NEEDED[kind]),
            )
        if n == table.num_rows:
            names = [score_column(r.model.name, cell) for r in parts.runs for cell in cells]
            table = table.drop_columns([column, *names])
    return table


def _open_pairs(pairs: Any, *, shown: bool) -> Dataset | IterableDataset:
    from datasets import Dataset, IterableDataset

    if isinstance(pairs, (Dataset, IterableDataset)):
        return pairs
    from aas_bench.tables.pairs import load_pairs

    with bars_hidden(hidden=not shown):
        return load_pairs(pairs)


def _load_models(
    specs: RewardSpec | Sequence[RewardSpec], device: str | None, dtype: str | None
) -> list[RewardModel]:
    each: list[Any] = list(specs) if isinstance(specs, (list, tuple)) else [specs]
    models = [load_reward(spec, device=device, dtype=dtype) for spec in each]
    if not models:
        msg = "no reward model is given. Name at least one, e.g. 'polish'."
        raise InputError(msg)
    names: list[Any] = [getattr(model, "name", None) for model in models]
    for name in names:
        usable = isinstance(name, str) and name and name.isprintable()
        if not usable or len(name) > _LONGEST_NAME:
            msg = f"{name!r:.100} cannot name a reward model. Use 1 to {_LONGEST_NAME} characters."
            raise InputError(msg)
        if names.count(name) > 1:
            msg = (
                f"two reward models are called {name!r}. Label one: other=SPEC, or "
                "load_reward(SPEC, name=...)."
            )
            raise InputError(msg)
    return models


def _check_columns(source: UndecodedPairs, parts: PartScorer) -> None:
    taken = [name for name in parts.columns if name in source.schema.names]
    if taken:
        msg = (
            f"the pairs already hold the column {taken[0]!r}. Remove it from them, or load the "
            "reward model under another name: load_reward(..., name=...)."
        )
        raise InputError(msg)


def _chosen(option: str, value: str, known: Mapping[str, T]) -> T:
    if value not in known:
        msg = f"{option}={value!r} is not known. Give {' or '.join(map(repr, known))}."
        raise InputError(msg)
    return known[value]


def _size(option: str, value: Any) -> int:
    if not isinstance(value, int):
        msg = f"{option}={value!r:.80} is no number of items. Give at least 1."
        raise InputError(msg)
    if value < 1:
        msg = f"{option}={value} is too small. Give at least 1."
        raise InputError(msg)
    return value


def _default_workers() -> int:
    return min(_MOST_WORKERS, os.cpu_count() or 1)


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
        self.odd: dict[str, list[str]] = {what: [] for what in _NOTHING_ODD}
        self._flat: set[str] = set()
        self._accept_prompt_blind = accept_prompt_blind
        self._cells = tuple(cells)
        self._prompts = tuple(dict.fromkeys(_PROMPT_OF[cell] for cell in cells))
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
        self._n_met = 0

    @property
    def columns(self) -> list[str]:
        """The columns that scoring adds to those of the pairs."""
        cells = [*CELLS, *CUTS, *(c for both in self._placebos.values() for c in both)]
        names = [score_column(m.name, c) for m in self._models for c in cells]
        return [*names, ERROR, *_HIDDEN]

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
        """Each part in order: the stored ones, and the others after storing them.

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
                    self._plan_rows(item.table.select(columns).to_pylist())
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
                yield _StoredPart(table=stored)
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

    def told(self) -> dict[str, Any]:
        """What was met since it was last told: for whoever has others score parts, see `take`."""
        found = {
            "checks": dict(self.checks),
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
        for name, found in told["checks"].items():
            if name not in self.checks:
                self.checks[name] = found
                _warn_of(name, found)
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
        for earlier in range(self._n_met, part):
            self._plan_rows(self.source.texts(*self._span(earlier)))
        self._n_met = max(self._n_met, part)

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
                run.start_part()
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
            if new and run.model.name not in self.checks:
                self._check(run, scored)
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
                row.values[score_column(name, _CUT_OF[prompt])] = (
                    None if text is None else self._is_cut(run, text)
                )
        return {number for number, cells in enumerate(planned) if cells}

    def _is_cut(self, run: ModelRun, prompt: str) -> bool:
        known = None if self.known is None else self.known.cut(run.model.name, prompt)
        return run.is_cut(prompt) if known is None else known

    def _check(self, run: ModelRun, scored: Sequence[_ScoredRow]) -> None:
        """Look at the first scores before more are made, and say what is wrong with them."""
        name = run.model.name
        cells = [cell for row in scored for cell in self._given(name, row)]
        if not cells:
            return
        found = self.checks[name] = quick_check(run.model, cells, at_once=run.batch_size)
        if not self._accept_prompt_blind:
            refuse_unsound(name, found)
        _warn_of(name, found)

    def _given(self, name: str, row: _ScoredRow) -> Iterator[ScoredCell]:
        values, pair = row.values, row.pair
        images = {IMAGE_ORIGINAL: pair.original, IMAGE_DISTORTED: pair.distorted}
        for cell in self._cells:
            score, image = values.get(score_column(name, cell)), images[_IMAGE_OF[cell]]
            if score is not None and image.struct is not None:
                yield ScoredCell(
                    key=image.key,
                    image=image.struct,
                    prompt=values[_PROMPT_OF[cell]],
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
            prompt, of = pair.values[_PROMPT_OF[name]], _IMAGE_OF[name]
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

    def _plan_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Plan the prompts of a part that is stored, or scored elsewhere, as when it is scored."""
        for start in range(0, len(rows), self._capacity):
            for run in self.runs:
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
