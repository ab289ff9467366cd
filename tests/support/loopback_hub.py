"""A Hub on 127.0.0.1 that the real client libraries can push to and load from.

    with loopback_hub() as hub:
        hub.run_python("from datasets import load_dataset; ...")
        assert hub.files("weathon/some_dataset")["README.md"] ...
        assert hub.unknown == []

Everything is in memory. It checks the token on writes, hides private repositories, verifies the
SHA-256 of large files, keeps each commit as a snapshot, and fails where a test tells it to. Not
covered: Xet, deleting repositories, uploads in parts (files over 5 GB).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.hub_repos import Repo
from support.hub_routes import Handler

TOKEN = "hf_" + "t" * 34
TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Request:
    """One request as it was answered: the size of its body, and that of its answer."""

    method: str
    path: str
    size: int
    status: int
    answered: int = 0


@dataclass
class Fault:
    """Requests that fail; see `LoopbackHub.fail`, `.drop` and `.interrupt`."""

    method: str
    within: str
    skip: int
    times: int
    status: int = 500
    drop: bool = False
    after: int = 0
    act: Callable[[], object] | None = None
    late: bool = False


@dataclass
class LoopbackHub:
    """The state of the Hub, for tests to set up and to look at.

    Attributes:
        endpoint: Its address.
        home: Caches of the processes that `run_python` starts.
        repos: Repositories by kind ("dataset", "model", "space") and id.
        large: Uploaded large files by SHA-256.
        log: All requests, in the order of their answers.
        unknown: Requests that no route took; a test that passes leaves it empty.
        token: The only token that may write or see private repositories.
        user: Whose token it is.
    """

    endpoint: str
    home: Path
    token: str = TOKEN
    user: str = "weathon"
    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)
    log: list[Request] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def files(
        self, repo_id: str, *, kind: str = "dataset", revision: str = "main"
    ) -> dict[str, bytes]:
        """The files of a repository."""
        return self.repos[kind, repo_id].files(revision)

    def add(
        self,
        repo_id: str,
        files: Mapping[str, bytes],
        *,
        kind: str = "dataset",
        private: bool = False,
        gated: bool = False,
    ) -> Repo:
        """Make a repository that is there before the test begins."""
        repo = self.repos[kind, repo_id] = Repo(kind, repo_id, private, gated)
        repo.commit("main", {**repo.files(), **files}, "add files")
        return repo

    def sent(self, method: str, within: str) -> list[Request]:
        """The answered requests with this method and this text in their path."""
        return [r for r in self.log if r.method == method and within in r.path]

    def fail(
        self, method: str, within: str, *, nth: int = 1, times: int = 1, status: int = 500
    ) -> None:
        """Answer the n-th such request, and the next ones up to `times`, with an error."""
        self.faults.append(Fault(method, within, nth - 1, times, status))

    def drop(
        self, method: str, within: str, *, nth: int = 1, times: int = 1, after: int = 0
    ) -> None:
        """Close the connection on the n-th such request after `after` bytes of its body."""
        self.faults.append(Fault(method, within, nth - 1, times, drop=True, after=after))

    def interrupt(
        self,
        method: str,
        within: str,
        act: Callable[[], object],
        *,
        nth: int = 1,
        late: bool = False,
    ) -> None:
        """Do something on the n-th such request, then close the connection.

        `late`: the request took effect, and only its answer is lost.
        """
        self.faults.append(Fault(method, within, nth - 1, 1, drop=True, act=act, late=late))

    def next_fault(self, method: str, path: str) -> Fault | None:
        """The fault that this request runs into."""
        with self.lock:
            for fault in self.faults:
                if fault.method != method or fault.within not in path or fault.times < 1:
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def note(self, method: str, path: str, size: int, status: int, answered: int) -> None:
        """Add to the log."""
        with self.lock:
            self.log.append(Request(method, path, size, status, answered))

    def environment(self, *, token: str | None = TOKEN) -> dict[str, str]:
        """What points a process at this Hub and at caches of its own."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        chosen = {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(self.home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
            # The code beside the tests, whichever is installed.
            "PYTHONPATH": os.pathsep.join((str(TESTS), str(TESTS.parent))),
        }
        return kept | chosen | ({} if token is None else {"HF_TOKEN": token})

    def run(
        self, *command: str, token: str | None = TOKEN, timeout: float = 300, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program against this Hub; `token=None`: without one."""
        return subprocess.run(
            command,
            env=self.environment(token=token),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )

    def run_python(self, code: str, *arguments: str, token: str | None = TOKEN) -> str:
        """Run code in a fresh interpreter against this Hub; returns its output."""
        done = self.run(sys.executable, "-c", code, *arguments, token=token)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def patch(self, monkeypatch: Any, *, token: str | None = TOKEN) -> None:
        """Point `huggingface_hub` of this very process at the Hub: its `HfApi`, not `datasets`."""
        from huggingface_hub import constants

        template = self.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", self.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(self.home / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(self.home / "token"))
        monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
        if token is None:
            monkeypatch.delenv("HF_TOKEN", raising=False)
        else:
            monkeypatch.setenv("HF_TOKEN", token)


@contextmanager
def loopback_hub() -> Iterator[LoopbackHub]:
    """A Hub of its own, on a free port, until the block ends."""

    class OwnHandler(Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), OwnHandler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    with tempfile.TemporaryDirectory(prefix="loopback-hub-", ignore_cleanup_errors=True) as home:
        hub = LoopbackHub(f"http://127.0.0.1:{server.server_port}", Path(home))
        OwnHandler.hub = hub
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
