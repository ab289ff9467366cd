"""The published datasets: one row each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aas_bench.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Task:
    """A dataset that `load_pairs` and the command line know by name.

    Attributes:
        name: What users type.
        summary: One line for lists.
        hub_id: Our edition on the Hub, in the canonical schema.
        authors_id: The authors' own table, in their schema; None where it holds no pairs.
        build: `module:function` that makes the pairs here, without the Hub; None where none does.
        image_distorted: What I_a is.
        image_original: What I_o is; None where an image stands alone.
        label: Where the label comes from.
        licence: What may be done with it, in one sentence.
    """

    name: str
    summary: str
    hub_id: str
    authors_id: str | None = None
    build: str | None = None
    image_distorted: str
    image_original: str | None
    label: str
    licence: str


TASKS: Final = Registry(
    "task",
    (
        Task(
            name="counterfactual",
            summary="photographs with a known effect at a known dose; made here, no network",
            hub_id="weathon/aas_counterfactual",
            build="aas_bench.counterfactual.build:counterfactual_dataset",
            image_distorted="a photograph with the requested effect",
            image_original="the same photograph",
            label="1 by construction",
            licence="Apache-2.0; the photographs are in the public domain, CC0 or CC BY 2.0.",
        ),
        Task(
            name="wide_spectrum",
            summary="300 captions, each also rewritten as a wide-spectrum prompt; 11 generators",
            hub_id="weathon/aas_wide_spectrum",
            authors_id="weathon/aas_benchmark_final",
            image_distorted="made from the rewritten prompt",
            image_original="made from the caption",
            label="an LLM judge",
            licence="The authors state no licence; captions from COCO (CC BY 4.0).",
        ),
        Task(
            name="ava_photos",
            summary="AVA photographs beside clean generations of the same content",
            hub_id="weathon/aas_ava_photos",
            image_distorted="a real photograph",
            image_original="generated from the clean caption",
            label="1 by construction",
            licence="Photographs belong to their photographers; not to be redistributed.",
        ),
        Task(
            name="emotion_bias",
            summary="faces with a happy, sad, angry or fearful look under a prompt that says which",
            hub_id="weathon/aas_emotion_bias",
            authors_id="weathon/emotion_bias_dataset",
            image_distorted="a sad, angry or fearful face",
            image_original="the happy face",
            label="1 by construction",
            licence="The authors state no licence.",
        ),
        Task(
            name="critical_comparison",
            summary="critical prompts on five topics, by a less and a more aligned generator",
            hub_id="weathon/aas_critical_comparison",
            authors_id="weathon/critical_comparsion",
            image_distorted="made by the less aligned generator (Flux Krea)",
            image_original="made by the aligned generator (DanceFlux)",
            label="a judge where there is one, else unknown",
            licence="The authors state no licence.",
        ),
        Task(
            name="lapis_art",
            summary="paintings with their captions, to be ranked among generators; no pairs",
            hub_id="weathon/aas_lapis_art",
            authors_id="weathon/lapis",
            image_distorted="a painting",
            image_original=None,
            label="none: a ranking task",
            licence="Paintings belong to their painters or heirs; not to be redistributed.",
        ),
    ),
    hint="List them with: aas-bench list tasks.",
)
