"""A submission: everything that decides a generator's images, as checked data.

A submission is data and cannot run code: its classes come from lists, its weights are safetensors
at a fixed commit, its numbers are bounded, and a key that nobody knows is a fault.
"""

from __future__ import annotations

import difflib
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails

from aas_bench.errors import SpecError, UnknownNameError
from aas_bench.generators.catalog import BACKENDS
from aas_bench.generators.pipelines import PIPELINES, pipeline_row
from aas_bench.generators.rules import is_local, rule_faults
from aas_bench.generators.settings import (
    VARIANTS,
    Checked,
    Line,
    Settings,
    ValueSignFlip,
    Variant,
    VariantSettings,
)
from aas_bench.generators.submission_yaml import read_mapping

Alignment: TypeAlias = Literal[
    "base", "aesthetic", "narrow", "instruction", "distilled", "mitigated", "closed"
]
BackendName: TypeAlias = Annotated[
    str,
    AfterValidator(lambda name: BACKENDS[name].name),
    WithJsonSchema({"enum": list(BACKENDS)}),
]
PipelineName: TypeAlias = Annotated[
    str,
    AfterValidator(lambda name: pipeline_row(name).name),
    WithJsonSchema({"type": "string", "pattern": "Pipeline$", "examples": list(PIPELINES)}),
]
Dtype: TypeAlias = Literal["bfloat16", "float16", "float32"]
Name: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]+([._-][a-z0-9]+)*$", max_length=64)
]
Revision: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]
Repo: TypeAlias = Annotated[
    str,
    StringConstraints(
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*|\.{0,2}/[^\x00-\x1f]+)$",
        max_length=500,
    ),
]
SafetensorsFile: TypeAlias = Annotated[
    str,
    StringConstraints(
        pattern=r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\.safetensors$",
        max_length=200,
    ),
]


Sha256: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Weights(Checked):
    """Weights at a fixed commit of a Hub repository, or in a local folder."""

    repo: Repo
    """A Hub repository (owner/name), or a folder (/..., ./...) to try a submission out."""
    revision: Revision | None = None
    """All 40 characters of a commit hash; the model page lists them under Files and versions."""
    pending: Line | None = None
    """Why the revision is not known yet (the paper's rows only); such a row cannot run."""


class Transformer(Weights):
    """Weights that replace the base pipeline's transformer; its configuration stays."""

    file: SafetensorsFile
    """The .safetensors file inside the repository, without any `..`."""
    sha256: Sha256 | None = None
    """SHA-256 of that file; left out, the one that the Hub records."""


class Adapter(Weights):
    """Low-rank weights merged into the denoiser before the first image."""

    format: Literal["peft", "lora"]
    """Either peft (a folder with adapter_config.json) or lora (a file that diffusers reads)."""
    file: SafetensorsFile | None = None
    """The .safetensors file inside the repository, without any `..` (format lora)."""
    scale: float = Field(default=1.0, gt=0, le=4)
    """Weight of the adapter, above 0 to 4 (format lora)."""
    sha256: Sha256 | None = None
    """SHA-256 of its .safetensors file; left out, the one that the Hub records."""


class Preset(Checked):
    """Another named way to run the same weights; its settings are complete in themselves."""

    note: Line
    """What the preset reproduces, and what it cannot."""
    dtype: Dtype | None = None
    """Precision of the weights: bfloat16, float16 or float32; left out, the submission's."""
    settings: VariantSettings
    """How images are asked for: both, and what original or distorted change."""


