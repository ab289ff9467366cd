# ruff: noqa: E402 - what needs torch is imported once it is known to be there
from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from safetensors.torch import load_file
from support.tiny_pipelines import BUILDERS, BUILDS, SETTINGS

from aas_bench.errors import BackendError, SpecError
from aas_bench.generators.cost import cost
from aas_bench.generators.load import load_generator
from aas_bench.generators.model_index import check_held
from aas_bench.generators.noise import noise_seed
from aas_bench.generators.pipelines import PIPELINES

PROMPTS = (
    "a cat",
    "a dog on a long road in the rain, blurry and dark, with a red hat and words past the cut",
    "a house",
    "two boats",
)


def pixels(outcomes):
    assert [outcome.status for outcome in outcomes] == ["ok"] * len(outcomes), outcomes
    return np.stack([np.asarray(outcome.image) for outcome in outcomes]).astype(int)


def load(submission, batch_size=1):
    return load_generator(submission, device="cpu", batch_size=batch_size)


def test_every_class_has_a_tiny_pipeline():
    assert set(BUILDERS) == set(PIPELINES) == set(SETTINGS)


def test_requests_are_cut_into_batches(tiny_submission, requests_for):
    submission = tiny_submission("StableDiffusion3Pipeline")
    requests = requests_for(submission, PROMPTS)
    by_size = {size: load(submission, size).generate(requests) for size in (1, 2, 4)}
    for size, outcomes in by_size.items():
        assert [outcome.provenance["batch"] for outcome in outcomes] == [size] * 4
        assert abs(pixels(outcomes) - pixels(by_size[1])).max() <= 1
    # A second batch alone, from a fresh generator: the same bytes.
    resumed = load(submission, 2).generate(requests[2:])
    np.testing.assert_array_equal(pixels(resumed), pixels(by_size[2])[2:])


@pytest.mark.parametrize("name", BUILDS)
def test_noise_is_shared_by_variants_and_differs_by_index_and_seed(
    name, tiny_submission, requests_for
):
    submission = tiny_submission(name)
    generator = load(submission)

    def image(**changes):
        return pixels(generator.generate(requests_for(submission, ["a cat"], **changes)))

    first = image()
    np.testing.assert_array_equal(image(variant="distorted"), first)
    assert abs(image(first=1) - first).max() > 1
    assert abs(image(seed=1) - first).max() > 1


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("StableDiffusionXLPipeline", (4, 16, 16)),
        ("StableDiffusionPipeline", (4, 16, 16)),
        ("PixArtSigmaPipeline", (4, 16, 16)),
        ("FluxPipeline", (64, 64)),
        ("Flux2KleinPipeline", (16, 8, 8)),
        ("ZImagePipeline", (16, 16, 16)),
    ],
)
def test_the_image_is_that_of_a_plain_call_with_our_noise(
    name, shape, tiny_submission, requests_for
):
    submission = tiny_submission(name)
    (ours,) = pixels(load(submission).generate(requests_for(submission, ["a cat"], first=5)))
    latents = torch.randn(1, *shape, generator=torch.Generator().manual_seed(noise_seed(0, 5)))
    pipe = getattr(diffusers, name).from_pretrained(submission.repo)
    plain = pipe(
        prompt="a cat",
        num_inference_steps=2,
        height=32,
        width=32,
        latents=latents,
        **SETTINGS[name],
        **PIPELINES[name].call,
    ).images[0]
    np.testing.assert_array_equal(ours, np.asarray(plain))


def test_z_image_gets_its_noise_unrounded(tiny_submission, requests_for):
    submission = tiny_submission("ZImagePipeline", dtype="bfloat16")
    (ours,) = pixels(load(submission).generate(requests_for(submission, ["a cat"])))
    latents = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(noise_seed(0, 0)))
    pipe = diffusers.ZImagePipeline.from_pretrained(submission.repo, dtype=torch.bfloat16)

    def plain(noise):
        call = {"prompt": "a cat", "num_inference_steps": 2, "height": 32, "width": 32}
        return np.asarray(pipe(**call, latents=noise, guidance_scale=3.5).images[0])

    np.testing.assert_array_equal(ours, plain(latents))
    assert not np.array_equal(ours, plain(latents.bfloat16().float()))


