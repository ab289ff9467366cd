"""Score tables with one row a score: pair, image, prompt, reward model and score, pivoted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Any, Final

from aas_bench.errors import SchemaError, raise_faults
from aas_bench.tables.authors import UNNAMED, is_null, shown
from aas_bench.tables.schema import (
    CELLS,
    INDEX,
    MODEL,
    PAIR_ID,
    PROMPT_DISTORTED,
    Columns,
    score_column,
    values,
)

_SCORE: Final = ("score", "value", "reward_score")
_REWARD: Final = ("reward", "reward_model", "scorer", "metric", MODEL)
_IMAGE: Final = ("image", "image_path", "image_kind", "file_name")
_PROMPT: Final = ("prompt", "prompt_kind")
_PAIR: Final = (PAIR_ID, "id", INDEX)
_ROLES: Final = {"original": "o", "distorted": "d"}
_NAMED: Final = re.compile(r"(?:.*[/\\])?(?P<id>.*?)[-_. ]?(?P<role>original|distorted)(?:\.\w+)?")
_WAY_OUT: Final = (
    "Call them <reward>_oiop, <reward>_oidp, <reward>_diop, <reward>_didp, or say what they are: "
    "aas-bench analyse FILE --columns '{theirs}=oidp,...'."
)


def pivoted(columns: Columns, source: str) -> Columns:
    """One row a pair, from one row a score.

    The score stands in `score` or `value`; the reward model in `reward`, `reward_model`, `scorer`
    or `metric`, else in `model`; the pair in `pair_id`, `id` or `index`, else in the name of the
    image (`17_original.png`). Which of the four scores it is, `cell` says (oiop, oidp, diop, didp),
    or `image` and `prompt` do: "original" or "distorted", the image also by the end of its name. A
    prompt in full words is the distorted one, if a pair has no other.

    Raises:
        SchemaError: The table holds no scores in this form either, or a row cannot be placed, or
            two rows are the same score.
    """
    score, reward, image, prompt, pair = (
        next((n for n in names if n in columns), None)
        for names in (_SCORE, _REWARD, _IMAGE, _PROMPT, _PAIR)
    )
    cell = "cell" if "cell" in columns else None
    if score is None or (cell is None and (image is None or prompt is None)):
        raise SchemaError(f"{source}: {_no_scores(list(columns), source)}")
    rows = {name: values(column) for name, column in columns.items()}
    n = len(rows[score])
    scorers = [UNNAMED if reward is None else str(v) for v in rows.get(reward or "", [None] * n)]
    images = rows.get(image or "", [None] * n)
    names: Sequence[Any] = rows[pair] if pair else list(map(_named_pair, images))
    faults = [
        f"row {i}: the pair of {shown(images[i])} is not said"
        for i, name in enumerate(names)
        if is_null(name)
    ]
    raise_faults(source, faults, f"Add a column {PAIR_ID} or {INDEX}.")
    if cell:
        placed = [str(v).strip().lower() for v in rows[cell]]
    else:
        roles = _prompt_roles(rows[prompt or ""], list(names), source)
        placed = [f"{_image_role(v)}i{r}p" for v, r in zip(images, roles, strict=True)]
    faults = [
        f"row {i}: {shown(rows[cell or image or ''][i])} is not the original or distorted image"
        for i, each in enumerate(placed)
        if each not in CELLS
    ]
    raise_faults(source, faults, "Add a column cell with oiop, oidp, diop or didp.")
    return _placed(rows, names, scorers, placed, {score, reward, image, prompt, cell}, source)


def _placed(
    rows: dict[str, list[Any]],
    names: Sequence[Any],
    scorers: Sequence[str],
    cells: Sequence[str],
    spent: set[str | None],
    source: str,
) -> Columns:
    """The wide table; what else a row says must be the same in all rows of its pair."""
    first: dict[Any, int] = {}
    for number, name in enumerate(names):
        first.setdefault(name, number)
    place = {name: at for at, name in enumerate(first)}
    order = product(dict.fromkeys(scorers), CELLS)
    there = set(zip(scorers, cells, strict=True))
    wide: dict[str, list[Any]] = {
        score_column(*key): [None] * len(first) for key in order if key in there
    }
    score = next(n for n in _SCORE if n in rows)
    faults, seen = [], set()
    for number, key in enumerate(zip(names, scorers, cells, strict=True)):
        if key in seen:
            faults.append(f"row {number}: {key[1]} {key[2]} of pair {shown(key[0])} stands twice")
        seen.add(key)
        wide[score_column(key[1], key[2])][place[key[0]]] = rows[score][number]
    further: dict[str, list[Any]] = {}
    for column, cells_of in rows.items():
        if column in spent:
            continue
        kept = [cells_of[number] for number in first.values()]
        same = all(
            cells_of[i] == kept[place[name]] or is_null(cells_of[i]) for i, name in enumerate(names)
        )
        if same:
            further[column] = kept
        elif column in _PAIR:
            faults.append(f"{column} differs within one pair")
    raise_faults(source, faults, "Keep one row for each score.")
    if PAIR_ID not in further:
        further[PAIR_ID] = [str(name) for name in first]
    return further | wide


def _image_role(value: Any) -> str:
    text = str(value).strip().lower()
    found = _NAMED.fullmatch(text)
    return _ROLES.get(text, _ROLES[found["role"]] if found else "?")


def _named_pair(value: Any) -> str | None:
    found = _NAMED.fullmatch(str(value))
    return (found["id"] or None) if found else None


def _prompt_roles(prompts: Sequence[Any], names: Sequence[Any], source: str) -> list[str]:
    """What each prompt asks for: by its word, or because it is the only one of its pair."""
    words = [str(prompt).strip().lower() for prompt in prompts]
    if set(words) <= set(_ROLES):
        return [_ROLES[word] for word in words]
    of_pair: dict[Any, set[str]] = {}
    for name, word in zip(names, words, strict=True):
        of_pair.setdefault(name, set()).add(word)
    faults = [
        f"pair {shown(name)} has {len(found)} prompts and it is not said which is the original one"
        for name, found in of_pair.items()
        if len(found) > 1
    ]
    raise_faults(source, faults, "Add a column cell with oiop, oidp, diop or didp.")
    return ["d"] * len(words)


def _no_scores(columns: Sequence[str], source: str) -> str:
    scores = [name for name in columns if "score" in name.lower()]
    shown_columns = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
    way_out = _WAY_OUT.format(theirs=(scores or list(columns))[0])
    if not scores and {PROMPT_DISTORTED, "prompt", "caption"} & {*columns}:
        way_out = f"Score its pairs first: aas-bench evaluate --data {source} -r NAME --out DIR."
    return f"no score column among {shown_columns}. {way_out}"
