"""OpenAI's protocol, through its SDK, against a loopback service."""

import io

import pytest
from PIL import Image
from support.loopback_apis import IMAGES, Reply, base64_of, openai_error, openai_picture, png

pytest.importorskip("openai")


def same(image, data):
    return image.tobytes() == Image.open(io.BytesIO(data)).tobytes()


def test_a_picture_in_the_answer(remote, service, ask):
    service.answer(IMAGES, openai_picture())
    found = ask(remote("openai", model="gpt-image-1.5"))
    assert (found.status, found.image.mode, found.cost) == ("ok", "RGB", None)
    assert same(found.image, png())
    assert found.latency > 0
    assert found.provenance == {
        "attempts": 1,
        "seed": None,
        "seed_supported": False,
        "request_id": "req_1",
        "revised_prompt": None,
        "size": [64, 48],
    }


def test_the_request_holds_the_settings_and_no_seed(remote, service, ask):
    service.answer(IMAGES, openai_picture())
    ask(
        remote("openai", model="gpt-image-1.5", settings={"width": 64, "height": 48}),
        prompt="a grey wall",
        seed=7,
    )
    [asked] = service.asked
    assert asked.body == {
        "model": "gpt-image-1.5",
        "prompt": "a grey wall",
        "n": 1,
        "size": "64x48",
    }


def test_a_picture_behind_an_address_is_fetched_without_the_key(remote, service, ask):
    service.answer(IMAGES, openai_picture(url=f"{service.url}/made.png?signature=s"))
    service.answer("/made.png?signature=s", Reply(body=png()))
    found = ask(remote("openai"))
    assert same(found.image, png())
    [fetched] = [each for each in service.asked if each.method == "GET"]
    assert "authorization" not in fetched.headers


def test_an_address_that_fails_is_read_again_without_a_second_picture(remote, service, ask):
    service.answer(IMAGES, openai_picture(url=f"{service.url}/made.png"))
    service.answer("/made.png", Reply(status=503), Reply(body=png(), lost=9), Reply(body=png()))
    assert ask(remote("openai")).status == "ok"
    assert service.paths() == [IMAGES]


def test_an_address_that_keeps_failing_orders_no_second_picture(remote, service, ask):
    service.answer(IMAGES, openai_picture(url=f"{service.url}/made.png"))
    service.answer("/made.png", Reply(status=503))
    found = ask(remote("openai", attempts=2))
    assert (found.status, found.retryable) == ("failed", True)
    assert "HTTP 503 for the picture's address" in found.reason
    assert service.paths() == [IMAGES]
    assert len(service.paths("GET")) == 2


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x.png", "/etc/passwd"])
def test_only_http_addresses_are_fetched(remote, service, ask, url):
    service.answer(IMAGES, openai_picture(url=url))
    found = ask(remote("openai"))
    assert (found.status, found.retryable) == ("failed", False)
    assert "Only http, https, data count" in found.reason


def test_a_redirect_leads_nowhere_but_http(remote, service, ask):
    service.answer(IMAGES, openai_picture(url=f"{service.url}/made.png"))
    service.answer("/made.png", Reply(status=302, headers={"Location": "file:///etc/passwd"}))
    found = ask(remote("openai"))
    assert (found.status, found.retryable) == ("failed", False)


def test_a_picture_of_too_many_bytes_is_left_unread(remote, service, ask):
    service.answer(IMAGES, openai_picture(url=f"{service.url}/made.png"))
    service.answer("/made.png", Reply(body=bytes(50_000)))
    found = ask(remote("openai", max_bytes=40_000))
    assert (found.status, found.retryable) == ("failed", False)
    assert "larger than 40000 bytes" in found.reason


@pytest.mark.parametrize("code", ["moderation_blocked", "content_policy_violation"])
def test_a_content_policy_error_is_a_refusal_in_its_words(remote, service, ask, code):
    words = "Your request was rejected by the safety system."
    service.answer(IMAGES, openai_error(400, code, words, kind="image_generation_user_error"))
    found = ask(remote("openai"))
    assert (found.status, found.reason, found.retryable) == ("refused", words, False)
    assert (found.provenance["code"], found.provenance["http_status"]) == (code, 400)
    assert service.paths() == [IMAGES]


def test_another_bad_request_fails_at_once(remote, service, ask):
    service.answer(IMAGES, openai_error(400, "invalid_size", "size must be one of ..."))
    found = ask(remote("openai"))
    assert (found.status, found.retryable) == ("failed", False)
    assert found.reason == "HTTP 400: size must be one of ..."
    assert service.paths() == [IMAGES]


@pytest.mark.parametrize("after", ["0.2", "1.5"])
def test_retry_after_is_waited_for(remote, service, ask, monkeypatch, after):
    waits = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waits.append)
    busy = openai_error(429, "rate_limit_exceeded", headers={"Retry-After": after})
    service.answer(IMAGES, busy, openai_picture())
    found = ask(remote("openai"))
    assert (found.status, found.provenance["attempts"]) == ("ok", 2)
    assert waits == [float(after)]


