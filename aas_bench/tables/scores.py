"""The score table: one row per pair, the four scores of each reward model in flat columns."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aas_bench.errors import SchemaError, UnknownNameError, raise_faults
from aas_bench.files import json_value, whole_file
from aas_bench.tables import authors
from aas_bench.tables.formats import frame_columns
from aas_bench.tables.open import Options, Source
from aas_bench.tables.schema import (
    CELLS,
    CUT_DISTORTED,
    CUT_ORIGINAL,
    CUTS,
    DIMENSIONS,
    IMAGE_COLUMNS,
    INDEX,
    LABEL,
    MODEL,
    PAIR_COLUMNS,
    PAIR_ID,
    PLACEBO_CELLS,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    UNKNOWN_MODEL,
    Columns,
    n_rows,
    pair_name,
    repeated_pair_id,
    score_column,
    series,
    tell_equal_prompts,
    values,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PLACEBO_ENDS: Final = tuple(cell for both in PLACEBO_CELLS.values() for cell in both)

Scores: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The four scores of each pair by one reward model, each shape (n,), float64, nan if missing.

    Image first, then prompt: `diop` is the distorted image under the original prompt.
    """

    oiop: Scores
    oidp: Scores
    diop: Scores
    didp: Scores


@dataclass(frozen=True, kw_only=True)
class Cuts:
    """Whether the reward model dropped the end of each pair's prompts; each shape (n,), bool."""

    original: NDArray[np.bool_]
    distorted: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreTable:
    """Scores of one or several reward models on the same pairs.

    Attributes:
        frame: One row per pair: `pair_id`, `index`, `model`, `dimensions`, `label` where known,
            extra columns, and score columns `<reward>_<cell>` in float64.
        rewards: Reward models, in the order of their columns.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"mine_oidp": [0.1, 0.4], "mine_didp": [0.3, 0.2]})
        >>> table = ScoreTable.from_frame(frame)
        >>> table.rewards, len(table)
        (('mine',), 2)
        >>> table.cells("mine").didp - table.cells("mine").oidp > 0
        array([ True, False])
    """

    frame: pd.DataFrame
    rewards: tuple[str, ...]

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        rewards: Sequence[str] | None = None,
        label: str | None = None,
        columns: Mapping[str, str] | None = None,
        source: str = "the table",
    ) -> ScoreTable:
        """Bring a frame of any form that `load_scores` reads into the canonical one."""
        found = _renamed(frame_columns(frame), authors.named(list(map(str, frame)), columns))
        return cls.from_columns(found, rewards=rewards, label=label, source=source)

    @classmethod
    def from_columns(
        cls,
        columns: Mapping[str, Any],
        *,
        rewards: Sequence[str] | None = None,
        label: str | None = None,
        source: str = "the table",
    ) -> ScoreTable:
        """As `from_frame`, from columns as `formats.read_columns` gives them.

        Raises:
            SchemaError: All faults of the table in one message; rows count from 0.
            UnknownNameError: The table has no scores of one of `rewards`.
        """
        found = canonical(dict(columns), rewards=rewards, label=label, source=source)
        return cls.of(found, source)

    @classmethod
    def of(cls, found: Canonical, source: str) -> ScoreTable:
        """The table of columns in canonical form.

        Raises:
            SchemaError: Their faults, in one message.
        """
        import pandas as pd

        raise_faults(source, found.faults, found.mend)
        if PROMPT_ORIGINAL in found.columns and PROMPT_DISTORTED in found.columns:
            prompts = (found.columns[PROMPT_ORIGINAL], found.columns[PROMPT_DISTORTED])
            tell_equal_prompts(source, *prompts)
        frame = pd.DataFrame({name: series(each) for name, each in found.columns.items()})
        return cls(frame=frame, rewards=found.rewards)

    def __len__(self) -> int:
        return len(self.frame)

    def cells(self, reward: str) -> Cells:
        """The four scores of one reward model; a cell without a column is all nan.

        Raises:
            UnknownNameError: The table has no scores of `reward`.
        """
        self._check(reward)
        missing = np.full(len(self.frame), np.nan)
        columns = {c: score_column(reward, c) for c in CELLS}
        return Cells(
            **{
                c: self.frame[name].to_numpy(np.float64, copy=True)
                if name in self.frame
                else missing.copy()
                for c, name in columns.items()
            }
        )

    def cuts(self, reward: str) -> Cuts | None:
        """Which prompts the reward model cut; None where the table does not say.

        A null flag (no prompt) counts as not cut.

        Raises:
            UnknownNameError: The table has no scores of `reward`.
        """
        self._check(reward)
        names = [score_column(reward, c) for c in (CUT_ORIGINAL, CUT_DISTORTED)]
        if not all(name in self.frame for name in names):
            return None
        original, distorted = (
            np.array([v is not None and v == True for v in self.frame[n]], dtype=bool)  # noqa: E712
            for n in names
        )
        return Cuts(original=original, distorted=distorted)

    def placebos(self, reward: str, kind: str) -> Scores | None:
        """Gains of each pair under its placebo requests: s(I_a, P_j) - s(I_o, P_j).

        Args:
            reward: A reward model of the table.
            kind: "matched" or "foreign".

        Returns:
            Shape (n, K), float64, nan where a pair has fewer placebos or lacks a score; None where
            none of this kind was scored.

        Raises:
            UnknownNameError: The table has no scores of `reward`, or no kind is called so.
            SchemaError: A pair has not as many scores of the one image as of the other.
        """
        found = self.placebo_scores(reward, kind)
        return None if found is None else found[1] - found[0]

    def placebo_scores(self, reward: str, kind: str) -> tuple[Scores, Scores] | None:
        """The scores of I_o and of I_a that `placebos` takes the differences of.

        Raises:
            SchemaError: A pair has not as many of the one as of the other.
            UnknownNameError: As in `placebos`.
        """
        self._check(reward)
        if kind not in PLACEBO_CELLS:
            raise UnknownNameError("kind of placebo", kind, PLACEBO_CELLS, hint="")
        names = [score_column(reward, cell) for cell in PLACEBO_CELLS[kind]]
        if not all(name in self.frame for name in names):
            return None
        original, distorted = (self.frame[name] for name in names)
        most = max((len(each) for each in distorted if each is not None), default=0)
        scores = np.full((2, len(self.frame), most), np.nan)
        for row, (polished, asked) in enumerate(zip(original, distorted, strict=True)):
            if polished is None or asked is None:
                continue
            if len(polished) != len(asked):
                pair = self.frame[PAIR_ID].iloc[row]
                msg = (
                    f"pair {pair!r} has {len(polished)} scores in {names[0]} and {len(asked)} in "
                    f"{names[1]}. Give both images a score under the same placebos."
                )
                raise SchemaError(msg)
            scores[:, row, : len(asked)] = polished, asked
        return (scores[0], scores[1]) if most else None

    @property
    def clusters(self) -> NDArray[np.int64]:
        """The base prompt of each pair, shape (n,): pairs that share one are not independent."""
        return self.frame[INDEX].to_numpy(np.int64, copy=True)

    @property
    def label(self) -> NDArray[np.int8] | None:
        """1, 0 or -1 (tie or unknown) per pair, shape (n,); None where the table has no labels."""
        return self.frame[LABEL].to_numpy(np.int8, copy=True) if LABEL in self.frame else None

    def merge(self, other: ScoreTable) -> ScoreTable:
        """Add the reward models of another table of the same pairs, in this table's row order.

        Where both tables have a column that is not a score, this table's is kept.

        Raises:
            SchemaError: The tables hold other pairs, disagree on `index` or `label`, or both hold
                one reward model.
        """
        shared = [r for r in self.rewards if r in other.rewards]
        if shared:
            msg = (
                f"both tables hold scores of {', '.join(shared)}. "
                "Load one of them without it (rewards=...), or rename its columns."
            )
            raise SchemaError(msg)
        right = other.frame.set_index(PAIR_ID)
        here, there = set(self.frame[PAIR_ID]), set(right.index)
        if here != there:
            alone = [p for p in self.frame[PAIR_ID] if p not in there]
            alone += [p for p in right.index if p not in here]
            msg = (
                f"the tables hold different pairs: {len(alone)} are in only one of them, "
                f"first {', '.join(map(repr, alone[:3]))}. Score the same pairs, or filter both."
            )
            raise SchemaError(msg)
        right = right.loc[self.frame[PAIR_ID]].reset_index()
        for name in (INDEX, LABEL):
            if name in self.frame and name in right:
                differ = np.flatnonzero(self.frame[name].to_numpy() != right[name].to_numpy())
                _refuse_difference(name, list(self.frame[PAIR_ID].iloc[differ]))
        new = [c for c in right.columns if c not in self.frame.columns]
        frame = self.frame.assign(**{name: right[name] for name in new})
        return ScoreTable(frame=frame, rewards=(*self.rewards, *other.rewards))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the table as Parquet, whole or not at all; equal tables give equal bytes.

        Raises:
            InputError: The folder does not exist.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.Table.from_pandas(self.frame, preserve_index=False)
        at = table.schema.get_field_index(DIMENSIONS)
        dimensions = pa.array([list(d) for d in self.frame[DIMENSIONS]], pa.list_(pa.string()))
        table = table.set_column(at, DIMENSIONS, dimensions).replace_schema_metadata(None)
        with whole_file(path) as file:
            pq.write_table(table, file)
        return Path(path)

    def _check(self, reward: str) -> None:
        if reward not in self.rewards:
            raise _unknown_reward(reward, self.rewards)


