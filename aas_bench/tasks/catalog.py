"""The published datasets: one row each."""

from __future__ import annotations

from typing import Final

from aas_bench.registry import Registry
from aas_bench.tasks.task import HubBenchmark, PromptTable, Task
from aas_bench.tasks.taxonomy import AUTHORS_TOPICS, DIMENSIONS, EMOTIONS, HAPPY, TOPICS, elements

_PREFERENCE: Final = HubBenchmark(id="reward_preference", kind="reward_model", measure="accuracy")

PROMPTS: Final = PromptTable(hub_id="weathon/anti_aesthetics_dataset", split="train", n=300)
"""The published prompts, with which generators are compared."""

TASKS: Final = Registry(
    "task",
    (
        Task(
            name="counterfactual",
            title="built-in photographs",
            summary="photographs with a known effect at a known dose; made here, no network",
            question="A photograph has a known effect at a known dose. Does the reward rise as the "
            "request is met more strongly, and does it stay the same in other words?",
            hub_id="weathon/aas_counterfactual",
            build="aas_bench.counterfactual.split:counterfactual_dataset",
            names="aas_bench.counterfactual.split:names",
            image_distorted="a photograph with the requested effect",
            image_original="the same photograph",
            label="1 by construction",
            licence="Apache-2.0; the photographs are in the public domain, CC0 or CC BY 2.0.",
            columns=frozenset({"dose", "effect", "scene"}),
            pairs_of="aas_bench.counterfactual.split:pairs_of",
            benchmarks=(
                _PREFERENCE,
                HubBenchmark(
                    id="generation_compliance",
                    kind="generator",
                    measure="chosen",
                    reward="effect-match",
                ),
            ),
        ),
        Task(
            name="wide_spectrum",
            title="wide-spectrum prompts",
            summary="300 captions, each also rewritten as a wide-spectrum prompt; 11 generators",
            question="The caption was rewritten to ask for something unpretty. Does the reward "
            "prefer the image made from the rewritten prompt, for which requests and whose images, "
            "and does it rise where a judge sees the request met?",
            hub_id="weathon/aas_wide_spectrum",
            authors_id="weathon/aas_benchmark_final",
            prompts=PROMPTS,
            image_distorted="made from the rewritten prompt",
            image_original="made from the caption",
            label="an LLM judge",
            licence="The authors state no licence; captions from COCO (CC BY 4.0).",
            asked=frozenset(DIMENSIONS),
            analysis="aas_bench.measure.analyses.rewritten:rewritten",
            pairs_of={"generator": PROMPTS.n},
            benchmarks=(
                _PREFERENCE,
                HubBenchmark(
                    id="generation_compliance",
                    kind="generator",
                    measure="chosen",
                    # Of the paper's Table D.2 the one that agrees best with the judge.
                    reward="blip-l-itm",
                    config="prompts",
                ),
            ),
            paper=("generators", "reward_models"),
        ),
        Task(
            name="ava_photos",
            title="real photographs",
            summary="AVA photographs beside clean generations of the same content",
            question="A real photograph and a clean generation of the same content stand under the "
            "caption that describes the photograph, flaws and all. How much higher does the clean "
            "image score?",
            hub_id="weathon/aas_ava_photos",
            form="photographs",
            image_distorted="a real photograph",
            image_original="generated from the clean caption",
            label="1 by construction",
            licence="Photographs belong to their photographers; not to be redistributed.",
            groups="category",
            asked=frozenset(elements()),
            analysis="aas_bench.measure.analyses.photo_gap:photo_gap",
            measures=("gap",),
            benchmarks=(_PREFERENCE,),
            shelf="photographs",
            paper=("photographs",),
        ),
        Task(
            name="emotion_bias",
            title="faces by emotion",
            summary="faces with a happy, sad, angry or fearful look under a prompt that says which",
            question="The prompt asks for a sad, an angry or a fearful face. How often does that "
            "face score higher than the happy face of the same person?",
            hub_id="weathon/aas_emotion_bias",
            authors_id="weathon/emotion_bias_dataset",
            form="emotions",
            image_distorted="a sad, angry or fearful face",
            image_original="the happy face",
            label="1 by construction",
            licence="The authors state no licence.",
            groups="emotion",
            asked=frozenset(EMOTIONS) - {HAPPY},
            analysis="aas_bench.measure.analyses.faces:faces",
            pairs_of={"reward_model": 300},
            benchmarks=(_PREFERENCE,),
            shelf="faces",
            paper=("emotions",),
        ),
        Task(
            name="critical_comparison",
            title="critical prompts",
            summary="critical prompts on five topics, by a less and a more aligned generator",
            question="Two generators answered the same critical prompt. How often does the reward "
            "prefer the less aligned one, and by how much, topic by topic?",
            hub_id="weathon/aas_critical_comparison",
            authors_id="weathon/critical_comparsion",
            form="critical comparison",
            image_distorted="made by the less aligned generator (Flux Krea)",
            image_original="made by the aligned generator (DanceFlux)",
            label="a judge where there is one, else unknown",
            licence="The authors state no licence.",
            groups="topic",
            asked=frozenset(TOPICS) | frozenset(AUTHORS_TOPICS),
            analysis="aas_bench.measure.analyses.topics:topics",
        ),
        Task(
            name="lapis_art",
            title="paintings",
            summary="paintings with their captions, to be ranked among generators; no pairs",
            question="Each painting stands under its own caption. Where does the mean score of "
            "real art fall among the mean scores of image generators?",
            hub_id="weathon/aas_lapis_art",
            authors_id="weathon/lapis",
            form="paintings",
            image_distorted="a painting",
            image_original=None,
            label="none: a ranking task",
            licence="Paintings belong to their painters or heirs; not to be redistributed.",
            analysis="aas_bench.measure.analyses.paintings:paintings",
            shelf="paintings",
            paper=("paintings",),
        ),
    ),
    hint="List them with: aas-bench list tasks.",
)

DEFAULT: Final = TASKS["counterfactual"]
"""What is worked on where nobody names a task: it needs no network and no model."""


def task_of(source: str | None) -> str | None:
    """The task whose pairs or prompts a source is: by its name, or by an id on the Hub."""
    for task in TASKS.values():
        prompts = None if task.prompts is None else task.prompts.hub_id
        if source in {task.name, task.hub_id, task.authors_id, prompts} - {None}:
            return task.name
    return None
