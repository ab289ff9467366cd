"""What pairs are published from: tables of any known form, and runs of generators.

Both give their pairs one item at a time, so that a bad one is left out and the rest goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import datasets

from aas_bench.errors import InputError, SchemaError
from aas_bench.run.finished import FinishedRun, is_run
from aas_bench.run.prompts import Prompt, load_prompts
from aas_bench.tables.authors import is_cell
from aas_bench.tables.images import is_image, open_image
from aas_bench.tables.pairs import RowPairs, open_row_pairs
from aas_bench.tables.schema import (
    CUTS,
    DIMENSIONS,
    IMAGE_COLUMNS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    INDEX,
    LABEL,
    LABEL_SOURCE,
    MODEL,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    Label,
    pair_features,
)

PROMPT_INDEX = "prompt_index"


class PairSource(Protocol):
    """Something that pairs are made from.

    Attributes:
        name: What to call it.
        features: The columns of its pairs, the canonical ones and further ones.
    """

    name: str

    @property
    def features(self) -> datasets.Features:
        """See the class."""

    @property
    def about(self) -> str:
        """What it is, for the card."""

    def items(self) -> Sequence[str]:
        """What pairs are made from, in order, each in a word or two."""

    def pairs(self, item: str) -> list[dict[str, Any]]:
        """The canonical pairs of one item.

        Raises:
            AasBenchError: There are none; the message says why.
        """

    def fingerprint(self) -> str:
        """A hash of all that the pairs depend on, but for the pixels of a table."""


class TablePairs:
    """The pairs of a table; see `RowPairs`.

    Args:
        table: The table.
    """

    def __init__(self, table: RowPairs) -> None:
        self.table, self.name = table, table.name

    @property
    def features(self) -> datasets.Features:
        """The columns of the pairs."""
        return self.table.features

    @property
    def about(self) -> str:
        """The table and its form."""
        return f"{public_name(self.name)}, a table of the form {self.table.form.name}"

    def items(self) -> list[str]:
        """Rows, then the lines that are no rows."""
        return [
            *(f"row {number}" for number in range(len(self.table))),
            *(f"line {number}" for number in self.table.broken),
        ]

    def row_number(self, item: str) -> int:
        """The number of the row that an item names.

        Raises:
            SchemaError: It names a broken line.
        """
        kind, number = item.split()
        if kind == "line":
            raise SchemaError(self.table.broken[int(number)])
        return int(number)

    def pairs(self, item: str) -> list[dict[str, Any]]:
        """The pairs of a row, each with images that can be read."""
        pairs = self.table.pairs(self.row_number(item))
        for pair in pairs:
            check_images(pair, IMAGE_COLUMNS)
        return pairs

    def fingerprint(self) -> str:
        """Over the text and numbers of every row."""
        features = self.table.data.features
        small = [name for name, feature in features.items() if not _holds_images(feature)]
        digest = hashlib.sha256(json.dumps(self.table.broken).encode())
        for row in self.table.data.select_columns(small):
            digest.update(repr(row).encode())
        return digest.hexdigest()


class RunPairs:
    """The pairs of one generator's run, with the scores that the run was given.

    Args:
        run: The run.
        prompts: What was asked, for runs that were not scored; None: the scoring knows.
    """

    def __init__(self, run: FinishedRun, prompts: Mapping[int, Prompt] | None = None) -> None:
        self.run, self.name, self._prompts = run, str(run.path), prompts
        if prompts is None and run.indices and not run.scores:
            msg = (
                f"{run.path} was not scored and does not say what its prompts ask for. "
                "Score it, or give the table of its prompts with --prompts."
            )
            raise InputError(msg)

    @property
    def features(self) -> datasets.Features:
        """The pair columns, the scores of each cell, and which prompts were cut."""
        scores = {n: datasets.Value("float64") for n in self.run.score_columns if is_cell(n)}
        cuts = {
            n: datasets.Value("bool") for n in self.run.score_columns if n.endswith(tuple(CUTS))
        }
        more = {LABEL_SOURCE: datasets.Value("string"), PROMPT_INDEX: datasets.Value("int64")}
        return datasets.Features({**pair_features(), **more, **scores, **cuts})

    @property
    def about(self) -> str:
        """The generator."""
        return f"a run of the generator {self.run.name}"

    def items(self) -> list[str]:
        """The prompts of which the run has a record."""
        return [f"prompt {index}" for index in self.run.indices]

    def pairs(self, item: str) -> list[dict[str, Any]]:
        """The pair of a prompt, if both images were made."""
        index = int(item.split()[1])
        prompt_original, file_original = self.run.made(index, "original")
        prompt_distorted, file_distorted = self.run.made(index, "distorted")
        asked = self._asked(index, prompt_original, prompt_distorted)
        pair = {
            PAIR_ID: self.run.pair_id(index),
            MODEL: self.run.name,
            IMAGE_ORIGINAL: {"bytes": None, "path": str(file_original)},
            IMAGE_DISTORTED: {"bytes": None, "path": str(file_distorted)},
            PROMPT_ORIGINAL: prompt_original,
            PROMPT_DISTORTED: prompt_distorted,
            LABEL: int(Label.TIE),
            LABEL_SOURCE: "none",
            PROMPT_INDEX: index,
            **asked,
        }
        scored = self.run.scores.get(self.run.pair_id(index), {})
        known = {name: scored.get(name) for name in self.features if name not in pair}
        check_images(pair, IMAGE_COLUMNS)
        return [pair | known]

    def _asked(self, index: int, original: str, distorted: str) -> dict[str, Any]:
        """Cluster and dimensions of a prompt that is the one that the images were made from."""
        row = self.run.scores.get(self.run.pair_id(index))
        if self._prompts is not None:
            prompt = self._prompts.get(index)
            if prompt is None:
                msg = "the table of prompts has no such index"
                raise SchemaError(msg)
            texts = prompt.original, prompt.distorted
            asked = {INDEX: prompt.cluster, DIMENSIONS: list(prompt.dimensions)}
        elif row is None:
            msg = "the scoring has no such pair"
            raise SchemaError(msg)
        else:
            texts = row[PROMPT_ORIGINAL], row[PROMPT_DISTORTED]
            asked = {INDEX: row[INDEX], DIMENSIONS: list(row.get(DIMENSIONS) or [])}
        if texts != (original, distorted):
            msg = "the images were made from other prompts than the table's"
            raise SchemaError(msg)
        return asked

    @cached_property
    def _fingerprint(self) -> str:
        return self.run.fingerprint()

    def fingerprint(self) -> str:
        """Over the records (which hold the images' hashes), the scores and the prompts."""
        prompts = sorted((self._prompts or {}).items())
        return hashlib.sha256(f"{self._fingerprint}{prompts!r}".encode()).hexdigest()


def public_name(source: str | Path) -> str:
    """A source without the folders of this machine: the last part of a path; an id as it is."""
    return Path(source).name if Path(source).exists() else str(source)


def open_pairs_source(
    source: str, *, prompts: str | None = None, label: str | None = None
) -> PairSource:
    """A run's directory, or whatever `load_pairs` takes.

    Args:
        source: The run or the table.
        prompts: The table of prompts of runs that were not scored.
        label: Which label column of tables to take.

    Raises:
        InputError: The source does not exist, is empty or cannot be read.
        SchemaError: It is a table of no known form.
        BackendError: The Hub cannot be reached.
    """
    if not is_run(Path(source)):
        return TablePairs(open_row_pairs(source, label=label))
    asked = None
    if prompts is not None:
        asked = {prompt.index: prompt for prompt in load_prompts(prompts).prompts}
    return RunPairs(FinishedRun(source), asked)


def check_images(row: Mapping[str, Any], names: Sequence[str]) -> None:
    """Decode images once, so that none is published that its readers cannot open.

    Raises:
        InputError: One is absent, damaged or too large.
    """
    for name in names:
        if row.get(name) is not None:
            open_image(row[name], name=name)


def _holds_images(feature: Any) -> bool:
    inner = list(feature.values()) if isinstance(feature, dict) else []
    binary = getattr(feature, "dtype", None) in ("binary", "large_binary")
    return is_image(feature) or binary or any(map(is_image, inner))
