"""Text tables: unpacked, decoded, and their cells between whatever marks, or as JSON."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import json
import lzma
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from aas_bench.errors import InputError, SchemaError, first_line, raise_faults
from aas_bench.files import json_value
from aas_bench.tables.authors import RENAMED
from aas_bench.tables.schema import (
    MODEL,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    Columns,
    repeated_columns,
)

MAX_UNPACKED: Final = 4 * 2**30
"""Bytes of a packed table; one that holds more is refused before it fills the memory."""

MAX_ROW: Final = 16 * 2**20
"""Bytes of one row."""

_DELIMITERS: Final = (",", "\t", ";", "|")
_SAMPLE: Final = 2**16
_SAMPLE_ROWS: Final = 50
_TEXT: Final = (PAIR_ID, MODEL, PROMPT_ORIGINAL, PROMPT_DISTORTED)
_TEXT_COLUMNS: Final = frozenset(
    {*_TEXT, "prompt", "caption", "anti_aesthetic_caption", "clean_caption"}
    | {theirs for theirs, ours in RENAMED.items() if ours in _TEXT}
)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC: Final[tuple[tuple[bytes, Callable[[IO[bytes]], Any]], ...]] = (
    (b"\x1f\x8b", lambda raw: gzip.GzipFile(fileobj=raw)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\x00", lzma.LZMAFile),
    (b"\x28\xb5\x2f\xfd", lambda raw: _zstd(raw)),
    (b"PK\x03\x04", lambda raw: _only_member(raw)),
)
_HALF: Final = re.compile(r"\\u[dD][89a-fA-F]..")
_DECIMAL_COMMA: Final = r"^[ \t]*[-+]?\d*(,\d+)?([eE][-+]?\d+)?[ \t]*$"


def read_text_table(file: Path, kind: str) -> Columns:
    """The columns of a text table.

    Args:
        file: It may be packed, whatever its name says.
        kind: ".csv", ".tsv", ".json", ".jsonl" or ".ndjson".

    Raises:
        InputError: It cannot be read, or unpacks to more than `MAX_UNPACKED` bytes.
        SchemaError: Lines are no objects, or two columns have one name.
    """
    with _told(file):
        return _read_csv(file) if kind in (".csv", ".tsv") else _read_json(file, kind)


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Say in one line why a file cannot be unpacked or read."""
    try:
        yield
    except (OSError, EOFError, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise _unreadable(file, error) from error


def read_lines(file: Path) -> tuple[Columns, dict[int, str]]:
    """The objects of a JSON lines file as columns, and what is wrong with the other lines.

    Raises:
        InputError: It cannot be read.
    """
    with _told(file):
        return _lines(_text(file))


def _lines(text: str) -> tuple[Columns, dict[int, str]]:
    rows: list[dict[str, Any]] = []
    broken: dict[int, str] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        if len(line) > MAX_ROW:
            broken[number] = f"is longer than {MAX_ROW:,} characters"
            continue
        try:
            row = _parsed(line)
        except ValueError as error:
            broken[number] = f"is not JSON ({getattr(error, 'msg', error)})"
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            broken[number] = "is not an object"
    return _columns(rows), broken


def _parsed(text: str) -> Any:
    """A JSON document whose texts are whole: half a pair of surrogates fits no table."""
    value = json_value(text)
    if half := _HALF.search(text):
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            msg = f"it holds {half[0]}, half of a character"
            raise ValueError(msg) from error
    return value


def _unreadable(file: Path, error: Exception) -> InputError:
    return InputError(
        f"{file}: cannot be read ({first_line(error):.200}). Check the file and its encoding."
    )


@contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    """The bytes of a text table, unpacked as its first bytes ask, however it is called."""
    with file.open("rb") as raw:
        start = raw.read(8)
        raw.seek(0)
        unpack = next((each for magic, each in _MAGIC if start.startswith(magic)), None)
        yield raw if unpack is None else io.BufferedReader(_Bounded(file, unpack(raw)))


class _Bounded(io.RawIOBase):
    """An unpacked file that ends with an error once it has given `MAX_UNPACKED` bytes."""

    def __init__(self, file: Path, source: Any) -> None:
        self.file, self.source, self.n_read = file, source, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.source.read(len(buffer))
        buffer[: len(content)] = content
        self.n_read += len(content)
        if self.n_read > MAX_UNPACKED:
            msg = f"{self.file}: unpacks to more than {MAX_UNPACKED:,} bytes. Split the table."
            raise InputError(msg)
        return len(content)


def _zstd(raw: IO[bytes]) -> Any:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")


def _only_member(raw: IO[bytes]) -> Any:
    archive = zipfile.ZipFile(raw)
    names = [each for each in archive.namelist() if not each.endswith("/")]
    if len(names) != 1:
        msg = f"it is a zip archive of {len(names)} files, or a spreadsheet, and not one text table"
        raise zipfile.BadZipFile(msg)
    return archive.open(names[0])


def _encoding(file: Path, head: bytes) -> str:
    """How a text table is encoded: as its first bytes say, else UTF-8."""
    found = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if found is not None:
        return found
    if b"\0" in head:
        odd, even = head[1:400:2].count(0), head[:400:2].count(0)
        if not min(odd, even) and max(odd, even) > len(head[:400]) // 4:
            return "utf-16-le" if odd else "utf-16-be"
        msg = f"{file}: holds NUL bytes: it is no text table. Save it as text in UTF-8."
        raise InputError(msg)
    return "utf-8"


def _text(file: Path) -> str:
    with _opened(file) as raw:
        return _decoded(file, raw.read())


def _decoded(file: Path, content: bytes) -> str:
    try:
        return content.decode(_encoding(file, content[:_SAMPLE]))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        msg = (
            f"{file}: line {line} is not UTF-8. Save it in UTF-8, e.g. "
            f"iconv -f WINDOWS-1252 -t UTF-8 {file.name} > utf8-{file.name}"
        )
        raise InputError(msg) from error


def _read_csv(file: Path) -> Columns:
    import pyarrow as pa
    from pyarrow import csv as arrow

    with _opened(file) as raw:
        head = raw.read(_SAMPLE)
    encoding = _encoding(file, head)
    sample = head.decode(encoding, errors="replace").lstrip("\ufeff")
    if not sample.strip():
        return {}
    told = re.match(r"sep=([\t -!#-~])\r?\n", sample)  # as Excel writes it
    sample = sample[told.end() :] if told else sample
    mark = told[1] if told else _delimiter(sample, len(head) == _SAMPLE)
    # Arrow, because its floats are exact in every version; those of pandas are not.
    cells = arrow.ConvertOptions(
        null_values=[""],
        strings_can_be_null=True,
        column_types=dict.fromkeys(_text_columns(sample, mark), pa.string()),
    )
    try:
        with _opened(file) as raw:
            # Threads of Arrow's own may drop a Python object after the interpreter has ended,
            # which aborts the process: they get a file of Arrow's, and all else is read here.
            same = encoding in ("utf-8", "utf-8-sig")
            own = same and not isinstance(getattr(raw, "raw", None), _Bounded)
            source = raw if same else io.BytesIO(_decoded(file, raw.read()).encode())
            table = arrow.read_csv(
                pa.OSFile(str(file)) if own else source,
                read_options=arrow.ReadOptions(
                    use_threads=own, block_size=MAX_ROW // 2, skip_rows=1 if told else 0
                ),
                parse_options=arrow.ParseOptions(delimiter=mark, newlines_in_values=True),
                convert_options=cells,
            )
    except pa.ArrowInvalid as error:
        raise _bad_csv(file, error) from error
    try:
        binary = any(pa.types.is_binary(field.type) for field in table.schema)
        header = table.column_names
    except UnicodeDecodeError:
        binary, header = True, []
    if binary:
        _text(file)  # raises, with the line
    names = [name for name in header if name.strip()]  # one without a name: the index
    raise_faults(file, repeated_columns(names), "Rename one of them.")
    columns = {name: _as_text(table[name]) for name in names}
    return {n: _with_point(c) for n, c in columns.items()} if mark != "," else columns


def _bad_csv(file: Path, error: Exception) -> InputError:
    """Why Arrow could not read it, in the words of who wrote the table."""
    reason = first_line(error)[:200]
    if "Empty CSV" in reason:
        return SchemaError(f"{file}: the table is empty. Give at least one row and one column.")
    if "UTF8" in reason:
        _text(file)
    wrong = re.search(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)", reason)
    if wrong:
        row, expected, got = wrong.groups()
        where = f"row {row}" if row else "a row"
        return InputError(
            f"{file}: is not readable CSV ({where} has {got} cells, the header {expected}). "
            "Quote cells that hold commas or other delimiters."
        )
    if "straddling" in reason:
        return InputError(
            f"{file}: is not readable CSV (a row is longer than {MAX_ROW:,} bytes, or a quotation "
            "mark is never closed). Close it, or leave the column out."
        )
    return InputError(f"{file}: is not readable CSV ({reason}). Mend the cell.")


def _delimiter(sample: str, cut: bool) -> str:  # noqa: FBT001 - private
    """The mark that gives the first rows equally many cells, the most; else that of the header.

    `csv.Sniffer` guesses from single letters too and is led astray by prompts.
    """
    found: dict[str, int] = {}
    in_header: dict[str, int] = {}
    for mark in _DELIMITERS:
        rows = _rows(sample, mark, _SAMPLE_ROWS)
        full = [row for row in rows if row]
        in_header[mark] = len(full[0]) if full else 0
        if cut and len(rows) < _SAMPLE_ROWS:
            full = full[:-1]
        if len({len(row) for row in full}) == 1 and len(full[0]) > 1:
            found[mark] = len(full[0])
    most = found or in_header
    return max(most, key=lambda mark: most[mark], default=",")


def _text_columns(sample: str, mark: str) -> list[str]:
    """The columns that hold text even where a cell looks like a number."""
    names = [name for row in _rows(sample, mark, 1) for name in row]
    return [name for name in names if name.strip().lower() in _TEXT_COLUMNS]


def _rows(sample: str, mark: str, most: int) -> list[list[str]]:
    """The first rows of a sample; none where a cell is too large for the module."""
    try:
        return list(islice(csv.reader(io.StringIO(sample), delimiter=mark), most))
    except csv.Error:
        return []


def _as_text(column: Any) -> Any:
    """Dates and times stay the text that they were."""
    import pyarrow as pa

    return column.cast(pa.string()) if pa.types.is_temporal(column.type) else column


def _with_point(column: Any) -> Any:
    """A column of numbers with decimal commas as numbers; any other as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(column.type) or column.null_count == len(column):
        return column
    known = column.drop_null()
    decimal = pc.all(pc.match_substring_regex(known, _DECIMAL_COMMA)).as_py()
    if not decimal or not pc.any(pc.match_substring(known, ",")).as_py():
        return column
    return pc.utf8_trim_whitespace(pc.replace_substring(column, ",", ".")).cast(pa.float64())


def _read_json(file: Path, kind: str) -> Columns:
    """Objects one a line, a list of objects, or one object of columns, whatever the name says."""
    text = _text(file)
    start, lines = text.lstrip()[:1], kind != ".json"
    if lines and start != "[":
        return _only_lines(file, text)
    try:
        document = _parsed(text)
    except ValueError as error:
        if lines or _begins_with_line(text):
            return _only_lines(file, text)
        reason = first_line(error)[:200]
        msg = f"{file}: is not JSON ({reason}). One object a line belongs in a .jsonl file."
        raise InputError(msg) from error
    found = _from_document(document)
    if found is None:
        msg = f"{file}: is not a list of objects. Write [{{...}}, {{...}}], one object per row."
        raise SchemaError(msg)
    return found


def _begins_with_line(text: str) -> bool:
    """Whether the first line is a whole object."""
    try:
        return isinstance(json_value(text.lstrip().split("\n", 1)[0]), dict)
    except ValueError:
        return False


def _only_lines(file: Path, text: str) -> Columns:
    columns, broken = _lines(text)
    faults = [f"line {number} {fault}" for number, fault in broken.items()]
    raise_faults(file, faults, "Each line holds one JSON object.")
    return columns


def _from_document(document: Any) -> Columns | None:
    """The columns of a JSON document of rows or of columns; None where it is neither."""
    if isinstance(document, list):
        rows = document
        return _columns(rows) if all(isinstance(row, dict) for row in rows) else None
    if not isinstance(document, dict) or not document:
        return None
    held = document.get("data", document.get("rows"))
    if isinstance(held, list) and isinstance(document.get("columns"), list):  # pandas' "split"
        names = [str(name) for name in document["columns"]]
        rows = [dict(zip(names, row, strict=False)) for row in held]
        return _columns(rows)
    if isinstance(held, list) and held and all(isinstance(row, dict) for row in held):
        return _columns([row.get("row", row) for row in held])
    parts = list(document.values())
    if all(isinstance(part, list) for part in parts):
        return dict(document) if len({len(part) for part in parts}) == 1 else None
    if all(isinstance(part, dict) for part in parts):
        if all(name.isdecimal() for name in document):  # pandas' "index": row -> its cells
            return _columns(parts)
        return (
            {name: list(part.values()) for name, part in document.items()}
            if (len({tuple(part) for part in parts}) == 1)
            else None
        )
    return _columns([document]) if not any(isinstance(p, (list, dict)) for p in parts) else None


def _columns(rows: Iterable[Mapping[str, Any]]) -> Columns:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
