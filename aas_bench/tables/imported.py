"""A table or folder of any form as the canonical table: what each column became, and the copy.

Nothing is inferred here: the readers of pairs and of scores say what they made of each column.
"""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aas_bench.errors import InputError, SchemaError, UnknownNameError
from aas_bench.files import bars_hidden, whole_file
from aas_bench.tables import authors
from aas_bench.tables.open import Options, Source, open_source
from aas_bench.tables.pairs import PairTable, recognised
from aas_bench.tables.schema import (
    IMAGE_COLUMNS,
    INDEX,
    LABEL,
    LABEL_SOURCE,
    MODEL,
    PAIR_COLUMNS,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    Label,
)
from aas_bench.tables.scores import (
    ScoreTable,
    canonical,
    joined_by_prompts,
    named_columns,
)
from aas_bench.tables.without_images import read_without_images

if TYPE_CHECKING:
    from datasets import Dataset

PARQUET: Final = ".parquet"
NO_LABEL: Final = "none: no accuracy"
_METADATA: Final = "metadata.jsonl"
_ROWS_AT_ONCE: Final = 64


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """What a source was read as, and its canonical table.

    Attributes:
        source: What it is called.
        form: "scores", or the form of the pairs, e.g. "pairs" or "pick-a-pic".
        columns: Column of the source -> ours that are made of it, in the order of the source; a
            column that nothing was made of is kept as it is or left out, see `kept` and `left_out`.
        made: Our column that no column of the source gave -> how it was made.
        table: The pairs, images undecoded; or the scores.
        faults: What is wrong with rows; a table with faults cannot be saved.
    """

    source: str
    form: str
    columns: Mapping[str, tuple[str, ...]]
    made: Mapping[str, str]
    table: Dataset | ScoreTable | None
    faults: SchemaError | None = None

    @property
    def read(self) -> dict[str, tuple[str, ...]]:
        """Column of the source -> what it is read as, for those that mean something here."""
        told = {n: tuple(filter(_means, ours)) for n, ours in self.columns.items()}
        return {name: ours for name, ours in told.items() if ours}

    @property
    def kept(self) -> tuple[str, ...]:
        """Columns that stay as they are beside those that mean something."""
        return tuple(n for n, ours in self.columns.items() if ours and n not in self.read)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Columns that are not in the canonical table."""
        return tuple(name for name, ours in self.columns.items() if not ours)

    @property
    def rewards(self) -> tuple[str, ...]:
        """Reward models with scores."""
        ours = [each for names in self.columns.values() for each in names]
        return tuple(dict.fromkeys(n.rpartition("_")[0] for n in ours if authors.is_cell(n)))

    def __len__(self) -> int:
        """Pairs."""
        return 0 if self.table is None else len(self.table)

    @property
    def n_clusters(self) -> int:
        """Base prompts, the clusters of every interval."""
        return 0 if self.table is None else len(set(self._column(INDEX)))

    @property
    def labels(self) -> dict[str, int] | None:
        """How many pairs have each label, ties and unknown ones as "tie"; None: there is none."""
        if self.table is None or self.made.get(LABEL) == NO_LABEL:
            return None
        found = list(self._column(LABEL))
        return {each.name.lower(): found.count(each) for each in reversed(Label)}

    def _names(self) -> list[str]:
        table = self.table
        assert table is not None
        return list(table.frame.columns if isinstance(table, ScoreTable) else table.column_names)

    def _column(self, name: str) -> list[Any]:
        table = self.table
        assert table is not None
        found = table.frame[name] if isinstance(table, ScoreTable) else table[name]
        return [each.item() if isinstance(each, np.generic) else each for each in found]

    def save(self, out: str | os.PathLike[str]) -> Path:
        """Write the canonical table, whole or not at all.

        Args:
            out: `NAME.parquet`, with the images in it; or, for pairs, a folder that is not there
                yet: `metadata.jsonl` and `images/`. Images keep their bytes.

        Raises:
            SchemaError: Rows are at fault.
            InputError: Something is there already, or `out` is no such name.
        """
        path = Path(out)
        if self.faults is not None:
            raise self.faults
        refuse_to_write(path, of_scores=isinstance(self.table, ScoreTable))
        if isinstance(self.table, ScoreTable):
            return self.table.save(path)
        assert self.table is not None
        if path.suffix.lower() == PARQUET:
            return _save_parquet(self.table, path)
        return _save_folder(self.table, path)


def refuse_to_write(path: Path, *, of_scores: bool = False) -> None:
    """Refuse a place where the canonical table cannot go.

    Raises:
        InputError: Something is there already, its folder is not, or it is another kind of file.
    """
    if path.exists():
        msg = f"{path} is there already. Give another name with --out, or remove it first."
        raise InputError(msg)
    if not path.parent.is_dir():
        msg = f"{path.parent}: there is no such folder. Make it first, or give another --out."
        raise InputError(msg)
    if path.suffix.lower() != PARQUET and (path.suffix or of_scores):
        folder = "" if of_scores else ", or a folder"
        msg = f"{path} is no place for the table. Give NAME.parquet{folder} with --out."
        raise InputError(msg)


def map_source(
    source: Source,
    *,
    columns: Mapping[str, str] | None = None,
    cluster: str | None = None,
    label: str | None = None,
    config: str | None = None,
    split: str | None = None,
    revision: str | None = None,
) -> Mapped:
    """Read a table of pairs or of scores in any known form, and say what became of its columns.

    Args:
        source: What `load_pairs` or `load_scores` takes.
        columns: Their column -> ours, for what cannot be guessed.
        cluster: The column that pairs of one base prompt share. Default: `index`; where it joins no
            pairs, equal prompts do, as in every evaluation.
        label: The column of the label, or "majority" of the judges.
        config: As in `load_pairs`.
        split: As in `load_pairs`.
        revision: As in `load_pairs`.

    Raises:
        InputError: The source is neither pairs nor scores, or cannot be read.
        UnknownNameError: There is no column `cluster`.
        BackendError: The Hub cannot be reached.

    Example:
        >>> import pandas as pd
        >>> frame = pd.DataFrame({"prompt_distorted": ["a", "b", "a"], "base": [1.0, 2.0, 3.0]})
        >>> frame["made"] = [2.0, 1.0, 4.0]
        >>> mapped = map_source(frame, columns={"base": "oidp", "made": "didp"})
        >>> mapped.form, mapped.read["base"], mapped.made["index"]
        ('scores', ('score_oidp',), 'one for each prompt_distorted')
        >>> len(mapped), mapped.n_clusters
        (3, 2)
    """
    options = Options(config=config, split=split, streaming=False, revision=revision)
    try:
        opened = open_source(source, options)
        pairs = recognised(opened, label=label, asked=columns)
    except InputError as error:  # it may hold scores alone
        try:
            mapped = _of_scores(source, options, columns=columns, label=label)
        except InputError as of_scores:
            raise _nearer(error, of_scores) from error
    else:
        mapped = _of_pairs(pairs)
    return mapped if mapped.faults is not None else _clustered(mapped, cluster)


def _nearer(of_pairs: InputError, of_scores: InputError) -> InputError:
    """What to tell of a source that is neither: of scores, where it holds anything like them."""
    no_pairs = isinstance(of_pairs, SchemaError) and "no pair table" in str(of_pairs)
    no_scores = isinstance(of_scores, SchemaError) and "no score column" in str(of_scores)
    return of_scores if no_pairs and not no_scores else of_pairs


def _of_pairs(pairs: PairTable) -> Mapped:
    origins = pairs.sources()
    faults = table = None
    try:
        with bars_hidden():
            table = _undecoded(pairs.collect(None))
    except SchemaError as error:
        faults = error
    else:
        scores = authors.score_renames(table.column_names)  # as every reader of scores will
        table, origins = table.rename_columns(scores), authors.renamed(origins, scores)
    given = [name for each in pairs.origins.values() for name in each]
    made = {name: "unknown" for name in (MODEL,) if not origins.get(name)}
    made |= {PAIR_ID: "<model>/<index>"} if not origins.get(PAIR_ID) else {}
    made |= {INDEX: "the number of the row"} if not origins.get(INDEX) else {}
    if not origins.get(LABEL):
        built = {each.label for each in pairs.form.pair_columns} - {None}
        made[LABEL] = "the distorted image, by construction" if built else NO_LABEL
    return Mapped(
        source=pairs.name,
        form=pairs.kind,
        columns=_columns(given, {n: t for n, t in origins.items() if n != LABEL_SOURCE}),
        made=made,
        table=table,
        faults=faults,
    )


def _undecoded(pairs: Dataset) -> Dataset:
    from datasets import Image

    for name in (n for n in IMAGE_COLUMNS if n in pairs.column_names):
        pairs = pairs.cast_column(name, Image(decode=False))
    return pairs


def _of_scores(
    source: Source, options: Options, *, columns: Mapping[str, str] | None, label: str | None
) -> Mapped:
    stored = read_without_images(source, options)
    said = authors.named(stored.columns, columns)
    found = canonical(
        named_columns(stored.columns, columns), rewards=None, label=label, source=stored.name
    )
    named: authors.Origins = {ours: (theirs,) for theirs, ours in said.items()}
    origins = authors.traced(found.origins, named)
    made = {}
    if not origins[PAIR_ID]:
        made[PAIR_ID] = "<model>/<index>"
    if not origins[INDEX]:
        made[INDEX] = "the number of the row"
    if not origins[MODEL]:
        made[MODEL] = "unknown"
    if LABEL not in origins:
        made[LABEL] = NO_LABEL
    faults = table = None
    try:
        table = ScoreTable.of(found, stored.name)
    except SchemaError as error:
        faults = error
    return Mapped(
        source=stored.name,
        form="scores",
        columns=_columns(list(stored.columns), origins),
        made=made,
        table=table,
        faults=faults,
    )


def _columns(given: list[str], origins: authors.Origins) -> dict[str, tuple[str, ...]]:
    """Column of the source -> ours, from ours -> those of the source."""
    found: dict[str, list[str]] = {name: [] for name in given}
    for ours, theirs in origins.items():
        for name in theirs:
            found.setdefault(name, []).append(ours)
    return {name: tuple(ours) for name, ours in found.items()}


def _means(column: str) -> bool:
    return column in PAIR_COLUMNS or authors.is_cell(column.removesuffix("_sigma"))


def _clustered(mapped: Mapped, cluster: str | None) -> Mapped:
    """With the base prompts of the pairs as `index`."""
    index, how = np.array(mapped._column(INDEX), dtype=np.int64), None
    if cluster is not None:
        ours = next(iter(mapped.columns.get(cluster, ())), cluster)
        if ours not in mapped._names():
            raise UnknownNameError("column", cluster, mapped.columns, hint="Mend --cluster.")
        index, how = _codes(mapped._column(ours)), f"one for each {cluster}"
    there = [n for n in (PROMPT_ORIGINAL, PROMPT_DISTORTED) if n in mapped._names()]
    codes, joined = joined_by_prompts(index, {name: mapped._column(name) for name in there})
    if joined is not None:  # also where `cluster` joins none, as every evaluation would
        how = f"one for each {_theirs(mapped, joined)}"
    if how is None:
        return mapped
    made = {INDEX: how, **{n: h for n, h in mapped.made.items() if n != INDEX}}
    return replace(mapped, table=_with_index(mapped.table, codes), made=made)


def _theirs(mapped: Mapped, ours: str) -> str:
    """What a column of ours is called at the source."""
    return next((name for name, made in mapped.columns.items() if ours in made), ours)


def _codes(cells: list[Any]) -> NDArray[np.int64]:
    """A number for each value, in the order in which they come; whole numbers are their own."""
    try:
        return np.array([authors.read_whole(cell) for cell in cells], dtype=np.int64)
    except SchemaError:
        texts = [str(cell) for cell in cells]
        return pd.factorize(np.array(texts, dtype=object))[0].astype(np.int64)


def _with_index(table: Any, index: NDArray[np.int64]) -> Any:
    if isinstance(table, ScoreTable):
        return ScoreTable(frame=table.frame.assign(**{INDEX: index}), rewards=table.rewards)
    at, types = table.column_names, table.features
    table = table.remove_columns([INDEX]).add_column(INDEX, index, feature=types[INDEX])
    return table.select_columns(at)


def _rows(pairs: Dataset) -> Iterator[dict[str, Any]]:
    """The pairs with the bytes of their images; of a file's name no folder of this machine."""
    images = [name for name in IMAGE_COLUMNS if name in pairs.column_names]
    for row in pairs:
        for name in images:
            cell = row[name]
            if cell is None:
                continue
            path, content = cell.get("path"), cell.get("bytes")
            content = Path(path).read_bytes() if content is None else content
            row[name] = {"bytes": content, "path": None if path is None else Path(path).name}
        yield row


