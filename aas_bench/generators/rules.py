"""What must hold between the fields of a submission.

The rules read a plain mapping that lacks the fields already found faulty, so that one reading of
a file reports every fault it has. A fault is a field and one line: what is wrong, how to mend it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

from aas_bench.generators.catalog import BACKENDS
from aas_bench.generators.pipelines import Pipeline, pipeline_row
from aas_bench.generators.settings import VARIANTS, VariantSettings

Values: TypeAlias = Mapping[str, Any]
RuleFault: TypeAlias = tuple[str, str]

PUBLISHED: Final = frozenset(
    {
        "alchemist",
        "dance_flux",
        "flux2_klein_9b",
        "flux_dev",
        "flux_dev_vsf",
        "flux_krea",
        "glm_image",
        "gpt-image-1.5",
        "grpo_flux",
        "longcat_image",
        "nano-banana",
        "playground",
        "qwen_image",
        "sd3_medium_grpo",
        "sd3_medium_grpo_geneval",
        "seeddream4",
        "stable_diffusion_3.5_medium",
        "stable_diffusion_xl",
        "z_image",
        "z_image_turbo",
    }
)
"""The rows of the paper's page; only these may be shipped with a revision still to be found."""

_NEEDED_WITH_WEIGHTS = ("repo", "pipeline", "dtype", "memory")
_ONLY_WITH_WEIGHTS = (
    *_NEEDED_WITH_WEIGHTS,
    "revision",
    "pending",
    "weights_variant",
    "transformer",
    "adapters",
)
_UNALIGNED = ("base", "closed")


def is_local(repo: str) -> bool:
    """Whether `repo` is a folder of this machine rather than a Hub repository."""
    return repo.startswith(("/", "./", "../"))


def rule_faults(values: Values) -> Iterator[RuleFault]:
    """All broken rules.

    Args:
        values: The checked fields of a submission by name, defaults included; a field that is
            absent is taken to be faulty already, and rules about it stay silent.
    """
    for rule in (_family, _backend_fields, _revisions, _parts, _settings):
        yield from rule(values)


def _family(values: Values) -> Iterator[RuleFault]:
    base = values.get("base")
    if base is not None and base == values.get("id"):
        yield "base", f"{base!r} is the submission itself. Name the one it was aligned from."
    if base is not None and values.get("alignment") in _UNALIGNED:
        alignment = values["alignment"]
        yield "base", f"{base!r} contradicts alignment {alignment!r}. Leave base out or correct it."


def _backend_fields(values: Values) -> Iterator[RuleFault]:
    if "backend" not in values:
        return
    backend = BACKENDS[values["backend"]]
    needed, unused = (
        (_NEEDED_WITH_WEIGHTS, ("model",)) if backend.weights else (("model",), _ONLY_WITH_WEIGHTS)
    )
    for name in needed:
        if values.get(name, "faulty already") is None:
            yield name, f"is missing. Backend {backend.name} needs {', '.join(needed)}."
    for name in unused:
        if values.get(name):
            yield name, f"has no meaning with backend {backend.name}. Remove it."
    model = values.get("model")
    if model and backend.models and model not in backend.models:
        known = ", ".join(sorted(backend.models))
        yield "model", f"{model!r} is not made by backend {backend.name}. It makes: {known}."


def _revisions(values: Values) -> Iterator[RuleFault]:
    sources = [("", values)] if values.get("repo") and "revision" in values else []
    named = [("transformer", values.get("transformer"))]
    named += [(f"adapters.{i}", each) for i, each in enumerate(values.get("adapters") or ())]
    sources += [(f"{name}.", dict(source)) for name, source in named if source is not None]
    for prefix, source in sources:
        repo, revision, pending = str(source["repo"]), source.get("revision"), source.get("pending")
        if is_local(repo):
            if revision or pending:
                yield f"{prefix}revision", f"{repo} is a folder and has none. Remove it."
        elif revision is None and pending is None:
            where = f"{repo}'s page lists them under Files and versions."
            yield f"{prefix}revision", f"is missing. Give all 40 characters of a commit; {where}"
        elif revision and pending:
            yield f"{prefix}pending", "contradicts revision. Remove one of the two."
        elif pending and values.get("id") not in PUBLISHED:
            yield f"{prefix}pending", "is for the paper's rows only. Give the revision."


