"""The addresses that the page fetches: fragments, tables to take away, images of the gallery."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from aas_bench.board.export import FORMS
from aas_bench.board.site import Page, Site
from aas_bench.errors import AasBenchError
from aas_bench.pages.render import SCRIPT, asset, render

if TYPE_CHECKING:
    from fastapi import FastAPI

_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}
_COMPRESSED_ENOUGH: Final = 1024


def api(current: Callable[[], Site]) -> FastAPI:
    """An application that answers with what the current site has computed.

    Ready pages are sent as stored bytes, compressed once, and only a change of the results sends
    them again (ETag).
    """
    from fastapi import FastAPI, HTTPException, Response
    from fastapi.concurrency import run_in_threadpool
    from fastapi.staticfiles import StaticFiles

    async def fragment(request: Any) -> Any:
        tab = request.path_params["tab"]
        if tab == "compare-two":
            query = request.query_params
            a, b = query.get("a", ""), query.get("b", "")
            return _send(await run_in_threadpool(current().compared, a, b), request)
        try:
            page = await _page(current(), tab)
        except KeyError:
            raise HTTPException(404, "There is no such tab.") from None
        except AasBenchError as error:
            page = Page.of(render("board/fault.html.j2", tab=tab, text=str(error)))
        return _send(page, request)

    async def table(request: Any) -> Any:
        file = request.path_params["file"]
        name, _, form = file.rpartition(".")
        site = current()
        try:
            if file == "records.parquet":
                body = await run_in_threadpool(lambda: site.collected)
            else:
                query = dict(request.query_params)
                body = await run_in_threadpool(site.exported, name, form, query)
        except KeyError:
            raise HTTPException(404, "There is no such table.") from None
        headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{file}"'}
        return Response(body, media_type=FORMS[form], headers=headers)

    async def rows(request: Any) -> Any:
        name, query = request.path_params["table"], dict(request.query_params)
        try:
            page = await run_in_threadpool(current().rows, name, query)
        except KeyError:
            raise HTTPException(404, "There is no such table.") from None
        return _send(page, request)

    async def model(request: Any) -> Any:
        try:
            kind, body = await run_in_threadpool(current().model, request.path_params["name"])
        except KeyError:
            raise HTTPException(404, "There is no such result.") from None
        return Response(body, media_type=kind, headers=_HEADERS)

    async def picture(_: Any) -> Any:
        body = await run_in_threadpool(lambda: current().picture)
        return Response(body, media_type="image/png", headers=_HEADERS)

    async def script(_: Any) -> Any:
        return Response(asset(SCRIPT), media_type="text/javascript", headers=_HEADERS)

    app = FastAPI(title="aas-bench leaderboard", docs_url=None, redoc_url=None, openapi_url=None)
    for path, answer in (
        ("/view/{tab}", fragment),
        ("/table/{file}", table),
        ("/preview.png", picture),
        ("/rows/{table}", rows),
        ("/model/{name:path}", model),
        (f"/{SCRIPT}", script),
    ):
        app.add_route(path, answer, methods=["GET"])
    app.mount("/gallery", StaticFiles(directory=current().images / "gallery", check_dir=False))
    return app


def _send(page: Page, request: Any) -> Any:
    """The page, packed where the reader takes that; no body where the reader has it already."""
    from fastapi import Response

    headers = {**_HEADERS, "ETag": f'"{page.tag}"'}
    if page.tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    body = page.body
    small = len(body) < _COMPRESSED_ENOUGH
    if not small and "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = page.packed, "gzip"
    return Response(body, media_type="text/html; charset=utf-8", headers=headers)


async def _page(site: Site, tab: str) -> Page:
    """A tab's page: at once where it is ready, else computed beside the other answers."""
    from fastapi.concurrency import run_in_threadpool

    ready = site.ready(tab)
    return await run_in_threadpool(site.page, tab) if ready is None else ready
