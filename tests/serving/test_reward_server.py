"""A reward server answers as the model in this process does, and no client harms another."""

import ast
import base64
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from support.reward_servers import Gate, connected, head, message, serving, status, told
from support.toy_pairs import dataset, picture, png, rows
from support.toy_rewards import ToyCross, ToyDual

import aas_bench
from aas_bench.errors import BackendError, InputError
from aas_bench.rewards.catalog import load_reward
from aas_bench.rewards.contrastive import ContrastiveReward
from aas_bench.rewards.served import RemoteReward
from aas_bench.run.score import score
from aas_bench.serving.bounds import Bounds
from aas_bench.serving.server import RewardServer

TOKEN = "a-long-secret"
IMAGES = [picture(i) for i in range(5)]
PROMPTS = ["a cat", "a dog", "", "two cups of coffee, é", "x" * 50]


def text(image):
    return base64.b64encode(png(image)).decode()


def asked(images=IMAGES, prompts=PROMPTS, **others):
    return {"images": [text(image) for image in images], "prompts": list(prompts), **others}


@pytest.fixture(scope="module")
def toys():
    with serving(ToyDual("dual"), ToyCross("a/cross"), load_reward("average-taste")) as server:
        yield server


def test_json_and_form_give_the_models_own_scores(toys):
    want = ToyDual().score(IMAGES, PROMPTS).tolist()
    in_json = httpx.post(f"{toys.url}/dual", json=asked()).json()
    files = [("images", (str(i), png(image))) for i, image in enumerate(IMAGES)]
    form = [*files, ("request", (None, json.dumps({"prompts": PROMPTS})))]
    in_form = httpx.post(f"{toys.url}/dual", files=form).json()
    assert in_json["scores"] == in_form["scores"] == want


def test_cells_name_which_image_is_scored_under_which_prompt(toys):
    cells = [[4, 0], [0, 0], [0, 3]]
    answer = httpx.post(f"{toys.url}/a%2Fcross", json=asked(cells=cells)).json()
    want = ToyCross().score([IMAGES[i] for i, _ in cells], [PROMPTS[j] for _, j in cells])
    assert answer["scores"] == want.tolist()


def test_strength_takes_off_the_score_under_the_original_prompt(toys):
    originals = ["a tree", None, "a tree", None, "b"]
    answer = httpx.post(f"{toys.url}/dual", json=asked(strength=0.8, originals=originals)).json()
    model = ToyDual()
    base = model.score(IMAGES, PROMPTS)
    neutral = model.score(IMAGES, [o or "" for o in originals])
    np.testing.assert_allclose(answer["scores"], base - 0.8 * neutral, rtol=1e-14)


