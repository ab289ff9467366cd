"""Ask judges about pairs; killed at any instant, the same call goes on without asking again.

What was answered or refused lies in a cache by its content, one small file each, as soon as it is
there; what failed does not, and is asked again by the next call. The tables are written last, from
the answers alone: apart from times, a continued run ends as an unbroken one.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.reading import requested_effects
from aas_bench.errors import InputError, StoreError
from aas_bench.files import json_bytes, json_value
from aas_bench.judges.base import MAX_SIDE, NOT_ASKED, Answer, Judge, Question, Rubric
from aas_bench.judges.catalog import JudgeSpec, load_judge, load_rater, runs_here
from aas_bench.judges.checklist import RUBRIC as CHECKLIST
from aas_bench.judges.checklist import STRONG, checklist_question, effect_key, items, resolved
from aas_bench.judges.graded import RUBRIC as GRADED
from aas_bench.judges.graded import SCORES, graded_question
from aas_bench.judges.pairwise import RUBRIC as PAIRWISE
from aas_bench.judges.pairwise import decision, pairwise_question, vote
from aas_bench.judges.rated import RUBRIC as DIMENSIONS_RUBRIC
from aas_bench.judges.rated import expected, rating_question, rating_rows
from aas_bench.run.directory import open_run, parquet_bytes, refuse_other
from aas_bench.run.groups import PairRow, UndecodedPairs
from aas_bench.run.judge_parts import Asked, JudgeJob, ToldJudge, pieces_of, told_judges
from aas_bench.run.pool import Engine, Pool
from aas_bench.run.progress import progress_bar
from aas_bench.run.provenance import provenance
from aas_bench.service.cache import AnswerCache, cache_folder
from aas_bench.tables.authors import label_value
from aas_bench.tables.judge_columns import (
    IMAGES,
    MAJORITY,
    RATING,
    fits_columns,
    label_column,
    mark_column,
)
from aas_bench.tables.schema import (
    DIDP,
    DIMENSIONS,
    DIOP,
    INDEX,
    LABEL,
    MODEL,
    OIDP,
    OIOP,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    score_column,
)

if TYPE_CHECKING:
    import pandas as pd

    from aas_bench.tables.open import Source

By: TypeAlias = Literal["pairwise", "graded", "checklist", "dimensions"]
Prompts: TypeAlias = Literal["distorted", "both"]

JUDGED: Final = "judged.parquet"
ANSWERS: Final = "answers.parquet"
ITEMS: Final = "items.parquet"
SCORES_FILE: Final = "scores.parquet"
RUN: Final = "run.json"
PART_SIZE: Final = 128
"""Pairs whose questions are made at once."""

RUBRICS: Final[Mapping[str, Rubric]] = {
    r.name: r for r in (PAIRWISE, GRADED, CHECKLIST, DIMENSIONS_RUBRIC)
}
_KEPT: Final = (PAIR_ID, INDEX, MODEL, PROMPT_ORIGINAL, PROMPT_DISTORTED, DIMENSIONS, LABEL)
_ORDERS: Final = ("original_first", "distorted_first")
_CELLS: Final = {"distorted": (OIDP, DIDP), "original": (OIOP, DIOP)}
_PROMPT: Final = {"distorted": PROMPT_DISTORTED, "original": PROMPT_ORIGINAL}
_NO_PAIRS: Final = "the stream holds no pairs. Check the split, the filter or the limit."
_SHARE: Final = "share of the judge's vote against the other image: 1, 0.5 (tie) or 0"


@dataclass(frozen=True, kw_only=True, eq=False)
class Judgements:
    """What judges said of pairs.

    Attributes:
        by: How they were asked.
        judges: Their names, in the order asked.
        frame: One row a pair: `pair_id`, `index`, `model`, prompts, `dimensions`, `label`, and what
            each judge said: `label_<judge>` and `label_majority` (pairwise), or
            `<judge>_<score>_<image>` (the other ways); null where an answer is missing.
        answers: One row a question, with what became of it; of a rater one row an image and
            dimension.
        items: One row a question of a checklist; None for the other ways of asking.
        identities: What the answers of each depend on besides the question, with its name.
        path: The run directory; None where nothing was kept.
    """

    by: By
    judges: tuple[str, ...]
    frame: pd.DataFrame
    answers: pd.DataFrame
    items: pd.DataFrame | None = None
    identities: tuple[Mapping[str, Any], ...] = ()
    path: Path | None = None


def judge(
    pairs: Source,
    judges: JudgeSpec | Sequence[JudgeSpec],
    *,
    by: By = "pairwise",
    prompts: Prompts = "distorted",
    out: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    progress: bool = True,
    engine: Engine | None = None,
    **options: Any,
) -> Judgements:
    """Ask one or several judges about each pair.

    - "pairwise": which image fits the prompt better, in both orders. The label of a pair is 1 (the
      distorted image), 0 (the original) or -1 where the two orders contradict each other or a
      judge sees no difference. `label_majority` is what more than half of the judges that answered
      say, else -1.
    - "graded": of each image 0 to 100 for the main concept and for the requested effects.
    - "checklist": of each image, whether each requested effect is there, and where it is, whether
      it is strong. Of a pair that names no dimensions, those that its prompt's words ask for.
    - "dimensions": of each image how good it is in each dimension, whatever its prompt says: what
      a local model ("vlm:...") expects to answer of 0, 1 and 2. See `Rater`.

    A missing answer stays missing; `answers` says why.

    Args:
        pairs: What `load_pairs` takes.
        judges: One or several of what `load_judge` takes, e.g. "openai:gpt-5" or "vlm:FOLDER".
        by: How to ask.
        prompts: "both" asks pairwise judges under the original prompt as well, so that a judge is a
            subject: `scores.parquet` holds, as the score of an image, the share of the vote that it
            gets against the other: 1, 0, or 0.5 each for a tie.
        out: Run directory, which the same call continues after an interruption.
        cache: Folder of the answers; None for the user's own.
        progress: Show rate and remaining time, where stderr is a terminal.
        engine: Workers that load local judges and ask them, `Devices("0,1")` or `RayCluster()`;
            None: this process.
        options: See `load_judge`.

    Raises:
        InputError: Unusable pairs, judges or options.
        StoreError: `out` is in use, or holds pairs or judges that are not asked for, or was made
            by another configuration. With more pairs or judges it grows.

    Example:
        >>> from datasets import Dataset
        >>> from PIL import Image
        >>> row = {"image_original": Image.new("RGB", (8, 8), "white")}
        >>> row |= {"image_distorted": Image.new("RGB", (8, 8)), "prompt_distorted": "a dark night"}
        >>> def darker(question, pictures):
        ...     first, second = (picture.getpixel((0, 0))[0] for picture in pictures)
        ...     return {"why": "darker", "choice": "first" if first < second else "second"}
        >>> from aas_bench import load_pairs
        >>> said = judge(load_pairs(Dataset.from_list([row])), darker, progress=False)
        >>> said.frame["label_darker"].tolist(), len(said.answers)
        ([1], 2)
    """
    if by not in get_args(By):
        msg = f"by is {by!r}. Give one of {', '.join(get_args(By))}."
        raise InputError(msg)
    if prompts not in ("distorted", "both") or (prompts == "both" and by != "pairwise"):
        msg = f"prompts={prompts!r} with {by}. Give 'distorted', or 'both' for pairwise judges."
        raise InputError(msg)
    opened = _opened(pairs)
    source = UndecodedPairs(opened)
    with ExitStack() as stack:
        load = partial(_load_judges, judges, options, by=by)
        pool, elsewhere = None, list[ToldJudge]()
        asked: Sequence[Judge]
        if engine is None:
            asked = load(stack=stack)
        else:
            _check_local(judges, source)
            pool = stack.enter_context(engine.open(JudgeJob(load)))
            asked = elsewhere = told_judges(pool.facts)
        root = _root(out, stack)
        store = AnswerCache(Path(cache) if cache is not None else cache_folder("judgements"))
        spec: dict[str, Any] = {
            "pairs": _identity(source, pairs),
            "rubric": RUBRICS[by].identity(),
            "prompts": prompts,
            "judges": [{"name": each.name, **each.identity()} for each in asked],
            "longer_side": MAX_SIDE,
        }
        if prompts == "both":
            spec["rewards"] = [each | {"score": _SHARE} for each in spec["judges"]]
        spec = json.loads(json_bytes(spec))
        run = stack.enter_context(
            open_run(
                root,
                kind="judgements",
                spec=spec,
                grow=lambda root, rounds: _check_growth(root, rounds[-1].spec, spec, source),
            )
        )
        if pool is not None:
            questions = _Questions(opened, by, prompts)
            _ask_elsewhere(pool, elsewhere, questions, store, shown=progress)
            progress = False
        total = None if source.total is None else source.total * len(asked)
        with progress_bar("judging", unit="pairs", total=total, shown=progress) as advance:
            found = list(_ask(source, asked, _PLANS[by](prompts), store, advance))
        if not found:
            raise InputError(_NO_PAIRS)
        said = _tables(found, by=by, prompts=prompts, names=[each.name for each in asked])
        run.write(JUDGED, _parquet(said.frame))
        run.write(ANSWERS, _parquet(said.answers))
        if said.items is not None:
            run.write(ITEMS, _parquet(said.items))
        if prompts == "both":
            run.write(SCORES_FILE, _parquet(_score_frame(found, asked)))
        about = {"by": by, "instructions": RUBRICS[by].instructions, "n_pairs": len(said.frame)}
        if prompts == "both":
            about["rewards"] = {each["name"]: each for each in spec["rewards"]}
        run.write_json(RUN, about | provenance())
    return replace(said, identities=tuple(spec["judges"]), path=None if out is None else Path(out))


def _root(out: str | os.PathLike[str] | None, stack: ExitStack) -> str | os.PathLike[str]:
    """The run directory; a passing one where none is asked for."""
    return out if out is not None else stack.enter_context(tempfile.TemporaryDirectory())


def _identity(source: UndecodedPairs, pairs: Source) -> dict[str, Any]:
    told = {"source": str(pairs)} if source.total is None else {}
    return source.fingerprint() | told


def _check_growth(
    root: Path, there: Mapping[str, Any], now: Mapping[str, Any], source: UndecodedPairs
) -> None:
    """Let a run go on with more pairs and judges: its tables are made of the answers alone."""
    grows = {"pairs": None, "judges": None, "prompts": None, "rewards": None}
    if {**there, **grows} != {**now, **grows}:
        refuse_other(root, there, now)
    told = {each["name"]: each for each in now["judges"]}
    for each in there["judges"]:
        if each["name"] not in told:
            msg = f"{root} also holds what {each['name']!r} said. Name it too (--judge), or give "
            raise StoreError(f"{msg}another directory.")
        if told[each["name"]] != each:
            refuse_other(root, each, told[each["name"]])
    if (there["prompts"], now["prompts"]) == ("both", "distorted"):
        refuse_other(root, {"prompts": "both"}, {"prompts": "distorted"})
    if source.total is None or not (root / JUDGED).exists():
        return
    import pyarrow.parquet as pq

    given = {*source.names()}
    judged = pq.read_table(root / JUDGED, columns=[PAIR_ID])[PAIR_ID].to_pylist()
    if lost := [name for name in judged if name not in given]:
        msg = (
            f"{root} holds {len(judged):,} pairs, of which {len(lost):,} are not among those "
            f"given (first {lost[0]!r}). Give them too, or give another directory."
        )
        raise StoreError(msg)


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where an answer belongs.

    Attributes:
        prompt: "distorted" or "original".
        shown: Which images, and in what order.
    """

    prompt: str
    shown: str


