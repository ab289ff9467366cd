"""The live page: gradio holds the tabs and the submission form, our own fragments fill them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from aas_bench.board.current import Current
from aas_bench.board.link_preview import LinkPreview
from aas_bench.board.site import TABS, Site
from aas_bench.board.submit import answer
from aas_bench.bodies import BoundedBodies
from aas_bench.errors import InputError
from aas_bench.pages.live import html, load_gradio, look
from aas_bench.pages.render import SCRIPT, render
from aas_bench.records.address import send_to

if TYPE_CHECKING:
    from fastapi import FastAPI

TITLE: Final = "aas-bench leaderboard"
SHEETS: Final = ("board/board.css",)
LARGEST_FILE: Final = "64kb"
LARGEST_BODY: Final = 256 * 1024
_HEAD: Final = f'<script src="{SCRIPT}" defer></script>'
_BOARD: Final = '<aas-board name="{0}" src="view/{0}"></aas-board>'
_FRAME: Final = '<aas-board class="frame" name="{0}" src="view/{0}">{1}</aas-board>'
_TEMPLATE: Final = """\
# yaml-language-server: $schema=schema.json
id: my_model
name: My model
family: my_family
alignment: base
backend: diffusers
repo: owner/name
revision: "0000000000000000000000000000000000000000"
pipeline: FluxPipeline
dtype: bfloat16
memory: L
settings:
  both: {num_inference_steps: 28, guidance_scale: 3.5, max_sequence_length: 512}
licence: Apache-2.0
contact: you@example.org
"""


def build_app(site: Site) -> FastAPI:
    """The whole application: the page at `/`, its fragments beside it.

    It follows the folder of the results, and refuses a body above `LARGEST_BODY` before it is held.

    Raises:
        MissingExtraError: gradio is not installed.
    """
    gr = load_gradio("the leaderboard's page")
    from aas_bench.board.routes import api

    current = Current(site)
    app: FastAPI = gr.mount_gradio_app(
        api(current),
        build_blocks(site),
        path="/",
        **look(*SHEETS, head=_HEAD),
        footer_links=[],
        ssr_mode=False,
        max_file_size=LARGEST_FILE,
        show_error=False,
    )
    app.add_middleware(LinkPreview, current=current, title=TITLE)
    app.add_middleware(BoundedBodies, most=LARGEST_BODY)
    return app


def build_blocks(site: Site) -> Any:
    """The gradio Blocks: one tab each, filled when it is first opened."""
    import gradio as gr

    with gr.Blocks(title=TITLE, analytics_enabled=False) as blocks:
        html(_FRAME.format("head", site.head()))
        with gr.Tabs(overflow_behavior="wrap", elem_id="tabs"):
            for name, title in TABS.items():
                with gr.Tab(title, id=name, elem_id=f"tab-{name}"):
                    if name == "submit":
                        _submit()
                    else:
                        html(_BOARD.format(name))
        html(_FRAME.format("foot", site.foot()))
    return blocks


def _submit() -> None:
    import gradio as gr

    where = "It is checked below exactly as the runner checks it; nothing in it is fetched or run."
    html(render("board/ways.html.j2", address=send_to(), where=where))
    with gr.Row():
        with gr.Column(min_width=320):
            text = gr.Textbox(
                _TEMPLATE,
                label="Submission (YAML)",
                lines=18,
                max_lines=40,
                elem_id="submission",
            )
            with gr.Row(elem_id="buttons"):
                button = gr.Button("Check", variant="primary", elem_id="check")
                file = gr.UploadButton("Open a file", file_types=[".yaml", ".yml"], elem_id="file")
        with gr.Column(min_width=320):
            shown = gr.HTML(apply_default_css=False, elem_id="answer")
    file.upload(_read, [file], [text], api_visibility="private").then(
        answer, [text], [shown], api_visibility="private"
    )
    button.click(answer, [text], [shown], api_name="check")


def _read(file: str) -> str:
    from pathlib import Path

    return Path(file).read_bytes().decode("utf-8", errors="replace")


def serve(app: FastAPI, *, host: str, port: int) -> None:
    """Serve until interrupted.

    Raises:
        InputError: The address is in use or not ours.
    """
    import uvicorn

    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        msg = f"cannot serve on {host}:{port}: {error.strerror}. Give another --port or --host."
        raise InputError(msg) from error
    uvicorn.run(app, host=host, port=port, log_level="warning")
