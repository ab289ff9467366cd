"""The figures of a report as files of their own: SVG always, PDF and PNG with the extra `plot`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aas_bench.errors import InputError, UnknownNameError
from aas_bench.files import write_atomically
from aas_bench.measure.results import Summary
from aas_bench.pages.chart import Drawing, label, series_line
from aas_bench.pages.render import tokens
from aas_bench.pages.summary_charts import WIDTH, dose_charts, knob_chart, override_chart
from aas_bench.pages.task_charts import ladder_charts, task_panels
from aas_bench.registry import import_object
from aas_bench.stats.override import OUTCOMES

if TYPE_CHECKING:
    from aas_bench.pages.chart import Chart

_CONVERTERS: Final = {".pdf": "cairosvg:svg2pdf", ".png": "cairosvg:svg2png"}
_ENDS: Final = (".svg", *_CONVERTERS)
_TOKEN: Final = re.compile(r"--([\w-]+):\s*([^;]+);")
_SIZE: Final = re.compile(r'viewBox="0 0 (\S+) (\S+)"')
_FONT: Final = "Helvetica, Arial, sans-serif"


def charts(summary: Summary) -> dict[str, Chart]:
    """Every figure that the report of a summary shows, by its name, in the report's order."""
    first = [override_chart(summary), knob_chart(summary)]
    panels = [
        chart
        for panel in task_panels(summary)
        for each in (panel.first, *panel.further.values())
        for chart in each
    ]
    found = [chart for chart in first if chart is not None]
    named = {chart.name: chart for chart in found}
    named |= {f"dose-{chart.heading.replace(' ', '-')}": chart for chart in dose_charts(summary)}
    return named | {chart.name: chart for chart in (*panels, *ladder_charts(summary))}


def standalone(chart: Chart, *, key: Drawing | None = None) -> str:
    """A chart as an SVG document: on white, in the light colours, at its own size.

    Args:
        chart: The chart.
        key: What its colours mean, where a page says so beside it; set above the chart.
    """
    colours = dict(_TOKEN.findall(tokens()[0]))
    drawn, wide, high = [], 0.0, 0.0
    for each in (chart.svg,) if key is None else (key.decoration(), chart.svg):
        text = re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], str(each))
        size = _SIZE.search(text)
        assert size is not None
        place = f'<svg y="{high:g}" width="{size[1]}" height="{size[2]}" '
        drawn.append(place + text.removeprefix("<svg "))
        wide, high = max(wide, float(size[1])), high + float(size[2])
    frame = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}" height="{high:g}" '
        f'font-family="{_FONT}" viewBox="0 0 {wide:g} {high:g}">'
    )
    paper = f'<rect width="{wide:g}" height="{high:g}" fill="{colours["paper"]}"/>'
    return f"{frame}{paper}{''.join(drawn)}</svg>\n"


def key_of(name: str, chart: Chart, summary: Summary) -> Drawing | None:
    """What the colours of a figure mean; None where it says so itself."""
    if name == "override":
        key = Drawing("key", WIDTH, 30)
        for i, outcome in enumerate(OUTCOMES):
            key.bar(1 + i * 108, 4, 14, 14, outcome)
            key.text(21 + i * 108, 16, outcome)
        return key
    if name.startswith("dose-"):
        rewards = [row[0] for row in chart.rows]
        key = Drawing("key", 220, 30 + 20 * len(rewards))
        key.text(1, 16, f"{chart.heading}: share won, by dose", bold=True)
        for i, reward in enumerate(rewards):
            y = 34 + 20 * i
            series_line(key, [(6, y), (30, y)], list(summary.rewards).index(reward))
            key.text(40, y, label(reward, longest=24), middle=True)
        return key
    return None


def draw(summary: Summary, path: Path, name: str | None) -> Path:
    """`Summary.plot`."""
    suffix = path.suffix.lower()
    if suffix not in _ENDS:
        msg = (
            f"{path} ends in {suffix or 'nothing'!r}. Give a file that ends in .svg, .pdf or .png."
        )
        raise InputError(msg)
    known = charts(summary)
    if not known:
        msg = (
            "the summary has no figure: it lacks the scores under the original prompts, and doses."
        )
        raise InputError(f"{msg} Score both prompts.")
    if name is not None and name not in known:
        raise UnknownNameError("figure", name, known, hint=f"The summary has: {', '.join(known)}.")
    name = name or next(iter(known))
    text = standalone(known[name], key=key_of(name, known[name], summary)).encode()
    if suffix in _CONVERTERS:
        convert = import_object(
            _CONVERTERS[suffix], extra="plot", feature=f"a figure in {suffix[1:].upper()}"
        )
        text = convert(bytestring=text, scale=1 if suffix == ".pdf" else 2)
    return write_atomically(path, text)
