"""The backends that a submission can name; a row says what it needs and where its code is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aas_bench.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Backend:
    """One way to make images.

    Attributes:
        name: The word in the submission's `backend` field.
        load: `module:function`; called as load(submission, preset=..., **options) -> Generator.
        extra: The optional dependencies it needs; None where it needs none.
        weights: Whether it loads weights (`repo`, `pipeline`) or asks for a `model` by name.
        settings: Settings it takes beyond width and height; of no use where `weights` is true,
            as the pipeline class decides there.
        models: The names that `model` may have; None where the service decides.
        options: Which options of a run its `load` takes; others do not concern it.
    """

    name: str
    load: str
    extra: str | None = "generate"
    weights: bool = False
    settings: frozenset[str] = frozenset({"options"})
    models: frozenset[str] | None = None
    options: frozenset[str] = frozenset({"batch_size", "concurrency"})


BACKENDS: Final = Registry(
    "generator backend",
    (
        Backend(
            name="diffusers",
            load="aas_bench.generators.diffusers:load",
            weights=True,
            options=frozenset({"batch_size", "device", "compile", "offload"}),
        ),
        Backend(name="openai", load="aas_bench.generators.openai:OpenAIGenerator"),
        Backend(name="openrouter", load="aas_bench.generators.openrouter:OpenRouterGenerator"),
        Backend(name="replicate", load="aas_bench.generators.replicate:ReplicateGenerator"),
        Backend(
            name="builtin",
            load="aas_bench.generators.builtin:load",
            extra=None,
            settings=frozenset({"strength"}),
            models=frozenset({"faithful", "polish"}),
            options=frozenset({"batch_size"}),
        ),
    ),
    hint="A backend is one file in aas_bench/generators and a row of BACKENDS.",
)
