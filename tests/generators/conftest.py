from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """Folder of a saved tiny pipeline by class name; each is built once."""
    pytest.importorskip("diffusers")
    from support import tiny_general, tiny_pipelines

    root = tmp_path_factory.mktemp("tiny")

    def folder(name: str):
        if not (root / name).exists():
            tiny_pipelines.save(tiny_general.BUILDS[name], root / name)
        return root / name

    return folder


@pytest.fixture
def tiny_submission(tiny_folder):
    """A submission of a tiny pipeline; keyword arguments replace fields or settings."""
    from support import tiny_general

    from aas_bench.generators.spec import Submission

    def submission(name: str, **changes):
        facts = tiny_general.submission(name, tiny_folder(name), **changes)
        return Submission.model_validate(facts)

    return submission


@pytest.fixture
def requests_for():
    """Requests for prompts, one a prompt, indices counted from `first`."""
    from aas_bench.generators.base import Request

    def requests(submission, prompts, *, variant="original", seed=0, first=0, **fields):
        settings = submission.settings_for(variant)
        return [
            Request(
                index=first + i,
                variant=variant,
                prompt=prompt,
                seed=seed,
                settings=settings,
                **fields,
            )
            for i, prompt in enumerate(prompts)
        ]

    return requests


KEYS = {
    "openai": "OPENAI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "replicate": "REPLICATE_API_TOKEN",
}
SECRET = "sk-secret-0123456789abcdef"


@pytest.fixture
def service():
    """An image service on loopback."""
    from support import loopback_apis

    with loopback_apis.Service().running() as running:
        yield running


@pytest.fixture
def remote_submission():
    """A submission of a remote backend."""
    from aas_bench.generators.spec import Submission

    def submission(backend: str, *, model="owner/name", settings=None):
        return Submission.model_validate(
            {
                "id": "remote",
                "name": "Remote",
                "family": "remote",
                "alignment": "closed",
                "backend": backend,
                "model": model,
                "settings": {"both": settings or {}},
                "licence": "none",
                "contact": "tests",
            }
        )

    return submission


@pytest.fixture
def remote(service, remote_submission, monkeypatch):
    """A generator of a remote backend that asks the loopback service and hardly waits."""
    pytest.importorskip("openai")
    pytest.importorskip("replicate")
    from aas_bench.generators.load import load_generator

    made = []

    def load(backend: str, *, model="owner/name", settings=None, **options):
        monkeypatch.setenv(KEYS[backend], SECRET)
        submission = remote_submission(backend, model=model, settings=settings)
        quick = {"base_url": service.url, "backoff": 0.001, "poll_interval": 0.001, "timeout": 5.0}
        made.append(load_generator(submission, **{**quick, **options}))
        return made[-1]

    yield load
    for generator in made:
        generator.close()


@pytest.fixture
def ask(requests_for):
    """The outcome of one request to a generator."""

    def outcome(generator, prompt="a dull photo", **fields):
        [found] = generator.generate(requests_for(generator.submission, [prompt], **fields))
        return found

    return outcome
