"""The rewriters: one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aas_bench.errors import InputError
from aas_bench.registry import Registry, import_object
from aas_bench.rewriters.base import Rewriter


@dataclass(frozen=True, kw_only=True)
class RewriterRow:
    """A way to make prompts.

    Attributes:
        name: What users type.
        summary: One line for lists.
        load: `module:function` that makes it.
        options: What its `load` function takes.
        extra: The optional dependency set that it needs; None for none.
    """

    name: str
    summary: str
    load: str
    options: tuple[str, ...] = ()
    extra: str | None = None


REWRITERS: Final = Registry(
    "rewriter",
    (
        RewriterRow(
            name="template",
            summary="fixed phrases around the caption; no network, always the same",
            load="aas_bench.rewriters.template:load",
        ),
        RewriterRow(
            name="endpoint",
            summary="a language model behind an OpenAI-compatible chat endpoint",
            load="aas_bench.rewriters.endpoint:load",
            options=(
                "model",
                "cache",
                "rounds",
                "base_url",
                "concurrency",
                "attempts",
                "backoff",
                "max_wait",
                "timeout",
                "max_bytes",
            ),
            extra="generate",
        ),
    ),
    hint="There are: template, endpoint.",
)


def load_rewriter(name: str = "template", **options: Any) -> Rewriter:
    """Make a rewriter by name.

    Args:
        name: "template" or "endpoint".
        options: Those of its `load` function.

    Raises:
        UnknownNameError: No rewriter is called so.
        MissingExtraError: Its packages are not installed.
        InputError: An option is wrong or missing.
    """
    row = REWRITERS[name]
    unknown = sorted(options.keys() - set(row.options))
    if unknown:
        has = f"It has: {', '.join(row.options)}." if row.options else "It has none."
        msg = f"the {name} rewriter has no option {unknown[0]!r}. {has}"
        raise InputError(msg)
    made: Rewriter = import_object(row.load, extra=row.extra)(**options)
    return made
