"""The page of a metric Space: a table in, numbers with their intervals out.

`evaluate`'s own widget needs gradio 3; this is the same idea for gradio 6, with nothing fetched
from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aas_bench.errors import AasBenchError
from aas_bench.metric.pasted import columns_of, read_table
from aas_bench.pages.kit import Axis, Column, Entry, Row, Table, estimate_entry, number_entry
from aas_bench.pages.live import html, load_gradio, look
from aas_bench.pages.render import render
from aas_bench.stats.estimate import Estimate
from aas_bench.stats.override import OUTCOMES
from aas_bench.words import NUMBER, SHARE, Spelling, count, level, percent

UPLOADS: Final = [".csv", ".json", ".jsonl", ".parquet"]
LARGEST_FILE: Final = "32mb"
_COUNTS: Final = {
    "n_label_ties": "left out for a label of -1",
    "n_reward_ties": "with equal scores",
    "n_missing": "without scores",
}


@dataclass(frozen=True, kw_only=True)
class Number:
    """How one number of a result is shown.

    Attributes:
        key: Its key in the result.
        name: What it is called.
        meaning: One sentence.
        scale: Ends of the axis that its interval is drawn on; None: not drawn.
        chance: Where chance is on that axis; None: nowhere.
        share: Whether it is shown in percent.
    """

    key: str
    name: str
    meaning: str
    scale: tuple[float, float] | None = (0.0, 1.0)
    chance: float | None = None
    share: bool = True

    def value(self, result: Mapping[str, Any]) -> str:
        """The value as text."""
        return self._spelling.value(result[self.key])

    def interval(self, result: Mapping[str, Any]) -> str:
        """The interval as text."""
        return self._spelling.ends(self._estimate(result))

    def entry(self, result: Mapping[str, Any]) -> Entry:
        """The entry of a table."""
        axis = self.scale and Axis(low=self.scale[0], high=self.scale[1], mark=self.chance)
        return estimate_entry(self._estimate(result), self._spelling, axis=axis)

    @property
    def _spelling(self) -> Spelling:
        return SHARE if self.share else NUMBER

    def _estimate(self, result: Mapping[str, Any]) -> Estimate:
        low, high = result[f"{self.key}_ci"] or (None, None)
        reason = result["reasons"].get(self.key)
        return Estimate(value=result[self.key], low=low, high=high, n=result["n"], reason=reason)


@dataclass(frozen=True, kw_only=True)
class MetricPage:
    """What a metric's page says.

    Attributes:
        script: The metric script.
        title: Heading of the page.
        intro: Markdown under the heading.
        example: A table to start with.
        cells: The scores that the metric takes.
        numbers: The numbers, the headline first.
        sentence: The finding in words, from the result.
        has_ties: Whether the metric takes `ties`.
        has_outcomes: Whether a result holds the four outcomes, drawn as one bar.
    """

    script: Path
    title: str
    intro: str
    example: str
    cells: tuple[str, ...]
    numbers: tuple[Number, ...]
    sentence: Callable[[dict[str, Any]], str]
    has_ties: bool = False
    has_outcomes: bool = False


def compute(
    page: MetricPage,
    text: str,
    file: str | None,
    reward: str | None,
    group: str | None,
    confidence_level: float,
    ties: str,
    drop: bool,  # noqa: FBT001 - gradio passes inputs by position
) -> tuple[str, dict[str, Any]]:
    """The page's answer: HTML, and the result as `evaluate` returns it; a fault as both."""
    import evaluate

    options = {
        "confidence_level": float(confidence_level),
        "on_missing": "drop" if drop else "raise",
    } | ({"ties": ties} if page.has_ties else {})
    try:
        arguments = read_table(text, file).arguments(page.cells, reward or None, group or None)
        metric = evaluate.load(str(page.script), keep_in_memory=True)
        result: dict[str, Any] = metric.compute(**arguments, **options)
    except AasBenchError as error:
        return render("metric.html.j2", fault=str(error)), {"error": str(error)}
    return answer(page, result, confidence_level), result


def answer(page: MetricPage, result: dict[str, Any], confidence_level: float) -> str:
    """The result as HTML: a sentence, the outcomes, a table with intervals, counts, groups."""
    shares = tuple(result[name] for name in OUTCOMES) if page.has_outcomes else (None,)
    known = None not in shares
    said = [f"{name} {SHARE.value(result[name])}" for name in OUTCOMES] if known else []
    return render(
        "metric.html.j2",
        fault="",
        finding=page.sentence(result),
        outcomes=Entry(text=" · ".join(said), shares=shares) if known else None,
        table=_numbers(page, result, confidence_level),
        counts=" · ".join(_counts(result)),
        groups=_groups(page.numbers[0], result["by_group"]),
    )


