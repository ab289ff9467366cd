"""What generators are asked: pairs of prompts from the Hub, a file or the built-in scenes."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES
from aas_bench.errors import InputError, SchemaError, raise_faults
from aas_bench.generators.settings import Variant
from aas_bench.tables.authors import parse_dimensions, renames
from aas_bench.tables.open import Options, commit_of, open_source, without_revision
from aas_bench.tables.reader import cell, class_labels
from aas_bench.tables.sample import Sample
from aas_bench.tables.schema import DIMENSIONS, INDEX, PAIR_ID, PROMPT_DISTORTED, PROMPT_ORIGINAL
from aas_bench.tasks.catalog import DEFAULT, PROMPTS, TASKS

BUILT_IN: Final = DEFAULT.name
PUBLISHED: Final = PROMPTS.hub_id
N_PUBLISHED: Final = PROMPTS.n

_NEGATIVE: Final = "negative_prompt"
_SHOWN: Final = ("original", "distorted", "negative", "scene", "effect")
_SHORT: Final = 16
_CONFIG: Final = "prompts"
_MEND: Final = "Mend these rows, or leave them out."


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """The two prompts of one pair.

    Attributes:
        index: Names the images and, with the seed, fixes their starting noise; unique.
        cluster: Prompts that share it are not independent; the index where nothing is known.
        original: The caption.
        distorted: The same with a request for something unpretty.
        dimensions: What was asked for.
        negative: What value sign flip should keep out; None where there is none.
        scene: The built-in scene that it describes; None for other prompts.
        effect: The built-in effect that it asks for; None for other prompts.
    """

    index: int
    cluster: int
    original: str
    distorted: str
    dimensions: tuple[str, ...] = ()
    negative: str | None = None
    scene: str | None = None
    effect: str | None = None

    def asked(self, variant: Variant) -> str:
        """What one of the two images is asked for."""
        return self.original if variant == "original" else self.distorted


@dataclass(frozen=True)
class Prompts:
    """The prompts of a run, in order.

    Attributes:
        source: What `load_prompts` was asked for.
        prompts: At least one.
        revision: The Hub's commit that they were read at; None where they are not from there.
    """

    source: str
    prompts: tuple[Prompt, ...]
    revision: str | None = None

    @cached_property
    def by_index(self) -> dict[str, str]:
        """By index, a hash of what an image of the prompt hangs on, as JSON has it."""
        asked = {
            prompt.index: [getattr(prompt, name) for name in _SHOWN] for prompt in self.prompts
        }
        return {
            str(index): hashlib.sha256(json.dumps(each).encode()).hexdigest()[:_SHORT]
            for index, each in asked.items()
        }

    @cached_property
    def sha256(self) -> str:
        """Hash of every field of every prompt."""
        text = json.dumps([asdict(prompt) for prompt in self.prompts], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Source and its commit, number and hash: JSON values."""
        told = {"source": self.source, "revision": self.revision}
        return {**told, "n": len(self.prompts), "sha256": self.sha256}


def load_prompts(
    source: str | os.PathLike[str] = BUILT_IN,
    *,
    limit: int | None = None,
    revision: str | None = None,
    sample: int | None = None,
    effect: str | Sequence[str] | None = None,
    dimension: str | Sequence[str] | None = None,
    seed: int = 0,
) -> Prompts:
    """Load pairs of prompts.

    Args:
        source: The built-in task, with one prompt for each scene and effect, no network; a
            Parquet, JSONL, JSON or CSV file; or a Hub id or a folder like one, of which the
            configuration `prompts` is read where there is one, and of a task's published prompts
            the first that are used, 300. Needs the columns `prompt_original` and
            `prompt_distorted` or the authors' names for them; `index` (else the row number),
            `dimensions` and `negative_prompt` are read where present.
        limit: At most so many, the first; None for all.
        revision: Branch, tag or commit on the Hub.
        sample: At most so many, spread over scenes (or base prompts) and effects. A prompt keeps
            its index, so that a run of a smaller sample grows to a larger one.
        effect: Only prompts for this built-in effect, or for these.
        dimension: Only prompts for this dimension, or for one of these.
        seed: Another one draws another sample.

    Raises:
        InputError: The source does not exist or cannot be read.
        SchemaError: Columns are missing, or rows are at fault: all of them in one message.
        BackendError: The Hub cannot be reached.
    """
    name = os.fspath(source)
    if limit is not None and limit < 1:
        msg = f"limit is {limit}. Give at least 1, or None for all."
        raise InputError(msg)
    chosen = Sample.chosen(sample, effect, dimension, seed)
    if chosen is not None and limit is not None:
        msg = "limit and a sample do not go together. Leave out one of the two."
        raise InputError(msg)
    if name != BUILT_IN:
        known = (task.prompts for task in TASKS.values())
        plain = without_revision(name)
        table = next((each for each in known if each and each.hub_id == plain), None)
        if table is not None:
            limit = min(limit or table.n, table.n)
        split = None if table is None else table.split
        found, commit = _read(name, revision, split, limit)
        return Prompts(plain, _taken(found, chosen), commit)
    if revision is not None:
        msg = f"{name} has no revision. Leave it out."
        raise InputError(msg)
    return Prompts(name, _taken(_built_in()[:limit], chosen))


