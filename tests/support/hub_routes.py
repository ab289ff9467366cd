"""The HTTP side of a loopback Hub: one method per route that the client libraries use."""

from __future__ import annotations

import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from support.hub_repos import Change, RefusedError, Repo, file_entry, identity, is_large

if TYPE_CHECKING:
    from support.loopback_hub import Fault, LoopbackHub

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}
WRITES = ("preupload", "commit", "branch", "tag")


class Handler(BaseHTTPRequestHandler):
    """Answers one connection; `hub` is set by the server."""

    hub: LoopbackHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Say nothing: requests are in `hub.log`."""

    def answer(self) -> None:
        """Read a request, note it, and send what its route says."""
        address = urlsplit(self.path)
        # Split before unquoting: a slash within a revision arrives as %2F.
        parts = [unquote(part) for part in address.path.strip("/").split("/")]
        self.query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        fault = self.hub.next_fault(self.command, address.path)
        if fault is not None and fault.drop and not fault.late:
            self.rfile.read(min(fault.after, int(self.headers.get("Content-Length") or 0)))
            self._hang_up(fault)
            return
        self.body = self._read_body()
        try:
            if fault is not None and not fault.late:
                raise RefusedError(fault.status, "", "made to fail by the test")
            with self.hub.lock:
                status, headers, content = self._route(parts)
        except RefusedError as refused:
            status, content = refused.status, json.dumps({"error": refused.message}).encode()
            headers = {"X-Error-Code": refused.code, "X-Error-Message": refused.message}
        answered = 0 if self.command == "HEAD" else len(content)
        self.hub.note(self.command, self.path, len(self.body), status, answered)
        if fault is not None and fault.late:
            self._hang_up(fault)
            return
        self._send(status, headers, content)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's names

    def _hang_up(self, fault: Fault) -> None:
        if fault.act is not None:
            fault.act()
        self.close_connection = True

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _route(self, parts: list[str]) -> tuple[int, dict[str, str], bytes]:
        match parts:
            case ["api", "whoami-v2"]:
                self._need_token()
                return _json({"type": "user", "name": self.hub.user, "orgs": [], "auth": {}})
            case ["api", "repos", "create"]:
                return self._create()
            case ["api", "validate-yaml"]:
                return self._validate_yaml()
            case ["api", kind, owner, name, *rest] if kind in KINDS:
                return self._api(self._repo(KINDS[kind], f"{owner}/{name}"), rest)
            case ["_lfs", oid]:
                return self._receive(oid)
            case [kind, owner, name, "resolve", revision, *path] if kind in KINDS:
                return self._file(self._repo(KINDS[kind], f"{owner}/{name}"), revision, path)
            case [owner, name, "resolve", revision, *path]:
                return self._file(self._repo("model", f"{owner}/{name}"), revision, path)
            case [*_, "info", "lfs", "objects", "batch"]:
                return self._large_files()
        return self._unknown()

    def _unknown(self) -> tuple[int, dict[str, str], bytes]:
        if self.path not in IGNORED:
            self.hub.unknown.append((self.command, self.path))
        raise RefusedError(404, "EntryNotFound")

    def _need_token(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            raise RefusedError(401, "", "Invalid username or password.")

    def _repo(self, kind: str, repo_id: str) -> Repo:
        repo = self.hub.repos.get((kind, repo_id))
        if repo is None:
            raise RefusedError(404, "RepoNotFound", "Repository not found")
        if repo.private and self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            raise RefusedError(401, "RepoNotFound", "Repository not found")
        return repo

    def _url(self, repo: Repo) -> str:
        kind = "" if repo.kind == "model" else f"{repo.kind}s/"
        return f"{self.hub.endpoint}/{kind}{repo.id}"

    def _create(self) -> tuple[int, dict[str, str], bytes]:
        self._need_token()
        asked = json.loads(self.body)
        kind = asked.get("type") or "model"
        repo_id = f"{asked.get('organization') or self.hub.user}/{asked['name']}"
        if (kind, repo_id) in self.hub.repos:
            known = self.hub.repos[kind, repo_id]
            return _json({"error": "You already created this", "url": self._url(known)}, 409)
        private = bool(asked.get("private") or asked.get("visibility") == "private")
        repo = self.hub.repos[kind, repo_id] = Repo(kind, repo_id, private)
        return _json({"url": self._url(repo), "name": repo_id, "id": repo_id})

    def _validate_yaml(self) -> tuple[int, dict[str, str], bytes]:
        try:
            front = json.loads(self.body)["content"].split("---\n")[1]
            errors = [] if isinstance(yaml.safe_load(front), dict) else ["no mapping"]
        except (IndexError, yaml.YAMLError) as error:
            errors = [str(error)]
        found = [{"message": error} for error in errors]
        return _json({"errors": found, "warnings": []}, 400 if errors else 200)

    def _api(self, repo: Repo, rest: list[str]) -> tuple[int, dict[str, str], bytes]:
        if rest[:1] and rest[0] in WRITES:
            self._need_token()
        match rest:
            case []:
                return _json(repo.info("main"))
            case ["revision", revision]:
                return _json(repo.info(revision))
            case ["tree", revision, *folder]:
                recursive = self.query.get("recursive", "").lower() in ("true", "1")
                return _json(repo.tree(revision, "/".join(folder), recursive=recursive))
            case ["paths-info", revision]:
                return _json(repo.paths_info(revision, self._form()["paths"]))
            case ["refs"]:
                return _json(_refs(repo))
            case ["commits", revision]:
                repo.resolve(revision)
                return _json([_commit(sha, title) for sha, title in repo.titles.items()][::-1])
            case ["branch", name]:
                start = json.loads(self.body or b"{}").get("startingPoint") or "main"
                repo.branch(name, start)
                return _json({})
            case ["tag", revision]:
                repo.tag(json.loads(self.body)["tag"], revision)
                return _json({})
            case ["preupload", revision]:
                return self._preupload(repo, revision)
            case ["commit", revision]:
                return self._commit(repo, revision)
            case ["leaderboard"]:
                return _json([])
        return self._unknown()

    def _form(self) -> dict[str, Any]:
        if self.body.startswith(b"{"):
            return json.loads(self.body)
        return parse_qs(self.body.decode())

    def _preupload(self, repo: Repo, revision: str) -> tuple[int, dict[str, str], bytes]:
        there = repo.files(revision)
        answers = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if is_large(file["path"], file["size"]) else "regular",
                "shouldIgnore": False,
                "oid": identity(file["path"], there[file["path"]])
                if file["path"] in there
                else None,
            }
            for file in json.loads(self.body)["files"]
        ]
        return _json({"files": answers})

    def _commit(self, repo: Repo, revision: str) -> tuple[int, dict[str, str], bytes]:
        change = Change.parse(self.body, repo.files(revision), self.hub.large)
        if change.parent and change.parent != repo.resolve(revision):
            raise RefusedError(
                412, "", "A commit has happened since. Please refresh and try again."
            )
        answer = {"success": True, "hookOutput": ""}
        if self.query.get("create_pr"):
            revision = repo.open_pr(revision)
            number = revision.rpartition("/")[2]
            answer["pullRequestUrl"] = f"{self._url(repo)}/discussions/{number}"
        sha = repo.commit(revision, change.files, change.title)
        return _json({**answer, "commitOid": sha, "commitUrl": f"{self._url(repo)}/commit/{sha}"})

    def _large_files(self) -> tuple[int, dict[str, str], bytes]:
        self._need_token()
        objects = []
        for asked in json.loads(self.body)["objects"]:
            answer = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.hub.large:
                self.hub.announced.add(asked["oid"])
                upload = {"href": f"{self.hub.endpoint}/_lfs/{asked['oid']}", "header": {}}
                answer["actions"] = {"upload": upload}
            objects.append(answer)
        kind = {"Content-Type": "application/vnd.git-lfs+json"}
        return 200, kind, json.dumps({"transfer": "basic", "objects": objects}).encode()

    def _receive(self, oid: str) -> tuple[int, dict[str, str], bytes]:
        if self.command != "PUT" or oid not in self.hub.announced:
            raise RefusedError(403, "", "no such upload was announced")
        if hashlib.sha256(self.body).hexdigest() != oid:
            raise RefusedError(400, "", "the content has another SHA-256")
        self.hub.large[oid] = self.body
        return _json({})

    def _file(
        self, repo: Repo, revision: str, path: list[str]
    ) -> tuple[int, dict[str, str], bytes]:
        if repo.gated:
            raise RefusedError(403, "GatedRepo", f"Access to {repo.kind} {repo.id} is restricted.")
        sha, name = repo.resolve(revision), "/".join(path)
        headers = {"X-Repo-Commit": sha, "Accept-Ranges": "bytes"}
        content = repo.files(sha).get(name)
        if content is None:
            return 404, {**headers, "X-Error-Code": "EntryNotFound"}, b""
        entry = file_entry(name, content)
        headers["ETag"] = f'"{identity(name, content)}"'
        if "lfs" in entry:
            headers |= {"X-Linked-Size": str(len(content)), "X-Linked-Etag": headers["ETag"]}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if wanted is None or self.command == "HEAD":
            return 200, headers, content
        first, last = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        if first > last:
            raise RefusedError(416, "", "the range is outside the file")
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return 206, headers, content[first : last + 1]


IGNORED = ("/api/agent-harnesses",)
"""What the clients ask for out of curiosity."""


def _json(value: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _refs(repo: Repo) -> dict[str, Any]:
    def ref(name: str, full: str) -> dict[str, str]:
        return {"name": name, "ref": full, "targetCommit": repo.refs[name]}

    pulls = [name for name in repo.refs if name.startswith("refs/pr/")]
    branches = [name for name in repo.refs if name not in pulls]
    return {
        "branches": [ref(name, f"refs/heads/{name}") for name in branches],
        "pullRequests": [ref(name, name) for name in pulls],
        "converts": [],
        "tags": [
            {"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha}
            for name, sha in repo.tags.items()
        ],
    }


def _commit(sha: str, title: str) -> dict[str, Any]:
    when = "2026-01-01T00:00:00.000Z"
    return {"id": sha, "title": title, "message": "", "authors": [], "date": when}
