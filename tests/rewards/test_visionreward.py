"""VisionReward's parts, held to what the official code computed, and what faulty files tell."""

from __future__ import annotations

import json
import os
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from support import golden_weights as made

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402
from support import tiny_models, tiny_tokenizers  # noqa: E402

from aas_bench.checks.check_reward import check_reward  # noqa: E402
from aas_bench.errors import BackendError, InputError  # noqa: E402
from aas_bench.rewards import cogvlm2, sat, visionreward  # noqa: E402
from aas_bench.rewards.catalog import REWARDS, load_reward  # noqa: E402
from aas_bench.rewards.weights import unfilled  # noqa: E402

GOLDEN = made.golden("visionreward")
ROW = REWARDS["visionreward"]
PUBLISHED = {
    "num_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_multi_query_heads": 8,
    "inner_hidden_size": 14336,
    "vocab_size": 128256,
    "use_bias": False,
    "image_length": 2304,
    "eva_args": {
        "num_layers": 63,
        "hidden_size": 1792,
        "num_attention_heads": 16,
        "inner_hidden_size": 15360,
        "image_size": [1344, 1344],
        "patch_size": 14,
        "use_final_layernorm": False,
    },
}

WITH_LAST_NORM = GOLDEN["config"]["eva_args"] | {"use_final_layernorm": True}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_models.visionreward_row(tmp_path_factory.mktemp("tiny"), "safetensors")


@pytest.fixture(scope="module")
def pixels(model):
    return [model.preprocess(image).asked for image in made.images()]


def spelled(answers):
    return "".join(str(int(yes)) for yes in answers)


def test_pixels_are_the_official_ones(pixels):
    for tensor, told in zip(pixels, GOLDEN["checks"]["pixels"], strict=True):
        assert list(tensor.shape) == told["shape"]
        found = [tensor.mean(), tensor.std(correction=0), tensor.min(), tensor.max()]
        expected = [told[name] for name in ("mean", "std", "min", "max")]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_every_answer_is_the_official_one(model, pixels):
    assert [spelled(model.answers(image)) for image in pixels] == GOLDEN["checks"]["answers"]


@pytest.mark.parametrize("question", [0, 12, 29])
def test_the_first_token_of_an_answer_has_the_official_logits(model, pixels, question):
    for image, expected in zip(
        pixels, GOLDEN["checks"]["first_logits_first4"][str(question)], strict=True
    ):
        with torch.inference_mode():
            branches = model._model.looked(image, model._begin)
            states = branches.read(dict(enumerate(model._asked)))
            logits = model._model.lm_head(states[question])
        np.testing.assert_allclose(logits[:4], expected, atol=2e-6)


def test_a_question_is_answered_alike_alone_and_among_others(model, pixels):
    with torch.inference_mode():
        together = model._model.looked(pixels[3], model._begin)
        first = together.read(dict(enumerate(model._asked)))
        second = together.read({7: [65], 2: [66]})
        for question in (2, 7):
            alone = model._model.looked(pixels[3], model._begin)
            at_first = alone.read({0: model._asked[question]})[0]
            torch.testing.assert_close(at_first, first[question])
            after = alone.read({0: [65 if question == 7 else 66]})[0]
            torch.testing.assert_close(after, second[0 if question == 7 else 1])


@pytest.mark.parametrize(
    ("written", "verdict"),
    [
        ([" yes"], None),
        ([" yes", "<|end_of_text|>"], True),
        ([" ", "y"], None),
        ([" ", "yes", "<|end_of_text|>"], True),
        ([" yes", " ", "<|end_of_text|>"], False),
        ([" yes", " yes"], False),
        ([" no"], False),
        (["Y"], False),
        (["<|end_of_text|>"], False),
        ([" "] * 8, False),
    ],
)
def test_only_yes_and_the_end_is_a_yes(model, written, verdict):
    ids = []
    for text in written:
        ids += tiny_tokenizers.llama3().encode(text, add_special_tokens=False).ids
    assert model._verdict(ids) is verdict


