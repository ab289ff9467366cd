"""The server answers its own page on this machine, and nothing else."""

import http.client
import json
import threading
from itertools import product

import pytest
from support.toy_pairs import dataset, rows

from aas_bench.errors import InputError
from aas_bench.people.ballot import Ballot
from aas_bench.people.voting_page import VotingServer
from aas_bench.tables.votes import VotesFile

JSON = {"Content-Type": "application/json"}


def ballot(path, pairs=None, seed=0):
    data = dataset(rows(4, ("one",))) if pairs is None else pairs
    return Ballot(data, VotesFile(path), seed=seed, now=lambda: "2026-01-01T00:00:00+00:00")


@pytest.fixture
def server(tmp_path):
    made = VotingServer(ballot(tmp_path / "votes.jsonl"))
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def ask(server):
    def call(method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(*server.server_address, timeout=10)
        content = json.dumps(body) if isinstance(body, dict) else body
        connection.request(method, path, content, headers or {})
        answer = connection.getresponse()
        found = answer.status, answer.read(), answer.headers
        connection.close()
        return found

    return call


def vote(ask, **fields):
    question = json.loads(ask("GET", "/question?rater=r")[1])
    body = {"rater": "r", "row": question["row"], "answer": "left", "ms": 1} | fields
    return ask("POST", "/vote", body, JSON)


def test_only_loopback_listens_and_only_its_own_names_are_answered(server, ask):
    assert server.server_address[0] == "127.0.0.1"
    port = server.server_address[1]
    assert ask("GET", "/", headers={"Host": f"localhost:{port}"})[0] == 200
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1:{port + 1}"):
        assert ask("GET", "/", headers={"Host": host})[0] == 403
        assert ask("POST", "/undo", {"rater": "r"}, {**JSON, "Host": host})[0] == 403


def test_the_policy_lets_nothing_in_from_elsewhere(ask):
    status, page, headers = ask("GET", "/")
    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert status == 200
    assert b"http://" not in page
    assert b"https://" not in page


def test_what_is_no_answer_of_the_page_changes_nothing(ask, tmp_path):
    wrong = [{"answer": "both"}, {"row": "0"}, {"row": True}, {"ms": 1.5}, {"rater": ""}]
    wrong += [{"rater": "x" * 41}, {"rater": "a\nb"}]
    for fields in wrong:
        assert vote(ask, **fields)[0] == 400, fields
    assert ask("POST", "/vote", "row=0&answer=left", {"Content-Type": "text/plain"})[0] == 400
    assert ask("POST", "/vote", "[]", JSON)[0] == 400
    assert ask("POST", "/vote", "{", JSON)[0] == 400
    assert ask("POST", "/vote", {"rater": "r" * 5000}, JSON)[0] == 400
    assert ask("POST", "/else", {"rater": "r"}, JSON)[0] == 404
    assert ask("GET", "/../votes.jsonl")[0] == 404
    for query in ("row=9&side=left", "row=-1&side=left", "row=0&side=up", "side=left", ""):
        assert ask("GET", f"/image?{query}")[0] == 404
    assert (tmp_path / "votes.jsonl").read_bytes() == b""


def test_an_answer_to_a_question_that_is_closed_is_not_stored_twice(ask, tmp_path):
    question = json.loads(ask("GET", "/question?rater=r")[1])
    for _ in range(3):
        status, body, _ = vote(ask, row=question["row"])
        assert status == 200
        assert json.loads(body)["done"] == 1
    assert len((tmp_path / "votes.jsonl").read_text().splitlines()) == 1


def test_an_undo_goes_back_vote_by_vote_and_stops_at_the_first(ask):
    asked = [json.loads(vote(ask)[1])["row"] for _ in range(2)]
    assert json.loads(ask("POST", "/undo", {"rater": "r"}, JSON)[1])["row"] == asked[0]
    for _ in range(3):
        done = json.loads(ask("POST", "/undo", {"rater": "r"}, JSON)[1])["done"]
    assert done == 0


def test_an_image_tells_nothing_but_its_pixels(ask):
    status, body, headers = ask("GET", "/image?row=0&side=left&rater=r")
    assert status == 200
    assert headers["Content-Type"] == "image/png"
    assert body.startswith(b"\x89PNG")
    question = json.loads(ask("GET", "/question?rater=r")[1])
    assert not any(word in str(question) for word in ("original", "distorted", "pair_id"))


def test_sides_and_orders_are_chance_and_stay(tmp_path):
    pairs = dataset(rows(100, ("one",)))
    first = ballot(tmp_path / "a.jsonl", pairs)
    again = ballot(tmp_path / "b.jsonl", pairs)
    other = ballot(tmp_path / "c.jsonl", pairs, seed=1)
    raters = ("Ada", "Bo", "Cy", "Di")
    sides = {(r, i): first.side(r, i) for r, i in product(raters, range(100))}
    assert all(again.side(r, i) == side for (r, i), side in sides.items())
    left = sum(side == "left" for side in sides.values())
    assert 160 < left < 240  # 400 coins: sd 10
    same = sum(sides["Ada", i] == sides["Bo", i] for i in range(100))
    assert 30 < same < 70
    assert sum(other.side(r, i) == side for (r, i), side in sides.items()) < 250
    starts = {b.question(r).row for b in (first, other) for r in raters}
    assert len(starts) > 4


def test_pairs_without_both_images_and_votes_on_other_pairs_are_refused(tmp_path):
    table = dataset(rows(4, ("one",)))
    with pytest.raises(InputError, match="Give pairs with both images"):
        ballot(tmp_path / "a.jsonl", table.remove_columns("image_original"))
    held = ballot(tmp_path / "b.jsonl", table)
    held.answer("r", held.question("r").row, "left", 1)
    other = table.map(lambda row: {"prompt_distorted": row["prompt_distorted"] + "?"})
    with pytest.raises(InputError, match=r"with another prompt\. Give another --out"):
        ballot(tmp_path / "b.jsonl", other)
    more = dataset(rows(6, ("one",)))
    assert ballot(tmp_path / "b.jsonl", more).question("r").done == 1


def test_a_port_that_is_taken_is_told(server, tmp_path):
    with pytest.raises(InputError, match="Give another --port, or none"):
        VotingServer(ballot(tmp_path / "other.jsonl"), port=server.server_address[1])
