"""What can be looked at: runs of `score`, `judge` and generators, and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

import numpy as np

from aas_bench.errors import InputError
from aas_bench.files import json_value
from aas_bench.measure.compare import without_maker
from aas_bench.run.directory import Round, rounds_of
from aas_bench.run.finished import FinishedRun, NotMadeError, is_run
from aas_bench.run.judge import JUDGED
from aas_bench.run.made_images import IMAGES
from aas_bench.run.score import RUN
from aas_bench.tables.schema import (
    DIDP,
    DIMENSIONS,
    IMAGE_COLUMNS,
    INDEX,
    LABEL,
    MODEL,
    OIDP,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    score_column,
)
from aas_bench.tables.scores import ScoreTable
from aas_bench.tables.without_images import SCORES, read_without_images
from aas_bench.words import count

if TYPE_CHECKING:
    import pandas as pd

Side: TypeAlias = Literal["original", "distorted"]
SIDES: Final[tuple[Side, ...]] = ("original", "distorted")
MOST_BYTES: Final = 64 * 2**20
"""A larger file is not opened for a look."""
_VOTE: Final = f"{LABEL}_"
_SHARES: Final = {1: (0.0, 1.0), 0: (1.0, 0.0), -1: (0.5, 0.5)}
"""What the polished image and the one asked for get of a judge's vote, by its label."""


class AbsentImageError(InputError):
    """There is no such image; the message says why."""


class Images(Protocol):
    """The images of the rows of a table."""

    def cell(self, row: int, side: Side) -> Any:
        """What `open_image` reads.

        Raises:
            AbsentImageError: There is none, or it is too large for a look.
        """


@dataclass(frozen=True, kw_only=True)
class Opened:
    """A run, opened.

    Attributes:
        name: What to call it.
        table: Its scores; without a reward model where nothing was scored.
        images: Where its images are.
        second: Where those of the generator beside it are; None: all is of the same images.
        makers: What the two generators are called then.
        focus: Which reward model of either of two runs to look at first, as an address holds it.
        notes: What to know before looking: unfinished, without images, and so on.
    """

    name: str
    table: ScoreTable
    images: Images
    second: Images | None = None
    focus: Mapping[str, str] = field(default_factory=dict)
    makers: tuple[str, ...] = ("",)
    notes: tuple[str, ...] = ()


class NoImages:
    """Pairs whose images are out of reach."""

    def __init__(self, why: str) -> None:
        self.why = why

    def cell(self, row: int, side: Side) -> Any:
        """Say why there is none."""
        raise AbsentImageError(self.why)


class PairImages:
    """The images of a pair table, undecoded, by `pair_id`."""

    def __init__(self, pairs: Any, wanted: pd.Series[Any]) -> None:
        import pandas as pd
        from datasets import Image

        shown = [name for name in IMAGE_COLUMNS if name in pairs.column_names]
        ids = pd.Index(list(pairs.select_columns([PAIR_ID])[PAIR_ID]))
        for name in shown:
            pairs = pairs.cast_column(name, Image(decode=False))
        self._pairs = pairs.select_columns(shown)
        self._place = ids.get_indexer(wanted)
        self.n_absent = int(np.count_nonzero(self._place < 0))

    def cell(self, row: int, side: Side) -> Any:
        """The undecoded cell of an image."""
        place = int(self._place[row])
        if place < 0:
            msg = "the data set has no such pair"
            raise AbsentImageError(msg)
        found = self._pairs[place].get(f"image_{side}")
        if found is None:
            msg = "the data set holds no image here"
            raise AbsentImageError(msg)
        _refuse_large(found)
        return found


