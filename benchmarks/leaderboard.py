"""Answer times of the leaderboard's page: 5,000 records, 100 readers at once.

    python benchmarks/leaderboard.py
    python benchmarks/leaderboard.py --records 5000 --readers 100 --rounds 5

Writes synthetic records to a temporary folder and serves them in a process of its own, without the
recomputation that leaderboard/app.py does first: what is measured is the page. Then every reader
asks for the data of every tab, in an order of its own and without a pause: 100 requests are under
way at any time, which is more than 100 people who also read. An answer counts from the request to
its last byte; each must have status 200 and the same size. The readers are plain sockets: a client
library would cost more than the page.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx

from aas_bench.records.collection import save_record
from aas_bench.records.record import Measurement, Record, Scores, Source, Subject

SERVE = """
import sys
from aas_bench.board.page import build_app, serve
from aas_bench.board.site import Site
from aas_bench.records.collection import load_results
site = Site(sys.argv[1], results=load_results(sys.argv[1]))
site.warm()
serve(build_app(site), host="127.0.0.1", port=int(sys.argv[2]))
"""
PATHS = (
    "view/reward-models",
    "view/generators",
    "view/alignment-tax",
    "view/real-photographs-and-art",
    "view/compare-two",
    "view/about",
)
KEYSTROKES = tuple(
    f"rows/reward-models?n=200&q={text}" for text in ("r", "re", "model", "model%201", "model%2012")
)
EXPORTS = ("table/reward-models.csv?sort=-accuracy", "table/generators.csv?family=family-1")
ALIGNMENTS = ("base", "aesthetic", "narrow", "instruction", "distilled")
STRENGTHS = [round(0.25 * i, 2) for i in range(7)]


def main() -> None:
    """Write the records, serve them, ask, report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5, help="times that a reader opens each tab")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_records(Path(folder), options.records)
        port = free_port()
        start = time.perf_counter()
        command = [sys.executable, "-c", SERVE, folder, str(port)]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
            try:
                base = f"http://127.0.0.1:{port}/"
                wait_for(base + PATHS[0])
                print(f"{options.records} records: ready after {time.perf_counter() - start:.1f} s")
                asyncio.run(measure("tab data", base, PATHS, options.readers, options.rounds))
                asyncio.run(measure("keystrokes", base, KEYSTROKES, options.readers, 1))
                asyncio.run(measure("exports", base, EXPORTS, options.readers // 10, 2))
                asyncio.run(measure("whole page", base, ("",), options.readers // 10, 2))
                used = memory(server.pid)
            finally:
                server.terminate()
    print(f"server: {used:.2f} GiB; {os.cpu_count()} cores; client on the same machine")


def write_records(folder: Path, count: int) -> None:
    """Half reward models, half generators, in families of five."""
    draw = random.Random(0)  # noqa: S311 - no secret
    for i in range(count):
        record = reward_model(i, draw) if i % 2 else generator(i, draw)
        save_record(record, folder)


def reward_model(i: int, draw: random.Random) -> Record:
    """A measured reward model with four outcomes and a knob curve."""
    accuracy = draw.uniform(0.2, 0.95)
    overridden = draw.uniform(0, 1 - accuracy)
    shares = {
        "accuracy": accuracy,
        "auroc": draw.uniform(0.3, 0.95),
        "followed": 0.9 * accuracy,
        "overridden": overridden,
        "missed": 1 - accuracy - overridden,
        "lucky": 0.1 * accuracy,
        "understood": 0.9 * accuracy + overridden,
        "override_rate": overridden / (0.9 * accuracy + overridden),
    }
    found = [share(name, value) for name, value in shares.items()]
    found += [share("knob_accuracy", draw.uniform(0.3, 0.9), at=at) for at in STRENGTHS]
    subject = Subject(id=f"reward-{i}", name=f"Reward model {i}", kind="reward_model")
    return measured("wide_spectrum", subject, found)


def generator(i: int, draw: random.Random) -> Record:
    """A published or measured generator under two reward models."""
    found = [
        Measurement(
            measure=measure,
            reward=reward,
            value=(value := draw.uniform(-9, 9)),
            low=value - 0.5,
            high=value + 0.5,
            n=300,
            n_clusters=300,
            coverage=1.0,
        )
        for reward in ("hpsv3", "image-reward")
        for measure in ("delta", "after")
    ]
    found.append(share("complete", draw.uniform(0.96, 1)))
    subject = Subject(
        id=f"generator-{i}",
        name=f"Generator {i}",
        kind="generator",
        family=f"family-{i // 10}",
        alignment=ALIGNMENTS[i // 2 % 5],
        open_weights=i % 4 == 0,
    )
    if i % 3:
        return measured("wide_spectrum", subject, found)
    return Record(
        schema_version=1,
        id=f"wide_spectrum/{subject.id}/published",
        status="published",
        subject=subject,
        task="wide_spectrum",
        measurements=tuple(found),
        source=Source(title="A paper", url="https://example.org/paper", location="Table 1"),
    )


def share(measure: str, value: float, *, at: float | None = None) -> Measurement:
    """A share with an interval of four points either side."""
    return Measurement(
        measure=measure,
        at=at,
        value=value,
        low=max(0.0, value - 0.04),
        high=min(1.0, value + 0.04),
        n=3300,
        n_clusters=300,
        coverage=1.0,
    )


def measured(task: str, subject: Subject, found: list[Measurement]) -> Record:
    """A measured record whose score file is not there."""
    return Record(
        schema_version=1,
        id=f"{task}/{subject.id}/measured",
        status="measured",
        subject=subject,
        task=task,
        measurements=tuple(found),
        scores=Scores(file="measured.parquet", sha256="0" * 64, n_pairs=3300),
        provenance={"synthetic": True},
    )


async def measure(what: str, base: str, paths: tuple[str, ...], readers: int, rounds: int) -> None:
    """Ask with so many readers at once, each on a connection of its own, and print the times."""
    times: dict[str, list[float]] = defaultdict(list)
    errors: list[str] = []
    sizes: dict[str, int] = {}

    async def reader(number: int) -> None:
        order = list(paths) * rounds
        random.Random(number).shuffle(order)  # noqa: S311 - no secret
        source, sink = await asyncio.open_connection("127.0.0.1", port_of(base))
        for path in order:
            start = time.perf_counter()
            status, size = await ask(source, sink, path)
            times[path].append(time.perf_counter() - start)
            if status != 200 or sizes.setdefault(path, size) != size:
                errors.append(f"/{path}: status {status}, {size} bytes")
        sink.close()

    start, busy = time.perf_counter(), time.process_time()
    await asyncio.gather(*(reader(number) for number in range(readers)))
    wall, busy = time.perf_counter() - start, time.process_time() - busy
    everything = [each for one in times.values() for each in one]
    rate = len(everything) / wall
    print(f"{what}: {readers} readers, {len(everything)} answers, {rate:.0f}/s")
    print(f"  median {ms(everything, 50)}, p95 {ms(everything, 95)}, errors {len(errors)}")
    for path in paths:
        said = f"median {ms(times[path], 50)}, p95 {ms(times[path], 95)}"
        print(f"  /{path}: {said}, {sizes[path] / 1024:.0f} KiB")
    print(f"  the readers themselves took {busy / wall:.0%} of a core")
    for line in errors[:5]:
        print(f"  {line}")


async def ask(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, path: str
) -> tuple[int, int]:
    """One request on an open connection: status, bytes of the body. The body is not unpacked."""
    sink.write(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n".encode())
    head = (await source.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    fields = dict(line.split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
    size = int(fields["content-length"])
    await source.readexactly(size)
    return int(head.split()[1]), size


def port_of(base: str) -> int:
    """The port in an address."""
    return int(base.rstrip("/").rpartition(":")[2])


def ms(seconds: list[float], percentile: int) -> str:
    """A percentile in milliseconds."""
    if len(seconds) < 2:
        return "-"
    return f"{1000 * statistics.quantiles(seconds, n=100)[percentile - 1]:.0f} ms"


def wait_for(address: str) -> None:
    """Until the page answers."""
    for _ in range(600):
        try:
            if httpx.get(address, timeout=30).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    msg = "the page did not answer within a minute"
    raise SystemExit(msg)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def memory(pid: int) -> float:
    """The highest resident memory of a process so far, in GiB."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
    return int(line.split()[1]) / 2**20


if __name__ == "__main__":
    main()
