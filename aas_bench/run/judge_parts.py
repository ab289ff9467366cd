"""Judges on this project's own machines asked by several workers; the tables follow from answers.

All questions are asked first, in batches cut as one process would cut them, and what is answered
goes into the cache. Then the run goes on as one that was interrupted after its last answer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from aas_bench.judges.base import Answer, Judge, Keep, Question
from aas_bench.run.pool import Advance, Facts, Job

Asked: TypeAlias = "list[tuple[str, dict[str, Any], Question]]"
"""Questions in order: key, by what the cache knows it, itself."""
QuestionsOf: TypeAlias = Callable[[int, Mapping[str, Any]], Asked]
"""Part and identity of a judge -> what that judge is asked about the part, each question once."""
Piece: TypeAlias = "tuple[int, int, list[int]]"
"""Which judge, which part, which of its questions."""
Answered: TypeAlias = "list[tuple[str, dict[str, Any], Answer]]"

_BATCHES: Final = 8
"""Batches of a judge in one piece."""
_ONE_BY_ONE: Final = 1


class JudgeJob(Job[Piece, Piece, "tuple[int, Answered]"]):
    """Asks judges; the setting knows the questions.

    Args:
        load: Loads the judges on a device.
    """

    def __init__(self, load: Callable[[str | None], Sequence[Judge]]) -> None:
        self._load = load

    def open(self, device: str | None) -> Facts:
        """See `Job.open`."""
        self._judges = self._load(device)
        return {
            "judges": [
                {
                    "name": judge.name,
                    "lasting": judge.lasting,
                    "batch_size": getattr(judge, "batch_size", _ONE_BY_ONE),
                    "identity": judge.identity(),
                }
                for judge in self._judges
            ]
        }

    def begin(self, setting: tuple[QuestionsOf, Sequence[Mapping[str, Any]]]) -> None:
        """See `Job.begin`: what the questions are, and the identity of each judge."""
        self._questions_of, self._identities = setting

    def read(self, piece: Piece) -> Piece:
        """See `Job.read`: questions hold functions, which do not travel, so `do` makes them."""
        return piece

    def do(self, data: Piece, advance: Advance) -> tuple[int, Answered]:
        """See `Job.do`."""
        judge, part, which = data
        questions = self._questions_of(part, self._identities[judge])
        asked = [questions[i] for i in which]
        found: Answered = []
        answers = self._judges[judge].ask([question for _, _, question in asked])
        for (key, identified, _), answer in zip(asked, answers, strict=True):
            found.append((key, identified, answer))
            advance(1)
        return judge, found


class ToldJudge(Judge):
    """A judge that workers hold.

    Args:
        told: What `JudgeJob.open` says of it.

    Attributes:
        batch_size: Questions that it answers at once.
        answers: What it answered, by the key of the question.
    """

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.name, self.lasting = told["name"], told["lasting"]
        self.batch_size: int = told["batch_size"]
        self.answers: dict[str, Answer] = {}
        self._identity = told["identity"]
        self.key_of: Callable[[Question], str] = lambda _: ""

    def ask(
        self, questions: Iterable[Question], *, keep: Keep = lambda *_: None
    ) -> Generator[Answer, None, None]:
        """What was answered; see `Judge.ask`."""
        for question in questions:
            yield self.answers[self.key_of(question)]

    def identity(self) -> dict[str, Any]:
        """What the judge itself says."""
        return dict(self._identity)


def told_judges(facts: Facts) -> list[ToldJudge]:
    """The judges that the workers of a job have opened, as far as they can be told."""
    return [ToldJudge(told) for told in facts["judges"]]


def pieces_of(
    judges: Sequence[ToldJudge],
    questions_of: QuestionsOf,
    n_parts: int,
    is_known: Callable[[int, str, Mapping[str, Any]], bool],
) -> list[Piece]:
    """What is to be asked: each question once, batches as one process would cut them.

    Args:
        judges: The judges.
        questions_of: What each is asked.
        n_parts: How many parts there are.
        is_known: Whether the answer of a judge to a question is there already.
    """
    found: list[Piece] = []
    seen: set[tuple[int, str]] = set()
    for part in range(n_parts):
        for j, judge in enumerate(judges):
            which = []
            for i, (key, identified, _) in enumerate(questions_of(part, judge.identity())):
                if (j, key) not in seen and not is_known(j, key, identified):
                    which.append(i)
                seen.add((j, key))
            size = _BATCHES * judge.batch_size
            found += [(j, part, which[at : at + size]) for at in range(0, len(which), size)]
    return found
