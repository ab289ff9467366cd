"""A tiny random pipeline, submitted as a folder: interrupted and continued."""

import json

import pytest

pytest.importorskip("diffusers")

from support import tiny_pipelines

from aas_bench.generators.catalog import load_generator
from aas_bench.generators.spec import Submission
from aas_bench.runner import generate as runner
from aas_bench.runner.prompts import load_prompts

NAME = "StableDiffusion3Pipeline"


@pytest.fixture
def submission(tmp_path):
    folder = tmp_path / "weights"
    tiny_pipelines.save(tiny_pipelines.BUILDERS[NAME], folder)
    settings = {"num_inference_steps": 2, "height": 32, "width": 32}
    return Submission.model_validate(
        {
            "id": "tiny",
            "name": "Tiny",
            "family": "tiny",
            "alignment": "base",
            "backend": "diffusers",
            "repo": str(folder),
            "pipeline": NAME,
            "dtype": "float32",
            "memory": "S",
            "settings": {"both": {**settings, **tiny_pipelines.SETTINGS[NAME]}},
            "licence": "none",
            "contact": "tests",
        }
    )


def interrupted_at(call):
    """Load the real generator, and stop it before that call, as Ctrl-C would."""

    def load(*args, **options):
        generator = load_generator(*args, **options)
        inner, calls = generator.generate, []

        def generate(requests):
            calls.append(len(requests))
            if len(calls) == call:
                raise KeyboardInterrupt
            return inner(requests)

        generator.generate = generate
        return generator

    return load


def contents(run):
    images = {p.name: p.read_bytes() for p in (run / "images").iterdir()}
    records = {p.name: json.loads(p.read_bytes()) for p in (run / "records").iterdir()}
    for record in records.values():
        assert record.pop("measured")["latency_seconds"] > 0
    return images, records


@pytest.mark.slow
def test_interrupted_and_continued_it_makes_the_same_bytes(submission, tmp_path, monkeypatch):
    prompts = load_prompts(limit=5)
    options = {"batch_size": 2, "device": "cpu", "progress": False}
    made = runner.generate(submission, prompts, out=tmp_path / "whole", **options)
    assert made.coverage()["n_complete"] == 5
    images, _ = contents(tmp_path / "whole")
    assert len({images[f"000{i}_original.png"] for i in range(5)}) == 5
    monkeypatch.setattr(runner, "load_generator", interrupted_at(4))
    with pytest.raises(KeyboardInterrupt):
        runner.generate(submission, prompts, out=tmp_path / "broken", **options)
    monkeypatch.undo()
    assert len(contents(tmp_path / "broken")[0]) == 6
    (tmp_path / "broken/records/0000_original.json").unlink()  # one of a batch of two
    runner.generate(submission, prompts, out=tmp_path / "broken", **options)
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")
    assert made.generator["batch_size"] == 2
    assert made.generator["sources"]["model"]["local"] is True
