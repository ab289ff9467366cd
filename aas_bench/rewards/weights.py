"""Weights files: read without running code, checked name by name, put into a model.

A pickle is opened only with `torch.load(weights_only=True)`; a file that needs more is refused.
Memory holds each tensor once, in the number format it is used in: modules are built without room
for their weights, and a file's tensors are read one at a time, when their place is known.
"""

from __future__ import annotations

import pickle
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, TypeAlias, TypeVar

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.overrides import TorchFunctionMode

from aas_bench.errors import InputError
from aas_bench.rewards.fetch import parts_of, read_json

Tensors: TypeAlias = dict[str, torch.Tensor]
Module = TypeVar("Module", bound=torch.nn.Module)

KINDS: Final = {
    "missing_keys": "missing",
    "unexpected_keys": "unexpected",
    "mismatched_keys": "of another shape",
}
"""What transformers calls the ways in which tensors do not fit."""

DEPTHS: Final = ("num_hidden_layers", "num_layers", "depth")
MOST_LAYERS: Final = 1000

MOST_MAPPED: Final = 2**26
"""Bytes that are read from a mapped file before it is opened anew."""

WRAPPING_KEYS = ("state_dict", "module", "model")
WRAPPING_PREFIXES = ("module.", "_orig_mod.", "model.")
"""What DistributedDataParallel, torch.compile and a LightningModule put before each name."""


class Source(Protocol):
    """What tensors are copied out of, one at a time."""

    def copy(self, name: str, device: str, dtype: torch.dtype | None) -> torch.Tensor:
        """One tensor; floating-point ones in `dtype`, if it is given."""


class _MappedFile:
    """A file whose tensors are copied out one at a time.

    The pages of a mapped file that were read count as this process's memory for as long as the
    file is open, so it is opened anew every MOST_MAPPED bytes.
    """

    def __init__(self, path: Path, inert: Sequence[str]) -> None:
        self._path, self._inert = path, inert
        self._opened: Tensors = _opened(path, inert)
        self._read = 0

    def tensors(self) -> StateDict:
        """What the file holds, by name."""
        return {
            name: Stored(file=self, name=name, shape=tuple(tensor.shape))
            for name, tensor in self._opened.items()
        }

    def copy(self, name: str, device: str, dtype: torch.dtype | None) -> torch.Tensor:
        """One tensor; floating-point ones in `dtype`, if it is given."""
        if self._read > MOST_MAPPED:
            self._opened = {}
            self._opened, self._read = _opened(self._path, self._inert), 0
        tensor = self._opened[name]
        self._read += tensor.nbytes
        return _placed(tensor, device, dtype, copy=True)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A tensor that is still in its file.

    Attributes:
        file: Where it is.
        name: What it is called there.
        shape: Its sizes.
    """

    file: Source
    name: str
    shape: tuple[int, ...]

    def tensor(self, device: str = "cpu", dtype: torch.dtype | None = None) -> torch.Tensor:
        """A copy in memory; floating-point ones in `dtype`, if it is given."""
        return self.file.copy(self.name, device, dtype)


StateDict: TypeAlias = dict[str, "torch.Tensor | Stored"]


def read(path: Path, *, inert: Sequence[str] = ()) -> StateDict:
    """The tensors of a safetensors or PyTorch file by name; what wraps them all is taken off.

    Args:
        path: The file, or the index of one that was saved in parts.
        inert: Packages whose objects may stand beside the tensors; they are not made.

    Raises:
        InputError: The file is damaged, holds more than tensors, or would run code.
    """
    whole, *parts = parts_of(path)
    state: StateDict = {}
    for file in parts or [whole]:
        mapped = file.suffix == ".safetensors" or zipfile.is_zipfile(file)
        state |= _MappedFile(file, inert).tensors() if mapped else _opened(file, inert)
    return _unwrapped(state)


def in_memory(state: StateDict) -> Tensors:
    """The same tensors, read now."""
    return {name: t.tensor() if isinstance(t, Stored) else t for name, t in state.items()}


def _placed(
    tensor: torch.Tensor, device: str, dtype: torch.dtype | None, *, copy: bool = False
) -> torch.Tensor:
    target = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    placed: torch.Tensor = tensor.to(device, target, copy=copy)
    return placed


def _opened(path: Path, inert: Sequence[str]) -> Tensors:
    if path.suffix != ".safetensors":
        return tensors_only(unpickled(path, inert=inert), path)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: Tensors = load_file(path)
    except SafetensorError as error:
        msg = f"{path} cannot be read as safetensors ({error}). Download it again."
        raise InputError(msg) from error
    return state


def read_module(path: Path, *, packages: Sequence[str]) -> StateDict:
    """The tensors of a PyTorch file that holds a whole pickled module, without its classes.

    Every class of `packages` that the pickle names is replaced by an inert stand-in, so neither
    the code of the module nor that of the file runs; then the parameters and buffers are collected
    from the tree of stand-ins.

    Args:
        path: The file.
        packages: Top-level packages whose classes may be named, e.g. ("trainer", "torch").

    Raises:
        InputError: The pickle names anything outside `packages`, or is damaged.
    """
    loaded = unpickled(path, inert=packages)
    if isinstance(loaded, Mapping):
        return _unwrapped(tensors_only(loaded, path))
    return dict(_collected(loaded, ""))


class _StandIn:
    """Takes the place of a class; keeps what it was given and does nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.given = args

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, Mapping):
            vars(self).update(state)