def test_precision_does_not_change_the_noise(tiny_submission, requests_for):
    images = []
    for dtype in ("float32", "bfloat16"):
        submission = tiny_submission("StableDiffusion3Pipeline", dtype=dtype)
        images += [pixels(load(submission).generate(requests_for(submission, ["a cat"])))]
    other = tiny_submission("StableDiffusion3Pipeline")
    unrelated = pixels(load(other).generate(requests_for(other, ["a cat"], first=1)))
    assert abs(images[1] - images[0]).mean() < 2
    assert abs(unrelated - images[0]).mean() > 20


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *((name, {}) for name in BUILDERS),
        ("FluxPipeline", {"true_cfg_scale": 2.0}),
        ("FluxPipeline", {"true_cfg_scale": 2.0, "negative_prompt": ""}),
        ("StableDiffusionXLPipeline", {"guidance_scale": 1.0}),
        ("StableDiffusion3Pipeline", {"guidance_scale": 1.0}),
        ("QwenImagePipeline", {"negative_prompt": None}),
        ("QwenImagePipeline", {"negative_prompt": ""}),
        ("Flux2KleinPipeline", {"guidance_scale": 1.0}),
        ("ZImagePipeline", {"guidance_scale": 1.0}),
        ("ZImagePipeline", {"guidance_scale": 0.0}),
        ("GlmImagePipeline", {"guidance_scale": 1.0}),
        ("LongCatImagePipeline", {"guidance_scale": 1.0}),
    ],
)
def test_cost_counts_the_denoiser_calls_that_happen(name, changes, tiny_submission, requests_for):
    submission = tiny_submission(name, settings={**SETTINGS[name], **changes})
    generator = load(submission)
    rows = []

    def count(_module, args, kwargs):
        rows.append(len(args[0] if args else kwargs["hidden_states"]))

    getattr(generator._pipe, PIPELINES[name].denoiser).register_forward_pre_hook(
        count, with_kwargs=True
    )
    pixels(generator.generate(requests_for(submission, ["a cat"])))
    assert 2 * sum(rows) == cost(submission, 1).passes  # both variants have these settings


def test_none_and_an_empty_negative_prompt_differ_for_stable_diffusion_xl(
    tiny_submission, requests_for
):
    submission = tiny_submission("StableDiffusionXLPipeline", distorted={"negative_prompt": ""})
    generator = load(submission)
    plain, empty = (
        pixels(generator.generate(requests_for(submission, ["a cat"], variant=variant)))
        for variant in ("original", "distorted")
    )
    assert abs(plain - empty).max() > 1


def test_variants_of_unlike_settings_do_not_share_a_call(tiny_submission, requests_for):
    submission = tiny_submission("ZImagePipeline", distorted={"guidance_scale": 1.0})
    requests = requests_for(submission, ["a cat"])
    requests += requests_for(submission, ["a cat"], variant="distorted")
    together = load(submission, 4).generate(requests)
    alone = [load(submission, 1).generate([request])[0] for request in requests]
    assert [outcome.provenance["batch"] for outcome in together] == [1, 1]
    np.testing.assert_array_equal(pixels(together), pixels(alone))


@pytest.mark.parametrize("name", [name for name in PIPELINES if PIPELINES[name].image_to_image])
def test_image_to_image_starts_from_the_seed_image(name, tiny_submission, requests_for):
    settings = {**SETTINGS[name], "num_inference_steps": 4}
    submission = tiny_submission(name, size=64, settings=settings)
    rng = np.random.default_rng(0)
    seeds = [
        Image.fromarray(rng.integers(0, 255, (80, 72, 3), dtype=np.uint8)),
        Image.new("L", (64, 64), 128),
    ]
    requests = [
        requests_for(submission, ["a cat"], image=seeds[0])[0],
        requests_for(submission, ["a cat"], image=seeds[1])[0],
    ]
    alone = pixels(load(submission, 1).generate(requests))
    together = pixels(load(submission, 2).generate(requests))
    assert not np.array_equal(alone[0], alone[1])
    assert abs(together - alone).max() <= 1
    np.testing.assert_array_equal(pixels(load(submission, 1).generate(requests)), alone)


