"""What a scoring run need not score again: more pairs, reward models or prompts in one directory.

A score hangs on the reward model, the image and the prompt, and on nothing else of the table. So
what earlier rounds of a run hold is looked up by these, a placebo request like any other prompt,
and a run may grow as long as none of them has become another under the same name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aas_bench.errors import StoreError
from aas_bench.run.directory import Round, differences
from aas_bench.run.groups import KEY_DISTORTED, KEY_ORIGINAL, UndecodedImage, UndecodedPairs
from aas_bench.tables.schema import (
    CUT_OF,
    IMAGE_DISTORTED,
    IMAGE_OF,
    IMAGE_ORIGINAL,
    PAIR_ID,
    PLACEBO_CELLS,
    PROMPT_DISTORTED,
    PROMPT_OF,
    PROMPT_ORIGINAL,
    placebo_column,
    score_column,
)

if TYPE_CHECKING:
    import pyarrow as pa

_KEY_OF: Final = {IMAGE_ORIGINAL: KEY_ORIGINAL, IMAGE_DISTORTED: KEY_DISTORTED}
_KINDS: Final = {placebo_column(kind): cells for kind, cells in PLACEBO_CELLS.items()}
_TOLD: Final = {
    PROMPT_ORIGINAL: "original prompt",
    PROMPT_DISTORTED: "distorted prompt",
    KEY_ORIGINAL: "original image",
    KEY_DISTORTED: "distorted image",
}
_OUT: Final = "or give another directory"

Asked: TypeAlias = tuple[str, str, "str | None"]
"""The key of an image, the prompt, and the original prompt of the pair."""


class KnownScores:
    """What parts that are stored hold, by reward model, image and prompt; empty at first."""

    def __init__(self) -> None:
        self._scores: dict[str, dict[Asked, float]] = defaultdict(dict)
        self._cuts: dict[str, dict[str, bool]] = defaultdict(dict)
        self._read: dict[str, set[str]] = defaultdict(set)
        self._texts: dict[str, str] = {}

    @classmethod
    def of(cls, rounds: Iterable[Round], spec: Mapping[str, Any]) -> KnownScores:
        """Those of the rounds' scores that a run of this specification would make again."""
        found = cls()
        for each in rounds:
            if each.spec["versions"] != spec["versions"]:
                continue
            described = each.spec["rewards"]
            rewards = [model["name"] for model in spec["rewards"] if model in described]
            for table in each.tables() if rewards else ():
                found.add(table, rewards)
        return found

    def score(self, reward: str, asked: Asked) -> float | None:
        """A score; None where it is not known."""
        return self._scores[reward].get(asked)

    def cut(self, reward: str, prompt: str) -> bool | None:
        """Whether a reward model drops the end of a prompt; None where that is not known."""
        return self._cuts[reward].get(prompt)

    def has_read(self, reward: str, prompt: str) -> bool:
        """Whether there is a score of a reward model under a prompt, of whichever image."""
        return prompt in self._read[reward]

    def add(self, part: pa.Table, rewards: Iterable[str]) -> None:
        """Take up a stored part; what is known already stays as it is."""
        columns = part.to_pydict()
        kinds = {placebos: cells for placebos, cells in _KINDS.items() if placebos in columns}
        for reward in rewards:
            for cell, prompt in PROMPT_OF.items():
                images = columns[_KEY_OF[IMAGE_OF[cell]]]
                found = columns[score_column(reward, cell)]
                self._keep(reward, columns, images, columns[prompt], found)
            for prompt, cut in CUT_OF.items():
                for text, value in zip(
                    columns[prompt], columns[score_column(reward, cut)], strict=True
                ):
                    if value is not None:
                        self._cuts[reward][text] = value
            for placebos, cells in kinds.items():
                for cell, image in zip(cells, (KEY_ORIGINAL, KEY_DISTORTED), strict=True):
                    found = columns[score_column(reward, cell)]
                    self._keep(reward, columns, columns[image], columns[placebos], found)

    def _keep(
        self,
        reward: str,
        columns: Mapping[str, list[Any]],
        images: list[str],
        prompts: list[Any],
        found: list[Any],
    ) -> None:
        of_model, read, shared = self._scores[reward], self._read[reward], self._texts
        rows = zip(images, prompts, columns[PROMPT_ORIGINAL], found, strict=True)
        for image, prompt, original, scores in rows:
            texts, values = (prompt, scores) if isinstance(scores, list) else ([prompt], [scores])
            # Fewer scores than placebos where the reward model bears fewer of them.
            for text, value in zip(texts or (), values, strict=False):
                if value is not None:
                    kept = shared.setdefault(text, text)
                    read.add(kept)
                    of_model.setdefault((image, kept, original), value)


