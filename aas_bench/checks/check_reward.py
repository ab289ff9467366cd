"""Is a reward model set up right, and what will it cost? Asked on built-in photographs."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from aas_bench.checks.probes import (
    HALF,
    PROBES,
    Finding,
    Outcome,
    ask,
    batch_finding,
    blind_by_design,
    encoded,
    finite_finding,
    number_format,
    probe_prompts,
    prompt_finding,
    rounding,
    tokens_finding,
    tolerance,
)
from aas_bench.counterfactual.requests import REQUESTS
from aas_bench.counterfactual.scenes import SCENES, photograph
from aas_bench.errors import AasBenchError, InputError
from aas_bench.rewards.base import RewardModel, Scores
from aas_bench.rewards.catalog import RewardSpec, load_reward
from aas_bench.tables.open import Source
from aas_bench.tables.schema import PROMPT_DISTORTED, PROMPT_ORIGINAL

N_PAIRS: Final = 1000
"""Pairs that a job has where none is given."""
_SCENES: Final = ("coffee", "astronaut", "rocket")
_ASKED: Final = ("clarity", "color-brightness")
_MOST_DRIFT: Final = 0.1
_SLIGHT_DRIFT: Final = 0.01


@dataclass(frozen=True, kw_only=True)
class RewardCheck:
    """What was found of a reward model; printed, one line a probe.

    Attributes:
        reward: Its name.
        findings: What each probe found.
    """

    reward: str
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return all(finding.outcome != "fail" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        findings = [finding.to_dict() for finding in self.findings]
        return {"reward": self.reward, "passed": self.passed, "findings": findings}

    def __str__(self) -> str:
        lines = [f"{f.outcome:<11}  {f.probe:<6}  {f.text}" for f in self.findings]
        failed = sum(f.outcome == "fail" for f in self.findings)
        verdict = "passed" if self.passed else f"failed {failed} of {len(lines)} checks"
        return "\n".join([f"{self.reward}: {verdict}", *lines])


def check_reward(
    reward: RewardSpec,
    *,
    pairs: Source | None = None,
    device: str | None = None,
    dtype: str | None = None,
    batch_size: int | None = None,
) -> RewardCheck:
    """Check a reward model before its scores are believed.

    On built-in photographs and real prompts: are its scores finite, does the prompt move them,
    does its tokenizer know the words, are they equal alone and in a batch, and twice, what does
    half precision change, are prompts cut, and what will a job take?

    Args:
        reward: What `load_reward` takes.
        pairs: The job: its prompts are asked for unknown and cut tokens, its pairs are counted for
            the time. Default: the built-in prompts, 1,000 pairs.
        device: Where it runs; see `load_reward`.
        dtype: Its number format; see `load_reward`. Where it is half precision and `reward` is a
            name, the model is loaded a second time, in float32, to compare.
        batch_size: Items of one call; None: the model's own.

    Raises:
        InputError: The model cannot be loaded, or the pairs cannot be read. What it raises when
            it scores is a finding.

    Example:
        >>> def loud(images, prompts):
        ...     return [float(prompt.count("!")) for prompt in prompts]
        >>> check = check_reward(loud)
        >>> check.passed, check.findings[1].text
        (False, 'an image scores the same whatever the prompt says (8 prompts tried)')
    """
    if batch_size is not None and batch_size < 1:
        msg = f"batch_size={batch_size} is too small. Give at least 1."
        raise InputError(msg)
    model = load_reward(reward, device=device, dtype=dtype)
    if batch_size is not None:
        model = copy(model)
        model.batch_size = batch_size
    prompts, n_pairs = _job(pairs)
    findings: list[Finding] = []
    try:
        findings += _asked(model, prompts, n_pairs)
    except (Exception, SystemExit) as error:  # a finding, whatever foreign code raises
        findings.append(Finding(probe="runs", outcome="fail", text=_told(error)))
    sound = all(finding.outcome != "fail" for finding in findings)
    if sound and isinstance(reward, (str, Path)) and number_format(model) in HALF:
        findings.insert(-1, _drift(model, load_reward(reward, device=device, dtype="float32")))
    return RewardCheck(reward=model.name, findings=tuple(findings))


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, AasBenchError):
        return text
    return f"raised {type(error).__name__} ({text:.300})"


def _job(pairs: Source | None) -> tuple[list[str], int]:
    """The distinct prompts of a job, and how many pairs it has."""
    if pairs is None:
        return [prompt for _, prompts in _photographs() for prompt in prompts], N_PAIRS
    from aas_bench.tables.pairs import load_pairs

    table: Any = load_pairs(pairs) if not hasattr(pairs, "select_columns") else pairs
    rows = list(table.select_columns([PROMPT_ORIGINAL, PROMPT_DISTORTED]))
    told = [row[name] for row in rows for name in (PROMPT_ORIGINAL, PROMPT_DISTORTED)]
    return list(dict.fromkeys(prompt for prompt in told if prompt is not None)), len(rows)


def _photographs() -> list[tuple[Image.Image, tuple[str, ...]]]:
    """Photographs, each with its caption and requests for something that is not pretty."""
    return [
        (
            Image.fromarray(photograph(SCENES[name])),
            (caption, *(REQUESTS[effect][0].format(caption=caption) for effect in _ASKED)),
        )
        for name in _SCENES
        for caption in [SCENES[name].caption]
    ]


def _asked(model: RewardModel, prompts: Sequence[str], n_pairs: int) -> Iterator[Finding]:
    photographs = _photographs()
    cells = [(image, prompt) for image, some in photographs for prompt in some]
    first = _alone(model, photographs[:1])  # untimed: also pays for what is set up late
    started = time.perf_counter()
    try:
        together = model.score([image for image, _ in cells], [prompt for _, prompt in cells])
    except AasBenchError:
        raise
    except Exception as error:
        msg = f"{_told(error)}; only in calls of up to {model.batch_size}: try --batch-size 1"
        raise InputError(msg) from error
    seconds = (time.perf_counter() - started) / len(photographs)
    alone = np.concatenate([first, _alone(model, photographs[1:])])
    again = _alone(model, photographs[:1])
    scores = np.concatenate([alone, together, again])
    finite = finite_finding(scores)
    yield finite
    if finite.outcome == "fail":
        return
    allowed = tolerance(together, number_format(model))
    by_chance = float(np.max(np.abs(again - first)))
    steady = max(by_chance, float(np.max(np.abs(together - alone)))) <= allowed
    yield _prompt(model, photographs, together if steady else None)
    yield tokens_finding(model, prompts)
    yield batch_finding(together, alone, allowed=allowed, random=by_chance > allowed)
    if by_chance <= allowed:
        text = "the same call twice gives the same scores"
        yield Finding(probe="repeat", outcome="pass", text=text, value=by_chance)
    yield _cut(model, prompts)
    yield _cost(2 * seconds, n_pairs)


def _alone(
    model: RewardModel, photographs: Sequence[tuple[Image.Image, tuple[str, ...]]]
) -> Scores:
    """Every image and every prompt by itself in its call."""
    scores: list[float] = []
    for image, prompts in photographs:
        feature = encoded(model, image)
        scores += [ask(model, feature, [prompt])[0] for prompt in prompts]
    return np.array(scores)


def _prompt(
    model: RewardModel,
    photographs: Sequence[tuple[Image.Image, tuple[str, ...]]],
    steady: Scores | None,
) -> Finding:
    """Whether the prompt has a say; `steady` are scores that depend on no call."""
    if not model.reads_prompts:
        return blind_by_design()
    image, prompts = photographs[0]
    if steady is not None:
        moved = float(np.ptp(steady.reshape(len(photographs), -1), axis=1).max())
        if moved > rounding(steady):
            return prompt_finding(moved, n_prompts=len(photographs) * len(prompts))
    asked = [*prompts, *PROBES]
    return probe_prompts(model, encoded(model, image), asked, at_once=model.batch_size)


def _drift(model: RewardModel, exact: RewardModel) -> Finding:
    """What half precision changes."""
    photographs = _photographs()
    cells = [(image, prompt) for image, some in photographs for prompt in some]
    images, prompts = [image for image, _ in cells], [prompt for _, prompt in cells]
    now, before = model.score(images, prompts), exact.score(images, prompts)
    spread = float(np.ptp(before)) or 1.0
    share = float(np.max(np.abs(now - before))) / spread
    text = f"{number_format(model)} moves scores by up to {share:.2%} of their spread in float32"
    outcome: Outcome = "note" if share > _SLIGHT_DRIFT else "pass"
    if not share <= _MOST_DRIFT:  # also where it is no number
        outcome = "fail"
    return Finding(probe="dtype", outcome=outcome, text=text, value=share)


def _cut(model: RewardModel, prompts: Sequence[str]) -> Finding:
    cut = float(np.mean(model.truncated(prompts))) if prompts else 0.0
    text = f"it reads {1 - cut:.0%} of {len(prompts):,} prompts to their end"
    return Finding(probe="cut", outcome="note" if cut else "pass", text=text, value=cut)


def _cost(seconds: float, n_pairs: int) -> Finding:
    total = seconds * n_pairs
    told = f"{total:.0f} s" if total < 120 else f"{total / 60:,.0f} min"
    text = f"{seconds:.3g} s a pair, {told} for {n_pairs:,} pairs; {_peak_memory()}"
    return Finding(probe="cost", outcome="note", text=text, value=seconds)


def _peak_memory() -> str:
    """The most that this process, and a GPU for it, has held."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        on_card = torch.cuda.max_memory_allocated() / 1e9
        return f"{peak:.1f} GB of memory at most, {on_card:.1f} GB on the GPU"
    return f"{peak:.1f} GB of memory at most"
