"""`serve`: reward models over HTTP, for training loops."""

from __future__ import annotations

from typing import Annotated

import typer

from aas_bench.cli.scoring import Device, Dtype, Rewards

Host = Annotated[
    str, typer.Option(help="Address to listen at; others than this machine's need AAS_BENCH_TOKEN.")
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")]
Queue = Annotated[
    int, typer.Option(min=1, help="Images that wait for a model; beyond, clients come back later.")
]
MaxBody = Annotated[int, typer.Option(min=1, help="Largest request, in MiB.")]
MaxPixels = Annotated[int, typer.Option(min=1, help="Largest image, in pixels.")]
Timeout = Annotated[
    float, typer.Option(min=0.1, help="Seconds until a request is answered or given up.")
]
Threads = Annotated[int, typer.Option(min=1, help="Threads of each model that decode images.")]


def serve(
    *,
    reward: Rewards,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    device: Device = None,
    dtype: Dtype = None,
    queue: Queue = 4096,
    max_body: MaxBody = 64,
    max_pixels: MaxPixels = 2**24,
    timeout: Timeout = 300.0,
    threads: Threads = 2,
) -> None:
    """Serve reward models to training loops; the token is AAS_BENCH_TOKEN in the environment."""
    from aas_bench.registry import import_object
    from aas_bench.rewards.catalog import load_reward

    import_object("aas_bench.serving.server:RewardServer", extra="serve", feature="aas-bench serve")
    from aas_bench.serving.bounds import Bounds
    from aas_bench.serving.server import (
        RewardServer,
        check_token,
        serve_until_stopped,
        token_from_environment,
    )

    body = max_body * 2**20
    bounds = Bounds(
        queue=queue,
        body=body,
        bodies=max(Bounds.bodies, body),
        pixels=max_pixels,
        seconds=timeout,
    )
    token = token_from_environment()
    check_token(token, host)
    server = RewardServer(
        [load_reward(spec, device=device, dtype=dtype) for spec in reward],
        host=host,
        port=port,
        token=token,
        bounds=bounds,
        threads=threads,
    )
    for url in server.urls:
        typer.echo(f"serving {url}", err=True)
    serve_until_stopped(server)
