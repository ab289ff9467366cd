"""What a scoring run reads, and in which order: rows, parts, groups, read ahead.

A part is a fixed range of rows, stored at once. A group is a run of rows inside a part whose new
images fill one batch. Both follow from the pairs alone, so a continued run repeats the batches of
an uninterrupted one, and with them the last bit of every score.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aas_bench.errors import InputError, SchemaError, StoreError
from aas_bench.files import file_sha256
from aas_bench.tables.schema import (
    IMAGE_COLUMNS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    PAIR_COLUMNS,
    PAIR_ID,
    PLACEBO_CELLS,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    placebo_column,
)

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, IterableDataset

T = TypeVar("T")

_HASHED_ROWS: Final = 500
_SAMPLED_BYTES: Final = 64
_IDENTITY: Final = [PAIR_ID, PROMPT_ORIGINAL, PROMPT_DISTORTED]
_MEDIA: Final = ("Image", "Audio", "Video", "Pdf")
_NONE: Final = "null"

KEY_ORIGINAL: Final = "_image_original"
KEY_DISTORTED: Final = "_image_distorted"
"""Columns of a stored part that name the images of a pair; no columns of the finished table."""


@dataclass(frozen=True, kw_only=True)
class UndecodedImage:
    """An image as it is stored.

    Attributes:
        key: Equal for equal bytes, whether they are in the table or in a file.
        struct: {"bytes", "path"} as `datasets` stores it; None where the cell is null.
    """

    key: str
    struct: Mapping[str, Any] | None

    @classmethod
    def known_by(cls, key: str) -> UndecodedImage:
        """An image, or none, of which only the key was kept."""
        return cls(key=key, struct=None if key == _NONE else {})


@dataclass(frozen=True, kw_only=True)
class PairRow:
    """One row of the pair table; `values` holds the columns that are no images."""

    original: UndecodedImage
    distorted: UndecodedImage
    values: dict[str, Any]

    def image_keys(self) -> Collection[str]:
        """The keys of its images."""
        return {self.original.key, self.distorted.key}


@dataclass(frozen=True, kw_only=True)
class RowGroup:
    """Rows that are scored together; `last` in their part or not."""

    part: int
    number: int
    rows: list[PairRow]
    last: bool

    def images(self) -> dict[str, Mapping[str, Any]]:
        """The distinct undecoded images by key, in order of appearance; null cells left out."""
        both = (image for row in self.rows for image in (row.original, row.distorted))
        return {image.key: image.struct for image in both if image.struct is not None}


class UndecodedPairs:
    """The rows of a pair table in order, their images undecoded.

    Args:
        pairs: In the canonical schema; streaming or not.
        made: Further columns of lists of texts, and how each is made of the others of a row.

    Raises:
        SchemaError: Columns are missing, or the image columns are no images.
    """

    def __init__(
        self,
        pairs: Dataset | IterableDataset,
        made: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] | None = None,
    ) -> None:
        import pyarrow as pa
        from datasets import Dataset, Features, Image

        features = _checked_features(pairs)
        kept = {k: v for k, v in features.items() if k in IMAGE_COLUMNS or not _is_media(v)}
        pairs = pairs.select_columns(list(kept)).with_format(None)
        for column in IMAGE_COLUMNS:
            pairs = pairs.cast_column(column, Image(decode=False))
        texts = Features({k: v for k, v in kept.items() if k not in IMAGE_COLUMNS})
        self._pairs = pairs
        self._stream = iter(pairs)
        self._position = 0
        self._stored = list(texts)
        self._made = dict(made or {})
        self.schema: pa.Schema = texts.arrow_schema.remove_metadata()
        for column in self._made:
            self.schema = self.schema.append(pa.field(column, pa.list_(pa.string())))
        self._placebos = [c for c in map(placebo_column, PLACEBO_CELLS) if c in self.schema.names]
        self._identity = [*_IDENTITY, *self._placebos]
        self.total: int | None = len(pairs) if isinstance(pairs, Dataset) else None

    def fingerprint(self) -> dict[str, Any]:
        """What identifies the pairs without reading their images whole; JSON values.

        Covers every other column, and of every image its file name, its size and 64 bytes from
        its middle and its end: an image that was made anew or saved again differs there, as its
        compressed bytes do. Placebos are told apart by a sum of their own: the pairs stay the same
        under others. Of a stream, which must not be read twice, only the columns; its
        stored parts are compared row by row.
        """
        columns = {field.name: str(field.type) for field in self.schema}
        if self.total is None:
            return {"columns": columns, "streaming": True}
        digest, of_placebos = hashlib.sha256(), hashlib.sha256()
        own = [name for name in self.schema.names if name not in self._placebos]
        for rows in self.text_batches():
            digest.update(_json(rows, own))
            of_placebos.update(_json(rows, self._placebos))
        for column in IMAGE_COLUMNS:
            for sample in _samples(self._pairs, column):
                digest.update(sample)
        found = {"columns": columns, "n_rows": self.total, "sha256": digest.hexdigest()}
        if self._placebos:
            found["placebos"] = of_placebos.hexdigest()
        return found

    def names(self) -> list[str]:
        """The `pair_id` of each pair; not of a stream."""
        names: list[str] = self._pairs.select_columns([PAIR_ID]).to_dict()[PAIR_ID]
        return names

    def text_batches(self) -> Iterator[list[dict[str, Any]]]:
        """What `values` of all rows holds, some rows at a time; of no stream."""
        texts = self._pairs.select_columns(self._stored).with_format("arrow")
        for batch in texts.iter(_HASHED_ROWS):
            yield [self._completed(row) for row in batch.to_pylist()]

    def _completed(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row with the columns that are made."""
        for column, make in self._made.items():
            row[column] = make(row)
        return row

    def read(self, start: int, stop: int) -> Iterator[PairRow]:
        """The rows from `start` up to `stop` or the end; a stream is read forward only."""
        if self.total is not None:
            rows = map(self._pairs.__getitem__, range(start, min(stop, self.total)))
            return map(_pair_row, map(self._completed, rows))
        return self._read_stream(start, stop)

    def texts(self, start: int, stop: int) -> list[dict[str, Any]]:
        """What `values` of these rows holds, without a look at their images; of no stream."""
        rows = range(start, min(stop, len(self._pairs)))
        texts = self._pairs.select_columns(self._stored).select(rows).to_list()
        return [self._completed(row) for row in texts]

    def _read_stream(self, start: int, stop: int) -> Iterator[PairRow]:
        while self._position < stop:
            row = next(self._stream, None)
            if row is None:
                return
            self._position += 1
            if self._position > start:
                yield _pair_row(self._completed(row))

    def holds(self, stored: pa.Table, start: int, stop: int) -> bool:
        """Whether a stored part has the rows from `start` to `stop`; reads them from a stream.

        Raises:
            StoreError: The stream gives other pairs than those stored.
        """
        if self.total is not None:
            return bool(stored.num_rows == min(stop, self.total) - start)
        rows = [[row.values[c] for c in self._identity] for row in self.read(start, stop)]
        if rows != [list(row.values()) for row in stored.select(self._identity).to_pylist()]:
            msg = (
                f"rows {start} to {stop} of the stream are not those stored. Repeat the first "
                "command, or give another directory; pairs that are no stream can be added to."
            )
            raise StoreError(msg)
        return True


