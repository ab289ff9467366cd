"""What the footer of a Parquet file says that pyarrow asks nobody about before it aborts.

A column whose statistics of sizes do not fit its schema ends the process inside Arrow's C++, where
no `except` reaches. Footers are structs in Thrift's compact protocol.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any, Final

_END: Final = 8  # the length of the footer, and "PAR1"
_GROUPS, _COLUMNS, _META, _SIZES = 4, 1, 3, 16
_UNENCODED, _REPETITION, _DEFINITION = 1, 2, 3


def misfit(source: Path | IO[bytes], parquet: Any) -> str | None:
    """A column whose statistics of sizes are not of its kind; None where all fit.

    Args:
        source: The Parquet file.
        parquet: The same, opened with `pyarrow.parquet.ParquetFile`; so its footer is whole.

    Raises:
        OSError: The footer is damaged.
    """
    try:
        chunks = [
            chunk.get(_META, {}).get(_SIZES)
            for group in _Compact(_footer(source)).struct().get(_GROUPS, ())
            for chunk in group.get(_COLUMNS, ())
        ]
        columns = [parquet.schema.column(i) for i in range(len(parquet.schema))] or [None]
        for number, sizes in enumerate(chunks):
            column = columns[number % len(columns)]
            if sizes is not None and not _fits(sizes, column):
                return str(column.name)
    except (AttributeError, TypeError, RecursionError) as error:
        msg = "its footer is not of this format"
        raise OSError(msg) from error
    return None


def _fits(sizes: dict[int, Any], column: Any) -> bool:
    return (
        len(sizes.get(_REPETITION, ())) in (0, column.max_repetition_level + 1)
        and len(sizes.get(_DEFINITION, ())) in (0, column.max_definition_level + 1)
        and (_UNENCODED not in sizes or column.physical_type == "BYTE_ARRAY")
    )


def _footer(source: Path | IO[bytes]) -> bytes:
    if isinstance(source, Path):
        with source.open("rb") as file:
            return _footer(file)
    before = source.tell()
    end = source.seek(-_END, 2)
    n_bytes = int.from_bytes(source.read(4), "little")
    source.seek(end - n_bytes)
    found = source.read(n_bytes)
    source.seek(before)
    return found


class _Compact:
    """Reads values: structs as {number of the field: value}, lists as lists."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self) -> dict[int, Any]:
        """The fields up to the end of the struct."""
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            found[number] = kind == 1 if kind in (1, 2) else self._value(kind)
        return found

    def _value(self, kind: int) -> Any:
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return self._take(8)
        if kind == 8:
            return self._take(self._number())
        if kind in (9, 10):
            head = self._byte()
            n = head >> 4 if head >> 4 < 15 else self._number()
            return [self._value(head & 15) for _ in range(n)]
        if kind == 12:
            return self.struct()
        msg = f"no value of a footer is of kind {kind}"
        raise OSError(msg)

    def _byte(self) -> int:
        return self._take(1)[0]

    def _number(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 128:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift

    def _signed(self) -> int:
        value = self._number()
        return value >> 1 ^ -(value & 1)

    def _take(self, n: int) -> bytes:
        found = self._data[self._at : self._at + n]
        if len(found) < n:
            msg = "the footer ends too early"
            raise OSError(msg)
        self._at += n
        return found
