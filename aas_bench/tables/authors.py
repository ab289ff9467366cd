"""The field's column names and cell forms, mapped to ours.

The authors' tables misspell some columns, write lists as strings, nest the four scores of a reward
in a struct, give HPSv3 as `[mu, sigma]` and hold one column per judge. A score, label, index,
prompt or list of names is read here and nowhere else, whether it stands in a table, is handed to a
metric or comes back from a function. Nothing here evaluates text as code.
"""

from __future__ import annotations

import ast
import difflib
import math
import re
import reprlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import numpy as np

from aas_bench.errors import SchemaError, UnknownNameError
from aas_bench.files import json_value
from aas_bench.tables.schema import (
    CELLS,
    DIDP,
    DIMENSIONS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    LABEL,
    MODEL,
    OIDP,
    PAIR_COLUMNS,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    Label,
    score_column,
)

RENAMED: Final = MappingProxyType(
    {
        "original_image": IMAGE_ORIGINAL,
        "distorted_image": IMAGE_DISTORTED,
        "original_prompt": PROMPT_ORIGINAL,
        "distorted_prompt": PROMPT_DISTORTED,
        "disorted_long_prompt": PROMPT_DISTORTED,  # their spelling
        "distorted_long_prompt": PROMPT_DISTORTED,
        "selected_dims": DIMENSIONS,
        "selected": DIMENSIONS,
        "dims": DIMENSIONS,
        "model_used": MODEL,
    }
)
"""Their column -> ours; applied where ours is absent, the first of several wins."""

JUDGE_COLUMNS: Final = ("llm_selected", "sec_llm_selected", "third_llm_selected")
LABEL_COLUMNS: Final = (*JUDGE_COLUMNS, "blip_selected")
"""Votes in {1, 0, -1}, in the order in which one of them becomes the label."""

MAJORITY: Final = "majority"


UNNAMED: Final = "score"
"""The reward model of score columns that name none."""

_SCORES: Final = MappingProxyType(
    {
        "score_original": OIDP,
        "score_distorted": DIDP,
        "original_score": OIDP,
        "distorted_score": DIDP,
        "rejected_score": OIDP,
        "chosen_score": DIDP,
    }
    | {cell: cell for cell in CELLS}
)
"""A score column's name, or its end after `<reward>_` -> the cell."""


def named(columns: Collection[str], asked: Mapping[str, str] | None) -> dict[str, str]:
    """Which columns to rename because the caller says what they are, and to what.

    Args:
        columns: The columns of the table.
        asked: Their column -> ours; a bare cell such as "oidp" belongs to the reward `UNNAMED`.

    Raises:
        UnknownNameError: The table has no such column, or a cell is misspelt.
        SchemaError: Two columns would have one name.
    """
    for ours in (asked or {}).values():
        end = ours.rpartition("_")[2]
        if end not in CELLS and difflib.get_close_matches(end, CELLS, cutoff=0.75):
            raise UnknownNameError("score", end, CELLS, hint="Mend columns= (--columns).")
    found = {t: score_column(UNNAMED, o) if o in CELLS else o for t, o in (asked or {}).items()}
    for theirs, ours in found.items():
        if theirs not in columns:
            raise UnknownNameError("column", theirs, columns, hint="Mend columns= (--columns).")
        if (ours in columns and ours not in found) or list(found.values()).count(ours) > 1:
            msg = f"two columns would be called {ours!r}. Mend columns= (--columns)."
            raise SchemaError(msg)
    return found


def tidied(columns: Collection[str], known: Iterable[str] = ()) -> dict[str, str]:
    """Which columns are ours but for case, padding, blanks or hyphens, and what we call them.

    Args:
        columns: The columns of the table.
        known: Names besides those of pairs, labels and the authors.
    """
    ours = {_plainest(n): n for n in (*PAIR_COLUMNS, *RENAMED, *LABEL_COLUMNS, *known)}
    found: dict[str, str] = {}
    for theirs in columns:
        bare = theirs.strip(" \t\r\n\ufeff\xa0")
        name = ours.get(_plainest(bare), _tidy_score(bare))
        if name != theirs and name not in columns and name not in found.values():
            found[theirs] = name
    return found


