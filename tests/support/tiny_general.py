"""Random pipelines of classes without a row of their own, and what such classes are asked.

As small as `tiny_pipelines`, whose parts they share; the widths that must agree stand together.
"""

from __future__ import annotations

import io
import string
import tempfile
from pathlib import Path

import torch
from support import tiny_pipelines as parts
from support import tiny_tokenizers

_EIGHTH = (4, 8, 8, 8)
"""Blocks of a VAE that scales by 8: some classes take that number for granted."""


def _spread(module) -> None:
    """Weights large enough that what goes in decides what comes out."""
    for weight in module.parameters():
        torch.nn.init.normal_(weight, std=0.3)


def _gemma_tokenizer():
    from transformers import GemmaTokenizer

    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁"]
    letters = [*string.ascii_letters, *string.digits, *string.punctuation, "\n"]
    tokens = [*special, *letters]
    return GemmaTokenizer(
        vocab={token: i for i, token in enumerate(tokens)}, merges=[], model_max_length=512
    )


def _gemma(tokenizer, width: int):
    from transformers import Gemma2Config, Gemma2Model

    config = Gemma2Config(
        head_dim=8,
        hidden_size=width,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=2,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
    )
    return Gemma2Model(config)


def sana():
    from diffusers import AutoencoderDC, SanaPipeline, SanaTransformer2DModel

    tokenizer = _gemma_tokenizer()
    transformer = SanaTransformer2DModel(
        patch_size=1,
        in_channels=4,
        out_channels=4,
        num_layers=1,
        num_attention_heads=2,
        attention_head_dim=4,
        num_cross_attention_heads=2,
        cross_attention_head_dim=4,
        cross_attention_dim=8,
        caption_channels=8,
        sample_size=32,
    )
    vae = AutoencoderDC(
        latent_channels=4,
        attention_head_dim=2,
        encoder_block_types=("ResBlock", "EfficientViTBlock"),
        decoder_block_types=("ResBlock", "EfficientViTBlock"),
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)),
        decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1),
        decoder_layers_per_block=(1, 1),
        downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
        scaling_factor=0.4,
    )
    return SanaPipeline(
        tokenizer=tokenizer,
        text_encoder=_gemma(tokenizer, 8),
        vae=vae,
        transformer=transformer,
        scheduler=parts.flow_scheduler(shift=3.0),
    )


def lumina_2():
    from diffusers import Lumina2Pipeline, Lumina2Transformer2DModel

    tokenizer = _gemma_tokenizer()
    transformer = Lumina2Transformer2DModel(
        sample_size=4,
        patch_size=2,
        in_channels=16,
        hidden_size=16,
        num_layers=1,
        num_refiner_layers=1,
        num_attention_heads=2,
        num_kv_heads=2,
        multiple_of=16,
        axes_dim_rope=(4, 2, 2),
        cap_feat_dim=8,
    )
    _spread(transformer)
    return Lumina2Pipeline(
        transformer=transformer,
        scheduler=parts.flow_scheduler(shift=3.0),
        vae=parts.flow_vae(_EIGHTH),
        text_encoder=_gemma(tokenizer, 8),
        tokenizer=tokenizer,
    )


def chroma():
    from diffusers import ChromaPipeline, ChromaTransformer2DModel

    tokenizer = tiny_tokenizers.t5()
    transformer = ChromaTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        axes_dims_rope=(4, 4, 8),
        approximator_hidden_dim=32,
        approximator_layers=1,
        approximator_num_channels=16,
    )
    return ChromaPipeline(
        scheduler=parts.flow_scheduler(),
        vae=parts.flow_vae(),
        text_encoder=parts.t5(32, len(tokenizer)),
        tokenizer=tokenizer,
        transformer=transformer,
    )