_Plan: TypeAlias = Callable[[PairRow], "dict[_Place, Question | str]"]
"""The questions of a pair; a text says why one cannot be asked."""


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What one judge said of one pair."""

    judge: str
    row: PairRow
    answers: Mapping[_Place, Answer]

    def value(self, place: _Place) -> Mapping[str, Any] | None:
        """The values of an answer; None where it is missing."""
        return self.answers[place].values


def _opened(pairs: Any) -> Any:
    from datasets import Dataset, IterableDataset

    if isinstance(pairs, (Dataset, IterableDataset)):
        return pairs
    from aas_bench.tables.pairs import load_pairs

    return load_pairs(pairs)


def _each(specs: JudgeSpec | Sequence[JudgeSpec]) -> list[Any]:
    return list(specs) if isinstance(specs, (list, tuple)) else [specs]


def _load_judges(
    specs: JudgeSpec | Sequence[JudgeSpec],
    options: Mapping[str, Any],
    device: str | None = None,
    *,
    by: By,
    stack: ExitStack | None = None,
) -> list[Judge]:
    if device is not None:
        options = {**options, "device": device}
    load = load_rater if by == "dimensions" else load_judge
    found: list[Judge] = []
    for spec in _each(specs):
        found.append(load(spec, **options))
        if stack is not None and not isinstance(spec, Judge):
            stack.callback(found[-1].close)
    _check_names([judge.name for judge in found])
    return found


def _check_names(names: Sequence[str]) -> None:
    """Refuse names that columns cannot go by."""
    if not names:
        msg = "no judge is given. Name one, e.g. openai:MODEL."
        raise InputError(msg)
    if twice := [name for name in names if names.count(name) > 1]:
        msg = f"two judges are called {twice[0]!r}. Label one: other=SPEC."
        raise InputError(msg)
    if unfit := [name for name in names if not fits_columns(name)]:
        msg = f"no judge can be called {unfit[0]!r:.60}, as columns go by it. Label it: other=SPEC."
        raise InputError(msg)


def _check_local(specs: JudgeSpec | Sequence[JudgeSpec], source: UndecodedPairs) -> None:
    """Refuse what several workers cannot do."""
    for spec in _each(specs):
        if isinstance(spec, str) and not runs_here(spec):
            msg = f"{spec} asks a service, which takes no devices. Give --concurrency instead."
            raise InputError(msg)
    if source.total is None:
        msg = "several workers need the whole table, not a stream. Load it without streaming."
        raise InputError(msg)


class _Questions:
    """What a judge is asked about a part of the pairs; travels to workers."""

    def __init__(self, pairs: Any, by: By, prompts: Prompts) -> None:
        self._pairs, self._by, self._prompts = pairs, by, prompts
        self.n_parts = -(-len(pairs) // PART_SIZE)

    @cached_property
    def _source(self) -> UndecodedPairs:
        return UndecodedPairs(self._pairs)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_source"}

    def __call__(self, part: int, identity: Mapping[str, Any]) -> Asked:
        plan = _PLANS[self._by](self._prompts)
        found: dict[str, tuple[str, dict[str, Any], Question]] = {}
        for row in self._source.read(part * PART_SIZE, (part + 1) * PART_SIZE):
            for question in plan(row).values():
                key, identified = _identified(question, identity)
                if isinstance(question, Question) and isinstance(identified, dict):
                    found.setdefault(key, (key, identified, question))
        return list(found.values())


def _ask_elsewhere(
    pool: Pool,
    judges: Sequence[ToldJudge],
    questions: _Questions,
    store: AnswerCache,
    *,
    shown: bool,
) -> None:
    """Let workers ask what was not answered before, and keep what they say."""

    def is_known(j: int, _: str, identified: Mapping[str, Any]) -> bool:
        return judges[j].lasting and _read(store.get(identified)) is not None

    for judge in judges:
        judge.key_of = partial(_key, judge.identity())
    pieces = pieces_of(judges, questions, questions.n_parts, is_known)
    total = sum(len(which) for _, _, which in pieces)
    with progress_bar("judging", unit="questions", total=total, shown=shown) as advance:
        setting = (questions, [judge.identity() for judge in judges])
        for j, answered in pool.results(setting, pieces, advance=advance) if pieces else ():
            for key, identified, answer in answered:
                judges[j].answers[key] = answer
                _keep(store, judges[j], identified, answer)


def _key(identity: Mapping[str, Any], question: Question) -> str:
    return _identified(question, identity)[0]


def _keep(store: AnswerCache, judge: Judge, identified: Mapping[str, Any], answer: Answer) -> None:
    """Keep an answer that asking again would not change."""
    if answer.is_final and judge.lasting:
        store.put(identified, json.dumps(asdict(answer), ensure_ascii=False))


def _pairwise(prompts: Prompts) -> _Plan:
    asked = ("distorted", "original") if prompts == "both" else ("distorted",)

    def plan(row: PairRow) -> dict[_Place, Question | str]:
        original, distorted = row.original.struct, row.distorted.struct
        orders = dict(zip(_ORDERS, [(original, distorted), (distorted, original)], strict=True))
        found: dict[_Place, Question | str] = {}
        for prompt in asked:
            text = row.values[_PROMPT[prompt]]
            for order, (first, second) in orders.items():
                place = _Place(prompt=prompt, shown=order)
                found[place] = (
                    f"there is no {_PROMPT[prompt]}"
                    if text is None
                    else pairwise_question(text, first, second)
                )
        return found

    return plan


def _graded(_: Prompts) -> _Plan:
    def plan(row: PairRow) -> dict[_Place, Question | str]:
        return {
            place: reason or graded_question(caption, prompt, image)
            for place, image, caption, prompt, reason in _single(row)
        }

    return plan


def _checklist(_: Prompts) -> _Plan:
    def plan(row: PairRow) -> dict[_Place, Question | str]:
        found: dict[_Place, Question | str] = {}
        for place, image, caption, _, reason in _single(row):
            try:
                found[place] = reason or checklist_question(caption, asked_for(row.values), image)
            except InputError as error:
                found[place] = str(error)
        return found

    return plan


def _rating(_: Prompts) -> _Plan:
    def plan(row: PairRow) -> dict[_Place, Question | str]:
        return {
            _Place(prompt="none", shown=name): rating_question(image.struct)
            for name, image in zip(IMAGES, (row.original, row.distorted), strict=True)
        }

    return plan


_PLANS: Final[Mapping[str, Callable[[Prompts], _Plan]]] = {
    "pairwise": _pairwise,
    "graded": _graded,
    "checklist": _checklist,
    "dimensions": _rating,
}


def _single(row: PairRow) -> Iterator[tuple[_Place, Any, str, str, str]]:
    """Each image alone: its place, itself, what it is to show, how, and why it cannot be asked."""
    prompt = row.values[PROMPT_DISTORTED]
    caption = row.values[PROMPT_ORIGINAL] or prompt
    reason = "" if prompt is not None else f"there is no {PROMPT_DISTORTED}"
    for name, image in (("original", row.original), ("distorted", row.distorted)):
        yield _Place(prompt="distorted", shown=name), image.struct, caption, prompt, reason


def asked_for(values: Mapping[str, Any]) -> tuple[str, ...]:
    """The dimensions of a pair: those that it names, else those that its prompt's words ask for."""
    named = tuple(values.get(DIMENSIONS) or ())
    if named:
        return named
    read = requested_effects(values[PROMPT_DISTORTED] or "")
    return tuple(EFFECTS[name].dimension for name in read)


