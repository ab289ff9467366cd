"""What is wrong with a folder of weights, seen from its names alone: nothing in it is loaded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from aas_bench.files import json_value
from aas_bench.generators.spec import Submission

INDEX: Final = "model_index.json"
_PEFT: Final = "adapter_config.json"
_VARIANT: Final = re.compile(r"\.(fp16|bf16)[.-]")
_PICKLED: Final = (".bin", ".pt", ".pth", ".ckpt")
_MOST: Final = 3


def why_no_index(folder: Path, pipeline: str) -> str | None:
    """What a path is that holds no pipeline, and what to give instead; None where it holds one."""
    if (folder / INDEX).is_file():
        return None
    if folder.is_file():
        return (
            f"{folder} is one file. Make a folder of it: "
            f'{pipeline}.from_single_file("{folder.name}").save_pretrained("FOLDER").'
        )
    if not folder.is_dir():
        return f"{folder} does not exist. Give the folder that save_pretrained wrote."
    commits = sorted(each.name for each in folder.glob("snapshots/*") if each.is_dir())
    if commits:
        return (
            f"{folder} is the Hub's cache of a repository. Give {folder}/snapshots/{commits[-1]}."
        )
    if (folder / INDEX).is_symlink():
        return f"{folder / INDEX} is a link to a file that is gone. Download the repository again."
    weights = sorted(each.name for each in folder.glob("*.safetensors"))
    if (folder / _PEFT).is_file() or any("lora" in name.lower() for name in weights):
        kind = "peft" if (folder / _PEFT).is_file() else "lora"
        return (
            f"{folder} holds low-rank weights only. Name the base model under repo, and this "
            f"folder under adapters with format {kind}."
        )
    if (folder / f"modular_{INDEX}").is_file():
        return f"{folder} is a modular pipeline, whose blocks are code. Give a plain one."
    if (folder / "config.json").is_file():
        return f"{folder} is one component. Give the folder of the whole pipeline."
    if weights:
        return (
            f"{folder} holds the single file {weights[0]}. Make a folder of it: "
            f'{pipeline}.from_single_file("{weights[0]}").save_pretrained("FOLDER").'
        )
    return f"{folder} holds no {INDEX}. Give the folder that save_pretrained wrote."


def part_faults(submission: Submission, folder: Path, index: dict[str, Any]) -> Iterator[str]:
    """Components whose files are not there, not whole, pickled, or of another precision."""
    variant, found = submission.weights_variant, False
    for name, entry in index.items():
        if not isinstance(entry, list) or not entry or entry[0] is None:
            continue
        if name == "transformer" and submission.transformer is not None:
            continue
        part = folder / name
        if not part.is_dir():
            yield f"{INDEX} names {name}, and there is no folder {name}"
        elif (part / "config.json").is_file():
            found = found or bool(_weights(part, variant))
            yield from (f"{name} {fault}" for fault in _weights_faults(part, variant))
    if variant is not None and not found:
        yield f"weights_variant is {variant}, and no component holds such files; leave it out"


def _weights(part: Path, variant: str | None) -> list[Path]:
    """The safetensors files of one precision, whether they are there or dangling links."""
    files = sorted(part.glob("*.safetensors"))
    kinds = [(match := _VARIANT.search(file.name)) and match[1] for file in files]
    return [file for file, kind in zip(files, kinds, strict=True) if kind == variant]


def _weights_faults(part: Path, variant: str | None) -> Iterator[str]:
    files = _weights(part, variant) or _weights(part, None)
    if not files:
        others = [kind for kind in ("fp16", "bf16") if _weights(part, kind)]
        pickled = sorted(each.name for each in part.glob("*") if each.suffix in _PICKLED)
        if others:
            yield f"holds {others[0]} files only; set weights_variant: {others[0]}"
        elif pickled:
            yield f"holds pickled weights only ({pickled[0]}), which are never opened; save it anew"
        else:
            yield "holds no weights; copy or download it again"
        return
    gone = [file.name for file in files if not file.is_file()]
    gone += [name for name in _named_parts(part) if not (part / name).is_file()]
    if gone:
        shown = ", ".join(sorted(set(gone))[:_MOST])
        yield f"lacks {len(set(gone))} of its files ({shown}); copy or download it again"


def _named_parts(part: Path) -> Iterator[str]:
    """The files that the indices of sharded weights name."""
    for file in part.glob("*.safetensors.index*.json"):
        try:
            named = json_value(file.read_text(encoding="utf-8")).get("weight_map")
        except (OSError, ValueError, AttributeError):
            named = None
        if not isinstance(named, dict):
            yield file.name
        else:
            yield from (Path(str(each)).name for each in set(named.values()))
