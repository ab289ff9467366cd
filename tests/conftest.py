"""What every test stands on: no network but loopback, own caches, a command line, a browser, data.

Also how the suite shares the processors: one thread a process, the slow tests first.
"""

import json
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]

# Before the first import of numpy or torch, which read these once: xdist starts a process a
# processor, and programs that tests start inherit them.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

# Programs that tests start import this checkout, wherever the installed package points.
_PATHS = [str(ROOT), os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, _PATHS))

# Before the first import of datasets or huggingface_hub, which read these once.
_CACHE = tempfile.TemporaryDirectory(prefix="aas-bench-tests-", ignore_cleanup_errors=True)
os.environ["HF_HOME"] = _CACHE.name
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

settings.register_profile("aas-bench", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("aas-bench")


def pytest_collection_modifyitems(items):
    """Slow tests first, so that no processor ends with a long one while the others idle."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """A worker that has nothing left takes over half of what waits at another."""
    from xdist.scheduler import WorkStealingScheduling

    chosen = config.getoption("dist")
    return WorkStealingScheduling(config, log) if chosen == "load" else None


_LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")


class NetworkRefusedError(ConnectionError):
    """A test tried to leave this machine."""


def _leaves_machine(host) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    return bool(name) and not str(name).startswith(_LOOPBACK)


@pytest.fixture
def network_attempts():
    """Hosts that the test tried to reach. A test that asks for this list may try; others fail."""
    return []


@pytest.fixture(autouse=True)
def _no_network(monkeypatch, request):
    """Refuse every connection and name look-up that is not loopback.

    The attempts are also counted, since a library may swallow the refusal.
    """
    expected = "network_attempts" in request.fixturenames
    attempts = request.getfixturevalue("network_attempts") if expected else []

    def guard(name, host_of):
        original = getattr(socket.socket, name, None) or getattr(socket, name)

        def guarded(*args, **kwargs):
            host = host_of(args)
            if _leaves_machine(host):
                attempts.append(host)
                msg = f"tests may not reach {host}"
                raise NetworkRefusedError(msg)
            return original(*args, **kwargs)

        return guarded

    def peer(args):
        this, address = args[0], args[-1]
        return address[0] if this.family in (socket.AF_INET, socket.AF_INET6) else None

    for method in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, method, guard(method, peer))
    monkeypatch.setattr(socket, "getaddrinfo", guard("getaddrinfo", lambda args: args[0]))
    yield
    if not expected:
        assert not attempts, f"the test tried to reach {attempts}"


@pytest.fixture
def unchecked(monkeypatch):
    """Runs without the check of a model's first scores, for tests that count its calls."""
    monkeypatch.setattr("aas_bench.run.part_scorer.quick_check", lambda *_, **__: ())


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of the authors' data; skips where it is not at hand."""
    beside = Path(__file__).parents[1].parent / "shared" / "data" / "real"
    folder = Path(os.environ.get("AAS_BENCH_REAL_DATA", beside))
    if not folder.is_dir():
        pytest.skip("the authors' data is not here: set AAS_BENCH_REAL_DATA")
    return folder


@pytest.fixture
def loopback_hub():
    """A Hub on 127.0.0.1 for the real client libraries; see `support.loopback_hub`."""
    from support.loopback_hub import loopback_hub as serve

    with serve() as hub:
        yield hub
    assert hub.unknown == [], "the clients asked for routes that the loopback Hub lacks"


class Outcome(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in process, as a user would see it."""
    from aas_bench.cli import main

    def call(*arguments) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["aas-bench", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="module")
def browser():
    """A Chromium, without the traffic of its own; skips where there is none.

    It ends with the module: while Playwright runs, `asyncio.run` fails in this process, and tests
    of other modules call it.
    """
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no chromium here")
    from playwright.sync_api import sync_playwright

    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=options)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """Open an address; `page.troubles` are its errors and what it fetches from elsewhere."""
    contexts = []

    def call(url, width=1280, height=800, scheme="light", **options):
        origin = ("file:", "data:") if url.startswith("file:") else f"{url[: url.index('/', 7)]}/"
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.troubles = []
        page.on("console", lambda message: page.troubles.append(message.text))
        page.on("pageerror", lambda error: page.troubles.append(str(error)))
        page.on("request", lambda r: r.url.startswith(origin) or page.troubles.append(r.url))
        page.goto(url)
        return page

    yield call
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def real_scores(real_data) -> Path:
    """The authors' per-pair scores of one generator."""
    return real_data / "scores" / "stable_diffusion_3.5_large.jsonl"
