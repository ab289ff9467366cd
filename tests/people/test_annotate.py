"""People vote in a real browser by keyboard alone; the program is killed in the middle and goes on.

Every stored vote is checked against the pixels that were on the screen when the key was pressed.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from support.toy_pairs import WORDS, png

pytestmark = pytest.mark.browser

N = 8
POLISHED, ASKED = (10, 20, 200), (200, 20, 10)


def shade(colour, number):
    return tuple(value + number for value in colour)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Polished images are blue, the others red, and both tell their pair by a shade."""
    folder = tmp_path_factory.mktemp("pairs")
    lines = []
    for i in range(N):
        for side, colour in (("original", POLISHED), ("distorted", ASKED)):
            picture = Image.new("RGB", (320, 240), shade(colour, i))
            (folder / f"{i}_{side}.png").write_bytes(png(picture))
        prompt = f"{WORDS[i % 4]} {i}, blurred <b>and</b> {'very ' * (30 if i == 3 else 1)}crooked"
        row = {"pair_id": f"p/{i}", "index": i, "model": "m", "label": 1}
        row |= {"image_original": f"{i}_original.png", "image_distorted": f"{i}_distorted.png"}
        row |= {"prompt_original": WORDS[i % 4], "prompt_distorted": prompt, "dimensions": []}
        lines.append(json.dumps(row))
    (folder / "pairs.jsonl").write_text("\n".join(lines))
    return folder / "pairs.jsonl"


@pytest.fixture
def serve(pairs):
    running = []

    def start(out, *options):
        command = [sys.executable, "-m", "aas_bench", "annotate", "-d", pairs, "-o", out, *options]
        process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, text=True, env={**os.environ}
        )
        running.append(process)
        url = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
        return process, url[0]

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def ready(page):
    """Wait for the question, and say which pair it is and where its red image stands."""
    page.wait_for_selector("#vote:not([hidden])")
    page.wait_for_selector("main[aria-busy=false]")
    red = {}
    for side in ("left", "right"):
        r, g, b = page.eval_on_selector(
            f"#{side}",
            """image => {
                 const canvas = new OffscreenCanvas(1, 1).getContext("2d");
                 canvas.drawImage(image, 0, 0, 1, 1);
                 return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
               }""",
        )
        red[side] = r > b
        number = g - 20
    assert sorted(red.values()) == [False, True]
    return number, "left" if red["left"] else "right"


def until(page, done):
    """Wait until so many are answered."""
    text = re.compile(rf"^{done} of {N} answered$")
    page.locator("#progress", has_text=text).wait_for(state="attached")


def answer(page, key):
    """Press a key and wait until it was taken; the pair and side that it answered."""
    seen = ready(page)
    done = int(page.inner_text("#progress").split()[0])
    page.keyboard.press(key)
    until(page, done + 1)
    return seen


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


KEYS = {"1": "left", "ArrowLeft": "left", "2": "right", "ArrowRight": "right"}


def choice(key, red):
    if key in KEYS:
        return int(KEYS[key] == red)
    return -1 if key == "0" else None


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (400, 800)])
def test_voting_by_keyboard_survives_being_killed(serve, open_page, tmp_path, width, height):
    out = tmp_path / "votes.jsonl"
    process, url = serve(out)
    page = open_page(url, width, height)
    page.keyboard.type("Ada")
    page.keyboard.press("Enter")
    voted = [(key, *answer(page, key)) for key in ("1", "ArrowRight", "0", "s")]
    _shot(page, f"vote-{width}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.inner_text("#progress") == f"4 of {N} answered"
    assert "<b>and</b>" in page.inner_text("#prompt")

    process.send_signal(signal.SIGKILL)
    process.wait()
    page.keyboard.press("1")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "what you answered before is kept" in page.inner_text("#trouble")
    assert all("ERR_" in trouble for trouble in page.troubles), page.troubles
    with out.open("a") as file:
        file.write('{"pair_id": "p/7", "rat')  # as if it had died while writing

    _, url = serve(out, "--rater", "Ada")
    page = open_page(url, width, height)
    ready(page)
    assert page.inner_text("#progress") == f"4 of {N} answered"
    undone = voted.pop()
    page.keyboard.press("u")
    until(page, 3)
    assert ready(page) == undone[1:]  # the same pair, the same side
    voted += [(key, *answer(page, key)) for key in ("2", "ArrowLeft", "1", "0", "2")]
    page.wait_for_selector("#end:not([hidden])")
    assert page.inner_text("#sum") == f"Ada: {N} pairs, 0 of them skipped."
    _shot(page, f"end-{width}")
    assert page.troubles == []

    found = lines(out)
    kept = [vote for vote in found if not vote.get("undo") and vote["choice"] is not None]
    assert [(v["pair_id"], v["side"], v["choice"]) for v in kept] == [
        (f"p/{number}", red, choice(key, red)) for key, number, red in voted
    ]
    assert len(found) == N + 2  # the skip and its undo stay in the file
    assert {vote["rater"] for vote in found} == {"Ada"}
    assert all(vote["ms"] >= 0 and vote["time"].endswith("+00:00") for vote in kept)


def test_raters_see_other_orders_and_sides_and_go_on_apart(serve, open_page, tmp_path):
    out = tmp_path / "votes.jsonl"
    _, url = serve(out)
    orders = {}
    for rater in ("Ada", "Bo & Söhne?"):
        page = open_page(url, 1280, 800, "dark")
        page.keyboard.type(rater)
        page.keyboard.press("Enter")
        orders[rater] = [answer(page, "1") for _ in range(3 if rater == "Ada" else N)]
    _shot(page, "end-dark")
    assert orders["Ada"] != orders["Bo & Söhne?"][:3]
    assert {side for _, side in orders["Bo & Söhne?"]} == {"left", "right"}
    assert sorted(number for number, _ in orders["Bo & Söhne?"]) == list(range(N))
    page = open_page(url, 400, 800)
    page.wait_for_selector("#known option", state="attached")
    known = page.eval_on_selector_all("#known option", "all => all.map(o => [o.value, o.label])")
    assert known == [["Ada", "3 answered"], ["Bo & Söhne?", f"{N} answered"]]
    _shot(page, "who-400")


def test_fingers_vote_too_and_a_held_key_votes_once(serve, open_page, tmp_path):
    out = tmp_path / "votes.jsonl"
    _, url = serve(out, "--rater", "Ada")
    page = open_page(url, 400, 800)
    number, red = ready(page)
    box = page.locator("[data-answer=tie]").bounding_box()
    assert box["height"] >= 44
    assert box["y"] + box["height"] <= 800
    page.locator(f"[data-answer={red}]").click()
    until(page, 1)
    ready(page)
    page.keyboard.down("2")
    page.keyboard.down("2")
    page.keyboard.down("2")
    until(page, 2)
    ready(page)
    assert [(v["pair_id"], v["choice"]) for v in lines(out)][:1] == [(f"p/{number}", 1)]
    assert len(lines(out)) == 2
    assert page.troubles == []


def _shot(page, name):
    folder = os.environ.get("AAS_BENCH_SHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))
