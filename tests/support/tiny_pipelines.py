"""Random pipelines of a few hundred kilobytes, one for each class a submission may name.

Sizes are the smallest with which each class runs at 32 x 32 pixels; the widths that must agree
(text encoder and denoiser, latent channels and patches) are written next to each other.
"""

from __future__ import annotations

import torch
from support import tiny_tokenizers


def _clip(*, projection: bool):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    tokenizer = tiny_tokenizers.clip()
    config = CLIPTextConfig(
        hidden_size=32,
        projection_dim=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=37,
        max_position_embeddings=77,
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = (CLIPTextModelWithProjection if projection else CLIPTextModel)(config)
    return tokenizer, model


def t5(width: int, vocabulary: int):
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(
            d_model=width,
            d_kv=8,
            d_ff=37,
            num_layers=2,
            num_heads=4,
            vocab_size=vocabulary,
            feed_forward_proj="gated-gelu",
        )
    )


def vae(channels: int, blocks: tuple[int, ...] = (8, 16), **options):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(blocks),
        up_block_types=("UpDecoderBlock2D",) * len(blocks),
        block_out_channels=blocks,
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=32,
        **options,
    )


def flow_vae(blocks: tuple[int, ...] = (8, 16)):
    return vae(
        16,
        blocks,
        shift_factor=0.1,
        scaling_factor=0.4,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def _unet(width: int, **options):
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=width,
        **options,
    )


def sized_unet(width: int, embedded: int):
    """One that is told sizes: `embedded` is the pooled text's width and 6 sizes of 8 each."""
    return _unet(
        width,
        attention_head_dim=(1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=embedded,
        transformer_layers_per_block=(1, 1),
    )


def flow_scheduler(**options):
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(**options)


def _qwen_vl():
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    tokenizer = tiny_tokenizers.qwen()
    config = Qwen2_5_VLConfig(
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "vocab_size": len(tokenizer),
            "rope_parameters": {
                "mrope_section": [1, 1, 2],
                "rope_type": "default",
                "rope_theta": 1000000.0,
            },
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
        },
    )
    return tokenizer, Qwen2_5_VLForConditionalGeneration(config)


def _xl(scheduler):
    from diffusers import StableDiffusionXLPipeline

    tokenizer, text_encoder = _clip(projection=False)
    tokenizer_2, text_encoder_2 = _clip(projection=True)
    unet = sized_unet(64, 32 + 6 * 8)
    return StableDiffusionXLPipeline(
        vae=vae(4),
        text_encoder=text_encoder,
        text_encoder_2=text_encoder_2,
        tokenizer=tokenizer,
        tokenizer_2=tokenizer_2,
        unet=unet,
        scheduler=scheduler,
        add_watermarker=False,
    )


def stable_diffusion_xl():
    from diffusers import EulerDiscreteScheduler

    return _xl(EulerDiscreteScheduler(beta_schedule="scaled_linear"))


