"""What holds for every remote backend: keys, pace, and one outcome for each request."""

import json
import logging
import socket
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from support.loopback_apis import (
    CHAT,
    IMAGES,
    MODEL,
    PREDICTIONS,
    Reply,
    data_url,
    openai_error,
    openai_picture,
    openrouter_answer,
    png,
    replicate_model,
    replicate_prediction,
)

from aas_bench.errors import BackendError, InputError
from aas_bench.generators.load import load_generator
from aas_bench.generators.spec import load_submission

pytest.importorskip("openai")
pytest.importorskip("replicate")

KEYS = {
    "openai": "OPENAI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "replicate": "REPLICATE_API_TOKEN",
}
PATHS = {"openai": IMAGES, "openrouter": CHAT, "replicate": PREDICTIONS}
SUBMISSIONS = Path(__file__).parents[2] / "leaderboard" / "submissions"
SECRET = "sk-secret-0123456789abcdef"


def picture(backend, **how):
    reply = {
        "openai": lambda: openai_picture(),
        "openrouter": lambda: openrouter_answer(urls=[data_url(png())]),
        "replicate": lambda: replicate_prediction("succeeded", output=data_url(png())),
    }[backend]()
    return Reply(body=reply.body, **how)


@pytest.fixture(params=KEYS)
def backend(request, service):
    service.answer(MODEL, replicate_model("seed"))
    service.answer(PATHS[request.param], picture(request.param))
    return request.param


def posts(service):
    return [each for each in service.asked if each.method == "POST"]


def test_a_missing_key_is_one_line_that_names_it(backend, remote_submission, monkeypatch):
    monkeypatch.delenv(KEYS[backend], raising=False)
    with pytest.raises(InputError, match=f"Set the environment variable {KEYS[backend]}"):
        load_generator(remote_submission(backend))