def test_a_class_without_image_to_image_says_so(tiny_submission, requests_for):
    submission = tiny_submission("LongCatImagePipeline")
    seed = Image.new("RGB", (32, 32))
    (outcome,) = load(submission).generate(requests_for(submission, ["a cat"], image=seed))
    assert outcome.status == "failed"
    assert "LongCatImagePipeline has no image-to-image class" in outcome.reason


def test_nan_becomes_a_failure_and_no_picture(tiny_submission, requests_for):
    submission = tiny_submission("StableDiffusion3Pipeline")
    generator = load(submission)
    with torch.no_grad():
        generator._pipe.vae.decoder.conv_out.bias[0] = torch.nan
    (outcome,) = generator.generate(requests_for(submission, ["a cat"]))
    assert (outcome.status, outcome.image) == ("failed", None)
    assert "33% of the pixel values are not finite" in outcome.reason


def test_one_bad_prompt_does_not_take_its_batch_mates_down(
    tiny_submission, requests_for, monkeypatch
):
    submission = tiny_submission("ZImagePipeline")
    generator = load(submission, 4)
    expected = pixels(load(submission, 1).generate(requests_for(submission, ["a", "b", "c"])))
    pipe = generator._pipe

    def fussy(**kwargs):
        if "b" in kwargs["prompt"]:
            raise RuntimeError("shape '[1, 2]' is invalid")
        return type(pipe).__call__(pipe, **kwargs)

    fussy.vae_scale_factor, fussy.transformer, fussy.tokenizer = (
        pipe.vae_scale_factor,
        pipe.transformer,
        pipe.tokenizer,
    )
    monkeypatch.setattr(generator, "_pipe", fussy)
    outcomes = generator.generate(requests_for(submission, ["a", "b", "c"]))
    assert [outcome.status for outcome in outcomes] == ["ok", "failed", "ok"]
    assert outcomes[1].reason == "RuntimeError: shape '[1, 2]' is invalid"
    np.testing.assert_array_equal(pixels([outcomes[0], outcomes[2]]), expected[[0, 2]])


@pytest.mark.parametrize(
    ("name", "owner", "method"),
    [
        ("FluxPipeline", "FluxTransformer2DModel", "compile_repeated_blocks"),
        ("StableDiffusion3Pipeline", "SD3Transformer2DModel", "compile"),
    ],
)
def test_compiling_takes_the_way_that_the_class_knows(
    name, owner, method, tiny_submission, monkeypatch
):
    calls = []
    kind = getattr(diffusers, owner)
    for each in ("compile_repeated_blocks", "compile"):
        monkeypatch.setattr(kind, each, lambda *_, each=each, **__: calls.append(each))
    generator = load_generator(tiny_submission(name), device="cpu", compile=True)
    assert calls == [method]
    assert generator.describe()["compile"] is True


def test_offloading_takes_the_place_of_moving(tiny_submission, monkeypatch):
    calls = []
    kind = diffusers.FluxPipeline
    monkeypatch.setattr(
        kind, "enable_model_cpu_offload", lambda _, device: calls.append(("offload", device))
    )
    monkeypatch.setattr(kind, "to", lambda *_: calls.append("to"))
    generator = load_generator(tiny_submission("FluxPipeline"), device="cuda", offload=True)
    assert calls == [("offload", "cuda")]
    assert (generator.describe()["offload"], generator.describe()["device"]) == (True, "cuda")


def test_glm_image_runs_alone_and_leaves_the_global_generator_as_it_was(
    tiny_submission, requests_for
):
    submission = tiny_submission("GlmImagePipeline")
    generator = load(submission, 4)
    assert generator.batch_size == 1
    state = torch.get_rng_state()
    pixels(generator.generate(requests_for(submission, ["a cat"])))
    assert torch.equal(torch.get_rng_state(), state)


