"""The judges: one row for each way of reaching one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

from aas_bench.errors import InputError
from aas_bench.judges.base import FunctionJudge, Judge, JudgeFunction
from aas_bench.judges.rated import Rater
from aas_bench.registry import Registry, import_object
from aas_bench.service.access import SERVICES, Service, ServiceOptions


@dataclass(frozen=True, kw_only=True)
class JudgeRow:
    """A way to reach a judge.

    Attributes:
        name: What stands before the colon.
        rest: What stands behind it.
        summary: One line for lists.
        load: `module:function`; called as load(rest, name=..., **options) -> Judge.
        options: What its `load` function takes; others do not concern it.
        extra: The optional dependency set that it needs.
        rate: As `load`, of what rates by dimension; None where the probabilities of tokens, which
            that takes, are not to be had.
    """

    name: str
    rest: str
    summary: str
    load: str
    options: frozenset[str]
    extra: str
    rate: str | None = None


JUDGES: Final = Registry(
    "judge",
    (
        JudgeRow(
            name="openai",
            rest="MODEL",
            summary="a vision model behind an OpenAI-compatible chat endpoint (OPENAI_BASE_URL)",
            load="aas_bench.judges.chat_judge:load",
            options=frozenset(
                {"base_url", "concurrency", "attempts", "backoff", "max_wait", "timeout", "rounds"}
            ),
            extra="generate",
        ),
        JudgeRow(
            name="vlm",
            rest="REPO_OR_FOLDER",
            summary="a vision-language model of transformers on this machine, also REPO@revision",
            load="aas_bench.judges.vision_language:load",
            options=frozenset({"batch_size", "device", "dtype"}),
            extra="rewards",
            rate="aas_bench.judges.dimension_rater:load",
        ),
    ),
    hint="Give openai:MODEL or vlm:REPO_OR_FOLDER.",
)

JudgeSpec: TypeAlias = str | Judge | JudgeFunction


def load_judge(spec: JudgeSpec, **options: Any) -> Judge:
    """Make a judge by name, or take one that is made.

    Args:
        spec: "openai:MODEL" or "vlm:REPO_OR_FOLDER", also "label=openai:MODEL"; a `Judge`; or a
            function of a question and its pictures that gives the values of the answer.
        options: Those of any row; a judge is given the ones that it takes. None counts as not
            given.

    Raises:
        UnknownNameError: No judge is called so.
        MissingExtraError: Its packages are not installed.
        InputError: The name is incomplete, or an option is wrong.
    """
    if isinstance(spec, Judge):
        return spec
    if not isinstance(spec, str):
        return FunctionJudge(spec)
    label, row, what = _parsed(spec)
    made: Judge = _loaded(row, row.load, options, feature=spec)(what, name=label)
    return made


def load_rater(spec: JudgeSpec, **options: Any) -> Rater:
    """Make a judge that rates images by dimension, by its name.

    Args:
        spec: "vlm:REPO_OR_FOLDER", also "label=vlm:..."; or a `Rater`.
        options: See `load_judge`.

    Raises:
        UnknownNameError: No judge is called so.
        MissingExtraError: Its packages are not installed.
        InputError: It cannot rate, its name is incomplete, or an option is wrong.
    """
    if isinstance(spec, Rater):
        return spec
    label, row, what = _parsed(spec) if isinstance(spec, str) else ("", None, "")
    if row is None or row.rate is None:
        msg = (
            f"{spec} cannot rate by dimension: that takes the probabilities of a model's own "
            "tokens. Give vlm:REPO_OR_FOLDER."
        )
        raise InputError(msg)
    made: Rater = _loaded(row, row.rate, options, feature=str(spec))(what, name=label)
    return made


def can_rate(spec: str) -> bool:
    """Whether `load_rater` takes a judge of this name, without loading anything.

    Raises:
        UnknownNameError: No judge is called so.
        InputError: The name is incomplete, or there is no usable key.
    """
    return _parsed(spec)[1].rate is not None


def _loaded(
    row: JudgeRow, function: str, options: Mapping[str, Any], *, feature: str
) -> Callable[..., Any]:
    """The function that makes a judge, with those of the options that it takes."""
    known = frozenset().union(*(each.options for each in JUDGES.values()))
    if unknown := sorted(options.keys() - known):
        msg = f"a judge has no option {unknown[0]!r}. There are: {', '.join(sorted(known))}."
        raise InputError(msg)
    given = {n: each for n, each in options.items() if n in row.options and each is not None}
    return partial(import_object(function, extra=row.extra, feature=feature), **given)


def check_judge(spec: str) -> str:
    """What a judge's columns are called by; refuse a name that none has or that lacks its key.

    Nothing is loaded.

    Raises:
        UnknownNameError: No judge is called so.
        InputError: The name is incomplete, or there is no usable key.
    """
    label, row, _ = _parsed(spec)
    if row.name in SERVICES:
        Service.find(row.name, ServiceOptions())
    return label


def runs_here(spec: str) -> bool:
    """Whether a judge of this name runs on a device of ours and asks no service."""
    return "device" in _parsed(spec)[1].options


def _parsed(spec: str) -> tuple[str, JudgeRow, str]:
    """The name of its columns, its row, and what stands behind the colon."""
    label, named, rest = spec.partition("=")
    if not named or ":" in label:
        label, rest = spec, spec
    kind, _, what = rest.partition(":")
    row = JUDGES[kind]
    if not what or not label:
        full = f"{row.name}:{row.rest}"
        msg = f"{spec!r} names no judge. Give {full}, or LABEL={full}."
        raise InputError(msg)
    return label, row, what