Origins: TypeAlias = dict[str, tuple[str, ...]]
"""Column -> the columns of the source that it is made of; () where it is made of none."""


def renamed(origins: Origins, names: Mapping[str, str]) -> Origins:
    """Origins after columns were renamed."""
    return {names.get(name, name): theirs for name, theirs in origins.items()}


def traced(made: Origins, origins: Origins) -> Origins:
    """Origins of columns that are made of columns with origins of their own."""
    return {
        name: tuple(dict.fromkeys(t for each in theirs for t in origins.get(each, (each,))))
        for name, theirs in made.items()
    }


def _plainest(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip()).casefold()


def _tidy_score(name: str) -> str:
    """`<reward>_<cell>` with its end in lower case; any other name as it is."""
    whole = _plainest(name)
    if whole in _SCORES:
        return whole
    reward, mark, end = name.rpartition("_")
    return f"{reward}{mark}{end.lower()}" if end.lower() in CELLS else name


def score_renames(columns: Collection[str]) -> dict[str, str]:
    """Which columns hold scores under another name, and to what to rename them.

    Names that only end like a score (`blip_score_original`) count where no column is a score.
    """
    found: dict[str, str] = {}
    alone = not any(map(is_cell, columns))
    for theirs in columns:
        end = next((e for e in _SCORES if theirs == e or theirs.endswith(f"_{e}")), None)
        if end is None or is_cell(theirs) or (theirs != end and not alone):
            continue
        ours = score_column(theirs.removesuffix(end).rstrip("_") or UNNAMED, _SCORES[end])
        if ours not in columns and ours not in found.values():
            found[theirs] = ours
    return found


def renames(columns: Collection[str], own: Mapping[str, str] = RENAMED) -> dict[str, str]:
    """Which of these columns to rename, and to what; the names of `own` come before `RENAMED`."""
    found: dict[str, str] = {}
    for theirs, ours in (*own.items(), *RENAMED.items()):
        if theirs in columns and ours not in columns and ours not in found.values():
            found[theirs] = ours
    return found


PHOTO_CELLS: Final = MappingProxyType({"photo": DIDP, "anti": DIDP, "clean": OIDP})
"""`hpsv3_photo` (on their page `hpsv3_anti`) and `hpsv3_clean` are both scores under the
anti-aesthetic caption, so they are these cells of `hpsv3`."""

_PAINTING: Final = frozenset({"image", "caption"})
_PAINTING_SCORES: Final = ("hpsv2", "hpsv3", "image_reward", "pickscore", "blip")


def unpaired_scores(columns: Collection[str]) -> dict[str, str]:
    """Which columns of their photographs and paintings hold scores, and what we call them.

    Beside a photograph stands its clean counterpart, and `elements` are what its caption names; a
    painting stands alone, and its one score under its caption is called like the reward model.
    """
    found: dict[str, str] = {}
    for name in columns:
        reward, _, ending = name.rpartition("_")
        both = ending != "clean" or {f"{reward}_photo", f"{reward}_anti"} & {*columns}
        if reward and ending in PHOTO_CELLS and both and f"{reward}_clean" in columns:
            found[name] = score_column(reward, PHOTO_CELLS[ending])
    if found:
        found["elements"] = DIMENSIONS
    elif set(columns) >= _PAINTING:
        found = {n: score_column(n, DIDP) for n in _PAINTING_SCORES if n in columns}
    return {n: ours for n, ours in found.items() if ours not in columns}


