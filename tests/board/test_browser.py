"""The live page and the plain files in a real browser."""

import base64
import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pyarrow.parquet as pq
import pytest
from support.leaderboard_records import HOSTILE, N_SHOWN, reward

from aas_bench.board.showcase import REWARDS
from aas_bench.board.site import TABS, WINDOW
from aas_bench.board.static import write_static
from aas_bench.records.collection import save_record

pytest.importorskip("gradio")
pytestmark = [pytest.mark.browser, pytest.mark.slow]

APP = Path(__file__).parents[2] / "leaderboard" / "app.py"
TABLES = ("reward-models", "generators", "alignment-tax", "real-photographs-and-art")
SERVER = Path(__file__).parents[1] / "support" / "serve_records.py"
GOOD = (APP.parent / "submissions" / "builtin_faithful.yaml").read_text()


@contextmanager
def served(folder):
    """The page over a folder of records; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(SERVER), str(folder), str(port)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as server:
        base = f"http://127.0.0.1:{port}/"
        for _ in range(1200):
            assert server.poll() is None, server.stderr.read()
            try:
                urllib.request.urlopen(f"{base}view/about")
                break
            except OSError:
                time.sleep(0.1)
        yield base
        server.terminate()


@pytest.fixture(scope="module")
def address(board_folder):
    """The page over the records of `board_folder`."""
    with served(board_folder) as base:
        yield base


@pytest.fixture
def visit(browser, address):
    """Open a page; any console line, script error or request elsewhere ends the test."""
    contexts, troubles = [], []

    def call(query="", *, width=1280, scheme="light", base=address):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda m: troubles.append(m.text) if m.type != "info" else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append("a dialog opened"))
        page.on(
            "request",
            lambda r: (
                None if urlsplit(r.url).hostname in ("127.0.0.1", None) else troubles.append(r.url)
            ),
        )
        page.goto(base + query)
        return page

    yield call
    for context in contexts:
        context.close()
    assert troubles == []


def board(page, name):
    """The content of a tab, once it is drawn."""
    root = page.locator(f'[data-tab="{name}"]')
    root.wait_for()
    return root


def shown(root):
    return root.locator("table[data-main] tbody tr:visible")


def names(root):
    return root.locator("table[data-main] tbody tr:visible .nm").all_inner_texts()


def query_of(page):
    found = parse_qs(urlsplit(page.url).query)
    return {key: values[0] for key, values in found.items()}


def values(root, key):
    """What a column is sorted by, in the order shown."""
    return root.locator("table[data-main]").evaluate(
        """(table, key) => {
             const at = [...table.tHead.rows[0].cells].findIndex((c) => c.dataset.key === key);
             return [...table.tBodies[0].rows].filter((row) => !row.hidden)
               .map((row) => row.cells[at].dataset.value).filter((v) => v !== undefined)
               .map(Number);
           }""",
        key,
    )


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_is_drawn_and_nothing_scrolls_sideways(visit, width, scheme):
    page = visit(width=width, scheme=scheme)
    board(page, "reward-models")
    for name, label in TABS.items():
        page.get_by_role("tab", name=label, exact=True).click()
        if name == "submit":
            page.get_by_role("button", name="Check").wait_for()
        else:
            board(page, name)
        assert query_of(page).get("tab", "reward-models") == name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.get_by_text("4 files were refused:").wait_for()
    assert "is also that of" in page.locator(".foot").inner_text()


@pytest.mark.parametrize("width", [1280, 800, 400])
def test_the_first_screen_shows_the_finding_and_its_chart(visit, width):
    page = visit(width=width)
    page.wait_for_load_state("networkidle")
    line = page.locator("header .lede")
    assert "Gamma chose the image that was asked for in 40\u202f% (35 to 45)" in line.inner_text()
    assert line.bounding_box()["y"] < 300
    chart = board(page, "reward-models").locator("figure.lead > svg")
    assert chart.locator(".mark").count() == 3
    assert chart.bounding_box()["y"] < 500
    assert "Gamma overrides most" in page.locator("figure.lead figcaption").inner_text()
    assert "95 % interval" in page.locator("figure.lead figcaption").inner_text()


def test_sorting_by_a_head_orders_the_rows_and_the_address(visit):
    page = visit()
    root = board(page, "reward-models")
    assert shown(root).count() == N_SHOWN["reward-models"]
    assert values(root, "override_rate") == sorted(values(root, "override_rate"), reverse=True)
    root.locator('th[data-key="override_rate"] button').first.click()
    assert values(root, "override_rate") == sorted(values(root, "override_rate"))
    assert query_of(page)["sort"] == "override_rate"
    head = root.locator('th[data-key="override_rate"]').first
    assert head.get_attribute("aria-sort") == "ascending"


def test_search_and_filters_narrow_the_rows(visit):
    page = visit("?tab=generators")
    root = board(page, "generators")
    root.locator("select[name=family]").select_option("flux")
    root.locator("select[name=alignment]").select_option("aesthetic")
    assert names(root) == ["Flux Fine"]
    root.get_by_role("button", name="Reset").click()
    root.get_by_label("Search").fill("SHUT")
    assert names(root) == ["Shut"]
    assert "1 of " in root.locator(".count").inner_text()
    assert query_of(page) == {"tab": "generators", "q": "SHUT"}
    root.get_by_label("Search").fill("no such name")
    assert names(root) == []
    assert "Nothing matches" in root.locator(".count").inner_text()


def test_an_address_brings_back_what_was_shared(visit):
    first = visit("?tab=generators&__theme=light")
    root = board(first, "generators")
    root.locator("select[name=family]").select_option("flux")
    root.locator('th[data-key="after"] button').click()
    root.locator("summary", has_text="Columns").click()
    root.locator("input[value=weights]").check()
    wanted = names(root), root.locator("thead th:visible").all_inner_texts()
    assert query_of(first)["__theme"] == "light"
    second = visit("?" + urlsplit(first.url).query)
    again = board(second, "generators")
    assert (names(again), again.locator("thead th:visible").all_inner_texts()) == wanted
    assert query_of(second) == query_of(first)
    assert "open" in again.inner_text()


def test_a_tab_keeps_its_choice_while_another_is_read(visit):
    page = visit()
    root = board(page, "reward-models")
    root.get_by_label("Search").fill("alpha")
    page.get_by_role("tab", name="Generators").click()
    board(page, "generators")
    assert query_of(page) == {"tab": "generators"}
    page.get_by_role("tab", name="Reward models").click()
    assert query_of(page) == {"tab": "reward-models", "q": "alpha"}
    assert names(root) == ["Alpha"]


def test_back_leads_to_the_tab_before_and_its_choice(visit):
    page = visit("?tab=generators&family=flux")
    before = names(board(page, "generators"))
    page.get_by_role("tab", name="About", exact=True).click()
    board(page, "about")
    page.go_back()
    assert query_of(page) == {"tab": "generators", "family": "flux"}
    assert names(board(page, "generators")) == before
    assert board(page, "generators").is_visible()
    page.go_forward()
    assert query_of(page)["tab"] == "about"


def test_nonsense_in_the_address_has_no_effect(visit):
    page = visit("?tab=generators&family=%3Cscript%3E&sort=nothing&cols=nothing&reward=")
    assert board(page, "generators").locator("table[data-main]").is_visible()
    page = visit("?tab=nothing&q=alpha")
    assert board(page, "reward-models").is_visible()


def test_downloads_hold_what_is_shown(visit, tmp_path):
    page = visit("?tab=generators&family=flux&sort=-delta")
    root = board(page, "generators")
    wanted = names(root)
    files = {}
    for form in ("CSV", "Parquet", "LaTeX"):
        with page.expect_download() as download:
            root.get_by_role("link", name=form, exact=True).click()
        files[form] = tmp_path / download.value.suggested_filename
        download.value.save_as(files[form])
    with files["CSV"].open(newline="", encoding="utf-8") as stream:
        assert [row["name"] for row in csv.DictReader(stream)] == wanted
    assert pq.read_table(files["Parquet"]).column("name").to_pylist() == wanted
    assert files["LaTeX"].read_text().startswith("% needs \\usepackage{booktabs}")


def test_columns_without_a_figure_are_left_out(visit):
    page = visit("?status=published")
    root = board(page, "reward-models")
    heads = " ".join(root.locator("table[data-main] thead th:visible").all_inner_texts())
    assert "Accuracy" in heads
    assert "Override rate" not in heads
    root.locator("select[name=status]").select_option("measured")
    assert root.locator('th[data-key="override_rate"]').is_visible()
    assert root.locator(".legend").is_visible()


def test_the_boxes_of_the_picker_are_drawn_as_they_are(visit):
    root = board(visit(), "reward-models")
    root.locator("summary", has_text="Columns").click()
    boxes = root.locator("input[name=cols]")
    drawn = boxes.evaluate_all("all => all.map((box) => getComputedStyle(box).appearance)")
    assert set(drawn) == {"auto"}
    assert 0 < root.locator("input[name=cols]:checked").count() < boxes.count()


def test_flagged_published_and_pending_look_different(visit):
    root = board(visit(), "reward-models")
    part = root.locator("tr.flagged", has_text="Part")
    assert "not whole" in part.inner_text()
    pills = {
        status: root.locator(f"td .pill.{status}").first.evaluate(
            """(pill) => { const c = getComputedStyle(pill, "::before");
                           return c.backgroundColor + c.borderTopStyle + c.borderTopColor; }"""
        )
        for status in ("measured", "published", "pending")
    }
    assert len(set(pills.values())) == 3


def test_hostile_names_are_text_everywhere(visit):
    page = visit()
    root = board(page, "reward-models")
    assert set(HOSTILE) <= set(names(root))
    for name in ("generators", "alignment-tax", "real-photographs-and-art"):
        page.get_by_role("tab", name=TABS[name], exact=True).click()
        text = board(page, name).inner_text()
        assert any(hostile in text for hostile in HOSTILE), name
    assert page.locator("img[src=x]").count() == 0
    page.goto(page.url.partition("?")[0] + "?tab=compare-two&a=wide_spectrum/hostile-0/published")
    assert HOSTILE[0] in board(page, "compare-two").inner_text()
    assert page.locator("script", has_text="alert(1)</script>").count() == 0


def test_the_gallery_shows_pairs_with_verdicts_and_filters_them(visit):
    page = visit("?tab=gallery")
    root = board(page, "gallery")
    cards = root.locator("article:visible")
    total = cards.count()
    assert total > 20
    root.get_by_label("Reward model").select_option("average-taste")
    root.get_by_label("Outcome").select_option("overridden")
    some = cards.count()
    assert 0 < some < total
    for card in cards.all()[:5]:
        row = card.locator("tbody tr", has_text="average-taste")
        assert "overridden" in row.inner_text()
        left, right = row.locator("td.nr").all()
        assert left.locator("b").count() == 1
        assert right.locator("b").count() == 0
    image = cards.first.locator("img").first
    page.wait_for_function("(i) => i.complete && i.naturalWidth > 0", arg=image.element_handle())
    boxes = [figure.bounding_box()["x"] for figure in cards.first.locator("figure").all()]
    assert boxes[0] < boxes[1]


def test_ten_blind_pairs_and_the_readers_agreement(visit):
    page = visit("?tab=gallery")
    root = board(page, "gallery")
    root.get_by_text("Which would you choose?").click()
    quiz = root.locator("details.quiz")
    for i in range(1, 11):
        assert quiz.get_by_text(f"Pair {i} of 10").is_visible()
        assert quiz.locator("button img").count() == 2
        assert {quiz.locator("button img").nth(k).get_attribute("alt") for k in (0, 1)} == {
            "the left image",
            "the right image",
        }
        quiz.locator(".images button").first.click()
    said = quiz.locator(".finding").inner_text()
    kept = json.loads(page.evaluate("localStorage.getItem('aas-bench-choices')"))
    asked = sum(each["asked"] for each in kept)
    assert said == f"You chose the image that was asked for in {asked} of 10 pairs."
    lines = quiz.locator("li").all_inner_texts()
    assert {line.partition(" chose as you did in ")[0] for line in lines} == set(REWARDS)
    cards = {
        card.get_attribute("data-pair"): {
            line.get_attribute("data-reward"): line.get_attribute("data-outcome")
            for line in card.locator("tbody tr").all()
        }
        for card in root.locator("[data-cards] > article").all()
    }
    for line in lines:
        name, _, counted = line.partition(" chose as you did in ")
        same = [
            (cards[each["pair"]][name] in ("followed", "lucky", "asked")) == each["asked"]
            for each in kept
            if cards[each["pair"]][name] not in ("", "tied")
        ]
        assert counted == f"{sum(same)} of {len(same)}."
    quiz.get_by_role("button", name="Ask me again").click()
    quiz.get_by_text("Pair 1 of 10").wait_for()
    assert page.evaluate("localStorage.getItem('aas-bench-choices')") is None


def test_two_records_are_compared_and_shared(visit):
    page = visit("?tab=compare-two")
    root = board(page, "compare-two")
    root.get_by_label("First").select_option("wide_spectrum/gamma/measured")
    page.wait_for_function("() => document.querySelector('.two thead').innerText.includes('Gamma')")
    root.get_by_label("Second").select_option("wide_spectrum/alpha/measured")
    page.get_by_text("−42.0 points").first.wait_for()
    query = "?" + urlsplit(page.url).query
    again = visit(query)
    board(again, "compare-two")
    again.get_by_text("−42.0 points").first.wait_for()
    assert query_of(again)["a"] == "wide_spectrum/gamma/measured"


@pytest.fixture(scope="module")
def long_address(tmp_path_factory):
    """A page whose table is longer than what it holds at first."""
    folder = tmp_path_factory.mktemp("long")
    for i in range(WINDOW + 150):
        found = reward(f"model-{i}", f"Model {i:03d}", accuracy=(i / 400, i / 400, i / 400))
        save_record(found, folder)
    with served(folder) as base:
        yield base


def test_a_long_table_is_filtered_sorted_and_continued_by_the_server(visit, long_address):
    page = visit(base=long_address)
    root = board(page, "reward-models")
    count = root.locator(".count")
    assert count.inner_text() == "350 rows, the first 200 shown"
    assert shown(root).count() == 200
    root.get_by_role("button", name="Show more rows").click()
    page.wait_for_function("document.querySelectorAll('table[data-main] tbody tr').length === 350")
    assert count.inner_text() == "350 rows"
    root.get_by_label("Search").fill("model 00")
    page.wait_for_function("document.querySelectorAll('table[data-main] tbody tr').length === 13")
    assert count.inner_text() == "13 of 350 rows"
    root.locator("th[data-key=accuracy] button").click()
    page.wait_for_function(
        "document.querySelector('table[data-main] tbody .nm').textContent === 'Model 000'"
    )
    assert query_of(page)["q"] == "model 00"
    again = visit(page.url.removeprefix(long_address), base=long_address)
    board(again, "reward-models")
    again.wait_for_function(
        "document.querySelector('table[data-main] tbody .nm').textContent === 'Model 000'"
    )
    root.get_by_label("Search").fill("nothing of this name")
    page.wait_for_function("!document.querySelector('table[data-main] tbody tr')")
    assert count.inner_text() == "Nothing matches: 0 of 350 rows"


def test_a_name_leads_to_the_page_of_its_result(visit, address):
    page = visit()
    board(page, "reward-models").get_by_role("link", name="Gamma").click()
    page.wait_for_url("**/model/wide_spectrum/gamma/measured.html")
    assert page.get_by_role("heading", name="Gamma").is_visible()
    page.get_by_role("link", name="aas-bench leaderboard").click()
    board(page, "reward-models")


def test_a_submission_is_checked_right_and_wrong(visit):
    page = visit("?tab=submit")
    text = page.get_by_label("Submission (YAML)")
    text.fill(GOOD.replace("alignment: base", "alignment: <img src=x onerror=alert(1)>"))
    page.get_by_role("button", name="Check").click()
    bad = page.locator(".source li.bad")
    bad.wait_for()
    assert bad.get_attribute("data-line") == "5"
    assert "alignment:" in bad.locator(".fault").inner_text()
    text.fill(GOOD)
    page.get_by_role("button", name="Check").click()
    link = page.get_by_role("link", name="Download builtin_faithful.yaml")
    link.wait_for()
    assert page.locator(".source").count() == 0
    content = link.get_attribute("href").partition("base64,")[2]
    assert base64.b64decode(content).decode() == GOOD
    assert "600" in page.locator("#answer").inner_text()


def test_a_submission_is_read_from_a_file(visit, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(GOOD.replace("id: builtin_faithful", "id: from_a_file"))
    page = visit("?tab=submit")
    page.get_by_role("button", name="Open a file").wait_for()
    page.locator("input[type=file]").first.set_input_files(file)
    page.get_by_role("link", name="Download from_a_file.yaml").wait_for()
    assert "id: from_a_file" in page.get_by_label("Submission (YAML)").input_value()


def test_the_keyboard_reaches_tabs_controls_and_tables(visit):
    page = visit()
    root = board(page, "reward-models")
    seen = []
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "(() => { const e = document.activeElement;"
                " return e.dataset.tabId || e.name || e.dataset.export ||"
                " e.closest('th')?.dataset.key || e.className || e.tagName; })()"
            )
        )
    order = [
        "reward-models",
        "generators",
        "about",
        "q",
        "task",
        "status",
        "csv",
        "scroll",
        "accuracy",
    ]
    places = [seen.index(name) for name in order]
    assert places == sorted(places)
    page.get_by_role("tab", name="Reward models").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    board(page, "generators")
    page.get_by_role("tab", name="Reward models").press("Enter")
    head = root.locator('th[data-key="override_rate"] button').first
    head.focus()
    page.keyboard.press("Enter")
    assert query_of(page)["sort"] == "override_rate"


CONTRAST = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const luminance = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      layers.push(colour);
      if (colour[3] === 1) break;
    }
    let below = [255, 255, 255];
    for (const [r, g, b, a] of layers.reverse()) {
      below = [r, g, b].map((c, i) => a * c + (1 - a) * below[i]);
    }
    return below;
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    if (["STYLE", "SCRIPT", "OPTION"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const ink = rgba(element.closest("svg") ? style.fill : style.color);
    const paper = behind(element);
    const text = ink.slice(0, 3).map((c, i) => ink[3] * c + (1 - ink[3]) * paper[i]);
    const [dark, light] = [luminance(text), luminance(paper)].sort((a, b) => a - b);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${element.tagName}.${element.className}: ` +
      walker.currentNode.data.trim().slice(0, 40));
  }
  return poor;
}
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_background(visit, scheme):
    page = visit(scheme=scheme)
    for name, label in TABS.items():
        page.get_by_role("tab", name=label, exact=True).click()
        if name == "submit":
            page.get_by_label("Submission (YAML)").fill("id: X\n")
            page.get_by_role("button", name="Check").click()
            page.locator(".source li.bad").first.wait_for()
        else:
            board(page, name)
        page.mouse.move(0, 0)
        page.wait_for_timeout(400)  # gradio fades colours of buttons
        assert page.evaluate(CONTRAST) == [], name


def test_a_tab_that_cannot_be_loaded_says_so(visit, address, browser):
    context = browser.new_context()
    page = context.new_page()
    page.route("**/view/generators", lambda route: route.fulfill(status=500, body="<b>no</b>"))
    page.goto(f"{address}?tab=generators")
    line = page.get_by_role("alert")
    line.wait_for()
    assert "the server answered 500" in line.inner_text()
    context.close()


@pytest.fixture(scope="module")
def files(site, tmp_path_factory):
    return write_static(site, tmp_path_factory.mktemp("files") / "site").parent.as_uri() + "/"


@pytest.mark.parametrize("width", [1280, 400])
def test_plain_files_sort_search_and_keep_the_address(visit, files, width):
    page = visit("index.html", base=files, width=width)
    root = board(page, "reward-models")
    assert shown(root).count() == N_SHOWN["reward-models"]
    root.locator('th[data-key="override_rate"] button').first.click()
    assert values(root, "override_rate") == sorted(values(root, "override_rate"))
    root.get_by_label("Search").fill("beta")
    assert names(root) == ["Beta"]
    assert query_of(page) == {"q": "beta", "sort": "override_rate"}
    page.reload()
    assert names(board(page, "reward-models")) == ["Beta"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("link", name="Generators", exact=True).click()
    assert board(page, "generators").locator("tbody tr").count() > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_plain_files_are_whole_pages(visit, files, scheme):
    for tab in TABS:
        name = "index" if tab == "reward-models" else tab
        page = visit(f"{name}.html", base=files, scheme=scheme)
        assert page.get_by_role("navigation").get_by_role("link").count() == len(TABS)
        assert page.evaluate(CONTRAST) == [], tab
        assert page.locator("img[src=x]").count() == 0


def test_plain_files_compare_two(visit, files):
    query = "a=wide_spectrum%2Falpha%2Fmeasured&b=wide_spectrum%2Fgamma%2Fmeasured"
    page = visit(f"compare-two.html?{query}", base=files)
    root = board(page, "compare-two")
    assert "+42.0 points" in root.inner_text()
    root.get_by_label("Second").select_option("wide_spectrum/beta/measured")
    assert "+3.0 points" in root.inner_text()
    assert query_of(page)["b"] == "wide_spectrum/beta/measured"


def test_plain_files_read_without_scripts(browser, files):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{files}index.html")
    assert page.locator("table.board tbody tr", has_text="Gamma").first.is_visible()
    assert page.locator("form.controls").is_hidden()
    page.goto(f"{files}compare-two.html")
    assert page.locator(".result table.two").first.is_visible()
    other = page.locator("details[data-pair]").nth(1)
    assert not other.locator("table.two").first.is_visible()
    other.locator("summary").first.click()
    assert other.locator("table.two").first.is_visible()
    context.close()


def test_the_same_rows_live_and_in_python(visit, site):
    from aas_bench.board.state import State, apply

    for query in ("?tab=generators&reward=*&sort=-after", "?tab=alignment-tax&measure=After",
                  "?tab=reward-models&task=*&sort=name&q=a"):  # fmt: skip
        page = visit(query)
        name = query_of(page)["tab"]
        table = apply(site.tables[name], State.read(query_of(page)))
        assert names(board(page, name)) == [row.entries[0].text for row in table.rows]
        heads = board(page, name).locator("table[data-main] thead th:visible .hd")
        assert heads.count() == len(table.columns)
