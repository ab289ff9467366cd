"""How much memory loading a reward model takes at its peak, over what its weights take.

    python benchmarks/loading.py            the real sizes; 4 GB in the folder for temporary files
    python benchmarks/loading.py --tiny     small ones: tries the program

Random weights are written as the makers publish theirs and loaded in a process of its own, through
the row of the catalogue. The peak of its resident memory is counted from after the imports.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from aas_bench.registry import import_object
from aas_bench.rewards.catalog import REWARDS

SHARE, MISSED = 1.15, 1
LAYERS = {"num_hidden_layers": 1}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A reward model to load.

    Attributes:
        row: Its name in the catalogue.
        stored: Number format of the file.
        used: Number format that it is loaded in.
        cut: Settings of its architecture that differ from the real ones.
        tiny: As `cut`, to try the program.
    """

    row: str
    stored: torch.dtype
    used: str
    cut: Mapping[str, Any]
    tiny: Mapping[str, Any]


TINY_CLIP = {"text_config": LAYERS, "vision_config": LAYERS}
TINY_OPEN_CLIP = {"vision_cfg": {"layers": 1}, "text_cfg": {"layers": 1}}
# 1.2 G parameters, of which 0.54 G are the token embedding
CUT_HPSV3 = {"text_config": {"num_hidden_layers": 2}, "vision_config": {"depth": 8}}
TINY_HPSV3 = {
    "text_config": {"num_hidden_layers": 1, "vocab_size": 1000},
    "vision_config": {"depth": 1},
}
CASES = (
    Case(row="clip-l", stored=torch.float32, used="float32", cut={}, tiny=TINY_CLIP),
    Case(row="hpsv2.1", stored=torch.float16, used="float32", cut={}, tiny=TINY_OPEN_CLIP),
    Case(row="hpsv3", stored=torch.bfloat16, used="bfloat16", cut=CUT_HPSV3, tiny=TINY_HPSV3),
    Case(row="hpsv3", stored=torch.bfloat16, used="float32", cut=CUT_HPSV3, tiny=TINY_HPSV3),
)


def architecture(case: Case, *, tiny: bool) -> dict[str, Any]:
    """The sizes that the row's loader is given."""
    module, _, function = REWARDS[case.row].load.partition(":")
    whole = import_object(f"{module}:{function}").__kwdefaults__["architecture"]
    changed = case.tiny if tiny else case.cut
    return {
        key: {**value, **changed.get(key, {})} if isinstance(value, dict) else value
        for key, value in whole.items()
    }


def skeleton(case: Case, sizes: Mapping[str, Any]) -> Iterable[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the tensors in the file."""
    from open_clip import CLIP
    from transformers import CLIPConfig, CLIPModel

    from aas_bench.rewards.hpsv3 import HpsV3Model
    from aas_bench.rewards.weights import unfilled

    build = {
        "clip-l": lambda: CLIPModel(CLIPConfig(**sizes)),
        "hpsv2.1": lambda: CLIP(**sizes),
        "hpsv3": lambda: HpsV3Model(sizes),
    }
    with unfilled():
        state = build[case.row]().state_dict()
    for name, tensor in state.items():
        yield name.replace("language_model.", "model."), tuple(tensor.shape)


def write(case: Case, folder: Path, *, tiny: bool) -> None:
    """Random weights under the official name, and the tokenizer that lies beside them."""
    torch.manual_seed(0)
    named = skeleton(case, architecture(case, tiny=tiny))
    state = {name: torch.rand(shape, dtype=case.stored) for name, shape in named}
    weights = REWARDS[case.row].weights
    assert weights is not None
    if weights.file.endswith(".safetensors"):
        save_file(state, folder / weights.file)
    else:
        torch.save({"state_dict": state}, folder / weights.file)
    if case.row == "hpsv3":
        from tokenizers import Tokenizer, models

        Tokenizer(models.BPE(vocab={"a": 0}, merges=[])).save(str(folder / "tokenizer.json"))


def resident(what: str) -> int:
    """Bytes of this process, as the kernel counts them: "VmRSS" now, "VmHWM" at most so far."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * int(status.partition(f"{what}:")[2].split()[0])


def load(case: Case, folder: Path, *, tiny: bool) -> dict[str, int]:
    """Load the model in this process; bytes of weights, largest tensor and peak."""
    row = REWARDS[case.row]
    sizes = architecture(case, tiny=tiny)
    loader = import_object(row.load)
    for _ in skeleton(case, sizes):  # imports what transformers imports late
        pass
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    before = resident("VmRSS")
    model = loader(row, device="cpu", dtype=case.used, weights=folder, architecture=sizes)
    peak = resident("VmHWM")
    network = vars(model).get("_model") or vars(model)["_towers"].model
    tensors = list(network.state_dict().values())
    assert all(not tensor.is_meta for tensor in tensors)
    return {
        "parameters": sum(tensor.numel() for tensor in tensors),
        "weights": sum(tensor.nbytes for tensor in tensors),
        "largest": max(tensor.nbytes for tensor in tensors),
        "peak": peak - before,
    }


def measured(number: int, *, tiny: bool) -> dict[str, int]:
    """`load` in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="loading-") as made:
        write(CASES[number], Path(made), tiny=tiny)
        command = [sys.executable, __file__, "--load", str(number), made]
        done = subprocess.run(
            [*command, *(["--tiny"] if tiny else [])], check=True, capture_output=True, text=True
        )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Print the table; 1 if a model missed the aim."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="small models: tries the program")
    parser.add_argument("--load", nargs=2, metavar=("CASE", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.load:
        number, folder = args.load
        print(json.dumps(load(CASES[int(number)], Path(folder), tiny=args.tiny)))
        return 0
    libraries = ("torch", "transformers", "open_clip_torch", "safetensors")
    print(", ".join(f"{name} {version(name)}" for name in libraries))
    print("| model | parameters | file | in memory | weights | largest tensor | peak | allowed |")
    print("| --- | ---: | --- | --- | ---: | ---: | ---: | ---: |")
    missed = False
    for number, case in enumerate(CASES):
        found = measured(number, tiny=args.tiny)
        allowed = SHARE * found["weights"] + found["largest"]
        missed = missed or found["peak"] > allowed
        sizes = [found["weights"], found["largest"], found["peak"], allowed]
        cells = [f"{size / 1e9:.2f} GB" for size in sizes]
        stored = str(case.stored).removeprefix("torch.")
        told = [case.row, f"{found['parameters'] / 1e9:.3f} G", stored, case.used, *cells]
        print(f"| {' | '.join(told)} |", flush=True)
    return MISSED if missed and not args.tiny else 0


if __name__ == "__main__":
    sys.exit(main())
