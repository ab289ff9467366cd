"""How good one picture is in each dimension: asked as any question is, answered in probabilities.

What the picture was made from is not told, so a rating does not depend on any prompt.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aas_bench.errors import InputError
from aas_bench.judges.base import NOT_ASKED, OK, Answer, Judge, Keep, Question, Rubric
from aas_bench.tables.images import open_image
from aas_bench.tasks.taxonomy import DIMENSIONS

MARKS: Final = (0, 1, 2)
PREAMBLE: Final = (
    "You mark one property of the picture and nothing else. 0: poor. 1: middling. 2: good.\n"
)
_BATCHES: Final = 8
"""Batches of pictures that are read at once, so that those of one size may share a batch."""


def _question(name: str, meaning: str) -> str:
    what = meaning.partition(";")[0]
    return f"Property: {name}. {what}.\nAnswer with one digit: 0, 1 or 2."


QUESTIONS: Final[Mapping[str, str]] = {n: _question(n, m) for n, m in DIMENSIONS.items()}
"""Dimension -> what a rater is asked."""

RUBRIC: Final = Rubric(
    name="dimensions", version=1, instructions="\n".join([PREAMBLE, *QUESTIONS.values()])
)


def rating_question(image: Mapping[str, Any] | None) -> Question:
    """How good one undecoded image is, in all dimensions."""
    return Question(rubric=RUBRIC, task={}, images={"picture": image}, schema={})


@dataclass(frozen=True, kw_only=True, eq=False)
class Ratings:
    """Ratings of images.

    Attributes:
        dimensions: The columns.
        probability: Shape (n_images, n_dimensions, 3): of the marks 0, 1 and 2, summing to 1.
        mass: Shape (n_images, n_dimensions): how probable it was that the model gives one of the
            three at all. Where this is small, a rating says little.
    """

    dimensions: tuple[str, ...]
    probability: NDArray[np.float64]
    mass: NDArray[np.float64]

    @property
    def expectation(self) -> NDArray[np.float64]:
        """Shape (n_images, n_dimensions), in [0, 2]."""
        expected: NDArray[np.float64] = self.probability @ np.array(MARKS, dtype=np.float64)
        return expected

    def values(self, row: int) -> dict[str, Any]:
        """Those of one image as the values of an answer: what `rating_rows` reads."""
        return {
            dimension: [*self.probability[row, column].tolist(), float(self.mass[row, column])]
            for column, dimension in enumerate(self.dimensions)
        }


class Rater(Judge):
    """A judge that answers a `rating_question`.

    Attributes:
        batch_size: Images at once.
    """

    batch_size: int

    @abstractmethod
    def rate(self, images: Sequence[Image.Image]) -> Ratings:
        """Rate images, RGB."""

    def ask(
        self, questions: Iterable[Question], *, keep: Keep = lambda *_: None
    ) -> Generator[Answer, None, None]:
        """See `Judge.ask`."""
        left = iter(questions)
        while several := list(islice(left, _BATCHES * self.batch_size)):
            answers = self._answers(several)
            for question, answer in zip(several, answers, strict=True):
                keep(question, answer)
            yield from answers

    def _answers(self, several: Sequence[Question]) -> list[Answer]:
        started = time.perf_counter()
        opened: dict[int, Image.Image] = {}
        answers: dict[int, Answer] = {}
        for place, question in enumerate(several):
            try:
                [(title, cell)] = question.images.items()
                opened[place] = open_image(cell, name=title)
            except InputError as error:
                answers[place] = Answer(status=NOT_ASKED, reason=str(error), attempts=0)
        ratings = self.rate(list(opened.values()))
        latency = (time.perf_counter() - started) / max(len(opened), 1)
        for row, place in enumerate(opened):
            answers[place] = Answer(status=OK, values=ratings.values(row), latency=latency)
        return [answers[place] for place in range(len(several))]


def expected(rated: Sequence[float]) -> float:
    """The expected mark of one dimension, from 0 to 2."""
    return sum(mark * p for mark, p in zip(MARKS, rated, strict=False))


def rating_rows(answer: Answer) -> Iterator[dict[str, Any]]:
    """A row for each dimension: what is expected, by what probabilities; empty where none is."""
    for dimension in QUESTIONS:
        rated = None if answer.values is None else answer.values[dimension]
        *three, mass = [None] * 4 if rated is None else rated
        yield {
            "dimension": dimension,
            "prediction": None if rated is None else expected(rated),
            **{f"p{mark}": p for mark, p in zip(MARKS, three, strict=True)},
            "mass": mass,
        }
