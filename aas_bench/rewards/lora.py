"""Low-rank adapters as peft saves them: which base they belong to, and merging them into it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from aas_bench.errors import InputError, MissingExtraError
from aas_bench.files import file_sha256
from aas_bench.rewards.facts import Weights
from aas_bench.rewards.fetch import ADAPTER_CONFIG, USUAL_NAMES, commit_of, read_json
from aas_bench.rewards.spelling import REPOSITORY, exists, local

ADAPTER_WEIGHTS: Final = ("adapter_model.safetensors", "adapter_model.bin")


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A folder with an adapter.

    Attributes:
        folder: Where its files lie.
        base: The folder, or `owner/name`, of the model that it changes.
    """

    folder: Path
    base: Path | str

    @property
    def identity(self) -> dict[str, Any]:
        """What identifies its content, as JSON values."""
        commit = commit_of(self.folder)
        if commit is not None:
            return {"adapter_revision": commit}
        files = (ADAPTER_CONFIG, *ADAPTER_WEIGHTS)
        found = [self.folder / name for name in files if (self.folder / name).is_file()]
        return {"adapter": {path.name: file_sha256(path) for path in found}}


def adapter_in(given: str | Path | None) -> Adapter | None:
    """The adapter that a path means; None where it holds none.

    Args:
        given: A folder, or a file in it.

    Raises:
        InputError: There is an adapter, but its weights or its base are not to be found.
    """
    if given is None:
        return None
    path = Path(given).expanduser()
    folder = path if path.is_dir() else path.parent
    if not (folder / ADAPTER_CONFIG).is_file() or (path.is_file() and path.stem == "model"):
        return None
    if not any((folder / name).is_file() for name in ADAPTER_WEIGHTS):
        msg = f"{folder} has {ADAPTER_CONFIG}, but no {ADAPTER_WEIGHTS[0]}. Copy it there."
        raise InputError(msg)
    if any((folder / name).is_file() for name in USUAL_NAMES):
        return Adapter(folder=folder, base=folder)
    named = read_json(folder / ADAPTER_CONFIG).get("base_model_name_or_path")
    if isinstance(named, str) and exists(named):
        return Adapter(folder=folder, base=local(named))
    if isinstance(named, str) and REPOSITORY.fullmatch(named):
        return Adapter(folder=folder, base=named)
    msg = (
        f"{folder} is a low-rank adapter of {named!r:.200}, which is not here. Copy the files of "
        f"that base model into the folder, or write its path or repository into "
        f"base_model_name_or_path of {ADAPTER_CONFIG}."
    )
    raise InputError(msg)


def based_on(adapter: Adapter, official: Weights | None) -> tuple[Weights | None, Path | None]:
    """Where the base of an adapter is, as `fetch.obtain` takes it.

    Args:
        adapter: What was found.
        official: The row's weights, which are taken at their pinned commit where they are the base.
    """
    if isinstance(adapter.base, Path):
        return official, adapter.base
    if official is not None and official.repo == adapter.base:
        return official, None
    file = official.file if official is not None else USUAL_NAMES[0]
    return Weights(repo=adapter.base, file=file), None


def merge(model: Any, adapter: Adapter) -> Any:
    """`model` with the adapter's changes in its weights; the layers that peft adds are gone.

    Args:
        model: The base, loaded.
        adapter: What to merge into it.

    Raises:
        InputError: The adapter is for other layers, or no weight changed.
        MissingExtraError: peft is not installed.
    """
    try:
        import peft
    except ImportError as error:
        feature = f"{adapter.folder}, a low-rank adapter,"
        raise MissingExtraError(feature, "rewards") from error

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of keys that are lacking: counted below
            config = peft.PeftConfig.from_pretrained(str(adapter.folder))
            config.inference_mode = True
            wrapped = peft.get_peft_model(model, config)
            device = str(next(model.parameters()).device)
            theirs = peft.load_peft_weights(str(adapter.folder), device=device)
            own = peft.get_peft_model_state_dict(wrapped, save_embedding_layers=False)
            result = peft.set_peft_model_state_dict(wrapped, dict(theirs))
            before = {name: _checksum(weight) for name, weight in _changing(wrapped)}
            merged = wrapped.merge_and_unload(safe_merge=True)
    except Exception as error:  # config and tensors are foreign, and peft raises of all kinds
        told = " ".join(str(error).split())
        msg = (
            f"{adapter.folder} does not fit its base {adapter.base} ({told:.200}). "
            f"Name the base that it was trained on in {ADAPTER_CONFIG}."
        )
        raise InputError(msg) from error
    foreign = {*result.unexpected_keys, *(own.keys() - theirs.keys())}
    if foreign:
        msg = (
            f"{adapter.folder} does not fit its base {adapter.base}: {len(foreign)} tensors stand "
            f"in only one of them ({', '.join(sorted(foreign)[:3])}). "
            f"Merge it where it was trained: merge_and_unload(), then save_pretrained(FOLDER)."
        )
        raise InputError(msg)
    if all(_checksum(merged.get_submodule(n).weight) == told for n, told in before.items()):
        msg = (
            f"{adapter.folder} changes nothing: merged into {len(before)} layers of "
            f"{adapter.base}, it left all as they were. Give the adapter of a later step."
        )
        raise InputError(msg)
    return merged.eval().requires_grad_(False)


def _changing(wrapped: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights that the adapter replaces or adds to, by the base's own names."""
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import ModulesToSaveWrapper

    for name, module in wrapped.base_model.model.named_modules():
        if isinstance(module, BaseTunerLayer):
            yield name, module.get_base_layer().weight
        elif isinstance(module, ModulesToSaveWrapper):
            yield name, module.original_module.weight


def _checksum(weight: torch.Tensor) -> tuple[float, float]:
    as_float = weight.detach().double()
    return as_float.sum().item(), as_float.square().sum().item()
