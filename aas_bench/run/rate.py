"""Rate images of pairs by dimension, part by part; killed at any instant, it goes on by the parts.

A part is a fixed range of pairs with the ratings of both images by every rater, stored whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from aas_bench.errors import InputError, StoreError
from aas_bench.judges.base import NOT_ASKED, OK
from aas_bench.run.directory import RunDirectory
from aas_bench.run.groups import PairRow, UndecodedPairs
from aas_bench.tables.images import open_image
from aas_bench.tables.judge_columns import IMAGES
from aas_bench.tables.schema import INDEX, PAIR_ID

if TYPE_CHECKING:
    import pandas as pd
    from PIL import Image

    from aas_bench.judges.dimension_rater import DimensionRater

PART_SIZE: Final = 16
"""Pairs of a part."""
NO_IMAGE: Final = "there is none"


def rated_parts(
    source: UndecodedPairs,
    raters: Sequence[DimensionRater],
    run: RunDirectory,
    advance: Callable[[int], object],
) -> Iterator[tuple[list[PairRow], pd.DataFrame]]:
    """The pairs of each part, and a row for each rater, image and dimension of them.

    Args:
        source: The pairs.
        raters: Who rates.
        run: Where parts are kept.
        advance: Told of pairs and raters that are done.

    Raises:
        StoreError: A stored part is of other pairs.
    """
    import pandas as pd
    import pyarrow as pa

    number = 0
    while rows := list(source.read(number * PART_SIZE, (number + 1) * PART_SIZE)):
        stored = run.part(number)
        if stored is None:
            made = [row for rater in raters for row in _rate(rater, rows)]
            stored = pa.Table.from_pandas(pd.DataFrame(made), preserve_index=False)
            run.write_part(number, stored.replace_schema_metadata(None))
        frame = stored.to_pandas()
        ids = [row.values[PAIR_ID] for row in rows]
        if list(dict.fromkeys(frame[PAIR_ID])) != ids:
            msg = f"{run.path}: part {number} is of other pairs. Give another directory."
            raise StoreError(msg)
        advance(len(rows) * len(raters))
        yield rows, frame
        number += 1


def _rate(rater: DimensionRater, rows: Sequence[PairRow]) -> Iterator[dict[str, Any]]:
    started = time.perf_counter()
    opened, faults = _opened(rows)
    ratings = rater.rate(list(opened.values()))
    place = {where: at for at, where in enumerate(opened)}
    latency = (time.perf_counter() - started) / max(len(opened), 1)
    for number, row in enumerate(rows):
        for shown in IMAGES:
            at = place.get((number, shown))
            facts = {
                PAIR_ID: row.values[PAIR_ID],
                INDEX: row.values[INDEX],
                "judge": rater.name,
                "image": f"{row.values[PAIR_ID]} image_{shown}",
                "shown": shown,
                "status": NOT_ASKED if at is None else OK,
                "reason": faults.get((number, shown)),
                "attempts": int(at is not None),
                "latency_seconds": latency,
            }
            for column, dimension in enumerate(rater.questions):
                told = None if at is None else ratings.probability[at, column].tolist()
                yield facts | {
                    "dimension": dimension,
                    "prediction": None if at is None else float(ratings.expectation[at, column]),
                    **{f"p{mark}": None if told is None else told[mark] for mark in range(3)},
                    "mass": None if at is None else float(ratings.mass[at, column]),
                }


_Where = tuple[int, str]


def _opened(
    rows: Sequence[PairRow],
) -> tuple[Mapping[_Where, Image.Image], Mapping[_Where, str]]:
    """The images by row and name, and why one cannot be seen."""
    opened, faults = {}, {}
    for number, row in enumerate(rows):
        for shown, image in zip(IMAGES, (row.original, row.distorted), strict=True):
            try:
                if image.struct is None:
                    faults[number, shown] = NO_IMAGE
                else:
                    name = f"image_{shown} of {row.values[PAIR_ID]}"
                    opened[number, shown] = open_image(image.struct, name=name)
            except InputError as error:
                faults[number, shown] = str(error)
    return opened, faults
