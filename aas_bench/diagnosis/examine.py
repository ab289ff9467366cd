"""`doctor`: one page on pairs, scores and a reward model before a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from aas_bench.checks.probes import (
    Finding,
    ScoredCell,
    batch_finding,
    finite_finding,
    number_format,
    quick_check,
    tolerance,
)
from aas_bench.diagnosis.image_findings import Looks, image_findings, looks
from aas_bench.errors import AasBenchError, InputError, SchemaError
from aas_bench.files import json_bytes, json_value, write_atomically
from aas_bench.measure.row_findings import (
    RowFinding,
    found_in,
    shared_prompts,
    table_findings,
    text_findings,
    told_of_shared,
    with_effects,
)
from aas_bench.measure.view import Views
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.catalog import RewardSpec, load_reward
from aas_bench.stats.analysis import Analysis
from aas_bench.stats.estimate import Mask
from aas_bench.tables.images import open_image
from aas_bench.tables.open import Options, Source, open_rows, open_source
from aas_bench.tables.pairs import RowPairs, load_pairs
from aas_bench.tables.schema import (
    IMAGE_COLUMNS,
    IMAGE_DISTORTED,
    IMAGE_ORIGINAL,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
    values,
)
from aas_bench.tables.scores import ScoreTable, detect_rewards, score_columns
from aas_bench.tables.without_images import SCORES, StoredColumns, read_without_images
from aas_bench.words import count

FILE: Final = "doctor.json"
_PAIRS: Final = "pairs.json"
_N_PAIRS: Final = 8
_ANALYSIS: Final = Analysis(on_missing="drop")
_NONE_ODD: Final = "nothing found"


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What the doctor found; printed, it is one page.

    Attributes:
        source: What was looked at.
        n_pairs: Pairs in it.
        images: Whether images were looked at.
        rewards: Reward models whose scores were looked at.
        findings: What is odd about rows.
        model: What is odd about the reward model that was asked; empty where none was.
    """

    source: str
    n_pairs: int
    images: bool
    rewards: tuple[str, ...]
    findings: tuple[RowFinding, ...]
    model: tuple[Finding, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether nothing asks for mending; a note does not."""
        told: list[Any] = [*self.findings, *self.model]
        return all(each.outcome != "fail" for each in told)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "source": self.source,
            "n_pairs": self.n_pairs,
            "images": self.images,
            "rewards": list(self.rewards),
            "healthy": self.healthy,
            "findings": [each.to_dict() for each in self.findings],
            "model": [each.to_dict() for each in self.model],
        }

    def __str__(self) -> str:
        looked = [count(self.n_pairs, "pair")]
        looked += ["their images"] if self.images else []
        looked += [f"scores of {', '.join(self.rewards)}"] if self.rewards else []
        lines = [f"{self.source}: {', '.join(looked)}"]
        lines += [str(each) for each in self.findings] or [_NONE_ODD]
        lines += [f"{each.outcome:<4}  {each.probe}: {each.text}" for each in self.model]
        return "\n".join(lines)


def doctor(
    source: Source,
    *,
    reward: RewardSpec | None = None,
    config: str | None = None,
    split: str | None = None,
    revision: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    batch_size: int | None = None,
) -> Diagnosis:
    """Look at pairs and scores before a run, and say what to mend and what it changes.

    Of images: black, of one colour, equal within a pair, repeated, small, unreadable. Of texts:
    blank, equal and over-long prompts, labels of one class, ratings out of range, base prompts
    taken for independent. Of scores: ties, rounding, infinite, missing and repeated ones; each with
    the headline as it is and without its rows. Of a reward model, on 8 of the pairs: whether the
    prompt moves it, whether scores depend on the batch, whether a second call gives the same.

    Args:
        source: What `load_pairs` or `load_scores` takes. Of a run directory also the pairs that it
            was scored from are looked at, and the page is kept there as `doctor.json`.
        reward: A reward model to ask; see `load_reward`. The source must hold images.
        config: As in `load_pairs`.
        split: As in `load_pairs`.
        revision: As in `load_pairs`.
        device: Where the reward model runs; see `load_reward`.
        dtype: Its number format; see `load_reward`.
        batch_size: Items of one call to it; None: its own.

    Raises:
        InputError: The source is neither pairs nor scores, or cannot be read.
        BackendError: The Hub cannot be reached.

    Example:
        >>> import pandas as pd
        >>> scores = pd.DataFrame({"r_oidp": [0.21, 0.52, 0.3], "r_didp": [0.21, 0.64, 0.9]})
        >>> found = doctor(scores)
        >>> found.healthy, [(each.probe, each.n) for each in found.findings]
        (False, [('ties', 1), ('rounding', 1)])
    """
    options = Options(config=config, split=split, streaming=False, revision=revision)
    model = None if reward is None else load_reward(reward, device=device, dtype=dtype)
    if model is not None and batch_size is not None:
        model = copy(model)
        model.batch_size = batch_size
    run = Path(source) if isinstance(source, (str, os.PathLike)) else None
    scored = run is not None and (run / SCORES).is_file()
    examined = _examined(source, options, scored=scored)
    if model is not None:
        if not examined.sample:
            msg = f"{examined.name} holds no images to ask a reward model with. Give the pairs."
            raise InputError(msg)
        examined = replace(examined, model=_asked(model, examined.sample))
    found = examined.diagnosis()
    if scored and run is not None:
        write_atomically(run / FILE, json_bytes(found.to_dict()))
    return found


@dataclass(frozen=True, kw_only=True)
class _Examined:
    """Findings on their way to the page.

    Attributes:
        name: What was looked at.
        n: Its pairs.
        table: Its scores, where it has any.
        flagged: Findings, each with its rows of the table or of the pairs.
        told: Findings that have their effects already.
        sample: A few pairs with their images.
        images: Whether images were looked at.
        model: What was found of the reward model.
    """

    name: str
    n: int
    table: ScoreTable | None
    told: tuple[RowFinding, ...]
    sample: tuple[dict[str, Any], ...] = ()
    images: bool = False
    model: tuple[Finding, ...] = ()

    def diagnosis(self) -> Diagnosis:
        return Diagnosis(
            source=self.name,
            n_pairs=self.n,
            images=self.images,
            rewards=() if self.table is None else self.table.rewards,
            findings=self.told,
            model=self.model,
        )


def _examined(source: Any, options: Options, *, scored: bool) -> _Examined:
    if scored:
        found = _of_scores(read_without_images(source, options))
        pairs = _pairs_of_run(Path(source))
        return found if pairs is None else _beside(found, pairs)
    try:
        rows = _row_pairs(source, options)
    except InputError as error:  # it may hold scores alone
        pairs_error = error
    else:
        return _of_pairs(rows)
    try:
        stored = read_without_images(source, options)
    except InputError as error:
        raise pairs_error from error
    try:
        return _of_scores(stored)
    except SchemaError as error:
        if "no score column" in str(error):
            raise pairs_error from error
        raise


def _row_pairs(source: Any, options: Options) -> RowPairs | Any:
    """The pairs of a source, row by row where it is not a stream."""
    from datasets import IterableDataset

    if isinstance(source, IterableDataset):
        return load_pairs(source)
    if isinstance(source, (str, os.PathLike)) and options == Options(
        config=None, split=None, streaming=False, revision=None
    ):
        opened, broken = open_rows(source)
        return RowPairs(opened, broken=broken)
    return RowPairs(open_source(source, options))


def _pairs_of_run(run: Path) -> RowPairs | None:
    """The pairs that a run was scored from; None where it does not say, or they are gone."""
    try:
        stored = json_value((run / _PAIRS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    options = Options(
        config=stored.get("config"),
        split=stored.get("split"),
        streaming=False,
        revision=stored.get("revision"),
    )
    try:
        return RowPairs(open_source(stored["source"], options))
    except AasBenchError:
        return None


def _of_scores(stored: StoredColumns) -> _Examined:
    columns, infinite = _without_infinite(stored)
    table = ScoreTable.from_columns(columns, source=stored.name)
    views = Views.of(table, _ANALYSIS)
    told = [
        with_effects(views, _named(table.frame, mask, probe="infinite", text=text, mend=mend), mask)
        for text, mend, mask in infinite
    ]
    return _Examined(
        name=stored.name,
        n=int(views.rows.sum()),
        table=table,
        told=(*told, *table_findings(views)),
    )


def _named(frame: pd.DataFrame, mask: Mask, **words: str) -> RowFinding:
    return found_in(frame, mask, **words)


def _without_infinite(stored: StoredColumns) -> tuple[dict[str, Any], list[tuple[str, str, Mask]]]:
    """The columns with infinite scores left empty, and which rows had one."""
    columns, found = dict(stored.columns), []
    for reward in detect_rewards(columns):
        for name in (n for n in score_columns(reward) if n in columns):
            numbers = pd.to_numeric(pd.Series(values(columns[name])), errors="coerce")
            mask = np.isinf(numbers.to_numpy(np.float64))
            if mask.any():
                each = zip(values(columns[name]), mask, strict=True)
                columns[name] = [None if bad else value for value, bad in each]
                text = f"{{n}} with an infinite {name}"
                found.append((text, "Score them in float32; the table is refused so.", mask))
    return columns, found


def _of_pairs(rows: Any) -> _Examined:
    frame, seen, sample, broken = _looked_at(rows)
    told = list(broken)
    flagged = [*image_findings(frame, seen)] if seen else []
    name = getattr(rows, "name", "the stream")
    table = _scores_of(frame, name)
    if table is None:
        flagged += list(text_findings(frame))
        told += [each for each, _ in flagged]
        told += _shared(frame)
    else:
        views = Views.of(table, _ANALYSIS)
        told += [with_effects(views, each, mask) for each, mask in flagged]
        told += table_findings(views)
    return _Examined(
        name=name,
        n=len(frame),
        table=table,
        told=tuple(told),
        sample=tuple(sample),
        images=bool(seen),
    )


def _shared(frame: pd.DataFrame) -> list[RowFinding]:
    shared = shared_prompts(frame)
    if shared is None:
        return []
    mask, index = shared
    return [found_in(frame, mask, probe="index", **told_of_shared(frame, mask, index))]


def _beside(found: _Examined, rows: RowPairs) -> _Examined:
    """The findings on the scores of a run, and those on the images that they are of."""
    frame, seen, sample, broken = _looked_at(rows)
    assert found.table is not None
    views, told = Views.of(found.table, _ANALYSIS), list(broken)
    for each, mask in image_findings(frame, seen) if seen else ():
        bad = set(frame.loc[mask, PAIR_ID].astype(str))
        of_table = found.table.frame[PAIR_ID].astype(str).isin(bad).to_numpy(dtype=bool)
        told.append(with_effects(views, each, of_table))
    return replace(found, told=(*told, *found.told), sample=tuple(sample), images=bool(seen))


def _scores_of(frame: pd.DataFrame, name: str) -> ScoreTable | None:
    if not detect_rewards(frame.columns):
        return None
    return ScoreTable.from_frame(frame, source=name)


def _looked_at(
    rows: Any,
) -> tuple[pd.DataFrame, list[Looks], list[dict[str, Any]], list[RowFinding]]:
    """Texts, looks and a sample of the pairs, and the rows that are no pairs; one pass."""
    total = len(rows) if hasattr(rows, "__len__") else None
    every = max(1, (total or _N_PAIRS) // _N_PAIRS)
    texts: list[dict[str, Any]] = []
    sample: list[dict[str, Any]] = []
    bad: list[tuple[str, str]] = []

    def images() -> Iterator[tuple[Any, Any]]:
        for pair in _each_pair(rows, bad):
            if len(texts) % every == 0 and len(sample) < _N_PAIRS and _both(pair):
                sample.append(pair)
            texts.append({k: v for k, v in pair.items() if k not in IMAGE_COLUMNS})
            yield pair.get(IMAGE_ORIGINAL), pair.get(IMAGE_DISTORTED)

    seen = list(looks(images()))
    broken = [_unreadable(bad, len(texts))] if bad else []
    if not texts:
        msg = (
            f"{getattr(rows, 'name', 'the stream')}: no row can be read: {bad[0][1] if bad else ''}"
        )
        raise SchemaError(msg)
    return pd.DataFrame(texts), seen, sample, broken


def _unreadable(bad: list[tuple[str, str]], n_read: int) -> RowFinding:
    why = bad[0][1].partition(". Mend")[0]
    return RowFinding(
        probe="row",
        outcome="fail",
        text=f"{count(len(bad), 'row')} cannot be read: {why:.200}",
        n=len(bad),
        of=len(bad) + n_read,
        rows=tuple(where for where, _ in bad[:5]),
        mend="Mend these rows, or leave them out.",
    )


def _both(pair: dict[str, Any]) -> bool:
    return None not in (pair.get(IMAGE_ORIGINAL), pair.get(IMAGE_DISTORTED)) and bool(
        pair[PROMPT_DISTORTED]
    )


def _each_pair(rows: Any, bad: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    if not isinstance(rows, RowPairs):
        yield from rows.decode(False)
        return
    bad += [(f"line {line}", why) for line, why in rows.broken.items()]
    for number in range(len(rows)):
        try:
            yield from rows.pairs(number)
        except SchemaError as error:
            bad.append((f"row {number}", str(error)))


def _asked(model: RewardModel, pairs: Sequence[dict[str, Any]]) -> tuple[Finding, ...]:
    """The reward model on a few pairs: prompt, tokens, batch, and a second call."""
    try:
        return tuple(_probed(model, pairs))
    except (Exception, SystemExit) as error:  # a finding, whatever foreign code raises
        text = f"raised {type(error).__name__} ({' '.join(str(error).split()):.300})"
        return (Finding(probe="runs", outcome="fail", text=text),)


def _probed(model: RewardModel, pairs: Sequence[dict[str, Any]]) -> Iterator[Finding]:
    places = [
        (f"{pair[PAIR_ID]}/{image}", pair[image], pair[prompt], pair.get(PROMPT_ORIGINAL))
        for pair in pairs
        for image in (IMAGE_ORIGINAL, IMAGE_DISTORTED)
        for prompt in (PROMPT_ORIGINAL, PROMPT_DISTORTED)
        if pair.get(prompt)
    ]
    opened = {key: open_image(image) for key, image, _, _ in places}
    images = [opened[key] for key, _, _, _ in places]
    prompts = [prompt for _, _, prompt, _ in places]
    first, again = (np.asarray(model.score(images, prompts)) for _ in range(2))
    finite = finite_finding(first)
    yield finite
    if finite.outcome == "fail":
        return
    allowed = tolerance(first, number_format(model))
    if np.max(np.abs(first - again)) > allowed:
        yield batch_finding(again, first, allowed=allowed, random=True)
    cells = [
        ScoredCell(key=key, image=image, prompt=prompt, original=original, score=float(score))
        for (key, image, prompt, original), score in zip(places, first, strict=True)
    ]
    found = quick_check(model, cells, at_once=model.batch_size)
    repeats = np.max(np.abs(first - again)) > allowed
    yield from (each for each in found if not (repeats and each.probe in ("batch", "repeat")))
