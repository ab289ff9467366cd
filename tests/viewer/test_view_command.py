"""`aas-bench view` as a person meets it: one line with the address, a browser, Ctrl-C."""

import json
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from support.toy_pairs import dataset, rows

from aas_bench.run.score import score
from aas_bench.tables.scores import ScoreTable

LONG = "a_reward_model_with_a_name_that_no_phone_was_made_for"


def red(images, prompts):
    return [i.getpixel((0, 0))[0] + len(p) for i, p in zip(images, prompts, strict=True)]


def green(images, prompts):
    return [i.getpixel((0, 0))[1] - len(p) for i, p in zip(images, prompts, strict=True)]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("view")
    pairs = dataset(rows(20))
    pairs.save_to_disk(folder / "pairs")
    table = score(pairs, [red, green], out=folder / "run", progress=False)
    frame = table.frame.rename(columns=lambda name: re.sub("^green_", f"{LONG}_", name))
    ScoreTable(frame=frame, rewards=("red", LONG)).save(folder / "run" / "scores.parquet")
    source = {"source": str(folder / "pairs")}
    (folder / "run" / "pairs.json").write_text(json.dumps(source))
    return folder / "run"


def start(*arguments):
    command = [sys.executable, "-m", "aas_bench", "view", *map(str, arguments), "--no-browser"]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )


@pytest.fixture(scope="module")
def url(run):
    process = start(run)
    found = re.search(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
    yield found[0]
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    assert told == ""


def test_what_cannot_be_served_is_one_line(run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments, words in (
            ((run, "--port", port), f"port {port} cannot be used"),
            ((run, "--data", "nothing"), "no task is called 'nothing'"),
        ):
            process = start(*arguments)
            out, told = process.communicate(timeout=60)
            assert (process.returncode, out) == (2, "")
            assert words in told
            assert told.count("\n") == 1


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("path", ["", f"?reward=red&other={LONG}", "pair?pair=one/0003"])
def test_nothing_is_cut_off_and_every_image_is_drawn(open_page, url, width, path):
    page = open_page(url + path, width, scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
    sizes = page.eval_on_selector_all(
        "main *", "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 12
    assert page.troubles == []


@pytest.mark.browser
@pytest.mark.parametrize("script", [True, False])
def test_a_choice_is_in_the_address_and_back_undoes_it(open_page, url, script):
    page = open_page(url, java_script_enabled=script)
    everything = page.locator(".count").inner_text()
    assert everything == "1 to 24 of 60 pairs"
    page.locator("select[name=outcome]").select_option("missed")
    if not script:
        page.locator("button[type=submit]").click()
    page.wait_for_url("**outcome=missed**")
    some = page.locator(".count").inner_text()
    assert some != everything
    verdicts = page.locator("article tbody tr:first-child .verdict").all_inner_texts()
    assert set(verdicts) == {"missed"}
    first = page.locator("article a.open").first
    name = first.inner_text()
    first.click()
    assert page.locator("h1").inner_text() == name
    assert "outcome=missed" in page.url
    page.go_back()
    assert page.locator(".count").inner_text() == some
    assert page.locator("select[name=outcome]").input_value() == "missed"
    page.go_back()
    assert page.locator(".count").inner_text() == everything
    assert page.locator("select[name=outcome]").input_value() == ""
    assert page.url == url


@pytest.mark.browser
def test_the_keyboard_walks_through_pairs_and_pages(open_page, url):
    page = open_page(url)
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("k")
    focused = page.evaluate("document.activeElement.textContent")
    assert focused == "one/0001"
    page.keyboard.press("Enter")
    page.wait_for_selector(".pair")
    page.keyboard.press("j")
    page.wait_for_url("**0002")
    page.keyboard.press("Escape")
    page.wait_for_selector(".cards")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**page=2**")
    page.locator("input[name=q]").press("j")
    assert page.locator("input[name=q]").input_value() == "j"
