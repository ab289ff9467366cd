"""A chat endpoint on loopback, asked through the official SDK."""

import itertools
import json
import re
import threading
from collections import defaultdict
from pathlib import Path

import pytest
from support.loopback_apis import CHAT, Reply, Service, openai_error, openrouter_answer

pytest.importorskip("openai")

from aas_bench.errors import InputError
from aas_bench.rewriters.base import RewriteError, RewriteRequest
from aas_bench.rewriters.catalog import load_rewriter

SECRET = "sk-secret-0123456789abcdef"
CAPTION = "A man plays frisbee on a beach by the ocean."
ASKED = ("clarity", "emotion")
GOOD = "A man plays frisbee on a beach by the ocean, all of it badly blurred and gloomy."
REQUEST = RewriteRequest(caption=CAPTION, dimensions=ASKED)


def says(text):
    return openrouter_answer(content=text)


def prompt(text):
    return says(json.dumps({"prompt": text}))


@pytest.fixture
def service():
    with Service().running() as running:
        yield running


@pytest.fixture
def rewriter(service, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    made = []

    def make(**options):
        quick = {"backoff": 0.001, "timeout": 5.0, "max_wait": 0.05, "cache": tmp_path / "cache"}
        made.append(
            load_rewriter("endpoint", model="m-1", **{"base_url": service.url, **quick, **options})
        )
        return made[-1]

    yield make
    for each in made:
        each.close()
    written = [p.read_text() for p in tmp_path.rglob("*") if p.is_file()]
    assert not any(SECRET in text for text in written)
    assert not any(SECRET in repr(each) for each in made)


def test_a_prompt_is_asked_for_once_and_kept(service, rewriter):
    service.answer(CHAT, prompt(GOOD))
    first = rewriter()
    assert first.rewrite(REQUEST) == GOOD
    assert first.rewrite(REQUEST) == GOOD
    assert rewriter().rewrite(REQUEST) == GOOD
    [asked] = service.asked
    assert asked.headers["authorization"] == f"Bearer {SECRET}"
    assert asked.body["model"] == "m-1"
    assert asked.body["response_format"]["type"] == "json_schema"
    assert asked.body["response_format"]["json_schema"]["strict"] is True
    task = json.loads(asked.body["messages"][1]["content"])
    assert task["caption"] == CAPTION
    assert [each["request"] for each in task["requests"]] == list(ASKED)
    assert first.describe() == "endpoint:m-1"


@pytest.mark.parametrize(
    "other",
    [
        RewriteRequest(caption=CAPTION + " ", dimensions=ASKED),
        RewriteRequest(caption=CAPTION, dimensions=ASKED[:1]),
        RewriteRequest(caption=CAPTION, dimensions=ASKED, seed=1),
    ],
)
def test_another_question_has_another_answer(other, service, rewriter):
    service.answer(CHAT, prompt(GOOD))
    made = rewriter()
    made.rewrite(REQUEST)
    made.rewrite(other)
    assert len(service.asked) == 2


def test_another_model_has_another_answer(service, rewriter, tmp_path):
    service.answer(CHAT, prompt(GOOD))
    rewriter().rewrite(REQUEST)
    options = {"base_url": service.url, "cache": tmp_path / "cache"}
    other = load_rewriter("endpoint", model="m-2", **options)
    other.rewrite(REQUEST)
    other.close()
    assert [each.body["model"] for each in service.asked] == ["m-1", "m-2"]


@pytest.mark.parametrize("status", [400, 404, 422, 501])
def test_an_endpoint_without_structured_output_is_asked_in_words(status, service, rewriter):
    answer = says(f'Here you are:\n```json\n{{"prompt": "{GOOD}"}}\n```')
    service.answer(CHAT, openai_error(status, message="response_format is unknown"), answer)
    made = rewriter(attempts=1)
    assert made.rewrite(REQUEST) == GOOD
    made.rewrite(RewriteRequest(caption=CAPTION, dimensions=ASKED, seed=1))
    assert [set(each.body) for each in service.asked] == [
        {"model", "messages", "response_format", "seed"},
        {"model", "messages"},
        {"model", "messages"},  # it does not try again
    ]


def test_a_request_that_is_wrong_in_words_too_says_why(service, rewriter):
    service.answer(CHAT, openai_error(400, message="no such model"))
    with pytest.raises(RewriteError, match="HTTP 400: no such model"):
        rewriter().rewrite(REQUEST)
    assert len(service.asked) == 2


TOO_LONG = GOOD + " very" * 70


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("What a lovely beach!", "the answer is not the JSON object"),
        ("", "the answer is not the JSON object"),
        ('{"prompt": 7}', "the answer is not the JSON object"),
        ("[1, 2]", "the answer is not the JSON object"),
        (json.dumps({"prompt": TOO_LONG}), "it has 87 words; the most is 70"),
        (json.dumps({"prompt": CAPTION}), "it only repeats the caption"),
        (json.dumps({"prompt": GOOD.replace("and gloomy", "")}), "it does not ask for emotion"),
        (json.dumps({"prompt": "Badly blurred and gloomy."}), "it drops what the caption shows"),
    ],
)
def test_a_fault_is_told_and_mended(bad, told, service, rewriter):
    service.answer(CHAT, says(bad), prompt(GOOD))
    assert rewriter().rewrite(REQUEST) == GOOD
    first, second = (each.body["messages"] for each in service.asked)
    assert second[: len(first)] == first
    assert second[-2] == {"role": "assistant", "content": bad}
    assert told in second[-1]["content"]


