"""Templates, style sheets and the script: one set for report, leaderboard and metric Spaces."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from aas_bench import words
from aas_bench.pages import findings
from aas_bench.pages.chart import series_mark
from aas_bench.stats.override import OUTCOMES

SCRIPT: Final = "kit.js"
_TOKENS: Final = re.compile(r":root \{([^}]*)\}")


@cache
def environment() -> Environment:
    """The templates, autoescaped."""
    made = Environment(
        loader=PackageLoader("aas_bench.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "OUTCOMES": OUTCOMES,
        "findings": findings,
        "series_mark": series_mark,
        "words": words,
    }
    return made


def render(template: str, **values: Any) -> str:
    """A template with its values; every value is escaped."""
    return environment().get_template(template).render(**values)


def render_page(template: str, *sheets: str, **values: Any) -> str:
    """A whole page that opens from disk: its style and its script stand inside it.

    Args:
        template: Extends `page.html.j2`.
        sheets: Style sheets beside the kit's own.
        values: For the template.
    """
    script = asset(SCRIPT)
    return render(
        template,
        style=Markup(style(*sheets)),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **values,
    )


def asset(name: str) -> str:
    """A style sheet or script."""
    return (resources.files("aas_bench.pages") / "templates" / name).read_text("utf-8")


@cache
def tokens() -> tuple[str, str]:
    """The colours, light and dark: one visual language."""
    light, dark = _TOKENS.findall(asset("tokens.css"))
    return light.strip(), dark.strip()


def style(*sheets: str, dark: Literal["setting", "class"] = "setting") -> str:
    """The style sheet of a page.

    Args:
        sheets: Files beside the kit's own.
        dark: What tells dark: the reader's setting or, in gradio, a class.
    """
    if dark == "setting":
        colours = asset("tokens.css")
    else:
        light, shade = tokens()
        colours = f":root, body {{ {light} }}\nbody.dark, .dark {{ {shade} }}\n"
    return colours + "".join(map(asset, ("kit.css", *sheets)))