def check_growth(
    root: Path, rounds: Sequence[Round], spec: Mapping[str, Any], source: UndecodedPairs
) -> None:
    """Let a scoring run go on with more pairs, reward models or prompts, and with nothing else.

    Args:
        root: The run directory.
        rounds: What it holds.
        spec: What it would depend on, as JSON values.
        source: The pairs that it would score.

    Raises:
        StoreError: Something that is there is not asked for, or has changed since.
    """
    _check_options(root, rounds[-1].spec, spec)
    _check_rewards(root, rounds[-1].spec["rewards"], spec["rewards"])
    _check_rows(root, rounds, source)


def _check_options(root: Path, there: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    before, after = there["versions"], now["versions"]
    changed = [
        f"{name} {before.get(name, 'none')}, here is {after.get(name, 'none')}"
        for name in sorted(before | after)
        if before.get(name) != after.get(name)
    ]
    if changed:
        msg = f"{root} was made with {'; '.join(changed)}. Install what it was made with, {_OUT}."
        raise StoreError(msg)
    if (there["prompts"], now["prompts"]) == ("both", "distorted"):
        msg = f"{root} holds scores under both prompts. Leave prompts='distorted' (--prompts) out"
        raise StoreError(f"{msg}, {_OUT}.")
    streams = "streaming" in there["pairs"] or "streaming" in now["pairs"]
    if streams and there["pairs"] != now["pairs"]:
        msg = f"{root} holds other pairs, and a stream cannot be added to. Repeat the first command"
        raise StoreError(f"{msg}, {_OUT}.")


def _check_rewards(root: Path, there: Iterable[Any], now: Iterable[Any]) -> None:
    described = {model["name"]: model for model in now}
    for model in there:
        name = model["name"]
        if name not in described:
            msg = f"{root} also holds scores of {name!r}. Name it too (--reward), {_OUT}."
            raise StoreError(msg)
        if described[name] != model:
            msg = (
                f"{root} holds scores of another reward model {name!r}: "
                f"{differences(model, described[name])}. Give it another name (other=SPEC), {_OUT}."
            )
            raise StoreError(msg)


def _check_rows(root: Path, rounds: Iterable[Round], source: UndecodedPairs) -> None:
    """Refuse pairs that lack some that are stored, or hold them with another content."""
    stored = {
        row[PAIR_ID]: row
        for each in rounds
        for table in each.tables()
        for row in table.select([PAIR_ID, *_TOLD]).to_pylist()
    }
    if not stored or source.total is None:
        return
    found: set[str] = set()
    changed: dict[str, list[str]] = {}
    for row in source.read(0, source.total):
        name = row.values[PAIR_ID]
        if name not in stored:
            continue
        found.add(name)
        now = {**row.values, KEY_ORIGINAL: row.original.key, KEY_DISTORTED: row.distorted.key}
        for column, what in _TOLD.items():
            if stored[name][column] != now[column] and not _was_none(stored[name][column]):
                changed.setdefault(what, []).append(name)
    if lost := [name for name in stored if name not in found]:
        msg = (
            f"{root} holds {len(stored):,} pairs, of which {len(lost):,} are not among those "
            f"given (first {lost[0]!r}). Give them too, as a larger --sample of one --seed does"
        )
        raise StoreError(f"{msg}, {_OUT}.")
    if changed:
        which = "; ".join(f"{what} of {len(n):,} (first {n[0]!r})" for what, n in changed.items())
        msg = f"{root} holds pairs that have changed since: {which}. Give them another pair_id"
        raise StoreError(f"{msg}, {_OUT}.")


def _was_none(stored: str | None) -> bool:
    """Whether there was nothing to be scored: what came later replaces no score."""
    return stored is None or UndecodedImage.known_by(stored).struct is None
