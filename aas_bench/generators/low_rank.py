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
from aas_bench.generators.spec import Adapter

Fingerprint: TypeAlias = dict[str, tuple[float, float]]


def merge_adapters(
    pipe: Any, denoiser: str, adapters: Sequence[Adapter], files: Sequence[Path]
) -> None:
    """Merge adapters into `pipe`'s denoiser, in order.

    Merged in float32 and rounded once to each weight's own precision.

    Args:
        pipe: A loaded pipeline, on the CPU.
        denoiser: Name of its denoising component.
        adapters: What to merge.
        files: Their weights files on this machine; that of peft beside its configuration.

    Raises:
        SpecError: An adapter is not of the format it claims, or changes no weight.
        BackendError: It cannot be read or does not fit.
    """
    for adapter, file in zip(adapters, files, strict=True):
        before = fingerprint(getattr(pipe, denoiser))
        try:
            with _in_float32(pipe, denoiser):
                merge = _merge_peft if adapter.format == "peft" else _merge_lora
                merge(pipe, denoiser, adapter, file)
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


def _merge_peft(pipe: Any, denoiser: str, _: Adapter, file: Path) -> None:
    from peft import PeftModel

    adapted = PeftModel.from_pretrained(getattr(pipe, denoiser), file.parent)
    setattr(pipe, denoiser, adapted.merge_and_unload(safe_merge=True))


def _merge_lora(pipe: Any, _: str, adapter: Adapter, file: Path) -> None:
    if not hasattr(pipe, "load_lora_weights"):
        msg = f"{type(pipe).__name__} reads no adapter of format lora. Use one of format peft."
        raise SpecError(msg)
    pipe.load_lora_weights(file.parent, weight_name=file.name, use_safetensors=True)
    pipe.fuse_lora(lora_scale=adapter.scale, safe_fusing=True)
    pipe.unload_lora_weights()
