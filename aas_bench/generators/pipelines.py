"""The diffusers pipeline classes a submission may name, and how their calls differ.

Every difference between classes is a value in a row; the code that runs them asks the row and never
the class name. Those of `PIPELINES` were made by hand, from diffusers 0.42; any other text-to-image
class has a general row, made from its signature and with limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from aas_bench.errors import SpecError, UnknownNameError
from aas_bench.generators import class_source
from aas_bench.generators.settings import Settings
from aas_bench.registry import Registry

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One text-to-image class of diffusers.

    Attributes:
        name: The class.
        denoiser: The component that denoises; None where there is no one such component.
        arguments: Settings that the call accepts beyond steps and size; any other is a fault.
        required: Settings that must be written out, so that no library default decides a result.
        guidance: The setting whose value switches on a second, unconditional pass.
        guided_above: That pass runs where the setting is greater than this.
        guided_needs_negative: ... and only where a negative prompt, even an empty one, is given.
        image_to_image: The class for image-to-image mode; None where there is none.
        sized_images: Whether image-to-image mode takes height and width.
        takes_strength: Whether image-to-image mode starts from the noised seed image.
        tokenizer: The component whose tokens `max_sequence_length` counts; None where none does.
        token_limit: Tokens it reads where `max_sequence_length` is not set.
        layout: Shape of the starting noise for C channels and an h x w latent grid:
            "plain" (C, h, w), "packed" (hw/4, 4C) of 2 x 2 patches, "patched" (4C, h/2, w/2),
            "own" where the class draws it, from a generator for each image.
        latents_float32: The class wants its noise in float32 whatever the dtype of the weights.
        size_multiple: Width and height must be multiples of this, in pixels.
        batch_size: A start for 1024 x 1024 on an 80 GB card; estimated, not measured.
        max_batch: The largest batch in which an image does not depend on its batch mates.
        max_image_batch: The same in image-to-image mode.
        load: Arguments added to `from_pretrained`.
        call: Arguments added to every call.
        regional_compile: Whether `compile_repeated_blocks` knows the blocks of the denoiser.
        general: Whether it was made from the signature, not by hand.
        options: What the call takes beside the settings, under its own names, with the default;
            `...` where the default is not known. Rows made by hand have none.
        output: The field of the result that holds the images.
    """

    name: str
    denoiser: Literal["transformer", "unet"] | None = "transformer"
    arguments: frozenset[str]
    required: frozenset[str]
    guidance: str = "guidance_scale"
    guided_above: float = 1.0
    guided_needs_negative: bool = False
    image_to_image: str | None = None
    sized_images: bool = True
    takes_strength: bool = True
    tokenizer: str | None = "tokenizer"
    token_limit: int = 512
    layout: Literal["plain", "packed", "patched", "own"] = "plain"
    latents_float32: bool = False
    size_multiple: int = 16
    batch_size: int
    max_batch: int | None = None
    max_image_batch: int | None = None
    load: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    call: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    regional_compile: bool = True
    general: bool = False
    options: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    output: str = "images"


