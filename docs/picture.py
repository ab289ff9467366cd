"""Draw `docs/picture.png`, the picture in the README, from the published scores in the package.

    python docs/picture.py

Needs the base install, playwright and a Chromium, and no network.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from playwright.sync_api import sync_playwright

from aas_bench.pages.real_models import HEADING, real_chart, real_models
from aas_bench.pages.render import environment, style

WIDTH, SCALE = 948, 2
N_COLOURS: Final = 256
PAGE: Final = """\
<!DOCTYPE html><meta charset="utf-8"><style>{{ style | safe }}
body.aas { padding: 12px; } .aas h2 { margin: 0 0 0.3rem; }
.aas .chart { max-width: none; width: 100%; } .aas p { margin: 0 0 1rem; max-width: none; }
</style><body class="aas">
<h2>{{ heading }}: the request against polish</h2>
<p>{{ lede }}</p>
{{ chart.svg }}
"""


def main() -> None:
    """Measure the scores and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("picture.png"))
    out: Path = parser.parse_args().out
    models = real_models()
    chart = real_chart(models, across=2)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(
            environment()
            .from_string(PAGE)
            .render(style=style(), heading=HEADING, lede=models.lede, chart=chart),
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