@pytest.mark.parametrize("key", ["sk-a\nb-secret", "sk-a b-secret", "sk-é-secret"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(
    backend, remote_submission, monkeypatch, key
):
    monkeypatch.setenv(KEYS[backend], key)
    with pytest.raises(InputError, match="Copy the key again") as caught:
        load_generator(remote_submission(backend))
    assert "secret" not in "".join(traceback.format_exception(caught.value))


def test_the_key_is_sent_and_goes_nowhere_else(backend, remote, service, ask, caplog):
    echo = {"message": f"wrong key {SECRET}", "code": "invalid_api_key"}
    service.answer(PATHS[backend], Reply(status=401, body={"error": echo}))
    with caplog.at_level(logging.DEBUG):
        generator = remote(backend)
        found = ask(generator)
    assert posts(service)[0].headers["authorization"] == f"Bearer {SECRET}"
    assert (found.status, found.reason) == ("failed", "HTTP 401: wrong key [key]")
    seen = [repr(generator), repr(generator.client.service), repr(found), found.provenance]
    assert SECRET not in f"{seen}{json.dumps(generator.describe())}"
    assert SECRET not in caplog.text


def test_a_key_in_a_good_answer_is_not_recorded(remote, service, ask):
    reply = Reply(body=openai_picture().body, headers={"x-request-id": f"req {SECRET}"})
    service.answer(IMAGES, reply)
    found = ask(remote("openai"))
    assert found.provenance["request_id"] == "req [key]"


def test_an_error_while_loading_does_not_repeat_the_key(remote, service):
    service.answer(MODEL, Reply(status=401, body={"detail": f"wrong key {SECRET}"}))
    with pytest.raises(BackendError, match=r"wrong key \[key\]") as caught:
        remote("replicate")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_no_more_than_so_many_requests_are_under_way(backend, remote, service, requests_for):
    service.answer(PATHS[backend], picture(backend, stall=0.1))
    generator = remote(backend, concurrency=3)
    service.most_under_way = 0
    found = generator.generate(requests_for(generator.submission, [f"photo {i}" for i in range(9)]))
    assert [each.status for each in found] == ["ok"] * 9
    assert service.most_under_way == 3


def test_outcomes_come_in_the_order_of_the_requests(remote, service, requests_for):
    service.answer(IMAGES, openai_picture(), openai_error(400), openai_picture())
    generator = remote("openai", concurrency=1)
    found = generator.generate(requests_for(generator.submission, ["a", "b", "c"]))
    assert [each.status for each in found] == ["ok", "failed", "ok"]
    assert [each.body["prompt"] for each in posts(service)] == ["a", "b", "c"]


def test_a_service_that_is_not_there(backend, remote, ask, service):
    generator = remote(backend, attempts=2)
    with socket.socket() as taken:  # bound but not listening: refuses connections
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        if backend == "replicate":
            generator._sdk._client.base_url = url
        else:
            generator.client.sdk.base_url = url
        found = ask(generator)
    assert (found.status, found.image, found.retryable) == ("failed", None, True)
    assert "no complete answer" in found.reason
    assert found.provenance["attempts"] == 2
    assert posts(service) == []


def test_a_seed_image_is_refused_before_anything_is_sent(backend, remote, service, ask):
    found = ask(remote(backend), image=Image.new("RGB", (8, 8)))
    assert (found.status, found.retryable) == ("failed", False)
    assert "not given seed images" in found.reason
    assert posts(service) == []


def test_records_are_json_whatever_the_service_says(remote, service, ask):
    bad = "\ud800 two\nlines " + "long " * 1000
    service.answer(CHAT, openrouter_answer(content=bad))
    found = ask(remote("openrouter"))
    assert found.status == "refused"
    assert found.reason.startswith("? two lines long")
    assert len(found.reason) == 2000
    json.dumps([found.reason, found.provenance], allow_nan=False).encode("utf-8")


def test_the_description_names_the_service_and_not_its_pace(backend, remote, service):
    first, second = (remote(backend, concurrency=n).describe() for n in (1, 2))
    assert first == second
    assert first["service"] == service.url
    assert first["backend"] == backend


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize("row", ["gpt-image-1.5", "nano-banana", "qwen_image", "seeddream4"])
def test_the_published_rows_ask_for_what_they_say(service, requests_for, monkeypatch, row, preset):
    submission = load_submission(SUBMISSIONS / f"{row}.yaml")
    settings = submission.settings_for("distorted", preset)
    wanted = {**settings.options}
    prefix = wanted.pop("prompt_prefix", "")
    monkeypatch.setenv(KEYS[submission.backend], SECRET)
    model = f"/v1/models/{submission.model}"
    service.answer(model, replicate_model("seed"))
    path = f"{model}/predictions" if submission.backend == "replicate" else None
    service.answer(path or PATHS[submission.backend], picture(submission.backend))
    generator = load_generator(submission, preset=preset, base_url=service.url)
    [request] = requests_for(submission, ["a grey wall"], variant="distorted")
    [found] = generator.generate([replace(request, settings=settings)])
    generator.close()
    [asked] = posts(service)
    assert (asked.body.get("input") or asked.body).items() >= wanted.items()
    assert f"{prefix}a grey wall" in json.dumps(asked.body)
    if settings.written_size is None:
        assert found.status == "ok"
    else:
        assert found.reason.startswith("the image is 64 x 48 pixels, not 1024 x 1024")


def test_the_address_can_come_from_the_environment(backend, remote, service, ask, monkeypatch):
    monkeypatch.setenv(f"{backend.upper()}_BASE_URL", service.url)
    assert ask(remote(backend, base_url=None)).status == "ok"


@pytest.mark.parametrize("url", ["file:///etc", "api.example.org", "http://me:pw@127.0.0.1/"])
def test_an_address_that_is_none_is_refused(remote, url):
    with pytest.raises(InputError, match="Correct base_url or OPENAI_BASE_URL") as caught:
        remote("openai", base_url=url)
    assert "pw" not in str(caught.value)


def test_options_of_local_backends_are_left_out(remote):
    local = {"device": "cuda", "compile": True, "offload": True}
    assert remote("openai", **local).options == remote("openai").options


def test_a_call_takes_as_many_requests_as_are_under_way_unless_told(remote):
    assert remote("openai", concurrency=3).batch_size == 3
    assert remote("openai", concurrency=3, batch_size=5).batch_size == 5
    with pytest.raises(InputError, match=r"batch_size is 0\. Give a whole number"):
        remote("openai", batch_size=0)


def test_waits_double_and_stay_below_the_limit(remote, service, ask, monkeypatch):
    waits = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    service.answer(IMAGES, openai_error(500))
    ask(remote("openai", attempts=6, backoff=1.0, max_wait=6.0))
    lows = [1.0, 2.0, 4.0, 6.0, 6.0]
    assert len(waits) == len(lows)
    for wait, low in zip(waits, lows, strict=True):
        assert low <= wait <= min(low + 0.25, 6.0)
