"""The page of a metric Space: a table in, numbers with their intervals out.

`evaluate`'s own widget needs gradio 3; this is the same idea for gradio 6, with nothing fetched
from elsewhere.
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any

from aas_bench.errors import AasBenchError
from aas_bench.metric.table import columns_of, read_table
from aas_bench.metric.view import View, render

STYLE = Path(__file__).with_name("page.css")
UPLOADS = [".csv", ".json", ".jsonl", ".parquet"]
LARGEST_FILE = "32mb"
TEAL, DARK = "#0a6c74", "#08545a"


def compute(
    view: View,
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
    } | ({"ties": ties} if view.has_ties else {})
    try:
        arguments = read_table(text, file).arguments(view.cells, reward or None, group or None)
        metric = evaluate.load(str(view.script), keep_in_memory=True)
        result: dict[str, Any] = metric.compute(**arguments, **options)
    except AasBenchError as error:
        fault = f'<p class="aas-fault" role="alert">{escape(str(error))}</p>'
        return fault, {"error": str(error)}
    return render(view, result, confidence_level), result


def build_page(view: View) -> Any:
    """The gradio Blocks of a metric; `launch_page` serves it."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
    import gradio as gr

    def answer(*values: Any) -> tuple[str, dict[str, Any]]:
        return compute(view, *values)

    with gr.Blocks(title=view.title, analytics_enabled=False) as page:
        gr.Markdown(f"# {view.title}\n{view.intro}")
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                given = _inputs(view)
                button = gr.Button("Compute", variant="primary")
            with gr.Column(scale=3, min_width=320):
                shown = gr.HTML()
                with gr.Accordion("The result as evaluate returns it", open=False):
                    raw = gr.JSON(show_label=False)
        text, file, reward, group = given[:4]
        changes = [text.change, file.change]
        gr.on(changes, _choices, [text, file], [reward, group], api_name="columns")
        gr.on([button.click, page.load], answer, given, [shown, raw], api_name="compute")
    return page


def _inputs(view: View) -> list[Any]:
    """The components on the left, in the order of the arguments of `compute`."""
    import gradio as gr

    text = gr.Textbox(
        view.example,
        label="Table of scores (CSV, spreadsheet cells or JSON lines)",
        lines=12,
        max_lines=16,
        elem_classes="aas-input",
    )
    file = gr.File(label="Or a file (used instead of the text)", file_types=UPLOADS, height=150)
    example = read_table(view.example, None)
    names = list(example.scores.rewards)
    reward = gr.Dropdown(names, value=names[0], label="Reward", visible=False)
    group = gr.Dropdown(_optional(example.groups), value="", label="Repeat by group")
    with gr.Accordion("Options", open=False):
        level = gr.Slider(0.5, 0.99, 0.95, step=0.01, label="Confidence level")
        ties = gr.Radio(
            [("counts for the original", "original"), ("counts half", "half")],
            value="original",
            label="A tie of the reward",
            visible=view.has_ties,
        )
        drop = gr.Checkbox(label="Leave out pairs without scores")
    return [text, file, reward, group, level, ties, drop]


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


def launch_page(page: Any, **options: Any) -> Any:
    """Serve the page in the reader's own fonts.

    Args:
        page: What `build_page` made.
        options: Passed to gradio's `launch`.
    """
    import gradio as gr

    fonts = {"font": ("system-ui", "sans-serif"), "font_mono": ("ui-monospace", "monospace")}
    button = "button_primary_background_fill"
    rest = dict.fromkeys((button, f"{button}_dark"), TEAL)
    hover = dict.fromkeys((f"{button}_hover", f"{button}_hover_dark"), DARK)
    theme = gr.themes.Default(primary_hue="teal", **fonts).set(**rest, **hover)
    return page.launch(theme=theme, css_paths=[STYLE], max_file_size=LARGEST_FILE, **options)