def _numbers(page: MetricPage, result: dict[str, Any], confidence_level: float) -> Table:
    chance = any(number.chance is not None for number in page.numbers)
    label = f"Value, {level(confidence_level)} interval{' (line: chance)' if chance else ''}"
    return Table(
        name="numbers",
        caption="Result",
        columns=(
            Column(key="name", label="", kind="name"),
            Column(key="value", label=label, kind="estimate"),
        ),
        rows=tuple(
            Row(
                id=number.key,
                entries=(Entry(text=number.name, sub=number.meaning), number.entry(result)),
            )
            for number in page.numbers
        ),
    )


def _groups(headline: Number, results: Mapping[str, dict[str, Any]]) -> Table:
    return Table(
        name="groups",
        caption=f"{headline.name} by group",
        columns=(
            Column(key="name", label="", kind="name"),
            Column(key="n", label="Pairs", kind="number"),
            Column(key="value", label=headline.name, kind="estimate"),
        ),
        rows=tuple(
            Row(
                id=name,
                entries=(
                    Entry(text=name),
                    number_entry(f"{part['n']:,}", part["n"]),
                    headline.entry(part),
                ),
            )
            for name, part in results.items()
        ),
    )


def _counts(result: dict[str, Any]) -> list[str]:
    said = [count(result["n"], "pair")]
    if result["n_clusters"] is not None:
        said.append(f"{count(result['n_clusters'], 'cluster')} (column index)")
    said += [f"{result[key]:,} {words}" for key, words in _COUNTS.items() if result.get(key)]
    return [*said, f"coverage {percent(result['coverage'], digits=1)}"]


def build_page(page: MetricPage) -> Any:
    """The gradio Blocks of a metric; `launch_page` serves it."""
    gr = load_gradio("the page of a metric")

    def answered(*values: Any) -> tuple[str, dict[str, Any]]:
        return compute(page, *values)

    with gr.Blocks(title=page.title, analytics_enabled=False) as blocks:
        gr.Markdown(f"# {page.title}\n{page.intro}")
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                given = _inputs(page)
                button = gr.Button("Compute", variant="primary")
            with gr.Column(scale=3, min_width=320):
                shown = html()
                with gr.Accordion("The result as evaluate returns it", open=False):
                    raw = gr.JSON(show_label=False)
        text, file, reward, group = given[:4]
        changes = [text.change, file.change]
        gr.on(changes, _choices, [text, file], [reward, group], api_name="columns")
        gr.on([button.click, blocks.load], answered, given, [shown, raw], api_name="compute")
    return blocks


def _inputs(page: MetricPage) -> list[Any]:
    """The components on the left, in the order of the arguments of `compute`."""
    import gradio as gr

    text = gr.Textbox(
        page.example,
        label="Table of scores (CSV, spreadsheet cells or JSON lines)",
        lines=12,
        max_lines=16,
    )
    file = gr.File(label="Or a file (used instead of the text)", file_types=UPLOADS, height=150)
    example = read_table(page.example, None)
    names = list(example.scores.rewards)
    reward = gr.Dropdown(names, value=names[0], label="Reward", visible=False)
    group = gr.Dropdown(_optional(example.groups), value="", label="Repeat by group")
    with gr.Accordion("Options", open=False):
        confidence = gr.Slider(0.5, 0.99, 0.95, step=0.01, label="Confidence level")
        ties = gr.Radio(
            [
                ("counts for the original", "original"),
                ("counts half", "half"),
                ("counts for the distorted", "distorted"),
            ],
            value="original",
            label="A tie of the reward",
            visible=page.has_ties,
        )
        drop = gr.Checkbox(label="Leave out pairs without scores")
    return [text, file, reward, group, confidence, ties, drop]


def _choices(text: str, file: str | None) -> tuple[Any, Any]:
    """The dropdowns after the table has changed."""
    import gradio as gr

    found = columns_of(text, file)
    rewards = found["rewards"]
    return (
        gr.Dropdown(rewards, value=rewards[0] if rewards else None, visible=len(rewards) > 1),
        gr.Dropdown(_optional(found["groups"]), value=""),
    )


def _optional(names: list[str]) -> list[tuple[str, str]]:
    return [("none", ""), *((name, name) for name in names)]


def launch_page(blocks: Any, **options: Any) -> Any:
    """Serve the page.

    Args:
        blocks: What `build_page` made.
        options: Passed to gradio's `launch`.
    """
    return blocks.launch(**look(), max_file_size=LARGEST_FILE, **options)