def _collected(module: Any, prefix: str) -> Iterator[tuple[str, torch.Tensor]]:
    inside = vars(module) if isinstance(module, _StandIn) else {}
    for kind in ("_parameters", "_buffers"):
        for name, tensor in inside.get(kind, {}).items():
            if tensor is not None and name not in inside.get("_non_persistent_buffers_set", ()):
                yield prefix + name, tensor.detach()
    for name, child in inside.get("_modules", {}).items():
        yield from _collected(child, f"{prefix}{name}.")


def unpickled(path: Path, *, inert: Sequence[str] = (), file: BinaryIO | None = None) -> Any:
    """What a PyTorch file holds, read without running code of its own.

    Args:
        path: The file.
        inert: Packages whose classes and functions may be named; stand-ins take their places.
        file: What is read, where the file lies within another; `path` is then for messages only.

    Raises:
        InputError: The pickle names anything else that is no tensor, or is damaged.
    """
    named = _named_in(path, file) if inert else []
    foreign = [name for name in named if name.partition(".")[0] not in inert]
    if foreign:
        raise _refusal(path, ", ".join(foreign[:3]))
    try:
        with torch.serialization.safe_globals([(_StandIn, name) for name in named]):
            if file is not None:
                file.seek(0)
                return torch.load(file, map_location="cpu", weights_only=True)
            mapped = zipfile.is_zipfile(path)
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        raise _refusal(path, found[1] if found else "more than tensors") from error
    except (RuntimeError, EOFError, ValueError) as error:
        msg = f"{path} is damaged or no PyTorch file ({error!s:.120}). Download it again."
        raise InputError(msg) from error


def _refusal(path: Path, what: str) -> InputError:
    return InputError(
        f"{path} was not opened: besides tensors it holds {what}, and unpickling that could run "
        f"code. Give a safetensors file, or a PyTorch file of tensors only."
    )


def _named_in(path: Path, file: BinaryIO | None) -> list[str]:
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(file or str(path)))
    except (RuntimeError, ValueError, pickle.UnpicklingError) as error:
        msg = f"{path} is damaged or no PyTorch file ({error!s:.120}). Download it again."
        raise InputError(msg) from error


def tensors_only(loaded: Any, path: Path) -> Tensors:
    """The named tensors of what was unpickled, under the usual key or at its top.

    Raises:
        InputError: It holds something else.
    """
    for key in WRAPPING_KEYS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not loaded:
        msg = f"{path} holds a {type(loaded).__name__}, not named tensors. Give a state dict."
        raise InputError(msg)
    others = [str(name) for name, value in loaded.items() if not isinstance(value, torch.Tensor)]
    if others:
        msg = (
            f"{path} holds {len(others)} entries that are no tensors ({', '.join(others[:3])}). "
            f"Give a plain state dict."
        )
        raise InputError(msg)
    return dict(loaded)


def _unwrapped(state: StateDict) -> StateDict:
    """Without the prefixes that all names share because something was wrapped around the model."""
    for prefix in WRAPPING_PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return _unwrapped({name.removeprefix(prefix): t for name, t in state.items()})
    return state


def fill(
    module: Module,
    state: StateDict,
    *,
    origin: Path,
    device: str,
    dtype: torch.dtype,
    keep: Sequence[str] = (),
    ignore: Sequence[str] = (),
) -> Module:
    """Put `state` into `module`, check that nothing is left over or lacking, and make it ready.

    Args:
        module: Built inside `unfilled()`; its values are replaced.
        state: Tensors by the module's own names; emptied on the way, so that memory holds each
            tensor once.
        origin: The file they came from, for the message.
        device: Where the module is to run.
        dtype: Of its floating-point tensors.
        keep: Patterns (`re.fullmatch`) of names whose tensors stay in float32.
        ignore: Patterns (`re.fullmatch`) of names in `state` that are left out.

    Returns:
        The module, in evaluation mode, without gradients.

    Raises:
        InputError: Names or shapes differ; says how many and which.
    """
    for name in [n for n in state if any(re.fullmatch(pattern, n) for pattern in ignore)]:
        del state[name]
    _check(module, state, origin)
    placed: Tensors = {}
    for name in list(state):
        tensor = state.pop(name)
        target = torch.float32 if any(re.fullmatch(pattern, name) for pattern in keep) else dtype
        placed[name] = (
            tensor.tensor(device, target)
            if isinstance(tensor, Stored)
            else _placed(tensor, device, target)
        )
        del tensor
    module.load_state_dict(placed, strict=True, assign=True)
    ready: Module = module.to(device).eval().requires_grad_(False)
    return ready


