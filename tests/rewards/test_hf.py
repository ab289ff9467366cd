"""What else `hf:` reads: heads on image towers, SigLIP 2 in its own proportions, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from support import golden_weights as made

torch = pytest.importorskip("torch")

import transformers  # noqa: E402
from support.tiny_models import siglip_folder, spread_out, vlm_folder  # noqa: E402

from aas_bench.errors import InputError  # noqa: E402
from aas_bench.rewards.catalog import load_reward  # noqa: E402

PROMPTS = ["a red fox", "An UGLY, blurry chair", "a blue boat at night"]
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "patch_size": 16,
}


def classifier(folder, family, **settings):
    """A head on an image tower, saved with its image processor."""
    torch.manual_seed(0)
    if family == "siglip":
        config = transformers.SiglipConfig(vision_config={**TOWER, "image_size": 64}, **settings)
        kind, pixels = transformers.SiglipForImageClassification, transformers.SiglipImageProcessor
    else:
        config = transformers.ViTConfig(**TOWER, image_size=64, **settings)
        kind, pixels = transformers.ViTForImageClassification, transformers.ViTImageProcessor
    model = kind(config).eval()
    spread_out(model)
    model.save_pretrained(folder)
    pixels(size={"height": 64, "width": 64}).save_pretrained(folder)
    return model


@pytest.mark.parametrize("family", ["vit", "siglip"])
def test_a_head_of_one_output_is_its_logit(tmp_path, family):
    theirs = classifier(tmp_path, family, num_labels=1)
    model = load_reward(f"hf:{tmp_path}", device="cpu")
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    with torch.inference_mode():
        expected = theirs(**processor(made.images(), return_tensors="pt")).logits[:, 0].numpy()
    assert expected.std() > 0.1
    scores = model.score(made.images(), ["a"] * 4)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
    assert (scores == model.score(made.images(), ["an ugly chair"] * 4)).all()
    assert model.describe()["text"] == "not read"


def test_a_ddp_file_of_a_head_is_read_too(tmp_path):
    theirs = classifier(tmp_path, "vit", num_labels=1)
    expected = load_reward(f"hf:{tmp_path}", device="cpu").score(made.images(), ["a"] * 4)
    (tmp_path / "model.safetensors").unlink()
    state = {f"module.{name}": tensor for name, tensor in theirs.state_dict().items()}
    torch.save(state, tmp_path / "pytorch_model.bin")
    scores = load_reward(f"hf:{tmp_path}", device="cpu").score(made.images(), ["a"] * 4)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)


def test_a_head_of_several_outputs_says_how_to_choose(tmp_path):
    classifier(tmp_path, "vit", id2label={0: "poor", 1: "fair", 2: "good", 3: "fine"})
    with pytest.raises(
        InputError, match=r"4 outputs \(poor, fair, good, \.\.\.\).*num_labels=1.*module:factory"
    ):
        load_reward(f"hf:{tmp_path}", device="cpu")


def test_a_head_without_its_tensors_is_refused(tmp_path):
    theirs = classifier(tmp_path, "vit", num_labels=1)
    theirs.vit.save_pretrained(tmp_path / "tower")
    (tmp_path / "tower" / "model.safetensors").replace(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"does not fit the model: \d+ missing \(classifier\."):
        load_reward(f"hf:{tmp_path}", device="cpu")


def naflex(folder):
    siglip_folder(folder, "safetensors")  # for its tokenizer
    for name in ("model.safetensors", "config.json", "preprocessor_config.json"):
        (folder / name).unlink()
    torch.manual_seed(0)
    text = {k: v for k, v in TOWER.items() if k != "patch_size"}
    model = transformers.Siglip2Model(
        transformers.Siglip2Config(
            text_config={**text, "vocab_size": 300, "projection_size": 32},
            vision_config={**TOWER, "num_patches": 16},
        )
    ).eval()
    spread_out(model)
    model.save_pretrained(folder)
    transformers.Siglip2ImageProcessor(max_num_patches=16, patch_size=16).save_pretrained(folder)
    return model


def test_siglip2_naflex_is_transformers_logits(tmp_path):
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    theirs = naflex(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = tokenizer(
        PROMPTS, padding="max_length", max_length=64, padding_side="right", return_tensors="pt"
    )["input_ids"]
    pixels = Siglip2ImageProcessorPil.from_pretrained(tmp_path)(made.images(), return_tensors="pt")
    with torch.inference_mode():
        expected = theirs(input_ids=text, **pixels).logits_per_image.numpy()
    assert expected.std() > 0.1
    model = load_reward(f"hf:{tmp_path}", device="cpu")
    ours = np.array([[model.score([i], [p])[0] for p in PROMPTS] for i in made.images()])
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)
    strips = [Image.new("RGB", size, "red") for size in [(1, 1), (3, 500), (2000, 9)]]
    assert np.isfinite(model.score(strips, PROMPTS)).all()
    assert model.describe()["image"]["max_num_patches"] == 16


def test_a_vision_language_model_is_told_its_two_ways(tmp_path):
    vlm_folder(tmp_path)
    with pytest.raises(
        InputError,
        match=r"'qwen2_5_vl' model .*hf: cannot score.*says yes write vlm-yes:.*vlm:SETTINGS\.yaml",
    ):
        load_reward(f"hf:{tmp_path}", device="cpu")
    assert load_reward(f"vlm-yes:{tmp_path}", device="cpu").name == f"vlm-yes:{tmp_path}"


@pytest.mark.parametrize("spoil", ["preprocessor_config.json", "config.json"])
def test_a_broken_head_is_told_in_one_line(tmp_path, spoil):
    classifier(tmp_path, "vit", num_labels=1)
    told = json.loads((tmp_path / spoil).read_text())
    told["image_processor_type" if spoil.startswith("pre") else "hidden_act"] = "wiggle"
    (tmp_path / spoil).write_text(json.dumps(told))
    with pytest.raises(InputError, match=r"wiggle|describes no image processor") as raised:
        load_reward(f"hf:{tmp_path}", device="cpu")
    assert "\n" not in str(raised.value)
