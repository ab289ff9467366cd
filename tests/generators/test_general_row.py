# ruff: noqa: E402 - what needs torch is imported once it is known to be there
"""Classes without a row made by hand: what qualifies, what they take, and what they draw."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from support.tiny_general import GENERAL, SETTINGS

from aas_bench.errors import SpecError, UnknownNameError
from aas_bench.generators import class_source
from aas_bench.generators.load import load_generator
from aas_bench.generators.noise import noise_seed
from aas_bench.generators.pipelines import PIPELINES, pipeline_row
from aas_bench.generators.spec import load_submission
from aas_bench.run.generate import generate
from aas_bench.run.prompts import Prompt, Prompts

CAPTIONS = ("a cat", "a dog on a long road in the rain, blurry and dark, with a red hat")


def pixels(outcomes):
    assert [outcome.status for outcome in outcomes] == ["ok"] * len(outcomes), outcomes
    return np.stack([np.asarray(outcome.image) for outcome in outcomes]).astype(int)


def contents(run):
    return {file.name: file.read_bytes() for file in sorted((run / "images").iterdir())}


@pytest.mark.parametrize("name", [*GENERAL, "stable_diffusion_2", "stable_diffusion_3.5"])
def test_it_is_run_resumed_and_batched_like_any_other(name, tiny_submission, tmp_path):
    submission = tiny_submission(name)
    prompts = Prompts("test", tuple(
        Prompt(index=i, cluster=i, original=text, distorted=f"{text}, ugly")
        for i, text in enumerate(CAPTIONS)
    ))  # fmt: skip

    def made(folder, **options):
        found = generate(
            submission, prompts, out=tmp_path / folder, device="cpu", progress=False, **options
        )
        assert found.coverage()["n_complete"] == len(CAPTIONS), found.coverage()
        return found, contents(tmp_path / folder)

    one = {} if name in GENERAL else {"batch_size": 1}  # a general row makes one image at a time
    first, whole = made("run", **one)
    assert len(set(whole.values())) == len(whole) == 4  # each prompt is read, each seed counts
    if name in GENERAL:
        assert (first.generator["batch_size"], first.generator["pipeline"]) == (1, name)
    # As if killed after the first image: the rest is made by a generator loaded anew.
    for file in list(whole)[1:]:
        (tmp_path / "run" / "images" / file).unlink()
        (tmp_path / "run" / "records" / file).with_suffix(".json").unlink()
    assert made("run", **one)[1] == whole
    _, pairs = made("pairs", batch_size=2)
    alone, together = (
        np.stack([np.asarray(_image(tmp_path / run / "images" / file)) for file in whole])
        for run in ("run", "pairs")
    )
    assert abs(alone.astype(int) - together).max() <= 1
    assert pairs.keys() == whole.keys()


def _image(file):
    from PIL import Image

    with Image.open(file) as image:
        return image.convert("RGB")


@pytest.mark.parametrize("name", GENERAL)
def test_the_image_is_that_of_a_plain_call_with_our_seed(name, tiny_submission, requests_for):
    submission = tiny_submission(name)
    generator = load_generator(submission, device="cpu")
    (outcome,) = generator.generate(requests_for(submission, ["a cat"], first=5))
    pipe = getattr(diffusers, name).from_pretrained(submission.repo)
    settings = dict(SETTINGS[name])
    arguments = {**settings.pop("options", {}), **settings, **pipeline_row(name).call}
    plain = pipe(
        prompt="a cat",
        num_inference_steps=2,
        height=32,
        width=32,
        generator=torch.Generator().manual_seed(noise_seed(0, 5)),
        **arguments,
    ).images[0]
    np.testing.assert_array_equal(pixels([outcome])[0], np.asarray(plain))
    assert outcome.provenance["noise"] == "drawn by the class"
    other = generator.generate(requests_for(submission, ["a cat"], first=6))
    assert abs(pixels(other) - pixels([outcome])).max() > 1


@pytest.mark.parametrize("name", [*GENERAL, "FluxPipeline", "QwenImagePipeline"])
def test_the_source_says_what_the_class_itself_says(name):
    told = class_source.find_class(name)
    kind = getattr(diffusers, name)
    call = inspect.signature(kind.__call__).parameters
    named = [each.name for each in call.values() if each.kind is not each.VAR_KEYWORD]
    assert list(told.arguments) == [name for name in named if name != "self"]
    known = {each: value for each, value in told.arguments.items() if value is not ...}
    assert known == {each: call[each].default for each in known}
    assert told.parts == inspect.signature(kind.__init__).parameters.keys() - {"self"}
    assert told.unfit() is None


def test_what_diffusers_lists_as_text_to_image_qualifies_if_a_prompt_is_enough():
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

    listed = {kind.__name__ for kind in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values()}
    told = map(class_source.find_class, class_source._files())
    found = {each.name for each in told if each is not None and each.unfit() is None}
    assert found >= set(PIPELINES) | set(GENERAL)
    left_out = {name for name in listed - found if "Control" not in name}
    # Two make films, one is deprecated; diffusers lists all three.
    assert left_out <= {"HeliosPipeline", "HeliosPyramidPipeline", "WuerstchenCombinedPipeline"}
    for name in found - listed:
        assert not any(word in name for word in ("Img2Img", "Inpaint", "Control", "Edit", "Video"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("FluxImg2ImgPipeline", r"starts from more than a prompt \(image\).* Name FluxPipeline\."),
        ("StableDiffusionInpaintPipeline", r"mask_image.* Name StableDiffusionPipeline\."),
        (
            "StableDiffusionXLControlNetPipeline",
            r"another picture \(controlnet\).* Name StableDiffusionXLPipeline\.",
        ),
        ("QwenImageEditPipeline", r"\(image\).* Name QwenImagePipeline\."),
        ("WanPipeline", "returns no images"),
        ("SanaVideoPipeline", r"returns no images.* Name SanaPipeline\."),
        ("StableAudioPipeline", "returns no images"),
        ("DDPMPipeline", "takes no prompt"),
        ("OnnxStableDiffusionPipeline", "runs ONNX graphs, not safetensors"),
        ("WuerstchenCombinedPipeline", "deprecated"),
    ],
)
def test_another_kind_of_class_is_refused_in_one_line(name, said):
    with pytest.raises(SpecError, match=said) as caught:
        pipeline_row(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("FluxPipline", "no pipeline class is called 'FluxPipline'"),
        ("SanaaPipeline", "Did you mean SanaPipeline"),
        ("os.system", "no pipeline class is called"),
        ("../../Pipeline", "no pipeline class is called"),
    ],
)
def test_an_unknown_class_is_refused_with_the_nearest(name, said):
    with pytest.raises(UnknownNameError, match=said):
        pipeline_row(name)


def written(tmp_path, pipeline="SanaPipeline", **both) -> Path:
    facts = {
        "id": "x",
        "name": "X",
        "family": "x",
        "alignment": "base",
        "backend": "diffusers",
        "repo": "./weights",
        "pipeline": pipeline,
        "dtype": "float32",
        "memory": "S",
        "settings": {"both": {"num_inference_steps": 2, "guidance_scale": 4.0, **both}},
        "licence": "none",
        "contact": "tests",
    }
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump(facts))
    return file


@pytest.mark.parametrize(
    ("pipeline", "changes", "said"),
    [
        ("SanaPipeline", {"true_cfg_scale": 2.0}, r"true_cfg_scale: SanaPipeline does not take it"),
        ("SanaPipeline", {"guidance_scale": None}, r"guidance_scale: is missing"),
        ("SanaPipeline", {"strength": 0.5}, r"strength: SanaPipeline does not take it"),
        ("SanaPipeline", {"options": {"pag_scale": 1.0}}, r"options\.pag_scale: .*Options: .*eta"),
        ("SanaPipeline", {"options": {"latents": [1]}}, r"options\.latents: .*the run decides it"),
        ("SanaPipeline", {"options": {"clean_caption": True}}, r"clean_caption: .*run decides it"),
        ("SanaPAGPipeline", {"options": {"pag_scale": "high"}}, r"pag_scale: 'high' is no number"),
        ("SanaPipeline", {"width": 1025}, r"width: 1025 is no multiple of 8"),
        ("FluxPipeline", {"options": {"eta": 1.0}}, r"options: FluxPipeline does not take it"),
        (
            "LatentConsistencyModelPipeline",
            {"negative_prompt": ""},
            "negative_prompt: LatentConsistencyModelPipeline does not take it",
        ),
    ],
)
def test_what_the_signature_does_not_have_is_refused_by_name(pipeline, changes, said, tmp_path):
    with pytest.raises(SpecError, match=said):
        load_submission(written(tmp_path, pipeline, **changes))


def test_what_the_signature_has_is_accepted(tmp_path):
    options = {"pag_scale": 2, "complex_human_instruction": []}
    file = written(tmp_path, "SanaPAGPipeline", negative_prompt="ugly", options=options)
    assert load_submission(file).settings_for("original").options == options


def test_a_submission_of_any_class_is_checked_without_torch_or_diffusers(tmp_path):
    code = (
        "import sys\n"
        "from aas_bench.generators.spec import load_submission\n"
        f"assert load_submission({str(written(tmp_path))!r}).pipeline == 'SanaPipeline'\n"
        "assert not {'torch', 'diffusers', 'transformers'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_where_diffusers_is_not_installed_the_class_is_taken_as_named(tmp_path, monkeypatch):
    monkeypatch.setattr(class_source, "_root", lambda: None)
    file = written(tmp_path, "BrandNewPipeline", true_cfg_scale=2.0)
    assert load_submission(file).pipeline == "BrandNewPipeline"
    with pytest.raises(SpecError, match="no pipeline class is called 'subprocess'"):
        load_submission(written(tmp_path, "subprocess"))