def label_columns(columns: Collection[str], *, label: str | None = None) -> tuple[str, ...]:
    """The columns that the label is taken from.

    Args:
        columns: The columns of the table.
        label: None takes `label` where it exists, else the first of `LABEL_COLUMNS`; "majority"
            takes every LLM judge (`JUDGE_COLUMNS`); any other text names a column.

    Returns:
        Column names; empty where the table has no label.

    Raises:
        SchemaError: `label` asks for columns that the table lacks.
    """
    votes = [name for name in LABEL_COLUMNS if name in columns]
    if label is None:
        return (LABEL,) if LABEL in columns else tuple(votes[:1])
    if label == MAJORITY:
        judges = tuple(name for name in JUDGE_COLUMNS if name in columns)
        if not judges:
            msg = f"no column to take a majority of. It needs one of {', '.join(JUDGE_COLUMNS)}."
            raise SchemaError(msg)
        return judges
    if label not in columns:
        have = ", ".join([*([LABEL] if LABEL in columns else []), *votes]) or "none"
        msg = f"there is no label column {label!r}. Label columns here: {have}. "
        raise SchemaError(f"{msg}Name another column, or leave --label out.")
    return (label,)


def label_value(votes: Sequence[Any]) -> int:
    """One label from one or several votes.

    A vote is 1, 0 or -1, its name (distorted, original, tie), 0.5 for a tie, or a list of votes;
    null counts as no vote. Of several votes the value that more than half of them give wins;
    without one, or without votes, the label is -1.

    Raises:
        SchemaError: A vote is anything else.
    """
    given = [vote for v in votes for vote in _votes(v) if vote is not None]
    for value in (Label.DISTORTED, Label.ORIGINAL):
        if 2 * given.count(value) > len(given):
            return int(value)
    return int(Label.TIE)


def _votes(value: Any) -> list[int | None]:
    """The votes of one cell."""
    if isinstance(value, str) and value.strip().startswith("["):
        value = _read_literal(value, "list of votes")
    else:
        value = plain(value)
    items = value if isinstance(value, (list, tuple)) else [value]
    return [None if is_null(item) else _vote(item) for item in items]


def _vote(value: Any) -> int:
    if isinstance(value, str) and value.strip().upper() in Label.__members__:
        return int(Label[value.strip().upper()])
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if number in (1.0, 0.0, -1.0):
        return int(number)
    if number == 0.5:
        return int(Label.TIE)
    msg = f"{shown(value)} is not 1, 0 or -1"
    raise SchemaError(msg)


def parse_dimensions(value: Any) -> list[str]:
    """A list of names from a list, or from a text.

    A text is a list written as JSON, as Python or as numpy writes it (`['blur' 'gloom']`), names
    between commas, semicolons or bars, or one bare name.

    Raises:
        SchemaError: The text starts like a list but is none, or an item is not text.
    """
    if is_null(value):
        return []
    parsed = _parse_list(value) if isinstance(value, str) else value
    if not hasattr(parsed, "__iter__") or isinstance(parsed, dict):
        msg = f"{shown(value)} is not a list of dimension names"
        raise SchemaError(msg)
    items = list(parsed)
    if not all(isinstance(item, str) for item in items):
        msg = f"{shown(value)} holds something that is not text"
        raise SchemaError(msg)
    return [str(item) for item in items]


_QUOTED: Final = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_QUOTED_LIST: Final = re.compile(
    rf"[\[(]\s*(?:{_QUOTED}(?:\s*,\s*|\s+))*(?:{_QUOTED})?\s*[\])]", re.DOTALL
)
_MOST_TEXT: Final = 100_000
"""Characters of a cell that is read as a list."""


def _parse_list(text: str) -> Any:
    stripped = text.strip()
    if not stripped:
        return []
    if not stripped.startswith(("[", "(")):
        return [name for each in re.split(r"[,;|]", stripped) if (name := each.strip())]
    return _read_literal(stripped, "list of dimension names")


def _read_literal(text: str, what: str) -> Any:
    """A list written as JSON, Python or numpy text; neighbours are never joined as Python would."""
    if len(text) <= _MOST_TEXT:
        try:
            return json_value(text)
        except ValueError:
            pass
        if _QUOTED_LIST.fullmatch(text.strip()):
            try:
                return [ast.literal_eval(each) for each in re.findall(_QUOTED, text, re.DOTALL)]
            except (ValueError, SyntaxError):
                pass
        elif not re.search(r"""['"]\s*\w?['"]""", text):
            try:
                return ast.literal_eval(text.strip())
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                pass
    msg = f"{shown(text)} is not a {what}"
    raise SchemaError(msg)