def test_what_is_served_is_described(toys):
    assert httpx.get(f"{toys.url}/health").json() == {"status": "ok"}
    names = httpx.get(toys.url).json()["rewards"]
    assert names == ["a/cross", "average-taste", "dual"]
    taste = httpx.get(f"{toys.url}/average-taste").json()
    own = load_reward("average-taste").describe()
    as_stored = json.dumps(own, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert taste["description"] == own
    assert taste["sha256"] == hashlib.sha256(as_stored.encode()).hexdigest()
    assert taste["facts"]["synthetic"] is True
    assert httpx.get(f"{toys.url}/dual").json()["facts"] is None


@pytest.mark.parametrize("make", [ToyDual, ToyCross])
def test_a_served_model_fills_the_table_as_the_model_does(toys, make):
    name = {ToyDual: "dual", ToyCross: "a/cross"}[make]
    pairs = dataset(rows(n_prompts=6, generators=("one", "two")))
    ours = score(pairs, make(name), progress=False).frame
    theirs = score(pairs, f"{name.replace('/', '-')}={toys.url}/{name}", progress=False).frame
    theirs.columns = [c.replace(name.replace("/", "-"), name) for c in theirs.columns]
    assert ours[f"{name}_oiop"].notna().all()
    assert ours[f"{name}_cut_original"].any() == theirs[f"{name}_cut_original"].any()
    assert theirs.equals(ours)


def test_contrast_is_taken_on_either_side(toys):
    remote = load_reward(f"contrastive:{toys.url}/average-taste@0.5")
    here = ContrastiveReward(load_reward("average-taste"), 0.5)
    assert remote.score(IMAGES, PROMPTS).tolist() == here.score(IMAGES, PROMPTS).tolist()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"[", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "JSON list"),
        ({"image": []}, "key 'image'"),
        ({"prompts": []}, "no prompts"),
        ({"prompts": "a cat"}, "Make it a list"),
        ({"prompts": [1]}, "no prompt"),
        ({"prompts": ["x" * 20_001]}, "no prompt"),
        (rb'{"prompts": ["\ud800"]}', "no prompt"),
        (asked(IMAGES[:2]), "2 images but 5 prompts"),
        (asked(originals=["a"]), "1 originals"),
        (asked(cells=[[0, 5]]), "cell"),
        (asked(cells=[[True, 0]]), "cell"),
        (asked(cells=[[-1, 0]]), "cell"),
        (asked(strength=-1), "strength"),
        (asked(strength=True), "strength"),
        (asked(strength=10**400), "strength"),
        ({"images": ["!"], "prompts": ["a"]}, "image 0 is not base64"),
        ({"images": [7], "prompts": ["a"]}, "image 0 is not base64"),
        ({"images": ["YWJj"], "prompts": ["a"]}, "image 0 is no image"),
        ({"images": [text(IMAGES[0])[:-40]], "prompts": ["a"]}, "cannot be read"),
        ({"images": [], "prompts": ["a"] * 10_000}, "10000 prompts are too many"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_a_line(toys, body, why):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = httpx.post(
        f"{toys.url}/dual", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert why in message(answer)
    assert "\n" not in message(answer)


class HalfKnown(ToyDual):
    def unknown_tokens(self, prompts):
        return np.array([len(prompt) / 100 for prompt in prompts])


def test_the_clients_check_sees_the_served_tokenizer(toys):
    assert RemoteReward(f"{toys.url}/dual").unknown_tokens(PROMPTS) is None
    with serving(HalfKnown("half")) as server:
        remote = RemoteReward(server.url)
        np.testing.assert_array_equal(
            remote.unknown_tokens(PROMPTS), HalfKnown().unknown_tokens(PROMPTS)
        )
        with pytest.raises(InputError, match="does not know"):
            score(dataset(rows()), remote, progress=False)


def test_pickles_and_unknown_names_are_refused(toys):
    kind = {"Content-Type": "application/octet-stream"}
    assert httpx.post(f"{toys.url}/dual", content=b"\x80\x04.", headers=kind).status_code == 415
    answer = httpx.post(f"{toys.url}/tual", json=asked())
    assert answer.status_code == 404
    assert "There are: a/cross, average-taste, dual" in message(answer)


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("evil.example", 400),
        ("127.0.0.1.evil.example:80", 400),
        ("localhost:80", 200),
        ("[::1]:80", 200),
        ("127.0.0.9", 200),
    ],
)
def test_a_page_cannot_reach_the_server_by_a_name_of_its_own(toys, host, code):
    assert httpx.get(toys.url, headers={"Host": host}).status_code == code


def test_a_server_listens_at_the_other_loopback_address():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with serving(ToyDual(), host="::1") as server:
        assert RemoteReward(server.url).score(IMAGES, PROMPTS).shape == (5,)


def test_an_image_beyond_the_bounds_is_not_decoded(monkeypatch):
    with serving(ToyDual(), bounds=Bounds(pixels=100)) as server:
        answer = httpx.post(f"{server.url}/toy", json=asked())
        assert answer.status_code == 422
        assert "108 pixels" in message(answer)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
        assert "far too many pixels" in message(httpx.post(f"{server.url}/toy", json=asked()))
        remote = RemoteReward(server.url)
        with pytest.raises(InputError, match="at most 100 pixels"):
            remote.score(IMAGES, PROMPTS)


def test_64_clients_get_the_scores_that_score_gives(toys):
    pairs = dataset(rows(n_prompts=32, generators=("one", "two")))
    cells = score(pairs, ToyCross("a/cross"), progress=False).cells("a/cross")
    with httpx.Client(limits=httpx.Limits(max_connections=64), timeout=60) as http:

        def one(row):
            images = [row["image_original"], row["image_distorted"]]
            prompts = [row["prompt_original"], row["prompt_distorted"]]
            body = asked(images, prompts, cells=[[0, 0], [0, 1], [1, 0], [1, 1]])
            return http.post(f"{toys.url}/a%2Fcross", json=body).json()["scores"]

        with ThreadPoolExecutor(64) as pool:
            found = np.array(list(pool.map(one, pairs)))
    assert len(found) == 64
    want = np.stack([cells.oiop, cells.oidp, cells.diop, cells.didp], axis=1)
    assert np.array_equal(found, want)