def load_scores(
    source: Source,
    *,
    rewards: Sequence[str] | None = None,
    label: str | None = None,
    config: str | None = None,
    split: str | None = None,
    revision: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> ScoreTable:
    """Read the scores of one or several reward models.

    Score columns are `<reward>_oiop`, `<reward>_oidp`, `<reward>_diop`, `<reward>_didp` (image
    first, then prompt), some of the four, or the authors' structs of them; a `[mu, sigma]` cell
    keeps mu there and sigma in `<reward>_<cell>_sigma`. Two columns `score_original` and
    `score_distorted` (`rejected_score`, `chosen_score`), also after `<reward>_`, are oidp and didp;
    so are the cells without a reward's name, which then is "score". One row a score is read too:
    `long_form.pivoted`. Null and nan mean missing. The columns `pair_id` (`<model>/<index:04d>`),
    `index` (the row number), `model` ("unknown") and `dimensions` (none) are made where absent.
    Case and padding of the names do not matter.

    Args:
        source: A table file, a run directory, or whatever `load_pairs` takes; images are neither
            fetched nor decoded.
        rewards: The reward models to keep; None keeps all.
        label: Where the label comes from; see `authors.label_columns`.
        config: As in `load_pairs`.
        split: As in `load_pairs`.
        revision: As in `load_pairs`.
        columns: Their column -> ours, e.g. {"base": "oidp"}, for what cannot be guessed.

    Raises:
        InputError: The file is absent, of another type or damaged.
        SchemaError: No rows, no score column, an infinite or non-numeric score, a label outside
            {1, 0, -1}, a pair_id given twice; all faults of the cells in one message.
        UnknownNameError: The table has no scores of one of `rewards`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"mine_oidp": [0.1, 0.4], "mine_didp": [0.3, 0.2]})
        >>> with TemporaryDirectory() as folder:
        ...     file = ScoreTable.from_frame(frame).save(f"{folder}/scores.parquet")
        ...     load_scores(file).cells("mine").didp
        array([0.3, 0.2])
    """
    from aas_bench.tables.without_images import read_without_images

    options = Options(config=config, split=split, streaming=False, revision=revision)
    stored = read_without_images(source, options)
    found = named_columns(stored.columns, columns)
    return ScoreTable.from_columns(found, rewards=rewards, label=label, source=stored.name)


def named_columns(columns: Columns, asked: Mapping[str, str] | None) -> Columns:
    """The columns under the names that the caller gives; see `authors.named`."""
    return _renamed(columns, authors.named(columns, asked))


def _renamed(columns: Columns, names: Mapping[str, str]) -> Columns:
    return {names.get(name, name): column for name, column in columns.items()}


@dataclass(frozen=True, kw_only=True)
class Canonical:
    """The columns of a score table in canonical form.

    Attributes:
        columns: Ours.
        rewards: Reward models, in the order of their columns.
        origins: What each column is made of.
        faults: What is wrong with cells.
        mend: What to do about it.
    """

    columns: Columns
    rewards: tuple[str, ...]
    origins: authors.Origins
    faults: tuple[str, ...]
    mend: str


def canonical(
    columns: Columns, *, rewards: Sequence[str] | None, label: str | None, source: str
) -> Canonical:
    """The columns in canonical form, the names of the reward models, and where each came from.

    Columns of one type are checked and converted whole; only those that mix types, or that are at
    fault, are looked at value by value.
    """
    origins: authors.Origins = {name: (name,) for name in columns}
    for names in (authors.tidied, authors.renames, authors.unpaired_scores):
        given = names(columns)
        columns, origins = _renamed(columns, given), authors.renamed(origins, given)
    columns, parts, faults = _flattened(columns)
    given = authors.score_renames(columns)
    columns = _renamed(columns, given)
    origins = authors.renamed(authors.traced(parts, origins), given)
    found = detect_rewards(columns)
    if not found:
        from aas_bench.tables.long_form import pivoted

        wide = pivoted(columns, source)
        spent = tuple(name for name in columns if name not in wide)
        made = {name: (name,) if name in columns else spent for name in wide}
        columns, origins = wide, authors.traced(made, origins)
        found = detect_rewards(columns)
    chosen = _choose(found, rewards)
    dropped = {c for r in found if r not in chosen for c in score_columns(r)}
    dropped |= set(IMAGE_COLUMNS)
    columns = {name: column for name, column in columns.items() if name not in dropped}
    votes = authors.label_columns(columns, label=label)
    made = {name: (name,) if name in origins else () for name in (*columns, *PAIR_COLUMNS)}
    origins = authors.traced(made | {LABEL: votes}, origins)
    in_pairs = _complete(columns, n_rows(columns), votes)
    for name in [n for reward in chosen for n in score_columns(reward) if n in columns]:
        if name.endswith(PLACEBO_ENDS):
            columns[name], bad = _each_row(values(columns[name]), _number_list, name, None)
            faults += bad
        elif not name.endswith(CUTS):
            columns[name], bad = _numbers(columns[name], name)
            faults += bad
    mend = "Mend these cells; leave a missing score empty." if faults else "Mend these cells."
    order = [n for n in PAIR_COLUMNS if n in columns]
    ordered = {n: columns[n] for n in dict.fromkeys([*order, *columns])}
    return Canonical(
        columns=ordered,
        rewards=chosen,
        origins={n: origins[n] for n in ordered},
        faults=(*in_pairs, *faults),
        mend=mend,
    )


def joined_by_prompts(
    index: NDArray[np.int64], prompts: Mapping[str, Any]
) -> tuple[NDArray[np.int64], str | None]:
    """The base prompt of each row: its index, shared by equal prompts where no index is.

    Where no two rows share an index, as where there was none, it tells nothing: rows of one
    original prompt (of one request, without original prompts) then count as one base prompt, since
    what a prompt does to a score it does to all of them.

    Args:
        index: Shape (n,).
        prompts: The columns `prompt_original` and `prompt_distorted`, as far as there are any.

    Returns:
        The base prompts, shape (n,), each the least index of its rows; and the column whose equal
        prompts were joined, None where none were.
    """
    import pandas as pd

    if pd.Series(index).is_unique:
        for name in (PROMPT_ORIGINAL, PROMPT_DISTORTED):
            texts = pd.Series(values(prompts.get(name, ())), dtype=object)
            known = texts.fillna("").ne("").to_numpy()
            if known.any():
                code, found = pd.factorize(texts[known])
                first = np.full(len(found), np.iinfo(np.int64).max)
                np.minimum.at(first, code, index[known])
                joined = index.copy()
                joined[known] = first[code]
                return joined, name if len(found) < len(code) else None
    return index, None


def detect_rewards(columns: Iterable[str]) -> tuple[str, ...]:
    """Names of the reward models whose score columns are among these, in order of appearance."""
    names = (name.rpartition("_")[0] for name in columns if authors.is_cell(name))
    return tuple(dict.fromkeys(names))


def score_columns(reward: str) -> list[str]:
    """Every column that a table can hold for a reward model: scores, sigmas, cuts, placebos."""
    cells = [score_column(reward, c) for c in CELLS]
    others = [score_column(reward, c) for c in (*CUTS, *PLACEBO_ENDS)]
    return [*cells, *(f"{c}_sigma" for c in cells), *others]


def _unknown_reward(reward: str, known: Iterable[str]) -> UnknownNameError:
    names = list(known)
    hint = f"The table has scores of: {', '.join(names)}."
    return UnknownNameError("reward model in this table", reward, names, hint=hint)


def _choose(found: tuple[str, ...], rewards: Sequence[str] | None) -> tuple[str, ...]:
    if rewards is None:
        return found
    for reward in rewards:
        if reward not in found:
            raise _unknown_reward(reward, found)
    return tuple(r for r in found if r in rewards)


def _flattened(columns: Columns) -> tuple[Columns, authors.Origins, list[str]]:
    """Structs of scores and `[mu, sigma]` lists become flat columns, in the place of the old."""
    flat: Columns = {}
    parts: authors.Origins = {}
    faults: list[str] = []
    for name, column in columns.items():
        for part, each in _struct_fields(name, column).items():
            parts[part] = (name,)
            if not (authors.is_cell(part) and _holds_lists(each)):
                flat[part] = each
                continue
            score, sigma, bad = _split_lists(part, values(each))
            flat[part] = score
            if sigma:
                flat[f"{part}_sigma"], parts[f"{part}_sigma"] = sigma, (name,)
            faults += bad
    return flat, parts, faults


def _struct_fields(name: str, column: Any) -> Columns:
    """A column of structs of scores by their fields; any other column as it is."""
    if not _may_hold(column, "struct"):
        return {name: column}
    rows = values(column)
    first = next((v for v in rows if v is not None), None)
    if not isinstance(first, dict) or not first or not all(map(authors.is_cell, first)):
        return {name: column}
    structs = [v if isinstance(v, dict) else {} for v in rows]
    return {field: [s.get(field) for s in structs] for field in first}


def _holds_lists(column: Any) -> bool:
    """Whether a score may be a list or a tensor, also one that is written as text."""
    if not (_is_text(column) or _may_hold(column, "list")):
        return False
    return any("[" in v if isinstance(v, str) else hasattr(v, "__len__") for v in values(column))


def _may_hold(column: Any, kind: str) -> bool:
    """Whether the type of a column leaves it open that a value is a "struct" or a "list"."""
    import pyarrow.types as kinds

    arrow = _arrow_type(column)
    if arrow is None:
        return not isinstance(column, np.ndarray)
    return bool(kinds.is_nested(arrow) and kinds.is_struct(arrow) == (kind == "struct"))


def _arrow_type(column: Any) -> pa.DataType | None:
    kind = getattr(column, "type", None)
    return kind if hasattr(kind, "num_fields") else None


def _split_lists(name: str, rows: Iterable[Any]) -> tuple[list[Any], list[Any], list[str]]:
    """The scores, their sigmas (none where no row has one), and the faults."""
    pairs, faults = _each_row(rows, authors.split_score, name, (None, None))
    score, sigma = ([pair[part] for pair in pairs] for part in (0, 1))
    return score, sigma if any(s is not None for s in sigma) else [], faults


def _complete(columns: Columns, n: int, voted: Sequence[str]) -> list[str]:
    """Make or check the pair columns in place; the faults found."""
    columns[INDEX], faults = _integers(columns.get(INDEX, np.arange(n)))
    columns[MODEL] = _texts(columns.get(MODEL, [None] * n), null=UNKNOWN_MODEL)
    if PAIR_ID in columns:
        given = columns[PAIR_ID]
        null = (
            [] if _is_text(given) and not given.null_count else map(authors.is_null, values(given))
        )
        faults += [f"row {i}: {PAIR_ID} is null" for i, missing in enumerate(null) if missing]
        columns[PAIR_ID] = _texts(given, null="")
    else:
        made = zip(values(columns[MODEL]), columns[INDEX].tolist(), strict=True)
        columns[PAIR_ID] = [pair_name(m, i) for m, i in made]
    faults += repeated_pair_id(values(columns[PAIR_ID]))
    columns[DIMENSIONS], bad = _lists(columns.get(DIMENSIONS, [None] * n))
    faults += bad
    votes = [columns[name] for name in voted]
    if votes:
        columns[LABEL], bad = _labels(votes)
        faults += bad
    return faults


def _each_row(
    rows: Iterable[Any], read: Callable[[Any], Any], name: str, default: Any
) -> tuple[list[Any], list[str]]:
    found, faults = [], []
    for row, value in enumerate(rows):
        try:
            found.append(read(value))
        except SchemaError as error:
            faults.append(f"row {row}: {name}: {error}")
            found.append(default)
    return found, faults


def _number_list(value: Any) -> list[float] | None:
    """The scores of one cell under placebos, nan where one is missing; text holds them as JSON."""
    if not isinstance(value, str) and not hasattr(value, "__len__"):
        if authors.is_null(value):
            return None
        msg = f"{value!r:.60} is no list of numbers."
        raise SchemaError(msg)
    try:
        items = json_value(value) if isinstance(value, str) else list(value)
        found = np.array([np.nan if each is None else each for each in items], dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{value!r:.60} is no list of numbers."
        raise SchemaError(msg) from error
    if found.ndim != 1 or np.isinf(found).any():
        msg = f"{value!r:.60} is no list of finite numbers."
        raise SchemaError(msg)
    return [float(each) for each in found]


def _is_text(column: Any) -> bool:
    """Whether every value of a column is text or null."""
    import pyarrow.types as kinds

    kind = _arrow_type(column)
    return kind is not None and (kinds.is_string(kind) or kinds.is_large_string(kind))


def _texts(column: Any, *, null: str) -> Any:
    if _is_text(column):
        return column.fill_null(null) if column.null_count else column
    return [null if authors.is_null(value) else str(value) for value in values(column)]


def _lists(column: Any) -> tuple[Any, list[str]]:
    """The dimensions of each row."""
    import pyarrow.compute as pc
    import pyarrow.types as kinds

    kind = _arrow_type(column)
    names = None
    if kind is not None and (kinds.is_list(kind) or kinds.is_large_list(kind)):
        names = pc.list_flatten(column).combine_chunks()
    if names is None or not _is_text(names) or names.null_count:
        return _each_row(values(column), authors.parse_dimensions, DIMENSIONS, [])
    ends = np.cumsum(pc.list_value_length(column).fill_null(0).to_numpy()).tolist()
    flat = names.to_pylist()
    rows = np.empty(len(ends), dtype=object)
    known: dict[tuple[str, ...], list[str]] = {}  # a million rows ask for a handful of things
    start = 0
    for row, end in enumerate(ends):
        asked = tuple(flat[start:end])
        rows[row] = known.get(asked) or known.setdefault(asked, list(asked))
        start = end
    return rows, []


def _labels(votes: Sequence[Any]) -> tuple[NDArray[np.int8], list[str]]:
    """One label of each row, from one or several columns of votes."""
    if len(votes) == 1:
        whole = _whole_numbers(votes[0])
        if whole is not None and (np.abs(whole) <= 1).all():
            return whole.astype(np.int8), []
    rows = zip(*map(values, votes), strict=True)
    labels, faults = _each_row(rows, authors.label_value, LABEL, -1)
    return np.array(labels, dtype=np.int8), faults


def _whole_numbers(column: Any) -> NDArray[np.int64] | None:
    """A column of integers of 64 bits without nulls, exactly; None where it is another one."""
    import pyarrow.types as kinds

    kind = _arrow_type(column)
    if kind is not None and kinds.is_integer(kind) and not column.null_count:
        column = column.to_numpy()
    elif isinstance(column, list) and all(type(value) is int for value in column):
        column = np.array(column)  # of objects, where a number needs more than 64 bits
    if not isinstance(column, np.ndarray) or column.dtype.kind not in "iu":
        return None
    return column.astype(np.int64) if column.dtype != np.uint64 else None


def _integers(column: Any) -> tuple[NDArray[np.int64], list[str]]:
    whole = _whole_numbers(column)
    if whole is not None:
        return whole, []
    found, faults = _each_row(values(column), authors.read_whole, INDEX, 0)
    return np.array(found, dtype=np.int64), faults


def _numbers(column: Any, name: str) -> tuple[Scores, list[str]]:
    """float64 with nan for null; infinite and non-numeric values are faults."""
    import pyarrow.types as kinds

    kind = _arrow_type(column)
    if kind is not None and (kinds.is_integer(kind) or kinds.is_floating(kind)):
        column = column.to_numpy()
    if isinstance(column, np.ndarray) and column.dtype.kind in "iuf":
        numbers = np.array(column, dtype=np.float64)
        return numbers, [f"row {i}: {name}: is infinite" for i in np.flatnonzero(np.isinf(numbers))]
    found, faults = _each_row(values(column), authors.read_number, name, np.nan)
    return np.array(found, dtype=np.float64), faults


def _refuse_difference(column: str, pair_ids: list[str]) -> None:
    if pair_ids:
        msg = (
            f"the tables disagree on {column!r} for {len(pair_ids)} pairs, first {pair_ids[0]!r}. "
            "Score the same version of the pairs."
        )
        raise SchemaError(msg)
