"""Score pairs with reward models: the four scores of each pair, stored as they come.

One path serves every model: open the pairs, the models and the run, let `part_scorer.py` score part
by part, here or in workers, and write the table and what it tells.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from aas_bench.checks.probes import Finding
from aas_bench.errors import InputError
from aas_bench.files import bars_hidden, json_bytes, json_value
from aas_bench.placebos import NEEDED, Choice, choose_placebos
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.catalog import RewardSpec, load_reward
from aas_bench.run.directory import RunDirectory, open_run, rounds_of
from aas_bench.run.groups import (
    UndecodedPairs,
)
from aas_bench.run.model import described
from aas_bench.run.part_scorer import ERROR, HIDDEN, NOTHING_ODD, PartScorer, part_scorer, positive
from aas_bench.run.progress import progress_bar, say
from aas_bench.run.provenance import provenance, versions
from aas_bench.tables.open import Source, hub_home, without_revision
from aas_bench.tables.schema import (
    CELLS,
    DIDP,
    OIDP,
    PLACEBO_CELLS,
    placebo_column,
    score_column,
)
from aas_bench.tables.scores import ScoreTable

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, IterableDataset

    from aas_bench.run.directory import Round
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
_KIND: Final = "scores"
_LAYOUT: Final = 3
CELLS_OF: Final[dict[str, tuple[str, ...]]] = {"both": CELLS, "distorted": (OIDP, DIDP)}

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
    with ExitStack() as stack:
        root = out if out is not None else stack.enter_context(tempfile.TemporaryDirectory())
        run = score_into(
            root,
            pairs,
            reward_models,
            prompts=prompts,
            placebos=placebos,
            n_placebos=n_placebos,
            batch_size=batch_size,
            workers=workers,
            part_size=part_size,
            on_error=on_error,
            progress=progress,
            device=device,
            dtype=dtype,
            accept_prompt_blind=accept_prompt_blind,
            known=known,
            engine=engine,
        )
        return run.table()


@dataclass(frozen=True, kw_only=True)
class ScoreRun:
    """A scoring run that came to its end.

    Attributes:
        scores: The file of its table.
        rewards: The reward models, in the order of their columns.
        n_pairs: How many rows the table has.
        n_errors: How many of them lack scores, for a reason that the column `error` tells.
    """

    scores: Path
    rewards: tuple[str, ...]
    n_pairs: int
    n_errors: int

    def table(self) -> ScoreTable:
        """Its table, read whole."""
        import pyarrow.parquet as pq

        table = pq.read_table(self.scores)
        columns = dict(zip(table.column_names, table.columns, strict=True))
        return ScoreTable.from_columns(columns, rewards=self.rewards, source=str(self.scores))


def score_into(
    out: str | os.PathLike[str],
    pairs: Source,
    reward_models: RewardSpec | Sequence[RewardSpec],
    *,
    prompts: Prompts = "both",
    placebos: Choice | None = None,
    n_placebos: int | None = None,
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
) -> ScoreRun:
    """Score pairs into a run directory and read no table, for more pairs than it should hold.

    Arguments and errors are those of `score`.

    Returns:
        Where the table is, and what it comes to.
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
            pairs=beside,
            batch_size=batch_size,
            cells=_chosen("prompts", prompts, CELLS_OF),
            part_size=positive("part_size", part_size),
            workers=positive("workers", workers),
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
        run = stack.enter_context(
            open_run(
                out,
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
        if progress:
            say(beside.cost(None if source.total is None else source.text_batches()), shown=True)
        tables = parts.tables
        if elsewhere is not None:
            make = partial(make, known=parts.known, checks=before.checks)
            tables = partial(elsewhere, parts, make=make)
        is_new = before.of_round != len(run.earlier) + 1
        return _run(parts, run, tables, source=_told(pairs, opened), is_new=is_new, shown=progress)


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
) -> ScoreRun:
    started = time.monotonic()
    counts = _Counts(parts)
    with progress_bar("scoring", unit="pairs", total=parts.source.total, shown=shown) as advance:
        for table in tables_in(run, advance=advance):
            counts.add(table)
    if not counts.n_pairs:
        msg = "the stream holds no pairs. Check the split, the filter or the limit."
        raise InputError(msg)
    counts.tell_lacking_placebos()
    schema = counts.schema()
    stored = parts.finished(run, counts.n_pairs)
    path = run.write_table(SCORES, (table.select(schema.names) for table in stored), schema)
    if parts.n_stored or is_new:
        seconds = time.monotonic() - started
        about = {
            "checks": {name: [f.to_dict() for f in each] for name, each in parts.checks.items()},
            "n_errors": counts.n_errors,
            "n_pairs": counts.n_pairs,
            "n_tied": counts.n_tied,
            "odd": parts.odd,
            "n_placebos": {r.model.name: r.n_placebos for r in parts.runs},
            "n_scored_by_this_command": parts.n_scored,
            "round": len(run.earlier) + 1,
            "rewards": {r.model.name: r.to_dict() for r in parts.runs},
            "seconds": round(seconds, 3),
            **source,
        }
        run.write_json(RUN, about | provenance())
    if odd := _odd(parts, counts.n_tied, counts.n_pairs):
        _log.warning("%s; aas-bench doctor tells what that changes.", odd)
    if counts.n_errors:
        _log.warning(
            "%d of %d pairs lack scores; the column %r says why.",
            *(counts.n_errors, counts.n_pairs, ERROR),
        )
    return ScoreRun(
        scores=path,
        rewards=tuple(counts.n_tied),
        n_pairs=counts.n_pairs,
        n_errors=counts.n_errors,
    )


class _Counts:
    """What the parts of a run add up to, in whatever order they come.

    Args:
        parts: What scores them.

    Attributes:
        n_pairs: Rows.
        n_errors: Rows that lack scores.
        n_tied: By reward model, pairs whose two images score exactly the same under the distorted
            prompt.
    """

    def __init__(self, parts: PartScorer) -> None:
        self._schema = parts.schema
        self.n_pairs = self.n_errors = 0
        self.n_tied = {run.model.name: 0 for run in parts.runs}
        self._n_without = {
            kind: 0 for kind in PLACEBO_CELLS if placebo_column(kind) in self._schema.names
        }

    def add(self, table: pa.Table) -> None:
        """Count a part."""
        import pyarrow.compute as pc

        self.n_pairs += table.num_rows
        self.n_errors += table.num_rows - table[ERROR].null_count
        for reward in self.n_tied:
            oidp, didp = (table[score_column(reward, cell)] for cell in (OIDP, DIDP))
            self.n_tied[reward] += pc.sum(pc.equal(oidp, didp)).as_py() or 0
        for kind in self._n_without:
            lengths = pc.fill_null(pc.list_value_length(table[placebo_column(kind)]), 0)
            self._n_without[kind] += pc.sum(pc.equal(lengths, 0)).as_py()

    def tell_lacking_placebos(self) -> None:
        """Say how many pairs have none of a kind."""
        for kind, n in self._n_without.items():
            if n:
                _log.warning(
                    "%d of %d pairs have no %s placebos, for which %s; there the original prompt "
                    "is the only one.",
                    *(n, self.n_pairs, kind, NEEDED[kind]),
                )

    def schema(self) -> pa.Schema:
        """The columns of the finished table: without kinds of placebo that no pair has."""
        import pyarrow as pa

        lacking = [kind for kind, n in self._n_without.items() if n == self.n_pairs]
        cells = [cell for kind in lacking for cell in PLACEBO_CELLS[kind]]
        dropped = {*HIDDEN, *map(placebo_column, lacking)}
        dropped |= {score_column(reward, cell) for reward in self.n_tied for cell in cells}
        return pa.schema([field for field in self._schema if field.name not in dropped])


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
        return _ToldBefore(of_round=of_round, checks={}, odd=NOTHING_ODD)
    checks = {name: tuple(Finding(**f) for f in each) for name, each in about["checks"].items()}
    return _ToldBefore(of_round=of_round, checks=checks, odd=about["odd"])


def _odd(parts: PartScorer, tied: Mapping[str, int], n_pairs: int) -> str:
    """What a run met that nobody should pass over, in one clause; "" where there is nothing."""
    equal, flat = parts.odd["equal_images"], parts.odd["uniform_image"]
    told = [f"{name} ties {n} of {n_pairs} pairs" for name, n in tied.items() if n]
    for found, what in ((equal, "of equal images"), (flat, "with an image of one colour")):
        if found:
            pairs = "1 pair" if len(found) == 1 else f"{len(found)} pairs"
            told.append(f"{pairs} {what} (first {found[0]})")
    return "; ".join(told)


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


def _default_workers() -> int:
    return min(_MOST_WORKERS, os.cpu_count() or 1)