PIPELINES: Final = Registry(
    "pipeline class",
    (
        # Guidance is an embedded number here; a second pass comes only with true_cfg_scale.
        Pipeline(
            name="FluxPipeline",
            arguments=frozenset(
                {
                    "guidance_scale",
                    "true_cfg_scale",
                    "negative_prompt",
                    "max_sequence_length",
                    "vsf",
                }
            ),
            required=frozenset({"guidance_scale"}),
            guidance="true_cfg_scale",
            guided_needs_negative=True,
            image_to_image="FluxImg2ImgPipeline",
            tokenizer="tokenizer_2",
            layout="packed",
            batch_size=4,
        ),
        # No negative prompt means zeroed embeddings, an empty one means the encoded empty string.
        Pipeline(
            name="StableDiffusionXLPipeline",
            denoiser="unet",
            arguments=frozenset(
                {"guidance_scale", "guidance_rescale", "negative_prompt", "long_prompt"}
            ),
            required=frozenset({"guidance_scale"}),
            image_to_image="StableDiffusionXLImg2ImgPipeline",
            sized_images=False,
            token_limit=77,
            size_multiple=8,
            batch_size=8,
            load=MappingProxyType({"add_watermarker": False}),
        ),
        # Stable Diffusion 1.x and 2.x. Where the weights bring a safety checker it stays in place.
        Pipeline(
            name="StableDiffusionPipeline",
            denoiser="unet",
            arguments=frozenset({"guidance_scale", "guidance_rescale", "negative_prompt"}),
            required=frozenset({"guidance_scale"}),
            image_to_image="StableDiffusionImg2ImgPipeline",
            sized_images=False,
            token_limit=77,
            size_multiple=8,
            batch_size=8,
        ),
        # Binning would draw another size than asked and scale it; cleaning rewrites the prompt.
        Pipeline(
            name="PixArtSigmaPipeline",
            arguments=frozenset({"guidance_scale", "negative_prompt", "max_sequence_length"}),
            required=frozenset({"guidance_scale"}),
            token_limit=300,
            batch_size=8,
            call=MappingProxyType({"use_resolution_binning": False, "clean_caption": False}),
            regional_compile=False,
        ),
        Pipeline(
            name="StableDiffusion3Pipeline",
            arguments=frozenset({"guidance_scale", "negative_prompt", "max_sequence_length"}),
            required=frozenset({"guidance_scale", "max_sequence_length"}),
            image_to_image="StableDiffusion3Img2ImgPipeline",
            tokenizer="tokenizer_3",
            batch_size=4,
            regional_compile=False,
        ),
        # `guidance_scale` exists but is ignored by this class.
        Pipeline(
            name="QwenImagePipeline",
            arguments=frozenset({"true_cfg_scale", "negative_prompt", "max_sequence_length"}),
            required=frozenset({"true_cfg_scale"}),
            guidance="true_cfg_scale",
            guided_needs_negative=True,
            image_to_image="QwenImageImg2ImgPipeline",
            layout="packed",
            batch_size=2,
        ),
        # A list of images is a list of references that every prompt of the batch shares.
        Pipeline(
            name="Flux2KleinPipeline",
            arguments=frozenset({"guidance_scale", "max_sequence_length"}),
            required=frozenset({"guidance_scale"}),
            image_to_image="Flux2KleinPipeline",
            takes_strength=False,
            layout="patched",
            batch_size=8,
            max_image_batch=1,
        ),
        # Guidance is active for any value above 0: "off" is 0.0, and 1.0 costs a second pass.
        Pipeline(
            name="ZImagePipeline",
            arguments=frozenset(
                {
                    "guidance_scale",
                    "negative_prompt",
                    "max_sequence_length",
                    "cfg_normalization",
                    "cfg_truncation",
                }
            ),
            required=frozenset({"guidance_scale"}),
            guided_above=0.0,
            image_to_image="ZImageImg2ImgPipeline",
            latents_float32=True,
            batch_size=8,
        ),
        # Only the first generator of a batch seeds the autoregressive stage. It takes images, but
        # with transformers 5.23 their features have a shape that diffusers 0.42 cannot read.
        Pipeline(
            name="GlmImagePipeline",
            arguments=frozenset({"guidance_scale", "max_sequence_length"}),
            required=frozenset({"guidance_scale"}),
            tokenizer=None,
            size_multiple=32,
            batch_size=1,
            max_batch=1,
        ),
        # Rewriting is on by default and would score another prompt than the one asked.
        Pipeline(
            name="LongCatImagePipeline",
            arguments=frozenset(
                {"guidance_scale", "negative_prompt", "enable_cfg_renorm", "cfg_renorm_min"}
            ),
            required=frozenset({"guidance_scale"}),
            layout="packed",
            batch_size=4,
            call=MappingProxyType({"enable_prompt_rewrite": False}),
        ),
    ),
    hint="Any other class of diffusers that makes images from a prompt has a general row.",
)

LIMITS: Final = (
    "a general row: the class draws its own noise from our seeds, its own defaults hold where the "
    "settings say nothing, one image at a time unless told, no image-to-image"
)
"""What a general row cannot do that a row made by hand can."""