def _ask(
    source: UndecodedPairs,
    judges: Sequence[Judge],
    plan: _Plan,
    store: AnswerCache,
    advance: Callable[[int], object],
) -> Iterator[_Said]:
    """What each judge said of each pair, in the order of the pairs, judge by judge a part."""
    start = 0
    while rows := list(source.read(start, start + PART_SIZE)):
        start += PART_SIZE
        plans = [plan(row) for row in rows]
        by_judge = [list(_ask_judge(each, rows, plans, store, advance)) for each in judges]
        for said in zip(*by_judge, strict=True):
            yield from said


def _ask_judge(
    judge: Judge,
    rows: Sequence[PairRow],
    plans: Sequence[Mapping[_Place, Question | str]],
    store: AnswerCache,
    advance: Callable[[int], object],
) -> Iterator[_Said]:
    """One judge's answers to a part of the pairs: kept ones, and the others as they come."""
    identity, known = judge.identity(), dict[str, Answer]()
    keys: list[dict[_Place, str]] = []
    lacking: dict[str, Question] = {}
    asked_as: dict[Question, dict[str, Any]] = {}
    for questions in plans:
        keys.append({})
        for place, question in questions.items():
            key, identified = _identified(question, identity)
            keys[-1][place] = key
            if isinstance(identified, Answer):
                known[key] = identified
            elif key not in known and key not in lacking:
                stored = _read(store.get(identified)) if judge.lasting else None
                if stored is None:
                    assert isinstance(question, Question)
                    lacking[key], asked_as[question] = question, identified
                else:
                    known[key] = stored

    def keep(question: Question, answer: Answer) -> None:
        _keep(store, judge, asked_as[question], answer)

    waiting = iter(lacking)
    with closing(judge.ask(lacking.values(), keep=keep)) as fresh:
        for row, places in zip(rows, keys, strict=True):
            while any(key not in known for key in places.values()):
                known[next(waiting)] = next(fresh)
            advance(1)
            answers = {place: known[key] for place, key in places.items()}
            yield _Said(judge=judge.name, row=row, answers=answers)


