# ruff: noqa: E402 - what needs torch is imported once it is known to be there
"""Folders as strangers have them: what loads passes the check, what would not is told before."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from aas_bench.errors import SpecError
from aas_bench.generators.load import load_generator
from aas_bench.generators.model_index import check_held

NAME = "FluxPipeline"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def pipe(tiny_folder):
    return diffusers.FluxPipeline.from_pretrained(tiny_folder(NAME))


@pytest.fixture
def image(tiny_submission, requests_for):
    """The pixels that a folder's weights draw."""

    def drawn(folder, **fields):
        submission = tiny_submission(NAME, repo=str(folder), **fields)
        check_held(submission)
        generator = load_generator(submission, device="cpu")
        (outcome,) = generator.generate(requests_for(submission, ["a cat"]))
        return np.asarray(outcome.image)

    return drawn


@pytest.fixture
def refused(tiny_submission):
    """The line that a folder is refused with, by the check and by a run alike."""

    def line(folder, **fields):
        submission = tiny_submission(NAME, repo=str(folder), **fields)
        with pytest.raises(SpecError) as caught:
            check_held(submission)
        with pytest.raises(SpecError, match=r".") as later:
            load_generator(submission, device="cpu")
        assert str(later.value) == str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return line


@pytest.fixture
def copy(tiny_folder, tmp_path):
    """A copy of the tiny folder that a test may damage."""
    return shutil.copytree(tiny_folder(NAME), tmp_path / "copy")


def edited(folder, **changes):
    file = folder / "model_index.json"
    index = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({name: each for name, each in index.items() if each != "gone"}))
    return folder


def snapshot(folder, to):
    """The layout of the Hub's cache: links into blobs."""
    place, blobs = to / "snapshots" / COMMIT, to / "blobs"
    blobs.mkdir(parents=True)
    for number, file in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        link = place / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, blobs / str(number))
        link.symlink_to(blobs / str(number))
    return place


def test_snapshots_shards_and_variants_load_and_draw_the_same(pipe, image, tiny_folder, tmp_path):
    plain = image(tiny_folder(NAME))
    pipe.save_pretrained(tmp_path / "sharded", max_shard_size="20KB")
    pipe.save_pretrained(tmp_path / "fp16", variant="fp16")
    pipe.save_pretrained(tmp_path / "both", variant="fp16", max_shard_size="20KB")
    assert (tmp_path / "both/vae/diffusion_pytorch_model.safetensors.index.fp16.json").is_file()
    np.testing.assert_array_equal(image(snapshot(tiny_folder(NAME), tmp_path / "hub")), plain)
    np.testing.assert_array_equal(image(tmp_path / "sharded"), plain)
    for folder in ("fp16", "both"):  # the files have the name alone; their numbers are float32
        np.testing.assert_array_equal(image(tmp_path / folder, weights_variant="fp16"), plain)


def test_a_precision_that_is_not_there_is_named(pipe, refused, tiny_folder, tmp_path):
    pipe.save_pretrained(tmp_path / "fp16", variant="fp16")
    assert "vae holds fp16 files only; set weights_variant: fp16" in refused(tmp_path / "fp16")
    said = refused(tiny_folder(NAME), weights_variant="fp16")
    assert "weights_variant is fp16, and no component holds such files; leave it out" in said


def test_missing_shards_and_dangling_links_are_counted(pipe, refused, tiny_folder, tmp_path):
    pipe.save_pretrained(tmp_path / "sharded", max_shard_size="20KB")
    for file in sorted((tmp_path / "sharded" / "transformer").glob("*.safetensors"))[:5]:
        file.unlink()
    said = refused(tmp_path / "sharded")
    assert "transformer lacks 5 of its files (diffusion_pytorch_model-00001-of-" in said
    place = snapshot(tiny_folder(NAME), tmp_path / "hub")
    (place / "vae" / "diffusion_pytorch_model.safetensors").resolve().unlink()
    assert "vae lacks 1 of its files (diffusion_pytorch_model.safetensors)" in refused(place)
    (place / "model_index.json").resolve().unlink()
    assert "is a link to a file that is gone" in refused(place)


def test_the_root_of_the_cache_leads_to_its_snapshot(refused, tiny_folder, tmp_path):
    snapshot(tiny_folder(NAME), tmp_path / "models--me--x")
    assert refused(tmp_path / "models--me--x").endswith(f"models--me--x/snapshots/{COMMIT}.")


def test_low_rank_weights_alone_need_a_base(refused, pipe, tmp_path):
    (tmp_path / "peft").mkdir()
    (tmp_path / "peft" / "adapter_config.json").write_text("{}")
    assert "under adapters with format peft" in refused(tmp_path / "peft")
    low_rank = {"blocks.0.lora_A.weight": torch.ones(1, 2)}
    pipe.save_lora_weights(tmp_path / "lora", transformer_lora_layers=low_rank)
    assert "under adapters with format lora" in refused(tmp_path / "lora")


def test_a_single_file_is_told_how_to_become_a_folder(refused, tiny_folder, tmp_path):
    file = tmp_path / "flux.safetensors"
    shutil.copy(tiny_folder(NAME) / "transformer" / "diffusion_pytorch_model.safetensors", file)
    mend = 'FluxPipeline.from_single_file("flux.safetensors").save_pretrained("FOLDER")'
    assert mend in refused(file)
    assert mend in refused(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"_class_name": ["pipeline", "MyPipeline"]}, "brings its own pipeline (MyPipeline). Code"),
        ({"_class_name": "MyPipeline"}, "which the installed diffusers does not have. Code of a"),
        ({"_class_name": "FluxFillPipeline"}, "holds a FluxFillPipeline. It would load and draw"),
        ({"_class_name": "gone"}, "names no class"),
        ({"vae": ["my_vae", "MyVAE"]}, "comes from 'my_vae'. Only classes of diffusers and"),
        ({"vae": ["../vae", "MyVAE"]}, "comes from '../vae'"),
        ({"vae": "gone"}, "has no vae, which FluxPipeline needs"),
        ({"extra": ["diffusers", "AutoencoderKL"]}, "names extra, and there is no folder extra"),
    ],
)
def test_what_the_index_says_otherwise_is_told(changes, said, refused, copy):
    for code in ("pipeline.py", "my_vae.py", "vae/my_vae.py"):
        (copy / code).write_text("raise SystemExit('code of a repository was run')\n")
    assert said in refused(edited(copy, **changes))


def test_code_that_nothing_names_is_left_alone(image, copy, tiny_folder):
    (copy / "pipeline.py").write_text("raise SystemExit('code of a repository was run')\n")
    np.testing.assert_array_equal(image(copy), image(tiny_folder(NAME)))


def test_other_folders_are_told_apart(refused, copy, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "holds no model_index.json" in refused(tmp_path / "empty")
    assert "does not exist" in refused(tmp_path / "nowhere")
    assert "is one component" in refused(copy / "vae")
    (tmp_path / "empty" / "modular_model_index.json").write_text("{}")
    assert "modular pipeline" in refused(tmp_path / "empty")
    (copy / "model_index.json").write_text("[")
    assert "is not readable JSON" in refused(copy)


def test_a_replaced_transformer_need_not_be_in_the_folder(image, copy, tmp_path):
    shutil.move(copy / "transformer", tmp_path / "other")
    shutil.copytree(tmp_path / "other", copy / "transformer")
    (copy / "transformer" / "diffusion_pytorch_model.safetensors").unlink()
    part = {"repo": str(tmp_path / "other"), "file": "diffusion_pytorch_model.safetensors"}
    assert image(copy, transformer=part).shape == (32, 32, 3)