_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,60}Pipeline")
_RUN_DECIDES: Final = re.compile(
    r"prompt(_\d)?|negative_prompt_\d|generator|latents|output_type|return_\w+|callback\w*|vae_\w+"
    r"|num_images_per_prompt|\w*_?(latents|embeds\w*|mask\w*|images?\w*|kwargs|ids)|_\w+"
)
_SWITCHED_OFF: Final = MappingProxyType(
    dict.fromkeys(
        (
            "clean_caption",
            "enable_prompt_rewrite",
            "prompt_upsampling",
            "use_pe",
            "use_resolution_binning",
        ),
        False,
    )
)
"""What would score another prompt than the one asked, or draw another size and scale it."""
_GUIDANCE: Final = ("guidance_scale", "true_cfg_scale")
_NOT_FROM_SIGNATURE: Final = frozenset(
    {"height", "width", "num_inference_steps", "strength", "vsf", "long_prompt", "options"}
)


def pipeline_row(name: str) -> Pipeline:
    """The row of a class: the one made by hand, or a general one from its signature.

    Where diffusers is not installed any class name passes, with every setting: nothing can be run
    there, and `leaderboard check` says that it was not looked up.

    Raises:
        UnknownNameError: The installed diffusers has no such class.
        SpecError: It has, and it is not text-to-image; says why and which class is.

    Example:
        >>> pipeline_row("FluxPipeline").general
        False
    """
    if name in PIPELINES:
        return PIPELINES[name]
    if not _NAME.fullmatch(name):
        raise UnknownNameError(PIPELINES.kind, name, PIPELINES, hint=PIPELINES.hint)
    if not class_source.installed():
        return _row(name, dict.fromkeys(Settings.model_fields, ...), frozenset({"transformer"}))
    found, near = class_source.find_class(name), class_source.nearest(name)
    if found is None:
        hint = "The installed diffusers has none of this name; a newer one may."
        raise UnknownNameError(PIPELINES.kind, name, [near] if near else [], hint=hint)
    why = found.unfit()
    if why is not None:
        instead = f"Name {near}." if near else "Name a class that makes images from a prompt alone."
        msg = f"{name} {why}, so no prompt alone makes its image. {instead}"
        raise SpecError(msg)
    return _row(name, found.arguments, found.parts, output=found.output or "images")


def _row(
    name: str, arguments: Mapping[str, Any], parts: frozenset[str], *, output: str = "images"
) -> Pipeline:
    """A row that takes nothing for granted but the names in the signature."""
    known = frozenset(Settings.model_fields)
    taken = frozenset(arguments) & (known - _NOT_FROM_SIGNATURE)
    off = {each: value for each, value in _SWITCHED_OFF.items() if each in arguments}
    options = {
        each: default
        for each, default in arguments.items()
        if each not in known | off.keys() and not _RUN_DECIDES.fullmatch(each)
    }
    required = {each for each in _GUIDANCE if each in arguments}
    return Pipeline(
        name=name,
        denoiser="transformer" if "transformer" in parts else "unet" if "unet" in parts else None,
        arguments=taken | ({"options"} if options or "options" in arguments else set()),
        required=frozenset(required if class_source.installed() else ()),
        guidance="true_cfg_scale" if "guidance_scale" not in arguments else "guidance_scale",
        tokenizer=None,
        layout="own",
        size_multiple=8,
        batch_size=1,
        call=MappingProxyType(off),
        regional_compile=False,
        general=True,
        options=MappingProxyType(options),
        output=output,
    )


def latent_shape(pipeline: Pipeline, in_channels: int, height: int, width: int) -> tuple[int, ...]:
    """Shape of one image's starting noise.

    Args:
        pipeline: The row of the class; not one whose class draws its own.
        in_channels: Input channels of the denoiser: C, or 4C where it takes patches.
        height: Height of the latent grid: pixels / the VAE's scale factor.
        width: Width of the latent grid.
    """
    if pipeline.layout == "packed":
        return (height // 2 * (width // 2), in_channels)
    if pipeline.layout == "patched":
        return (in_channels, height // 2, width // 2)
    return (in_channels, height, width)
