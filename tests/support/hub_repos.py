"""What a loopback Hub remembers: repositories, every commit as a snapshot, large files by hash."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LARGE = 10 * 2**20
LARGE_SUFFIXES = (".parquet", ".png", ".jpg", ".jpeg", ".arrow", ".bin", ".safetensors", ".zip")
POINTER_SIZE = 134
WHEN = "2026-01-01T00:00:00.000Z"


class RefusedError(Exception):
    """An answer that is an error: status, `X-Error-Code` and message."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(message or code)
        self.status, self.code, self.message = status, code, message or code


@dataclass
class Repo:
    """One repository.

    Attributes:
        kind: "dataset", "model" or "space".
        id: owner/name.
        private: Hidden from who has no token.
        gated: Seen by everyone; its files are refused, as its terms were not accepted.
        snapshots: All files of every commit, by its hash.
        titles: The first line of every commit's message, by its hash, oldest first.
        refs: Branches by name, pull requests as `refs/pr/N`; the commit each stands at.
        tags: The commit of each tag.
    """

    kind: str
    id: str
    private: bool = False
    gated: bool = False
    snapshots: dict[str, dict[str, bytes]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.refs["main"] = self._add(
            {".gitattributes": b"*.parquet filter=lfs\n"}, "initial commit"
        )

    def resolve(self, revision: str) -> str:
        """The commit that a branch, pull request, tag or hash names."""
        sha = {**self.tags, **self.refs}.get(revision.removeprefix("refs/heads/"), revision)
        if sha not in self.snapshots:
            raise RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return sha

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Path -> content."""
        return self.snapshots[self.resolve(revision)]

    def commit(self, revision: str, files: Mapping[str, bytes], title: str) -> str:
        """Move a branch or pull request to a new snapshot."""
        if revision not in self.refs:
            raise RefusedError(404, "RevisionNotFound", f"no branch: {revision}")
        self.refs[revision] = self._add(dict(files), title)
        return self.refs[revision]

    def branch(self, name: str, start: str = "main") -> None:
        """Make a branch."""
        if name in self.refs:
            raise RefusedError(409, "", f"Reference already exists: {name}")
        self.refs[name] = self.resolve(start)

    def tag(self, name: str, revision: str) -> None:
        """Name a commit for good."""
        if name in self.tags:
            raise RefusedError(409, "", f"Tag reference exists already: {name}")
        self.tags[name] = self.resolve(revision)

    def merge(self, number: int) -> None:
        """Let main hold what a pull request holds, as a commit of its own."""
        self.commit("main", self.files(f"refs/pr/{number}"), f"Merge {number}")

    def open_pr(self, base: str) -> str:
        """Make the revision of a new pull request."""
        number = next(n for n in itertools.count(1) if f"refs/pr/{n}" not in self.refs)
        self.refs[f"refs/pr/{number}"] = self.resolve(base)
        return f"refs/pr/{number}"

    def _add(self, files: dict[str, bytes], title: str) -> str:
        sha = hashlib.sha1(
            f"{self.kind}/{self.id}/{len(self.snapshots)}/{title}".encode()
        ).hexdigest()
        self.snapshots[sha], self.titles[sha] = files, title
        return sha

    def info(self, revision: str) -> dict[str, Any]:
        """What the API tells about a repository."""
        sha = self.resolve(revision)
        return {
            "_id": "0" * 24,
            "id": self.id,
            "author": self.id.split("/")[0],
            "sha": sha,
            "private": self.private,
            "gated": "manual" if self.gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "createdAt": WHEN,
            "lastModified": WHEN,
            "siblings": [{"rfilename": path} for path in sorted(self.snapshots[sha])],
        }

    def tree(self, revision: str, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
        """The files and folders within a folder."""
        files = self.files(revision)
        start = f"{folder}/" if folder else ""
        inside = sorted(path for path in files if path.startswith(start))
        if folder and not inside:
            raise RefusedError(404, "EntryNotFound", f"{folder} does not exist on {revision}")
        folders: dict[str, None] = {}
        shown = []
        for path in inside:
            parents = path[len(start) :].split("/")[:-1]
            depth = len(parents) if recursive else min(1, len(parents))
            folders.update({start + "/".join(parents[: n + 1]): None for n in range(depth)})
            if recursive or not parents:
                shown.append(file_entry(path, files[path]))
        return [folder_entry(path) for path in folders] + shown

    def paths_info(self, revision: str, paths: list[str]) -> list[dict[str, Any]]:
        """Entries of those of the paths that exist."""
        files, found = self.files(revision), []
        for path in (p.strip("/") for p in paths):
            if path in files:
                found.append(file_entry(path, files[path]))
            elif any(other.startswith(f"{path}/") for other in files):
                found.append(folder_entry(path))
        return found


def is_large(path: str, size: int) -> bool:
    """Whether the Hub keeps a file in its store of large files."""
    return size > LARGE or path.endswith(LARGE_SUFFIXES)


def identity(path: str, content: bytes) -> str:
    """The hash that the Hub knows a file by: SHA-256 of large ones, git's SHA-1 of others."""
    if is_large(path, len(content)):
        return hashlib.sha256(content).hexdigest()
    return git_hash(content)


def git_hash(content: bytes) -> str:
    """What git calls the object."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def file_entry(path: str, content: bytes) -> dict[str, Any]:
    """A file in a listing."""
    entry = {"type": "file", "oid": git_hash(content), "size": len(content), "path": path}
    if is_large(path, len(content)):
        oid = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": POINTER_SIZE}
    return entry


def folder_entry(path: str) -> dict[str, Any]:
    """A folder in a listing."""
    return {"type": "directory", "oid": "0" * 40, "size": 0, "path": path}


@dataclass(frozen=True)
class Change:
    """A commit as it was sent: NDJSON lines of operations."""

    title: str
    parent: str | None
    files: dict[str, bytes]

    @classmethod
    def parse(cls, body: bytes, before: Mapping[str, bytes], large: Mapping[str, bytes]) -> Change:
        """The files after the operations; a large file must have been uploaded before."""
        files, title, parent = dict(before), "", None
        for operation in map(json.loads, body.splitlines()):
            value = operation["value"]
            match operation["key"]:
                case "header":
                    title, parent = value["summary"], value.get("parentCommit")
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    if value["oid"] not in large:
                        raise RefusedError(400, "", f"{value['path']} was never uploaded")
                    files[value["path"]] = large[value["oid"]]
                case "deletedFile":
                    files.pop(value["path"])
                case "deletedFolder":
                    start = value["path"].rstrip("/") + "/"
                    files = {p: c for p, c in files.items() if not p.startswith(start)}
                case other:
                    raise RefusedError(400, "", f"unknown operation {other}")
        return cls(title, parent, files)