def test_the_checklist_adds_up_as_the_official_one_for_every_answer_there_is(model):
    """Official: one sum over 28 weights, in which masks stand for no weight."""
    asked = visionreward.official_checklist()
    assert len(asked.questions) == 30
    assert all("{" not in question for question in asked.questions)
    rng = np.random.default_rng(0)
    for answers in rng.integers(0, 2, (50, 30)):
        reward = [1 if yes else -1 for yes in answers]
        for mask, features in {0: (22, 23, 24, 28, 29), 1: (25, 26), 2: (27,)}.items():
            for feature in features:
                reward[feature] *= int(reward[mask] > 0)
        expected = np.dot(reward[3:], asked.weights[3:])
        assert asked.value(answers.astype(bool)) == pytest.approx(expected, abs=1e-12)
    low, high = ROW.score_range
    most = sum(asked.weights)
    assert low <= -most <= low + 0.01
    assert high - 0.01 <= most + asked.alignment <= high


def test_the_published_sizes_give_the_published_bytes():
    """ModelScope lists 36.3 and 72.7 GB, in bfloat16 and float32."""
    sizes = cogvlm2.sizes_of(PUBLISHED, "model_config.json")
    with unfilled():
        network = cogvlm2.CogVlm2(sizes)
    bytes_in_half = 2 * sum(p.numel() for p in network.parameters())
    assert round(bytes_in_half / 2**30, 1) == 36.3
    assert round(2 * bytes_in_half / 2**30, 1) == 72.7
    assert all(parameter.is_meta for parameter in network.parameters())
    assert ROW.weights.size == pytest.approx(bytes_in_half, rel=1e-3)


def test_check_reward_finds_nothing_wrong(model):
    found = check_reward(model)
    assert found.passed, str(found)
    outcomes = {finding.probe: finding.outcome for finding in found.findings}
    assert {outcomes[probe] for probe in ("finite", "prompt", "batch", "repeat")} == {"pass"}


def test_the_description_tells_weights_checklist_and_alignment(model):
    told = model.describe()
    assert set(told["weights"]["sha256"]) == {"model_config.json", "model.safetensors"}
    assert told["alignment"]["name"] == "vqascore"
    fewer = replace(model._checklist, alignment=1.0)
    changed = visionreward.VisionReward(
        name="visionreward",
        model=model._model,
        tokenizer=model._tokenizer,
        alignment=model._alignment,
        checklist=fewer,
        transform=model._transform,
        device="cpu",
        identity=model._identity,
    )
    assert changed.describe() != told


# What lies in the folder


def unpacked(folder):
    """As `tar -x` leaves it: a folder of any name."""
    tiny_models.sat_folder(folder / "anything")
    return folder


@pytest.mark.parametrize("make", [tiny_models.sat_archive, tiny_models.sat_folder, unpacked])
def test_archive_and_folders_hold_the_same_tensors(tmp_path, make):
    found = sat.checkpoint(ROW, local=make(tmp_path))
    expected = tiny_models.sat_state()
    assert set(found.state) == set(expected)
    assert found.settings == GOLDEN["config"]
    for name, tensor in expected.items():
        assert found.state[name].shape == tensor.shape
        assert torch.equal(found.state[name].tensor("cpu", torch.float32), tensor)


@pytest.mark.parametrize("lost", ["a", "b", "c"])
def test_a_lost_part_is_told_in_one_line(tmp_path, lost):
    tiny_models.sat_archive(tmp_path)
    (tmp_path / "ckpts" / f"split_part_a{lost}").unlink()
    with pytest.raises(InputError, match=r"^[^\n]*(Download|unpack)[^\n]*$"):
        sat.checkpoint(ROW, local=tmp_path)


class Malicious:
    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return os.mkdir, (str(self.proof),)


