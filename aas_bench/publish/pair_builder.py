"""`PairBuilder`: the configuration `pairs` of a dataset, from tables and runs, in the clean schema.

Clean means: images and prompts first, scores and judgements as flat columns, each of the type that
`schema.published_feature` gives it in every set. `load_pairs` reads it back unchanged.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

import datasets

from aas_bench.errors import AasBenchError, InputError, SchemaError
from aas_bench.publish.builder import BadItem, BenchBuilder, BenchConfig, option
from aas_bench.publish.pair_sources import (
    PairSource,
    TablePairs,
    open_pairs_source,
    public_name,
)
from aas_bench.tables import authors
from aas_bench.tables.formats import read_frame
from aas_bench.tables.schema import (
    DIMENSIONS,
    INDEX,
    LABEL,
    LABEL_SOURCE,
    MODEL,
    PAIR_ID,
    VOTE,
    pair_features,
    published_feature,
)

if TYPE_CHECKING:
    import pandas as pd

_LAST: Final = (DIMENSIONS, LABEL, LABEL_SOURCE, MODEL, INDEX, PAIR_ID)


@dataclass(frozen=True)
class PairItem:
    """One row of a table, or one prompt of a run.

    Attributes:
        source: Its place among the sources.
        name: What the source calls it.
        digest: Hash of the source, so that a changed source is another build.
    """

    source: int
    name: str
    digest: str


@dataclass
class PairConfig(BenchConfig):
    """Where pairs come from."""

    source: tuple[str, ...] = option(
        (), "A run's directory, a table, a folder or a Hub id; repeat for several."
    )
    votes: str | None = option(
        None, "Table with pair_id and judges' votes (llm_selected, ...) to add."
    )
    label: str | None = option(
        None, 'Which vote becomes the label: a column, or "majority" of the LLM judges.'
    )


class PairBuilder(BenchBuilder):
    """Pairs of images from `--source`.

    Attributes:
        DIMENSION_NAMES: What pairs may ask for.
    """

    DIMENSION_NAMES: ClassVar[Sequence[str]]
    BUILDER_CONFIG_CLASS = PairConfig
    ITEMS_PER_SHARD = 100

    @cached_property
    def sources(self) -> list[PairSource]:
        """The sources of pairs, in the order given."""
        return [self.opened(name) for name in self.source_names()]

    def opened(self, name: str) -> PairSource:
        """One source."""
        return open_pairs_source(name, label=self.table_label)

    def source_names(self) -> Sequence[str]:
        """Those of `--source` that hold pairs."""
        names: Sequence[str] = self.config.source
        return names

    def unavailable(self) -> str | None:
        """Without sources there are no pairs."""
        return None if self.source_names() else "no --source holds pairs of images."

    def _info(self) -> datasets.DatasetInfo:
        # The clean columns of all sources together.
        types: dict[str, Any] = {}
        for source in self.sources:
            for name, feature in clean_features(self.columns(source)).items():
                types[name] = _common(types.get(name, feature), feature, name, source.name)
        types |= {name: datasets.Value("int8") for name in self._votes_columns if name not in types}
        types = {**clean_features(pair_features()), **types}
        types.setdefault(LABEL_SOURCE, datasets.Value("string"))
        order = [*_LAST, *(name for name in types if name not in _LAST)]
        return self.described({name: types[name] for name in order})

    def columns(self, source: PairSource) -> dict[str, Any]:
        """The columns that `finished` leaves of a source's pairs."""
        return dict(source.features)

    def finished(self, pair: dict[str, Any]) -> dict[str, Any]:
        """A canonical pair with the columns of this dataset; here as it is."""
        return pair

    def items(self) -> list[PairItem]:
        """Every row and every prompt of the sources."""
        return [
            PairItem(source=number, name=name, digest=digest)
            for number, source in enumerate(self.sources)
            for digest in [source.fingerprint()]
            for name in source.items()
        ]

    def rows(self, item: PairItem) -> Iterator[dict[str, Any]]:
        """The pairs of one item; an image that was not made is never filled in."""
        source = self.sources[item.source]
        try:
            pairs = [self.finished(pair) for pair in source.pairs(item.name)]
            for pair in pairs:
                self._vote(pair)
                self._check(pair)
            rows = [clean_row(pair) for pair in pairs]
        except AasBenchError as error:
            raise BadItem(f"{source.name} {item.name}", " ".join(str(error).split())) from error
        empty = dict.fromkeys(self.info.features)
        yield from (empty | row for row in rows)

    def origins(self) -> list[str]:
        """The sources, and the votes that were added."""
        votes = self.config.votes
        added = [] if votes is None else [f"votes of {public_name(votes)}"]
        return [*(source.about for source in self.sources), *added]

    def facts(self, rows: pd.DataFrame) -> dict[str, Any]:
        """Which kinds of sources there are, and where the labels come from."""
        tables = [isinstance(source, TablePairs) for source in self.sources]
        said = [str(name) for name in rows[LABEL_SOURCE].dropna().unique()]
        return {
            "from_tables": any(tables),
            "from_runs": not all(tables),
            "label_sources": [name for name in said if name != "none"],
        }

    def fingerprint(self, items: Sequence[Any]) -> str:
        """Also of the votes."""
        text = f"{super().fingerprint(items)}{sorted(self._votes.items())!r}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _check(self, pair: Mapping[str, Any]) -> None:
        unknown = [name for name in pair[DIMENSIONS] if name not in self.DIMENSION_NAMES]
        if unknown:
            known = ", ".join(self.DIMENSION_NAMES)
            msg = f"{unknown[0]!r} is not one of the dimensions {known}"
            raise SchemaError(msg)

    def _vote(self, pair: dict[str, Any]) -> None:
        """Add the votes on a pair, and the label that follows where it has none."""
        if not self._votes_columns:
            return
        pair |= self._votes.get(pair[PAIR_ID], dict.fromkeys(self._votes_columns))
        if pair.get(LABEL_SOURCE) == "none":
            chosen = authors.label_columns(self._votes_columns, label=self.config.label)
            pair[LABEL] = authors.label_value([pair[name] for name in chosen])
            several = len(chosen) > 1
            pair[LABEL_SOURCE] = ("majority of " if several else "") + ", ".join(chosen)

    @property
    def table_label(self) -> str | None:
        """The label column that tables must have: not where votes are given beside them."""
        label: str | None = None if self.config.votes else self.config.label
        return label

    @cached_property
    def _votes(self) -> dict[str, dict[str, int | None]]:
        """`pair_id` -> votes."""
        if self.config.votes is None:
            return {}
        frame = read_frame(self.config.votes)
        columns = [name for name in authors.LABEL_COLUMNS if name in frame]
        if PAIR_ID not in frame or not columns:
            msg = (
                f"{self.config.votes}: needs {PAIR_ID} and one of "
                f"{', '.join(authors.LABEL_COLUMNS)}. Add the columns."
            )
            raise SchemaError(msg)
        if frame[PAIR_ID].duplicated().any():
            msg = f"{self.config.votes}: a {PAIR_ID} stands twice. Keep one row for each pair."
            raise InputError(msg)
        return {
            str(row[PAIR_ID]): {
                name: None if authors.is_null(row[name]) else authors.label_value([row[name]])
                for name in columns
            }
            for row in frame.to_dict("records")
        }

    @cached_property
    def _votes_columns(self) -> tuple[str, ...]:
        return tuple(next(iter(self._votes.values()), {}))


