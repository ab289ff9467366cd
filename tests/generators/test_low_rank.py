# ruff: noqa: E402 - what needs torch is imported once it is known to be there
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")
peft = pytest.importorskip("peft")

from safetensors.torch import load_file, save_file

from aas_bench.errors import BackendError, SpecError
from aas_bench.generators.load import load_generator

NAME = "StableDiffusion3Pipeline"
RANK, ALPHA = 4, 8


@pytest.fixture
def peft_folder(tiny_folder, tmp_path):
    """A trained-looking adapter in peft's format on the tiny transformer."""
    transformer = diffusers.SD3Transformer2DModel.from_pretrained(tiny_folder(NAME) / "transformer")
    config = peft.LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules=["to_q", "to_v"], init_lora_weights=False
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        peft.get_peft_model(transformer, config).save_pretrained(tmp_path / "peft")
    return tmp_path / "peft"


def load(tiny_submission, **adapter):
    return load_generator(tiny_submission(NAME, adapters=[adapter]), device="cpu")


def weights(generator):
    return generator._pipe.transformer.state_dict()


def base_weights(tiny_folder):
    return load_file(tiny_folder(NAME) / "transformer" / "diffusion_pytorch_model.safetensors")


def assert_merged(merged, base, low_rank, scale):
    """Every adapted weight is W + scale B A, every other one is untouched."""
    changed = set()
    for name, weight in base.items():
        a = low_rank.get(name.replace(".weight", ".lora_A.weight"))
        if a is None:
            assert torch.equal(merged[name], weight), name
            continue
        b = low_rank[name.replace(".weight", ".lora_B.weight")]
        torch.testing.assert_close(merged[name], weight + scale * b @ a)
        changed.add(name)
    assert changed


def test_peft_adapters_are_merged_with_their_own_strength(
    tiny_submission, tiny_folder, peft_folder, requests_for
):
    generator = load(tiny_submission, repo=str(peft_folder), format="peft")
    saved = load_file(peft_folder / "adapter_model.safetensors")
    low_rank = {name.removeprefix("base_model.model."): each for name, each in saved.items()}
    assert_merged(weights(generator), base_weights(tiny_folder), low_rank, ALPHA / RANK)
    plain = load_generator(tiny_submission(NAME), device="cpu")
    images = [
        np.asarray(each.generate(requests_for(each.submission, ["a cat"]))[0].image).astype(int)
        for each in (generator, plain)
    ]
    assert abs(images[0] - images[1]).max() > 1


def test_lora_files_are_fused_with_the_scale_asked_for(
    tiny_submission, tiny_folder, peft_folder, tmp_path
):
    saved = load_file(peft_folder / "adapter_model.safetensors")
    low_rank = {name.removeprefix("base_model.model."): each for name, each in saved.items()}
    diffusers.StableDiffusion3Pipeline.save_lora_weights(
        tmp_path / "lora", transformer_lora_layers=low_rank
    )
    generator = load(
        tiny_submission,
        repo=str(tmp_path / "lora"),
        file="pytorch_lora_weights.safetensors",
        format="lora",
        scale=0.5,
    )
    assert_merged(weights(generator), base_weights(tiny_folder), low_rank, 0.5)


def test_merging_rounds_once_to_the_precision_of_the_weights(
    tiny_submission, tiny_folder, peft_folder
):
    adapter = {"repo": str(peft_folder), "format": "peft"}
    submission = tiny_submission(NAME, dtype="bfloat16", adapters=[adapter])
    merged = weights(load_generator(submission, device="cpu"))
    saved = load_file(peft_folder / "adapter_model.safetensors")
    name = "transformer_blocks.0.attn.to_q.weight"
    stem = f"base_model.model.{name.removesuffix('.weight')}"
    product = saved[f"{stem}.lora_B.weight"] @ saved[f"{stem}.lora_A.weight"]
    exact = base_weights(tiny_folder)[name].bfloat16().float() + ALPHA / RANK * product
    assert merged[name].dtype == torch.bfloat16
    assert torch.equal(merged[name], exact.bfloat16())


def test_a_peft_folder_given_as_lora_changes_nothing_and_is_refused(tiny_submission, peft_folder):
    with pytest.raises(SpecError, match=r"changed no weight of the transformer.*format peft"):
        load(
            tiny_submission,
            repo=str(peft_folder),
            file="adapter_model.safetensors",
            format="lora",
        )


def test_an_untrained_adapter_is_refused(tiny_submission, peft_folder):
    path = peft_folder / "adapter_model.safetensors"
    saved = load_file(path)
    save_file({k: v * 0 if "lora_B" in k else v for k, v in saved.items()}, path)
    with pytest.raises(SpecError, match=r"changed no weight.*Check that it is trained"):
        load(tiny_submission, repo=str(peft_folder), format="peft")


def test_pickled_adapters_are_not_opened(tiny_submission, peft_folder):
    path = peft_folder / "adapter_model.safetensors"
    torch.save(load_file(path), peft_folder / "adapter_model.bin")
    path.unlink()
    with pytest.raises(SpecError, match=r"has no adapter_model\.safetensors\. Is it of format"):
        load(tiny_submission, repo=str(peft_folder), format="peft")


def test_an_adapter_of_another_shape_is_told_apart(tiny_submission, peft_folder):
    path = peft_folder / "adapter_model.safetensors"
    saved = load_file(path)
    save_file({k: v[:, :-1].contiguous() for k, v in saved.items()}, path)
    with pytest.raises(BackendError, match=r"cannot be merged"):
        load(tiny_submission, repo=str(peft_folder), format="peft")