def row_groups(
    rows: Iterable[PairRow],
    *,
    part: int,
    capacity: int,
    needed: Callable[[PairRow], Collection[str]] = PairRow.image_keys,
) -> Iterator[RowGroup]:
    """Cut the rows of one part into groups of at most `capacity` images new to the part.

    Args:
        rows: The rows.
        part: Their part.
        capacity: How many images.
        needed: The keys of those images of a row that are to be encoded.
    """
    seen: set[str] = set()
    group: list[PairRow] = []
    number = n_new = 0
    for row in rows:
        new = set(needed(row)) - seen
        if group and n_new + len(new) > capacity:
            yield RowGroup(part=part, number=number, rows=group, last=False)
            group, number, n_new = [], number + 1, 0
        seen |= new
        n_new += len(new)
        group.append(row)
    if group:
        yield RowGroup(part=part, number=number, rows=group, last=True)


def _pair_row(row: dict[str, Any]) -> PairRow:
    original, distorted = row.pop(IMAGE_ORIGINAL), row.pop(IMAGE_DISTORTED)
    return PairRow(original=_undecoded(original), distorted=_undecoded(distorted), values=row)


def _undecoded(struct: Mapping[str, Any] | None) -> UndecodedImage:
    if struct is None:
        return UndecodedImage.known_by(_NONE)
    content, path = struct.get("bytes"), struct.get("path")
    if content is not None:
        return UndecodedImage(key=hashlib.sha256(content).hexdigest(), struct=struct)
    try:  # by content too: a folder may have been moved, or a file of the same name made anew
        key = file_sha256(Path(path or ""))
    except (OSError, ValueError):
        key = f"path:{path}"
    return UndecodedImage(key=key, struct=struct)


