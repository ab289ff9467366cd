"""The table of reward models, and the one door that turns what a user names into a RewardModel.

A reward model is added by one row (here, or in `official.py` where it has published weights) and
one file, where its family is new. Rows name their code and do not import it, so listing them costs
nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from aas_bench.errors import AasBenchError, InputError, UnknownNameError
from aas_bench.files import files_like
from aas_bench.registry import Registry, import_object
from aas_bench.rewards.adapters import CallableReward, ScoreFunction, from_factory
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.facts import RewardRow
from aas_bench.rewards.official import OFFICIAL
from aas_bench.rewards.spelling import (
    REPOSITORY,
    Spelled,
    exists,
    is_local,
    local,
    near_name,
    parse,
)

RewardSpec: TypeAlias = str | Path | RewardModel | ScoreFunction

DTYPES: Final = ("float32", "bfloat16", "float16")
"""The number formats that weights may be loaded in."""

_KINDS: Final = ("cpu", "cuda", "cuda:1", "mps", "xpu")
_DEVICE: Final = re.compile(r"(cpu|cuda|mps|xpu)(:\d+)?")
_MEANT: Final = {"cuda": {"gpu", "nvidia", "rocm"}, "mps": {"metal", "apple"}, "xpu": {"intel"}}
_ANOTHER: Final = "Leave device out for a GPU where there is one, or give cpu (--device cpu)."
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RewardPrefix:
    """A family of reward models whose members are named `name:argument`.

    Attributes:
        name: The part before the colon.
        load: `module:function`, called as
            `function(argument, device=..., dtype=..., weights=...)`; dtype None: its default.
        form: How to write a member, with an example in words.
        extra: The optional dependency set of the package that it needs.
    """

    name: str
    load: str
    form: str
    extra: str | None = None


REWARDS: Registry[RewardRow] = Registry(
    "reward model",
    [
        RewardRow(
            name="polish",
            load="aas_bench.rewards.polish:load",
            summary="No-reference image quality measures; never reads the prompt.",
            family="image-only",
            unit="sum of standardised quality measures",
            scale="norm score",
            difference="standard deviations of its measures over photographs, added up",
            dtype="float64",
            licence="Apache-2.0",
            paper="built in",
            synthetic=True,
        ),
        RewardRow(
            name="effect-match",
            load="aas_bench.rewards.effect_match:load",
            summary="Reads which effects the prompt asks for and measures them in the image.",
            family="dual",
            unit="mean strength of the requested effects",
            scale="none",
            difference="strength of an effect by its own measure; effects are not on one scale",
            dtype="float64",
            licence="Apache-2.0",
            paper="built in",
            synthetic=True,
        ),
        RewardRow(
            name="average-taste",
            load="aas_bench.rewards.average_taste:load",
            summary="Synthetic blend: understands the request, but weighs polish more.",
            family="dual",
            unit="weighted sum of polish and effect-match",
            scale="none",
            difference="that of polish and of effect-match, weighted and added",
            dtype="float64",
            licence="Apache-2.0",
            paper="built in",
            synthetic=True,
        ),
        RewardRow(
            name="random",
            load="aas_bench.rewards.random:load",
            summary="A hash of image and prompt: what chance scores.",
            family="function",
            unit="uniform number",
            scale="none",
            difference="nothing",
            score_range=(0.0, 1.0),
            dtype="float64",
            licence="Apache-2.0",
            paper="built in",
            synthetic=True,
        ),
        *OFFICIAL,
    ],
    hint="List them with: aas-bench list rewards.",
)

SYNTHETIC: Final = frozenset(row.name for row in REWARDS.values() if row.synthetic)
"""The built-in scorers: they test the measurement, and are no finding about reward models."""

PREFIXES: Registry[RewardPrefix] = Registry(
    "reward model prefix",
    [
        RewardPrefix(
            name="open_clip",
            load="aas_bench.rewards.open_clip:load",
            form="open_clip:ARCH/TAG or open_clip:ARCH:PATH, e.g. open_clip:ViT-B-32/openai",
            extra="rewards",
        ),
        RewardPrefix(
            name="hf",
            load="aas_bench.rewards.hf:load",
            form="hf:OWNER/NAME or hf:FOLDER, e.g. hf:google/siglip-base-patch16-224",
            extra="rewards",
        ),
        RewardPrefix(
            name="vlm",
            load="aas_bench.rewards.vlm:load",
            form="vlm:SETTINGS.yaml, a vision-language model with a head, e.g. vlm:./my.yaml",
            extra="rewards",
        ),
        RewardPrefix(
            name="contrastive",
            load="aas_bench.rewards.contrastive:load",
            form="contrastive:SPEC@STRENGTH, e.g. contrastive:hpsv2.1@0.8",
        ),
    ],
    hint="List them with: aas-bench list rewards.",
)


def load_reward(
    spec: RewardSpec,
    *,
    name: str | None = None,
    device: str | None = None,
    dtype: str | None = None,
    weights: str | Path | None = None,
) -> RewardModel:
    """The reward model that `spec` names.

    Args:
        spec: A RewardModel; a callable (list of RGB images, list of prompts) -> scores; or the
            name of one, in the grammar of `docs/reward-models.md`: `NAME`, `NAME:PATH_OR_REPO`,
            `hf:FOLDER_OR_REPO`, `open_clip:ARCH/TAG`, `contrastive:SPEC@STRENGTH`,
            `module:factory`, a path, `http://HOST:PORT/NAME`; each also as `LABEL=SPEC`.
        name: The name to store its scores under, instead of its own or its label.
        device: Where it runs, as torch spells it; None: "cuda" where there is one, else "cpu".
            Without effect on what holds no weights of ours.
        dtype: "float32", "bfloat16" or "float16"; None: the model's official one on a GPU, else
            "float32".
        weights: A local file or folder to load instead of the official weights, under the name
            of the official ones.

    Raises:
        UnknownNameError: No row has this name.
        MissingExtraError: The model needs packages that are not installed.
        InputError: `spec` is of another kind, `weights` is given to what loads none, or there is
            no such `dtype` or `device`.

    Example:
        >>> from PIL import Image
        >>> model = load_reward(lambda images, prompts: [len(p) for p in prompts], name="longest")
        >>> model.name, model.score([Image.new("RGB", (8, 8))], ["a cat"]).tolist()
        ('longest', [5.0])
    """
    if dtype is not None and dtype not in DTYPES:
        msg = f"dtype {dtype!r} is not supported. Use one of {', '.join(DTYPES)}."
        raise InputError(msg)
    check_device_name(device)
    spelled = _spelled(spec)
    model = _resolve(spec if spelled is None else spelled, device, dtype, weights)
    name = name or (spelled.label if spelled else None)
    if name is not None:
        model = copy(model)
        model.name = name
    return model


def check_spelling(spec: str) -> None:
    """Find a misspelt reward model without loading any.

    Raises:
        InputError: `spec` fits nothing; says the nearest right spelling.
    """
    parse(spec, rows=REWARDS, prefixes=PREFIXES)


def _spelled(spec: Any) -> Spelled | None:
    if isinstance(spec, Path):
        return Spelled(text=str(spec), label=None, kind="path", head=str(spec))
    return parse(spec, rows=REWARDS, prefixes=PREFIXES) if isinstance(spec, str) else None


def _resolve(
    spec: Any, device: str | None, dtype: str | None, weights: str | Path | None
) -> RewardModel:
    if isinstance(spec, Spelled):
        if spec.kind == "prefix":
            return _load_prefixed(PREFIXES[spec.head], spec.argument, device, dtype, weights)
        if spec.kind == "row" and not spec.argument:
            return _load_row(REWARDS[spec.head], device, dtype, weights)
        if weights is not None:
            msg = f"{spec.text} loads no other weights. Leave weights out."
            raise InputError(msg)
        if spec.kind == "row":
            return _load_variant(REWARDS[spec.head], spec, device, dtype)
        if spec.kind == "path":
            return _load_path(spec, device, dtype)
        if spec.kind == "served":
            served: RewardModel = import_object("aas_bench.rewards.served:RemoteReward")(spec.head)
            return served
        return _load_factory(spec)
    if weights is not None:
        msg = f"{spec!r} loads no weights of its own. Leave weights out."
        raise InputError(msg)
    if isinstance(spec, RewardModel):
        return spec
    if not callable(spec):
        kind = type(spec).__name__
        msg = f"a {kind} is no reward model. Give a name, a RewardModel or a callable."
        raise InputError(msg)
    return CallableReward(spec)


def _load_row(
    row: RewardRow, device: str | None, dtype: str | None, weights: str | Path | None
) -> RewardModel:
    load: Callable[..., RewardModel] = import_object(row.load, extra=row.extra, feature=row.name)
    if row.weights is not None:
        device = checked_device(device) or default_device()
        dtype = dtype or (row.dtype if device.startswith("cuda") else "float32")
        _tell_slow(row.name, device, dtype)
        return _loaded(load, row, name=row.name, device=device, dtype=dtype, weights=weights)
    if weights is not None:
        msg = f"{row.name} has no weights. Leave weights out."
        raise InputError(msg)
    return load()


def _load_variant(
    row: RewardRow, spec: Spelled, device: str | None, dtype: str | None
) -> RewardModel:
    """A row's code with other weights: a path, or a repository of the Hub."""
    if row.weights is None:
        msg = f"{row.name} has no weights to replace. Write {row.name}."
        raise InputError(msg)
    if is_local(spec.argument):
        if not exists(spec.argument):
            msg = f"there is no file or folder {spec.argument!r:.200}. Check the path."
            raise InputError(msg)
        model = _load_row(row, device, dtype, local(spec.argument))
    else:
        named = REPOSITORY.fullmatch(spec.argument)
        if named is None:
            msg = (
                f"{spec.argument!r:.200} is no path that exists and no repository. Write "
                f"{row.name}:PATH or {row.name}:OWNER/NAME@REVISION."
            )
            raise InputError(msg)
        theirs = replace(row.weights, repo=named[1], revision=named[2], size=None)
        model = _load_row(replace(row, weights=theirs), device, dtype, None)
    model.name = spec.text
    return model


