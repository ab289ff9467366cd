"""Charts show what the Summary says, and say it in words and in a table too."""

import re
import xml.etree.ElementTree as ET

import pytest
from support.report_tables import score_table

from aas_bench.measure.results import outcome_shares
from aas_bench.measure.summary import summarise
from aas_bench.pages.chart import series_mark
from aas_bench.pages.summary_charts import dose_charts, knob_chart, override_chart
from aas_bench.words import percent

HOSTILE = "<script>alert(1)</script>$x_2$\x07"


def all_charts(summary):
    return [override_chart(summary), knob_chart(summary), *dose_charts(summary)]


def test_every_chart_is_well_formed_and_described(summary):
    charts = all_charts(summary)
    assert [c.name for c in charts] == ["override", "knob", "dose-0", "dose-1"]
    for chart in charts:
        root = ET.fromstring(str(chart.svg))
        assert chart.sentence in "".join(root.itertext())
        assert all(len(row) == len(chart.columns) for row in chart.rows)
        assert {"alpha", "beta"} <= {word.strip(":") for word in chart.sentence.split()}


def test_bars_are_as_wide_as_the_shares(summary):
    svg = str(override_chart(summary).svg)
    for outcome in ("followed", "overridden", "missed", "lucky"):
        found = re.findall(rf'<rect [^>]*width="([\d.]+)"[^>]*fill="var\(--{outcome}\)"', svg)
        widths = [float(width) / 438 for width in found]
        shares = [outcome_shares(r.override)[outcome].value for r in summary.rewards.values()]
        assert widths == pytest.approx(shares, abs=1e-3)


def test_tables_repeat_the_estimates(summary):
    rows = {row[0]: row for row in override_chart(summary).rows}
    for name, reward in summary.rewards.items():
        shares = outcome_shares(reward.override).values()
        assert [c.split(" (")[0] for c in rows[name][1:-1]] == [
            percent(s.value, digits=1) for s in shares
        ]
    knob = knob_chart(summary)
    assert len(knob.rows) == len(summary.rewards["alpha"].knob.strengths)
    first = percent(summary.rewards["alpha"].knob.points[0].value, digits=1)
    assert knob.rows[0][1].startswith(first)


def test_charts_that_need_the_original_prompt_are_absent_without_it():
    summary = summarise(score_table(originals=False))
    assert (override_chart(summary), knob_chart(summary), dose_charts(summary)) == (None, None, [])


def test_hostile_names_stay_text():
    table = score_table(rewards=(HOSTILE, "b" * 300), doses=True)
    for chart in all_charts(summarise(table)):
        ET.fromstring(str(chart.svg).replace("\x07", ""))
        assert "<script" not in chart.svg


def test_more_reward_models_than_colours_still_draw():
    names = tuple(f"reward_{i}" for i in range(9))
    svg = str(knob_chart(summarise(score_table(rewards=names))).svg)
    drawn = [node.text for node in ET.fromstring(svg).iter() if node.text in names]
    assert sorted(drawn) == sorted(names)


def test_marks_differ_in_shape_not_only_in_colour():
    shapes = {re.sub(r"var\(--series-\d\)|mark-\d", "", str(series_mark(i))) for i in range(6)}
    assert len(shapes) == 6
