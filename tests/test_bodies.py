"""A body that is too large is refused however it is sent."""

import asyncio

import pytest

from aas_bench.bodies import BoundedBodies

MOST = 100


def ask(parts, *, length=None):
    """What a counting application behind the middleware answers, and what it was handed."""
    held, sent = [], []
    waiting = [
        {"type": "http.request", "body": part, "more_body": i + 1 < len(parts)}
        for i, part in enumerate(parts)
    ]

    async def app(scope, receive, send):
        more = True
        while more:
            message = await receive()
            held.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"".join(held)})

    async def receive():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    scope = {"type": "http", "headers": headers}
    asyncio.run(BoundedBodies(app, most=MOST)(scope, receive, send))
    return sent[0]["status"], sum(map(len, held))


@pytest.mark.parametrize("parts", [[b""], [b"x" * MOST], [b"x" * 60, b"y" * 40]])
def test_a_body_within_the_bound_arrives_whole(parts):
    assert ask(parts) == (200, sum(map(len, parts)))


def test_a_declared_length_is_refused_before_anything_is_read():
    assert ask([b"x" * 10], length=MOST + 1) == (413, 0)


def test_chunks_are_refused_at_the_first_byte_too_many():
    status, held = ask([b"x" * 60, b"y" * 60, b"z" * 60])
    assert (status, held) == (413, 60)


def test_a_length_that_lies_is_counted_all_the_same():
    assert ask([b"x" * (MOST + 1)], length=5) == (413, 0)


def test_an_application_that_hides_the_error_is_overruled():
    sent = []

    async def hides(scope, receive, send):
        try:
            await receive()
        except Exception:
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b"could not parse"})

    async def receive():
        return {"type": "http.request", "body": b"x" * (MOST + 1), "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(BoundedBodies(hides, most=MOST)({"type": "http", "headers": []}, receive, send))
    assert [m["status"] for m in sent if "status" in m] == [413]
