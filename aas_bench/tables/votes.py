"""Votes of people on pairs: one JSON line a vote, read, tallied and made labels.

A line holds `pair_id`, `rater`, `choice` (1 for the distorted image, 0 for the original, -1 for a
tie, null where it was skipped), `side` (where the distorted image stood), `ms`, `time` and `asked`
(the beginning of the SHA-256 of the prompt asked about). A line with `"undo": true` takes back the
vote of that rater on that pair; of several votes of one rater on one pair the last one stands.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from aas_bench.errors import FULL, InputError, StoreError, raise_faults
from aas_bench.files import is_whole, json_value
from aas_bench.tables.judge_columns import (
    label_column,
    labels_by_judge,
    majority_of,
    with_judgements,
)
from aas_bench.tables.schema import (
    LABEL,
    LABEL_SOURCE,
    PAIR_ID,
    PEOPLE_VOTE,
    VOTE,
    Label,
    repeated_pair_id,
)

if TYPE_CHECKING:
    import pandas as pd

    from aas_bench.tables.scores import ScoreTable

Side: TypeAlias = Literal["left", "right"]
SIDES: Final[tuple[Side, Side]] = ("left", "right")
PEOPLE: Final = "people"
JUDGES: Final = "most of the judges"
"""What `label_source` says of labels made from votes of people, and of judges."""

_CHOICES: Final = (1, 0, -1, None)
_LONGEST_MS: Final = 2**53
_LONGEST_TEXT: Final = 1000
_MEND: Final = "Mend or delete these lines."


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One rater's answer on one pair.

    Attributes:
        pair_id: The pair.
        rater: Who voted.
        choice: 1, 0 or -1 as a label; None where the pair was skipped or the vote taken back.
        side: Where the distorted image stood.
        ms: Milliseconds from the images' appearance to the answer.
        time: When, in UTC.
        asked: `digest` of the prompt; None where votes come from elsewhere.
        undo: Whether this takes the earlier vote back.
    """

    pair_id: str
    rater: str
    choice: int | None
    side: Side | None = None
    ms: int | None = None
    time: str | None = None
    asked: str | None = None
    undo: bool = False

    def line(self) -> bytes:
        """The line of a votes file."""
        fields = asdict(self)
        if not self.undo:
            del fields["undo"]
        return (json.dumps(fields, ensure_ascii=False) + "\n").encode()


