"""Weights are found, refused and checked as a careful person would."""

from __future__ import annotations

import os
import pickle
import sys
import types

import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402
from support import golden_weights as made  # noqa: E402
from support.tiny_models import MPS, OPEN_CLIP, PATCH, TEXT, VISION, load_row, tensors  # noqa: E402

from aas_bench.errors import BackendError, InputError  # noqa: E402
from aas_bench.rewards import weights as w  # noqa: E402
from aas_bench.rewards.catalog import REWARDS, load_reward  # noqa: E402
from aas_bench.rewards.rows import Weights  # noqa: E402

LOCAL = Weights(repo=None, file="model.safetensors")


class Malicious:
    """A pickle that makes a folder when it is opened the careless way."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return (os.mkdir, (str(self.proof),))


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """An empty cache and no network."""
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


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


def test_a_folder_is_searched_for_the_official_name(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"x")
    found = w.obtain(LOCAL, local=tmp_path)
    assert found.path == tmp_path / "model.safetensors"
    # sha-256 of the letter x
    sha = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert found.identity == {"file": "model.safetensors", "sha256": sha}


def test_a_wrong_path_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match=r"is no file. Give the path of model\.safetensors"):
        w.obtain(LOCAL, local=tmp_path)
    with pytest.raises(InputError, match="Give the folder that holds the files of a/b"):
        w.obtain_folder("a/b", revision=None, patterns=("*",), local=tmp_path / "none")


def test_what_is_not_on_the_hub_names_its_page():
    with pytest.raises(InputError, match=r"tgxs002/align_sd.*weights=PATH"):
        load_reward("hps", device="cpu")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", [n for n, r in REWARDS.items() if r.weights and r.weights.repo])
def test_without_network_and_cache_the_way_out_is_told(name):
    weights = REWARDS[name].weights
    with pytest.raises(BackendError) as raised:
        load_reward(name, device="cpu")
    told = str(raised.value)
    assert f"hf download {weights.repo} " in told
    assert f"--revision {weights.revision}" in told
    assert "weights=PATH" in told
    if name not in {"siglip2", "vqascore"}:  # these need several files
        assert f"{weights.file} ({weights.size / 1e9:.3g} GB)" in told


def test_the_companion_of_local_weights_lies_beside_them(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"x")
    (tmp_path / "vocab.txt").write_text("[PAD]")
    vocabulary = Weights(repo=None, file="vocab.txt", page="nowhere")
    for local in (tmp_path, tmp_path / "model.safetensors"):
        assert w.companion(vocabulary, local=local).path == tmp_path / "vocab.txt"
    with pytest.raises(InputError, match="nowhere"):
        w.companion(vocabulary, local=None)


def test_the_commit_is_read_off_the_cache_path(tmp_path):
    path = tmp_path / "models--a--b" / "snapshots" / "0123abc" / "model.safetensors"
    assert w.commit_of(path) == "0123abc"
    assert w.commit_of(tmp_path) is None


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


@pytest.mark.usefixtures("offline")
def test_what_is_in_the_cache_is_found_offline_and_its_commit_recorded(tmp_path):
    commit = "0123456789" * 4
    home = tmp_path / "cache" / "models--a--b"
    (home / "snapshots" / commit).mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    (home / "snapshots" / commit / "model.safetensors").write_bytes(b"x")
    for revision in (commit, None):
        found = w.obtain(Weights(repo="a/b", revision=revision, file="model.safetensors"))
        assert found.path.read_bytes() == b"x"
        assert found.identity == {"repo": "a/b", "file": "model.safetensors", "revision": commit}
    files = w.obtain_folder("a/b", revision=commit, patterns=("*.safetensors",))
    assert files.identity == {"repo": "a/b", "revision": commit}
    with pytest.raises(BackendError, match=r"hf download a/b model\.safetensors --revision fff"):
        w.obtain(Weights(repo="a/b", revision="f" * 40, file="model.safetensors"))