def _json(rows: Iterable[Mapping[str, Any]], columns: Iterable[str]) -> bytes:
    return json.dumps([{name: row[name] for name in columns} for row in rows], default=str).encode()


def _samples(pairs: Dataset, column: str) -> Iterator[bytes]:
    """What the fingerprint covers of each image of a column; copies no other byte of it."""
    chunks = pairs.data.column(column).chunks
    stored = (each for chunk in chunks for each in _chunk_samples(chunk))
    if pairs._indices is None:
        return stored
    there = list(stored)
    return (there[row] for row in pairs._indices.column(0).to_pylist())


def _chunk_samples(images: pa.StructArray) -> Iterator[bytes]:
    import pyarrow.compute as pc

    content = pc.struct_field(images, "bytes").cast("large_binary")
    paths = pc.struct_field(images, "path").to_pylist()
    _, offsets, data = content.buffers()
    # By offsets: a value taken from the array would be copied whole.
    starts = memoryview(offsets).cast("q")[content.offset :] if offsets else ()
    sizes = pc.binary_length(content).to_pylist()
    for row, (path, size) in enumerate(zip(paths, sizes, strict=True)):
        if size is not None:
            stored, start = data, starts[row]
            parts = [
                bytes(stored.slice(start + at, min(_SAMPLED_BYTES, size - at)))
                for at in _sampled(size)
            ]
        elif path is not None:
            size, parts = _file_sample(Path(path))
        else:
            parts = []
        name = None if path is None else PurePath(path).name
        yield json.dumps([name, size]).encode() + b"".join(parts)


def _sampled(size: int) -> tuple[int, int]:
    """Where in an image of so many bytes the samples begin."""
    return size // 2, max(0, size - _SAMPLED_BYTES)


def _file_sample(path: Path) -> tuple[int | None, list[bytes]]:
    """Size and samples of a file; nothing where it cannot be read."""
    parts = []
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            for at in _sampled(size):
                file.seek(at)
                parts.append(file.read(_SAMPLED_BYTES))
    except OSError:
        return None, []
    return size, parts


def _is_media(feature: Any) -> bool:
    return type(feature).__name__ in _MEDIA


def _checked_features(pairs: Dataset | IterableDataset) -> dict[str, Any]:
    features = pairs.features
    if features is None:
        msg = "the stream does not name its features. Open it with load_pairs(..., streaming=True)."
        raise SchemaError(msg)
    missing = [column for column in PAIR_COLUMNS if column not in features]
    if missing:
        msg = f"the pairs have no column {', '.join(missing)}. Open them with load_pairs."
        raise SchemaError(msg)
    wrong = [c for c in IMAGE_COLUMNS if type(features[c]).__name__ != "Image"]
    if wrong:
        msg = f"{', '.join(wrong)} holds no images. Cast it to datasets.Image."
        raise SchemaError(msg)
    if getattr(pairs, "num_rows", None) == 0:
        msg = "there are no pairs. Check the split, the filter or the limit."
        raise InputError(msg)
    return dict(features)


def prefetch(items: Iterator[T], *, depth: int) -> Generator[T]:
    """The same items, made in a thread that is at most `depth` + 1 items ahead.

    An exception of `items` is raised here, after the items before it. Close the generator
    (`contextlib.closing`) to stop the thread early.
    """
    end: Any = object()
    with ThreadPoolExecutor(1, thread_name_prefix="prefetch") as thread:
        under_way: deque[Future[T]] = deque(
            thread.submit(next, items, end) for _ in range(depth + 1)
        )
        try:
            while (item := under_way.popleft().result()) is not end:
                under_way.append(thread.submit(next, items, end))
                yield item
        finally:
            thread.shutdown(cancel_futures=True)
