"""The page in a real browser: filters, keyboard, no error, no sideways scrolling, no network."""

import pytest
from support.report_tables import pair_rows, score_table

from aas_bench.measure.summary import summarise
from aas_bench.pages.report import write_report

pytestmark = pytest.mark.browser

LONG_NAME = "a_reward_model_with_a_name_that_no_phone_was_made_for_" + "x" * 40


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    table = score_table(rewards=("alpha", "beta", LONG_NAME), doses=True, wordings=2, cuts=True)
    summary = summarise(table)
    out = tmp_path_factory.mktemp("browser") / "report"
    index = write_report(summary, table, pairs=pair_rows(table), out=out)
    return index.as_uri(), summary


def shown(page):
    return page.locator("article:not([data-out])").count()


def choice(page, name):
    return page.locator(f"select[name={name}]")


def test_filters_show_exactly_the_matching_pairs(open_page, report):
    uri, summary = report
    page = open_page(uri)
    assert shown(page) == summary.n_pairs
    assert page.locator("article:visible").count() == 12
    choice(page, "reward").select_option("beta")
    choice(page, "outcome").select_option("overridden")
    overridden = summary.rewards["beta"].outcomes["overridden"]
    assert shown(page) == overridden > 0
    verdicts = page.locator("article:visible tr:visible .verdict").all_inner_texts()
    assert set(verdicts) == {"overridden"}
    choice(page, "dimension").select_option("clarity")
    assert 0 < shown(page) < overridden
    assert page.troubles == []


def test_the_chosen_image_wears_its_score_in_bold(open_page, report):
    page = open_page(report[0])
    rows = page.eval_on_selector_all(
        "article:not([hidden]) tbody tr",
        """all => all.map(row => {
             const [left, right] = row.querySelectorAll("td.nr");
             const number = (cell) => Number(cell.textContent.replace("\u2212", "-"));
             return [number(left), number(right), !!left.querySelector("b"),
                     !!right.querySelector("b")];
           })""",
    )
    assert len(rows) == 36
    for polished, asked, left_bold, right_bold in rows:
        assert (left_bold, right_bold) == (polished > asked, asked > polished)


def test_the_polished_image_is_left_and_the_other_framed_and_both_open_full_size(open_page, report):
    page = open_page(report[0])
    polished, asked = page.locator("article").first.locator("figure").all()
    assert polished.locator("figcaption").inner_text() == "polished"
    assert asked.locator("figcaption").inner_text() == "asked for"
    assert polished.bounding_box()["x"] < asked.bounding_box()["x"]
    outline = "node => getComputedStyle(node).outlineStyle"
    assert polished.locator("img").evaluate(outline) == "none"
    assert asked.locator("img").evaluate(outline) == "solid"
    for figure in (polished, asked):
        assert figure.locator("img").get_attribute("loading") == "lazy"
        assert figure.locator("a").get_attribute("href").startswith("images/")


def test_the_address_keeps_the_filter_and_the_back_button_undoes_it(open_page, report):
    uri, summary = report
    page = open_page(f"{uri}#reward=beta&outcome=overridden&dimension=nonsense")
    assert shown(page) == summary.rewards["beta"].outcomes["overridden"]
    assert choice(page, "dimension").input_value() == "*"
    choice(page, "outcome").select_option("missed")
    assert "outcome=missed" in page.url
    page.go_back()
    assert choice(page, "outcome").input_value() == "overridden"
    page.get_by_role("button", name="Reset").click()
    assert shown(page) == summary.n_pairs
    assert page.troubles == []


def test_the_link_in_the_findings_leads_to_its_pairs(open_page, report):
    uri, summary = report
    page = open_page(uri)
    link = page.get_by_role("link", name="See the pairs").first
    link.click()
    page.wait_for_function("location.hash.includes('outcome=overridden')")
    name = choice(page, "reward").input_value()
    assert shown(page) == summary.rewards[name].outcomes["overridden"]
    assert page.evaluate("document.getElementById('pairs').getBoundingClientRect().top") < 400


