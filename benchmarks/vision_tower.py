"""How much of a GPU's matrix-product rate our ViT-H/14 image tower reaches, in bfloat16.

    python benchmarks/vision_tower.py            batch 256, on cuda in bfloat16
    python benchmarks/vision_tower.py --tiny     a small tower on the CPU: tries the program

The rate is that of one large square product on the same card in the same run, its median over
rounds that alternate with the tower's. Weights are random, pixels are ready on the device.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import open_clip
import torch
from torch.utils.flop_counter import FlopCounterMode

from aas_bench.rewards.dual import OpenClipTowers

AT_LEAST = 0.45
NO_ACCELERATOR = "not measured: no accelerator at hand. --tiny tries the program on the CPU."
UNUSABLE = 2


def tower(*, tiny: bool, device: str, dtype: torch.dtype) -> OpenClipTowers:
    """The image tower of ViT-H/14 as our dual encoders run it."""
    config: dict[str, Any] = open_clip.get_model_config("ViT-H-14")
    if tiny:
        config |= {"embed_dim": 32}
        config["vision_cfg"] = {"image_size": 28, "layers": 2, "width": 64, "patch_size": 14}
        config["text_cfg"] |= {"width": 32, "heads": 2, "layers": 1}
    with torch.device(device):
        return OpenClipTowers(open_clip.CLIP(**config).eval().to(device, dtype))


def seconds(run: Callable[[], Any], *, repeats: int, cuda: bool) -> float:
    """What one of several calls in a row takes."""
    if cuda:
        torch.cuda.synchronize()
    started = time.perf_counter()
    for _ in range(repeats):
        run()
    if cuda:
        torch.cuda.synchronize()
    return (time.perf_counter() - started) / repeats


def operations(run: Callable[[], Any]) -> int:
    """Floating-point operations of a call."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@torch.inference_mode()
def measure(args: argparse.Namespace) -> None:
    """Print the figures."""
    cuda = not args.tiny
    device, dtype = ("cuda", torch.bfloat16) if cuda else ("cpu", torch.float32)
    edge, pixels, size = (8192, 224, args.batch_size) if cuda else (256, 28, 4)
    torch.manual_seed(0)
    towers = tower(tiny=args.tiny, device=device, dtype=dtype)
    batch = torch.randn(size, 3, pixels, pixels, device=device, dtype=dtype)
    left, right = (torch.randn(edge, edge, device=device, dtype=dtype) for _ in range(2))

    def encode() -> torch.Tensor:
        return towers.image(batch)

    def product() -> torch.Tensor:
        return left @ right

    work = {encode: operations(encode), product: operations(product)}
    ways = (encode, product)
    for way in ways:
        seconds(way, repeats=2, cuda=cuda)
    rounds = [[seconds(way, repeats=10, cuda=cuda) for way in ways] for _ in range(args.rounds)]
    taken = [statistics.median(column) for column in zip(*rounds, strict=True)]
    rate, of_product = (work[way] / t / 1e12 for way, t in zip(ways, taken, strict=True))
    share = rate / of_product
    verdict = "ok" if share >= AT_LEAST else "MISSED"
    aim = f"   at least {AT_LEAST:.0%}: {verdict}" if cuda else ""
    peak = f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if cuda else "not measured"
    print(
        f"ViT-H/14 image tower, batch {size}, {pixels} x {pixels}, "
        f"{work[encode] / size / 1e9:.4g} GFLOP an image\n"
        f"  images/s          {size / taken[0]:10.1f}\n"
        f"  tower             {rate:10.4g} TFLOP/s\n"
        f"  matrix product    {of_product:10.4g} TFLOP/s, {edge} x {edge}\n"
        f"  share             {share:10.1%}{aim}\n"
        f"  peak memory       {peak}"
    )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tiny", action="store_true", help="a small tower on the CPU")
    args = parser.parse_args()
    if not args.tiny and not torch.cuda.is_available():
        print(NO_ACCELERATOR, file=sys.stderr)
        raise SystemExit(UNUSABLE)
    device = "CPU, tiny shapes" if args.tiny else f"{torch.cuda.get_device_name()}, bfloat16"
    packages = (f"{name} {version(name)}" for name in ("torch", "open_clip_torch"))
    print(f"{device}; {', '.join(packages)}; {time.strftime('%Y-%m-%d')}")
    measure(args)


if __name__ == "__main__":
    main()
