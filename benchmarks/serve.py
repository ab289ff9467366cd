"""What serving costs: 64 clients on one reward server, against the engine in its own process.

The same random model scores the same 2,000 images (1,000 pairs, four cells each) twice in one run:
through `score`, and for 64 clients in another process that each send a pair at a time. Meanwhile
clients of other kinds misbehave: a body of 300 MB, one that never ends, a head that never ends, a
killed client, a wrong token, a damaged image, 10,000 prompts. Images are PNG bytes in both ways, so
that both decode.

    python benchmarks/serve.py --threads 1
    python benchmarks/serve.py --model random --side 64      what the server itself takes
    python benchmarks/serve.py --device cuda --dtype bfloat16

On a machine that others use too, read the ratio of processor seconds: engine over server, both of
this process with all its threads.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

CLIENTS: Final = 64
TOKEN: Final = "a-token-for-one-run"  # noqa: S105
NAME: Final = "served"
TOLERANCE: Final = 1e-5
AIM: Final = 0.9
CELLS: Final = [[0, 0], [0, 1], [1, 0], [1, 1]]


def ask(url: str, folder: Path) -> list[float]:
    """Send every pair, 64 at a time; the scores of all cells in order."""
    rows = json.loads((folder / "prompts.json").read_text())
    local = threading.local()

    def one(row: int) -> list[float]:
        if not hasattr(local, "http"):
            local.http = httpx.Client(timeout=600, headers={"Authorization": f"Bearer {TOKEN}"})
        files: list[tuple[str, Any]] = [
            ("images", ("image", (folder / f"{row}-{side}.png").read_bytes())) for side in (0, 1)
        ]
        files.append(("request", (None, json.dumps({"prompts": rows[row], "cells": CELLS}))))
        answer = local.http.post(f"{url}/{NAME}", files=files)
        answer.raise_for_status()
        scores: list[float] = answer.json()["scores"]
        return scores

    with ThreadPoolExecutor(CLIENTS) as pool:
        return [score for scores in pool.map(one, range(len(rows))) for score in scores]


def misbehave(url: str, ended: threading.Event) -> Counter[str]:
    """Each kind of bad client in turn until the good ones are done; how each was answered."""
    host, port = url.removeprefix("http://").split(":")
    key = {"Authorization": f"Bearer {TOKEN}"}

    def post(token: str = TOKEN, **body: Any) -> str:
        headers = {"Authorization": f"Bearer {token}"}
        return str(httpx.post(f"{url}/{NAME}", json=body, headers=headers, timeout=600).status_code)

    def sent(first: str, *blocks: bytes, wait: bool = True) -> str:
        with socket.create_connection((host, int(port)), timeout=120) as connection:
            lines = (f"POST /{NAME} HTTP/1.1", f"Host: {host}:{port}", first)
            lines += ("Content-Type: application/json", f"Authorization: {key['Authorization']}")
            try:
                connection.sendall("\r\n".join([*lines, "", ""]).encode())
                for block in blocks:
                    connection.sendall(block)
                if not wait:
                    return "left"
                answer = connection.recv(4096)
            except ConnectionError:
                return "dropped"
            return answer.split()[1].decode() if answer else "dropped"

    def silent() -> str:
        with socket.create_connection((host, int(port)), timeout=120) as connection:
            connection.sendall(b"POST /")
            return "dropped" if not connection.recv(1) else "answered"

    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    kinds: dict[str, Callable[[], str]] = {
        "300 MB declared": lambda: sent(f"Content-Length: {300 * 10**6}"),
        "300 MB in chunks": lambda: sent("Transfer-Encoding: chunked", *[chunk] * 286),
        "body that stalls": lambda: sent("Content-Length: 100", b"{"),
        "head that stalls": silent,
        "killed": lambda: sent("Content-Length: 100000", bytes(1000), wait=False),
        "wrong token": lambda: post("wrong", prompts=["a"]),
        "damaged image": lambda: post(images=["YWJj"], prompts=["a"]),
        "10,000 prompts": lambda: post(prompts=["a cat"] * 10_000),
    }
    found: Counter[str] = Counter()
    while not ended.is_set():
        for name, kind in kinds.items():
            found[f"{name}: {kind()}"] += 1
        ended.wait(1)
    return found


def client(url: str, folder: Path) -> None:
    """What the other process does; the answers go to `answers.json`."""
    ended = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        bad = pool.submit(misbehave, url, ended)
        started = time.perf_counter()
        scores = ask(url, folder)
        wall = time.perf_counter() - started
        ended.set()
        told = {"scores": scores, "wall": wall, "bad": bad.result()}
    (folder / "answers.json").write_text(json.dumps(told))


def measure(args: argparse.Namespace) -> None:
    """Print the figures."""
    import torch
    from rewards import dual, synthetic_pairs

    from aas_bench.rewards.catalog import REWARDS, load_reward
    from aas_bench.run.score import score
    from aas_bench.serving.bounds import Bounds
    from aas_bench.serving.server import RewardServer

    torch.manual_seed(0)
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.model in REWARDS:
        model = load_reward(args.model, name=NAME, device=args.device)
    else:
        model, _ = dual(args.model)(args.device, getattr(torch, args.dtype))
        model.name = NAME
    pairs = synthetic_pairs(args.pairs, side=args.side)
    started, used = time.perf_counter(), time.process_time()
    table = score(pairs, model, progress=False).cells(NAME)
    engine_wall, engine = time.perf_counter() - started, time.process_time() - used
    want = np.stack([table.oiop, table.oidp, table.diop, table.didp], axis=1).ravel()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prompts = [
            [row["prompt_original"], row["prompt_distorted"]] for row in write(pairs, folder)
        ]
        (folder / "prompts.json").write_text(json.dumps(prompts))
        bounds = Bounds(head_seconds=5, body_seconds=5, seconds=3600)
        server = RewardServer([model], port=0, token=TOKEN, bounds=bounds)
        thread = threading.Thread(target=server.run)
        thread.start()
        used = time.process_time()
        command = [sys.executable, __file__, "--client", server.url, name]
        subprocess.run(command, check=True)
        served = time.process_time() - used
        server.stop()
        thread.join()
        told = json.loads((folder / "answers.json").read_text())
    difference = float(np.abs(np.array(told["scores"]) - want).max())
    n_images = 2 * args.pairs
    report = {
        "of the engine, processor": engine / served,
        "of the engine, wall": engine_wall / told["wall"],
    }
    print(
        f"{args.model}, {args.device}, {args.dtype}, {n_images} images, {CLIENTS} clients, "
        f"{torch.get_num_threads()} threads, batch {model.batch_size}\n"
        f"  engine   {n_images / engine_wall:8.1f} images/s   {engine:8.1f} processor s\n"
        f"  server   {n_images / told['wall']:8.1f} images/s   {served:8.1f} processor s"
    )
    for label, ratio in report.items():
        print(f"  {label:26} {ratio:6.3f}   at least {AIM}: {'ok' if ratio >= AIM else 'MISSED'}")
    verdict = "ok" if difference <= TOLERANCE else "MISSED"
    print(
        f"  largest difference {difference:.1e}, at most {TOLERANCE}: {verdict}; "
        f"scores spread by {want.std():.1e}"
    )
    for line, count in sorted(told["bad"].items()):
        print(f"  {line} ({count} times)")


def write(pairs: Any, folder: Path) -> list[dict[str, Any]]:
    """The images of the pairs as files; the rows."""
    from datasets import Image as ImageFeature

    for column in ("image_original", "image_distorted"):
        pairs = pairs.cast_column(column, ImageFeature(decode=False))
    rows = list(pairs)
    for i, row in enumerate(rows):
        for side, column in enumerate(("image_original", "image_distorted")):
            (folder / f"{i}-{side}.png").write_bytes(row[column]["bytes"])
    return rows


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--model", default="ViT-B-32", help="an architecture of open_clip, or a reward's name"
    )
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--side", type=int, default=512, help="of the images, in pixels")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--client", nargs=2, metavar=("URL", "FOLDER"))
    args = parser.parse_args()
    if args.client:
        client(args.client[0], Path(args.client[1]))
    else:
        measure(args)


if __name__ == "__main__":
    main()