def test_more_pairs_come_on_request_and_every_image_is_there(open_page, report):
    uri, summary = report
    page = open_page(uri)
    more = page.get_by_role("button", name="Show more pairs")
    while more.is_visible():
        more.focus()
        page.keyboard.press("Enter")
    assert page.locator("article:visible").count() == summary.n_pairs
    sources = page.eval_on_selector_all("article img", "all => all.map(i => i.src)")
    broken = page.evaluate(
        """async (urls) => {
             const load = (url) => new Promise((done) => {
               const image = new Image();
               image.onload = () => done(null);
               image.onerror = () => done(url);
               image.src = url;
             });
             return (await Promise.all([...new Set(urls)].map(load))).filter(Boolean);
           }""",
        sources,
    )
    assert len(sources) == 2 * summary.n_pairs
    assert broken == []
    assert page.troubles == []


def test_the_pairs_are_there_without_scripts(browser, report):
    uri, summary = report
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(uri)
    assert page.locator("article:visible").count() == summary.n_pairs
    assert page.locator("form:visible").count() == 0
    context.close()


def test_the_search_finds_a_pair_by_its_name_and_says_where_there_is_none(open_page, report):
    page = open_page(report[0])
    name = page.locator("article .facts").nth(20).inner_text().split(" · ")[-1]
    page.get_by_label("Search").fill(name)
    assert name in page.locator("article:visible").first.inner_text()
    assert 0 < shown(page) < report[1].n_pairs
    page.get_by_label("Search").fill("no such pair")
    assert shown(page) == 0
    assert "Nothing matches" in page.locator(".count").inner_text()
    assert page.troubles == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_scrolls_sideways(open_page, report, width, scheme):
    page = open_page(report[0], width=width, scheme=scheme)
    page.eval_on_selector_all("details", "all => all.forEach(d => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.troubles == []


@pytest.mark.parametrize("width", [1280, 400])
def test_the_longest_numbers_stay_in_their_cells(open_page, tmp_path, width):
    table = score_table(rewards=("perfect",))
    table.frame["label"] = 1
    table.frame["perfect_didp"] = table.frame["perfect_oidp"] + 100
    index = write_report(summarise(table), table, out=tmp_path / "report")
    page = open_page(index.as_uri(), width=width)
    assert "100.0\u202f%" in page.locator("[data-what=headline]").first.inner_text()
    spills = page.eval_on_selector_all(
        "#headline td",
        "all => all.filter(cell => [...cell.querySelectorAll('span')].some(span =>"
        " span.getBoundingClientRect().right > cell.getBoundingClientRect().right + 0.5)).length",
    )
    assert spills == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(open_page, report, scheme):
    page = open_page(report[0], scheme=scheme)
    pairs = [("ink", "paper"), ("muted", "paper"), ("accent", "paper"), ("ink", "mark")]
    pairs += [(f"on-{o}", o) for o in ("followed", "overridden", "missed", "lucky")]
    pairs += [(f"series-{i}", "paper") for i in range(1, 7)]
    for text, background in pairs:
        dark, light = sorted((luminance(page, text), luminance(page, background)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (scheme, text, background)


def luminance(page, token):
    """Relative luminance of a theme token, as WCAG 2 defines it."""
    value = page.evaluate(
        f"getComputedStyle(document.documentElement).getPropertyValue('--{token}')"
    )
    channels = [int(value.strip()[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_keyboard_reaches_everything_in_reading_order(open_page, report):
    page = open_page(report[0])
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                "(() => { const e = document.activeElement;"
                " return e.name || e.id || e.className || e.tagName; })()"
            )
        )
    assert seen[0] == "skip"
    wanted = ["dimension", "dose", "reward", "outcome"]
    assert [name for name in seen if name in wanted] == wanted
