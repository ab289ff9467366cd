"""What the scoring engine saves: one run, equal outputs, ratios printed.

Against it stands what official packages do: one call for each (image, prompt) of a pair, with the
same weights, preprocessing and precision. Images of 11 generators share their prompts, as in the
published data. Weights are random, sizes real; images are synthetic and read from PNG bytes.

    python benchmarks/rewards.py                      all models, a few pairs each
    python benchmarks/rewards.py --model vit-b-32 --pairs 110
    python benchmarks/rewards.py --device cuda --dtype bfloat16 --pairs 1100

The arithmetic limit is the ratio of the floating-point operations that the two ways need. The
median of alternating rounds counts. On a machine that others use too, small calls wait for a free
core more than large ones do: take --threads 1 --clock cpu there, which counts the processor time of
all threads, decoding included.
"""

from __future__ import annotations

import argparse
import gc
import io
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from datasets import Dataset
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.blip import ITM_LARGE, BlipMatch
from aas_bench.rewards.clip import OPENAI_PIXELS
from aas_bench.rewards.dual import DualEncoder, OpenClipTowers
from aas_bench.rewards.pixels import ImageTransform
from aas_bench.rewards.tokens import SENTENCE, bert_tokens, open_clip_tokens
from aas_bench.run.score import score
from aas_bench.tables.images import open_image
from aas_bench.tables.schema import pair_features

Cells: TypeAlias = list[tuple[bytes, str]]

N_GENERATORS = 11
TOLERANCE = 1e-4
SUBJECTS = ("a cat", "two cups of coffee", "a rocket at night", "an old temple", "a red motorcycle")
REQUEST = "the picture is blurred, its colours are dull and muddy, and the whole of it is crooked"


@dataclass(frozen=True, kw_only=True)
class Bare:
    """The forward passes alone, on tensors that are ready.

    Attributes:
        image: Takes a batch of pixels.
        prompts: Takes prompts and, from a cross encoder, one image's features for each.
        per_cell: Whether the prompts are read once per (image, prompt) or once per prompt.
    """

    image: Callable[[torch.Tensor], torch.Tensor]
    prompts: Callable[[list[str], torch.Tensor | None], Any]
    per_cell: bool


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model to measure.

    Attributes:
        build: Makes it with random weights on a device, in a dtype.
        at_least: The ratio over single calls that it must reach.
        pairs: Enough of them for a steady figure on two cores.
    """

    build: Callable[[str, torch.dtype], tuple[RewardModel, Bare]]
    at_least: float
    pairs: int


def dual(architecture: str) -> Callable[[str, torch.dtype], tuple[RewardModel, Bare]]:
    """A CLIP of open_clip's architecture."""

    def build(device: str, dtype: torch.dtype) -> tuple[RewardModel, Bare]:
        import open_clip

        config = open_clip.get_model_config(architecture)
        towers = OpenClipTowers(open_clip.CLIP(**config).eval().to(device, dtype))
        tokens = open_clip_tokens()
        model = DualEncoder(
            name=architecture,
            towers=towers,
            tokens=tokens,
            transform=OPENAI_PIXELS,
            unit="cosine",
            device=device,
            identity={},
        )

        def prompts(texts: list[str], _: torch.Tensor | None) -> torch.Tensor:
            return towers.text(*tokens.padded([tokens.cut(text) for text in texts], device))

        return model, Bare(image=towers.image, prompts=prompts, per_cell=False)

    return build


