"""The section of a task on the page: figures, the tables behind them, sentences, in a browser."""

import re
import xml.etree.ElementTree as ET

import pytest
from support import task_tables as tables
from support.report_tables import score_table

from aas_bench.measure.summary import summarise
from aas_bench.pages.report import ART_TITLE, TITLE, render, write_report
from aas_bench.pages.task_charts import ladder_charts, pairs_words, spelling, task_panels
from aas_bench.stats.estimate import Estimate
from aas_bench.tables.scores import ScoreTable
from aas_bench.words import FREE, ROUND_SHARE

FRAMES = {
    "ava_photos": tables.photos,
    "emotion_bias": tables.emotions,
    "critical_comparison": tables.critical,
    "lapis_art": tables.paintings,
    "wide_spectrum": tables.wide,
}
HOSTILE = "<script>alert(1)</script>$x_2$\x07"


def summary_of(frame, **options):
    options = {"on_missing": "drop", **options}
    return summarise(ScoreTable.from_frame(frame), **options)


def charts_of(summary):
    for panel in task_panels(summary):
        yield from panel.first
        for charts in panel.further.values():
            yield from charts
    yield from ladder_charts(summary)


def text_of(page):
    # Narrow spaces stay: they belong to the numbers.
    return re.sub(r"[ \n]+", " ", re.sub(r"<[^>]+>", " ", page))


@pytest.mark.parametrize("task", FRAMES)
def test_every_figure_is_well_formed_and_says_what_it_shows(task):
    summary = summary_of(FRAMES[task]())
    charts = list(charts_of(summary))
    assert len({chart.name for chart in charts}) == len(charts)
    for chart in charts:
        root = ET.fromstring(str(chart.svg))
        assert chart.sentence in "".join(root.itertext())
        assert chart.rows
        assert all(len(row) == len(chart.columns) for row in chart.rows)


@pytest.mark.parametrize("task", FRAMES)
def test_the_tables_behind_the_figures_hold_every_estimate(task):
    summary = summary_of(FRAMES[task]())
    for panel in task_panels(summary):
        analysis = panel.analysis
        behind = [*panel.first, *(c for charts in panel.further.values() for c in charts)]
        told = [row for chart in behind for row in chart.rows]
        estimates = list(analysis.overall.items())
        for groups in analysis.by.values():
            estimates += [item for group in groups.values() for item in group.items()]
        assert len(told) == len(estimates)
        expected = sorted((r, spelling(analysis).whole(e), str(e.n)) for r, e in estimates)
        n = behind[0].columns.index("Pairs" if summary.paired else "Images")
        assert sorted((row[1], row[2], row[n]) for row in told) == expected


def test_scores_of_different_units_never_share_an_axis():
    panels = {p.analysis.name: p for p in task_panels(summary_of(tables.photos()))}
    assert [c.heading for c in panels["gap"].first] == ["hpsv3", "other"]
    assert [c.heading for c in panels["photo_wins"].first] == [""]


def drawn(svg, position):
    """Centres of the markers of one reward model and ends of its bars, in pixels."""
    colour = rf"var\(--series-{position + 1}\)"
    ends = r'points="([\d.]+),[\d.]+ ([\d.]+),[\d.]+"'
    bars = re.findall(rf'<polyline {ends} fill="none" stroke="{colour}" stroke-width="6"', svg)
    return [(float(a), float(b)) for a, b in bars]


def test_bars_lie_where_the_intervals_are():
    summary = summary_of(tables.emotions())
    (panel,) = task_panels(summary)
    analysis, (chart,) = panel.analysis, panel.first
    for position, reward in enumerate(summary.rewards):
        each = [analysis.overall[reward]]
        each += [group[reward] for group in analysis.by["emotion"].values()]
        expected = [(8 + 236 * e.low, 8 + 236 * e.high) for e in each]
        assert drawn(str(chart.svg), position) == [pytest.approx(x, abs=0.02) for x in expected]

    # A square end would reach beyond the interval; an SVG line ends at its points unless told.
    assert "stroke-linecap" not in str(chart.svg)


def test_reward_models_differ_in_their_markers_not_only_in_colour():
    (panel,) = task_panels(summary_of(tables.emotions()))
    root = ET.fromstring(str(panel.first[0].svg))
    marks = [node for node in root.iter() if node.get("class") == "mark"]
    markers = {node.get("d") for node in marks if "series" in node.get("fill", "")}
    assert len(markers) == 2


def test_the_ladder_holds_paintings_and_generators_from_the_top_down():
    summary = summary_of(tables.paintings())
    (chart,) = ladder_charts(summary)
    names = [row[1] for row in chart.rows]
    place = summary.task.places["hpsv3"]
    assert len(names) == 12
    assert names.index("Paintings") + 1 == place.rank
    assert names[0] == "Kolors"
    assert [int(row[0]) for row in chart.rows] == list(range(1, 13))
    assert ladder_charts(summary_of(tables.photos())) == []


def test_p_values_and_ranks_stand_beside_their_estimates():
    summary = summary_of(tables.critical())
    panel = next(p for p in task_panels(summary) if p.analysis.name == "effect")
    (chart,) = panel.first
    test = chart.columns.index("Test")
    rows = {(row[0], row[1]): row[test] for row in chart.rows}
    assert rows["anti-war", "hpsv3"] == "p < 0.001"
    assert rows["all together", "hpsv3"].startswith("p ")
    art = task_panels(summary_of(tables.paintings()))[0].first[0]
    assert re.match(r"\d+ of 12", art.rows[0][art.columns.index("Rank")])