def digest(prompt: str) -> str:
    """What tells apart pairs of one name with other prompts."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:16]


class VotesFile:
    """A file that votes are appended to, each on the disk before it counts.

    Args:
        path: Made where absent. A last line that was torn by a crash is taken off.

    Raises:
        InputError: The folder does not exist, or a line is no vote.
    """

    def __init__(self, path: Path) -> None:
        if not path.parent.is_dir():
            msg = f"there is no folder {str(path.parent)!r}. Make it first."
            raise InputError(msg)
        self.path = path
        self.votes = list(read_lines(path)) if path.exists() else []
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        self._heal()

    def append(self, vote: Vote) -> None:
        """Add a vote in one write, and return when the disk has it.

        Raises:
            StoreError: The disk is full; the file is as it was before.
        """
        line, before = vote.line(), os.fstat(self._file).st_size
        try:
            whole = os.write(self._file, line) == len(line)
        except OSError as error:
            if error.errno not in FULL:
                raise
            whole = False
        if not whole:
            # The next vote would otherwise begin in the middle of this one.
            os.ftruncate(self._file, before)
            msg = f"{self.path}: the disk is full. Make room; the vote was not stored."
            raise StoreError(msg)
        os.fsync(self._file)
        self.votes.append(vote)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _heal(self) -> None:
        content = self.path.read_bytes()
        if not content or content.endswith(b"\n"):
            return
        whole = content.rfind(b"\n") + 1
        if _torn(content[whole:]):
            os.ftruncate(self._file, whole)
        else:
            os.write(self._file, b"\n")
        os.fsync(self._file)


def read_lines(path: Path) -> Iterator[Vote]:
    """All lines of a votes file, also those that later ones overrule; a torn last one is left out.

    Raises:
        InputError: There is no such file.
        SchemaError: Lines are no votes (all of them in one message).
    """
    if not path.is_file():
        msg = f"there is no file {str(path)!r}. Give the votes that `aas-bench annotate` wrote."
        raise InputError(msg)
    lines = path.read_bytes().split(b"\n")
    if _torn(lines[-1]):
        lines[-1] = b""
    votes, faults = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _vote(line)
        if isinstance(found, str):
            faults.append(f"line {number}: {found}")
        else:
            votes.append(found)
    raise_faults(path, faults, _MEND)
    yield from votes


def standing(votes: Iterable[Vote]) -> list[Vote]:
    """The votes that count: the last of each rater on each pair, unless it was taken back."""
    last: dict[tuple[str, str], Vote] = {}
    for vote in votes:
        last.pop((vote.rater, vote.pair_id), None)  # so that the order is that of the last votes
        if not vote.undo:
            last[vote.rater, vote.pair_id] = vote
    return list(last.values())


@dataclass(frozen=True, kw_only=True, eq=False)
class VoteTable:
    """Who said what of which pair.

    Attributes:
        pair_ids: The pairs with a vote or a skip, in the order of their first one.
        raters: In alphabetical order.
        choice: Shape (n_pairs, n_raters), float64: 1, 0, -1; NaN where nothing was said.
        left: The same shape: 1 where the image on the left was chosen, 0 where that on the right;
            NaN where neither was, or the side is not known.
        n_skipped: Skips of each rater.
        seconds: The median time of each rater's votes; None where no vote says it.
    """

    pair_ids: tuple[str, ...]
    raters: tuple[str, ...]
    choice: NDArray[np.float64]
    left: NDArray[np.float64]
    n_skipped: Mapping[str, int]
    seconds: Mapping[str, float | None]

    @classmethod
    def of(cls, votes: Iterable[Vote]) -> VoteTable:
        """Tally votes; what was overruled or taken back does not count."""
        kept = standing(votes)
        pair_ids = tuple(dict.fromkeys(vote.pair_id for vote in kept))
        raters = tuple(sorted({vote.rater for vote in kept}))
        row = {name: i for i, name in enumerate(pair_ids)}
        column = {name: i for i, name in enumerate(raters)}
        choice, left = np.full((2, len(pair_ids), len(raters)), np.nan)
        skipped = dict.fromkeys(raters, 0)
        took: dict[str, list[int]] = {rater: [] for rater in raters}
        for vote in kept:
            if vote.choice is None:
                skipped[vote.rater] += 1
                continue
            at = row[vote.pair_id], column[vote.rater]
            choice[at] = vote.choice
            if vote.choice >= 0 and vote.side is not None:
                left[at] = (vote.side == "left") == (vote.choice == Label.DISTORTED)
            took[vote.rater] += [] if vote.ms is None else [vote.ms]
        return cls(
            pair_ids=pair_ids,
            raters=raters,
            choice=choice,
            left=left,
            n_skipped=skipped,
            seconds={r: float(np.median(ms)) / 1000 if ms else None for r, ms in took.items()},
        )

    def labels(self) -> dict[str, int]:
        """The `majority` of each pair that anybody judged."""
        label = majority(self.choice)
        return {
            p: int(each) for p, each in zip(self.pair_ids, label, strict=True) if not np.isnan(each)
        }

    def columns(self) -> dict[str, list[Any]]:
        """The labels as a table: `pair_id`, `label`, where from, and each rater's own votes."""
        labels = self.labels()
        rows = [i for i, pair_id in enumerate(self.pair_ids) if pair_id in labels]
        own = {
            f"{rater}{VOTE}": [None if np.isnan(c) else int(c) for c in self.choice[rows, j]]
            for j, rater in enumerate(self.raters)
        }
        return {
            PAIR_ID: list(labels),
            LABEL: list(labels.values()),
            LABEL_SOURCE: [PEOPLE] * len(labels),
            **own,
        }


def majority(choice: NDArray[np.float64]) -> NDArray[np.float64]:
    """The most frequent of 1, 0 and -1 in each row; -1 where the most frequent two are even.

    Args:
        choice: Shape (n_pairs, n_raters), NaN where nothing was said.

    Returns:
        Shape (n_pairs,), NaN where nobody said anything.

    Example:
        >>> majority(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, np.nan]])).tolist()
        [1.0, -1.0]
    """
    tally = np.stack([(choice == label).sum(axis=1) for label in (-1, 0, 1)], axis=1)
    most = tally.max(axis=1)
    alone = (tally == most[:, None]).sum(axis=1) == 1
    label = np.where(alone, tally.argmax(axis=1) - 1.0, -1.0)
    return np.where(most > 0, label, np.nan)


def read_votes(paths: Sequence[Path]) -> VoteTable:
    """The votes of one or several files; the same rater may go on in another.

    Raises:
        InputError: A file does not exist, or there is no vote in any.
        SchemaError: Lines are no votes.
    """
    votes = [vote for path in paths for vote in read_lines(path)]
    _refuse_other_pairs(votes)
    table = VoteTable.of(votes)
    if not table.labels():
        msg = f"{', '.join(map(str, paths))}: no votes yet. Vote with: aas-bench annotate"
        raise InputError(msg)
    return table


