"""The known forms of a pair table: which columns each needs, and what they mean."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aas_bench.errors import SchemaError
from aas_bench.tables.authors import RENAMED, renames
from aas_bench.tables.schema import (
    FILE_NAME,
    FILE_SHA256,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    PAIR_COLUMNS,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    UNKNOWN_MODEL,
    Label,
)
from aas_bench.tasks.taxonomy import EMOTIONS, HAPPY

_MOST_COLUMNS: Final = 20

EMOTION_SLOT: Final = "[emotion]"
"""Where the prompt of four faces takes the name of an emotion."""


class UnknownFormError(SchemaError):
    """A table of no known form.

    Attributes:
        missing: What the nearest form lacks.
        suggested: Each of them -> the column that it is likely to be.
        free: The columns that are none of ours.
    """

    def __init__(
        self, message: str, *, missing: Sequence[str], suggested: Mapping[str, str], free: list[str]
    ) -> None:
        super().__init__(message)
        self.missing, self.suggested, self.free = tuple(missing), dict(suggested), tuple(free)


@dataclass(frozen=True, kw_only=True)
class PairColumns:
    """How the columns of a row make one pair.

    Attributes:
        columns: Their column -> ours, before the general names of `authors.RENAMED`. A dot names
            a field of a struct.
        dimensions: Columns to take the dimensions from where the table has none: the first there.
        model: What made the images, where no column says.
        label: The label, where the pair is built so that it is known.
        emotion: What fills the slot of the row's prompt; ends the `pair_id`.
        alone: The image stands alone: there is no I_o.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    dimensions: tuple[str, ...] = ()
    model: str = UNKNOWN_MODEL
    label: Label | None = None
    emotion: str | None = None
    alone: bool = False

    def renames(self, columns: Collection[str]) -> dict[str, str]:
        """Their column -> ours, for the columns that a table has; the first of several wins."""
        return renames(columns, self.columns)


@dataclass(frozen=True, kw_only=True)
class Form:
    """A kind of table; a row holds one pair for each of its `pair_columns`.

    Attributes:
        name: For error messages.
        needs: The columns without which a table is not of this form.
        images: Its image columns.
        pair_columns: How each pair of a row is made.
    """

    name: str
    needs: tuple[str, ...]
    images: tuple[str, ...]
    pair_columns: tuple[PairColumns, ...]

    def lacks(self, columns: Collection[str]) -> list[str]:
        """The needed columns that are not there under any of their names."""
        there = {*columns, *self.pair_columns[0].renames(columns).values()}
        return [name for name in self.needs if name not in there]


def _emotion(emotion: str) -> PairColumns:
    return PairColumns(
        columns={f"{HAPPY}_image": IMAGE_ORIGINAL, f"{emotion}_image": IMAGE_DISTORTED},
        model="gemini-2.5-flash-image",
        label=Label.DISTORTED,
        emotion=emotion,
    )


def _comparison(aligned: str, free: str) -> Form:
    """Two generators, one column each, under one prompt."""
    columns = {aligned: IMAGE_ORIGINAL, free: IMAGE_DISTORTED, "prompt": PROMPT_DISTORTED}
    return Form(
        name="critical comparison",
        needs=tuple(columns),
        images=(aligned, free),
        pair_columns=(
            PairColumns(
                columns=columns, dimensions=("topic",), model="flux_krea-against-dance_flux"
            ),
        ),
    )


_FACES: Final = tuple(f"{emotion}_image" for emotion in EMOTIONS)

FORMS: Final = (
    Form(
        name="pairs",
        needs=(IMAGE_ORIGINAL, IMAGE_DISTORTED, PROMPT_DISTORTED),
        images=(IMAGE_ORIGINAL, IMAGE_DISTORTED),
        pair_columns=(PairColumns(),),
    ),
    Form(
        name="photographs",
        needs=("image", "clean_image", "anti_aesthetic_caption"),
        images=("image", "clean_image"),
        pair_columns=(
            PairColumns(
                columns={
                    "clean_image": IMAGE_ORIGINAL,
                    "image": IMAGE_DISTORTED,
                    "clean_caption": PROMPT_ORIGINAL,
                    "anti_aesthetic_caption": PROMPT_DISTORTED,
                },
                dimensions=("elements", "category"),
                label=Label.DISTORTED,
            ),
        ),
    ),
    Form(
        name="emotions",
        needs=(*_FACES, "prompt"),
        images=_FACES,
        pair_columns=tuple(_emotion(e) for e in EMOTIONS if e != HAPPY),
    ),
    _comparison("images.dance_flux", "images.flux_krea"),
    _comparison("dance_flux", "flux_krea"),
    _comparison("image_dance_flux", "image_flux_krea"),
    _comparison("dance_flux_image", "flux_krea_image"),
    Form(
        name="paintings",
        needs=("image", "caption"),
        images=("image",),
        pair_columns=(
            PairColumns(
                columns={"image": IMAGE_DISTORTED, "caption": PROMPT_DISTORTED}, alone=True
            ),
        ),
    ),
)
"""In the order in which they are tried."""


def match_form(columns: Collection[str], source: str) -> Form:
    """The form whose needs the columns meet, the first of several.

    Raises:
        SchemaError: None does; says what the nearest form lacks.
    """
    lacks = [(form.lacks(columns), form) for form in FORMS]
    missing, nearest = min(lacks, key=lambda item: len(item[0]) / len(item[1].needs))
    if missing:
        raise _no_form(list(columns), nearest, missing, source)
    return nearest


def known_columns() -> set[str]:
    """Every name that a form looks for, but those inside a struct."""
    names = {n for form in FORMS for n in form.needs}
    names |= {n for form in FORMS for each in form.pair_columns for n in each.columns}
    return {FILE_NAME, FILE_SHA256, *(n for n in names if "." not in n)}


def _no_form(
    columns: list[str], nearest: Form, missing: list[str], source: str
) -> UnknownFormError:
    """What fits the nearest form, what it lacks, and the command that says which columns it is."""
    fits = [name for name in nearest.needs if name not in missing]
    there = f"has {', '.join(fits)} and " if fits else ""
    taken = {*known_columns(), *RENAMED, *PAIR_COLUMNS}
    free = [name for name in columns if name not in taken]
    listed = ", ".join(columns[:_MOST_COLUMNS]) + (", ..." if len(columns) > _MOST_COLUMNS else "")
    said = (
        f"{source}: no pair table of a known form. The nearest form ({nearest.name}) {there}also "
        f"needs {', '.join(missing)}; the columns here are {listed}."
    )
    if len(free) < len(missing):
        said = f"{said} Add the columns that lack."
        return UnknownFormError(said, missing=missing, suggested={}, free=[])
    left, suggested = list(free), {}
    for name in missing:
        near = difflib.get_close_matches(name, left, n=1, cutoff=0) or left[:1]
        suggested[name] = near[0]
        left.remove(near[0])
    named = ",".join(f"{theirs}={ours}" for ours, theirs in suggested.items())
    said = (
        f"{said} Add them, or say which columns they are: aas-bench score --data {source} "
        f"--columns '{named}' ..."
    )
    return UnknownFormError(said, missing=missing, suggested=suggested, free=free)


def absent_image(columns: Collection[str]) -> str | None:
    """The image column that a table lacks because it only names the files of its images."""
    if not {FILE_NAME, FILE_SHA256} <= set(columns):
        return None
    for form in FORMS:
        lacks = form.lacks(columns)
        if len(lacks) == 1 and lacks[0] in form.images:
            return lacks[0]
    return None