_TENSOR: Final = re.compile(
    r"\s*(?:torch\.)?(?:tensor|Tensor|array|np\.array|np\.float\d+|jnp\.array|Array)\("
    r"(?P<value>[^()=]*?)\s*(?:,\s*\w+=.*)?\)\s*",
    re.DOTALL,
)
_NULL_TEXT: Final = frozenset({"", "null", "none", "nan", "na", "n/a", "<na>"})


def split_score(value: Any) -> tuple[Any, Any]:
    """(score, sigma) of a cell that is a number or a list `[mu]` or `[mu, sigma]`.

    Tensors on any device and of any dtype, and their text, are read as their numbers.

    Raises:
        SchemaError: A list of another length.
    """
    value = plain(value)
    if isinstance(value, str):
        written = _TENSOR.fullmatch(value)
        inner = written["value"] if written else value.strip()
        if written or inner.startswith("["):
            value = _read_literal(inner, "number") if inner.startswith("[") else inner
    while isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if not isinstance(value, (list, tuple)):
        return value, None
    if len(value) != 2:
        msg = f"a score of {len(value)} numbers is neither [mu] nor [mu, sigma]"
        raise SchemaError(msg)
    return value[0], value[1]


def read_number(value: Any) -> float:
    """A score; nan where it is missing.

    Raises:
        SchemaError: It is no finite number.
    """
    value = split_score(value)[0]
    if is_null(value) or (isinstance(value, str) and value.strip().lower() in _NULL_TEXT):
        return math.nan
    try:
        if isinstance(value, (bool, np.bool_, bytes)):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        msg = f"{shown(value)} is not a number"
        raise SchemaError(msg) from None
    if math.isinf(number):
        msg = "is infinite"
        raise SchemaError(msg)
    return number


def read_whole(value: Any) -> int:
    """A whole number of 64 bits, exactly.

    Raises:
        SchemaError: It is none, needs more bits, or is a float that may have lost digits.
    """
    value = plain(value)
    if isinstance(value, str):
        text = value.strip()
        value = int(text) if re.fullmatch(r"[+-]?\d{1,40}", text) else _float(text)
    if isinstance(value, (float, np.floating)) and value == np.floor(value):
        if abs(value) >= 2**53:
            msg = f"{shown(value)} came as a float, which is exact below 2**53 only"
            raise SchemaError(msg)
        value = int(value)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        msg = f"{shown(value)} is not a whole number"
        raise SchemaError(msg)
    if not -(2**63) <= int(value) < 2**63:
        msg = f"{shown(value)} does not fit 64 bits"
        raise SchemaError(msg)
    return int(value)


def read_prompt(value: Any) -> str | None:
    """A prompt; None where there is none. A number is the text that it is written as.

    Raises:
        SchemaError: It is no text, or nothing of it can be seen.
    """
    if is_null(value) or (isinstance(value, str) and not value):
        return None
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        msg = f"{shown(value)} is not text"
        raise SchemaError(msg)
    if is_blank(value):
        msg = f"{value!a:.40} is blank"
        raise SchemaError(msg)
    return value


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen: white space, marks of no width, control characters."""
    return not any(mark.isprintable() and not mark.isspace() for mark in text)


def plain(value: Any) -> Any:
    """Tensors, arrays and scalars of any library, device and dtype as Python numbers or lists."""
    if hasattr(value, "detach"):
        return value.detach().double().cpu().tolist()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (str, bytes, int, float, dict, type(None))):
        return value
    return value.tolist() if hasattr(value, "tolist") else value


def shown(value: Any) -> str:
    """A value for a message: short, however much it holds."""
    return _SHORT.repr(value)


_SHORT: Final = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60


def _float(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def is_null(value: Any) -> bool:
    """Whether a cell is None, nan or pandas' NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and math.isnan(value)


def is_cell(name: str) -> bool:
    """Whether a column is called `<reward>_oiop` and so on."""
    reward, _, cell = name.rpartition("_")
    return bool(reward) and cell in CELLS
