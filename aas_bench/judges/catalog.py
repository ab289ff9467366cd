"""The judges: one row for each way of reaching one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from aas_bench.errors import InputError
from aas_bench.judges.base import FunctionJudge, Judge, JudgeFunction
from aas_bench.registry import Registry, import_object


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
    """

    name: str
    rest: str
    summary: str
    load: str
    options: frozenset[str]
    extra: str


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
    known = frozenset().union(*(each.options for each in JUDGES.values()))
    if unknown := sorted(options.keys() - known):
        msg = f"a judge has no option {unknown[0]!r}. There are: {', '.join(sorted(known))}."
        raise InputError(msg)
    given = {n: each for n, each in options.items() if n in row.options and each is not None}
    made: Judge = import_object(row.load, extra=row.extra, feature=spec)(what, name=label, **given)
    return made


def check_judge(spec: str) -> None:
    """Refuse a name that no judge has, without loading anything.

    Raises:
        UnknownNameError: No judge is called so.
        InputError: The name is incomplete.
    """
    _parsed(spec)


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