def _identified(
    question: Question | str, judge: Mapping[str, Any]
) -> tuple[str, dict[str, Any] | Answer]:
    """A key, and by what the cache knows the question; an answer where it cannot be asked."""
    reason = question if isinstance(question, str) else ""
    if not isinstance(question, str):
        try:
            found = {"judge": dict(judge), "longer_side": MAX_SIDE, **question.identity()}
            return json.dumps(found, sort_keys=True), found
        except InputError as error:
            reason = str(error)
    return reason, Answer(status=NOT_ASKED, reason=reason, attempts=0)


def _read(stored: str | None) -> Answer | None:
    """A kept answer; None where it is damaged."""
    if stored is None:
        return None
    try:
        return Answer(**json_value(stored))
    except (ValueError, TypeError):
        return None


def _tables(
    found: Sequence[_Said], *, by: By, prompts: Prompts, names: Sequence[str]
) -> Judgements:
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    columns: dict[str, str] = {}
    for said in found:
        row = _row(rows, said)
        told = _COLUMNS[by](said)
        columns |= dict.fromkeys(told, "Int8" if by == "pairwise" else "Float64")
        row |= told
    frame = pd.DataFrame(list(rows.values()))
    answer_rows = _rating_rows if by == "dimensions" else _answer_rows
    if by == "pairwise":
        votes = frame[[label_column(name) for name in names]].astype(object)
        voted = [[v for v in each if not pd.isna(v)] for each in votes.to_numpy().tolist()]
        frame[MAJORITY] = [label_value(each) if each else None for each in voted]
        columns[MAJORITY] = "Int8"
    return Judgements(
        by=by,
        judges=tuple(names),
        frame=frame.astype(columns),
        answers=pd.DataFrame([row for said in found for row in answer_rows(said)]),
        items=pd.DataFrame([row for said in found for row in _item_rows(said)])
        if by == "checklist"
        else None,
    )