def test_what_is_never_mended_is_missing_and_asked_for_by_the_next_run(service, rewriter, tmp_path):
    service.answer(CHAT, says("nonsense"))
    made = rewriter(rounds=2)
    with pytest.raises(RewriteError, match="no usable prompt in 2 answers: the last: the answer"):
        made.rewrite(REQUEST)
    assert len(service.asked) == 2
    assert not list(tmp_path.rglob("*.json"))
    service.answer(CHAT, prompt(GOOD))
    assert rewriter().rewrite(REQUEST) == GOOD
    assert len(service.asked) == 3


def test_a_refusal_is_final(service, rewriter):
    body = openrouter_answer().body
    body["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "I will not."}
    service.answer(CHAT, Reply(body=body))
    with pytest.raises(RewriteError, match="refused: I will not") as caught:
        rewriter().rewrite(REQUEST)
    assert not caught.value.retryable
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        openai_error(429, message="slow down", headers={"Retry-After": "0.01"}),
        openai_error(500),
        Reply(status=503),
        Reply(body=b"<html>gateway</html>"),
        Reply(body={"choices": []}),
        Reply(body=prompt(GOOD).body, lost=9),
    ],
)
def test_passing_trouble_is_waited_out(trouble, service, rewriter):
    service.answer(CHAT, trouble, trouble, prompt(GOOD))
    assert rewriter(attempts=3).rewrite(REQUEST) == GOOD
    assert len(service.asked) == 3


def test_the_endpoint_says_how_long_to_wait(service, rewriter, monkeypatch):
    waited = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    busy = openai_error(429, headers={"Retry-After": "7"})
    service.answer(CHAT, busy, prompt(GOOD))
    rewriter(max_wait=10).rewrite(REQUEST)
    assert waited == [7.0]


def test_too_long_a_wait_is_not_waited(service, rewriter, monkeypatch):
    waited = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    service.answer(CHAT, openai_error(429, message="quota", headers={"Retry-After": "3600"}))
    with pytest.raises(RewriteError, match="HTTP 429: quota"):
        rewriter(max_wait=10).rewrite(REQUEST)
    assert (waited, len(service.asked)) == ([], 1)


class Busy(Service):
    """Answers the first 16 captions once all are there; refuses some, tells others to wait."""

    def __init__(self):
        super().__init__()
        self.n_asked = defaultdict(int)
        self.numbers, self.first = itertools.count(), threading.Barrier(16)

    def _take(self, asked):
        super()._take(asked)
        if next(self.numbers) < 16:
            self.first.wait(timeout=30)
        caption = json.loads(asked.body["messages"][1]["content"])["caption"]
        number = int(re.search(r"number (\d+)", caption)[1])
        n_before = self.n_asked[number]
        self.n_asked[number] += 1
        if number % 50 == 7:
            body = openrouter_answer().body
            body["choices"][0]["message"] = {"role": "assistant", "refusal": "I will not."}
            return Reply(body=body)
        if number % 10 == 3 and n_before == 0:
            return openai_error(429, message="slow down", headers={"Retry-After": "0.01"})
        good = f"{caption} All of it is badly blurred and gloomy."
        return prompt(good)


