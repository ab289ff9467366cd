"""One Parquet file of a built dataset: written in bounded memory, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Literal

from aas_bench.publish.builder import BadItem, BenchBuilder

if TYPE_CHECKING:
    import pyarrow.parquet as pq
    from datasets import Features

ROW_GROUP_BYTES: Final = 32 * 2**20
"""A row group ends once its rows hold this much; the Hub's viewer refuses groups over 300 MB."""

ROW_GROUP_ROWS: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Note:
    """One line of `faults.jsonl`.

    Attributes:
        config: The configuration.
        kind: "fault": the item was left out; "flag": the row is there, but look at it.
        item: The item, or the key of the row.
        reason: What is wrong or worth a look.
    """

    config: str
    kind: Literal["fault", "flag"]
    item: str
    reason: str

    def to_dict(self) -> dict[str, str]:
        """Plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a shard holds.

    Attributes:
        keys: The keys of its rows in order.
        notes: What was noted.
        again: Whether it lacks items that are worth another try.
    """

    keys: tuple[str, ...]
    notes: tuple[Note, ...]
    again: bool = False


def write_shard(
    builder: BenchBuilder,
    items: Sequence[Any],
    file: IO[bytes],
    *,
    advance: Callable[[int], object],
) -> Written:
    """Write the rows of `items` as Parquet, at most one row group in memory.

    The same rows give the same bytes with the same version of pyarrow.
    """
    keys: list[str] = []
    notes: list[Note] = []
    again = False
    with (
        _Groups(file, builder.info.features) as groups,
        closing(builder.prepared(items)) as prepared,
    ):
        for item in prepared:
            try:
                rows = list(_encoded_rows(builder, item))
            except BadItem as bad:
                notes.append(_note(builder, "fault", bad.item, bad.reason))
                again |= bad.again
                rows = []
            for key, flags, row in rows:
                keys.append(key)
                notes += [_note(builder, "flag", key, flag) for flag in flags]
                groups.add(row)
            advance(1)
    return Written(keys=tuple(keys), notes=tuple(notes), again=again)


def _note(builder: BenchBuilder, kind: Literal["fault", "flag"], item: str, reason: str) -> Note:
    return Note(config=builder.config.name, kind=kind, item=item, reason=reason)


def _encoded_rows(
    builder: BenchBuilder, item: Any
) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Key, flags and storable form of each row of an item."""
    from datasets import Image

    features = builder.info.features
    images = [name for name, feature in features.items() if isinstance(feature, Image)]
    for row in builder.rows(item):
        encoded = features.encode_example(dict(row))
        for name in images:
            encoded[name] = _embedded(encoded[name], builder.key(row), name)
        yield builder.key(row), list(builder.flags(row)), encoded


def _embedded(cell: dict[str, Any] | None, key: str, column: str) -> dict[str, Any] | None:
    """The image with its bytes; of a path only the name stays, no folder of this machine."""
    if cell is None:
        return None
    path, content = cell.get("path"), cell.get("bytes")
    if content is None and path is not None:
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            reason = f"{column}: {Path(path).name} cannot be read ({error.strerror})"
            raise BadItem(key, reason) from error
    return {"bytes": content, "path": None if path is None else Path(path).name}


class _Groups:
    """Collects rows and writes a row group whenever enough have come together."""

    def __init__(self, file: IO[bytes], features: Features) -> None:
        from datasets import Image

        self.schema = features.arrow_schema
        self.images = [n for n, f in features.items() if isinstance(f, Image)]
        self.rows: list[dict[str, Any]] = []
        self.size = 0
        self.writer = self._open(file)

    def _open(self, file: IO[bytes]) -> pq.ParquetWriter:
        import pyarrow.parquet as pq

        others = [field.name for field in self.schema if field.name not in self.images]
        return pq.ParquetWriter(
            file,
            self.schema,
            use_dictionary=others,
            # As `datasets` writes them: chunks cut by content, so that a changed row changes only
            # its own chunk of what the Hub stores, and an index for reading single pages.
            use_content_defined_chunking={
                "min_chunk_size": 256 * 1024,
                "max_chunk_size": 1024 * 1024,
                "norm_level": 0,
            },
            write_page_index=True,
        )

    def __enter__(self) -> _Groups:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
        finally:
            self.writer.close()

    def add(self, row: dict[str, Any]) -> None:
        """Take a row; write the group once it is full."""
        self.rows.append(row)
        cells = (row[name] for name in self.images)
        self.size += sum(len(cell["bytes"] or b"") for cell in cells if cell is not None)
        if self.size >= ROW_GROUP_BYTES or len(self.rows) >= ROW_GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if self.rows:
            self.writer.write_table(pa.Table.from_pylist(self.rows, schema=self.schema))
        self.rows, self.size = [], 0