class Submission(Checked):
    """A generator on the leaderboard."""

    id: Name
    """Lower-case letters and digits joined by single . _ or -, at most 64; it names files."""
    name: Line
    """The name that people read, on one line."""
    family: Name
    """Generators that go back to one base model share it, e.g. flux."""
    base: Name | None = None
    """Id of the submission that this one was aligned from, where that is on the leaderboard."""
    alignment: Alignment
    """What it was aligned for: one of the listed words."""
    backend: BackendName
    """What makes its images: one of the listed words."""
    model: Line | None = None
    """The service's or the built-in model's name (every backend but diffusers)."""
    repo: Repo | None = None
    """A Hub repository (owner/name), or a folder (/..., ./...) to try a submission out."""
    revision: Revision | None = None
    """All 40 characters of a commit hash; the model page lists them under Files and versions."""
    pending: Line | None = None
    """Why the revision is not known yet (the paper's rows only); such a row cannot run."""
    pipeline: PipelineName | None = None
    """A class of diffusers that makes images from a prompt."""
    weights_variant: Literal["fp16", "bf16"] | None = None
    """Which files to load where the repository holds several precisions: fp16 or bf16."""
    dtype: Dtype | None = None
    """Precision of the weights: bfloat16, float16 or float32."""
    memory: Literal["S", "M", "L", "XL"] | None = None
    """Smallest card that it runs on: S up to 16 GB, M 24, L 48, XL 80."""
    transformer: Transformer | None = None
    """Weights that replace the transformer of `repo`."""
    adapters: list[Adapter] = Field(default_factory=list, max_length=4)
    """Low-rank weights to merge, in order, at most 4."""
    settings: VariantSettings
    """How images are asked for: both, and what original or distorted change."""
    presets: dict[Name, Preset] = Field(default_factory=dict, max_length=8)
    """Other named ways to run it; `paper` holds the authors' settings."""
    licence: Line
    """Licence of the weights, or terms of the service."""
    contact: Line
    """Who answers questions about this file."""

    @model_validator(mode="after")
    def _obey_rules(self) -> Submission:
        faults = [f"{field}: {text}" for field, text in rule_faults(dict(self))]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def preset(self, name: str = "default") -> Preset:
        """One preset; "default" is the submission's own settings.

        Raises:
            UnknownNameError: It has no such preset.
        """
        if name == "default":
            return Preset(note="the submission's own settings", settings=self.settings)
        try:
            return self.presets[name]
        except KeyError:
            known = ["default", *self.presets]
            hint = f"{self.id} has: {', '.join(known)}."
            raise UnknownNameError("preset", name, known, hint=hint) from None

    def settings_for(self, variant: Variant, preset: str = "default") -> Settings:
        """Settings of one variant under one preset."""
        return self.preset(preset).settings.of(variant)

    def dtype_for(self, preset: str = "default") -> Dtype | None:
        """Precision of the weights under one preset; None where there are none."""
        return self.preset(preset).dtype or self.dtype

    def sources(self) -> dict[str, Weights]:
        """All weights by what they are: "model", "transformer", "adapters.0", ..."""
        found: dict[str, Weights] = {}
        if self.repo:
            found["model"] = Weights(repo=self.repo, revision=self.revision, pending=self.pending)
        if self.transformer:
            found["transformer"] = self.transformer
        return found | {f"adapters.{i}": each for i, each in enumerate(self.adapters)}

    def identity(self, preset: str = "default") -> dict[str, Any]:
        """What the images depend on, as JSON values: weights and settings, not names or contact."""
        return {
            "id": self.id,
            "preset": preset,
            "backend": self.backend,
            "model": self.model,
            "pipeline": self.pipeline,
            "weights_variant": self.weights_variant,
            "dtype": self.dtype_for(preset),
            "sources": {
                name: {
                    **each.model_dump(mode="json", exclude={"sha256"}),  # a check, no setting
                    "local": is_local(each.repo),
                }
                for name, each in self.sources().items()
            },
            "settings": {
                variant: self.settings_for(variant, preset).model_dump(mode="json")
                for variant in VARIANTS
            },
        }


@dataclass(frozen=True)
class _Fault:
    """A fault of one field; `value` is None where the field is absent or several are at odds."""

    field: str
    text: str
    value: Any = None

    def line(self, path: Path) -> str:
        field = self.field if self.field.isprintable() else ascii(self.field)
        field = field if len(field) <= 120 else f"{field[:120]}..."
        value = "" if self.value is None else f" {reprlib.repr(self.value)}"
        return " ".join(f"{path}: {field}:{value} {self.text}".split())


