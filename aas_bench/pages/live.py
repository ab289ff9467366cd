"""How our gradio pages look: the kit's style, the reader's own fonts, nothing from elsewhere."""

from __future__ import annotations

import os
from typing import Any, Final

from aas_bench.errors import MissingExtraError
from aas_bench.pages.render import style

_TEAL: Final = {"": "#0b5f66", "_hover": "#084a50"}
_HEAD: Final = '<style>{}</style><meta name="referrer" content="no-referrer">'


def load_gradio(what: str) -> Any:
    """The gradio module, which asks nobody for anything.

    Args:
        what: What needs it, for the error.

    Raises:
        MissingExtraError: It is not installed.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
    try:
        import gradio
    except ImportError as error:
        raise MissingExtraError(what, "app") from error
    return gradio


def html(text: str = "", **options: Any) -> Any:
    """A gradio element in the kit's style."""
    import gradio as gr

    return gr.HTML(f'<div class="aas">{text}</div>', apply_default_css=False, **options)


def look(*sheets: str, head: str = "") -> dict[str, Any]:
    """Theme and head, as gradio takes them where it serves a page.

    Args:
        sheets: Style sheets beside the kit's own.
        head: What else the head holds.
    """
    import gradio as gr

    fonts = {"font": ("system-ui", "sans-serif"), "font_mono": ("ui-monospace", "monospace")}
    colours = {
        f"button_primary_background_fill{state}{dark}": colour
        for state, colour in _TEAL.items()
        for dark in ("", "_dark")
    }
    # The style goes into the head: gradio rewrites the selectors of css=.
    return {
        "theme": gr.themes.Base(primary_hue="teal", **fonts).set(**colours),
        "head": _HEAD.format(style("gradio.css", *sheets, dark="class")) + head,
    }