def _parts(values: Values) -> Iterator[RuleFault]:
    if values.get("pipeline") and values.get("transformer"):
        denoiser = pipeline_row(values["pipeline"]).denoiser
        if denoiser != "transformer":
            other = f"a {denoiser} instead" if denoiser else "none"
            yield "transformer", f"{values['pipeline']} has {other}. Remove it."
    if (
        values.get("pipeline")
        and values.get("adapters")
        and pipeline_row(values["pipeline"]).denoiser is None
    ):
        yield "adapters", f"{values['pipeline']} has no one denoiser to merge into. Remove it."
    for i, adapter in enumerate(values.get("adapters") or ()):
        if (adapter.format == "lora") != (adapter.file is not None):
            yield f"adapters.{i}.file", "belongs to format lora, and only to it. Add or remove it."
        if adapter.format == "peft" and adapter.scale != 1.0:
            yield f"adapters.{i}.scale", "is for format lora only. Set lora_alpha in the adapter."


def _settings(values: Values) -> Iterator[RuleFault]:
    if not values.get("settings") or "backend" not in values:
        return
    backend = BACKENDS[values["backend"]]
    row: Pipeline | None = None
    if not backend.weights:
        accepted, required, multiple, taker = backend.settings, frozenset[str](), 1, backend.name
    elif values.get("pipeline"):
        row = pipeline_row(values["pipeline"])
        accepted = row.arguments | {"num_inference_steps"}
        accepted |= {"strength"} if row.image_to_image and row.takes_strength else set()
        required = row.required | {"num_inference_steps"}
        multiple, taker = row.size_multiple, row.name
    else:
        return
    accepted |= {"height", "width"}
    presets = {name: preset.settings for name, preset in (values.get("presets") or {}).items()}
    blocks = {"settings": values["settings"]}
    blocks |= {f"presets.{name}.settings": settings for name, settings in presets.items()}
    for prefix, block in blocks.items():
        yield from _unaccepted(prefix, block, accepted, taker)
        yield from _wrong_values(prefix, block, required, multiple, taker)
        if row is not None:
            yield from _unknown_options(prefix, block, row)


def _unaccepted(
    prefix: str, block: VariantSettings, accepted: frozenset[str], taker: str
) -> Iterator[RuleFault]:
    for layer in ("both", *VARIANTS):
        for name in sorted(getattr(block, layer).model_fields_set - accepted):
            takes = ", ".join(sorted(accepted))
            yield f"{prefix}.{layer}.{name}", f"{taker} does not take it. It takes: {takes}."


def _unknown_options(prefix: str, block: VariantSettings, row: Pipeline) -> Iterator[RuleFault]:
    """Options that the class has no argument for, or that is of another kind."""
    for layer in ("both", *VARIANTS) if row.options else ():
        for name, value in getattr(block, layer).options.items():
            where = f"{prefix}.{layer}.options.{name}"
            default = row.options.get(name)
            if name not in row.options:
                takes = ", ".join(sorted(row.options))
                yield (
                    where,
                    f"{row.name} does not take it, or the run decides it. Options: {takes}.",
                )
            elif isinstance(default, bool) and not isinstance(value, bool):
                yield where, f"{value!r} is neither true nor false."
            elif type(default) in (int, float) and type(value) not in (int, float):
                yield where, f"{value!r} is no number."


def _wrong_values(
    prefix: str, block: VariantSettings, required: frozenset[str], multiple: int, taker: str
) -> Iterator[RuleFault]:
    effective = [block.of(variant) for variant in VARIANTS]
    for name in sorted(required):
        if any(getattr(settings, name) is None for settings in effective):
            yield (
                f"{prefix}.both.{name}",
                f"is missing. Write it out for {taker}, so that no library default decides.",
            )
    for name in ("height", "width"):
        for value in sorted({getattr(settings, name) for settings in effective}):
            if value % multiple:
                yield f"{prefix}.{name}", f"{value} is no multiple of {multiple}. Round it."
