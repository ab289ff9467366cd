"""Replicate's protocol, through its SDK, against a loopback service."""

import pytest
from support.loopback_apis import (
    CANCEL,
    MODEL,
    PREDICTION,
    PREDICTIONS,
    VERSION,
    Reply,
    data_url,
    png,
    replicate_model,
    replicate_prediction,
)

from aas_bench.errors import BackendError, SpecError

pytest.importorskip("replicate")

STARTING = replicate_prediction("starting")
RUNNING = replicate_prediction("processing")


@pytest.fixture
def model(service):
    """The service, with a model that takes a seed and a prediction that begins."""
    service.answer(MODEL, replicate_model("seed", "go_fast"))
    service.answer(PREDICTIONS, STARTING)
    service.answer("/made.png", Reply(body=png()))
    return service


def test_a_prediction_is_followed_to_its_end(remote, model, ask):
    done = replicate_prediction("succeeded", output=f"{model.url}/made.png")
    model.answer(PREDICTION, STARTING, RUNNING, RUNNING, done)
    found = ask(remote("replicate"))
    assert (found.status, found.image.size, found.cost) == ("ok", (64, 48), None)
    assert found.provenance["prediction"] == "p1"
    assert found.provenance["version"] == VERSION
    assert found.provenance["predict_time"] == 4.5
    assert model.paths("GET").count(PREDICTION) == 4
    assert model.paths() == [PREDICTIONS]
    fetched = [each for each in model.asked if each.path == "/made.png"]
    assert "authorization" not in fetched[0].headers


@pytest.mark.parametrize("form", ["text", "list", "data", "data list"])
def test_an_output_in_each_form(remote, model, ask, form):
    url = data_url(png()) if "data" in form else f"{model.url}/made.png"
    output = [url] if "list" in form else url
    model.answer(PREDICTIONS, replicate_prediction("succeeded", output=output))
    assert ask(remote("replicate")).status == "ok"


def test_an_output_that_the_sdk_made_a_file():
    from replicate.helpers import transform_output

    from aas_bench.generators.replicate import picture_url

    [file] = transform_output(["https://example.org/made.png"], None)
    assert picture_url([file]) == picture_url(file) == "https://example.org/made.png"


def test_the_request_holds_options_prompt_and_seed(remote, model, ask):
    model.answer(PREDICTIONS, replicate_prediction("succeeded", output=data_url(png())))
    generator = remote("replicate", settings={"options": {"go_fast": True}})
    found = ask(generator, prompt="a grey wall", seed=5)
    [asked] = [each for each in model.asked if each.method == "POST"]
    seed = found.provenance["seed"]
    assert asked.body == {"input": {"go_fast": True, "prompt": "a grey wall", "seed": seed}}
    assert 0 <= seed < 2**31


def test_a_model_without_a_seed_is_given_none(remote, model, ask):
    model.answer(MODEL, replicate_model("size"))
    model.answer(PREDICTIONS, replicate_prediction("succeeded", output=data_url(png())))
    found = ask(remote("replicate"))
    [asked] = [each for each in model.asked if each.method == "POST"]
    assert "seed" not in asked.body["input"]
    assert (found.provenance["seed"], found.provenance["seed_supported"]) == (None, False)


def test_a_version_is_asked_for_by_its_hash(remote, model, ask):
    version = replicate_model("seed").body["latest_version"]
    model.answer(f"{MODEL}/versions/{VERSION}", Reply(body=version))
    done = replicate_prediction("succeeded", output=data_url(png()))
    model.answer("/v1/predictions", done)
    found = ask(remote("replicate", model=f"owner/name:{VERSION}"))
    [asked] = [each for each in model.asked if each.method == "POST"]
    assert (found.status, asked.body["version"]) == ("ok", VERSION)


@pytest.mark.parametrize("name", ["qwen-image", "a/b/c", "a/b:latest", "../b", "a/b?c"])
def test_a_model_that_replicate_cannot_have_is_refused_unasked(remote, service, name):
    with pytest.raises(SpecError, match="Copy it from the model's page"):
        remote("replicate", model=name)
    assert service.asked == []


def test_an_unknown_model_is_one_error_before_any_picture(remote, service):
    service.answer(MODEL, Reply(status=404, body={"detail": "no such model", "status": 404}))
    with pytest.raises(BackendError, match=r"^remote: Replicate: HTTP 404: no such model"):
        remote("replicate")


@pytest.mark.parametrize(
    "words",
    [
        "NSFW content detected. Try running it again, or try a different prompt.",
        "The input or output was flagged as sensitive. Please try again. (E005)",
    ],
)
def test_a_prediction_that_was_flagged_is_a_refusal(remote, model, ask, words):
    model.answer(PREDICTION, replicate_prediction("failed", error=words))
    found = ask(remote("replicate"))
    assert (found.status, found.reason, found.retryable) == ("refused", words, False)
    assert model.paths() == [PREDICTIONS]


def test_a_prediction_that_failed_is_made_again_then_recorded(remote, model, ask):
    model.answer(PREDICTION, replicate_prediction("failed", error="CUDA out of memory"))
    found = ask(remote("replicate", attempts=2))
    assert (found.status, found.reason, found.retryable) == ("failed", "CUDA out of memory", True)
    assert model.paths() == [PREDICTIONS] * 2


