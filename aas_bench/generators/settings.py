"""How one image is asked for: the checked settings of a submission."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from aas_bench.errors import UnknownNameError

Variant: TypeAlias = Literal["original", "distorted"]
VARIANTS: Final[tuple[Variant, Variant]] = ("original", "distorted")


def _printable(text: str) -> str:
    if not text.isprintable():
        msg = "only printable characters on one line are allowed"
        raise ValueError(msg)
    return text


Line: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=400), AfterValidator(_printable)
]
OptionName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


def _plain(value: object) -> object:
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, bool | int | float | str) for item in items):
        msg = "only text, numbers, true, false and lists of them are allowed"
        raise ValueError(msg)
    if any(isinstance(item, float) and not isfinite(item) for item in items):
        msg = "only finite numbers are allowed"
        raise ValueError(msg)
    for item in items:
        if isinstance(item, str):
            _printable(item)
    if len(str(value)) > 400:
        msg = "at most 400 characters are allowed"
        raise ValueError(msg)
    return value


OptionValue: TypeAlias = Annotated[
    Any,
    AfterValidator(_plain),
    WithJsonSchema({"type": ["boolean", "integer", "number", "string", "array"]}),
]


class Checked(BaseModel):
    """Frozen and strict: unknown keys, coerced types, NaN and infinities are faults."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class ValueSignFlip(Checked):
    """Negative guidance for Flux by attention values of flipped sign; see `vsf.py`."""

    scale: float = Field(ge=0, le=100)
    """Factor on the flipped values, 0 to 100; the authors' images used 2."""
    offset: float = Field(default=0.0, ge=-100, le=100)
    """Added to the attention logits of the flipped tokens, -100 to 100; lower is weaker."""
    published: bool = False
    """True for what the published Flux code does, false for what its paper describes."""


class Settings(Checked):
    """How one image is asked for. Which of these apply depends on the backend and the class."""

    num_inference_steps: int | None = Field(default=None, ge=1, le=250)
    """Denoising steps, 1 to 250."""
    height: int = Field(default=1024, ge=16, le=4096)
    """Pixels, 16 to 4096; a remote image is held to it only where it is written out."""
    width: int = Field(default=1024, ge=16, le=4096)
    """Pixels, 16 to 4096; a remote image is held to it only where it is written out."""
    guidance_scale: float | None = Field(default=None, ge=0, le=50)
    """Guidance, 0 to 50, with the meaning that the pipeline class gives it."""
    true_cfg_scale: float | None = Field(default=None, ge=0, le=50)
    """Classifier-free guidance of Flux and Qwen-Image, 0 to 50."""
    guidance_rescale: float | None = Field(default=None, ge=0, le=1)
    """Rescaling of the guided prediction, 0 to 1 (Stable Diffusion XL)."""
    negative_prompt: Annotated[str, StringConstraints(max_length=2000)] | None = None
    """One negative prompt for all images; null and "" differ for some classes."""
    max_sequence_length: int | None = Field(default=None, ge=1, le=2048)
    """Text tokens before the prompt is cut, 1 to 2048."""
    long_prompt: bool | None = None
    """Chain 77-token chunks instead of cutting the prompt (Stable Diffusion XL)."""
    cfg_normalization: bool | None = None
    """Normalise the guided prediction (Z-Image)."""
    cfg_truncation: float | None = Field(default=None, ge=0, le=1)
    """Share of the schedule that is guided, 0 to 1 (Z-Image)."""
    enable_cfg_renorm: bool | None = None
    """Renormalise the guided prediction (LongCat-Image)."""
    cfg_renorm_min: float | None = Field(default=None, ge=0, le=1)
    """Lower bound of that renormalisation, 0 to 1 (LongCat-Image)."""
    strength: float | None = Field(default=None, gt=0, le=1)
    """Image-to-image mode: how much of the seed image gives way, above 0 to 1."""
    vsf: ValueSignFlip | None = None
    """Value sign flip (Flux)."""
    options: dict[OptionName, OptionValue] = Field(default_factory=dict, max_length=32)
    """What a remote service or a class with a general row is asked for, under its own names."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height

    @property
    def written_size(self) -> tuple[int, int] | None:
        """The size where height and width are both written out, else None."""
        written = {"height", "width"} <= self.model_fields_set
        return self.size if written else None


class VariantSettings(Checked):
    """Settings of both variants, and what one of them changes."""

    both: Settings = Settings()
    """Settings of both variants."""
    original: Settings = Settings()
    """What the original variant changes."""
    distorted: Settings = Settings()
    """What the distorted variant changes."""

    def of(self, variant: Variant) -> Settings:
        """The settings of one variant: those of both, overridden by its own; options are merged.

        Raises:
            UnknownNameError: It is no variant.
        """
        if variant not in VARIANTS:
            hint = f"There are: {', '.join(VARIANTS)}."
            raise UnknownNameError("variant", variant, VARIANTS, hint=hint)
        own: Settings = getattr(self, variant)
        changed = {name: getattr(own, name) for name in own.model_fields_set}
        if own.options:
            changed["options"] = {**self.both.options, **own.options}
        return self.both.model_copy(update=changed)