def clean_features(features: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of `clean_row`: structs taken apart, half floats widened, one law for all."""
    types: dict[str, Any] = {}
    for name, feature in features.items():
        if isinstance(feature, dict):
            types |= clean_features({_flat(name, f, feature): v for f, v in feature.items()})
        else:
            types[name] = published_feature(name) or _widened(feature)
    return types


def clean_row(pair: Mapping[str, Any]) -> dict[str, Any]:
    """A pair with structs taken apart and votes as numbers.

    Raises:
        SchemaError: A vote is none.
    """
    row: dict[str, Any] = {}
    for name, value in pair.items():
        if isinstance(value, dict) and set(value) != {"bytes", "path"}:
            row |= clean_row({_flat(name, f, value): v for f, v in value.items()})
        elif name.endswith(VOTE) and value is not None:
            row[name] = authors.label_value([value])
        else:
            row[name] = value
    return row


def _flat(column: str, field: str, struct: Mapping[str, Any]) -> str:
    """The column of a struct's field: its own name where all fields begin like the column."""
    word = column.split("_", 1)[0] + "_"
    return field if all(name.startswith(word) for name in struct) else f"{column}_{field}"


def _widened(feature: Any) -> Any:
    if isinstance(feature, datasets.List):
        return datasets.List(_widened(feature.feature), length=feature.length)
    half = getattr(feature, "dtype", None) == "float16"
    return datasets.Value("float32") if half else feature


def _common(first: Any, second: Any, name: str, source: str) -> Any:
    """One type for a column that several sources have."""
    if first == second:
        return first
    types = [getattr(feature, "dtype", "") for feature in (first, second)]
    if "null" in types:
        return second if types[0] == "null" else first
    if all(kind.startswith(("int", "float")) for kind in types):
        whole = all(kind.startswith("int") for kind in types)
        return datasets.Value("int64" if whole else "float64")
    msg = f"{source}: column {name} holds {second}, in another source {first}. Give one type."
    raise SchemaError(msg)
