"""What tells a reward model that is set up wrong from one whose scores are a finding.

A CLIP folder without its tokenizer, a head of NaNs, a softmax over the call, dropout left on: each
gives numbers, and none of them is about the images and prompts. The quick part looks at the first
scores of a run and asks for a few more; `check_reward.py` has the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from PIL import Image

from aas_bench.errors import InputError
from aas_bench.rewards.base import RewardModel, Scores, flat, weighted_sum
from aas_bench.tables.images import open_image

Outcome: TypeAlias = Literal["pass", "note", "fail", "not checked"]

HALF: Final = ("bfloat16", "float16")
MOST_UNKNOWN: Final = 0.1
"""Share of the tokens of the prompts that a tokenizer may not know."""
PROBES: Final = (
    "a photograph of a red apple on a wooden table",
    "two blue sailing boats at night, dark and out of focus",
    "A clean grey street, brightly lit.",
    "an ugly green wall with a broken window; nothing else",
    "seven people, smiling",
)
"""Asked where the prompts of a run have moved no score."""

_OWN_PROBES: Final = 8
_MOST_CELLS: Final = 4
_ABOVE_CHANCE: Final = 3
# Of the spread of the scores and of their size: what the order of additions may change.
_FLOAT32 = (1e-3, 2e-6)
_ROUNDED = (1e-1, 4e-3)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one probe found.

    Attributes:
        probe: "runs", "finite", "prompt", "tokens", "batch", "repeat", "dtype", "cut" or "cost".
        outcome: "note" is told and stops nobody.
        text: One clause, for people.
        value: The number behind it, where there is one.
    """

    probe: str
    outcome: Outcome
    text: str
    value: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class ScoredCell:
    """A score that a run has given.

    Attributes:
        key: Which image it is.
        image: The undecoded image.
        prompt: What it was scored under.
        original: The original prompt of its pair, if known.
        score: What the model gave.
    """

    key: str
    image: Mapping[str, Any]
    prompt: str
    original: str | None
    score: float


def quick_check(
    model: RewardModel, cells: Sequence[ScoredCell], *, at_once: int
) -> tuple[Finding, ...]:
    """Prompt, unknown tokens and batch dependence, from scores that a run has given.

    A few of them are asked for again, each by itself; more only where the prompts moved none. What
    the model raises here is not told: the run meets it too, and knows where.

    Args:
        model: The reward model.
        cells: The four scores of some pairs, pair by pair.
        at_once: Items of one call in the run.
    """
    try:
        return tuple(_quick(model, cells, at_once))
    except Exception as error:
        told = f"raised {type(error).__name__} in a call with a single item"
        return (Finding(probe="runs", outcome="not checked", text=told),)


