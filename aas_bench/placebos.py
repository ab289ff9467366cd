"""Placebo requests: what each pair could have been asked for instead, chosen without chance.

A reward model that does not read the request scores a pair the same, up to noise, under its own
request and under one for something else (`aas_bench.stats.placebo_override`). Equal requests get
equal placebos, in whatever order the pairs come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, get_args

import numpy as np

from aas_bench.errors import InputError
from aas_bench.files import bars_hidden
from aas_bench.tables.schema import (
    DIMENSIONS,
    IMAGE_COLUMNS,
    INDEX,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    placebo_column,
)
from aas_bench.tasks.taxonomy import DIMENSIONS as MEANINGS
from aas_bench.tasks.taxonomy import near_dimensions

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset
    from numpy.typing import NDArray

    Pairs = TypeVar("Pairs", Dataset, IterableDataset)

Kind: TypeAlias = Literal["matched", "foreign"]
Choice: TypeAlias = Literal["none", "matched", "foreign", "both"]

MOST: Final = 64
KINDS_OF: Final[Mapping[str, tuple[Kind, ...]]] = {
    "none": (),
    "matched": ("matched",),
    "foreign": ("foreign",),
    "both": ("matched", "foreign"),
}
"""What the command line calls a choice of kinds."""
NEW_PROMPTS: Final = 2
"""New prompts that placebos bring for each pair, on average, where nothing is said."""
FEW: Final = 2
"""So many placebos a pair are scored even where no two pairs share a caption."""
_READ: Final = (INDEX, PROMPT_ORIGINAL, PROMPT_DISTORTED, DIMENSIONS, "scene", "effect")
NEEDED: Final[Mapping[str, str]] = {
    "matched": "they need an original prompt, and known dimensions that leave others free",
    "foreign": "they need other base prompts that ask for none of a pair's dimensions",
}


def with_placebos(
    pairs: Pairs, kind: Kind = "matched", *, n_placebos: int = 8, seed: int = 0
) -> Pairs:
    """Give each pair the placebo requests that `score` scores beside its own prompts.

    - "matched": the pair's own caption with a request, of about as many parts, for dimensions that
      its own does not ask for, nor for their opposites or neighbours. On the built-in photographs
      it is the request of an effect that neither image shows nor undoes; elsewhere the template
      rewriter composes it, so that its style can differ from a request that a language model
      wrote, and pairs of one caption share one pool of placebos.
    - "foreign": the distorted prompts of other base prompts that ask for none of the pair's
      dimensions. They change the content too: a diagnostic.

    Args:
        pairs: The pair table; streaming only where "matched" is asked. A pair without an
            original prompt or known dimensions has no matched placebos.
        kind: What the placebos are.
        n_placebos: How many for a pair, 1 to 64; fewer where no more are to be had.
        seed: Another seed chooses others.

    Returns:
        The pairs with a further column `placebos_<kind>`, a list of prompts, empty where there
        are none.

    Raises:
        InputError: An option is out of range, or foreign placebos are asked for a stream.

    Example:
        >>> from aas_bench import load_pairs
        >>> from datasets import Dataset
        >>> from PIL import Image
        >>> white = Image.new("RGB", (8, 8), "white")
        >>> row = {"image_original": white, "image_distorted": white, "dimensions": ["clarity"]}
        >>> row |= {"prompt_original": "a dog", "prompt_distorted": "a blurred dog"}
        >>> pairs = with_placebos(load_pairs(Dataset.from_list([row])), n_placebos=2)
        >>> len(pairs[0]["placebos_matched"]), "blur" in str(pairs[0]["placebos_matched"])
        (2, False)
    """
    from datasets import Dataset, Features, Image, List, Value

    if kind not in get_args(Kind):
        msg = f"kind={kind!r} is not known. Give {' or '.join(map(repr, get_args(Kind)))}."
        raise InputError(msg)
    if not 1 <= n_placebos <= MOST:
        msg = f"n_placebos={n_placebos} is out of range. Give 1 to {MOST}."
        raise InputError(msg)
    column, texts = placebo_column(kind), List(Value("string"))
    features = pairs.features
    if isinstance(pairs, Dataset):
        rows = _read(pairs).to_list()
        if kind == "matched":
            found = [_matched(row, n_placebos, seed) for row in rows]
        else:
            found = list(_foreign(rows, n_placebos, seed))
        kept = pairs.remove_columns([column]) if column in features else pairs
        with bars_hidden(hidden=True):  # a part of a table is copied first: no work worth telling
            return kept.add_column(column, found, feature=Features({column: texts})[column])
    if kind == "foreign" or features is None:
        msg = (
            "foreign placebos need the whole table, not a stream. Load it without streaming, or "
            "take matched ones."
        )
        raise InputError(msg)
    told = Features({**features, column: texts})
    for name in IMAGE_COLUMNS:
        pairs = pairs.cast_column(name, Image(decode=False))  # not to be decoded on the way
    return pairs.map(lambda row: {column: _matched(row, n_placebos, seed)}).cast(told)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Pairs with the placebo requests that are scored beside their own prompts.

    Attributes:
        pairs: The pairs, with a column for each kind that is not made on the way.
        n_of: By reward model, how many of a pair's placebos of a kind it is scored under; empty
            where there are none.
        made: The columns that are made of each row as it is read, so that nothing holds them.
    """

    pairs: Any
    n_of: Mapping[str, int]
    made: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = field(default_factory=dict)

    def cost(self, texts: Iterable[Sequence[Mapping[str, Any]]] | None) -> str | None:
        """What the placebos cost, in one line; None where there are none.

        Args:
            texts: All rows with their placebos, some at a time; None of a stream.
        """
        if not self.n_of:
            return None
        columns = _placebo_columns([*self.pairs.features, *self.made])
        kinds = " and ".join(columns)
        told = []
        for n in dict.fromkeys(self.n_of.values()):
            names = ", ".join(name for name, own in self.n_of.items() if own == n)
            told.append(f"{n} a pair for {names} ({2 * n * len(columns)} more scores)")
        line = f"{kinds} placebos: {'; '.join(told)}"
        if texts is None:
            return line
        own, asked = _Distinct(), _Distinct()
        most = max(self.n_of.values())
        for rows in texts:
            own.add(row[name] for row in rows for name in (PROMPT_ORIGINAL, PROMPT_DISTORTED))
            asked.add(p for row in rows for c in columns.values() for p in (row[c] or ())[:most])
        theirs, placebos = own.found(), asked.found()
        if not len(placebos):
            return None
        new = np.setdiff1d(placebos, theirs, assume_unique=True)
        return f"{line}; {len(new):,} more prompts beside {len(theirs):,}"


