"""Generators' mean scores, which the paintings are placed among."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import InputError
from aas_bench.files import json_value
from aas_bench.stats.estimate import Result

_COLUMNS: Final = "name and mean (and reward, where it holds means of several reward models)"


@dataclass(frozen=True, kw_only=True)
class GeneratorTable(Result):
    """Mean score by generator, under one reward model.

    Attributes:
        source: Where the means come from, in words.
        reward: The reward model that gave them; None where the table does not say.
        means: Mean score by generator, in units of that reward.
    """

    source: str
    reward: str | None
    means: Mapping[str, float]


HPSV3_LEADERBOARD: Final = GeneratorTable(
    source="the generator table of HPSv3's own README (hpsv3 1.0.0, column Overall)",
    reward="hpsv3",
    means={
        "Kolors": 10.55,
        "Flux-dev": 10.43,
        "Playground v2.5": 10.27,
        "Infinity": 10.26,
        "CogView4": 9.61,
        "PixArt-Σ": 9.37,
        "Gemini 2.0 Flash": 9.21,
        "SDXL": 8.20,
        "HunyuanDiT": 8.19,
        "Stable Diffusion 3 Medium": 5.31,
        "Stable Diffusion 2": -0.24,
    },
)
"""The eleven generators that, with the paintings, are the paper's twelve: it ranks them 10th."""


def read_generators(path: str | os.PathLike[str]) -> tuple[GeneratorTable, ...]:
    """Read a table of generators' means.

    Args:
        path: CSV with the columns `name` and `mean`, and `reward` where it holds means of several
            reward models; or JSON: a list of objects with these keys, or one object of name: mean.

    Returns:
        One table per reward model.

    Raises:
        InputError: The file is absent or no such table; names every faulty row.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        msg = f"there is no file {str(file)!r}. Give a CSV or JSON table with {_COLUMNS}."
        raise InputError(msg) from error
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{file} cannot be read as text. Give a CSV or JSON table with {_COLUMNS}."
        raise InputError(msg) from error
    means: dict[str | None, dict[str, float]] = {}
    faults = []
    for number, row in enumerate(_rows(file, text)):
        name, mean = row.get("name"), _finite(row.get("mean"))
        reward = str(row["reward"]) if row.get("reward") not in (None, "") else None
        known = means.setdefault(reward, {})
        if name in (None, "") or mean is None:
            faults.append(f"row {number} lacks a name or a finite mean")
        elif str(name) in known:
            faults.append(f"row {number} names {str(name)!r} a second time")
        else:
            known[str(name)] = mean
    if not faults and not any(means.values()):
        faults.append("it has no rows")
    if faults:
        msg = f"{file}: {'; '.join(faults)}. Give one row per generator with {_COLUMNS}."
        raise InputError(msg)
    return tuple(
        GeneratorTable(source=file.name, reward=reward, means=known)
        for reward, known in means.items()
    )


def means_for(
    tables: Sequence[GeneratorTable], reward: str, rewards: Sequence[str]
) -> GeneratorTable | None:
    """The table for a reward model; None where none is of it.

    Raises:
        InputError: A table does not say whose means it holds, and several rewards are reported.
    """
    named = next((table for table in tables if table.reward == reward), None)
    if named is not None:
        return named
    unnamed = next((table for table in tables if table.reward is None), None)
    if unnamed is not None and len(rewards) > 1:
        msg = (
            f"{unnamed.source} does not say which reward model gave its means, and "
            f"{len(rewards)} are reported. Add a column 'reward', or report one with --reward."
        )
        raise InputError(msg)
    return unnamed


def _rows(file: Path, text: str) -> list[Mapping[str, Any]]:
    if file.suffix.lower() != ".json":
        reader = csv.DictReader(text.splitlines())
        lacks = {"name", "mean"} - set(reader.fieldnames or ())
        if lacks:
            msg = f"{file} has no column {min(lacks)!r}. Give a CSV or JSON table with {_COLUMNS}."
            raise InputError(msg)
        return list(reader)
    try:
        found = json_value(text)
    except ValueError as error:
        msg = f"{file} is no JSON ({error}). Give a list of objects with {_COLUMNS}."
        raise InputError(msg) from error
    if isinstance(found, dict):
        found = [{"name": name, "mean": mean} for name, mean in found.items()]
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        msg = f"{file} holds no table. Give a list of objects with {_COLUMNS}."
        raise InputError(msg)
    return found


def _finite(value: Any) -> float | None:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