def test_many_captions_at_once_come_in_order(rewriter):
    captions = [f"A man plays frisbee on beach number {i}." for i in range(300)]
    requests = [RewriteRequest(caption=c, dimensions=ASKED) for c in captions]
    with Busy().running() as service:
        made = rewriter(base_url=service.url, concurrency=16)
        found = list(made.rewrite_all([*requests, *requests[:5]]))
        assert service.most_under_way == 16
        refused = [i for i, each in enumerate(found) if isinstance(each, RewriteError)]
        assert refused == [7, 57, 107, 157, 207, 257]
        assert all(str(found[i]) == "refused: I will not." for i in refused)
        good = {i: each for i, each in enumerate(found) if i not in refused}
        assert all(each.startswith(captions[i % 300]) for i, each in good.items())
        assert service.n_asked == {i: 2 if i % 10 == 3 else 1 for i in range(300)}
        assert list(made.rewrite_all(requests[:5])) == found[:5]
        assert sum(service.n_asked.values()) == 330  # the cache answered


def test_eight_captions_are_under_way_unless_told(service, rewriter):
    assert rewriter().client.options.concurrency == 8


@pytest.mark.parametrize("error", [openai_error(401, message=f"bad key {SECRET}")])
def test_the_key_is_in_no_message(error, service, rewriter):
    service.answer(CHAT, error)
    with pytest.raises(RewriteError, match=r"HTTP 401: bad key \[key\]") as caught:
        rewriter().rewrite(REQUEST)
    assert SECRET not in str(caught.value)
    assert len(service.asked) == 1


def test_an_answer_that_does_not_come_is_not_waited_for(service, rewriter):
    service.answer(CHAT, Reply(stall=60))
    with pytest.raises(RewriteError, match=r"no answer in time .* Try again later") as caught:
        rewriter(timeout=0.2, attempts=2).rewrite(REQUEST)
    assert caught.value.retryable
    assert len(service.asked) == 2


def test_an_endpoint_that_is_down_is_not_asked_forever(rewriter):
    made = rewriter(base_url="http://127.0.0.1:9", attempts=2)
    reasons = []
    for seed in range(5):
        with pytest.raises(RewriteError) as caught:
            made.rewrite(RewriteRequest(caption=CAPTION, dimensions=ASKED, seed=seed))
        assert caught.value.retryable
        reasons.append(str(caught.value))
    assert all(r.startswith("no complete answer") for r in reasons[:3])
    assert all(r.startswith("not asked: the endpoint gave no answer to 3") for r in reasons[3:])


def test_a_damaged_cache_is_asked_again(service, rewriter, tmp_path):
    service.answer(CHAT, prompt(GOOD))
    rewriter().rewrite(REQUEST)
    [file] = (tmp_path / "cache").rglob("*.json")
    for damage in ("", "[]", file.read_text().replace("gloomy", "cheerful")):
        file.write_text(damage)
        assert rewriter().rewrite(REQUEST) == GOOD
    assert len(service.asked) == 4


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({"model": None}, "k", "needs a model. Give --model"),
        ({"model": "m"}, None, "Set the environment variable OPENAI_API_KEY"),
        ({"model": "m"}, "two words", "OPENAI_API_KEY holds characters that no key has"),
        ({"model": "m", "base_url": "ftp://x"}, "k", "is not http(s)://host/path. Correct"),
        ({"model": "m", "base_url": "http://k@x/v1"}, "k", "is not http(s)://host/path. Correct"),
        ({"model": "m", "rounds": 0}, "k", "rounds is 0. Give a whole number from 1"),
        ({"model": "m", "timeout": 0.0}, "k", "timeout is 0.0. Give seconds, above 0"),
    ],
)
def test_what_is_missing_or_wrong_is_told_at_once(options, key, message, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(InputError, match=re.escape(message)):
        load_rewriter("endpoint", **options)


def test_the_cache_is_the_users_own_unless_told(monkeypatch, tmp_path):
    from aas_bench.service.cache import cache_folder

    monkeypatch.setenv("AAS_BENCH_CACHE", str(tmp_path))
    assert cache_folder("rewrites") == tmp_path / "rewrites"
    monkeypatch.delenv("AAS_BENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_folder("rewrites") == tmp_path / "x" / "aas_bench" / "rewrites"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder("rewrites") == Path.home() / ".cache" / "aas_bench" / "rewrites"