def blip_match(device: str, dtype: torch.dtype) -> tuple[RewardModel, Bare]:
    """BLIP-L image-text matching."""
    from transformers import BlipConfig, BlipForImageTextRetrieval

    words = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        ",",
        *" ".join([*SUBJECTS, REQUEST, SENTENCE]).split(),
    ]
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = Path(folder) / "vocab.txt"
        vocabulary.write_text("\n".join(dict.fromkeys(words)) + "\n")
        tokens = bert_tokens(vocabulary, limit=512)
    network = BlipForImageTextRetrieval(BlipConfig(**ITM_LARGE)).eval().to(device, dtype)
    model = BlipMatch(
        name="blip-l-itm",
        model=network,
        tokens=tokens,
        transform=ImageTransform(size=384, fit="squash"),
        device=device,
        identity={},
    )

    def prompts(texts: list[str], features: torch.Tensor | None) -> torch.Tensor:
        ids, mask = tokens.padded([tokens.cut(text) for text in texts], device)
        read = network.text_encoder(
            input_ids=ids, attention_mask=mask, encoder_hidden_states=features
        )
        return network.itm_head(read.last_hidden_state[:, 0])

    def image(pixels: torch.Tensor) -> torch.Tensor:
        return network.vision_model(pixel_values=pixels).last_hidden_state

    return model, Bare(image=image, prompts=prompts, per_cell=True)


CASES = {
    "vit-b-32": Case(build=dual("ViT-B-32"), at_least=2.0, pairs=44),
    "vit-l-14": Case(build=dual("ViT-L-14-quickgelu"), at_least=2.0, pairs=11),
    "blip-l-itm": Case(build=blip_match, at_least=1.6, pairs=11),
}


