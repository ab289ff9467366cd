"""The picture grid of a card: a few rows, what was asked for always on the right."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image, ImageDraw

from aas_bench.errors import InputError
from aas_bench.tables.images import open_image
from aas_bench.tables.schema import IMAGE_DISTORTED, IMAGE_ORIGINAL, PROMPT_DISTORTED

if TYPE_CHECKING:
    from datasets import Features

FILE: Final = "assets/grid.jpg"
N_ROWS: Final = 6
PER_LINE: Final = 3
CELL: Final = 240
GAP: Final = 8
BETWEEN: Final = 28
FRAME: Final = 3
TEAL: Final = "#0b5f66"
PAPER: Final = "#f4f4f2"
_QUALITY: Final = 88


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A finished grid.

    Attributes:
        jpeg: The picture.
        prompts: What each shown row asks for, line by line.
        pairs: Whether each row shows two images.
    """

    jpeg: bytes
    prompts: tuple[str, ...]
    pairs: bool


def picture_grid(
    files: Sequence[Path], features: Features, *, where: Mapping[str, Any] | None = None
) -> Grid | None:
    """Draw rows spread evenly over the files; None where no row has an image.

    Args:
        files: The Parquet files of a configuration.
        features: Its features.
        where: Only rows with these values; columns that are not there are no condition.
    """
    images = [name for name in (IMAGE_ORIGINAL, IMAGE_DISTORTED) if name in features]
    if IMAGE_DISTORTED not in images:
        return None
    shown = list(_rows(files, features, images, where or {}))
    if not shown:
        return None
    pairs = any(IMAGE_ORIGINAL in row for row in shown)
    sheet = _sheet([_tile(row, pairs=pairs) for row in shown])
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    prompts = tuple(str(row.get(PROMPT_DISTORTED) or "") for row in shown)
    return Grid(jpeg=buffer.getvalue(), prompts=prompts, pairs=pairs)


def _rows(
    files: Sequence[Path], features: Features, images: list[str], where: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Rows whose images can be read; one row group in memory at a time."""
    import pyarrow.parquet as pq

    wanted = {name: value for name, value in where.items() if name in features}
    small = [name for name in (PROMPT_DISTORTED, *wanted) if name in features]
    fitting = [
        (file, number, row)
        for file in files
        for number, row in enumerate(pq.read_table(file, columns=small).to_pylist())
        if all(row[name] == value for name, value in wanted.items())
    ]
    for at in _spread(len(fitting)):
        file, number, row = fitting[at]
        cells = _cells(pq.ParquetFile(file), number, images)
        try:
            pictures = {n: open_image(c, name=n) for n, c in cells.items() if c is not None}
        except InputError:
            continue  # the grid is a sample: the builder is where a bad image is a fault
        if IMAGE_DISTORTED in pictures:
            yield {**row, **pictures}


def _spread(n_rows: int) -> list[int]:
    """At most `N_ROWS` positions, the first and the last among them."""
    n_shown = min(N_ROWS, n_rows)
    return [round(i * (n_rows - 1) / max(1, n_shown - 1)) for i in range(n_shown)]


def _cells(file: Any, number: int, images: list[str]) -> dict[str, Any]:
    """The undecoded images of one row."""
    for group in range(file.num_row_groups):
        n_rows = file.metadata.row_group(group).num_rows
        if number < n_rows:
            cells: dict[str, Any] = (
                file.read_row_group(group, columns=images).slice(number, 1).to_pylist()[0]
            )
            return cells
        number -= n_rows
    msg = f"the file has no row {number}"
    raise IndexError(msg)


def _tile(row: Mapping[str, Any], *, pairs: bool) -> Image.Image:
    """I_o on the left without a frame, I_a on the right with a thin teal one."""
    names = (IMAGE_ORIGINAL, IMAGE_DISTORTED) if pairs else (IMAGE_DISTORTED,)
    tile = Image.new("RGB", (CELL * len(names) + GAP * (len(names) - 1), CELL), PAPER)
    for place, name in enumerate(names):
        if name not in row:
            continue
        picture = row[name].copy()
        picture.thumbnail((CELL - 2 * FRAME, CELL - 2 * FRAME), Image.Resampling.LANCZOS)
        left = place * (CELL + GAP) + (CELL - picture.width) // 2
        top = (CELL - picture.height) // 2
        tile.paste(picture, (left, top))
        if name == IMAGE_DISTORTED:
            edge = (left - FRAME, top - FRAME)
            end = (left + picture.width + FRAME - 1, top + picture.height + FRAME - 1)
            ImageDraw.Draw(tile).rectangle((edge, end), outline=TEAL, width=FRAME)
    return tile


def _sheet(tiles: list[Image.Image]) -> Image.Image:
    columns = min(PER_LINE, len(tiles))
    lines = -(-len(tiles) // columns)
    width, height = tiles[0].size
    size = (columns * (width + BETWEEN) + BETWEEN, lines * (height + BETWEEN) + BETWEEN)
    sheet = Image.new("RGB", size, PAPER)
    for number, tile in enumerate(tiles):
        line, column = divmod(number, columns)
        left = BETWEEN + column * (width + BETWEEN)
        sheet.paste(tile, (left, BETWEEN + line * (height + BETWEEN)))
    return sheet