def _quick(model: RewardModel, cells: Sequence[ScoredCell], at_once: int) -> Iterable[Finding]:
    prompts = list(dict.fromkeys(cell.prompt for cell in cells))
    chosen = [*cells[: _MOST_CELLS // 2], *cells[_MOST_CELLS // 2 :][-_MOST_CELLS // 2 :]]
    given = np.array([cell.score for cell in cells])
    together = np.array([cell.score for cell in chosen])
    alone = _each_alone(model, chosen)
    allowed = tolerance(given, number_format(model))
    differs = bool(np.any(np.abs(together - alone) > allowed))
    random = differs and bool(np.any(np.abs(_each_alone(model, chosen) - alone) > allowed))
    if model.reads_prompts:
        by_image: dict[str, list[float]] = {}
        for cell in cells:
            by_image.setdefault(cell.key, []).append(cell.score)
        moved = max(map(float, map(np.ptp, by_image.values())))
        if differs or moved <= rounding(given):
            asked = list(dict.fromkeys([*prompts[:_OWN_PROBES], *PROBES]))
            feature = encoded(model, open_image(cells[0].image))
            yield probe_prompts(model, feature, asked, original=cells[0].original, at_once=at_once)
        else:
            yield prompt_finding(moved, n_prompts=len(prompts))
    else:
        yield blind_by_design()
    yield tokens_finding(model, prompts)
    yield batch_finding(together, alone, allowed=allowed, random=random)


def _each_alone(model: RewardModel, cells: Sequence[ScoredCell]) -> Scores:
    opened = ((open_image(cell.image), cell) for cell in cells)
    return np.array(
        [ask(model, encoded(model, image), [c.prompt], c.original)[0] for image, c in opened]
    )


def encoded(model: RewardModel, image: Image.Image) -> Any:
    """The features of an RGB image, alone in its call."""
    [feature] = model.encode_images([model.preprocess(image)])
    return feature


def ask(
    model: RewardModel, feature: Any, prompts: Sequence[str], original: str | None = None
) -> Scores:
    """Scores of one image under prompts, in one call of each method of the model."""
    terms = [model.terms(prompt, original) for prompt in prompts]
    texts = [term.prompt for of_one in terms for term in of_one]
    combined = model.combine([feature] * len(texts), list(model.encode_prompts(texts)))
    parts = iter(flat(combined))
    return np.array(
        [weighted_sum(each, [next(parts) for _ in each]) for each in terms], dtype=np.float64
    )


def probe_prompts(
    model: RewardModel,
    feature: Any,
    prompts: Sequence[str],
    *,
    original: str | None = None,
    at_once: int,
) -> Finding:
    """Whether prompts move the score of an image within a call, beyond what repeating one does."""
    first, moved, by_chance = prompts[0], 0.0, 0.0
    for other in prompts[1:]:
        asked = [first, first, other, other]
        if at_once < len(asked):
            scores = np.array([ask(model, feature, [p], original)[0] for p in asked])
        else:
            scores = ask(model, feature, asked, original)
        if np.ptp(scores) > rounding(scores):
            moved = max(moved, float(np.ptp(scores)))
            changed = np.abs(scores[::2] - scores[1::2])
            by_chance = max(by_chance, float(changed.max()))
            if not by_chance:
                break
    return prompt_finding(moved, by_chance=by_chance, n_prompts=len(prompts))


def prompt_finding(moved: float, *, n_prompts: int, by_chance: float = 0.0) -> Finding:
    """Whether the prompt has a say.

    Args:
        moved: Largest difference between scores of one image under different prompts; 0 where it
            is rounding.
        n_prompts: How many prompts were asked.
        by_chance: Largest difference that the same prompt makes.
    """
    outcome: Outcome = "pass"
    text = f"the prompt moves the score, by up to {moved:.3g}"
    if not moved:
        outcome = "fail"
        text = f"an image scores the same whatever the prompt says ({n_prompts} prompts tried)"
    elif moved < _ABOVE_CHANCE * by_chance:
        outcome = "not checked"
        text = "that the prompt moves the score is not told from its changes by chance"
    return Finding(probe="prompt", outcome=outcome, text=text, value=moved)


def blind_by_design() -> Finding:
    """For models that say themselves that they read no prompt."""
    return Finding(probe="prompt", outcome="note", text="reads no prompt, by its own word")


def tokens_finding(model: RewardModel, prompts: Sequence[str]) -> Finding:
    """Whether the tokenizer knows the words."""
    shares = model.unknown_tokens(prompts)
    if shares is None or not len(shares):
        return Finding(probe="tokens", outcome="not checked", text="no tokenizer to ask")
    share = float(np.mean(shares))
    text = f"its tokenizer does not know {share:.1%} of the tokens"
    return Finding(
        probe="tokens", outcome="fail" if share > MOST_UNKNOWN else "pass", text=text, value=share
    )


def finite_finding(scores: Scores) -> Finding:
    """Whether every score is a number that can be compared."""
    n = len(scores)
    wrong = int(np.sum(~np.isfinite(scores)))
    if wrong:
        text = f"{wrong} of {n} scores are not finite: try float32, check the weights"
        return Finding(probe="finite", outcome="fail", text=text, value=wrong / n)
    return Finding(probe="finite", outcome="pass", text=f"all {n} scores are finite")


def batch_finding(together: Scores, alone: Scores, *, allowed: float, random: bool) -> Finding:
    """Whether scores depend on what else is in the call."""
    difference = float(np.max(np.abs(together - alone)))
    if random:
        text = "scores differ between two equal calls: set it to evaluation, fix its seed"
        return Finding(probe="repeat", outcome="fail", text=text, value=difference)
    if difference > allowed:
        text = f"a score depends on its batch: {_first_apart(together, alone, allowed)}"
        return Finding(probe="batch", outcome="fail", text=text, value=difference)
    text = "an image alone and in a batch score alike"
    return Finding(probe="batch", outcome="pass", text=text, value=difference)


def _first_apart(together: Scores, alone: Scores, allowed: float) -> str:
    at = int(np.argmax(np.abs(together - alone) > allowed))
    return f"{together[at]:.4g} with others, {alone[at]:.4g} alone"


def rounding(scores: Scores) -> float:
    """Differences of at most this size between equal scores come of float32."""
    return 1e-5 * float(np.max(np.abs(scores)))


def tolerance(scores: Scores, dtype: str) -> float:
    """Differences of this size may come of the order of additions in a number format."""
    of_spread, of_size = _ROUNDED if dtype in HALF else _FLOAT32
    return of_spread * float(np.ptp(scores)) + of_size * float(np.max(np.abs(scores)))


def number_format(model: RewardModel) -> str:
    """The dtype that a model, or the one it is made of, describes itself by; "" where none."""
    told: Any = model.describe()
    while isinstance(told, Mapping) and "dtype" not in told:
        told = told.get("base")
    return str(told["dtype"]) if isinstance(told, Mapping) else ""


def refuse_unsound(name: str, findings: Iterable[Finding]) -> None:
    """Stop where the prompt or the tokens failed.

    Raises:
        InputError: Says which, and how to mend it.
    """
    failed = [f.text for f in findings if f.outcome == "fail" and f.probe in ("prompt", "tokens")]
    if failed:
        msg = (
            f"reward model {name!r}: {'; '.join(failed)}. Mend its tokenizer or prompt (aas-bench "
            "check-reward tells more); set reads_prompts = False on it if it is to read none; or "
            "go on: accept_prompt_blind=True (--accept-prompt-blind)."
        )
        raise InputError(msg)
