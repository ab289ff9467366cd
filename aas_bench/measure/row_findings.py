"""What is odd about the rows of a table, and what the headline would be without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from aas_bench.measure.view import View, Views
from aas_bench.rewards.catalog import SYNTHETIC
from aas_bench.stats.estimate import Estimate, Mask, Result, Scores
from aas_bench.stats.resolution import difference, spacing_of
from aas_bench.tables.schema import (
    INDEX,
    LABEL,
    PAIR_ID,
    PROMPT_DISTORTED,
    PROMPT_ORIGINAL,
)
from aas_bench.tables.scores import ScoreTable
from aas_bench.words import Spelling, count, percent

PROMPTS: Final = (PROMPT_ORIGINAL, PROMPT_DISTORTED)
MOST_WORDS: Final = 75
"""Tokens that CLIP's text encoder has room for; a prompt of more words is surely cut by it."""
RATINGS: Final = {"human_score": (0.0, 100.0), "aesthetic_mean": (1.0, 10.0)}
"""Columns of people's ratings, and the least and the most that can be given."""

TABLE_PROBES: Final = frozenset(
    {
        *("blank_prompt", "equal_prompts", "long_prompt", "rating", "one_class", "index"),
        *("repeated_scores", "same_reward", "missing", "ties", "rounding", "prompt"),
    }
)
"""What is looked for wherever a score table is measured; the rest needs the images."""

_SHOWN: Final = 5
_MOST_DECIMALS: Final = 6
_NEAR: Final = 0.05
_HALVES: Final = {2.0**-7: "bfloat16", 2.0**-10: "float16"}
# Blanks, zero-width marks and fillers: what a reader sees nothing of.
_UNSEEN: Final = (
    r"[\s\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0]"
)
_SHARE: Final = Spelling(digits=3)


@dataclass(frozen=True, kw_only=True)
class Effect(Result):
    """A headline as it is, and as it is once the rows are mended.

    Attributes:
        reward: Whose.
        measure: "accuracy" or "chosen".
        before: With the rows.
        after: Without them, or with their clusters put right.
    """

    reward: str
    measure: str
    before: Estimate
    after: Estimate

    def __str__(self) -> str:
        ends = f"{_SHARE.whole(self.before)} becomes {_SHARE.whole(self.after)}"
        return f"{self.measure} of {self.reward}: {ends}"


@dataclass(frozen=True, kw_only=True)
class RowFinding(Result):
    """One thing that is odd about some rows.

    Attributes:
        probe: What was looked for, e.g. "ties", "equal_images".
        outcome: "fail" asks for mending; "note" is told.
        text: One clause, for people.
        n: Rows that it is about.
        of: Rows that were looked at.
        rows: The first of them, by `pair_id`.
        mend: What to do.
        effects: What it does to the headline of each reward model.
    """

    probe: str
    outcome: str
    text: str
    n: int
    of: int
    rows: tuple[str, ...] = ()
    mend: str
    effects: tuple[Effect, ...] = ()

    def __str__(self) -> str:
        named = f" ({', '.join(self.rows)}{', ...' if self.n > len(self.rows) else ''})"
        lines = [f"{self.outcome:<4}  {self.text}{named if self.rows else ''}. {self.mend}"]
        return "\n      ".join([*lines, *map(str, self.effects)])


def found_in(
    frame: pd.DataFrame, mask: Mask, *, probe: str, text: str, mend: str, outcome: str = "fail"
) -> RowFinding:
    """A finding about the rows of a mask; `{n}` in the text is their number."""
    n = int(mask.sum())
    return RowFinding(
        probe=probe,
        outcome=outcome,
        text=text.format(n=count(n, "pair")),
        n=n,
        of=len(mask),
        rows=tuple(frame.loc[mask, PAIR_ID].astype(str).head(_SHOWN)),
        mend=mend,
    )


