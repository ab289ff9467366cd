"""Each kind of new user types what the docs print, and ends in the right number.

The commands are taken out of the Markdown; the numbers are computed here without the package's
statistics.
"""

import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset, Features, Image
from support import tiny_models
from support.journeys import blocks
from support.loopback_judge import JudgeService, answer_of_kind, dark_pairs

from aas_bench import load_pairs, load_scores
from aas_bench.evidence import EVIDENCE

pytestmark = pytest.mark.slow

README = "README.md"
OWN = "docs/your-own-data.md"
GENERATOR = "docs/submit-a-generator.md"
CELLS = ("oiop", "oidp", "diop", "didp")


@pytest.fixture(scope="module")
def built_in():
    """The built-in pairs: of each request its first wording."""
    pairs = load_pairs("counterfactual")
    return pairs.filter(lambda wording: wording == 0, input_columns="wording")


def chosen(table, reward):
    return np.mean(table[f"{reward}_didp"] > table[f"{reward}_oidp"])


def words(said, n=None):
    """The first words of each line."""
    return [line.split()[:n] for line in said.splitlines()]


def number(cell):
    return float(cell.replace("−", "-"))


def test_the_command_is_that_of_the_wheel(journey):
    assert journey.type("aas-bench --version") == "aas-bench 0.1.0\n"
    where = journey.python("import aas_bench; print(aas_bench.__file__)")
    assert where.startswith(str(journey.installed))


def test_the_author_of_a_callable(journey, built_in):
    heading = "## Score your own reward model"
    said = journey.python(blocks(README, heading, "python")[0])
    assert said.split() == blocks(README, heading, "")[0].split()  # shown in shorter lines
    asked, polished = (
        np.array([image.entropy() for image in built_in[name]])
        for name in ("image_distorted", "image_original")
    )
    assert said.startswith(f"{len(asked)} pairs of 9 base prompts")
    assert f"accuracy {100 * np.mean(asked > polished):.1f}\u202f%" in said


def test_the_trainer_of_a_checkpoint(journey):
    from transformers import AutoProcessor, CLIPModel

    folder = tiny_models.clip_folder(journey.folder / "my-clip", "hf")
    shown = blocks("docs/reward-models.md", "## How to name a reward model", "sh")
    (command,) = (block for block in shown if "my-clip" in block)
    said = journey.type(command)
    model, processor = CLIPModel.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    right = []
    for pair in load_pairs("counterfactual", sample=24):
        images = [pair[f"image_{role}"].convert("RGB") for role in ("distorted", "original")]
        text = [pair["prompt_distorted"]]
        given = processor(text=text, images=images, return_tensors="pt", truncation=True)
        with torch.no_grad():
            asked, polished = model(**given).logits_per_image[:, 0].tolist()
        right.append(asked > polished)
    assert ["mine", "24", f"{np.mean(right):.3f}"] in words(said, 3)


def own_scores():
    """Two generators under 40 shared prompts, as people have them: no index."""
    rng = np.random.default_rng(5)
    rows = pd.DataFrame({"prompt_distorted": [f"a grim street, number {i}" for i in range(40)] * 2})
    rows["dimensions"] = ["emotion", "color brightness"] * 40
    names = [f"{reward}_{cell}" for reward in ("hpsv3", "pickscore") for cell in CELLS]
    return rows.assign(**{name: rng.normal(size=80).round(4) for name in names})


def test_the_owner_of_scores(journey):
    scores = own_scores()
    scores.to_csv(journey.folder / "scores.csv", index=False)
    mapping = journey.type(blocks(OWN, "## Scores", "sh")[0])
    assert "80 pairs of 40 base prompts; labels: none; no faults" in mapping
    said = journey.type(blocks(README, "## Your own images and scores", "bash")[1])
    first, second = (chosen(scores, reward) for reward in ("hpsv3", "pickscore"))
    assert ["hpsv3", "80", f"{first:.3f}"] in words(said, 3)
    shared = [line[2:] for line in words(said) if line[:2] == ["chose", "asked"]]
    (compared,) = (line for line in shared if line[:1] != ["by"])
    found = [number(cell) for cell in compared]
    assert found == pytest.approx([first, second, first - second], abs=6e-4)