class MadeImages:
    """The images of a generator's run: regular files in its own folder."""

    def __init__(self, run: FinishedRun) -> None:
        self._run = run
        self._home = (run.path / IMAGES).resolve()

    def cell(self, row: int, side: Side) -> Any:
        """The file of an image."""
        try:
            # Before it is read whole for its checksum.
            self._refuse_foreign(self._run.image_file(self._run.indices[row], side))
            file = self._run.made(self._run.indices[row], side)[1]
        except NotMadeError as error:
            raise AbsentImageError(str(error)) from error
        return {"bytes": None, "path": str(file)}

    def _refuse_foreign(self, file: Path) -> None:
        if not file.exists():  # why is in its record
            return
        if file.resolve().parent != self._home:
            msg = "the file is a link out of the run"
            raise AbsentImageError(msg)
        _refuse_large({"bytes": None, "path": str(file)})


def open_for_looking(source: str, pairs: Callable[[], Any] | None) -> Opened:
    """Open whatever holds pairs and what was made of them.

    Args:
        source: A run directory, of `score` or `judge` also one that still grows or was killed, of
            a generator scored or not; or a score table, as `load_scores` takes it.
        pairs: Opens the pairs with their images; asked for but where the run holds its own. What it
            raises becomes a note: scores can be looked at without images. None: they are not
            asked for.

    Raises:
        InputError: There is nothing to look at.
    """
    path = Path(source)
    name = path.resolve().name if path.exists() else source
    if path.is_dir() and is_run(path):
        return _made(path)
    table, notes = _scores(source, path)
    if pairs is None:
        return Opened(name=name, table=table, images=NoImages("not asked for"), notes=notes)
    try:
        images = PairImages(pairs(), table.frame[PAIR_ID])
    except (InputError, OSError) as error:
        reason = str(error).splitlines()[0].partition(". ")[0].removesuffix(".")
        why = f"no images: {reason}. Name the pairs that they are of with --data."
        return Opened(name=name, table=table, images=NoImages("not at hand"), notes=(*notes, why))
    absent = images.n_absent
    if absent:
        told = count(absent, "pair")
        notes = (*notes, f"{told} of this table are not in the data set that the images are of")
    return Opened(name=name, table=table, images=images, notes=notes)