def text_findings(frame: pd.DataFrame) -> Iterator[tuple[RowFinding, Mask]]:
    """What prompts, labels and ratings show without any score, each with its rows."""
    seen = {name: _seen(frame[name]) for name in PROMPTS if name in frame}
    for name, texts in seen.items():
        blank = _true(texts == "")
        if blank.any():
            text = f"{{n}} with a blank {name}: nothing is asked for"
            mend = "Write the prompt, or leave the rows out."
            yield found_in(frame, blank, probe="blank_prompt", text=text, mend=mend), blank
    if len(seen) == len(PROMPTS):
        original, distorted = seen.values()
        mask = _true((original == distorted) & (original != ""))
        if mask.any():
            text = "{n} whose two prompts are the same: no request to honour"
            mend = "Give the prompt that asks, or leave the rows out."
            yield found_in(frame, mask, probe="equal_prompts", text=text, mend=mend), mask
    if PROMPT_DISTORTED in seen:
        words = seen[PROMPT_DISTORTED].str.count(r"\S+").fillna(0).to_numpy(np.int64)
        mask = words > MOST_WORDS
        if mask.any():
            text = f"{{n}} with a prompt of more than {MOST_WORDS} words, which CLIP models cut"
            mend = "See how many your model cuts: the columns _cut_distorted."
            found = found_in(frame, mask, probe="long_prompt", text=text, mend=mend, outcome="note")
            yield found, mask
    for name, (low, high) in RATINGS.items():
        if name in frame:
            given = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
            mask = (given < low) | (given > high)
            if mask.any():
                text = f"{{n}} with {name} outside {low:g} to {high:g}"
                mend = "Mend the ratings, or leave the rows out."
                yield found_in(frame, mask, probe="rating", text=text, mend=mend), mask
    yield from _label_findings(frame)


def _label_findings(frame: pd.DataFrame) -> Iterator[tuple[RowFinding, Mask]]:
    if LABEL not in frame:
        return
    label = pd.to_numeric(frame[LABEL], errors="coerce").to_numpy(np.float64)
    known = label >= 0
    if known.any() and len(np.unique(label[known])) == 1:
        text = f"all {int(known.sum()):,} labels are {int(label[known][0])}"
        mend = "Accuracy is then the share chosen; AUROC, kappa and balanced accuracy have no value"
        none = np.zeros(len(label), dtype=bool)
        found = found_in(frame, none, probe="one_class", text=text, mend=f"{mend}.", outcome="note")
        yield replace(found, n=int(known.sum())), none


def _seen(prompts: pd.Series[Any]) -> pd.Series[Any]:
    """What a reader sees of prompts, with single blanks; null stays null."""
    texts = prompts.astype("string")
    return texts.str.replace(rf"{_UNSEEN}+", " ", regex=True).str.strip()


def _true(flags: pd.Series[Any]) -> Mask:
    """Where flags are set; null is not."""
    return np.asarray(flags.fillna(value=False).to_numpy(), dtype=bool)


def shared_prompts(frame: pd.DataFrame) -> tuple[Mask, pd.Series[Any]] | None:
    """The rows whose base prompt stands under several indices, and an index by prompt.

    None where there are none.
    """
    name = next((n for n in PROMPTS if n in frame and frame[n].notna().all()), None)
    if name is None or {"item", "wording"} <= set(frame.columns):
        return None
    texts = _seen(frame[name])
    several = frame.groupby(texts)[INDEX].transform("nunique") > 1
    mask = _true(several) & _true(texts != "")
    if not mask.any():
        return None
    # The first index of a prompt stands for all: rows of one index stay together.
    return mask, frame.groupby(texts)[INDEX].transform("min")


def told_of_shared(frame: pd.DataFrame, mask: Mask, index: pd.Series[Any]) -> dict[str, str]:
    """What `found_in` is to say of the rows that `shared_prompts` found.

    Where no index joins any pairs, equal prompts count as one everywhere: that alters no figure.
    """
    n_prompts = index[mask].nunique()
    if frame[INDEX].is_unique:
        text = (
            f"{n_prompts:,} shared prompts, and no {INDEX} says so ({{n}}): equal ones count as one"
        )
        mend = f"Give pairs of one base prompt one {INDEX}, to be sure."
        return {"text": text, "mend": mend, "outcome": "note"}
    n_taken = frame.loc[mask, INDEX].nunique()
    text = f"{n_prompts:,} shared prompts taken for {n_taken:,} independent ones ({{n}})"
    mend = f"Give pairs of one base prompt one {INDEX}: intervals are too narrow."
    return {"text": text, "mend": mend}