class _Distinct:
    """Which texts there are, by eight bytes of each: those of a million pairs are many."""

    def __init__(self) -> None:
        self._of_each: list[NDArray[np.int64]] = []

    def add(self, texts: Iterable[str | None]) -> None:
        hashes = [hash(text) for text in texts if text is not None]
        self._of_each.append(np.unique(np.array(hashes, dtype=np.int64)))

    def found(self) -> NDArray[np.int64]:
        return np.unique(np.concatenate(self._of_each))


def choose_placebos(
    pairs: Any, choice: Choice | None, n_placebos: int | None, most: Mapping[str, int]
) -> Beside:
    """The placebos that a run scores, and how many of them with each reward model.

    A column of placebos that the pairs bring is kept and scored whole. Others are made: as many as
    a reward model bears (`RewardModel.n_placebos`), but on average no more than
    `NEW_PROMPTS` new prompts for each pair, two placebos excepted: text towers take time.

    Args:
        pairs: The pair table, streaming or not.
        choice: Which kinds; None: matched ones, for those pairs that can have them.
        n_placebos: How many of a kind; None: as above.
        most: By reward model, how many it bears.

    Raises:
        InputError: An option is out of range, or what was asked for cannot be made.
    """
    from datasets import Dataset

    if choice is not None and choice not in KINDS_OF:
        msg = f"placebos={choice!r} is not known. Give {' or '.join(map(repr, KINDS_OF))}."
        raise InputError(msg)
    if n_placebos is not None and not 1 <= n_placebos <= MOST:
        msg = f"n_placebos={n_placebos} is out of range. Give 1 to {MOST}."
        raise InputError(msg)
    if not {PROMPT_ORIGINAL, PROMPT_DISTORTED, DIMENSIONS} <= {*(pairs.features or ())}:
        return Beside(pairs=pairs, n_of={})  # no pairs in our schema: said where they are read
    brought = _placebo_columns(pairs.features)
    if choice == "none":
        return Beside(
            pairs=pairs.remove_columns([*brought.values()]) if brought else pairs, n_of={}
        )
    lacking = [kind for kind in KINDS_OF[choice or "matched"] if kind not in brought]
    if brought and (choice is None or not lacking):
        return Beside(pairs=pairs, n_of=dict.fromkeys(most, n_placebos or _longest(pairs, brought)))
    few = _borne(pairs) if isinstance(pairs, Dataset) else FEW
    n_of = {name: n_placebos or min(n, few) for name, n in most.items()}
    n = max(n_of.values())
    make = partial(_matched, n=n, seed=0)
    made = {placebo_column("matched"): make} if lacking == ["matched"] else {}
    for kind in lacking:
        if not made:  # the foreign ones of a pair hang on all the others
            pairs = with_placebos(pairs, kind, n_placebos=n)
        if choice is None or not isinstance(pairs, Dataset):
            continue
        if not any(map(make, _read(pairs)) if made else pairs[placebo_column(kind)]):
            msg = f"no pair can have {kind} placebos: {NEEDED[kind]}. Mend the pairs, or leave "
            raise InputError(f"{msg}the placebos to be chosen: placebos=None (no --placebos).")
    return Beside(pairs=pairs, n_of=n_of, made=made)