def test_too_many_requests_for_too_long_fails_for_now(remote, service, ask):
    busy = openai_error(429, "rate_limit_exceeded", "slow down", headers={"Retry-After": "0"})
    service.answer(IMAGES, busy)
    found = ask(remote("openai", attempts=3))
    assert (found.status, found.reason, found.retryable) == ("failed", "HTTP 429: slow down", True)
    assert len(service.paths()) == found.provenance["attempts"] == 3


def test_a_wait_beyond_the_limit_is_not_begun(remote, service, ask, monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: pytest.fail("it waited"))
    service.answer(IMAGES, openai_error(429, headers={"Retry-After": "3600"}), openai_picture())
    found = ask(remote("openai", max_wait=10))
    assert (found.status, found.retryable) == ("failed", True)
    assert service.paths() == [IMAGES]


def test_an_empty_account_is_not_asked_again(remote, service, ask):
    service.answer(IMAGES, openai_error(429, "insufficient_quota", "add credit"))
    found = ask(remote("openai"))
    assert (found.status, found.retryable) == ("failed", False)
    assert service.paths() == [IMAGES]


def test_server_errors_are_tried_again_then_recorded(remote, service, ask):
    service.answer(IMAGES, openai_error(500, message="internal"))
    found = ask(remote("openai", attempts=3))
    assert (found.status, found.reason, found.retryable) == ("failed", "HTTP 500: internal", True)
    assert len(service.paths()) == 3


def test_a_server_error_that_passes_costs_nothing_but_time(remote, service, ask):
    service.answer(IMAGES, openai_error(500), openai_error(503), openai_picture())
    assert ask(remote("openai")).provenance["attempts"] == 3


def test_a_service_that_does_not_answer(remote, service, ask):
    service.answer(IMAGES, Reply(stall=30))
    found = ask(remote("openai", timeout=0.2, attempts=2))
    assert (found.status, found.retryable) == ("failed", True)
    assert "no answer in time (ReadTimeout)" in found.reason
    assert len(service.paths()) == 2


def test_a_slow_drip_ends_at_the_time_out_of_the_whole(remote, service, ask):
    # Each byte comes well before a time-out between two bytes would end the wait.
    drip = Reply(body=openai_picture().body, drip=0.02)
    service.answer(IMAGES, drip)
    found = ask(remote("openai", timeout=0.3, attempts=1))
    assert (found.status, found.retryable) == ("failed", True)
    assert "not complete after 0.3 s" in found.reason


def test_a_broken_connection_is_tried_again(remote, service, ask):
    service.answer(IMAGES, Reply(body=openai_picture().body, lost=20), openai_picture())
    assert ask(remote("openai")).provenance["attempts"] == 2


def test_a_truncated_picture_is_no_picture(remote, service, ask):
    service.answer(IMAGES, openai_picture(png()[:-40]))
    found = ask(remote("openai", attempts=2))
    assert (found.status, found.image, found.retryable) == ("failed", None, True)
    assert "no complete image" in found.reason
    assert len(service.paths()) == 2


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png((64, 64)), "64 x 64 pixels, not 64 x 48"),
        (png(colour=(0, 0, 255)), r"every pixel has the colour (0, 0, 255)"),
    ],
)
def test_a_picture_that_is_not_accepted(remote, service, ask, data, reason):
    service.answer(IMAGES, openai_picture(data))
    found = ask(remote("openai", settings={"width": 64, "height": 48}))
    assert (found.status, found.image, found.retryable) == ("failed", None, False)
    assert reason in found.reason
    assert service.paths() == [IMAGES]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>a proxy</html>", "not JSON: '<html>a proxy</html>'"),
        ([1], "a JSON list, not an object"),
        ({"data": None}, "holds no picture"),
        ({"data": []}, "holds no picture"),
        ({"data": [{}]}, "neither b64_json nor url"),
        ({"data": [{"b64_json": "!!"}]}, "not valid base64"),
        ({"data": [{"b64_json": base64_of(b"text")}]}, "no complete image"),
    ],
)
def test_an_answer_of_another_form(remote, service, ask, body, reason):
    service.answer(IMAGES, Reply(body=body))
    found = ask(remote("openai", attempts=1))
    assert (found.status, found.image) == ("failed", None)
    assert reason in found.reason


def test_an_error_page_is_recorded_in_its_words(remote, service, ask):
    service.answer(IMAGES, Reply(status=502, body=b"<html>bad gateway</html>"))
    found = ask(remote("openai", attempts=1))
    assert (found.reason, found.retryable) == ("HTTP 502: <html>bad gateway</html>", True)