def table_findings(views: Views, rewards: Sequence[str] | None = None) -> tuple[RowFinding, ...]:
    """What is odd about a score table, each with its effect on the headlines.

    Ties, rounding, missing and repeated scores, blank and equal prompts, labels of one class,
    ratings out of range, base prompts that are taken for independent.

    Args:
        views: The table; pairs without a score are left out of every headline.
        rewards: The reward models to look at; None: all of the table.

    Example:
        >>> frame = pd.DataFrame({"r_oidp": [1.0, 2.0, 2.0, 5.0], "r_didp": [1.0, 3.0, 4.0, 3.0]})
        >>> found = table_findings(Views.of(ScoreTable.from_frame(frame), Analysis()))
        >>> [each.probe for each in found], found[0].n
        (['ties', 'rounding'], 1)
    """
    names = tuple(views.table.rewards if rewards is None else rewards)
    kept = replace(views.table, rewards=names)
    views = Views.of(kept, replace(views.analysis, on_missing="drop"), paired=views.paired)
    found = [with_effects(views, each, mask) for each, mask in text_findings(views.table.frame)]
    found += _repeated(views)
    found += _clusters(views)
    for reward in names:
        found += _reward_findings(views, reward)
    return tuple(found)


def with_effects(views: Views, found: RowFinding, mask: Mask) -> RowFinding:
    """The finding with the headline of each reward model with and without its rows."""
    if not np.any(mask & views.rows) or not views.table.rewards:
        return found
    effects = (_without(views, name, mask) for name in views.table.rewards)
    return replace(found, effects=tuple(each for each in effects if each is not None))


def _without(views: Views, reward: str, mask: Mask) -> Effect | None:
    return _effect(views.view(reward), views.view(reward, views.rows & ~mask))


def _effect(before: View, after: View) -> Effect | None:
    if not after.n or np.isnan(before.margin).all() or np.isnan(after.margin).all():
        return None
    found = [
        view.chosen if view.preference is None else view.preference.accuracy
        for view in (before, after)
    ]
    measure = "chosen" if before.preference is None else "accuracy"
    return Effect(reward=before.reward, measure=measure, before=found[0], after=found[1])


def _clusters(views: Views) -> Iterator[RowFinding]:
    frame = views.table.frame
    shared = shared_prompts(frame[views.rows])
    if shared is None:
        return
    there, index = shared
    mask = np.zeros(len(frame), dtype=bool)
    mask[views.rows] = there
    told = told_of_shared(frame[views.rows], there, index)
    mended = frame.assign(**{INDEX: frame[INDEX].where(~views.rows, index)})
    table = ScoreTable(frame=mended, rewards=views.table.rewards)
    again = Views.of(table, views.analysis, paired=views.paired)
    effects = (_effect(views.view(name), again.view(name)) for name in table.rewards)
    found = found_in(frame, mask, probe="index", **told)
    yield replace(found, effects=tuple(each for each in effects if each is not None))