def _row(rows: dict[str, dict[str, Any]], said: _Said) -> dict[str, Any]:
    """The row of a pair, begun with what the pair table says of it."""
    values = said.row.values
    return rows.setdefault(values[PAIR_ID], {name: values[name] for name in _KEPT})


def _decided(said: _Said, prompt: str) -> float | None:
    votes = []
    for order, place in zip(_ORDERS, ("second", "first"), strict=True):
        values = said.value(_Place(prompt=prompt, shown=order))
        votes.append(None if values is None else vote(values, distorted=place))
    return decision(*votes)


def _pairwise_columns(said: _Said) -> dict[str, int | None]:
    decided = _decided(said, "distorted")
    label = None if decided is None else -1 if decided == 0.5 else int(decided)
    return {label_column(said.judge): label}


def _graded_columns(said: _Said) -> dict[str, float | None]:
    return {
        mark_column(said.judge, score, place.shown): None
        if answer.values is None
        else float(answer.values[score])
        for place, answer in said.answers.items()
        for score in SCORES
    }


def _checklist_columns(said: _Said) -> dict[str, float | None]:
    """Shares of the requested effects: how many are there, and how many are strong."""
    found: dict[str, float | None] = {}
    for place in said.answers:
        answers = _resolved(said, place)
        for score, ending in (("effects_present", ""), ("effects_strong", STRONG)):
            keys = [effect_key(name) + ending for name in dict.fromkeys(asked_for(said.row.values))]
            hits = None if answers is None else [answers[key] is True for key in keys]
            share = sum(hits) / len(hits) if hits else None
            found[mark_column(said.judge, score, place.shown)] = share
        content = None if answers is None else float(answers["content"] is True)
        found[mark_column(said.judge, "content", place.shown)] = content
    return found


