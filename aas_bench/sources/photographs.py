"""All that the sources say of each curated photograph, in one record."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from aas_bench.errors import InputError
from aas_bench.sources.ava import Votes, read_votes
from aas_bench.sources.curation import (
    Caption,
    Commit,
    Curated,
    SourceFault,
    read_captions,
    read_curation,
)
from aas_bench.sources.style_words import leaked_words
from aas_bench.tables.user_images import image_key
from aas_bench.tasks.taxonomy import elements as known_elements

_ROUNDING: Final = 0.00501
"""The authors' tables give mean ratings to two decimals."""


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """One photograph.

    Attributes:
        ava_id: Its number in AVA.
        file_name: Its file in AVA.
        index: The authors' index: its place in the curation.
        curated: How it was chosen; None where no curation names it.
        captions: What was said of it, in the order of the sources.
        votes: Its ratings; None where AVA.txt is not given or lacks it.
    """

    ava_id: int
    file_name: str
    index: int
    curated: Curated | None
    captions: tuple[Caption, ...]
    votes: Votes | None

    @property
    def unknown_elements(self) -> list[str]:
        """Elements that the taxonomy does not have, with the nearest that it has."""
        named = {element: None for caption in self.captions for element in caption.elements}
        return [
            " ".join([repr(e), *(f"(near: {n})" for n in difflib.get_close_matches(e, KNOWN, 1))])
            for e in named
            if e not in KNOWN
        ]

    @property
    def elements(self) -> list[str]:
        """The elements that any caption names, in the order of the taxonomy."""
        named = {element for caption in self.captions for element in caption.elements}
        return [element for element in KNOWN if element in named]

    @property
    def caption(self) -> Caption | None:
        """The caption that counts: the first with a clean one, else the first."""
        with_clean = (c for c in self.captions if c.clean is not None)
        return next(with_clean, self.captions[0] if self.captions else None)

    @property
    def category(self) -> str | None:
        """The main element, where a source names one."""
        return next((c.category for c in self.captions if c.category is not None), None)

    @property
    def anti_aesthetic(self) -> str | None:
        """The request that the photograph meets."""
        return self.caption.anti_aesthetic if self.caption else None

    @property
    def objective(self) -> str | None:
        """The long neutral description."""
        return next((c.objective for c in self.captions if c.objective is not None), None)

    @property
    def clean(self) -> str | None:
        """The request for the same content without the style; see `clean_source`."""
        if self.caption is None:
            return None
        return self.caption.clean or self.caption.objective

    @property
    def clean_source(self) -> Literal["clean_caption", "objective_caption"] | None:
        """Where `clean` comes from."""
        if self.clean is None or self.caption is None:
            return None
        return "clean_caption" if self.caption.clean else "objective_caption"

    @property
    def scores(self) -> Mapping[str, float]:
        """`<reward>_<cell>` -> score, as the sources give them."""
        return dict(score for caption in reversed(self.captions) for score in caption.scores)

    @property
    def human_score(self) -> float | None:
        """Mean rating of AVA's voters, in [1, 10]; from AVA.txt, else from a caption table."""
        if self.votes is not None:
            return self.votes.mean
        return next((c.human_score for c in self.captions if c.human_score is not None), None)

    def doubts(self) -> Iterator[str]:
        """What a human should look at."""
        if self.curated is None:
            yield "is captioned, but no commit of the curation kept it"
        said = {c.anti_aesthetic for c in self.captions if c.anti_aesthetic}
        if len(said) > 1 and self.caption is not None:
            yield f"has {len(said)} anti-aesthetic captions; that of {self.caption.origin} is used"
        for caption in self.captions:
            if caption.index is not None and caption.index != self.index:
                yield f"has the index {caption.index} in {caption.origin}, {self.index} here"
            given = caption.human_score
            if self.votes and given is not None and abs(given - self.votes.mean) > _ROUNDING:
                mean = self.votes.mean
                yield f"has the mean rating {given} in {caption.origin}, {mean:.3f} in AVA.txt"
        for element, word in leaked_words(self.clean or ""):
            yield f"its clean caption says {word!r}, a word of {element}"


@dataclass(frozen=True, kw_only=True)
class Photographs:
    """All photographs in the order of their index, and what the sources got wrong.

    Attributes:
        photographs: Each once.
        commits: How they were found.
        faults: Lines and files that were passed over.
        rated: Whether an AVA.txt was read.
    """

    photographs: tuple[Photograph, ...]
    commits: tuple[Commit, ...]
    faults: tuple[SourceFault, ...]
    rated: bool


KNOWN: Final = known_elements()


def read_photographs(
    *, curation: Path | None, captions: Iterable[Path], votes: Path | None
) -> Photographs:
    """Join curation, captions and ratings by the name of the photograph.

    Args:
        curation: See `curation.read_curation`; None: the captions say which photographs there are.
        captions: See `curation.read_captions`; may be empty where there is a curation.
        votes: AVA.txt; None: ratings are those of the captions.

    Raises:
        InputError: A source cannot be read, or none names a photograph.
        SchemaError: The curation is of no known form.
    """
    chosen = read_curation(curation) if curation else None
    faults: list[SourceFault] = []
    said: dict[str, list[Caption]] = {}
    for path in captions:
        found, bad = read_captions(path)
        faults += bad
        for caption in found:
            said.setdefault(image_key(caption.file_name), []).append(caption)
    table = read_votes(votes) if votes else None
    if table is not None and votes is not None:
        faults += [
            SourceFault(where=f"{votes.name} line {fault.line}", reason=fault.reason)
            for fault in table.faults
        ]
    photographs = []
    for name, index, curated in _named(chosen.photos if chosen else (), said):
        key = image_key(name)
        if not key.isdecimal():
            reason = "its name is not a number, so it is no photograph of AVA"
            faults.append(SourceFault(where=name, reason=reason))
            continue
        photographs.append(
            Photograph(
                ava_id=int(key),
                file_name=name,
                index=index,
                curated=curated,
                captions=tuple(said.get(key, ())),
                votes=table.votes.get(int(key)) if table else None,
            )
        )
    if not photographs:
        msg = "no source names a photograph. Give a curation (--curation) or captions (--captions)."
        raise InputError(msg)
    return Photographs(
        photographs=tuple(photographs),
        commits=chosen.commits if chosen else (),
        faults=tuple(faults),
        rated=table is not None,
    )


def _named(
    curated: Iterable[Curated], said: Mapping[str, list[Caption]]
) -> Iterator[tuple[str, int, Curated | None]]:
    """Name, index and curation of every photograph; those that only captions name come last."""
    seen: set[str] = set()
    following = 0
    for photo in curated:
        seen.add(image_key(photo.file_name))
        following = photo.index + 1
        yield photo.file_name, photo.index, photo
    alone = [captions[0] for key, captions in said.items() if key not in seen]
    without_curation = not seen
    for caption in alone:
        given = caption.index if without_curation else None
        yield caption.file_name, following if given is None else given, None
        following += 1
