"""Run directories of generators, scored or not, made without any model."""

from unittest import mock

from support.fake_generator import FakeGenerator

from aas_bench.generators.spec import Submission
from aas_bench.run.generate import generate
from aas_bench.run.prompts import Prompt, Prompts
from aas_bench.run.score import score


def submission(name):
    return Submission.model_validate(
        {
            "id": name,
            "name": name,
            "family": "f",
            "alignment": "base",
            "backend": "builtin",
            "model": "faithful",
            "settings": {"both": {"height": 320, "width": 320}},
            "licence": "none",
            "contact": "tests",
        }
    )


def length(images, prompts):
    """A reward model: the longer the prompt and the redder the corner, the better."""
    return [len(p) + i.getpixel((0, 0))[0] / 1000 for i, p in zip(images, prompts, strict=True)]


def run(folder, prompts, *, name=None, verdicts=None, scored=True):
    """A run of a fake generator; `verdicts` are given in place of images."""
    generator = FakeGenerator(verdicts=verdicts)
    with mock.patch("aas_bench.run.generate.load_generator", return_value=generator):
        made = generate(
            submission(name or folder.name), prompts, out=folder, progress=False, retry_failed=True
        )
    if scored:
        score(made.pairs(), length, out=folder / "scores" / "0", progress=False)
    return folder


def prompts(n=4):
    """Pairs of prompts that ask for clarity and, every second one, for emotion."""
    return Prompts(
        "test",
        tuple(
            Prompt(
                index=i,
                cluster=i,
                original=f"a cat number {i}",
                distorted=f"a blurred cat number {i}",
                dimensions=("clarity", "emotion")[: 1 + i % 2],
            )
            for i in range(n)
        ),
    )
