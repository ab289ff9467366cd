"""Draw `docs/picture.png`, the picture in the README, from the built-in pairs.

    python docs/picture.py

Needs the base install, playwright and a Chromium, and no network. Only photographs that are in the
public domain or CC0 appear in it; the bars rest on all built-in pairs.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from aas_bench.counterfactual.scenes import SCENES
from aas_bench.measure.summary import summarise
from aas_bench.pages.gallery import Gallery, build_gallery
from aas_bench.pages.render import environment, style
from aas_bench.pages.summary_charts import override_chart
from aas_bench.run.score import score
from aas_bench.tables.pairs import load_pairs

REWARDS: Final = ("effect-match", "average-taste", "polish")
SHOWN: Final = ("average-taste", "effect-match")
EXAMPLES: Final = (("chelsea", "color-brightness"), ("coffee", "clarity"))
DOSE: Final = 0.75
WIDTH, SCALE = 864, 2
N_COLOURS: Final = 256
PAGE: Final = """\
{% from "kit.html.j2" import cards, legend with context %}
<!DOCTYPE html><meta charset="utf-8"><style>{{ style | safe }}
body.aas { padding: 12px; } .aas h2 { margin-top: 1rem; }
.aas .cards { grid-template-columns: 1fr 1fr; gap: 1.5rem; margin-bottom: 0; }
.aas .chart { max-width: none; } .aas .facts { display: none; }
.aas .bars { display: grid; grid-template-columns: 1fr 1fr; gap: 1.5rem; align-items: center; }
.aas .legend { display: grid; font-size: 1rem; gap: 0.6rem; }
</style><body class="aas">
<h2>Each prompt asks for the picture on the right.</h2>
{{ cards(gallery) }}
<h2>What became of {{ n_pairs }} such requests</h2>
<div class="bars">{{ bars }}{{ legend() }}</div>
"""


def main() -> None:
    """Score the pairs, summarise them and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("picture.png"))
    out: Path = parser.parse_args().out
    assert all(SCENES[scene].public_domain for scene, _ in EXAMPLES)
    pairs = load_pairs("counterfactual")
    table = score(pairs, list(REWARDS))
    summary = summarise(table)
    chart = override_chart(summary)
    assert chart is not None
    shown = replace(summary, rewards={name: summary.rewards[name] for name in SHOWN})
    wanted = [f"{effect}/{scene}/{DOSE:.2f}/w0" for scene, effect in EXAMPLES]
    with tempfile.TemporaryDirectory() as folder:
        images = Path(folder) / "images"
        every = build_gallery(shown, table, pairs, folder=images, max_gallery=len(pairs))
        cards = {card["pair_id"]: card for card in every.cards}
        gallery: Gallery = replace(every, cards=[cards[pair_id] for pair_id in wanted])
        page = Path(folder) / "page.html"
        page.write_text(
            environment()
            .from_string(PAGE)
            .render(style=style(), gallery=gallery, n_pairs=summary.n_pairs, bars=chart.svg),
            encoding="utf-8",
        )
        save(photograph(page), out)


def photograph(page: Path) -> Image.Image:
    """The page as a browser draws it in the light theme."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": WIDTH, "height": 100}, device_scale_factor=SCALE)
        view.goto(page.as_uri())
        view.eval_on_selector_all("img", "all => Promise.all(all.map(each => each.decode()))")
        drawn = view.screenshot(full_page=True)
        browser.close()
    return Image.open(io.BytesIO(drawn)).convert("RGB")


def save(every: Image.Image, out: Path) -> None:
    """Write the drawing with few colours, so that it is light to load and to keep in git."""
    few = every.quantize(palette=every.quantize(N_COLOURS))  # with a palette, it dithers
    shades = few.getpalette() or []
    paper = 3 * int(np.asarray(few)[0, 0])
    shades[paper : paper + 3] = every.getpixel((0, 0))
    few.putpalette(shades)
    few.save(out, "PNG", optimize=True)


if __name__ == "__main__":
    main()