def _repeated(views: Views) -> Iterator[RowFinding]:
    """Rows that hold the very scores of another row, and rewards that hold those of another."""
    frame, names = views.table.frame, views.table.rewards
    columns = {n: [getattr(views.cells(n), c) for c in vars(views.cells(n))] for n in names}
    scores = np.column_stack([each for of in columns.values() for each in of])
    whole = ~np.isnan(scores).all(axis=1) & views.rows
    coarse = all(len(np.unique(each)) <= len(each) // 2 for of in columns.values() for each in of)
    if not coarse:  # ratings on a grid meet by chance
        again = pd.DataFrame(scores).duplicated().to_numpy() & whole
        if again.any():
            found = found_in(
                frame,
                again,
                probe="repeated_scores",
                text="{n} with exactly the scores of an earlier pair: perhaps one pair twice",
                mend="Leave the second ones out.",
            )
            yield with_effects(views, found, again)
    for i, name in enumerate(names):
        for other in names[:i]:
            both = zip(columns[name], columns[other], strict=True)
            if whole.any() and all(np.array_equal(a, b, equal_nan=True) for a, b in both):
                none = np.zeros(len(frame), dtype=bool)
                found = found_in(
                    frame,
                    none,
                    probe="same_reward",
                    text=f"{name} holds exactly the scores of {other}",
                    mend="Leave one of them out, or score it anew.",
                )
                yield replace(found, n=len(frame))


def _reward_findings(views: Views, reward: str) -> Iterator[RowFinding]:
    frame, cells = views.table.frame, views.cells(reward)
    margin = difference(cells.didp, cells.oidp)
    missing = np.isnan(margin) & views.rows
    if missing.all() and np.isnan(cells.oidp).all():
        return  # images that stand alone have no margin
    if missing.any():
        share = percent(missing.sum() / views.rows.sum())
        yield found_in(
            frame,
            missing,
            probe="missing",
            text=f"{reward} lacks a score of {{n}} ({share})",
            mend="Score them, or report the coverage.",
        )
    tied = (margin == 0) & views.rows
    if tied.any():
        yield _ties(views, reward, tied)
    yield from _rounding(views, reward, margin)
    with np.errstate(invalid="ignore"):
        moved = np.abs(difference(cells.oiop, cells.oidp)) + np.abs(
            difference(cells.diop, cells.didp)
        )
    told = moved[views.rows & ~np.isnan(moved)]
    if told.size and not told.any() and reward not in SYNTHETIC:
        none = np.zeros(len(frame), dtype=bool)
        found = found_in(
            frame,
            none,
            probe="prompt",
            text=f"no prompt moves a score of {reward}",
            mend="Check its tokenizer: aas-bench check-reward.",
        )
        yield replace(found, n=int(told.size))


def _ties(views: Views, reward: str, tied: Mask) -> RowFinding:
    n = int(tied.sum())
    scored = int((views.rows & ~np.isnan(_margin(views, reward))).sum())
    rates = [
        effect.before.value
        for ties in ("original", "half", "distorted")
        if (effect := _without(views.under(ties), reward, np.zeros_like(tied))) is not None
    ]
    known = [rate for rate in rates if rate is not None]
    spread = f"; the headline is {min(known):.3f} to {max(known):.3f} as ties count"
    decide = bool(known) and max(known) - min(known) >= 0.005
    found = found_in(
        views.table.frame,
        tied,
        probe="ties",
        text=f"{reward} scores both images the same in {n:,} of {count(scored, 'pair')}"
        + (spread if decide and n < tied.size else ""),
        mend="Score with more digits, and read each rate as a range over the ties.",
        outcome="fail" if decide else "note",
    )
    effect = _without(views, reward, tied)
    return found if effect is None else replace(found, effects=(effect,))


def _margin(views: Views, reward: str) -> Scores:
    cells = views.cells(reward)
    return difference(cells.didp, cells.oidp)


def _rounding(views: Views, reward: str, margin: Scores) -> Iterator[RowFinding]:
    """Whether scores are so coarse that a last step decides pairs."""
    columns = list(vars(views.cells(reward)).values())
    scores = np.concatenate([column[views.rows] for column in columns])
    step, told = _step(scores[~np.isnan(scores)])
    if step is None:
        return
    near = (np.abs(margin) <= step * (1 + 1e-6)) & views.rows
    decided = views.rows & ~np.isnan(margin)
    if near.sum() < _NEAR * decided.sum() or not near.any():
        return
    found = found_in(
        views.table.frame,
        near,
        probe="rounding",
        text=f"scores of {reward} come in steps of {told}, and {{n}} lie within one step",
        mend="Keep the scores unrounded, in float32.",
    )
    effect = _without(views, reward, near)
    yield found if effect is None else replace(found, effects=(effect,))


def _step(scores: Scores) -> tuple[float | None, str]:
    """The step that all scores are multiples of, and how it is told; None where there is none."""
    if scores.size < 2 or not np.ptp(scores):
        return None, ""
    for decimals in range(_MOST_DECIMALS):
        scaled = scores * 10.0**decimals
        whole = np.round(scaled)
        if np.abs(whole).max() < 2**52 and np.allclose(scaled, whole, rtol=0, atol=1e-6):
            steps = int(np.gcd.reduce(np.abs(np.diff(np.unique(whole))).astype(np.int64)))
            return steps / 10.0**decimals, f"{steps / 10.0**decimals:g}"
    spacing = spacing_of(scores)
    if spacing not in _HALVES:
        return None, ""
    _, exponent = np.frexp(np.abs(scores).max())
    step = float(np.ldexp(spacing, int(exponent) - 1))
    return step, f"{step:.3g} ({_HALVES[spacing]})"


def told_again(stored: Any) -> str:
    """A finding that was stored as JSON, in one line; "" where it is none."""
    try:
        effects = [
            Effect(
                reward=str(each["reward"]),
                measure=str(each["measure"]),
                before=Estimate(**each["before"]),
                after=Estimate(**each["after"]),
            )
            for each in stored["effects"]
        ]
        rows = tuple(map(str, stored["rows"]))
        found = RowFinding(**{**stored, "rows": rows, "effects": tuple(effects)})
        return " ".join(str(found).split()).removeprefix(found.outcome).strip()
    except (KeyError, TypeError, ValueError):
        return ""
