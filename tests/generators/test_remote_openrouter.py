"""OpenRouter's chat protocol, through the OpenAI SDK, against a loopback service."""

import pytest
from support.loopback_apis import (
    CHAT,
    Reply,
    data_url,
    openai_error,
    openrouter_answer,
    openrouter_error,
    png,
)

from aas_bench.errors import SpecError

pytest.importorskip("openai")

PICTURE = openrouter_answer(urls=[data_url(png())])


def test_a_picture_in_a_chat_answer(remote, service, ask):
    service.answer(CHAT, PICTURE)
    found = ask(remote("openrouter"))
    assert (found.status, found.image.size, found.cost) == ("ok", (64, 48), 0.039)
    kept = {"id", "model", "provider", "finish_reason", "native_finish_reason", "n_images"}
    assert kept < found.provenance.keys()
    assert found.provenance["provider"] == "Google"


def test_the_request_holds_prefix_options_and_seed(remote, service, ask):
    service.answer(CHAT, PICTURE)
    options = {"prompt_prefix": "Draw: ", "modalities": ["image", "text"]}
    generator = remote("openrouter", settings={"options": options})
    found = ask(generator, prompt="a grey wall", seed=3)
    body = service.asked[0].body
    assert body["messages"] == [{"role": "user", "content": "Draw: a grey wall"}]
    assert body["modalities"] == ["image", "text"]
    assert body["usage"] == {"include": True}
    assert "prompt_prefix" not in body
    assert body["seed"] == found.provenance["seed"] < 2**31


def test_both_variants_share_a_seed_and_indices_do_not(remote, service, requests_for):
    service.answer(CHAT, PICTURE)
    generator = remote("openrouter")
    seeds = [
        outcome.provenance["seed"]
        for variant in ("original", "distorted")
        for outcome in generator.generate(
            requests_for(generator.submission, ["a", "b"], variant=variant)
        )
    ]
    assert seeds[:2] == seeds[2:]
    assert seeds[0] != seeds[1]


def test_a_picture_behind_an_address(remote, service, ask):
    service.answer(CHAT, openrouter_answer(urls=[f"{service.url}/made.png"]))
    service.answer("/made.png", Reply(body=png()))
    assert ask(remote("openrouter")).status == "ok"


def test_words_without_a_picture_are_a_refusal(remote, service, ask):
    words = "I'm unable to create that image."
    service.answer(CHAT, openrouter_answer(content=words, cost=0.0004))
    found = ask(remote("openrouter"))
    assert (found.status, found.reason, found.retryable) == ("refused", words, False)
    assert found.cost == 0.0004
    assert service.paths() == [CHAT]


def test_words_in_parts_are_a_refusal_too(remote, service, ask):
    parts = [{"type": "text", "text": "I'm unable"}, {"type": "text", "text": "to do so."}]
    service.answer(CHAT, openrouter_answer(content=parts, urls=[]))
    found = ask(remote("openrouter"))
    assert (found.status, found.reason) == ("refused", "I'm unable to do so.")


def test_a_content_filter_without_words_names_the_provider_s_reason(remote, service, ask):
    filtered = openrouter_answer(content=None, finish="content_filter", native="IMAGE_SAFETY")
    service.answer(CHAT, filtered)
    found = ask(remote("openrouter"))
    assert (found.status, found.reason) == ("refused", "no picture, finish reason IMAGE_SAFETY")


def test_a_flagged_prompt_is_a_refusal(remote, service, ask):
    message = "Your chosen model requires moderation and your input was flagged"
    metadata = {"reasons": ["violence"], "flagged_input": "..."}
    service.answer(CHAT, openrouter_error(403, message, metadata=metadata, status=403))
    found = ask(remote("openrouter"))
    assert (found.status, found.reason) == ("refused", message)


@pytest.mark.parametrize("answer", [{"content": ""}, {"content": "cut off", "finish": "length"}])
def test_silence_is_a_failure_that_is_tried_again(remote, service, ask, answer):
    service.answer(CHAT, openrouter_answer(**answer), PICTURE)
    found = ask(remote("openrouter"))
    assert (found.status, found.provenance["attempts"]) == ("ok", 2)
    assert found.cost == pytest.approx(2 * 0.039)  # both answers were billed


def test_a_provider_s_error_inside_a_good_status_is_tried_again(remote, service, ask):
    service.answer(CHAT, openrouter_error(502, "Provider returned error"))
    found = ask(remote("openrouter", attempts=2))
    assert (found.status, found.retryable, found.cost) == ("failed", True, None)
    assert found.reason == "HTTP 502: Provider returned error"
    assert len(service.paths()) == 2


def test_no_credit_is_not_tried_again(remote, service, ask):
    service.answer(CHAT, openrouter_error(402, "Insufficient credits", status=402))
    found = ask(remote("openrouter"))
    assert (found.status, found.reason, found.retryable) == (
        "failed",
        "HTTP 402: Insufficient credits",
        False,
    )


def test_too_many_requests_then_success(remote, service, ask):
    busy = openai_error(429, 429, "slow down", headers={"Retry-After": "0"})
    service.answer(CHAT, busy, PICTURE)
    assert ask(remote("openrouter")).provenance["attempts"] == 2


@pytest.mark.parametrize("cost", [None, "0.04", True, -1.0, float("nan"), float("inf")])
def test_a_cost_that_is_no_price_is_unknown(remote, service, ask, cost):
    service.answer(CHAT, openrouter_answer(urls=[data_url(png())], cost=cost))
    found = ask(remote("openrouter"))
    assert (found.status, found.cost) == ("ok", None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": []},
        {"choices": ["?"]},
        {"choices": [{"message": None}]},
        {"choices": [{"message": {"images": "?"}}]},
        {"choices": [{"message": {"images": [{"image_url": "?"}]}}]},
        {"choices": [{"finish_reason": "error", "error": {"code": 502, "message": "gone"}}]},
    ],
)
def test_an_answer_of_another_form_fails(remote, service, ask, body):
    service.answer(CHAT, Reply(body=body))
    found = ask(remote("openrouter", attempts=1))
    assert (found.status, found.image, found.retryable) == ("failed", None, True)


def test_the_service_chooses_the_size_unless_it_is_written_out(remote, service, ask):
    service.answer(CHAT, PICTURE)
    assert ask(remote("openrouter")).provenance["size"] == [64, 48]
    found = ask(remote("openrouter", settings={"width": 512, "height": 512}))
    assert (found.status, found.retryable) == ("failed", False)
    assert "64 x 48 pixels, not 512 x 512" in found.reason


def test_what_the_run_decides_cannot_be_a_setting(remote):
    with pytest.raises(SpecError, match=r"options\.messages is decided by the run\. Remove it"):
        remote("openrouter", settings={"options": {"messages": "mine"}})
