"""Views as HTML fragments; every value from a record is escaped."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from aas_bench.board.figures import curve
from aas_bench.board.view import View
from aas_bench.stats.override import OUTCOMES

_TOKENS: Final = re.compile(r":root \{\s*(?:color-scheme[^;]*;)?([^}]*)\}")


@cache
def environment() -> Environment:
    """The templates, autoescaped."""
    made = Environment(
        loader=PackageLoader("aas_bench.board"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"OUTCOMES": OUTCOMES, "curve": curve}
    return made


def render(template: str, **values: Any) -> str:
    """A template with its values."""
    return environment().get_template(template).render(**values)


def render_view(view: View, *, exports: Literal["view", "table"] = "view") -> str:
    """The fragment of a tab."""
    return render("view.html.j2", view=view, exports=exports)


def asset(name: str) -> str:
    """A style sheet or script of this package."""
    return (resources.files("aas_bench.board") / "templates" / name).read_text("utf-8")


@cache
def tokens() -> tuple[str, str]:
    """The colours of the report, light and dark: one visual language."""
    report = resources.files("aas_bench.pages") / "templates" / "report.css"
    light, dark, *_ = _TOKENS.findall(report.read_text("utf-8"))
    return light.strip(), dark.strip()


def style(*, gradio: bool) -> str:
    """The style sheet; gradio tells dark by a class, plain files by the reader's setting."""
    light, dark = tokens()
    if gradio:
        colours = f":root, body {{ {light} }}\nbody.dark, .dark {{ {dark} }}\n"
        return colours + asset("board.css") + asset("gradio.css")
    root = f":root {{ color-scheme: light dark; {light} }}\n"
    root += f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    return root + asset("board.css") + asset("static.css")