def _load_path(spec: Spelled, device: str | None, dtype: str | None) -> RewardModel:
    """A folder as `hf:` reads it, or a weights file inside such a folder."""
    path = local(spec.head)
    if not path.is_dir() and not (path.parent / "config.json").is_file():
        owners = (n for n, r in REWARDS.items() if r.weights and r.weights.file == path.name)
        owner = next(owners, "pickscore")
        msg = (
            f"{spec.head} does not say which model it is of: no config.json lies beside it. "
            f"Name the model first, e.g. {owner}:{spec.head}."
        )
        raise InputError(msg)
    return _load_prefixed(PREFIXES["hf"], spec.head, device, dtype, path)


def _load_factory(spec: Spelled) -> RewardModel:
    try:
        return from_factory(spec.head)
    except InputError as error:
        module = spec.head.partition(":")[0]
        near = near_name(module, [*REWARDS, *PREFIXES])
        if near is None or not isinstance(error.__cause__, ModuleNotFoundError):
            raise
        msg = f"{error} Or did you mean {near}:{spec.head.partition(':')[2]}?"
        raise InputError(msg) from error


def _load_prefixed(
    prefix: RewardPrefix,
    argument: str,
    device: str | None,
    dtype: str | None,
    weights: str | Path | None,
) -> RewardModel:
    if not argument:
        msg = f"{prefix.name}: needs an argument. Write {prefix.form}."
        raise InputError(msg)
    if prefix.name in ("hf", "vlm") and is_local(argument) and not exists(argument):
        # Before torch is imported, which takes longer than the answer.
        near = files_like(argument) or " Give a folder with all the files of the model."
        msg = f"there is no file or folder {local(argument)!s:.200}.{near}"
        raise InputError(msg)
    load: Callable[..., Any] = import_object(
        prefix.load, extra=prefix.extra, feature=f"{prefix.name}:{argument}"
    )
    if prefix.extra is not None:
        device = checked_device(device) or default_device()
        _tell_slow(f"{prefix.name}:{argument}", device, dtype)
    name = f"{prefix.name}:{argument}"
    return _loaded(load, argument, name=name, device=device, dtype=dtype, weights=weights)