@pytest.mark.parametrize("packed", [False, True])
def test_code_in_a_checkpoint_is_refused_and_not_run(tmp_path, packed):
    proof, folder = tmp_path / "it ran", tmp_path / "checkpoint"
    tiny_models.sat_folder(folder)
    file = folder / "1" / "mp_rank_00_model_states.pt"
    torch.save({"module": {"a": torch.zeros(2)}, "b": Malicious(proof)}, file)
    if packed:
        (tmp_path / "packed").mkdir()
        with tarfile.open(tmp_path / "packed" / "whole.tar", "w") as archive:
            archive.add(folder, "checkpoint")
        folder = tmp_path / "packed"
    with pytest.raises(InputError, match=r"mkdir.*could run code"):
        sat.checkpoint(ROW, local=folder)
    assert not proof.exists()


def test_an_empty_folder_says_what_belongs_there(tmp_path):
    with pytest.raises(InputError, match=r"neither model_config\.json nor an archive.*Give the"):
        load_reward(f"visionreward:{tmp_path}", device="cpu")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"eva_args": None}, "does not describe CogVLM2"),
        ({"num_layers": "many"}, "does not describe CogVLM2"),
        ({"image_length": 17}, "describes another model"),
        ({"layernorm_order": "post"}, "describes another model"),
        ({"num_layers": 3}, r"does not fit the model: \d+ missing"),
        ({"eva_args": WITH_LAST_NORM}, r"2 missing \(tower\.final_layernorm"),
        ({"hidden_size": 64}, "of another shape"),
    ],
)
def test_settings_of_something_else_are_told(tmp_path, change, told):
    tiny_models.visionreward_row(tmp_path, "safetensors")
    settings = tmp_path / "model_config.json"
    settings.write_text(json.dumps(GOLDEN["config"] | change))
    with pytest.raises(InputError, match=told):
        tiny_models.load_row("visionreward", tmp_path)


def changed(folder, change):
    """A tiny model whose tensors were changed in its file."""
    tiny_models.visionreward_row(folder, "safetensors")
    state = tiny_models.sat_state()
    change(state)
    save_file(state, folder / "model.safetensors")
    told = made.golden("vqascore")["config"]
    architecture = {"text_config": told["text"], "vision_config": told["vision"]}
    return tiny_models.load_row("visionreward", folder, architecture=architecture)


def test_what_the_official_loader_leaves_out_or_makes_is_no_fault(tmp_path, pixels, caplog):
    def change(state):
        del state["mixins.rotary.rotary_emb.inv_freq"]
        state["mixins.other.weight"] = torch.zeros(2)

    model = changed(tmp_path, change)
    assert spelled(model.answers(pixels[3])) == GOLDEN["checks"]["answers"][3]
    assert "left out what is not of the network: mixins.other.weight" in caplog.text


def test_a_layer_too_many_is_told(tmp_path):
    name = "transformer.layers.2.input_layernorm.weight"
    with pytest.raises(InputError, match=r"1 unexpected \(layers\.2\.input_layernorm"):
        changed(tmp_path, lambda state: state.update({name: torch.zeros(32)}))


def test_another_tokenizer_is_told(tmp_path):
    tiny_models.visionreward_row(tmp_path, "safetensors")
    tiny_tokenizers.qwen().backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    told = made.golden("vqascore")["config"]
    architecture = {"text_config": told["text"], "vision_config": told["vision"]}
    with pytest.raises(InputError, match="the tokenizer is not Llama 3's"):
        tiny_models.load_row("visionreward", tmp_path, architecture=architecture)


@pytest.mark.usefixtures("offline")
def test_without_vqascore_the_folder_for_it_is_told(tmp_path):
    tiny_models.visionreward_row(tmp_path, "safetensors")
    (tmp_path / "clip-flant5-xxl").rename(tmp_path / "elsewhere")
    told = r"hf download zhiqiulin/clip-flant5-xxl .*beside the weights, as folder clip-flant5-xxl"
    with pytest.raises(BackendError, match=told):
        load_reward(f"visionreward:{tmp_path}", device="cpu")