def test_no_client_harms_another():
    """Good clients go on scoring while each kind of bad one is answered or dropped."""
    gate = Gate()
    bounds = Bounds(body=2**20, head_seconds=0.4, body_seconds=0.4)
    with serving(ToyDual("dual"), gate, token=TOKEN, bounds=bounds) as server:
        want = ToyDual().score(IMAGES, PROMPTS).tolist()
        ended = threading.Event()

        def good():
            remote = RemoteReward(f"{server.url}/dual", token=TOKEN)
            n = 0
            while not ended.is_set():
                assert remote.score(IMAGES, PROMPTS).tolist() == want
                n += 1
            return n

        def post(body, name="dual", token=TOKEN):
            key = {"Authorization": f"Bearer {token}"}
            return httpx.post(f"{server.url}/{name}", json=body, headers=key).status_code

        def sent(*blocks, name="dual", length=10, token=TOKEN):
            with connected(server) as client:
                client.sendall(head(server, name, length, token=token))
                try:
                    for block in blocks:
                        client.sendall(block)
                except ConnectionError:
                    pass
                return status(told(client))

        def silent(first=b""):
            with connected(server) as client:
                client.sendall(first)
                return status(told(client))

        def killed():
            body = json.dumps(asked()).encode()
            with connected(server) as client:
                client.sendall(head(server, "dual", len(body), token=TOKEN) + body)

        with ThreadPoolExecutor(4) as pool:
            goods = [pool.submit(good) for _ in range(4)]
            try:
                assert post({"images": ["YWJj"], "prompts": ["a"]}) == 422
                assert post(asked(prompts=["a", "b", "nan", "c", "d"]), "gate") == 422
                assert post(asked(prompts=["a", "b", "raise", "c", "d"]), "gate") == 422
                assert post({"prompts": ["a"] * 10_000}) == 422
                assert post(asked(), token="wrong") == 401
                assert post(asked(), token=f"{TOKEN}x") == 401
                assert sent(length=300 * 2**20) == 413
                assert sent(*[b"10000\r\n" + bytes(2**16) + b"\r\n"] * 40, length=None) in (
                    413,
                    None,
                )
                assert sent(length=300 * 2**20, token="wrong") == 401
                assert sent(b"{") == 408
                assert silent() is None
                assert silent(b"POST /dual HTTP/1.1\r\nHo") is None
                for _ in range(5):
                    killed()
            finally:
                ended.set()  # else a failure above would wait for them for ever
            assert all(each.result(30) > 0 for each in goods)
        assert httpx.get(f"{server.url}/dual").status_code == 401
        assert httpx.get(f"{server.url}/health").status_code == 200


def test_a_request_that_fails_takes_no_other_with_it():
    gate = Gate()
    with serving(gate) as server, ThreadPoolExecutor(8) as pool:

        def post(*prompts):
            body = asked([IMAGES[0]] * len(prompts), prompts)
            return httpx.post(f"{server.url}/gate", json=body, timeout=30)

        gate.open.clear()
        first = pool.submit(post, "first")
        assert gate.begun.wait(10)
        others = [
            pool.submit(post, *p) for p in (("ab", "nan"), ("abc",), ("raise", "a"), ("abcd",))
        ]
        while httpx.get(f"{server.url}/gate").json()["waiting"] < 6:
            time.sleep(0.01)
        gate.open.set()
        assert first.result().json()["scores"] == [5.0]
        nan, three, raised, four = (each.result() for each in others)
        assert (three.json()["scores"], four.json()["scores"]) == ([3.0], [4.0])
        assert "gave nan for 'nan'" in message(nan)
        assert message(raised).startswith("reward model 'gate': encode_prompts raised ValueError")


def test_a_full_queue_puts_clients_off_and_they_come_back():
    gate = Gate()
    with serving(gate, bounds=Bounds(queue=4)) as server, ThreadPoolExecutor(8) as pool:
        remote = RemoteReward(server.url)
        gate.open.clear()
        first = pool.submit(remote.score, IMAGES, PROMPTS)
        assert gate.begun.wait(10)
        second = pool.submit(remote.score, IMAGES[:4], PROMPTS[:4])
        while httpx.get(f"{server.url}/gate").json()["waiting"] < 4:
            time.sleep(0.01)
        refused = httpx.post(f"{server.url}/gate", json=asked())
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) >= 1
        third = pool.submit(remote.score, IMAGES, PROMPTS)
        gate.open.set()
        lengths = [float(len(p)) for p in PROMPTS]
        assert first.result(30).tolist() == third.result(30).tolist() == lengths
        assert second.result(30).tolist() == lengths[:4]