@pytest.mark.parametrize("task", FRAMES)
def test_the_page_has_the_section_with_a_sentence_for_every_reward(task):
    summary = summary_of(FRAMES[task]())
    page = render(summary)
    assert page.count('<section id="task">') == 1
    text = text_of(page)
    for name, finding in summary.task.findings.items():
        assert f"{name} {finding}" in text.replace("&#39;", "'")
        assert re.search(r"\(-?[\d.\u2212]+ to [\d.\u2212]+\)", finding)  # no number without one
    for analysis in summary.task.analyses:
        assert f'data-analysis="{analysis.name}"' in page
    assert f"<h1>{TITLE if summary.paired else ART_TITLE}</h1>" in page


def test_a_page_without_a_task_has_no_such_section():
    counterfactual = summarise(score_table(doses=True))
    assert counterfactual.task.task == "counterfactual"
    assert 'id="task"' not in render(counterfactual)


def test_hostile_names_stay_text():
    frame = tables.critical(rewards=(HOSTILE, "b" * 200))
    frame["topic"] = HOSTILE
    frame["dimensions"] = [[HOSTILE]] * len(frame)
    summary = summary_of(frame, task="critical_comparison")
    for chart in charts_of(summary):
        ET.fromstring(str(chart.svg).replace("\x07", ""))
        assert "<script" not in chart.svg
    assert "<script>alert" not in render(summary)


def test_values_as_short_as_they_stay_honest():
    small = Estimate(value=-0.126, low=-0.5, high=9.999, n=4)
    assert FREE.whole(small) == "\u22120.13 (\u22120.50 to 10.00)"
    large = Estimate(value=5.96, low=-11.24, high=12.0, n=4)
    assert FREE.whole(large) == "6.0 (\u221211.2 to 12.0)"
    share = Estimate(value=0.126, low=0.05, high=0.25, n=4, coverage=0.5)
    assert ROUND_SHARE.whole(share) == "13\u202f% (5 to 25)"
    assert FREE.whole(Estimate(value=0.5, n=1)) == "0.50 (no interval)"
    assert FREE.whole(Estimate(value=None, n=0, reason="none")) == "undefined (none)"
    assert pairs_words([small, share]) == "n 4 (50\u202f% covered)"
    assert pairs_words([small, Estimate(value=1, n=9)]) == "n 4 to 9"


def test_first_screen_sentences_carry_intervals_and_name_the_prompt_blind():
    frame = tables.wide(rewards=("hpsv3", "deaf"))
    for cell in ("didp", "oidp"):
        frame[f"deaf_{cell}"] = frame[f"deaf_{cell.replace('dp', 'op')}"]
    text = text_of(render(summary_of(frame)))
    first_screen = text.split("What this task asks")[0]
    assert len(re.findall(r"\d+\u202f% \(\d+ to \d+\)", first_screen)) >= 2
    assert "deaf sets two images apart by the same whatever the prompt says" in first_screen
    note = "So nothing is followed or overridden"
    assert note in text
    assert note not in text_of(render(summary_of(tables.wide())))


def test_effects_are_spelled_as_people_write_them_and_headers_say_what_they_hold():
    frame = tables.wide().assign(dose=0.5, effect="color-aesthetic", scene="cat")
    frame["model"] = "counterfactual"
    text = text_of(render(summary_of(frame)))
    assert "color aesthetic" in text
    assert "color-aesthetic" not in text
    assert "value, 95\u202f% interval" in text
    assert "images by counterfactual" not in text
    assert "photographs, each beside a copy with one known effect" in text


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("task", FRAMES)
def test_the_section_fits_the_screen(browser, tmp_path, task, width):
    table = ScoreTable.from_frame(FRAMES[task](rewards=("hpsv3", "x" * 60)))
    summary = summarise(table, on_missing="drop")
    index = write_report(summary, table, out=tmp_path / "report")
    page = browser.new_page(viewport={"width": width, "height": 900})
    troubles = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    try:
        page.goto(index.as_uri())
        page.eval_on_selector_all("details", "all => all.forEach(node => { node.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert troubles == []
        section = page.locator("#task")
        assert section.is_visible()
        right = section.bounding_box()["x"] + section.bounding_box()["width"]
        for chart in section.locator("svg.chart").all():
            box = chart.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= right + 1
        hint = page.locator(".scroll-hint")
        table_box = page.locator("[aria-label='Headline table']")
        if summary.paired and hint.count():
            overflows = "node => node.scrollWidth > node.clientWidth"
            assert hint.is_visible() == (width == 400)
            if width == 400:
                assert table_box.evaluate(overflows)
    finally:
        page.close()


@pytest.mark.browser
def test_no_text_of_a_figure_leaves_its_picture(browser, tmp_path):
    for task, make in FRAMES.items():
        table = ScoreTable.from_frame(make())
        summary = summarise(table, on_missing="drop")
        index = write_report(summary, table, out=tmp_path / task)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        try:
            page.goto(index.as_uri())
            page.eval_on_selector_all("details", "all => all.forEach(node => { node.open = true })")
            outside = page.eval_on_selector_all(
                "#task svg.chart",
                """charts => charts.flatMap(chart => {
                     const frame = chart.getBoundingClientRect();
                     return [...chart.querySelectorAll("text")].filter(text => {
                       const box = text.getBoundingClientRect();
                       return box.left < frame.left - 1 || box.right > frame.right + 1;
                     }).map(text => text.textContent);
                   })""",
            )
            assert outside == [], task
        finally:
            page.close()
