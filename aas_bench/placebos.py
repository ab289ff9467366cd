"""Placebo requests: what each pair could have been asked for instead, chosen without chance.

A reward model that does not read the request scores a pair the same, up to noise, under its own
request and under one for something else (`aas_bench.stats.placebo_override`). Equal requests get
equal placebos, in whatever order the pairs come.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES
from aas_bench.errors import InputError
from aas_bench.rewriters.base import RewriteError, RewriteRequest
from aas_bench.rewriters.template import TemplateRewriter
from aas_bench.tables.schema import (
    DIMENSIONS,
    INDEX,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    placebo_column,
)
from aas_bench.tasks.taxonomy import DIMENSIONS as MEANINGS

if TYPE_CHECKING:
    from datasets import Dataset

Kind: TypeAlias = Literal["matched", "foreign"]

MOST: Final = 64
KINDS_OF: Final[Mapping[str, tuple[Kind, ...]]] = {
    "none": (),
    "matched": ("matched",),
    "foreign": ("foreign",),
    "both": ("matched", "foreign"),
}
"""What the command line calls a choice of kinds."""
_TRIES: Final = 50


def with_placebos(
    pairs: Dataset, kind: Kind = "matched", *, n_placebos: int = 8, seed: int = 0
) -> Dataset:
    """Give each pair the placebo requests that `score` scores beside its own prompts.

    - "matched": the pair's own caption with a request, of about as many parts, for dimensions that
      its own does not ask for. On the built-in photographs it is the request of an effect that
      neither image shows nor undoes; elsewhere the template rewriter composes it, so that its
      style can differ from a request that a language model wrote.
    - "foreign": the distorted prompts of other base prompts that ask for none of the pair's
      dimensions. They change the content too: a diagnostic.

    Args:
        pairs: The pair table, not streaming, with an original prompt where "matched" is asked.
        kind: What the placebos are.
        n_placebos: How many for a pair, 1 to 64; fewer where no more are to be had.
        seed: Another seed chooses others.

    Returns:
        The pairs with a further column `placebos_<kind>`, a list of prompts, empty where there
        are none.

    Raises:
        InputError: An option is out of range, or the pairs are a stream.

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
    from datasets import Dataset, Features, List, Value

    if not isinstance(pairs, Dataset):
        msg = "placebos need the whole table, not a stream. Load it without streaming."
        raise InputError(msg)
    if kind not in get_args(Kind):
        msg = f"kind={kind!r} is not known. Give {' or '.join(map(repr, get_args(Kind)))}."
        raise InputError(msg)
    if not 1 <= n_placebos <= MOST:
        msg = f"n_placebos={n_placebos} is out of range. Give 1 to {MOST}."
        raise InputError(msg)
    wanted = (INDEX, PROMPT_ORIGINAL, PROMPT_DISTORTED, DIMENSIONS, "scene", "effect")
    rows = pairs.select_columns([name for name in wanted if name in pairs.features]).to_list()
    found = (
        _matched(rows, n_placebos, seed) if kind == "matched" else _foreign(rows, n_placebos, seed)
    )
    column = placebo_column(kind)
    kept = pairs.remove_columns([column]) if column in pairs.features else pairs
    feature = Features({column: List(Value("string"))})
    return kept.add_column(column, list(found), feature=feature[column])


def _matched(rows: Sequence[Mapping[str, Any]], n: int, seed: int) -> Iterator[list[str]]:
    known: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        effect, scene = str(row.get("effect")), str(row.get("scene"))
        caption, asked = row[PROMPT_ORIGINAL], tuple(sorted(row[DIMENSIONS] or ()))
        key = (caption, asked, effect, row[PROMPT_DISTORTED])
        if key not in known:
            rng = _rng(seed, *map(str, key))
            if caption is None:
                known[key] = []
            elif effect in EFFECTS and scene in SCENES:
                known[key] = _other_effects(effect, scene, n, rng)
            else:
                known[key] = _composed(caption, asked, n, rng)
        yield known[key]


def _other_effects(effect: str, scene: str, n: int, rng: np.random.Generator) -> list[str]:
    """Requests for effects that neither image shows nor undoes; wordings are spread."""
    shown = {effect, *EFFECTS[effect].also_moves}
    others = [e for e in EFFECTS.values() if e.name not in shown and scene not in e.excluded]
    requests = [
        other.prompt(SCENES[scene], wording=int(wording))
        for wording in range(max(len(other.requests) for other in others))
        for other in (others[i] for i in rng.permutation(len(others)))
        if wording < len(other.requests)
    ]
    return requests[:n]


def _composed(caption: str, asked: tuple[str, ...], n: int, rng: np.random.Generator) -> list[str]:
    """The caption with other dimensions, as many as the pair's own request names."""
    free = [name for name in MEANINGS if name not in asked]
    size = min(max(len(asked), 1), len(free))
    found: dict[str, None] = {}
    for attempt in range(_TRIES * n if free else 0):
        names = tuple(free[i] for i in rng.choice(len(free), size, replace=False))
        try:
            request = RewriteRequest(caption=caption, dimensions=names, seed=attempt)
            found[TemplateRewriter().rewrite(request)] = None
        except (InputError, RewriteError):
            continue
        if len(found) == n:
            break
    return list(found)


def _foreign(rows: Sequence[Mapping[str, Any]], n: int, seed: int) -> Iterator[list[str]]:
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
                if index != row[INDEX] and not asked.intersection(other):
                    found[prompt] = None
                if len(found) == n:
                    break
            known[key] = list(found)
        yield known[key]


def _rng(seed: int, *parts: str) -> np.random.Generator:
    digest = hashlib.sha256("\x1f".join((str(seed), *parts)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