TEMPLATE_ONLY: Final[Mapping[str, str]] = {
    "repo": "owner/name",
    "revision": "0" * 40,
    "contact": "you@example.org",
}
"""What the template holds in the place of one's own; a submission that keeps it is refused."""


def load_submission(path: str | Path) -> Submission:
    """Read and check a submission file; nothing that it names is opened or fetched.

    Raises:
        SpecError: All faults of the file, one line each: file, field, value, how to mend it.
    """
    path = Path(path)
    raw = read_mapping(path)
    values, faults = _check_fields(raw)
    faults += [_Fault(field, text) for field, text in rule_faults(values)]
    faults += _unfilled(raw)
    if faults:
        raise SpecError("\n".join(fault.line(path) for fault in faults))
    return Submission.model_validate(raw)


def _check_fields(raw: dict[str, Any]) -> tuple[dict[str, Any], list[_Fault]]:
    """Each field by itself: the values of the good ones, the faults of the others."""
    values: dict[str, Any] = {}
    faults = [_unknown_key(name, name) for name in raw if name not in Submission.model_fields]
    for name, info in Submission.model_fields.items():
        if name not in raw:
            if info.is_required():
                faults.append(_Fault(name, f"is missing. Expected: {info.description}"))
            else:
                values[name] = info.get_default(call_default_factory=True)
            continue
        field: TypeAdapter[Any] = TypeAdapter(cast("Any", Annotated[info.annotation, info]))
        try:
            values[name] = field.validate_python(raw[name], strict=True)
        except ValidationError as error:
            faults += [_field_fault(name, each) for each in error.errors(include_url=False)]
    return values, faults


def _unfilled(raw: dict[str, Any]) -> list[_Fault]:
    """Fields that still say what the template says."""
    return [
        _Fault(name, f"{value!r} is the template's. Write yours.")
        for name, value in TEMPLATE_ONLY.items()
        if raw.get(name) == value
    ]


def _field_fault(name: str, error: ErrorDetails) -> _Fault:
    path = [name, *(str(part) for part in error["loc"] if part != "[key]")]
    field = ".".join(path)
    if error["type"] == "extra_forbidden":
        return _unknown_key(field, path[-1])
    known = [_DESCRIPTIONS[part] for part in path if part in _DESCRIPTIONS]
    if error["type"] == "missing":
        return _Fault(field, f"is missing. Expected: {known[-1]}")
    problem = error["msg"].removeprefix("Value error, ").rstrip(".")
    return _Fault(field, f"is refused: {problem}. Expected: {known[-1]}", error["input"])


def _unknown_key(field: str, key: str) -> _Fault:
    if key in _DESCRIPTIONS:
        return _Fault(field, "does not belong here. Move it, e.g. to settings.both.")
    near = difflib.get_close_matches(key, _DESCRIPTIONS, n=1)
    return _Fault(field, f"is no known key. {f'Did you mean {near[0]}?' if near else 'Remove it.'}")


_DESCRIPTIONS = {
    name: info.description or ""
    for model in (Weights, Transformer, Adapter, Preset, ValueSignFlip, Settings, VariantSettings)
    for name, info in model.model_fields.items()
} | {name: info.description or "" for name, info in Submission.model_fields.items()}


def require_runnable(submission: Submission) -> None:
    """Refuse a submission whose revisions are not all known.

    Raises:
        SpecError: One line for each pending revision.
    """
    lines = [
        f"{submission.id}: {name}: the revision of {source.repo} is pending: {source.pending} "
        "Fill in revision and remove pending before a run."
        for name, source in submission.sources().items()
        if source.pending is not None
    ]
    if lines:
        raise SpecError("\n".join(lines))


def json_schema() -> str:
    """The JSON Schema of a submission file, for editors; ends with a line feed."""
    schema = Submission.model_json_schema()
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