def stable_diffusion(*, linear: bool = False, prediction: str = "epsilon"):
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    tokenizer, text_encoder = _clip(projection=False)
    heads = (1, 2) if linear else 2
    unet = _unet(32, attention_head_dim=heads, use_linear_projection=linear)
    return StableDiffusionPipeline(
        vae=vae(4),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(
            beta_schedule="scaled_linear",
            clip_sample=False,
            steps_offset=1,
            prediction_type=prediction,
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def stable_diffusion_2():
    return stable_diffusion(linear=True, prediction="v_prediction")


def pixart_sigma():
    from diffusers import DDIMScheduler, PixArtSigmaPipeline, PixArtTransformer2DModel

    tokenizer = tiny_tokenizers.t5()
    transformer = PixArtTransformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=4,
        out_channels=8,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        cross_attention_dim=16,
        caption_channels=32,
        use_additional_conditions=False,
    )
    return PixArtSigmaPipeline(
        tokenizer=tokenizer,
        text_encoder=t5(32, len(tokenizer)),
        vae=vae(4),
        transformer=transformer,
        scheduler=DDIMScheduler(),
    )


def playground():
    from diffusers import EDMDPMSolverMultistepScheduler

    return _xl(EDMDPMSolverMultistepScheduler())


def stable_diffusion_3(**newer):
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline

    tokenizer, text_encoder = _clip(projection=True)
    tokenizer_2, text_encoder_2 = _clip(projection=True)
    tokenizer_3 = tiny_tokenizers.t5()
    transformer = SD3Transformer2DModel(
        sample_size=16,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=64,
        caption_projection_dim=32,
        pooled_projection_dim=64,
        pos_embed_max_size=96,
        **newer,
    )
    return StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=flow_scheduler(shift=3.0),
        vae=flow_vae(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        text_encoder_2=text_encoder_2,
        tokenizer_2=tokenizer_2,
        text_encoder_3=t5(64, len(tokenizer_3)),
        tokenizer_3=tokenizer_3,
    )


def stable_diffusion_3_5():
    return stable_diffusion_3(qk_norm="rms_norm", dual_attention_layers=(0,))


def flux():
    from diffusers import FluxPipeline, FluxTransformer2DModel

    tokenizer, text_encoder = _clip(projection=False)
    tokenizer_2 = tiny_tokenizers.t5()
    transformer = FluxTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    return FluxPipeline(
        scheduler=flow_scheduler(use_dynamic_shifting=True),
        vae=flow_vae(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        text_encoder_2=t5(32, len(tokenizer_2)),
        tokenizer_2=tokenizer_2,
        transformer=transformer,
    )


def qwen_image():
    from diffusers import AutoencoderKLQwenImage, QwenImagePipeline, QwenImageTransformer2DModel

    tokenizer, text_encoder = _qwen_vl()
    vae = AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 2, 4],
        num_res_blocks=1,
        temperal_downsample=[False, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    transformer = QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(8, 4, 4),
    )
    return QwenImagePipeline(
        scheduler=flow_scheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=transformer,
    )


def flux2_klein():
    from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = tiny_tokenizers.qwen()
    text_encoder = Qwen3ForCausalLM(
        Qwen3Config(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=28,  # layers 9, 18 and 27 are read
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
            vocab_size=len(tokenizer),
        )
    )
    vae = AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=32,
    )
    transformer = Flux2Transformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    return Flux2KleinPipeline(
        scheduler=flow_scheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=transformer,
    )


def z_image():
    from diffusers import ZImagePipeline, ZImageTransformer2DModel
    from transformers import Qwen3Config, Qwen3Model

    tokenizer = tiny_tokenizers.qwen()
    text_encoder = Qwen3Model(
        Qwen3Config(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
            vocab_size=len(tokenizer),
        )
    )
    transformer = ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=16,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 32, 32],
    )
    return ZImagePipeline(
        scheduler=flow_scheduler(shift=3.0),
        vae=flow_vae(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=transformer,
    )


def glm_image():
    from diffusers import GlmImagePipeline, GlmImageTransformer2DModel
    from transformers import ByT5Tokenizer, GlmImageConfig, GlmImageForConditionalGeneration
    from transformers.models.glm_image.image_processing_glm_image import GlmImageImageProcessor
    from transformers.models.glm_image.processing_glm_image import GlmImageProcessor

    glyphs, tokenizer = ByT5Tokenizer(), tiny_tokenizers.glm()
    config = GlmImageConfig(
        text_config={
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "vocab_size": len(tokenizer),
            "vision_vocab_size": 66,
            "pad_token_id": tokenizer.pad_token_id,
            "eos_token_id": 65,
            "rope_parameters": {
                "mrope_section": [1, 1, 2],
                "rope_type": "default",
                "rope_theta": 10000.0,
            },
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "image_size": 64,
            "patch_size": 16,
        },
        vq_config={"embed_dim": 16, "num_embeddings": 64, "latent_channels": 16},
        image_token_id=tokenizer.convert_tokens_to_ids("<|image|>"),
        image_start_token_id=64,
        image_end_token_id=65,
    )
    autoregressive = GlmImageForConditionalGeneration(config)
    # Random weights would otherwise end the image early, and the reshape would fail.
    autoregressive.generation_config.suppress_tokens = [64, 65]
    transformer = GlmImageTransformer2DModel(
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        text_embed_dim=16,
        time_embed_dim=16,
        condition_dim=8,
        prior_vq_quantizer_codebook_size=64,
    )
    return GlmImagePipeline(
        tokenizer=glyphs,
        processor=GlmImageProcessor(
            GlmImageImageProcessor(),
            tokenizer,
            chat_template=tiny_tokenizers.GLM_CHAT_TEMPLATE,
        ),
        text_encoder=t5(16, 384),
        vision_language_encoder=autoregressive,
        vae=vae(4, (4, 8, 8, 8), latents_mean=[0.0] * 4, latents_std=[1.0] * 4),
        transformer=transformer,
        scheduler=flow_scheduler(use_dynamic_shifting=True),
    )


def longcat_image():
    from diffusers import LongCatImagePipeline, LongCatImageTransformer2DModel
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen2VLProcessor,
        Qwen2VLVideoProcessor,
    )

    tokenizer, text_encoder = _qwen_vl()
    transformer = LongCatImageTransformer2DModel(
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        pooled_projection_dim=16,
        axes_dims_rope=[4, 4, 8],
    )
    return LongCatImagePipeline(
        scheduler=flow_scheduler(use_dynamic_shifting=True),
        vae=flow_vae(),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        text_processor=Qwen2VLProcessor(
            Qwen2VLImageProcessor(), tokenizer, Qwen2VLVideoProcessor()
        ),
        transformer=transformer,
    )