@pytest.mark.parametrize("layout", ["two folders", "metadata.csv"])
def test_the_owner_of_images(journey, built_in, layout):
    told = blocks(OWN, "## Images", "")[layout == "metadata.csv"].splitlines()
    table, header = told[-2].split()  # the last line of each layout is an example of a row
    pairs = built_in.select(range(0, 392, 33))
    lines = [header]
    for place, pair in enumerate(pairs):
        row = {"id": f"{place:04d}", **pair}
        for role in ("original", "distorted"):
            row[f"image_{role}_file_name"] = name = f"{role}/{place:04d}.png"
            file = journey.folder / "mine" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            pair[f"image_{role}"].save(file)
        lines.append(",".join(f'"{row[name]}"' for name in header.split(",")))
    (journey.folder / table).write_text("\n".join(lines))
    for block in blocks(OWN, "## Images", "sh"):
        mapping = journey.type(block)
    assert "12 pairs of" in mapping
    heading = "## A reward model on them"
    journey.save(blocks(OWN, heading, "python")[0])
    said = journey.type(blocks(OWN, heading, "sh")[0])
    asked, polished = (
        [image.convert("RGB").entropy() for image in pairs[name]]
        for name in ("image_distorted", "image_original")
    )
    share = np.mean(np.array(asked) > np.array(polished))
    assert ["12", f"{share:.3f}"] in [line[1:] for line in words(said, 3)]


def test_the_author_of_a_generator(journey):
    heading = "## Try it without a GPU"
    journey.save(blocks(GENERATOR, heading, "yaml")[0])
    said = journey.type(blocks(GENERATOR, heading, "sh")[0])
    run = journey.folder / "run" / "my_model"
    assert len(list((run / "images").glob("*.png"))) == 12
    scores = pd.read_parquet(run / "scores.parquet")
    for reward in ("effect-match", "average-taste", "polish"):
        after = scores[f"{reward}_diop"]
        delta = np.mean(after - scores[f"{reward}_oiop"])
        (at,) = (at for at, line in enumerate(words(said)) if line[:1] == [reward])
        found = [number(line[-4 if "to" in line else -1]) for line in words(said)[at : at + 3]]
        expected = [delta, np.mean(after), chosen(scores, reward)]
        assert found == pytest.approx(expected, abs=6e-4)
    sent = journey.type(blocks(GENERATOR, "## Send the result", "sh")[0])
    name = sent.partition(":")[0]
    assert zipfile.is_zipfile(journey.folder / name)
    assert f"Send it: hf upload weathon/aas_bench_results {name}" in " ".join(sent.split())


def test_the_reader_of_the_leaderboard(journey):
    journey.type(blocks("docs/browse-the-leaderboard.md", "# Browse the leaderboard", "sh")[0])
    page = (journey.folder / "site" / "index.html").read_text(encoding="utf-8")
    share = chosen(load_scores(EVIDENCE).frame, "hpsv3")
    shown = f"HPSv3 chose the image that was asked for in {100 * share:.0f}\u202f%"
    assert shown in page.replace("&nbsp;", "\u202f")


def test_the_judge_of_pairs(journey):
    """A judge that goes by darkness, and two pairs of which the polished image is the dark one."""
    pytest.importorskip("openai")
    rows, images = dark_pairs(6).to_list(), ("image_original", "image_distorted")
    for row in rows[:2]:
        row[images[0]], row[images[1]] = row[images[1]], row[images[0]]
    types = Features(dark_pairs(1).features | dict.fromkeys(images, Image()))
    pairs = Dataset.from_list(rows, features=types)
    pairs.to_parquet(journey.folder / "pairs.parquet")
    command = blocks("docs/judges.md", "### Label pairs", "")[0]
    with JudgeService(answer_of_kind).running() as service:
        journey.settings = {"OPENAI_API_KEY": "sk-any", "OPENAI_BASE_URL": service.url}
        said = journey.type(command)
    judged = pd.read_parquet(journey.folder / "labels" / "judged.parquet")
    assert judged["label_majority"].tolist() == [0, 0, 1, 1, 1, 1]
    assert "judge prefers the request: 66.7" in said