def _loaded(load: Callable[..., RewardModel], what: Any, *, name: str, **how: Any) -> RewardModel:
    """What a loader makes; files are foreign, and the libraries that read them raise of all kinds.

    Raises:
        InputError: It raised something that nobody has put into words.
    """
    try:
        return load(what, **how)
    except AasBenchError:
        raise
    except Exception as error:
        told = " ".join(str(error).split()) or type(error).__name__
        smaller = isinstance(error, MemoryError) or "out of memory" in told.lower()
        mend = "Use another device, or a smaller dtype" if smaller else "Save or download it again"
        msg = f"{name} could not be loaded ({type(error).__name__}: {told:.200}). {mend}."
        raise InputError(msg) from error


def _tell_slow(name: str, device: str, dtype: str | None) -> None:
    if device.startswith("cpu") and dtype in ("bfloat16", "float16"):
        _log.warning("%s: %s on a CPU is slower than float32, and less exact.", name, dtype)


def check_device_name(device: str | None) -> None:
    """Refuse what no device is called, before torch is imported, which takes longer than that.

    Raises:
        UnknownNameError: torch knows no such kind of device; says which one may be meant.
    """
    if device is None or _DEVICE.fullmatch(device):
        return
    meant = [kind for kind, words in _MEANT.items() if device.strip().lower() in words]
    raise UnknownNameError("device", device[:100], _KINDS, hint=_ANOTHER, meant=meant)


def checked_device(device: str | None) -> str | None:
    """The device as it was given.

    Raises:
        InputError: torch does not know it, or this machine does not have it.
    """
    if device is None:
        return None
    check_device_name(device)
    import torch

    asked, here = torch.device(device), _devices()
    if here.get(asked.type, 0) <= (asked.index or 0):
        names = [kind if i == 0 else f"{kind}:{i}" for kind, n in here.items() for i in range(n)]
        msg = f"there is no device {device!r} here, only {', '.join(names)}."
        raise InputError(f"{msg} {_ANOTHER}")
    return device


def _devices() -> dict[str, int]:
    """How many there are of each kind of device on this machine."""
    import torch

    return {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "xpu": torch.xpu.device_count() if torch.xpu.is_available() else 0,
    }


def default_device() -> str:
    """The device to use where none is given: "cuda" where torch sees a GPU, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
