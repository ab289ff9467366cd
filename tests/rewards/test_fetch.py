"""Weights are found where they are, and their absence says what to do."""

from __future__ import annotations

import pytest

from aas_bench.errors import BackendError, InputError
from aas_bench.rewards import fetch
from aas_bench.rewards.catalog import REWARDS, load_reward
from aas_bench.rewards.facts import Weights

pytest.importorskip("torch")

LOCAL = Weights(repo=None, file="model.safetensors")


def test_a_folder_is_searched_for_the_official_name(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"x")
    found = fetch.obtain(LOCAL, local=tmp_path)
    assert found.path == tmp_path / "model.safetensors"
    # sha-256 of the letter x
    sha = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert found.identity == {"file": "model.safetensors", "sha256": sha}


def test_a_wrong_path_says_what_was_expected(tmp_path):
    with pytest.raises(InputError, match=r"is no file. Give the path of model\.safetensors"):
        fetch.obtain(LOCAL, local=tmp_path / "none")
    with pytest.raises(
        InputError, match=r"has neither model\.safetensors nor .*Give the weights f"
    ):
        fetch.obtain(LOCAL, local=tmp_path)
    with pytest.raises(InputError, match="Give the folder that holds the files of a/b"):
        fetch.obtain_folder("a/b", revision=None, patterns=("*",), local=tmp_path / "none")


def test_what_is_not_on_the_hub_names_its_page():
    with pytest.raises(InputError, match=r"tgxs002/align_sd.*name it by its path: hps:PATH"):
        load_reward("hps", device="cpu")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", [n for n, r in REWARDS.items() if r.weights and r.weights.repo])
def test_without_network_and_cache_the_way_out_is_told(name):
    weights = REWARDS[name].weights
    with pytest.raises(BackendError) as raised:
        load_reward(name, device="cpu")
    told = str(raised.value)
    assert f"hf download {weights.repo} " in told
    assert (f"--revision {weights.revision}" in told) == (weights.revision is not None)
    assert f"name a local copy by its path: {name}:PATH" in told
    if name not in {
        "siglip2",
        "vlm-yes",
        "vqascore",
        "visionreward",
        "unified-reward-2",
    }:  # these need several files
        assert f"{weights.file} ({weights.size / 1e9:.3g} GB)" in told


def test_the_companion_of_local_weights_lies_beside_them(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"x")
    (tmp_path / "vocab.txt").write_text("[PAD]")
    vocabulary = Weights(repo=None, file="vocab.txt", page="nowhere")
    for local in (tmp_path, tmp_path / "model.safetensors"):
        assert fetch.companion(vocabulary, local=local).path == tmp_path / "vocab.txt"
    with pytest.raises(InputError, match="nowhere"):
        fetch.companion(vocabulary, local=None)


def test_the_commit_is_read_off_the_cache_path(tmp_path):
    path = tmp_path / "models--a--b" / "snapshots" / "0123abc" / "model.safetensors"
    assert fetch.commit_of(path) == "0123abc"
    assert fetch.commit_of(tmp_path) is None


@pytest.mark.usefixtures("offline")
def test_what_is_in_the_cache_is_found_offline_and_its_commit_recorded(tmp_path):
    commit = "0123456789" * 4
    home = tmp_path / "cache" / "models--a--b"
    (home / "snapshots" / commit).mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    (home / "snapshots" / commit / "model.safetensors").write_bytes(b"x")
    for revision in (commit, None):
        found = fetch.obtain(Weights(repo="a/b", revision=revision, file="model.safetensors"))
        assert found.path.read_bytes() == b"x"
        assert found.identity == {"repo": "a/b", "file": "model.safetensors", "revision": commit}
    files = fetch.obtain_folder("a/b", revision=commit, patterns=("*.safetensors",))
    assert files.identity == {"repo": "a/b", "revision": commit}
    with pytest.raises(BackendError, match=r"hf download a/b model\.safetensors --revision fff"):
        fetch.obtain(Weights(repo="a/b", revision="f" * 40, file="model.safetensors"))
