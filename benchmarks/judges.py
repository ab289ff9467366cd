"""How long a judge behind a service takes: 300 pairs, both orders, 2 s an answer, 16 at once.

    python benchmarks/judges.py
    python benchmarks/judges.py --pairs 300 --latency 2 --concurrency 16 --side 1024

A chat endpoint on 127.0.0.1 answers every question after the same time; it is asked through the
official SDK with pictures of the size given, as `aas-bench judge pairwise` asks. The least that
this can take is pairs x 2 x latency / concurrency. The second run finds all answers kept.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from datasets import Dataset
from datasets import Image as Feature
from PIL import Image

from aas_bench.run.judge import judge
from aas_bench.tables.images import png_bytes
from aas_bench.tables.pairs import load_pairs
from aas_bench.tables.schema import IMAGE_COLUMNS

AIM = 120.0


def main() -> None:
    """Print the seconds, the least possible and the processor time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--latency", type=float, default=2.0)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--side", type=int, default=1024)
    asked = parser.parse_args()
    os.environ["OPENAI_API_KEY"] = "any"
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(asked.latency))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pairs = photographs(asked.pairs, asked.side)
    least = asked.pairs * 2 * asked.latency / asked.concurrency
    with tempfile.TemporaryDirectory() as folder:
        for run in ("first", "again"):
            started, used = time.monotonic(), processor()
            said = judge(
                pairs,
                "openai:m",
                out=f"{folder}/run",
                cache=f"{folder}/cache",
                base_url=f"http://127.0.0.1:{server.server_port}",
                concurrency=asked.concurrency,
                progress=False,
            )
            seconds, used = time.monotonic() - started, processor() - used
            answered = int((said.answers["status"] == "ok").sum())
            print(
                f"{run}: {seconds:.1f} s (least {least:.1f} s, aim {AIM:.0f} s), "
                f"{used:.1f} s of processor, {answered} of {len(said.answers)} answered",
                flush=True,
            )


def processor() -> float:
    """Seconds of processor that this process has used, the endpoint among them."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def photographs(n: int, side: int) -> Any:
    """Pairs of smooth images with some noise, which PNG compresses as it does photographs."""
    rng = np.random.default_rng(0)

    def picture() -> dict[str, Any]:
        rough = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(rough).resize((side, side), Image.Resampling.BICUBIC))
        noisy = smooth.astype(np.int16) + rng.integers(-3, 4, smooth.shape, dtype=np.int16)
        return {"bytes": png_bytes(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)))}

    few = [picture() for _ in range(10)]
    rows = [
        {
            "image_original": few[i % 10],
            "image_distorted": few[(i // 10 + 1) % 10],
            "prompt_distorted": f"a blurred cat, number {i}",
        }
        for i in range(n)
    ]
    data = Dataset.from_list(rows)
    for column in IMAGE_COLUMNS:
        data = data.cast_column(column, Feature())
    return load_pairs(data)


def handler(latency: float) -> type[BaseHTTPRequestHandler]:
    """Answers every question alike, after a time."""
    said = json.dumps({"why": "it is blurred", "choice": "first"})
    message = {"role": "assistant", "content": said}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    body = json.dumps({"id": "1", "object": "chat.completion", "choices": [choice]}).encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(latency)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


if __name__ == "__main__":
    main()
