"""Tiny random pipelines, submitted as folders and run by the runner: killed, continued, batched."""

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

pytest.importorskip("diffusers")

from support import killed_generations, tiny_general, tiny_pipelines

from aas_bench.errors import InputError
from aas_bench.generators.pipelines import pipeline_row
from aas_bench.generators.spec import load_submission
from aas_bench.run.devices import Devices
from aas_bench.run.generate import generate
from aas_bench.run.prompts import load_prompts
from aas_bench.run.seeds import seed_settings

BATCHES = (1, 2, 4)
KILLED = (*tiny_pipelines.BUILDERS, "playground", "SanaPipeline")
"""Of the classes with a general row one; the other builds go on in tests/generators."""
CAPTIONS = (
    "a cat",
    "a dog on a long road in the rain, blurry and dark, with a red hat and words past the cut",
    "a house",
    "two boats",
)


@pytest.fixture(scope="module")
def killer():
    with killed_generations.killer() as killed:
        yield killed


@pytest.fixture
def prompts(tmp_path):
    """A file of pairs; a quoted word is what a tiny GLM-Image heeds most."""
    rows = [{"prompt_original": text, "prompt_distorted": f'{text}, "ugly"'} for text in CAPTIONS]
    file = tmp_path / "prompts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


@pytest.fixture
def submission(request, tmp_path):
    """A submission file whose weights are a folder beside it."""
    tiny_pipelines.save(tiny_general.BUILDS[request.param], tmp_path / "weights")
    facts = tiny_general.submission(request.param, tmp_path / "weights")
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(facts))
    return file


def contents(run):
    images = {p.name: p.read_bytes() for p in (run / "images").iterdir()}
    records = {p.name: json.loads(p.read_bytes()) for p in (run / "records").iterdir()}
    for record in records.values():
        assert record.pop("measured")["latency_seconds"] > 0
    return images, records


def pixels(run):
    return np.stack([np.asarray(Image.open(p)) for p in sorted((run / "images").iterdir())])


@pytest.mark.slow
@pytest.mark.parametrize("submission", KILLED, indirect=True)
def test_killed_and_continued_it_makes_the_same_bytes_and_batches_agree(
    submission, prompts, tmp_path, killer
):
    made = {
        size: killed_generations.run(submission, prompts, tmp_path / f"by{size}", size)
        for size in BATCHES
    }
    largest = pipeline_row(made[1].submission.pipeline).max_batch or max(BATCHES)
    assert [each.generator["batch_size"] for each in made.values()] == [
        min(size, largest) for size in BATCHES
    ]
    assert all(each.coverage()["n_complete"] == len(CAPTIONS) for each in made.values())
    assert made[2].generator["sources"]["model"]["local"] is True
    images, _ = whole = contents(tmp_path / "by2")
    assert len(set(images.values())) == len(images) == 2 * len(CAPTIONS)
    one, two, four = (pixels(tmp_path / f"by{size}").astype(int) for size in BATCHES)
    assert abs(two - one).max() <= 1
    assert abs(four - one).max() <= 1

    # The fourth image is the second of a batch of two: half of it has a record, half has none.
    broken = tmp_path / "broken"
    assert killer(submission, prompts, broken, 2, at=4) == -signal.SIGKILL
    images, records = contents(broken)
    assert (len(images), len(records)) == (4, 3)
    killed_generations.run(submission, prompts, broken, 2)
    assert contents(broken) == whole


@pytest.mark.slow
@pytest.mark.parametrize("submission", ["StableDiffusionXLPipeline"], indirect=True)
def test_from_seed_images_it_makes_distorted_images_alone(submission, tmp_path):
    loaded = load_submission(submission)
    asked = load_prompts(limit=2)
    options = {"seed_images": True, "batch_size": 2, "device": "cpu", "progress": False}
    made = generate(loaded, asked, out=tmp_path / "run", **options)
    assert made.coverage()["n_complete"] == 2
    images, records = contents(tmp_path / "run")
    assert sorted(images) == ["0000_distorted.png", "0001_distorted.png"]
    shapes = {prompt.index: seed_settings(prompt, loaded.settings_for("distorted")).size
              for prompt in asked.prompts}  # fmt: skip
    for index, shape in shapes.items():
        with Image.open(made.image_path(index, "distorted")) as image:
            assert image.size == shape
    assert {record["status"] for record in records.values()} == {"ok"}


@pytest.mark.slow
@pytest.mark.parametrize("submission", ["StableDiffusionXLPipeline"], indirect=True)
def test_two_devices_make_the_images_of_one_process(submission, prompts, tmp_path):
    loaded, asked = load_submission(submission), load_prompts(prompts)
    options = {"batch_size": 2, "progress": False}
    generate(loaded, asked, out=tmp_path / "one", device="cpu", **options)
    generate(loaded, asked, out=tmp_path / "two", engine=Devices("cpu,cpu"), **options)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    told = [(tmp_path / run / "generator.json").read_bytes() for run in ("one", "two")]
    assert told[0] == told[1]


def test_a_service_takes_no_devices(tmp_path):
    rule = load_submission(
        Path(__file__).parents[2] / "leaderboard/submissions/builtin_faithful.yaml"
    )
    with pytest.raises(InputError, match="--devices"):
        generate(rule, load_prompts(limit=1), out=tmp_path / "run", engine=Devices("cpu"))