def beside(ours: Opened, theirs: Opened) -> Opened:
    """Two runs as one table, of the pairs that both hold.

    Pairs of two generators are the same where all but the generator in their names is. What is
    known of one generator's images alone is left out then.

    Raises:
        InputError: They share no pair, or call other prompts by the same names.
    """
    import pandas as pd

    left, right, generators = ours.table.frame, theirs.table.frame, False
    place = pd.Index(right[PAIR_ID]).get_indexer(left[PAIR_ID])
    if not (place >= 0).any():
        generators = True
        left, right = _without_makers(left), _without_makers(right)
        names = pd.Index(right[PAIR_ID])
        place = names.get_indexer(left[PAIR_ID]) if names.is_unique else place
    rows = np.flatnonzero(place >= 0)
    if not len(rows):
        msg = f"{ours.name} and {theirs.name} share no pair. Give two runs on the same pairs."
        raise InputError(msg)
    frame = left.iloc[rows].reset_index(drop=True)
    other = right.iloc[place[rows]].reset_index(drop=True)
    _refuse_other_prompts(frame, other, ours.name, theirs.name)
    ends = ("1", "2") if ours.name == theirs.name else (ours.name, theirs.name)
    shared = set(ours.table.rewards) & set(theirs.table.rewards)
    renamed = [
        _told_apart(each, table.rewards, shared, end)
        for each, table, end in ((frame, ours.table, ends[0]), (other, theirs.table, ends[1]))
    ]
    asked = [name for _, names in renamed for name in names[:1]]
    facts = frame.drop(columns=[c for r in ours.table.rewards for c in _columns_of(frame, r)])
    whole = pd.concat([facts, *(columns for columns, _ in renamed)], axis=1)
    alone = len(left) + len(right) - 2 * len(rows)
    more = f"; {alone:,} more are in one of them only" if alone else ""
    notes = (*ours.notes, *theirs.notes, f"{count(len(rows), 'pair')} of both runs{more}")
    return Opened(
        name=f"{ours.name} and {theirs.name}",
        table=ScoreTable(frame=whole, rewards=(*renamed[0][1], *renamed[1][1])),
        images=_Some(ours.images, rows),
        second=_Some(theirs.images, place[rows]) if generators else None,
        makers=ends if generators else ("",),
        focus=dict(zip(("reward", "other"), asked, strict=False)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _without_makers(frame: pd.DataFrame) -> pd.DataFrame:
    """The pairs by what is the same for every generator."""
    named = frame.assign(**{PAIR_ID: without_maker(frame[PAIR_ID])})
    bare: pd.DataFrame = named.drop(columns=[MODEL, LABEL], errors="ignore")
    return bare


def _refuse_other_prompts(ours: pd.DataFrame, theirs: pd.DataFrame, a: str, b: str) -> None:
    if PROMPT_DISTORTED not in ours or PROMPT_DISTORTED not in theirs:
        return
    apart = np.flatnonzero(ours[PROMPT_DISTORTED].to_numpy() != theirs[PROMPT_DISTORTED])
    if len(apart):
        pair = ours[PAIR_ID].iloc[apart[0]]
        msg = (
            f"the pair {pair!r} has another prompt in {b} than in {a}. "
            "Give two runs on the same pairs."
        )
        raise InputError(msg)


def _told_apart(
    frame: pd.DataFrame, rewards: Sequence[str], shared: Set[str], end: str
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The columns of a run's reward models, with its end where both runs have the model."""
    # Behind a colon, as weights are: what stands before it says what scale the scores have.
    names = {r: f"{r}:{end}" if r in shared else r for r in rewards}
    columns = {c: names[r] + c[len(r) :] for r in names for c in _columns_of(frame, r)}
    return frame[list(columns)].rename(columns=columns), tuple(names.values())


class _Some:
    """The images of some of the rows."""

    def __init__(self, images: Images, rows: Any) -> None:
        self._images, self._rows = images, rows

    def cell(self, row: int, side: Side) -> Any:
        return self._images.cell(int(self._rows[row]), side)


def _columns_of(frame: pd.DataFrame, reward: str) -> list[str]:
    from aas_bench.tables.scores import score_columns

    return [name for name in score_columns(reward) if name in frame]


def _scores(source: str, path: Path) -> tuple[ScoreTable, tuple[str, ...]]:
    scored = (path / SCORES).is_file()
    if not scored and (path / JUDGED).is_file():
        return _judged(path)
    rounds = rounds_of(path)
    if rounds and not (scored and _finished(path) >= len(rounds)):
        return _unfinished(path, rounds)
    stored = read_without_images(source)
    return ScoreTable.from_columns(stored.columns, source=stored.name), ()


def _finished(path: Path) -> int:
    """The last round of a run of `score` that came to its end."""
    try:
        about = json_value((path / RUN).read_bytes())
    except (OSError, ValueError):
        return 0
    of_round = about.get("round", 1) if isinstance(about, dict) else 0
    return of_round if isinstance(of_round, int) else 0


def _unfinished(path: Path, rounds: Sequence[Round]) -> tuple[ScoreTable, tuple[str, ...]]:
    """The parts that are whole, of each pair that of the last round that holds it.

    A part that is being written is not there yet.
    """
    import pyarrow as pa

    parts: list[pa.Table] = []
    of_round: list[int] = []
    seen: set[str] = set()
    for each in reversed(rounds):
        new = [
            t.filter([name not in seen for name in t[PAIR_ID].to_pylist()]) for t in each.tables()
        ]
        of_round.append(sum(map(len, new)))
        seen.update(name for table in new for name in table[PAIR_ID].to_pylist())
        parts += new
    if not sum(of_round):
        msg = f"{path} holds no finished part yet. Wait for it, or begin the run again."
        raise InputError(msg)
    whole = pa.concat_tables(parts, promote_options="permissive")
    columns = dict(zip(whole.column_names, whole.columns, strict=True))
    note = f"unfinished: the first {count(of_round[0], 'pair')}"
    if earlier := sum(of_round[1:]):
        note = f"{note}, and {earlier:,} as they were before it grew"
    note = f"{note}; the command that began it goes on"
    return ScoreTable.from_columns(columns, source=str(path)), (note,)


def _judged(path: Path) -> tuple[ScoreTable, tuple[str, ...]]:
    """What judges said as scores: votes as shares of the vote, ratings as they are."""
    columns = dict(read_without_images(path / JUDGED).columns)
    found: dict[str, Any] = {}
    for name, column in columns.items():
        if name.startswith(_VOTE):
            votes = [_SHARES.get(vote, (None, None)) for vote in column.to_pylist()]
            judge = name.removeprefix(_VOTE)
            for cell, each in zip((OIDP, DIDP), zip(*votes, strict=True), strict=True):
                found[score_column(judge, cell)] = list(each)
        elif name.endswith("_original") and name not in _FACTS:
            rated = name.removesuffix("_original")
            found[score_column(rated, OIDP)] = column
            found[score_column(rated, DIDP)] = columns[f"{rated}_distorted"]
    facts = {n: c for n, c in columns.items() if n in _FACTS}
    note = "judges: a vote for an image is a score of 1, one against it 0, a tie ½ each"
    return ScoreTable.from_columns({**facts, **found}, source=str(path)), (note,)


_FACTS: Final = (PAIR_ID, INDEX, MODEL, PROMPT_ORIGINAL, PROMPT_DISTORTED, DIMENSIONS, LABEL)


def _made(path: Path) -> Opened:
    """A generator's run: what it was asked for, and its scores where there are any."""
    import pandas as pd

    run = FinishedRun(path)
    if not run.indices:
        msg = f"{path} holds no image yet. Wait for the first, or begin the run again."
        raise InputError(msg)
    prompts = {place: text for text, places in run.places.items() for place in places}
    columns: dict[str, Any] = {
        PAIR_ID: [run.pair_id(index) for index in run.indices],
        INDEX: list(run.indices),
        MODEL: [run.name] * len(run.indices),
        PROMPT_ORIGINAL: [prompts.get((index, "original")) for index in run.indices],
        PROMPT_DISTORTED: [prompts.get((index, "distorted"), "") for index in run.indices],
    }
    scored = [run.scores.get(pair, {}) for pair in columns[PAIR_ID]]
    rest = [name for name in run.score_columns if name not in (*columns, "error", *IMAGE_COLUMNS)]
    columns |= {name: [row.get(name) for row in scored] for name in rest}
    if any(run.scores):
        known = [row.get(INDEX, index) for row, index in zip(scored, run.indices, strict=True)]
        table = ScoreTable.from_columns(columns | {INDEX: known}, source=str(path))
        missing = sum(not row for row in scored)
        notes = (f"{count(missing, 'pair')} not scored",) if missing else ()
    else:
        columns[DIMENSIONS] = [[] for _ in run.indices]
        table = ScoreTable(frame=pd.DataFrame(columns), rewards=())
        notes = ("not scored: images and prompts only",)
    return Opened(name=path.resolve().name, table=table, images=MadeImages(run), notes=notes)


def _refuse_large(cell: Mapping[str, Any]) -> None:
    content, path = cell.get("bytes"), cell.get("path")
    try:
        size = len(content) if content is not None else Path(path or "").stat().st_size
    except OSError:
        if "://" in str(path):
            return
        msg = "the file is not there any more"
        raise AbsentImageError(msg) from None
    if size > MOST_BYTES:
        msg = f"the file has {size / 2**20:,.0f} MiB, too large for a look"
        raise AbsentImageError(msg)
