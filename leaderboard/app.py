"""The leaderboard's page, and the same as plain files.

python leaderboard/app.py
python leaderboard/app.py export DIR
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from aas_bench.errors import AasBenchError
from aas_bench.files import quiet_when_piped

RESULTS = Path(__file__).with_name("results")

app = typer.Typer(
    name="app.py",
    help="Show the leaderboard; with no command, serve it.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Results = Annotated[Path, typer.Option(help="Folder of the result records.")]
Gallery = Annotated[
    str | None,
    typer.Option(help="A run's folder, a table of pairs or a Hub id; left out, built-in pairs."),
]


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    *,
    results: Results = RESULTS,
    gallery: Gallery = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 7860,
) -> None:
    """Serve the page."""
    if context.invoked_subcommand is not None:
        context.obj = (results, gallery)
        return
    from aas_bench.board.page import build_app
    from aas_bench.board.page import serve as listen
    from aas_bench.board.site import Site
    from aas_bench.records.address import send_to

    address = send_to()  # a wrong setting is told at once
    site = Site(results, gallery=gallery)
    page = build_app(site)
    site.warm()
    # A Space is reached from outside its container; anywhere else only this machine is served.
    host = host or ("0.0.0.0" if os.environ.get("SPACE_ID") else "127.0.0.1")  # noqa: S104
    typer.echo(f"{len(site.results.records)} results on http://{host}:{port}", err=True)
    typer.echo(f"new results are sent to {address}", err=True)
    listen(page, host=host, port=port)


@app.command()
def export(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(help="Folder to write.")],
    *,
    results: Annotated[Path | None, typer.Option(help="Folder of the result records.")] = None,
    gallery: Gallery = None,
) -> None:
    """Write the same tables and figures as plain HTML."""
    from aas_bench.board.site import Site
    from aas_bench.board.static import write_static

    earlier, shown = context.obj
    site = Site(results or earlier, gallery=gallery or shown)
    typer.echo(str(write_static(site, out)))


def main() -> None:
    """Run the program: an expected error is one line on stderr and its code."""
    quiet_when_piped()
    try:
        app(standalone_mode=True)
    except AasBenchError as error:
        typer.echo("app.py: " + " ".join(str(error).split()), err=True)
        raise SystemExit(error.exit_code) from None


if __name__ == "__main__":
    main()