def _read(pairs: Dataset) -> Dataset:
    """What placebos are chosen by."""
    return pairs.select_columns([n for n in _READ if n in pairs.features]).with_format(None)


def _placebo_columns(names: Collection[str]) -> dict[Kind, str]:
    """The columns of placebos among these, by kind."""
    columns = {kind: placebo_column(kind) for kind in get_args(Kind)}
    return {kind: column for kind, column in columns.items() if column in names}


def _longest(pairs: Any, columns: Mapping[Kind, str]) -> int:
    """The most placebos of a kind that a pair brings; of a stream, as many as may be."""
    from datasets import Dataset

    if not isinstance(pairs, Dataset):
        return MOST
    lists = pairs.select_columns([*columns.values()]).to_dict().values()
    return max((len(row or ()) for each in lists for row in each), default=0)


def _borne(pairs: Dataset) -> int:
    """How many placebos leave it at `NEW_PROMPTS` new prompts a pair, which share captions."""
    captions = pairs.select_columns([PROMPT_ORIGINAL]).with_format("arrow")[:]
    n_captions = max(1, len(captions[PROMPT_ORIGINAL].unique()))
    return max(FEW, NEW_PROMPTS * len(pairs) // n_captions)


def _matched(row: Mapping[str, Any], n: int, seed: int) -> list[str]:
    """The first so many of the caption's pool that the pair's own request leaves free."""
    caption, names = row[PROMPT_ORIGINAL], tuple(sorted(row[DIMENSIONS] or ()))
    effect, scene = row.get("effect"), row.get("scene")
    if not (caption or "").strip():
        return []
    if effect is not None and scene is not None:
        from aas_bench.counterfactual.effects import EFFECTS
        from aas_bench.counterfactual.scenes import SCENES

        if effect in EFFECTS and scene in SCENES:
            return [*_other_effects(effect, scene, str(row[PROMPT_DISTORTED]), n, seed)]
    return [*_composed(caption, names, n, seed)]


@lru_cache(maxsize=4096)
def _other_effects(effect: str, scene: str, request: str, n: int, seed: int) -> Sequence[str]:
    """Requests for effects that neither image shows nor undoes; wordings are spread."""
    from aas_bench.counterfactual.effects import EFFECTS
    from aas_bench.counterfactual.scenes import SCENES

    # Drawn anew for each request: hardly a text is new where a photograph has many pairs, and what
    # is drawn more widely is told more precisely.
    rng = _rng(seed, scene, request)
    order = [list(EFFECTS.values())[i] for i in rng.permutation(len(EFFECTS))]
    wordings = {each.name: rng.permutation(len(each.requests)) for each in order}
    shown = {effect, *EFFECTS[effect].also_moves}
    free = [each for each in order if each.name not in shown and scene not in each.excluded]
    requests = [
        each.prompt(SCENES[scene], wording=int(wordings[each.name][turn]))
        for turn in range(max(map(len, wordings.values())))
        for each in free
        if turn < len(each.requests)
    ]
    return tuple(requests[:n])


@lru_cache(maxsize=4096)
def _composed(caption: str, asked: tuple[str, ...], n: int, seed: int) -> Sequence[str]:
    """The caption with other dimensions, as many as the pair's own request names where possible."""
    shown = near_dimensions(asked)
    if shown is None:
        return ()
    from aas_bench.rewriters.base import RewriteError, RewriteRequest
    from aas_bench.rewriters.template import TemplateRewriter

    # Seeded by the caption alone: pairs of one caption share what a text tower reads.
    rng = _rng(seed, caption)
    free = [name for name in rng.permutation(list(MEANINGS)).tolist() if name not in shown]
    size = min(len(asked), len(free))
    found: dict[str, None] = {}
    # Each turn takes every dimension equally often, and other words.
    for turn, start in product(range(n), range(len(free))):
        names = tuple((free * 2)[start : start + size])
        try:
            request = RewriteRequest(caption=caption, dimensions=names, seed=turn)
            found[TemplateRewriter().rewrite(request)] = None
        except RewriteError:
            continue
        if len(found) == n:
            break
    return tuple(found)


def _foreign(rows: Sequence[Mapping[str, Any]], n: int, seed: int) -> Iterator[list[str]]:
    from aas_bench.tables.scores import joined_by_prompts

    columns = {n: [row[n] for row in rows] for n in (PROMPT_ORIGINAL, PROMPT_DISTORTED)}
    bases, _ = joined_by_prompts(np.array([row[INDEX] for row in rows], np.int64), columns)
    rows = [{**row, INDEX: int(base)} for row, base in zip(rows, bases, strict=True)]
    prompts = sorted(
        {
            (row[INDEX], row[PROMPT_DISTORTED], tuple(sorted(row[DIMENSIONS] or ())))
            for row in rows
            if row[PROMPT_DISTORTED] is not None
        }
    )
    known: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        asked = frozenset(row[DIMENSIONS] or ())
        key = (row[INDEX], row[PROMPT_DISTORTED], asked)
        if key not in known:
            order = _rng(seed, *map(str, (key[0], key[1], sorted(asked)))).permutation(len(prompts))
            found: dict[str, None] = {}
            for index, prompt, other in (prompts[i] for i in order):
                own = index == row[INDEX] or prompt == row[PROMPT_DISTORTED]
                if not own and not asked.intersection(other):
                    found[prompt] = None
                if len(found) == n:
                    break
            known[key] = list(found)
        yield known[key]


def _rng(seed: int, *parts: str) -> np.random.Generator:
    digest = hashlib.sha256("\x1f".join((str(seed), *parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
