"""Weights are found, refused and checked as a careful person would."""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
import types

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402
from support import golden_weights as made  # noqa: E402
from support.tiny_models import load_row  # noqa: E402
from support.tiny_shapes import MPS, OPEN_CLIP, PATCH, TEXT, VISION, tensors  # noqa: E402

from aas_bench.errors import InputError  # noqa: E402
from aas_bench.rewards import weights as w  # noqa: E402
from aas_bench.rewards.facts import Weights  # noqa: E402

LOCAL = Weights(repo=None, file="model.safetensors")


class Malicious:
    """A pickle that makes a folder when it is opened the careless way."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return (os.mkdir, (str(self.proof),))


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pickle_that_carries_code_is_refused_and_not_run(tmp_path, zipped):
    proof, file = tmp_path / "it ran", tmp_path / "hpc.pth"
    state = {"state_dict": {"a": torch.zeros(2), "b": Malicious(proof)}}
    torch.save(state, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"mkdir.*could run code.*Give a safetensors file"):
        load_row("hps", file, architecture=OPEN_CLIP)
    assert not proof.exists()
    torch.load(file, weights_only=False)  # the file is as malicious as it claims
    assert proof.exists()


def test_a_plain_pickle_that_carries_code_is_refused_and_not_run(tmp_path):
    proof, file = tmp_path / "it ran", tmp_path / "hpc.pth"
    file.write_bytes(pickle.dumps(Malicious(proof), protocol=2))
    with pytest.raises(InputError, match=r"Give a safetensors file|Download it again"):
        load_row("hps", file, architecture=OPEN_CLIP)
    assert not proof.exists()


def test_a_module_that_carries_code_is_refused_and_not_run(tmp_path):
    proof, file = tmp_path / "it ran", tmp_path / "MPS_overall_checkpoint.pth"
    torch.save({"model": Malicious(proof)}, file)
    with pytest.raises(InputError, match=r"mkdir.*Give a safetensors file"):
        load_row("mps", file, architecture=MPS)
    assert not proof.exists()


def test_a_foreign_module_is_read_without_running_its_code(tmp_path):
    ran = []
    home = types.ModuleType("trainer")

    class Foreign(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.part = torch.nn.Linear(2, 3)
            self.register_buffer("kept", torch.ones(1))
            self.register_buffer("passing", torch.ones(1), persistent=False)

        def __setstate__(self, state):
            ran.append("setstate")
            super().__setstate__(state)

    Foreign.__module__, Foreign.__qualname__ = "trainer", "Foreign"
    home.Foreign = Foreign
    sys.modules["trainer"] = home
    try:
        module = Foreign()
        torch.save(module, tmp_path / "module.pth")
        state = w.read_module(tmp_path / "module.pth", packages=("trainer", "torch"))
    finally:
        del sys.modules["trainer"]
    expected = module.state_dict()
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], expected[name]) for name in state)
    assert not ran


def test_all_named_tensors_of_the_inert_reader_are_forgotten_afterwards(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    w.read_module(tmp_path / "module.pth", packages=("torch",))
    with pytest.raises(InputError, match="could run code"):
        w.read(tmp_path / "module.pth")


def tiny_state():
    return tensors(made.open_clip_names(32, VISION, TEXT, PATCH))


def test_missing_superfluous_and_misshapen_tensors_are_all_named(tmp_path):
    state = tiny_state()
    del state["ln_final.weight"], state["ln_final.bias"]
    state["teacher.weight"] = torch.zeros(1)
    state["visual.proj"] = torch.zeros(64, 16)
    save_file(state, tmp_path / "hpc.safetensors")
    with pytest.raises(InputError) as raised:
        load_row("hps", tmp_path / "hpc.safetensors", architecture=OPEN_CLIP)
    assert str(raised.value).endswith(
        "hpc.safetensors does not fit the model: 2 missing (ln_final.weight, ln_final.bias); "
        "1 unexpected (teacher.weight); 1 of another shape (visual.proj is (64, 16) for (64, 32)). "
        "Give the model's own weights."
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"teacher.weight": torch.zeros(1)}, r"model: 1 unexpected \(teacher\.weight\)\."),
        ({"visual.proj": torch.zeros(64, 16)}, r"model: 1 of another shape \(visual\.proj is"),
    ],
)
def test_one_kind_of_fault_is_enough(tmp_path, change, fault):
    save_file(tiny_state() | change, tmp_path / "hpc.safetensors")
    with pytest.raises(InputError, match=fault):
        load_row("hps", tmp_path / "hpc.safetensors", architecture=OPEN_CLIP)


def test_a_long_list_of_missing_tensors_is_cut_but_counted(tmp_path):
    save_file({"logit_scale": torch.tensor(1.0)}, tmp_path / "hpc.safetensors")
    with pytest.raises(InputError, match=r"\d\d missing \([^,]+, [^,]+, [^,]+, \.\.\.\)"):
        load_row("hps", tmp_path / "hpc.safetensors", architecture=OPEN_CLIP)


@pytest.mark.parametrize("name", ["damaged.safetensors", "damaged.pt"])
@pytest.mark.parametrize("content", [b"", b"not a model at all", b"PK\x03\x04 cut short"])
def test_damaged_files_say_so(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"Download it again|Give a safetensors file"):
        w.read(file)


@pytest.mark.parametrize("content", [torch.zeros(2), [1, 2], {}, {"epoch": 3}])
def test_a_file_without_named_tensors_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "odd.pt")
    with pytest.raises(InputError, match=r"Give a (plain )?state dict"):
        w.read(tmp_path / "odd.pt")


def test_unfilled_modules_hold_no_random_values_and_fill_makes_them_whole(tmp_path):
    before = torch.get_rng_state()
    with w.unfilled():
        layer = torch.nn.Linear(3, 2)
    assert torch.equal(torch.get_rng_state(), before)
    state = {"weight": torch.ones(2, 3), "bias": torch.zeros(2), "step": torch.tensor(7)}
    ready = w.fill(
        layer, state, origin=tmp_path, device="cpu", dtype=torch.bfloat16, ignore=("step",)
    )
    assert ready.weight.dtype == torch.bfloat16
    assert not ready.weight.requires_grad
    assert not ready.training
    assert ready.weight.sum() == 6


def test_modules_of_transformers_are_unfilled_too(monkeypatch):
    from transformers import CLIPVisionConfig, CLIPVisionModel

    drawn, normal = [], torch.Tensor.normal_

    def counted(tensor, *args, **kwargs):
        drawn.append(tensor.shape)
        return normal(tensor, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "normal_", counted)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
    config = CLIPVisionConfig(**sizes, num_attention_heads=2)
    CLIPVisionModel(config)
    assert drawn
    drawn.clear()
    with w.unfilled():
        CLIPVisionModel(config)
    assert drawn == []


def test_what_is_to_stay_in_float32_stays():
    module = torch.nn.ModuleDict({"body": torch.nn.Linear(1, 1), "head": torch.nn.Linear(1, 1)})
    state = {name: tensor.half() for name, tensor in module.state_dict().items()}
    w.fill(module, state, origin="", device="cpu", dtype=torch.float16, keep=(r"head\..*",))
    assert module["body"].weight.dtype == torch.float16
    assert module["head"].weight.dtype == torch.float32


def test_renaming_takes_the_first_rule_from_the_start():
    state = {"a.b": torch.zeros(1), "b.a": torch.ones(1)}
    assert list(w.renamed(state, {r"a\.": "x.", r"a": "y"})) == ["x.b", "b.a"]


def test_an_unknown_dtype_lists_the_known_ones():
    with pytest.raises(InputError, match="float32, float16, bfloat16"):
        w.torch_dtype("int8")


def test_a_prefix_that_only_one_part_shares_belongs_to_the_names(tmp_path):
    save_file({"model.a": torch.zeros(1), "model.b": torch.ones(1)}, tmp_path / "1.safetensors")
    save_file({"visual.a": torch.zeros(2)}, tmp_path / "2.safetensors")
    places = {"model.a": "1.safetensors", "model.b": "1.safetensors", "visual.a": "2.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    assert set(w.read(index)) == set(places)
    index.write_text(json.dumps({"weight_map": {"model.a": "1.safetensors"}}))
    assert set(w.read(index)) == {"a", "b"}


@pytest.mark.parametrize("text", ["[]", "{", '{"weight_map": [1]}', '{"weight_map": {"a": 1}}'])
def test_a_damaged_index_is_told(tmp_path, text):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(text)
    with pytest.raises(
        InputError, match=r"index\.json (is no JSON|holds a list|names no parts).*ave"
    ):
        w.read(index)


class WithBuffer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(3))
        self.tied = self.scale
        self.register_buffer("steps", torch.arange(4), persistent=False)


def test_inside_unfilled_parameters_take_no_room_and_buffers_are_whole():
    elsewhere = []
    with w.unfilled():
        module = WithBuffer()
        other = threading.Thread(target=lambda: elsewhere.append(torch.nn.Linear(2, 2)))
        other.start()
        other.join()
        assert module.to("cpu", torch.float16) is module
    assert module.scale.is_meta
    assert module.tied is module.scale
    assert module.steps.tolist() == [0, 1, 2, 3]
    assert not elsewhere[0].weight.is_meta
    assert not torch.nn.Linear(2, 2).weight.is_meta
    state = {"scale": torch.arange(3), "tied": torch.arange(3)}
    ready = w.fill(module, state, origin="", device="cpu", dtype=torch.float32)
    assert ready.scale.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt"])
def test_a_file_is_read_a_tensor_at_a_time_and_let_go_between(tmp_path, monkeypatch, name):
    state = {f"{i}.weight": torch.randn(3, 5) for i in range(4)}
    save_file(state, tmp_path / name) if name.endswith("s") else torch.save(state, tmp_path / name)
    opened, open_one = [], w._opened
    monkeypatch.setattr(w, "_opened", lambda path, *a: opened.append(path) or open_one(path, *a))
    monkeypatch.setattr(w, "MOST_MAPPED", 0)
    read = w.read(tmp_path / name)
    assert all(isinstance(tensor, w.Stored) for tensor in read.values())
    assert len(opened) == 1
    module = torch.nn.Sequential(*(torch.nn.Linear(5, 3, bias=False) for _ in range(4)))
    w.fill(module, read, origin=tmp_path, device="cpu", dtype=torch.bfloat16)
    assert len(opened) == 4  # the first tensor came from the first opening
    assert read == {}
    for key, tensor in module.state_dict().items():
        assert torch.equal(tensor, state[key].bfloat16())
