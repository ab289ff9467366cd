"""A part of a pair table that stands for the whole: by effect, by dimension, so many of each."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, SchemaError, UnknownNameError
from aas_bench.registry import import_object
from aas_bench.tables.schema import DIMENSIONS, INDEX, PAIR_ID
from aas_bench.tasks.catalog import TASKS
from aas_bench.tasks.taxonomy import meant_by

if TYPE_CHECKING:
    from datasets import Dataset

_EFFECT: Final = "effect"
_ITEM: Final = "item"
_SCENE: Final = "scene"
_WORDING: Final = "wording"
_READ: Final = (PAIR_ID, INDEX, DIMENSIONS, _EFFECT, _ITEM, _SCENE, _WORDING)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Which pairs to take.

    Attributes:
        n: How many at most; None: all that are let through.
        effects: Only pairs of these effects; empty: of any.
        dimensions: Only pairs that ask for one of these; empty: for any.
        seed: Another one draws other pairs.
    """

    n: int | None = None
    effects: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n is not None and self.n < 1:
            msg = f"sample is {self.n}. Give at least 1, or None for all."
            raise InputError(msg)

    def of(self, pairs: Dataset) -> Dataset:
        """The pairs taken, in the order of the table.

        Raises:
            SchemaError: The pairs name no effect or no dimension, and one is asked for.
            UnknownNameError: None of them has an effect or a dimension of this name.
            InputError: No pair has both what `effects` and what `dimensions` ask for.
        """
        columns = pairs.select_columns([c for c in _READ if c in pairs.column_names]).to_dict()
        return pairs.select(self.rows(columns))

    def rows(self, columns: Mapping[str, Sequence[Any]]) -> list[int]:
        """Which rows are taken, in the order of the table.

        Args:
            columns: `pair_id`, and of `index`, `dimensions`, `effect`, `item`, `scene`, `wording`
                those that there are; also of what is no table of pairs, as the prompts of a run.

        Raises:
            SchemaError, UnknownNameError, InputError: As for `of`.

        Example:
            >>> Sample(n=2).rows({"pair_id": ["a", "b", "c"], "scene": ["x", "x", "y"]})
            [1, 2]
        """
        rows = self._let_through(columns)
        if self.n is not None:
            rows = nested_order(
                {name: [v[row] for row in rows] for name, v in columns.items()},
                rows,
                seed=self.seed,
            )[: self.n]
        return sorted(rows)

    @classmethod
    def chosen(
        cls,
        n: int | None,
        effect: str | Sequence[str] | None,
        dimension: str | Sequence[str] | None,
        seed: int,
    ) -> Sample | None:
        """What arguments and options ask for; None where it is all there is.

        Example:
            >>> Sample.chosen(5, "clarity", None, 0)
            Sample(n=5, effects=('clarity',), dimensions=(), seed=0)
        """
        if n is None and not effect and not dimension:
            return None
        effects, dimensions = (
            (each,) if isinstance(each, str) else tuple(each or ()) for each in (effect, dimension)
        )
        return cls(n=n, effects=effects, dimensions=dimensions, seed=seed)

    def _let_through(self, columns: Mapping[str, Sequence[Any]]) -> list[int]:
        rows = range(len(columns[PAIR_ID]))
        kept = set(rows)
        for column, kind, wanted in (
            (_EFFECT, "effect", self.effects),
            (DIMENSIONS, "dimension", self.dimensions),
        ):
            if wanted:
                kept &= _with(columns.get(column), kind, wanted)
        if not kept:
            msg = "no pair has both this effect and this dimension. Leave one out."
            raise InputError(msg)
        return sorted(kept)


def check_part(
    source: object,
    effect: str | Sequence[str] | None,
    dimension: str | Sequence[str] | None,
) -> None:
    """Refuse names that the pairs of a source are known not to have, before they are read.

    Raises:
        UnknownNameError: An effect or dimension is misspelt; says the nearest.
    """
    known = known_names(source)
    for kind, wanted in (("effect", effect), ("dimension", dimension)):
        if kind in known and wanted:
            _check_names(kind, [wanted] if isinstance(wanted, str) else wanted, known[kind])


def known_names(source: object) -> Mapping[str, Sequence[str]]:
    """The names that the pairs of a source have by kind (`Task.names`); none where unknown yet."""
    task = TASKS[source] if isinstance(source, str) and source in TASKS else None
    found: Mapping[str, Sequence[str]] = (
        {} if task is None or task.names is None else import_object(task.names)()
    )
    return found


def _check_names(kind: str, wanted: Collection[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            asked = meant_by(name)
            meant = [each for each in known if each.replace("-", " ") == asked]
            raise UnknownNameError(f"{kind} of these pairs", name, known, hint="", meant=meant)


def nested_order(
    columns: Mapping[str, Sequence[Any]], rows: Sequence[int], *, seed: int
) -> list[int]:
    """The rows so that any first few are spread over scenes and effects.

    First wordings come first. Within a wording each scene (or base prompt) gives one pair a round,
    of the effect (or dimension) that was taken least so far; a hash of seed and `pair_id` settles
    what is equal, so that the order hangs on no other row's place in the table.

    Args:
        columns: Of these rows, at least `pair_id`.
        rows: What the rows are called in the answer.
        seed: Another one gives another order.
    """
    n = len(rows)
    scene = columns.get(_SCENE) or columns.get(INDEX) or range(n)
    asked = columns.get(_EFFECT) or [
        tuple(each or ()) for each in columns.get(DIMENSIONS, [()] * n)
    ]
    chance = [hashlib.sha256(f"{seed} {pair_id}".encode()).digest() for pair_id in columns[PAIR_ID]]
    ordered: list[int] = []
    taken: Counter[Any] = Counter()
    for level in _by_wording(columns, n):
        waiting: dict[Any, list[int]] = defaultdict(list)
        for row in sorted(level, key=chance.__getitem__):
            waiting[scene[row]].append(row)
        while waiting:
            for name in list(waiting):
                left = waiting[name]
                row = min(left, key=lambda each: taken[asked[each]])
                left.remove(row)
                if not left:
                    del waiting[name]
                taken[asked[row]] += 1
                ordered.append(row)
    return [rows[row] for row in ordered]


def _by_wording(columns: Mapping[str, Sequence[Any]], n: int) -> Iterator[list[int]]:
    """The rows with the first wording of their item, then those with the second, and so on."""
    items, wordings = columns.get(_ITEM), columns.get(_WORDING)
    if items is None or wordings is None:
        yield list(range(n))
        return
    members: dict[Any, list[int]] = defaultdict(list)
    for row in sorted(range(n), key=lambda row: (wordings[row] is None, wordings[row] or 0)):
        members[items[row]].append(row)
    for place in range(max(map(len, members.values()))):
        yield [rows[place] for rows in members.values() if len(rows) > place]


def _with(values: Sequence[Any] | None, kind: str, wanted: Collection[str]) -> set[int]:
    """The rows whose cell is, or lists, one of the wanted names."""
    if values is None or not any(values):
        msg = f"the pairs name no {kind}. Leave --{kind} out."
        raise SchemaError(msg)
    listed = [set(each or ()) if isinstance(each, (list, tuple)) else {each} for each in values]
    known = sorted({name for each in listed for name in each if name is not None})
    _check_names(kind, wanted, known)
    return {row for row, each in enumerate(listed) if each & set(wanted)}
