"""Lists of captions or prompts as people keep them: text, tab-separated, JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import InputError, SchemaError, raise_faults
from aas_bench.files import json_value
from aas_bench.sources.coco import Caption
from aas_bench.tables.authors import read_prompt, tidied
from aas_bench.tables.formats import read_columns, table_kind
from aas_bench.tables.schema import PROMPT_DISTORTED, PROMPT_ORIGINAL, values
from aas_bench.tables.text_tables import read_lines

_COLUMNS: Final = (PROMPT_ORIGINAL, "prompt", "caption", "text")
_MEND: Final = "Mend these lines, or leave them out."


def prompt_list(path: Path) -> list[Caption] | None:
    """The prompts of a list, numbered from 0; None where the file is another thing.

    A `.txt` file has one a line, empty lines left out. A JSON list of texts is one. A table is one
    where it has `prompt_original`, `prompt`, `caption` or `text` (as PartiPrompts has `Prompt`) and
    neither a distorted prompt nor images.

    Raises:
        InputError: The file cannot be read.
        SchemaError: Prompts are no text: all of them in one message.
    """
    if path.suffix.lower() == ".txt":
        return _numbered(path, [each for each in _lines(path) if each.strip()])
    if path.suffix.lower() == ".json" and path.is_file():
        texts = _texts_in(path)
        return None if texts is None else _numbered(path, texts)
    kind = table_kind(path)
    if kind in (None, ".parquet", ".feather", ".arrow") or not path.is_file():
        return None
    lines = kind in (".jsonl", ".ndjson")
    columns, broken = read_lines(path) if lines else (read_columns(path), {})
    names = tidied(columns, _COLUMNS)
    ours = {names.get(name, name): column for name, column in columns.items()}
    column = next((name for name in _COLUMNS if name in ours), None)
    if column is None or any(n == PROMPT_DISTORTED or "image" in n.lower() for n in ours):
        return None
    raise_faults(path, [f"line {number} {fault}" for number, fault in broken.items()], _MEND)
    return _numbered(path, values(ours[column]))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({error}). Save it as text in UTF-8."
        raise InputError(msg) from error


def _texts_in(path: Path) -> list[Any] | None:
    """The items of a JSON list of texts, or of objects with a prompt; None for anything else."""
    try:
        items = json_value(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return None
    if not isinstance(items, list) or not items:
        return None
    if all(isinstance(item, str) for item in items):
        return items
    if not all(isinstance(item, dict) for item in items):
        return None
    column = next((n for n in _COLUMNS if n in items[0]), None)
    other = {PROMPT_DISTORTED} & items[0].keys() or any("image" in n for n in items[0])
    return None if column is None or other else [item.get(column) for item in items]


def _numbered(path: Path, texts: Sequence[Any]) -> list[Caption]:
    found: list[Caption] = []
    faults: list[str] = []
    for number, text in enumerate(texts):
        try:
            prompt = read_prompt(text)
            if prompt is None:
                raise SchemaError("is empty")
        except SchemaError as error:
            faults.append(f"prompt {number} {error}")
            continue
        found.append(Caption(text=" ".join(prompt.split()), image_id=number, caption_id=number))
    raise_faults(path, faults, _MEND)
    return found
