"""Low-rank weights merged into the denoiser, with proof that they changed it.

diffusers loads an adapter in peft's own format without complaint and without effect, so such
adapters go through peft. Whatever the way, an adapter that leaves every weight as it was is an
error: the row would show the base model under another name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import torch

from aas_bench.errors import BackendError, SpecError
from aas_bench.generators.rules import is_local
from aas_bench.generators.spec import Adapter

Fingerprint: TypeAlias = dict[str, tuple[float, float]]


def merge_adapters(pipe: Any, denoiser: str, adapters: Sequence[Adapter]) -> None:
    """Merge adapters into `pipe`'s denoiser, in order.

    Merged in float32 and rounded once to each weight's own precision.

    Args:
        pipe: A loaded pipeline, on the CPU.
        denoiser: Name of its denoising component.
        adapters: What to merge.

    Raises:
        SpecError: An adapter is not of the format it claims, or changes no weight.
        BackendError: It cannot be read or does not fit.
    """
    for adapter in adapters:
        before = fingerprint(getattr(pipe, denoiser))
        try:
            with _in_float32(pipe, denoiser):
                merge = _merge_peft if adapter.format == "peft" else _merge_lora
                merge(pipe, denoiser, adapter)
        except SpecError:
            raise
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            msg = f"adapter {adapter.repo} cannot be merged: {error}"
            raise BackendError(msg) from error
        if fingerprint(getattr(pipe, denoiser)) == before:
            other = "lora" if adapter.format == "peft" else "peft"
            msg = (
                f"adapter {adapter.repo}: merging it changed no weight of the {denoiser}. "
                f"Check that it is trained, fits this base and is not of format {other}."
            )
            raise SpecError(msg)


def fingerprint(module: torch.nn.Module) -> Fingerprint:
    """Sum and absolute sum of each weight, in float64, by name."""
    return {
        name: (weight.sum(dtype=torch.float64).item(), weight.double().abs().sum().item())
        for name, weight in module.state_dict().items()
    }


@contextmanager
def _in_float32(pipe: Any, denoiser: str) -> Iterator[None]:
    module = getattr(pipe, denoiser)
    dtypes = {name: weight.dtype for name, weight in module.named_parameters()}
    for weight in module.parameters():
        weight.data = weight.data.float()
    yield
    for name, weight in getattr(pipe, denoiser).named_parameters():
        weight.data = weight.data.to(dtypes[name])


def _merge_peft(pipe: Any, denoiser: str, adapter: Adapter) -> None:
    from peft import PeftModel

    folder = _fetch(adapter, ["adapter_config.json", "adapter_model.safetensors"])
    for needed in ("adapter_config.json", "adapter_model.safetensors"):
        if not (folder / needed).is_file():
            msg = f"adapter {adapter.repo} has no {needed}. Is it of format lora?"
            raise SpecError(msg)
    adapted = PeftModel.from_pretrained(getattr(pipe, denoiser), folder)
    setattr(pipe, denoiser, adapted.merge_and_unload(safe_merge=True))


def _merge_lora(pipe: Any, denoiser: str, adapter: Adapter) -> None:
    assert adapter.file is not None  # the rules of a submission say so
    folder = _fetch(adapter, [adapter.file])
    pipe.load_lora_weights(folder, weight_name=adapter.file, use_safetensors=True)
    pipe.fuse_lora(lora_scale=adapter.scale, safe_fusing=True)
    pipe.unload_lora_weights()


def _fetch(adapter: Adapter, patterns: list[str]) -> Path:
    if is_local(adapter.repo):
        return Path(adapter.repo)
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(adapter.repo, revision=adapter.revision, allow_patterns=patterns))