def refuse_endless(config: Mapping[str, Any], folder: Path) -> None:
    """A number of layers that no model has, which would be built one by one for hours.

    Raises:
        InputError: There is one.
    """
    parts = [config, *(part for part in config.values() if isinstance(part, Mapping))]
    for name, value in ((name, part.get(name)) for part in parts for name in DEPTHS):
        if isinstance(value, int) and value > MOST_LAYERS:
            msg = f"{folder / 'config.json'} says {name} {value:,}, more than any model has."
            raise InputError(f"{msg} Save or download it again.")


def by_library(
    kind: Any, source: Path | None, *, origin: Path, extra: str | None = None, **settings: Any
) -> Any:
    """A model that transformers fills, in evaluation mode; nothing may be left over or lacking.

    Args:
        kind: The class whose `from_pretrained` is called.
        source: A folder, or None where `settings` bring config and tensors.
        origin: Where the tensors came from, for the message.
        extra: What the names of tensors start with that are for another part; None: there are none.
        settings: Passed on.

    Raises:
        InputError: Names or shapes differ, or transformers cannot read the files.
    """
    if source is not None and (source / "config.json").is_file():
        refuse_endless(read_json(source / "config.json"), source)
    try:
        model, told = kind.from_pretrained(source, output_loading_info=True, **settings)
    except Exception as error:  # the files are foreign, and transformers raises of all kinds
        reason = " ".join(str(error).split())
        told = f"{type(error).__name__}: {reason:.200}"
        msg = f"{origin} cannot be loaded as {kind.__name__} ({told}). Give all its files."
        raise InputError(msg) from error
    faults = {fault: sorted(map(str, names)) for fault, names in told.items() if names}
    if extra is not None:
        others = [n for n in faults.pop("unexpected_keys", []) if not n.startswith(extra)]
        faults |= {"unexpected_keys": others}
    _refuse(faults, origin)
    return model.eval().requires_grad_(False)


def _check(module: torch.nn.Module, state: StateDict, origin: Path) -> None:
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    faults = {
        "missing": [name for name in wanted if name not in state],
        "unexpected": [name for name in state if name not in wanted],
        "of another shape": [
            f"{name} is {tuple(state[name].shape)} for {shape}"
            for name, shape in wanted.items()
            if name in state and tuple(state[name].shape) != shape
        ],
    }
    _refuse(faults, origin)


def _refuse(faults: Mapping[str, Sequence[str]], origin: Path) -> None:
    if any(faults.values()):
        told = "; ".join(
            f"{len(names)} {KINDS.get(kind, kind)} "
            f"({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"
            for kind, names in faults.items()
            if names
        )
        msg = f"{origin} does not fit the model: {told}. Give the model's own weights."
        raise InputError(msg)


def renamed(state: StateDict, rules: Mapping[str, str]) -> StateDict:
    """The same tensors, each name rewritten by the first rule that matches it from the start.

    Args:
        state: Emptied on the way; tensors are moved, not copied.
        rules: `re` pattern to replacement.
    """
    result: StateDict = {}
    for name in list(state):
        rule = next((p for p in rules if re.match(p, name)), None)
        new = re.sub(rule, rules[rule], name, count=1) if rule else name
        result[new] = state.pop(name)
    return result


# transformers puts functions of its own in the place of those of torch.nn.init while it builds.
_INITIALISERS: Final = ("torch.nn.init", "transformers.initialization")


class _KeepUnfilled(TorchFunctionMode):  # type: ignore[misc]  # torch is untyped to mypy here
    """Turns the filling functions of torch.nn.init into no-ops, where they tell of their calls."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if getattr(func, "__module__", None) in _INITIALISERS:
            return (kwargs or {}).get("tensor", args[0] if args else None)
        if func is torch.Tensor.to and args[0].is_meta:
            return args[0]  # builders that move what they built move nothing
        return func(*args, **(kwargs or {}))


@contextmanager
def unfilled() -> Iterator[None]:
    """Inside, modules are built without values or room for their parameters: `fill` brings both.

    Buffers are made as ever, since not all of them are stored.
    """
    here = threading.get_ident()

    def without_room(
        module: torch.nn.Module, name: str, parameter: torch.nn.Parameter
    ) -> torch.nn.Parameter | None:
        if threading.get_ident() != here or parameter.is_meta:
            return None  # as it is
        return torch.nn.Parameter(parameter.to("meta"), requires_grad=False)

    hook = register_module_parameter_registration_hook(without_room)
    try:
        with _KeepUnfilled():
            yield
    finally:
        hook.remove()


def torch_dtype(name: str) -> torch.dtype:
    """The torch dtype called "float32", "float16" or "bfloat16".

    Raises:
        InputError: Another name.
    """
    known = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if name not in known:
        msg = f"dtype {name!r} is not supported. Use one of {', '.join(known)}."
        raise InputError(msg)
    return known[name]