def hunyuan_dit():
    from diffusers import DDPMScheduler, HunyuanDiT2DModel, HunyuanDiTPipeline
    from transformers import BertConfig, BertModel, BertTokenizer

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    tokens = [*special, *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = BertTokenizer(
        vocab={token: i for i, token in enumerate(tokens)}, model_max_length=77
    )
    text_encoder = BertModel(
        BertConfig(
            vocab_size=len(tokens),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
        )
    )
    tokenizer_2 = tiny_tokenizers.t5()
    transformer = HunyuanDiT2DModel(
        sample_size=16,
        num_layers=2,
        patch_size=2,
        attention_head_dim=8,
        num_attention_heads=3,
        in_channels=4,
        cross_attention_dim=32,
        cross_attention_dim_t5=32,
        pooled_projection_dim=16,
        hidden_size=24,
        activation_fn="gelu-approximate",
    )
    return HunyuanDiTPipeline(
        vae=parts.vae(4, _EIGHTH),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=transformer,
        scheduler=DDPMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        text_encoder_2=parts.t5(32, len(tokenizer_2)),
        tokenizer_2=tokenizer_2,
    )


_PIECES = tempfile.TemporaryDirectory(prefix="tiny-chatglm-")
"""ChatGLM's tokenizer reads its pieces from a file, and again when it is saved."""


def _chatglm_tokenizer():
    import sentencepiece
    from diffusers.pipelines.kolors import ChatGLMTokenizer

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([" ".join(string.ascii_letters + string.digits), "a cat on a mat"]),
        model_writer=model,
        model_type="char",
        vocab_size=70,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    file = Path(_PIECES.name) / "tokenizer.model"
    file.write_bytes(model.getvalue())
    return ChatGLMTokenizer(str(file))


def kolors():
    from diffusers import EulerDiscreteScheduler, KolorsPipeline
    from diffusers.pipelines.kolors import ChatGLMModel
    from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig

    text_encoder = ChatGLMModel(
        ChatGLMConfig(
            num_layers=2,
            padded_vocab_size=128,
            hidden_size=16,
            ffn_hidden_size=16,
            kv_channels=8,
            num_attention_heads=2,
            seq_length=256,
            multi_query_attention=True,
            multi_query_group_num=1,
            rmsnorm=True,
            add_qkv_bias=True,
            original_rope=True,
        ),
        empty_init=False,
    )
    _spread(text_encoder)  # its norms are made without a value
    unet = parts.sized_unet(16, 16 + 6 * 8)
    return KolorsPipeline(
        vae=parts.vae(4),
        text_encoder=text_encoder,
        tokenizer=_chatglm_tokenizer(),
        unet=unet,
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear"),
    )


def pixart_alpha():
    from diffusers import PixArtAlphaPipeline

    sigma = parts.pixart_sigma()
    return PixArtAlphaPipeline(**sigma.components)


def perturbed_stable_diffusion():
    from diffusers import StableDiffusionPAGPipeline

    plain = parts.stable_diffusion()
    return StableDiffusionPAGPipeline(
        **plain.components, requires_safety_checker=False, pag_applied_layers="mid"
    )


GENERAL = {
    "SanaPipeline": sana,
    "KolorsPipeline": kolors,
    "HunyuanDiTPipeline": hunyuan_dit,
    "Lumina2Pipeline": lumina_2,
    "ChromaPipeline": chroma,
    "PixArtAlphaPipeline": pixart_alpha,
    "StableDiffusionPAGPipeline": perturbed_stable_diffusion,
}

SETTINGS = {
    "SanaPipeline": {"guidance_scale": 4.5, "max_sequence_length": 128},
    "KolorsPipeline": {"guidance_scale": 5.0, "max_sequence_length": 128},
    "HunyuanDiTPipeline": {"guidance_scale": 5.0, "negative_prompt": "blurry"},
    # A system prompt of 200 letters goes before the prompt.
    "Lumina2Pipeline": {"guidance_scale": 4.0, "max_sequence_length": 512},
    "ChromaPipeline": {
        "guidance_scale": 5.0,
        "negative_prompt": "ugly",
        "max_sequence_length": 128,
    },
    "PixArtAlphaPipeline": {"guidance_scale": 4.5, "max_sequence_length": 120},
    "StableDiffusionPAGPipeline": {"guidance_scale": 5.0, "options": {"pag_scale": 2.0}},
}
"""Settings of each, beside steps and size."""


BUILDS = {**parts.BUILDS, **GENERAL}
"""Every build, those with a row of their own first."""


def submission(name, folder, *, settings=None, **fields) -> dict:
    """The fields of a submission of any saved build; see `tiny_pipelines.submission`."""
    own = SETTINGS.get(name) if settings is None else settings
    return parts.submission(name, folder, settings=own, **fields)
