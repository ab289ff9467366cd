"""Score pairs with reward models: the four scores of each pair, stored as they come.

One path serves every model: encode each image once, each prompt once, combine them for the cells
of the pairs. Decoding and preprocessing run in threads beside it.
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from aas_bench.errors import InputError
from aas_bench.files import json_bytes
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.catalog import RewardSpec, load_reward
from aas_bench.run.local import ModelRun
from aas_bench.run.parts import CELLS_OF, ERROR, GROUP, PartScorer
from aas_bench.run.plan import PairSource
from aas_bench.run.progress import progress_bar
from aas_bench.run.provenance import provenance, versions
from aas_bench.run.store import RunDirectory, open_run, parquet_bytes
from aas_bench.tables.scores import ScoreTable, load_scores

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

T = TypeVar("T")
Pairs: TypeAlias = "Dataset | IterableDataset | str | os.PathLike[str]"
Prompts: TypeAlias = Literal["both", "distorted"]
OnError: TypeAlias = Literal["record", "raise"]

SCORES: Final = "scores.parquet"
RUN: Final = "run.json"
PART_SIZE: Final = 256
_MOST_WORKERS: Final = 8
_LONGEST_NAME: Final = 200
_RAISES: Final = {"record": False, "raise": True}

_log = logging.getLogger(__name__)


def score(
    pairs: Pairs,
    reward_models: RewardSpec | Sequence[RewardSpec],
    *,
    prompts: Prompts = "both",
    out: str | os.PathLike[str] | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    part_size: int = PART_SIZE,
    on_error: OnError = "record",
    progress: bool = True,
    device: str | None = None,
    dtype: str | None = None,
) -> ScoreTable:
    """Score each pair of images under each of its prompts, with every reward model.

    Each distinct image is encoded once a part and each distinct prompt once a run, by each model;
    the images are decoded once for all models. A pair without an original prompt has no `oiop`
    and no `diop`. An image that cannot be read or prepared leaves its scores missing; the column
    `error` says why.

    Args:
        pairs: The pair table, streaming or not, or whatever `load_pairs` takes.
        reward_models: One or several of what `load_reward` takes.
        prompts: "both" scores all four cells, "distorted" only `oidp` and `didp`.
        out: Run directory, which the same call continues after an interruption; None keeps
            nothing but the table.
        batch_size: Images, prompts or cells of one call to a model; None: each model's own.
        workers: Threads that decode and preprocess; None: one per processor, at most 8.
        part_size: Pairs that are stored at once: what a kill can cost.
        on_error: "record" goes on after a bad image, "raise" stops at the first.
        progress: Show rate and remaining time, where stderr is a terminal.
        device: Where models that are given by name run; see `load_reward`.
        dtype: Their number format; see `load_reward`.

    Returns:
        One row per pair, in the order of the pairs; also written to `out` as `scores.parquet`,
        beside `run.json`, which tells how it was made.

    Raises:
        InputError: Unusable pairs or options, or a bad image where `on_error` is "raise".
        BackendError: A reward model gave a score that is not finite, or ran out of memory with a
            single item.
        StoreError: `out` is in use, or was made by another configuration.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from datasets import Dataset
        >>> from PIL import Image
        >>> row = {"image_original": Image.new("RGB", (8, 8), "white")}
        >>> row |= {"image_distorted": Image.new("RGB", (8, 8)), "prompt_distorted": "a dark night"}
        >>> def darkness(images, prompts):
        ...     return [255 - image.getpixel((0, 0))[0] for image in images]
        >>> with TemporaryDirectory() as folder:
        ...     written = Dataset.from_list([row]).to_parquet(f"{folder}/pairs.parquet")
        ...     table = score(f"{folder}/pairs.parquet", darkness, progress=False)
        >>> table.cells("darkness").oidp, table.cells("darkness").didp
        (array([0.]), array([255.]))
    """
    source = PairSource(_open_pairs(pairs))
    models = _load_models(reward_models, device, dtype)
    parts = PartScorer(
        source,
        [
            ModelRun(
                m,
                batch_size=_size("batch_size", m.batch_size if batch_size is None else batch_size),
            )
            for m in models
        ],
        cells=_chosen("prompts", prompts, CELLS_OF),
        part_size=_size("part_size", part_size),
        workers=_size("workers", _default_workers() if workers is None else workers),
        raise_bad_images=_chosen("on_error", on_error, _RAISES),
    )
    _check_columns(source, parts)
    spec = {
        "pairs": source.fingerprint() | ({"source": str(pairs)} if source.total is None else {}),
        "part_size": part_size,
        "prompts": prompts,
        "rewards": [_described(model) for model in models],
        "versions": versions(),
    }
    with ExitStack() as stack:
        root = out if out is not None else stack.enter_context(tempfile.TemporaryDirectory())
        run = stack.enter_context(open_run(root, kind="scores", spec=spec))
        return _run(parts, run, source=pairs, shown=progress)


def _run(parts: PartScorer, run: RunDirectory, *, source: Pairs, shown: bool) -> ScoreTable:
    import pyarrow as pa

    started = time.monotonic()
    with progress_bar("scoring", unit="pairs", total=parts.source.total, shown=shown) as advance:
        tables = list(parts.tables(run, advance=advance))
    if not tables:
        msg = "the stream holds no pairs. Check the split, the filter or the limit."
        raise InputError(msg)
    table = pa.concat_tables(tables).drop_columns([GROUP])
    n_errors = table.num_rows - table[ERROR].null_count
    path = run.write(SCORES, parquet_bytes(table))
    if parts.n_scored or not (run.path / RUN).exists():
        seconds = time.monotonic() - started
        about = {
            "n_errors": n_errors,
            "n_pairs": table.num_rows,
            "n_scored_by_this_command": parts.n_scored,
            "rewards": {r.model.name: r.told() for r in parts.runs},
            "seconds": round(seconds, 3),
            "source": source if isinstance(source, str) else type(source).__name__,
        }
        run.write_json(RUN, about | provenance())
    if n_errors:
        _log.warning(
            "%d of %d pairs lack scores; the column %r says why.", n_errors, table.num_rows, ERROR
        )
    return load_scores(path, rewards=[r.model.name for r in parts.runs])


def _open_pairs(pairs: Any) -> Dataset | IterableDataset:
    from datasets import Dataset, IterableDataset

    if isinstance(pairs, (Dataset, IterableDataset)):
        return pairs
    if not isinstance(pairs, (str, os.PathLike)):
        msg = f"a {type(pairs).__name__} is no pair table. Give a Dataset, a name or a path."
        raise InputError(msg)
    from aas_bench.tables.pairs import load_pairs

    return load_pairs(os.fspath(pairs))


def _load_models(
    specs: RewardSpec | Sequence[RewardSpec], device: str | None, dtype: str | None
) -> list[RewardModel]:
    each: list[Any] = list(specs) if isinstance(specs, (list, tuple)) else [specs]
    models = [load_reward(spec, device=device, dtype=dtype) for spec in each]
    if not models:
        msg = "no reward model is given. Name at least one, e.g. 'polish'."
        raise InputError(msg)
    names = [model.name for model in models]
    for name in names:
        if not name or not name.isprintable() or len(name) > _LONGEST_NAME:
            msg = f"{name!r:.100} cannot name a reward model. Use 1 to {_LONGEST_NAME} characters."
            raise InputError(msg)
        if names.count(name) > 1:
            msg = f"two reward models are called {name!r}. Load one with load_reward(name=...)."
            raise InputError(msg)
    return models


def _described(model: RewardModel) -> dict[str, Any]:
    try:
        described: dict[str, Any] = json.loads(json_bytes(model.describe()))
    except InputError as error:
        msg = f"the description of reward model {model.name!r} {error}"
        raise InputError(msg) from error
    return described


def _check_columns(source: PairSource, parts: PartScorer) -> None:
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


def _size(option: str, value: int) -> int:
    if value < 1:
        msg = f"{option}={value} is too small. Give at least 1."
        raise InputError(msg)
    return value


def _default_workers() -> int:
    return min(_MOST_WORKERS, os.cpu_count() or 1)
