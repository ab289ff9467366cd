"""`Task`: everything that is known of one published dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from aas_bench.registry import import_object

Kind: TypeAlias = Literal["reward_model", "generator"]
"""What a result on a dataset is of."""

Shelf: TypeAlias = Literal["pairs", "faces", "photographs", "paintings"]
"""The tables of the leaderboard that reward models stand in."""

CARDS: Final = Path(__file__).with_name("cards")


@dataclass(frozen=True, kw_only=True)
class PromptTable:
    """A table of prompts on the Hub, that pairs are made from.

    Attributes:
        hub_id: Its id.
        split: The split to read.
        n: How many of its rows are used: the first.
    """

    hub_id: str
    split: str
    n: int


@dataclass(frozen=True, kw_only=True)
class HubBenchmark:
    """One leaderboard of a dataset on the Hub.

    Attributes:
        id: Its name within the dataset.
        kind: What is ranked.
        measure: By what; `reward` is the reward model that measures a generator.
        config: Configuration of the dataset that it runs on.
    """

    id: str
    kind: Kind
    measure: str
    reward: str | None = None
    config: str = "pairs"


@dataclass(frozen=True, kw_only=True)
class Task:
    """A dataset that `load_pairs` and the command line know by name.

    Attributes:
        name: What users type.
        title: What the leaderboard calls it, as part of a sentence.
        summary: One line for lists.
        question: What is asked of a reward model, in a sentence or two.
        hub_id: Our edition on the Hub, in the canonical schema.
        authors_id: The authors' own table, in their schema; None where it holds no pairs.
        prompts: The authors' table of prompts alone; None where there is none.
        build: `module:function` that makes the pairs here, without the Hub; None where none does.
        names: `module:function` that gives the names that those pairs have: of each `effect` and
            `dimension`, and the `column`s; asked before the pairs are made, which takes longer.
        form: How its table is laid out, a name in `tables.forms.FORMS`.
        image_distorted: What I_a is.
        image_original: What I_o is; None where an image stands alone.
        label: Where the label comes from.
        licence: What may be done with it and passed on, in one sentence.
        groups: What the names in the column `dimensions` are called in a record: one small word.
        asked: The names that its pairs ask for. A score table with these alone is of this task.
        columns: Columns that only its score tables have; all of them make a table one of it.
        analysis: `module:function` that takes a `TaskScores` and gives a `TaskReport`; None where
            the figures that every task has are all.
        measures: What a reward model's record holds besides what every task measures.
        pairs_of: How many pairs a whole result rests on by its kind, or the `module:function` that
            tells; a kind that is not there has no fixed number.
        benchmarks: Its leaderboards on the Hub.
        shelf: Where our leaderboard shows its reward models.
        paper: The tables of the paper's figures (`records/paper.json`) that are on it.
        cards: The folder of its card `<name>.md` and, where the licence is its own,
            `<name>.LICENSE`.
    """

    name: str
    title: str
    summary: str
    question: str
    hub_id: str
    authors_id: str | None = None
    prompts: PromptTable | None = None
    build: str | None = None
    names: str | None = None
    form: str = "pairs"
    image_distorted: str
    image_original: str | None
    label: str
    licence: str
    groups: str = "dimensions"
    asked: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    analysis: str | None = None
    measures: tuple[str, ...] = ()
    pairs_of: Mapping[Kind, int] | str = field(default_factory=dict)
    benchmarks: tuple[HubBenchmark, ...] = ()
    shelf: Shelf = "pairs"
    paper: tuple[str, ...] = ()
    cards: Path = CARDS

    @property
    def paired(self) -> bool:
        """Whether its rows are pairs."""
        return self.image_original is not None

    def expected_pairs(self, kind: Kind) -> int | None:
        """How many pairs a whole result rests on; None where that is not fixed."""
        known = import_object(self.pairs_of)() if isinstance(self.pairs_of, str) else self.pairs_of
        n: int | None = known.get(kind)
        return n

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON values, without where its files lie."""
        row = {name: value for name, value in asdict(self).items() if name != "cards"}
        return row | {name: sorted(getattr(self, name)) for name in ("asked", "columns")}