def test_a_client_says_that_it_waits_for_a_server_that_died(caplog):
    with serving(ToyDual()) as server:
        remote = RemoteReward(server.url, timeout=0.3)
    with pytest.raises(BackendError, match="no complete answer") as raised:
        remote.score(IMAGES, PROMPTS)
    assert "\n" not in str(raised.value)
    told = [record.getMessage() for record in caplog.records]
    assert any(f"{server.url} does not answer" in text for text in told)
    assert all("asking again for 0.3 s" in text for text in told)


def test_what_a_killed_client_asked_is_not_scored():
    gate = Gate()
    with serving(gate) as server, ThreadPoolExecutor(2) as pool:
        gate.open.clear()
        first = pool.submit(httpx.post, f"{server.url}/gate", json=asked(), timeout=30)
        assert gate.begun.wait(10)
        body = json.dumps(asked([IMAGES[0]], ["left behind"])).encode()
        with connected(server) as client:
            client.sendall(head(server, "gate", len(body)) + body)
            while httpx.get(f"{server.url}/gate").json()["waiting"] < 1:
                time.sleep(0.01)
        time.sleep(0.2)  # the server hears of it between two of its turns
        gate.open.set()
        assert first.result().status_code == 200
        again = httpx.post(f"{server.url}/gate", json=asked([IMAGES[0]], ["after"]))
        assert again.json()["scores"] == [5.0]
        assert "left behind" not in gate.combined


def test_a_model_that_takes_too_long_is_said_to():
    gate = Gate()
    with serving(gate, bounds=Bounds(seconds=0.3)) as server:
        gate.open.clear()
        assert httpx.post(f"{server.url}/gate", json=asked()).status_code == 504
        gate.open.set()
        again = httpx.post(f"{server.url}/gate", json=asked([IMAGES[0]], ["after"]))
        assert again.json()["scores"] == [5.0]


def test_a_large_request_delays_a_small_one_by_its_turn_only():
    gate = Gate()
    with serving(gate) as server, ThreadPoolExecutor(2) as pool:
        gate.open.clear()
        prompts = [f"large {i}" for i in range(200)]
        body = asked([IMAGES[0]], prompts, cells=[[0, i] for i in range(200)])
        large = pool.submit(httpx.post, f"{server.url}/gate", json=body, timeout=30)
        assert gate.begun.wait(10)
        small = pool.submit(httpx.post, f"{server.url}/gate", json=asked(IMAGES[:1], ["small"]))
        while httpx.get(f"{server.url}/gate").json()["waiting"] < 169:
            time.sleep(0.01)
        gate.open.set()
        assert small.result().json()["scores"] == [5.0]
        assert large.result().json()["scores"] == [float(len(p)) for p in prompts]
        assert gate.combined.index("small") <= 64


def test_no_more_bytes_are_held_than_the_bounds_allow():
    with serving(ToyDual(), bounds=Bounds(body=2**20, bodies=2**20)) as server:
        with connected(server) as slow:
            slow.sendall(head(server, "toy", 2**20) + bytes(2**20 - 1))
            deadline = time.monotonic() + 10
            while (answer := httpx.post(f"{server.url}/toy", json=asked())).status_code == 200:
                assert time.monotonic() < deadline
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        while httpx.post(f"{server.url}/toy", json=asked()).status_code != 200:
            assert time.monotonic() < deadline


def test_another_model_at_the_same_address_is_noticed():
    first = RewardServer([load_reward("random")], port=0)
    port = int(first.url.rpartition(":")[2])
    thread = threading.Thread(target=first.run)
    thread.start()
    remote = RemoteReward(f"{first.url}/random")
    first.stop()
    thread.join()
    other = load_reward("polish", name="random")
    second = RewardServer([other], port=port)
    thread = threading.Thread(target=second.run)
    thread.start()
    try:
        with pytest.raises(BackendError, match="another model as 'random'"):
            remote.score(IMAGES, PROMPTS)
    finally:
        second.stop()
        thread.join()


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "http:///x", "http://me:word@127.0.0.1/x", "x", "http://[", "http://a:x/b"]
)
def test_an_address_of_another_form_is_refused(url):
    with pytest.raises(InputError, match="Write http://HOST:PORT/NAME"):
        RemoteReward(url)


