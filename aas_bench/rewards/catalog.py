"""The table of reward models, and the one door that turns what a user names into a RewardModel.

A reward model is added by one row (here, or in `official.py` where it has published weights) and
one file, where its family is new. Rows name their code and do not import it, so listing them costs
nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from aas_bench.errors import InputError
from aas_bench.registry import Registry, import_object
from aas_bench.rewards.adapters import CallableReward, ScoreFunction, from_factory
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.facts import RewardRow
from aas_bench.rewards.official import OFFICIAL

RewardSpec: TypeAlias = str | RewardModel | ScoreFunction

DTYPES: Final = ("float32", "bfloat16", "float16")
"""The number formats that weights may be loaded in."""


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
            score_range=(0.0, 1.0),
            dtype="float64",
            licence="Apache-2.0",
            paper="built in",
            synthetic=True,
        ),
        *OFFICIAL,
    ],
    hint="List them with: aas-bench list rewards. Your own: module:factory.",
)

SYNTHETIC: Final = frozenset(row.name for row in REWARDS.values() if row.synthetic)
"""The built-in scorers: they test the measurement, and are no finding about reward models."""

PREFIXES: Registry[RewardPrefix] = Registry(
    "reward model prefix",
    [
        RewardPrefix(
            name="open_clip",
            load="aas_bench.rewards.open_clip:load",
            form="open_clip:ARCH/TAG, e.g. open_clip:ViT-B-32/openai",
            extra="rewards",
        ),
        RewardPrefix(
            name="hf",
            load="aas_bench.rewards.hf:load",
            form="hf:OWNER/NAME, e.g. hf:google/siglip-base-patch16-224",
            extra="rewards",
        ),
        RewardPrefix(
            name="contrastive",
            load="aas_bench.rewards.contrastive:load",
            form="contrastive:NAME@STRENGTH, e.g. contrastive:hpsv2.1@0.8",
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
        spec: A RewardModel; a callable (list of RGB images, list of prompts) -> scores; a name in
            `REWARDS`; `prefix:argument` with a prefix in `PREFIXES`; or `module:factory`, whose
            factory takes no arguments and returns a RewardModel or such a callable.
        name: The name to store its scores under, instead of its own.
        device: Where it runs, as torch spells it; None: "cuda" where there is one, else "cpu".
            Without effect on what holds no weights of ours.
        dtype: "float32", "bfloat16" or "float16"; None: the model's official one on a GPU, else
            "float32".
        weights: A local file or folder to load instead of the official weights.

    Raises:
        UnknownNameError: No row has this name.
        MissingExtraError: The model needs packages that are not installed.
        InputError: `spec` is of another kind, `weights` is given to what loads none, or
            `dtype` is none.

    Example:
        >>> from PIL import Image
        >>> model = load_reward(lambda images, prompts: [len(p) for p in prompts], name="longest")
        >>> model.name, model.score([Image.new("RGB", (8, 8))], ["a cat"]).tolist()
        ('longest', [5.0])
    """
    if dtype is not None and dtype not in DTYPES:
        msg = f"dtype {dtype!r} is not supported. Use one of {', '.join(DTYPES)}."
        raise InputError(msg)
    model = _resolve(spec, device, dtype, weights)
    if name is not None:
        model = copy(model)
        model.name = name
    return model


def _resolve(
    spec: Any, device: str | None, dtype: str | None, weights: str | Path | None
) -> RewardModel:
    if isinstance(spec, str):
        prefix, colon, argument = spec.partition(":")
        if colon and prefix in PREFIXES:
            return _load_prefixed(PREFIXES[prefix], argument, device, dtype, weights)
        if not colon:
            return _load_row(REWARDS[spec], device, dtype, weights)
    if weights is not None:
        msg = f"{spec!r} loads no weights of its own. Leave weights out."
        raise InputError(msg)
    if isinstance(spec, str):
        return from_factory(spec)
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
        device = device or default_device()
        dtype = dtype or (row.dtype if device.startswith("cuda") else "float32")
        return load(row, device=device, dtype=dtype, weights=weights)
    if weights is not None:
        msg = f"{row.name} has no weights. Leave weights out."
        raise InputError(msg)
    return load()


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
    load: Callable[..., Any] = import_object(
        prefix.load, extra=prefix.extra, feature=f"{prefix.name}:{argument}"
    )
    model: RewardModel = load(argument, device=device, dtype=dtype, weights=weights)
    return model


def default_device() -> str:
    """The device to use where none is given: "cuda" where torch sees a GPU, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