def _taken(prompts: tuple[Prompt, ...], sample: Sample | None) -> tuple[Prompt, ...]:
    if sample is None:
        return prompts
    columns: dict[str, list[Any]] = {
        PAIR_ID: [str(prompt.index) for prompt in prompts],
        INDEX: [prompt.cluster for prompt in prompts],
        DIMENSIONS: [prompt.dimensions for prompt in prompts],
    }
    if any(prompt.effect is not None for prompt in prompts):
        columns |= {name: [getattr(p, name) for p in prompts] for name in ("scene", "effect")}
    return tuple(prompts[row] for row in sample.rows(columns))


def _built_in() -> tuple[Prompt, ...]:
    """Every scene in turn, each time with its next effect: any first few are a variety."""
    effects, scenes = list(EFFECTS.values()), list(SCENES.values())
    pairs = [
        (scene, effects[(turn + place) % len(effects)])
        for turn in range(len(effects))
        for place, scene in enumerate(scenes)
    ]
    possible = [(scene, effect) for scene, effect in pairs if scene.name not in effect.excluded]
    return tuple(
        Prompt(
            index=index,
            cluster=list(SCENES).index(scene.name),
            original=scene.caption,
            distorted=effect.prompt(scene),
            dimensions=(effect.dimension,),
            scene=scene.name,
            effect=effect.name,
        )
        for index, (scene, effect) in enumerate(possible)
    )


def _read(
    name: str, revision: str | None, split: str | None, most: int | None
) -> tuple[tuple[Prompt, ...], str | None]:
    """The prompts, and the commit of the Hub that they were read at."""
    options = Options(
        config=None,
        split=split,
        streaming=False,
        revision=revision,
        preferred=_CONFIG,
    )
    data = open_source(name, options).data
    commit = commit_of(data)
    data = data.rename_columns(renames(data.column_names))
    missing = [c for c in (PROMPT_ORIGINAL, PROMPT_DISTORTED) if c not in data.column_names]
    if missing:
        msg = f"{name}: no column {' and no '.join(missing)}. Add it; there is {data.column_names}."
        raise SchemaError(msg)
    known = (INDEX, PROMPT_ORIGINAL, PROMPT_DISTORTED, DIMENSIONS, _NEGATIVE)
    data = data.select_columns([c for c in known if c in data.column_names])
    data = data if most is None else data.select(range(min(most, len(data))))
    prompts: list[Prompt] = []
    faults: list[str] = []
    classes = class_labels(data.features)
    for number, row in enumerate(data):
        named = {column: cell(value, classes.get(column)) for column, value in row.items()}
        try:
            prompts.append(_prompt(named, number))
        except SchemaError as error:
            faults.append(f"row {number}: {error}")
    counts = Counter(prompt.index for prompt in prompts)
    faults += [f"index {index} stands {n} times" for index, n in counts.items() if n > 1]
    raise_faults(name, faults, _MEND)
    return tuple(prompts), commit


def _prompt(row: Mapping[str, Any], number: int) -> Prompt:
    index = row.get(INDEX, number)
    if not isinstance(index, int) or index < 0:
        msg = f"{INDEX} {index!r} is no whole number from 0"
        raise SchemaError(msg)
    for column in (PROMPT_ORIGINAL, PROMPT_DISTORTED):
        if not isinstance(row[column], str) or not row[column].strip():
            msg = f"{column} {row[column]!r:.60} is no text"
            raise SchemaError(msg)
    negative = row.get(_NEGATIVE)
    if negative is not None and not isinstance(negative, str):
        msg = f"{_NEGATIVE} {negative!r:.60} is no text"
        raise SchemaError(msg)
    return Prompt(
        index=index,
        cluster=index,
        original=row[PROMPT_ORIGINAL],
        distorted=row[PROMPT_DISTORTED],
        dimensions=tuple(parse_dimensions(row.get(DIMENSIONS))),
        negative=negative or None,
    )