BUILDERS = {
    "FluxPipeline": flux,
    "StableDiffusionXLPipeline": stable_diffusion_xl,
    "StableDiffusionPipeline": stable_diffusion,
    "PixArtSigmaPipeline": pixart_sigma,
    "StableDiffusion3Pipeline": stable_diffusion_3,
    "QwenImagePipeline": qwen_image,
    "Flux2KleinPipeline": flux2_klein,
    "ZImagePipeline": z_image,
    "GlmImagePipeline": glm_image,
    "LongCatImagePipeline": longcat_image,
}
BUILDS = {
    **BUILDERS,
    "playground": playground,
    "stable_diffusion_2": stable_diffusion_2,
    "stable_diffusion_3.5": stable_diffusion_3_5,
}
CLASSES = {
    "playground": "StableDiffusionXLPipeline",
    "stable_diffusion_2": "StableDiffusionPipeline",
    "stable_diffusion_3.5": "StableDiffusion3Pipeline",
}
"""Builds that are another architecture or have another scheduler under the same class."""


def save(builder, folder) -> None:
    """Build with fixed random weights and save; modules from a configuration start in training."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipe = builder()
    for component in pipe.components.values():
        if isinstance(component, torch.nn.Module):
            component.eval()
    pipe.save_pretrained(folder)


SETTINGS = {
    "FluxPipeline": {"guidance_scale": 3.5, "max_sequence_length": 48},
    "StableDiffusionXLPipeline": {"guidance_scale": 5.0},
    "StableDiffusionPipeline": {"guidance_scale": 5.0},
    "PixArtSigmaPipeline": {"guidance_scale": 4.5, "max_sequence_length": 120},
    "StableDiffusion3Pipeline": {"guidance_scale": 4.0, "max_sequence_length": 48},
    "QwenImagePipeline": {"true_cfg_scale": 4.0, "negative_prompt": " "},
    "Flux2KleinPipeline": {"guidance_scale": 4.0},
    "ZImagePipeline": {"guidance_scale": 3.5},
    "GlmImagePipeline": {"guidance_scale": 1.5},
    "LongCatImagePipeline": {"guidance_scale": 4.0},
}
"""Two guided steps' worth of settings for each class, beside steps and size."""


def submission(name, folder, *, settings=None, distorted=None, size=32, **fields) -> dict:
    """The fields of a submission of a saved build; keyword arguments replace fields or settings."""
    pipeline = CLASSES.get(name, name)
    chosen = SETTINGS[pipeline] if settings is None else settings
    both = {"num_inference_steps": 2, "height": size, "width": size, **chosen}
    return {
        "id": "tiny",
        "name": "Tiny",
        "family": "tiny",
        "alignment": "base",
        "backend": "diffusers",
        "repo": str(folder),
        "pipeline": pipeline,
        "dtype": "float32",
        "memory": "S",
        "settings": {"both": both, "distorted": distorted or {}},
        "licence": "none",
        "contact": "tests",
        **fields,
    }