def test_a_canceled_prediction_is_a_failure_and_not_none(remote, model, ask):
    model.answer(PREDICTION, replicate_prediction("canceled"))
    found = ask(remote("replicate"))
    assert (found.status, found.retryable) == ("failed", True)
    assert "canceled by someone else" in found.reason
    assert model.paths() == [PREDICTIONS]


def test_a_prediction_that_runs_too_long_is_cancelled_and_recorded(remote, model, ask):
    model.answer(PREDICTION, RUNNING)
    model.answer(CANCEL, replicate_prediction("canceled"))
    found = ask(remote("replicate", timeout=0.3))
    assert (found.status, found.retryable) == ("failed", True)
    assert "still ran after 0.3 s and was cancelled" in found.reason
    assert model.paths() == [PREDICTIONS, CANCEL]


def test_a_prediction_that_cannot_be_cancelled_is_recorded_too(remote, model, ask):
    model.answer(PREDICTION, RUNNING)
    found = ask(remote("replicate", timeout=0.3))
    assert found.status == "failed"
    assert "could not be cancelled (HTTP 404" in found.reason


def test_a_look_that_fails_makes_no_second_prediction(remote, model, ask):
    done = replicate_prediction("succeeded", output=data_url(png()))
    busy = Reply(status=429, headers={"Retry-After": "0"})
    model.answer(PREDICTION, Reply(status=500), busy, Reply(body=b"<html>"), RUNNING, done)
    found = ask(remote("replicate"))
    assert (found.status, found.provenance["attempts"]) == ("ok", 1)
    assert model.paths() == [PREDICTIONS]


def test_looks_that_keep_failing_make_no_second_prediction(remote, model, ask):
    model.answer(PREDICTION, Reply(status=503))
    found = ask(remote("replicate", attempts=3))
    assert (found.status, found.retryable) == ("failed", True)
    assert model.paths() == [PREDICTIONS]
    # The SDK by itself would have looked ten times for each of ours.
    assert model.paths("GET").count(PREDICTION) == 3


@pytest.mark.parametrize("after", ["0.2", "1.5"])
def test_retry_after_is_waited_for(remote, model, ask, monkeypatch, after):
    waits = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    done = replicate_prediction("succeeded", output=data_url(png()))
    model.answer(PREDICTIONS, Reply(status=429, headers={"Retry-After": after}), done)
    found = ask(remote("replicate"))
    assert (found.status, found.provenance["attempts"], waits) == ("ok", 2, [float(after)])


def test_server_errors_are_tried_again_then_recorded(remote, model, ask):
    model.answer(PREDICTIONS, Reply(status=500, body={"detail": "internal"}))
    found = ask(remote("replicate", attempts=2))
    assert (found.status, found.reason, found.retryable) == ("failed", "HTTP 500: internal", True)
    assert model.paths() == [PREDICTIONS] * 2


def test_a_wrong_input_fails_at_once(remote, model, ask):
    model.answer(PREDICTIONS, Reply(status=422, body={"detail": "guidance is above 10"}))
    found = ask(remote("replicate"))
    assert (found.reason, found.retryable) == ("HTTP 422: guidance is above 10", False)
    assert model.paths() == [PREDICTIONS]


def test_a_service_that_does_not_answer(remote, model, ask):
    # The SDK sends this request without any time-out.
    model.answer(PREDICTIONS, Reply(stall=30))
    found = ask(remote("replicate", timeout=0.3, attempts=1))
    assert (found.status, found.retryable) == ("failed", True)
    assert "no answer in time (ReadTimeout)" in found.reason


def test_a_slow_drip_ends_at_the_time_out_of_the_whole(remote, model, ask):
    model.answer(PREDICTIONS, Reply(body=STARTING.body, drip=0.02))
    found = ask(remote("replicate", timeout=0.3, attempts=1))
    assert (found.status, found.retryable) == ("failed", True)
    assert "not complete after 0.3 s" in found.reason


@pytest.mark.parametrize("body", [b"<html>", [1], {"id": "p1"}, {"status": "unheard-of"}])
def test_an_answer_that_cannot_be_read(remote, model, ask, body):
    model.answer(PREDICTIONS, Reply(body=body))
    found = ask(remote("replicate", attempts=1))
    assert (found.status, found.image, found.retryable) == ("failed", None, True)
    assert "cannot be read" in found.reason


@pytest.mark.parametrize("output", [None, [], {}, 7, [None]])
def test_a_success_without_a_picture_is_a_failure(remote, model, ask, output):
    model.answer(PREDICTIONS, replicate_prediction("succeeded", output=output))
    found = ask(remote("replicate", attempts=1))
    assert (found.status, found.image) == ("failed", None)
    assert "succeeded without a picture" in found.reason


@pytest.mark.parametrize("data", [png()[:-40], png((64, 64)), png(colour=(0, 0, 255))])
def test_a_picture_that_is_not_accepted(remote, model, ask, data):
    model.answer(PREDICTIONS, replicate_prediction("succeeded", output=data_url(data)))
    found = ask(remote("replicate", attempts=1, settings={"width": 64, "height": 48}))
    assert (found.status, found.image) == ("failed", None)