def _rating_columns(said: _Said) -> dict[str, float | None]:
    """The ratings of each image, summed over the dimensions."""
    return {
        mark_column(said.judge, RATING, place.shown): None
        if answer.values is None
        else sum(map(expected, answer.values.values()))
        for place, answer in said.answers.items()
    }


_COLUMNS: Final[Mapping[str, Callable[[_Said], Mapping[str, Any]]]] = {
    "pairwise": _pairwise_columns,
    "graded": _graded_columns,
    "checklist": _checklist_columns,
    "dimensions": _rating_columns,
}


def _resolved(said: _Said, place: _Place) -> dict[str, bool | None] | None:
    values = said.value(place)
    return None if values is None else resolved(values, items(asked_for(said.row.values)))


def _answer_rows(said: _Said) -> Iterator[dict[str, Any]]:
    for place, answer in said.answers.items():
        values = dict(answer.values or {})
        why = values.pop("why", None)
        yield {
            PAIR_ID: said.row.values[PAIR_ID],
            INDEX: said.row.values[INDEX],
            "judge": said.judge,
            "prompt": place.prompt,
            "shown": place.shown,
            "status": answer.status,
            "answer": json.dumps(values, ensure_ascii=False) if answer.values else None,
            "why": why,
            "reason": answer.reason,
            "attempts": answer.attempts,
            "latency_seconds": answer.latency,
            "cost_usd": answer.cost,
            "told": json.dumps(dict(answer.told), sort_keys=True),
        }


