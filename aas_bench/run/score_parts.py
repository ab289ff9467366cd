"""Scoring in parts that several workers do: the table of one process, whoever makes which part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from aas_bench.errors import InputError
from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.run.groups import PairRow
from aas_bench.run.model import described
from aas_bench.run.pool import Advance, Facts, Job, Pool

if TYPE_CHECKING:
    import pyarrow as pa

    from aas_bench.run.directory import RunDirectory


class Scorer(Protocol):
    """What knows the pairs and scores parts of them: `PartScorer`."""

    @property
    def n_parts(self) -> int | None:
        """How many parts there are; None of a stream."""

    def rows_of(self, part: int) -> list[PairRow]:
        """The rows of a part."""

    def stored(self, run: RunDirectory, part: int) -> pa.Table | None:
        """A part that is finished."""

    def score_part(self, part: int, rows: Sequence[PairRow], *, advance: Advance) -> pa.Table:
        """The table of a part."""

    def told(self) -> dict[str, Any]:
        """What was met since it was last told."""

    def take(self, told: Mapping[str, Any]) -> None:
        """Take what another told."""


MakeScorer = Callable[[Sequence[RewardModel]], Scorer]


@dataclass(frozen=True, kw_only=True)
class ScoredPart:
    """A part that a worker scored: its number, its rows, and what was met on the way."""

    number: int
    table: pa.Table
    told: Mapping[str, Any]


class ScoreJob(Job[int, "tuple[int, list[PairRow]]", ScoredPart]):
    """Scores parts by their numbers; its setting makes a scorer of the models.

    Args:
        load: Loads the reward models on a device.
    """

    def __init__(self, load: Callable[[str | None], list[RewardModel]]) -> None:
        self._load = load
        self._models: list[RewardModel] = []

    def open(self, device: str | None) -> Facts:
        """See `Job.open`."""
        self._models = self._load(device)
        told = ("name", "batch_size", "reads_prompts", "n_placebos")
        return {
            "models": [
                {name: getattr(model, name) for name in told} | {"described": described(model)}
                for model in self._models
            ]
        }

    def begin(self, setting: MakeScorer) -> None:
        """See `Job.begin`."""
        self._reader = setting([])  # its own, as rows are read in another thread
        self._scorer = setting(self._models)

    def read(self, piece: int) -> tuple[int, list[PairRow]]:
        """See `Job.read`."""
        return piece, self._reader.rows_of(piece)

    def do(self, data: tuple[int, list[PairRow]], advance: Advance) -> ScoredPart:
        """See `Job.do`."""
        number, rows = data
        table = self._scorer.score_part(number, rows, advance=advance)
        return ScoredPart(number=number, table=table, told=self._scorer.told())


class _ToldModel(RewardModel):
    """A reward model that workers hold: what they told of it, and no scores."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.__dict__.update(told)

    def describe(self) -> dict[str, Any]:
        return dict(self.__dict__["described"])

    def encode_images(self, images: Sequence[Any]) -> Sequence[Any]:
        raise NotImplementedError

    def encode_prompts(self, prompts: Sequence[str]) -> Sequence[Any]:
        raise NotImplementedError

    def combine(self, images: Sequence[Any], prompts: Sequence[Any]) -> Scores:
        raise NotImplementedError


def told_models(facts: Facts) -> list[RewardModel]:
    """The reward models that the workers of a job have opened, as far as they can be told."""
    return [_ToldModel(told) for told in facts["models"]]


def tables_of(
    parts: Scorer, run: RunDirectory, *, pool: Pool, make: MakeScorer, advance: Advance
) -> Iterator[pa.Table]:
    """Each part, in any order: the stored ones, then the others as workers made them.

    Args:
        parts: Knows the pairs.
        run: Where finished parts are, and go.
        pool: The workers of a `ScoreJob`.
        make: What each worker scores with.
        advance: Told the number of rows done.

    Raises:
        InputError: The pairs are a stream.
    """
    if parts.n_parts is None:
        msg = "several workers need the whole table, not a stream. Leave --streaming out."
        raise InputError(msg)
    missing: list[int] = []
    for number in range(parts.n_parts):
        if (stored := parts.stored(run, number)) is None:
            missing.append(number)
            continue
        advance(stored.num_rows)
        yield stored
    for done in pool.results(make, missing, advance=advance) if missing else ():
        run.write_part(done.number, done.table)
        parts.take(done.told)
        yield done.table