def add_votes(table: ScoreTable, votes: VoteTable) -> ScoreTable:
    """A score table with what people chose: its labels where it has none, else beside them.

    Beside labels (a judge's, or any) the votes are an audit: column `people_selected`.

    Raises:
        InputError: Nobody voted on any of these pairs.
    """
    labels = votes.labels()
    people = table.frame[PAIR_ID].map(labels).astype(np.float64)
    if people.isna().all():
        first = next(iter(labels))
        msg = (
            f"nobody voted on any pair of the table: the votes are on pairs such as {first!r}. "
            "Give the votes on the pairs that were scored."
        )
        raise InputError(msg)
    known = table.label
    if known is None or not (known >= 0).any():
        label = people.fillna(int(Label.TIE)).astype(np.int8)
        frame = table.frame.assign(**{LABEL: label, LABEL_SOURCE: people.map(lambda _: PEOPLE)})
    else:
        frame = table.frame.assign(**{PEOPLE_VOTE: people})
    return replace(table, frame=frame)


def add_judges(table: ScoreTable, told: Mapping[str, pd.DataFrame]) -> ScoreTable:
    """A score table with the labels of judges, and as its labels, where it has none, most of them.

    Args:
        table: The scores.
        told: Tables that `aas-bench judge pairwise` wrote, by what messages call them.

    Raises:
        InputError: One holds no labels of a judge, a pair twice, none of these pairs, or a judge
            who is there already.
    """
    known = table.label
    for source, said in told.items():
        table = with_judgements(table, _labels_of(source, said, table))
    if known is not None and (known >= 0).any():
        return table
    judged = labels_by_judge(table.frame)
    label = np.nan_to_num(majority_of(judged), nan=int(Label.TIE)).astype(np.int8)
    source = f"{JUDGES}: {', '.join(judged)}"
    frame = table.frame.assign(**{LABEL: label}).assign(**{LABEL_SOURCE: source})
    return replace(table, frame=frame)


def _labels_of(source: str, said: pd.DataFrame, table: ScoreTable) -> pd.DataFrame:
    """The pairs and the labels of judges of a table that fits the scores."""
    votes = labels_by_judge(said) if PAIR_ID in said else {}
    fault = None
    if not votes:
        fault = "holds no labels of judges. Give what `aas-bench judge pairwise` wrote."
    elif twice := [judge for judge in votes if label_column(judge) in table.frame]:
        fault = f"has labels of a judge {twice[0]!r}, and so has another. Label one otherwise."
    elif repeated := repeated_pair_id(said[PAIR_ID]):
        fault = f"is ambiguous: {repeated[0]}. Keep one."
    elif not set(said[PAIR_ID]) & set(table.frame[PAIR_ID]):
        first = said[PAIR_ID].iloc[0]
        fault = f"is on pairs such as {first!r}, none of which was scored. Give those that were."
    if fault is not None:
        msg = f"{source} {fault}"
        raise InputError(msg)
    kept: pd.DataFrame = said[[PAIR_ID, *map(label_column, votes)]]
    return kept


def _refuse_other_pairs(votes: Iterable[Vote]) -> None:
    """One name may not stand for two questions."""
    asked: dict[str, str] = {}
    for vote in votes:
        if vote.asked is not None and asked.setdefault(vote.pair_id, vote.asked) != vote.asked:
            msg = (
                f"votes on {vote.pair_id!r} answer two different prompts. "
                "Keep the votes on each dataset in a file of their own."
            )
            raise InputError(msg)


def _torn(line: bytes) -> bool:
    """Whether a last line without an end is a part of a vote."""
    return bool(line) and isinstance(_vote(line), str)


def _is_time(ms: object) -> bool:
    return ms is None or (type(ms) is int and abs(ms) <= _LONGEST_MS)


def _vote(line: bytes) -> Vote | str:
    """The vote of a line, or what is wrong with it."""
    try:
        row = json_value(line)
    except ValueError:
        return "it is no JSON"
    if not isinstance(row, dict):
        return "it is no JSON object"
    for name in (PAIR_ID, "rater"):
        if not isinstance(row.get(name), str) or not row[name]:
            return f"{name} is no text"
        if len(row[name]) > _LONGEST_TEXT or not is_whole(row[name]):
            return f"{name} is longer than {_LONGEST_TEXT:,} characters, or holds half of one"
    choice = row.get("choice", "absent")
    if isinstance(choice, bool) or choice not in _CHOICES:
        return f"choice is {choice!r}, not 1, 0, -1 or null"
    if row.get("side") not in (None, *SIDES):
        return f"side is {row['side']!r}, not left, right or null"
    if not isinstance(row.get("undo", False), bool):
        return f"undo is {row['undo']!r:.40}, not true or false"
    if not _is_time(row.get("ms")):
        return f"ms is {row['ms']!s:.40}, no whole number of milliseconds"
    known = {name: row[name] for name in Vote.__dataclass_fields__ if name in row}
    return Vote(**known)