def _rating_rows(said: _Said) -> Iterator[dict[str, Any]]:
    """A row for each image and dimension."""
    for place, answer in said.answers.items():
        pair_id = said.row.values[PAIR_ID]
        facts = {
            PAIR_ID: pair_id,
            INDEX: said.row.values[INDEX],
            "judge": said.judge,
            "image": f"{pair_id} image_{place.shown}",
            "shown": place.shown,
            "status": answer.status,
            "reason": answer.reason,
            "attempts": answer.attempts,
            "latency_seconds": answer.latency,
        }
        yield from (facts | rated for rated in rating_rows(answer))


def _item_rows(said: _Said) -> Iterator[dict[str, Any]]:
    """Every question of a checklist with its answer; null where it is missing or does not apply."""
    for place, answer in said.answers.items():
        answers = _resolved(said, place)
        try:
            asked = items(asked_for(said.row.values))
        except InputError:
            continue
        for item in asked:
            yield {
                PAIR_ID: said.row.values[PAIR_ID],
                INDEX: said.row.values[INDEX],
                "judge": said.judge,
                "image": place.shown,
                "key": item.key,
                "question": item.text,
                "only_if": item.only_if,
                "said": None if answer.values is None else answer.values[item.key],
                "holds": None if answers is None else answers[item.key],
            }


def _score_frame(found: Sequence[_Said], judges: Sequence[Judge]) -> pd.DataFrame:
    """A score table of the judges: an image's score is its share of the vote under a prompt."""
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    for said in found:
        row = _row(rows, said)
        for prompt, (of_original, of_distorted) in _CELLS.items():
            share = _decided(said, prompt)
            row[score_column(said.judge, of_distorted)] = share
            row[score_column(said.judge, of_original)] = None if share is None else 1 - share
    cells = [score_column(j.name, c) for j in judges for both in _CELLS.values() for c in both]
    kinds = dict.fromkeys(cells, "float64")
    frame: pd.DataFrame = pd.DataFrame(list(rows.values())).astype(kinds)
    return frame


def _parquet(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa

    return parquet_bytes(
        pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    )
