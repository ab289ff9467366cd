"""The submissions that ship with the repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import aas_bench.records
from aas_bench.generators.catalog import BACKENDS
from aas_bench.generators.cost import Cost, cost
from aas_bench.generators.pipelines import PIPELINES
from aas_bench.generators.rules import PUBLISHED
from aas_bench.generators.settings import VARIANTS
from aas_bench.generators.spec import json_schema, load_submission

FOLDER = Path(__file__).parents[2] / "leaderboard" / "submissions"
SHIPPED = {path.stem: load_submission(path) for path in sorted(FOLDER.glob("*.yaml"))}


def test_all_rows_of_the_paper_and_the_built_in_ones_are_here():
    assert len(PUBLISHED) == 20
    assert set(SHIPPED) == PUBLISHED | {"builtin_faithful", "builtin_polish"}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_file_is_called_as_its_id_and_points_editors_to_the_schema(name):
    assert SHIPPED[name].id == name
    first = (FOLDER / f"{name}.yaml").read_text().split("\n")[0]
    assert first == "# yaml-language-server: $schema=schema.json"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_base_is_shipped_and_of_the_same_family(name):
    base = SHIPPED[name].base
    assert base is None or SHIPPED[base].family == SHIPPED[name].family


PAGE = {
    # what the paper's page calls a row, and where the row belongs
    "flux_dev": ("Flux Dev", "flux", None, "base"),
    "dance_flux": ("DanceFlux", "flux", "flux_dev", "aesthetic"),
    "grpo_flux": ("PrefFlux", "flux", "flux_dev", "aesthetic"),
    "flux_krea": ("Flux Krea", "flux", "flux_dev", "narrow"),
    "flux_dev_vsf": ("Flux Dev + VSF", "flux", "flux_dev", "mitigated"),
    "stable_diffusion_xl": ("SDXL", "sdxl", None, "base"),
    "playground": ("Playground v2.5", "sdxl", "stable_diffusion_xl", "aesthetic"),
    "stable_diffusion_3.5_medium": ("SD3.5M", "sd3.5m", None, "base"),
    "sd3_medium_grpo_geneval": (
        "SD3.5M-GenEval",
        "sd3.5m",
        "stable_diffusion_3.5_medium",
        "instruction",
    ),
    "sd3_medium_grpo": ("SD3.5M-PickScore", "sd3.5m", "stable_diffusion_3.5_medium", "aesthetic"),
    "alchemist": ("Alchemist", "sd3.5l", None, "aesthetic"),
    "nano-banana": ("Nano Banana", "nano_banana", None, "closed"),
    "gpt-image-1.5": ("gpt-image-1.5", "gpt_image", None, "closed"),
    "qwen_image": ("qwen_image", "qwen_image", None, "base"),
    "seeddream4": ("seeddream4", "seeddream", None, "closed"),
    "flux2_klein_9b": ("Flux.2 Klein 9B", "flux2", None, "distilled"),
    "z_image": ("Z-Image", "z_image", None, "base"),
    "z_image_turbo": ("Z-Image-Turbo", "z_image", "z_image", "distilled"),
    "glm_image": ("GLM-Image", "glm_image", None, "base"),
    "longcat_image": ("LongCat-Image", "longcat", None, "base"),
}


def test_rows_are_called_and_grouped_as_on_the_papers_page():
    rows = {name: SHIPPED[name] for name in PUBLISHED}
    assert {n: (r.name, r.family, r.base, r.alignment) for n, r in rows.items()} == PAGE


def test_the_rows_are_those_of_the_papers_figures():
    figures = json.loads(Path(aas_bench.records.__file__).with_name("paper.json").read_text())
    assert {row[0] for row in figures["generators"]["rows"]} == PUBLISHED


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_every_published_row_keeps_the_authors_settings(name):
    assert "paper" in SHIPPED[name].presets


@pytest.mark.parametrize("name", SHIPPED)
def test_both_variants_are_asked_for_alike_by_default(name):
    original, distorted = (SHIPPED[name].settings_for(variant) for variant in VARIANTS)
    if SHIPPED[name].alignment == "mitigated":
        assert distorted.vsf is not None
        distorted = distorted.model_copy(update={"vsf": None})
    assert original == distorted


def test_every_pipeline_class_and_backend_is_needed_by_a_row():
    pipelines = {each.pipeline for each in SHIPPED.values()} - {None}
    # Qwen-Image runs at a service on the paper's page; local weights are another submission.
    # The paper has no row for Stable Diffusion 1.x and 2.x or PixArt: they are for submitters.
    assert set(PIPELINES) - pipelines == {
        "QwenImagePipeline",
        "StableDiffusionPipeline",
        "PixArtSigmaPipeline",
    }
    assert {each.backend for each in SHIPPED.values()} == set(BACKENDS)


PAPER = {
    # steps, guidance, size, dtype: original and distorted, from the authors' scripts
    "flux_dev": ((32, 3.5, "float16"), (32, 3.5, "float16")),
    "dance_flux": ((32, 3.5, "bfloat16"), (32, 3.5, "bfloat16")),
    "stable_diffusion_xl": ((50, 5.0, "float16"), (50, 5.0, "float16")),
    "playground": ((50, 3.0, "float16"), (50, 3.0, "float16")),
    "stable_diffusion_3.5_medium": ((40, 4.0, "float16"), (32, 6.0, "float16")),
    "sd3_medium_grpo_geneval": ((40, 4.0, "float16"), (32, 6.0, "float16")),
    "alchemist": ((40, 4.0, "bfloat16"), (32, 6.0, "bfloat16")),
    "flux2_klein_9b": ((4, 0.0, "bfloat16"), (4, 0.0, "bfloat16")),
    "z_image_turbo": ((8, 1.0, "bfloat16"), (8, 1.0, "bfloat16")),
    "glm_image": ((50, 5.0, "bfloat16"), (50, 5.0, "bfloat16")),
    "longcat_image": ((50, 4.0, "bfloat16"), (50, 4.0, "bfloat16")),
    "flux_dev_vsf": ((32, 0.0, "bfloat16"), (32, 0.0, "bfloat16")),
}


@pytest.mark.parametrize("name", PAPER)
def test_the_paper_preset_holds_the_authors_numbers(name):
    submission = SHIPPED[name]
    for variant, expected in zip(VARIANTS, PAPER[name], strict=True):
        settings = submission.settings_for(variant, "paper")
        assert (
            settings.num_inference_steps,
            settings.guidance_scale,
            submission.dtype_for("paper"),
        ) == expected
        assert settings.size == (1024, 1024)


def test_no_revision_is_a_floating_one():
    for submission in SHIPPED.values():
        for source in submission.sources().values():
            assert (source.revision is None) != (source.pending is None)


def test_the_schema_for_editors_is_current():
    assert (FOLDER / "schema.json").read_text() == json_schema(), (
        "write it again: python -c 'from aas_bench.generators.spec import json_schema; "
        'print(json_schema(), end="")\' > leaderboard/submissions/schema.json'
    )


def test_costs_worked_out_by_hand():
    # 300 prompts x 2 variants x 32 steps, one pass each: guidance is an embedded number
    assert cost(SHIPPED["flux_dev"], 300) == Cost(images=600, steps=19200, passes=19200, memory="L")
    # 300 x (40 + 32) steps, each with an unconditional pass
    assert cost(SHIPPED["alchemist"], 300, preset="paper") == Cost(
        images=600, steps=21600, passes=43200, memory="L"
    )
    # guidance 1.0 is on for this class, 0.0 is off
    turbo = SHIPPED["z_image_turbo"]
    assert (cost(turbo, 1).passes, cost(turbo, 1, preset="paper").passes) == (16, 32)
    assert cost(SHIPPED["nano-banana"], 10).to_dict() == {
        "images": 20,
        "steps": 0,
        "passes": 0,
        "memory": None,
    }
