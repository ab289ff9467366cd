"""Low-rank adapters written by peft: merged, and proved to have changed something."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from support import golden_weights as made

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")

import transformers  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from support.tiny_models import clip_folder  # noqa: E402
from support.tiny_shapes import CLIP  # noqa: E402

from aas_bench.errors import InputError  # noqa: E402
from aas_bench.rewards.catalog import load_reward  # noqa: E402
from aas_bench.rewards.clip import load_pickscore  # noqa: E402

PROMPTS = ["a red fox", "An UGLY, blurry chair", "a blue boat at night"]
CONFIG = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "fc1"]}


def table(model):
    return np.array([[model.score([i], [p])[0] for p in PROMPTS] for i in made.images()])


def trained(folder, base, **settings):
    """An adapter whose matrices have moved, as a trainer saves it; and the model it was part of."""
    torch.manual_seed(1)
    model = transformers.CLIPModel.from_pretrained(base)
    model = peft.get_peft_model(model, peft.LoraConfig(**CONFIG | settings))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                parameter.normal_(0, 0.05)
    model.save_pretrained(folder)
    return model.eval()


def their_logits(model, base):
    """The library's own forward pass, the adapter beside the weights."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    text = transformers.AutoTokenizer.from_pretrained(base)(
        PROMPTS, padding=True, return_tensors="pt"
    )
    pixels = CLIPImageProcessorPil()(made.images(), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        return model(**text, pixel_values=pixels).logits_per_image.numpy()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return clip_folder(tmp_path_factory.mktemp("base"), "safetensors")


@pytest.mark.parametrize(
    "settings",
    [{}, {"use_dora": True}, {"modules_to_save": ["visual_projection"]}],
    ids=["lora", "dora", "with a whole layer"],
)
def test_an_adapter_scores_as_peft_does(base, tmp_path, settings):
    model = trained(tmp_path, base, **settings)
    unmerged = their_logits(model, base)
    theirs = their_logits(model.merge_and_unload(), base)
    assert json.loads((tmp_path / "adapter_config.json").read_text())[
        "base_model_name_or_path"
    ] == str(base)
    ours = load_reward(f"hf:{tmp_path}", device="cpu")
    # 1e-6 of a cosine. Logits are up to 100 times as large and step by 4e-6 in float32: sums in
    # another order differ by 2e-5, the library's merged and unmerged pass too.
    scale = model.logit_scale.exp().item()
    for logits in (theirs, unmerged):
        np.testing.assert_allclose(table(ours) / scale, logits / scale, rtol=0, atol=1e-6)
    plain = load_reward(f"hf:{base}", device="cpu")
    assert np.abs(table(plain) - theirs).max() > 0.01
    assert ours.describe()["weights"] != plain.describe()["weights"]
    assert "adapter_model.safetensors" in ours.describe()["weights"]["adapter"]


def test_a_base_beside_the_adapter_is_taken(base, tmp_path):
    theirs = their_logits(trained(tmp_path, base).merge_and_unload(), base)
    shutil.copytree(base, tmp_path, dirs_exist_ok=True)
    told = json.loads((tmp_path / "adapter_config.json").read_text())
    told["base_model_name_or_path"] = "/on/another/machine"
    (tmp_path / "adapter_config.json").write_text(json.dumps(told))
    for spec in (tmp_path, f"hf:{tmp_path / 'adapter_model.safetensors'}"):
        np.testing.assert_allclose(
            table(load_reward(spec, device="cpu")), theirs, rtol=1e-5, atol=1e-5
        )


def test_a_row_takes_an_adapter_of_its_base(base, tmp_path, monkeypatch):
    monkeypatch.setitem(load_pickscore.__kwdefaults__, "architecture", CLIP)
    model = trained(tmp_path / "lora", base)
    model.merge_and_unload().save_pretrained(tmp_path / "merged")
    ours, whole = (
        load_reward(f"pickscore:{tmp_path / name}", device="cpu") for name in ("lora", "merged")
    )
    np.testing.assert_allclose(table(ours), table(whole), rtol=1e-5, atol=1e-5)


def elsewhere(folder, base):
    told = json.loads((folder / "adapter_config.json").read_text())
    told["base_model_name_or_path"] = "/on/another/machine"
    (folder / "adapter_config.json").write_text(json.dumps(told))


def untrained(folder, base):
    path = folder / "adapter_model.safetensors"
    state = load_file(path)
    save_file({n: torch.zeros_like(t) if "lora_B" in n else t for n, t in state.items()}, path)


def other_targets(folder, base):
    told = json.loads((folder / "adapter_config.json").read_text())
    told["target_modules"] = ["c_attn"]
    (folder / "adapter_config.json").write_text(json.dumps(told))


def fewer_targets(folder, base):
    told = json.loads((folder / "adapter_config.json").read_text())
    told["target_modules"] = ["q_proj"]
    (folder / "adapter_config.json").write_text(json.dumps(told))


def lost_tensors(folder, base):
    path = folder / "adapter_model.safetensors"
    state = load_file(path)
    save_file(dict(list(state.items())[2:]), path)


FAULTS = {
    "a base that is not here": (
        elsewhere,
        r"adapter of '/on/another/machine', which is not here\.",
    ),
    "no tensor changed": (untrained, r"changes nothing: merged into \d+ layers of .* later step"),
    "other layers": (other_targets, r"does not fit its base .*c_attn.*trained on"),
    "tensors of other layers": (
        fewer_targets,
        r"\d+ tensors stand in only one of them .*merge_and",
    ),
    "tensors lost": (lost_tensors, r"2 tensors stand in only one of them"),
    "no weights": (
        lambda folder, base: (folder / "adapter_model.safetensors").unlink(),
        r"but no adapter_model\.safetensors\. Copy it there",
    ),
    "damaged": (
        lambda folder, base: (folder / "adapter_model.safetensors").write_bytes(b"noise"),
        "does not fit its base",
    ),
    "no JSON": (
        lambda folder, base: (folder / "adapter_config.json").write_text("{oops"),
        "is no JSON",
    ),
    "an empty config": (
        lambda folder, base: (folder / "adapter_config.json").write_text("{}"),
        "adapter of None, which is not here",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_adapter_that_cannot_be_merged_is_told_in_one_line(base, tmp_path, fault):
    trained(tmp_path, base)
    spoil, message = FAULTS[fault]
    spoil(tmp_path, base)
    with pytest.raises(InputError, match=message) as raised:
        load_reward(f"hf:{tmp_path}", device="cpu")
    assert "\n" not in str(raised.value)


def test_where_adapters_are_not_merged_the_way_is_told(base, tmp_path):
    trained(tmp_path, base)
    with pytest.raises(InputError, match=r"merge_and_unload\(\), then save_pretrained"):
        load_reward(f"image-reward:{tmp_path}", device="cpu")


def test_a_base_on_the_hub_is_fetched_at_the_rows_commit_or_its_newest(base, tmp_path, monkeypatch):
    from aas_bench.rewards import hf, lora
    from aas_bench.rewards.catalog import REWARDS
    from aas_bench.rewards.fetch import Obtained

    trained(tmp_path, base)
    official = REWARDS["pickscore"].weights
    for named in (official.repo, "some/clip"):
        told = json.loads((tmp_path / "adapter_config.json").read_text())
        told["base_model_name_or_path"] = named
        (tmp_path / "adapter_config.json").write_text(json.dumps(told))
        weights, local = lora.based_on(lora.adapter_in(tmp_path), official)
        assert local is None
        assert (weights.repo, weights.file) == (named, "model.safetensors")
        assert weights.revision == (official.revision if named == official.repo else None)
    asked = []

    def fetched(repo, revision, name):
        asked.append((repo, revision))
        return Obtained(path=base, identity={"repo": repo, "revision": "abc"})

    monkeypatch.setattr(hf, "_from_hub", fetched)
    told = load_reward(tmp_path, device="cpu").describe()["weights"]
    assert asked == [("some/clip", None)]
    assert told["repo"] == "some/clip"
    assert "adapter_model.safetensors" in told["adapter"]
