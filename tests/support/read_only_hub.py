"""A Hub on loopback that only serves: what `load_dataset` asks of a dataset repository."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def serve(repositories, *, gated=()):
    """Serve `{"owner/name": {path: bytes}}`; those in `gated` refuse. Yields the address."""

    class Handler(_Handler):
        pass

    Handler.repositories, Handler.gated = repositories, set(gated)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repositories: dict
    gated: set

    def log_message(self, *args):
        pass

    def do_GET(self):
        parts = unquote(urlsplit(self.path).path).strip("/").split("/")
        api = parts[0] == "api"
        repository = "/".join(parts[1 + api : 3 + api])
        rest = parts[3 + api :]
        if parts[api] != "datasets" or repository not in self.repositories:
            self._refuse(404, "RepoNotFound")
        elif repository in self.gated and not api:
            self._refuse(403, "GatedRepo")
        elif len(rest) > 1 and rest[1] not in ("main", COMMIT):
            self._refuse(404, "RevisionNotFound")
        elif api:
            self._describe(repository, rest)
        else:
            self._file(repository, "/".join(rest[2:]))

    do_HEAD = do_GET  # noqa: N815 - the names that http.server calls
    do_POST = do_GET  # noqa: N815

    def _describe(self, repository, rest):
        files = self.repositories[repository]
        if rest[:1] == ["tree"]:
            folder = "/".join(rest[2:])
            self._send(200, self._entries(files, folder))
        elif rest[:1] == ["paths-info"]:
            length = int(self.headers.get("Content-Length") or 0)
            asked = json.loads(self.rfile.read(length))["paths"]
            self._send(200, [_entry(p, files[p]) for p in asked if p in files])
        else:
            known = {"id": repository, "sha": COMMIT, "private": False, "gated": False, "tags": []}
            siblings = [{"rfilename": path} for path in files]
            self._send(200, known | {"siblings": siblings, "downloads": 0, "likes": 0})

    def _entries(self, files, folder):
        inside = [p for p in sorted(files) if not folder or p.startswith(folder + "/")]
        recursive = "recursive=true" in self.path.lower()
        depth = len(folder.split("/")) if folder else 0
        folders = {"/".join(p.split("/")[: depth + 1]) for p in inside if p.count("/") > depth}
        named = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": f} for f in folders]
        shown = [p for p in inside if recursive or p.count("/") == depth]
        return named + [_entry(p, files[p]) for p in shown]

    def _file(self, repository, path):
        content = self.repositories[repository].get(path)
        if content is None:
            self._refuse(404, "EntryNotFound")
            return
        start, end, status = 0, len(content), 200
        if "Range" in self.headers:
            first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
            start, end, status = int(first), min(end, int(last or end) + 1), 206
        headers = {"ETag": f'"{_digest(content)}"', "Accept-Ranges": "bytes"}
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        self._send(status, content[start:end], **headers)

    def _refuse(self, status, code):
        self._send(status, {"error": code}, **{"X-Error-Code": code, "X-Error-Message": code})

    def _send(self, status, body, **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {
            "X-Repo-Commit": COMMIT,
            "Content-Length": len(data),
            **headers,
        }.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _digest(content):
    return hashlib.sha256(content).hexdigest()


def _entry(path, content):
    return {"type": "file", "oid": _digest(content)[:40], "size": len(content), "path": path}