def test_another_class_in_the_folder_is_refused(tiny_submission, tiny_folder):
    submission = tiny_submission("ZImagePipeline", repo=str(tiny_folder("Flux2KleinPipeline")))
    with pytest.raises(SpecError, match=r"holds a Flux2KleinPipeline.*Correct the pipeline\."):
        load(submission)
    with pytest.raises(SpecError, match=r"holds a Flux2KleinPipeline.*Correct the pipeline\."):
        check_held(submission)
    check_held(tiny_submission("Flux2KleinPipeline"))


def copied(folder: Path, to: Path) -> Path:
    import shutil

    return Path(shutil.copytree(folder, to))


def test_a_component_from_another_library_is_refused(tiny_submission, tiny_folder, tmp_path):
    folder = copied(tiny_folder("FluxPipeline"), tmp_path / "hostile")
    index = json.loads((folder / "model_index.json").read_text())
    index["vae"] = ["subprocess", "Popen"]
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(SpecError, match=r"comes from 'subprocess'.*Only classes of diffusers"):
        load(tiny_submission("FluxPipeline", repo=str(folder)))


def test_pickled_weights_are_not_opened(tiny_submission, tiny_folder, tmp_path):
    folder = copied(tiny_folder("FluxPipeline"), tmp_path / "pickled")
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(SpecError, match=r"vae holds pickled weights only .*never opened"):
        load(tiny_submission("FluxPipeline", repo=str(folder)))


def test_without_a_network_it_says_what_to_fetch(tiny_submission, monkeypatch, tmp_path):
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    revision = "0" * 40
    submission = tiny_submission("FluxPipeline", repo="me/model", revision=revision)
    with pytest.raises(BackendError) as caught:
        load(submission)
    assert str(caught.value) == (
        "tiny: me/model cannot be loaded (the Hub does not answer and it is not in the cache). "
        "Accept its terms and log in where it is gated, and where there is a network run: "
        f"hf download me/model --revision {revision}"
    )


def test_loading_draws_nothing_where_nobody_watches(tiny_submission, capfd):
    submission = tiny_submission("FluxPipeline")
    capfd.readouterr()
    load(submission)
    assert capfd.readouterr() == ("", "")


def test_a_device_that_is_not_there_is_named(tiny_submission):
    with pytest.raises(BackendError, match=r"device 'nowhere' cannot be used \(.*--device cpu"):
        load_generator(tiny_submission("FluxPipeline"), device="nowhere")


def test_a_replaced_transformer_is_the_one_that_draws(
    tiny_submission, tiny_folder, requests_for, tmp_path
):
    base = tiny_folder("FluxPipeline")
    transformer = diffusers.FluxTransformer2DModel.from_pretrained(base / "transformer")
    with torch.no_grad():
        transformer.proj_out.weight.mul_(-1)
    transformer.save_pretrained(tmp_path / "other" / "ckpt")
    file = "ckpt/diffusion_pytorch_model.safetensors"
    part = {"repo": str(tmp_path / "other"), "file": file}
    replaced = tiny_submission("FluxPipeline", transformer=part)
    whole = copied(base, tmp_path / "whole")
    transformer.save_pretrained(whole / "transformer")
    expected = tiny_submission("FluxPipeline", repo=str(whole))
    plain = tiny_submission("FluxPipeline")
    images = [
        pixels(load(each).generate(requests_for(each, ["a cat"])))
        for each in (replaced, expected, plain)
    ]
    np.testing.assert_array_equal(images[0], images[1])
    assert abs(images[0] - images[2]).max() > 1


def test_provenance_says_what_the_images_depend_on(tiny_submission, requests_for):
    submission = tiny_submission("StableDiffusionXLPipeline")
    generator = load(submission, 3)
    described = json.loads(json.dumps(generator.describe(), allow_nan=False))
    source = described["sources"]["model"]
    assert (source["repo"], source["revision"], source["local"]) == (submission.repo, None, True)
    assert described["settings"]["original"]["guidance_scale"] == 5.0
    assert described["versions"]["diffusers"] == diffusers.__version__
    assert (described["dtype"], described["batch_size"]) == ("float32", 3)
    (outcome,) = generator.generate(requests_for(submission, ["x" * 100], seed=7))
    assert outcome.provenance == {
        "seed": 7,
        "noise": "float32 on the CPU",
        "prompt_tokens": 102,
        "token_limit": 77,
        "batch": 1,
    }