def test_where_nothing_listens_the_way_to_start_is_told():
    with serving(ToyDual()) as server:
        url = server.url
    with pytest.raises(BackendError, match="start one with aas-bench serve"):
        RemoteReward(url)


def test_another_kind_of_server_is_told_from_ours(toys):
    with pytest.raises(InputError, match="no reward server of ours"):
        RemoteReward(f"{toys.url}/health")


def test_a_token_that_cannot_be_sent_is_refused(toys):
    with pytest.raises(InputError, match="characters that no token has"):
        RemoteReward(f"{toys.url}/dual", token="é")


def test_a_server_of_several_wants_a_name(toys):
    with pytest.raises(InputError, match=r"serves a/cross, average-taste, dual\. Name one"):
        RemoteReward(toys.url)
    with pytest.raises(InputError, match="no reward 'x' is served"):
        RemoteReward(f"{toys.url}/x")


def test_the_environments_token_opens_the_server(monkeypatch):
    with serving(ToyDual(), token=TOKEN) as server:
        with pytest.raises(BackendError, match="401"):
            RemoteReward(server.url)
        monkeypatch.setenv("AAS_BENCH_TOKEN", TOKEN)
        remote = aas_bench.load_reward(f"mine={server.url}/toy")
        assert remote.name == "mine"
        assert remote.score(IMAGES, PROMPTS).tolist() == ToyDual().score(IMAGES, PROMPTS).tolist()
        assert TOKEN not in json.dumps(remote.describe()) + repr(vars(remote))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"host": "0.0.0.0"}, "can be reached from other machines"),
        ({"host": "::"}, "can be reached from other machines"),
        ({"host": "localhost.example"}, "can be reached from other machines"),
        ({"token": "a b"}, "no token has"),
        ({"port": 70_000}, "cannot listen"),
    ],
)
def test_a_server_that_would_be_unsafe_does_not_start(options, why):
    with pytest.raises(InputError, match=why):
        RewardServer([ToyDual()], **{"port": 0, **options})


@pytest.mark.parametrize("names", [("health",), ("a", "a"), ("a?b",), ()])
def test_names_must_be_addresses(names):
    with pytest.raises(InputError):
        RewardServer([ToyDual(name) for name in names], port=0)


@pytest.mark.parametrize(
    "wrong", [{"queue": 0}, {"seconds": float("nan")}, {"seconds": float("inf")}, {"bodies": 1}]
)
def test_bounds_that_bound_nothing_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Bounds(**wrong)


def test_nothing_here_can_read_a_pickle():
    package = Path(aas_bench.__file__).parent
    files = [*(package / "serving").glob("*.py"), package / "rewards" / "served.py"]
    assert len(files) == 7
    for file in files:
        tree = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        names = {
            a.name for n in tree if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names
        }
        assert not names & {"pickle", "cloudpickle", "dill", "joblib", "marshal", "torch"}


def command(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "aas_bench", "serve", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_stop(sign):
    process = command("-r", "random", "-r", "other=random", "--port", "0")
    try:
        urls = [process.stderr.readline().split()[1] for _ in range(2)]
        assert urls[1].endswith("/other")
        while True:
            try:
                answer = httpx.post(urls[0], json=asked())
                break
            except httpx.ConnectError:
                time.sleep(0.05)
        assert answer.json()["scores"] == load_reward("random").score(IMAGES, PROMPTS).tolist()
        process.send_signal(sign)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()


def test_the_command_refuses_a_public_address_without_a_token():
    process = command("-r", "random", "--host", "0.0.0.0", AAS_BENCH_TOKEN="")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert error.startswith("aas-bench: --host 0.0.0.0 can be reached")
    assert error.count("\n") == 1


def test_without_the_extra_the_command_says_how_to_install_it():
    code = (
        "import sys; sys.modules['uvicorn'] = None; from aas_bench.cli import main\n"
        "sys.argv = ['aas-bench', 'serve', '-r', 'random']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert 'pip install "aas-bench[serve]"' in done.stderr
    assert done.stderr.count("\n") == 1
