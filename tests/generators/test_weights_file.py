# ruff: noqa: E402 - what needs torch is imported once it is known to be there
"""Single weights files against the hash that the Hub records or the submission names."""

from __future__ import annotations

import hashlib

import pytest

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers")

from safetensors.torch import load_file, save_file

from aas_bench.errors import BackendError, SpecError
from aas_bench.generators.load import load_generator
from aas_bench.generators.weights_file import obtain_files

NAME = "FluxPipeline"
FILE = "ckpt/ema.safetensors"


@pytest.fixture
def content(tiny_folder, tmp_path):
    """Another transformer for the tiny pipeline, as one file."""
    weights = load_file(tiny_folder(NAME) / "transformer" / "diffusion_pytorch_model.safetensors")
    save_file({name: -weight for name, weight in weights.items()}, tmp_path / "ema.safetensors")
    return (tmp_path / "ema.safetensors").read_bytes()


@pytest.fixture
def submission(loopback_hub, content, tiny_submission, monkeypatch):
    """A submission whose transformer is one file of a repository on the Hub."""
    repo = loopback_hub.add("me/ema", {FILE: content}, kind="model")
    loopback_hub.patch(monkeypatch)

    def made(**fields):
        part = {"repo": "me/ema", "revision": repo.refs["main"], "file": FILE, **fields}
        return tiny_submission(NAME, transformer=part)

    return made


@pytest.fixture
def not_loaded(monkeypatch):
    """Fails a test that comes to load anything."""
    monkeypatch.setattr(
        "aas_bench.generators.diffusers.load_pipeline",
        lambda *_: pytest.fail("weights were loaded before they were checked"),
    )


def sha256(content):
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("named", [False, True])
def test_the_right_file_is_loaded_and_its_hash_recorded(named, submission, content, loopback_hub):
    given = {"sha256": sha256(content)} if named else {}
    generator = load_generator(submission(**given), device="cpu")
    assert generator.describe()["sha256"] == {"transformer": sha256(content)}
    assert loopback_hub.sent("GET", FILE)
    # The hash is a check, not a setting: a run goes on where it was added.
    assert submission(**given).identity() == submission().identity()


@pytest.mark.usefixtures("not_loaded")
def test_what_arrives_otherwise_than_the_hub_records_is_refused(submission, content, monkeypatch):
    told = sha256(b"what was uploaded")
    monkeypatch.setattr("support.hub_routes.identity", lambda *_: told)
    with pytest.raises(SpecError) as caught:
        load_generator(submission(), device="cpu")
    message = str(caught.value)
    assert f"{FILE} of me/ema has the SHA-256 {sha256(content)}, the Hub names {told}" in message
    assert "nothing was loaded. Remove " in message
    assert "\n" not in message


@pytest.mark.usefixtures("not_loaded")
def test_a_damaged_cache_is_noticed_without_a_network(submission, loopback_hub, monkeypatch):
    (found,) = obtain_files(submission()).values()
    blob = found.path.resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b"\x01")
    loopback_hub.fail("HEAD", FILE, times=9)
    loopback_hub.fail("GET", FILE, times=9)
    with pytest.raises(SpecError, match=r"the Hub names .*Remove .*and run again"):
        load_generator(submission(), device="cpu")
    blob.unlink()
    monkeypatch.setattr(loopback_hub, "faults", [])
    assert obtain_files(submission())["transformer"] == found


@pytest.mark.usefixtures("not_loaded")
def test_a_hash_in_the_submission_decides(submission, tiny_submission, content, tmp_path):
    other = sha256(b"another")
    with pytest.raises(SpecError, match=f"the submission names {other}"):
        load_generator(submission(sha256=other), device="cpu")
    part = {"repo": str(tmp_path), "file": "ema.safetensors", "sha256": other}
    with pytest.raises(SpecError, match=r"the submission names .*Correct sha256 and run again"):
        load_generator(tiny_submission(NAME, transformer=part), device="cpu")


@pytest.mark.usefixtures("not_loaded")
def test_a_file_that_is_not_there_is_told_in_one_line(submission, tiny_submission, tmp_path):
    with pytest.raises(BackendError, match=r"no\.safetensors of me/ema cannot be fetched"):
        load_generator(submission(file="no.safetensors"), device="cpu")
    part = {"repo": str(tmp_path), "file": "no.safetensors"}
    with pytest.raises(SpecError, match=r"has no no\.safetensors\. Correct file\."):
        load_generator(tiny_submission(NAME, transformer=part), device="cpu")


def test_adapters_are_checked_too(tiny_submission, loopback_hub, monkeypatch, tmp_path):
    repo = loopback_hub.add(
        "me/lora", {"adapter_config.json": b"{}", "adapter_model.safetensors": b"x"}, kind="model"
    )
    loopback_hub.patch(monkeypatch)
    adapter = {"repo": "me/lora", "revision": repo.refs["main"], "format": "peft"}
    (found,) = obtain_files(tiny_submission(NAME, adapters=[adapter])).values()
    assert found.sha256 == sha256(b"x")
    assert (found.path.parent / "adapter_config.json").is_file()
    wrong = {**adapter, "sha256": "0" * 64}
    with pytest.raises(SpecError, match=r"adapters\.0: adapter_model\.safetensors of me/lora"):
        obtain_files(tiny_submission(NAME, adapters=[wrong]))