def _save_parquet(pairs: Dataset, path: Path) -> Path:
    """A row group for each few pairs, so that little is in memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Features, Image

    shown = {n: Image() if n in IMAGE_COLUMNS else f for n, f in pairs.features.items()}
    schema = Features(shown).arrow_schema
    rows = _rows(pairs)
    with whole_file(path) as file, pq.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
    return path


def _save_folder(pairs: Dataset, folder: Path) -> Path:
    """`metadata.jsonl` and `images/`; made beside its place and moved there when whole."""
    making = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(making, ignore_errors=True)
    (making / "images").mkdir(parents=True)
    lines = []
    for number, row in enumerate(_rows(pairs)):
        for name in (n for n in IMAGE_COLUMNS if row.get(n) is not None):
            content = row.pop(name)["bytes"]
            role = name.removeprefix("image_")
            file = f"images/{number:06d}_{role}{_suffix(content)}"
            (making / file).write_bytes(content)
            row[f"{name}_file_name"] = file
        lines.append(_json_line(row))
    (making / _METADATA).write_text("".join(lines), encoding="utf-8")
    making.rename(folder)
    return folder


def _json_line(row: Mapping[str, Any]) -> str:
    return json.dumps(dict(row), ensure_ascii=False, default=str) + "\n"


def _suffix(content: bytes) -> str:
    """The suffix of a file that holds these bytes of an image."""
    from PIL import Image

    with Image.open(io.BytesIO(content)) as image:
        kind = (image.format or "png").lower()
    return f".{'jpg' if kind == 'jpeg' else kind}"
