"""Speed, memory and the denoiser's share of our diffusers backend, on an accelerator.

    python benchmarks/generators.py                    SDXL and FLUX.1-dev, on cuda in bfloat16
    python benchmarks/generators.py --model sdxl --batch-size 16
    python benchmarks/generators.py --tiny             small shapes on the CPU: tries the program

Architectures have the published sizes, weights are random: nothing is downloaded, and pictures are
noise. Steps, guidance and size are those of the shipped submissions. One batch warms up. The
denoiser's share is its time between CUDA events over the time of the whole call; text encoders,
scheduler, VAE and the check of every picture are the rest.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from random_pipelines import CASES, Case, default_dtype

from aas_bench.generators.base import Outcome, Request
from aas_bench.generators.diffusers import DiffusersGenerator
from aas_bench.generators.pipelines import PIPELINES
from aas_bench.generators.settings import Settings
from aas_bench.generators.spec import Submission, load_submission

SUBMISSIONS = Path(__file__).parents[1] / "leaderboard" / "submissions"
PROMPT = "a cat on a roof, blurred and dark"
NO_ACCELERATOR = "not measured: no accelerator at hand. --tiny tries the program on the CPU."
UNUSABLE = 2


class Stopwatch:
    """Seconds on the device between pairs of marks; on the CPU between calls of a clock."""

    def __init__(self, *, cuda: bool) -> None:
        self._cuda = cuda
        self._marks: list[Any] = []

    def mark(self) -> None:
        """One end of an interval."""
        if not self._cuda:
            self._marks.append(time.perf_counter())
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self._marks.append(event)

    def seconds(self) -> float:
        """The sum of the intervals; the device must have finished."""
        ends = zip(self._marks[::2], self._marks[1::2], strict=True)
        if self._cuda:
            return sum(a.elapsed_time(b) for a, b in ends) / 1000
        return sum(b - a for a, b in ends)


@contextmanager
def watched(module: torch.nn.Module, watch: Stopwatch) -> Iterator[None]:
    """Every call of a module is an interval."""
    hooks = (
        module.register_forward_pre_hook(lambda *_: watch.mark()),
        module.register_forward_hook(lambda *_: watch.mark()),
    )
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def load(case: Case, *, tiny: bool, batch_size: int | None) -> DiffusersGenerator:
    """Our backend around random weights."""
    device, dtype = ("cpu", torch.float32) if tiny else ("cuda", torch.bfloat16)
    torch.manual_seed(0)
    with torch.device(device), default_dtype(dtype):
        pipe = case.build(case.tiny if tiny else case.sizes)
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    return DiffusersGenerator(
        load_submission(SUBMISSIONS / f"{case.submission}.yaml"),
        pipe,
        preset="default",
        batch_size=batch_size,
        execution={"device": device},
    )


def settings_of(submission: Submission, *, tiny: bool) -> Settings:
    """Those of the submission; two steps at 32 x 32 pixels where the shapes are tiny."""
    settings = submission.settings_for("original")
    small = {"num_inference_steps": 2, "width": 32, "height": 32}
    return settings.model_copy(update=small) if tiny else settings


def measure(name: str, case: Case, args: argparse.Namespace) -> None:
    """Print the figures of one pipeline."""
    generator = load(case, tiny=args.tiny, batch_size=args.batch_size)
    settings = settings_of(generator.submission, tiny=args.tiny)
    cuda, size = not args.tiny, generator.batch_size

    def make(first: int, n: int) -> list[Outcome]:
        requests = [
            Request(index=first + i, variant="original", prompt=PROMPT, seed=0, settings=settings)
            for i in range(n)
        ]
        outcomes = generator.generate(requests)
        if cuda:
            torch.cuda.synchronize()
        return outcomes

    make(0, size)
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    watch = Stopwatch(cuda=cuda)
    denoiser = getattr(generator._pipe, PIPELINES[generator.submission.pipeline].denoiser)
    started = time.perf_counter()
    with watched(denoiser, watch):
        outcomes = make(size, size * args.batches)
    total = time.perf_counter() - started
    peak = f"{torch.cuda.max_memory_allocated() / 2**30:.1f} GiB" if cuda else "not measured"
    n_parameters = sum(p.numel() for p in denoiser.parameters())
    refused = [each.reason for each in outcomes if each.reason]
    generator.close()
    print(
        f"{name}: {settings.width} x {settings.height}, {settings.num_inference_steps} steps, "
        f"batch {size}, {args.batches} batches, denoiser of {n_parameters:,} parameters\n"
        f"  images/s             {len(outcomes) / total:8.3f}\n"
        f"  peak memory          {peak}\n"
        f"  time in the denoiser {watch.seconds() / total:8.1%}\n"
        f"  pictures accepted    {len(outcomes) - len(refused)} of {len(outcomes)}"
        + (f" ({refused[0]})" if refused else "")
    )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=CASES, action="append", help="default: all")
    parser.add_argument("--batch-size", type=int, help="default: the pipeline class's own")
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="small shapes on the CPU")
    args = parser.parse_args()
    if not args.tiny and not torch.cuda.is_available():
        print(NO_ACCELERATOR, file=sys.stderr)
        raise SystemExit(UNUSABLE)
    device = "CPU, tiny shapes" if args.tiny else f"{torch.cuda.get_device_name()}, bfloat16"
    packages = (f"{name} {version(name)}" for name in ("torch", "diffusers", "transformers"))
    print(f"{device}; {', '.join(packages)}; {time.strftime('%Y-%m-%d')}")
    for name in args.model or CASES:
        measure(name, CASES[name], args)


if __name__ == "__main__":
    main()
