"""What placebo requests cost: the same pairs scored without and with them, ratios printed.

Models are loaded and pairs scored as `aas-bench score` does it: the CLIPs by name from a file of
random weights (`open_clip:ARCH:PATH`), the cross encoder in its real sizes. Once 11 pairs share a
prompt, as in the published data, once every pair has its own, which is all the same to a cross
encoder; with as many placebos as are the default there, and with eight for a dual encoder.

    python benchmarks/placebos.py                             all models
    python benchmarks/placebos.py --model ViT-B-32 --pairs 110 --rounds 5

The clock counts the processor time of all threads, decoding included. The median of alternating
rounds counts.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rewards import N_GENERATORS, blip_match, synthetic_pairs

from aas_bench import load_reward, score
from aas_bench.placebos import choose_placebos

if TYPE_CHECKING:
    from datasets import Dataset

    from aas_bench.rewards.base import RewardModel

CAPTION = "a photograph of {} on a wooden table beside an open window"
DIMENSIONS = ["clarity", "color brightness"]
MOST = 1.05
"""The most that the default may cost a dual encoder."""
BORNE_BY_CROSS_ENCODERS = 2


def by_name(architecture: str) -> Callable[[Path], RewardModel]:
    """A CLIP of open_clip from a file of random weights."""

    def load(folder: Path) -> RewardModel:
        import open_clip
        from safetensors.torch import save_file

        path = folder / f"{architecture}.safetensors"
        save_file(open_clip.create_model(architecture).state_dict(), path)
        return load_reward(f"{architecture}=open_clip:{architecture}:{path}", device="cpu")

    return load


# Pairs enough for a steady figure on one core.
CASES: dict[str, tuple[Callable[[Path], RewardModel], int]] = {
    "ViT-B-32": (by_name("ViT-B-32"), 44),
    "ViT-L-14": (by_name("ViT-L-14"), 11),
    "blip-l-itm": (lambda _: blip_match("cpu", torch.float32)[0], 4),
}


def with_prompts(pairs: Dataset, sharing: int) -> Dataset:
    """The pairs with captions of common length, each shared by so many of them."""
    texts = []
    for number in range(len(pairs)):
        caption = CAPTION.format(f"the {number // sharing}th red apple")
        request = "A blurred, underexposed picture without sharp edges, dark and drained of colour"
        texts.append((caption, f"{caption}. {request}."))
    columns = {
        "prompt_original": [caption for caption, _ in texts],
        "prompt_distorted": [request for _, request in texts],
        "dimensions": [DIMENSIONS] * len(pairs),
    }
    for name, values in columns.items():
        feature = pairs.features[name]
        pairs = pairs.remove_columns(name).add_column(name, values, feature=feature)
    return pairs


def seconds(pairs: Dataset, model: RewardModel, placebos: str, n: int | None) -> float:
    """The processor time of one scoring."""
    gc.collect()
    started = time.process_time()
    score(pairs, model, placebos=placebos, n_placebos=n, progress=False)
    return time.process_time() - started


def measure(name: str, n_pairs: int | None, rounds: int) -> Iterator[str]:
    """A line for each way to share prompts and each number of placebos."""
    load, enough = CASES[name]
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        model = load(Path(folder))
    made = synthetic_pairs(n_pairs or enough)
    # Only text towers gain where pairs share their prompts.
    dual = model.n_placebos > BORNE_BY_CROSS_ENCODERS
    for sharing in (N_GENERATORS, 1) if dual else (1,):
        pairs = with_prompts(made, sharing)
        chosen = choose_placebos(pairs, "matched", None, {name: model.n_placebos}).n_of[name]
        numbers = sorted({chosen, 8}) if dual else [chosen]
        found: dict[int, list[float]] = {n: [] for n in numbers}
        for _ in range(rounds):
            plain = seconds(pairs, model, "none", None)
            for n in numbers:
                found[n].append(seconds(pairs, model, "matched", n) / plain)
        for n, ratios in found.items():
            ratio = statistics.median(ratios)
            default = n == chosen
            aimed = default and dual
            verdict = ("ok" if ratio <= MOST else "MISSED") if aimed else ""
            yield (
                f"| {name} | {len(pairs)} | {sharing} | {n}{' (default)' if default else ''} "
                f"| {plain / len(pairs):.2f} s | {ratio:.3f} | {verdict} |"
            )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--model", choices=list(CASES), action="append")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print("| model | pairs | share a prompt | placebos | a pair without | with, times | aim 1.05 |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | --- |")
    torch.set_num_threads(1)
    for name in args.model or CASES:
        for line in measure(name, args.pairs, args.rounds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
