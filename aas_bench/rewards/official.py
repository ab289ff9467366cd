"""The rows of reward models with published weights.

The reference that these rows follow gives no commit hashes. Each `revision` below is the one that
public code pins or caches for that file; where it is None the newest commit is taken and recorded.
"""

from __future__ import annotations

from aas_bench.rewards.rows import RewardRow, Weights

OFFICIAL: tuple[RewardRow, ...] = (
    RewardRow(
        name="hps",
        load="aas_bench.rewards.clip:load_hps",
        summary="HPS v1: CLIP ViT-L/14 tuned on choices among generated images.",
        family="dual",
        extra="rewards",
        weights=Weights(repo=None, file="hpc.pth", page="https://github.com/tgxs002/align_sd"),
        prompt_limit=77,
        unit="cosine",
        score_range=(-1.0, 1.0),
        dtype="float16",
        licence="not stated",
        paper="arXiv:2303.14420",
    ),
    RewardRow(
        name="hpsv2.0",
        load="aas_bench.rewards.clip:load_hpsv2",
        summary="HPSv2.0: CLIP ViT-H/14 tuned on HPD v2; images are padded, not cropped.",
        family="dual",
        extra="rewards",
        weights=Weights(
            repo="xswu/HPSv2",
            revision="697403c78157020a1ae59d23f111aa58ced35b0a",
            file="HPS_v2_compressed.pt",
            size=1_970_000_000,
        ),
        prompt_limit=77,
        unit="cosine",
        score_range=(-1.0, 1.0),
        dtype="float16",
        licence="Apache-2.0",
        paper="arXiv:2306.09341",
    ),
    RewardRow(
        name="hpsv2.1",
        load="aas_bench.rewards.clip:load_hpsv2",
        summary="HPSv2.1: HPSv2.0 trained on better data.",
        family="dual",
        extra="rewards",
        weights=Weights(
            repo="xswu/HPSv2",
            revision="697403c78157020a1ae59d23f111aa58ced35b0a",
            file="HPS_v2.1_compressed.pt",
            size=1_970_000_000,
        ),
        prompt_limit=77,
        unit="cosine",
        score_range=(-1.0, 1.0),
        dtype="float16",
        licence="Apache-2.0",
        paper="arXiv:2306.09341",
    ),
    RewardRow(
        name="pickscore",
        load="aas_bench.rewards.clip:load_pickscore",
        summary="PickScore: CLIP ViT-H/14 tuned on Pick-a-Pic.",
        family="dual",
        extra="rewards",
        weights=Weights(
            repo="yuvalkirstain/PickScore_v1",
            revision="a4e4367c6dfa7288a00c550414478f865b875800",
            file="model.safetensors",
            size=3_940_000_000,
        ),
        prompt_limit=77,
        unit="exp(logit_scale) x cosine, near 100 x cosine",
        licence="not stated",
        paper="arXiv:2305.01569",
    ),
    RewardRow(
        name="clip-l",
        load="aas_bench.rewards.clip:load_clip_l",
        summary="CLIP ViT-L/14 of OpenAI, untuned.",
        family="dual",
        extra="rewards",
        weights=Weights(
            repo="openai/clip-vit-large-patch14",
            revision="32bd64288804d66eefd0ccbe215aa642df71cc41",
            file="model.safetensors",
            size=1_710_000_000,
        ),
        prompt_limit=77,
        unit="100 x cosine",
        score_range=(-100.0, 100.0),
        licence="MIT",
        paper="arXiv:2103.00020",
    ),
    RewardRow(
        name="clip-h",
        load="aas_bench.rewards.clip:load_clip_h",
        summary="CLIP ViT-H/14 of LAION, from which HPSv2, PickScore and MPS were tuned.",
        family="dual",
        extra="rewards",
        weights=Weights(
            repo="laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
            revision="1c2b8495b28150b8a4922ee1c8edee224c284c0c",
            file="open_clip_model.safetensors",
            size=3_944_517_836,
        ),
        prompt_limit=77,
        unit="exp(logit_scale) x cosine, near 100 x cosine",
        licence="MIT",
        paper="arXiv:2210.08402",
    ),
)
