"""The diffusers pipeline classes a submission may name, and how their calls differ.

Every difference between classes is a value in a row of `PIPELINES`; the code that runs them asks
the row and never the class name. Values were read from diffusers 0.42.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from aas_bench.registry import Registry

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One text-to-image class of diffusers.

    Attributes:
        name: The class.
        denoiser: The component that denoises.
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
            "plain" (C, h, w), "packed" (hw/4, 4C) of 2 x 2 patches, "patched" (4C, h/2, w/2).
        latents_float32: The class wants its noise in float32 whatever the dtype of the weights.
        size_multiple: Width and height must be multiples of this, in pixels.
        batch_size: A start for 1024 x 1024 on an 80 GB card; estimated, not measured.
        max_batch: The largest batch in which an image does not depend on its batch mates.
        max_image_batch: The same in image-to-image mode.
        load: Arguments added to `from_pretrained`.
        call: Arguments added to every call.
        regional_compile: Whether `compile_repeated_blocks` knows the blocks of the denoiser.
    """

    name: str
    denoiser: Literal["transformer", "unet"] = "transformer"
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
    layout: Literal["plain", "packed", "patched"] = "plain"
    latents_float32: bool = False
    size_multiple: int = 16
    batch_size: int
    max_batch: int | None = None
    max_image_batch: int | None = None
    load: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    call: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    regional_compile: bool = True


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
    hint="A class outside this list is not run; the maintainers add one as a row of PIPELINES.",
)


def latent_shape(pipeline: Pipeline, in_channels: int, height: int, width: int) -> tuple[int, ...]:
    """Shape of one image's starting noise.

    Args:
        pipeline: The row of the class.
        in_channels: Input channels of the denoiser: C, or 4C where it takes patches.
        height: Height of the latent grid: pixels / the VAE's scale factor.
        width: Width of the latent grid.
    """
    if pipeline.layout == "packed":
        return (height // 2 * (width // 2), in_channels)
    if pipeline.layout == "patched":
        return (in_channels, height // 2, width // 2)
    return (in_channels, height, width)