def synthetic_pairs(n_pairs: int, *, side: int = 512) -> Dataset:
    """Square images in PNG, smooth with some grain; every prompt drawn by every generator."""
    random = np.random.default_rng(0)

    def png() -> dict[str, Any]:
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = random.integers(-8, 9, smooth.shape)
        file = io.BytesIO()
        Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(file, "PNG")
        return {"bytes": file.getvalue(), "path": None}

    rows = []
    for number in range(n_pairs):
        prompt, generator = divmod(number, N_GENERATORS)
        original = f"{SUBJECTS[prompt % len(SUBJECTS)]}" + " and a cat" * (prompt // len(SUBJECTS))
        rows.append(
            {
                "pair_id": f"{generator}/{prompt:04d}",
                "index": prompt,
                "model": str(generator),
                "image_original": png(),
                "image_distorted": png(),
                "prompt_original": original,
                "prompt_distorted": f"{original}, {REQUEST}",
                "dimensions": [],
                "label": 1,
            }
        )
    rows.sort(key=lambda row: (int(row["model"]), row["index"]))
    return Dataset.from_list(rows, features=pair_features())


def cells_of(pairs: Dataset) -> Cells:
    """The four (image, prompt) of each pair."""
    from datasets import Image as ImageFeature

    for column in ("image_original", "image_distorted"):
        pairs = pairs.cast_column(column, ImageFeature(decode=False))
    return [
        (row[image]["bytes"], row[prompt])
        for row in pairs
        for image in ("image_original", "image_distorted")
        for prompt in ("prompt_original", "prompt_distorted")
    ]


def one_call_each(model: RewardModel, cells: Cells) -> np.ndarray:
    """As the official packages do."""
    return np.concatenate([model.score([open_image(i)], [p]) for i, p in cells])


def batches(items: list[Any], size: int) -> list[list[Any]]:
    """Cut a list."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def forward_alone(
    model: RewardModel,
    bare: Bare,
    cells: Cells,
    device: str,
    dtype: torch.dtype,
) -> Callable[[], None]:
    """All forward passes that the scores need, on pixels prepared beforehand."""
    images = list(dict.fromkeys(image for image, _ in cells))
    prompts = [p for _, p in cells] if bare.per_cell else list(dict.fromkeys(p for _, p in cells))
    ready = [
        torch.stack([model.preprocess(open_image(image)) for image in batch]).to(device, dtype)
        for batch in batches(images, model.batch_size)
    ]

    def run() -> None:
        with torch.inference_mode():
            features = [bare.image(batch) for batch in ready]
            # The cells lie image by image, two prompts each.
            aligned = torch.cat(features).repeat_interleave(2, dim=0) if bare.per_cell else None
            for number, batch in enumerate(batches(prompts, model.batch_size)):
                start = number * model.batch_size
                bare.prompts(
                    batch, None if aligned is None else aligned[start : start + len(batch)]
                )
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    return run


def operations(run: Callable[[], Any]) -> int:
    """Floating-point operations of a call."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        run()
    return counter.get_total_flops()


def arithmetic_limit(
    model: RewardModel,
    bare: Bare,
    cells: Cells,
    device: str,
    dtype: torch.dtype,
) -> float:
    """How many times fewer operations the engine needs than one call per (image, prompt)."""
    pixels = model.preprocess(open_image(cells[0][0]))[None].to(device, dtype)
    with torch.inference_mode():
        features = bare.image(pixels) if bare.per_cell else None
    image = operations(lambda: bare.image(pixels))
    unique = dict.fromkeys(prompt for _, prompt in cells)
    cost = {prompt: operations(lambda p=prompt: bare.prompts([p], features)) for prompt in unique}
    single = sum(image + cost[prompt] for _, prompt in cells)
    read = cells if bare.per_cell else [(b"", prompt) for prompt in unique]
    shared = image * len({i for i, _ in cells}) + sum(cost[prompt] for _, prompt in read)
    return single / shared


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def seconds(run: Callable[[], Any], clock: Callable[[], float]) -> float:
    """What a call takes on a clock."""
    gc.collect()
    started = clock()
    run()
    return clock() - started


def measure(name: str, case: Case, args: argparse.Namespace) -> None:
    """Print the figures of one model."""
    torch.manual_seed(0)
    dtype = getattr(torch, args.dtype)
    model, bare = case.build(args.device, dtype)
    pairs = synthetic_pairs(args.pairs or case.pairs)
    if args.batch_size:
        model.batch_size = args.batch_size
    cells = cells_of(pairs)
    limit = arithmetic_limit(model, bare, cells, args.device, dtype)
    alone = forward_alone(model, bare, cells, args.device, dtype)
    alone()
    one_call_each(model, cells[:1])
    found: dict[str, np.ndarray] = {}

    def engine() -> None:
        table = score(pairs, model, placebos="none", progress=False).cells(model.name)
        order = (table.oiop, table.oidp, table.diop, table.didp)
        found["engine"] = np.stack(order, axis=1).ravel()

    def single() -> None:
        found["single"] = one_call_each(model, cells)

    ways = (engine, single, alone)
    clock = CLOCKS[args.clock]
    rounds = [[seconds(way, clock) for way in ways] for _ in range(args.rounds)]
    difference = np.abs(found["engine"] - found["single"]).max()
    spread = found["single"].std()
    ratio = statistics.median(s / e for e, s, _ in rounds)
    share_of_bare = statistics.median(b / e for e, _, b in rounds)
    speed = len(pairs) / statistics.median(e for e, _, _ in rounds)
    verdict = "ok" if ratio >= case.at_least and difference <= TOLERANCE else "MISSED"
    verdict_bare = "ok" if share_of_bare >= 0.9 else "MISSED"
    print(
        f"{name}: {len(pairs)} pairs, {args.device}, {args.dtype}, batch {model.batch_size}, "
        f"{args.rounds} rounds, {torch.get_num_threads()} threads, {args.clock} clock\n"
        f"  engine                   {speed:8.2f} pairs/s\n"
        f"  over single calls        {ratio:8.2f} x   at least {case.at_least}: {verdict}; "
        f"arithmetic limit {limit:.2f}, {100 * ratio / limit:.0f} % of it\n"
        f"  of the bare forward      {share_of_bare:8.2f}     at least 0.90: {verdict_bare}\n"
        f"  largest difference       {difference:8.1e}     at most {TOLERANCE}; "
        f"scores spread by {spread:.1e}"
    )


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=CASES, action="append", help="default: all")
    parser.add_argument("--pairs", type=int, help="a multiple of 11 shares prompts fully")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of torch on the CPU")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    for name in args.model or CASES:
        measure(name, CASES[name], args)


if __name__ == "__main__":
    main()
