"""Draw `docs/picture.png`, the picture in the README, from the built-in pairs.

    python docs/picture.py

Needs the base install and no network. Only photographs that are in the public domain or CC0 appear
in it; the bars rest on all built-in pairs.
"""

from __future__ import annotations

import argparse
import io
import re
from importlib import resources
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from aas_bench import words
from aas_bench.counterfactual.scenes import SCENES
from aas_bench.measure.results import Summary
from aas_bench.measure.summary import summarise, verdicts
from aas_bench.pages.figures import draw_outcomes
from aas_bench.pages.gallery import marked_words
from aas_bench.pages.svg import bare_axes
from aas_bench.run.score import score
from aas_bench.tables.pairs import load_pairs

REWARDS: Final = ("effect-match", "average-taste", "polish")
SHOWN: Final = ("average-taste", "effect-match")
EXAMPLES: Final = (("chelsea", "color-brightness"), ("coffee", "clarity"))
DOSE: Final = 0.75
MARGIN = 12
WIDTH, HEIGHT, SCALE = 840, 660, 2  # of the content, in pixels of the page
COLUMN, GAP, IMAGE_GAP = 408, 24, 8
N_COLOURS = 256


def main() -> None:
    """Score the pairs, summarise them and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("picture.png"))
    out: Path = parser.parse_args().out
    pairs = load_pairs("counterfactual")
    table = score(pairs, list(REWARDS))
    summary = summarise(table)
    rows = [_row(table.frame, *example) for example in EXAMPLES]
    judged = {name: verdicts(table, name) for name in SHOWN}
    colours = palette()
    with mpl.rc_context({"font.size": 13, "text.color": colours["ink"], "text.parse_math": False}):
        sides = (WIDTH + 2 * MARGIN) / 72, (HEIGHT + 2 * MARGIN) / 72
        figure = Figure(figsize=sides, dpi=72, facecolor=colours["paper"])
        FigureCanvasAgg(figure)
        canvas = bare_axes(figure, MARGIN, MARGIN, WIDTH, HEIGHT)
        canvas.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0), autoscale_on=False)
        canvas.axis("off")
        canvas.text(0, 24, "Each prompt asks for the picture on the right.", size=19, weight="bold")
        for i, row in enumerate(rows):
            cells = {name: table.cells(name) for name in SHOWN}
            scores = {
                name: (c.oidp[row], c.didp[row], judged[name][row]) for name, c in cells.items()
            }
            _example(canvas, pairs[row], scores, left=i * (COLUMN + GAP), top=46)
        _bars(canvas, figure, summary, top=352)
        _save(figure, out)


def _save(figure: Figure, out: Path) -> None:
    """Write the drawing with few colours, so that it is light to load and to keep in git."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=72 * SCALE)
    with Image.open(buffer) as drawn:
        every = drawn.convert("RGB")
    few = every.quantize(palette=every.quantize(N_COLOURS))  # with a palette, it dithers
    shades = few.getpalette() or []
    paper = 3 * int(np.asarray(few)[0, 0])
    shades[paper : paper + 3] = every.getpixel((0, 0))
    few.putpalette(shades)
    few.save(out, "PNG", optimize=True)


def palette() -> dict[str, str]:
    """The light theme of the report."""
    style = resources.files("aas_bench.pages") / "templates" / "report.css"
    light = style.read_text("utf-8").split("@media")[0]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))


def _row(frame: Any, scene: str, effect: str) -> int:
    assert SCENES[scene].public_domain, scene
    wanted = (
        (frame["scene"] == scene)
        & (frame["effect"] == effect)
        & (frame["dose"] == DOSE)
        & (frame["wording"] == frame["wording"].min())
    )
    (row,) = frame.index[wanted]
    return int(row)


def _example(
    canvas: Axes,
    pair: Any,
    scores: dict[str, tuple[float, float, str | None]],
    *,
    left: int,
    top: int,
) -> None:
    colours = palette()
    side = (COLUMN - IMAGE_GAP) / 2
    right = left + side + IMAGE_GAP
    height = side * pair["image_original"].height / pair["image_original"].width
    for x, image in ((left, pair["image_original"]), (right, pair["image_distorted"])):
        canvas.imshow(
            image, extent=(x, x + side, top + height, top), aspect="auto", interpolation="lanczos"
        )
    frame = (
        [right, right + side, right + side, right, right],
        [top, top, top + height, top + height, top],
    )
    canvas.plot(*frame, color=colours["accent"], lw=2.5, solid_joinstyle="miter")
    prompt = marked_words(pair["prompt_original"], pair["prompt_distorted"])
    line = _prompt(canvas, prompt, left=left, top=top + height + 22, width=COLUMN)
    for i, (name, (polished, asked, verdict)) in enumerate(scores.items()):
        y = line + 30 + 25 * i
        chose_asked = asked > polished
        canvas.text(left, y, name, color=colours["muted"])
        look: dict[bool, Any] = {True: {"weight": "bold"}, False: {"color": colours["muted"]}}
        canvas.text(left + side, y, words.number(polished), ha="right", **look[not chose_asked])
        canvas.text(right + 52, y, words.number(asked), ha="right", **look[chose_asked])
        chip = {"boxstyle": "round,pad=0.25", "fc": colours[str(verdict)], "lw": 0}
        canvas.text(right + 72, y, str(verdict), color=colours[f"on-{verdict}"], bbox=chip)


def _prompt(
    canvas: Axes, runs: list[tuple[str, bool]], *, left: float, top: float, width: float
) -> float:
    """Write a prompt over as many lines as it needs, its marked words on a tint."""
    x, y = left, top
    tint = palette()["mark"]
    for text, marked in runs:
        for word in re.findall(r"\s+|\S+", text):
            drawn = canvas.text(x, y, word)
            advance = drawn.get_window_extent().width if word.strip() else 4.5
            if x + advance > left + width and word.strip():
                x, y = left, y + 20
                drawn.set_position((x, y))
            if marked and (word.strip() or x > left):
                canvas.fill_between(
                    [x - 1, x + advance + 1], y - 14, y + 5, color=tint, lw=0, zorder=0
                )
            x += advance
    return y


def _bars(canvas: Axes, figure: Figure, summary: Summary, *, top: int) -> None:
    colours = palette()
    canvas.text(0, top, f"What became of {summary.n_pairs} such requests", size=19, weight="bold")
    legend = {
        "followed": "understood, and chosen",
        "overridden": "understood, and not chosen",
        "missed": "not understood, and not chosen",
        "lucky": "chosen, but not for the request",
    }
    for i, (outcome, meaning) in enumerate(legend.items()):
        x, y = (i % 2) * (COLUMN + GAP), top + 34 + 27 * (i // 2)
        chip = {"boxstyle": "round,pad=0.25", "fc": colours[outcome], "lw": 0}
        canvas.text(x + 5, y, outcome, color=colours[f"on-{outcome}"], bbox=chip)
        canvas.text(x + 100, y, meaning, color=colours["muted"])
    for i, (name, reward) in enumerate(summary.rewards.items()):
        assert reward.override is not None
        y = top + 78 + 74 * i
        canvas.text(0, y + 28, name, weight="bold")
        accuracy = reward.headline
        canvas.text(0, y + 46, f"accuracy {words.percent(accuracy.value)}", color=colours["muted"])
        axes = bare_axes(figure, MARGIN + 150, MARGIN + y, WIDTH - 150, 74)
        axes.set(xlim=(0, 1), ylim=(74, 0))
        axes.axis("off")
        draw_outcomes(axes, reward.override, top=12, height=26, palette=colours.__getitem__)


if __name__ == "__main__":
    main()
