"""`vlm:SETTINGS.yaml`: a vision-language model with a head of linear layers, in a few lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import torch
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText

from aas_bench.errors import InputError
from aas_bench.files import file_sha256
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.catalog import default_device
from aas_bench.rewards.chat import ChatReward, processor_of, rendered
from aas_bench.rewards.facts import Weights
from aas_bench.rewards.fetch import USUAL_NAMES, Obtained, obtain, obtain_folder, weights_in
from aas_bench.rewards.lora import adapter_in, merge
from aas_bench.rewards.spelling import REPOSITORY, is_local, local
from aas_bench.rewards.weights import (
    StateDict,
    by_library,
    in_memory,
    read,
    torch_dtype,
)

IMAGE, PROMPT = "{image}", "{prompt}"
LARGEST: Final = 2**16
FILES = ("*.json", "*.txt", "*.jinja", "*.model", "model.safetensors", "model-*-of-*.safetensors")
ACTIVATIONS: Final[dict[str, Callable[[], nn.Module]]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "none": nn.Identity,
}
Name = Annotated[str, Field(min_length=1)]


class Settings(BaseModel):
    """What a settings file says; paths are seen from its folder.

    Attributes:
        base: Folder or repository of the vision-language model, with processor and tokenizer.
        weights: File or folder whose tensors take the place of the base's; the head may be in it.
        adapter: Folder of a low-rank adapter that is merged into the model.
        head: File or folder with the head's tensors; None: they are in `weights`, or in the base.
        head_prefix: What stands before the names of the head's tensors.
        activation: Between the head's layers.
        output: Which of the head's outputs is the score.
        template: What is asked; `{image}` and `{prompt}` mark the places, in this order.
        chat: Whether the template is a user's turn, put into the model's own chat format; else it
            is the whole text.
        read: "last" token, or the name of a token behind the prompt.
        tokens: Special tokens that were added to the base's tokenizer, in this order.
        positions: "own" rotary positions of the model, or "plain" 0, 1, 2, ...
        pixels: Least and greatest area of an image, for processors that keep proportions.
        dtype: Of the model on a GPU; the head stays in float32.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Name
    weights: Name | None = None
    adapter: Name | None = None
    head: Name | None = None
    head_prefix: str = ""
    activation: Literal["relu", "gelu", "silu", "tanh", "none"] = "none"
    output: Annotated[int, Field(ge=0)] = 0
    template: Name
    chat: bool = True
    read: Name = "last"
    tokens: tuple[Name, ...] = ()
    positions: Literal["own", "plain"] = "own"
    pixels: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"

    @model_validator(mode="after")
    def _places(self) -> Settings:
        for place in (IMAGE, PROMPT):
            if self.template.count(place) != 1:
                msg = f"template has {place} {self.template.count(place)} times; write it once"
                raise ValueError(msg)
        if self.template.index(IMAGE) > self.template.index(PROMPT):
            msg = "template has {prompt} before {image}; put the image first"
            raise ValueError(msg)
        if self.head is None and not self.head_prefix:
            msg = "name the head's file under head:, or how its tensors begin under head_prefix:"
            raise ValueError(msg)
        return self


class HeadReward(ChatReward):
    """One output of a head on the hidden state of the token that is read.

    Args:
        head: Linear layers, in float32.
        output: Which of its outputs is the score.
        settings_sha256: Of the settings file, for the description.
        chat: As ChatReward's.
    """

    def __init__(self, *, head: nn.Module, output: int, settings_sha256: str, **chat: Any) -> None:
        super().__init__(**chat)
        self._head_network, self._output, self._sha256 = head, output, settings_sha256

    def link(self, hidden: torch.Tensor) -> torch.Tensor:
        """The head, in float32."""
        score: torch.Tensor = self._head_network(hidden.float())[:, self._output]
        return score

    def describe(self) -> dict[str, Any]:
        """As any chat's, and the settings."""
        return {**super().describe(), "settings_sha256": self._sha256}


def load(
    argument: str, *, device: str | None, dtype: str | None, weights: str | Path | None
) -> RewardModel:
    """The reward model that a settings file describes.

    Args:
        argument: Path of the settings file.
        device: Where it runs; None: "cuda" where there is one, else "cpu".
        dtype: Of the model; None: as the settings say on a GPU, else "float32".
        weights: None; they are named in the settings.

    Raises:
        InputError: The settings are wrong, or do not fit the model or its head.
    """
    if weights is not None:
        msg = "vlm: finds its weights in its settings. Leave weights out and write weights: there."
        raise InputError(msg)
    file = local(argument)
    settings = read_settings(file)
    device = device or default_device()
    dtype = dtype or (settings.dtype if device.startswith("cuda") else "float32")
    base = _base(settings, file.parent)
    processor = _processor(settings, base.path)
    before, after = _chat(settings, processor, file)
    network, head, identity = _network(settings, base, file, torch_dtype(dtype))
    return HeadReward(
        name=f"vlm:{argument}",
        model=network.to(device),
        processor=processor,
        before=before,
        after=after,
        positions=settings.positions,
        head=head.to(device),
        output=settings.output,
        settings_sha256=file_sha256(file),
        device=device,
        identity=identity,
    )


def read_settings(file: Path) -> Settings:
    """The settings of a file, all its faults told at once.

    Raises:
        InputError: It is missing, no YAML, or says something that is not known.
    """
    if not file.is_file():
        msg = f"there is no file {str(file)!r:.200}. Write the settings of your model into one."
        raise InputError(msg)
    if file.stat().st_size > LARGEST:
        msg = f"{file} is larger than {LARGEST} bytes, so no settings. Give the YAML file."
        raise InputError(msg)
    try:
        told = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        msg = f"{file} is no YAML ({' '.join(str(error).split()):.150}). Check its lines."
        raise InputError(msg) from error
    if not isinstance(told, dict):
        msg = f"{file} holds no settings. Write base: and template: at least."
        raise InputError(msg)
    try:
        return Settings.model_validate(told)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg']}"
            for fault in error.errors()
        ]
        known = ", ".join(Settings.model_fields)
        msg = f"{file}: {'; '.join(faults)}. Its lines may be {known}."
        raise InputError(msg) from error


def _beside(folder: Path, named: str) -> Path:
    return folder / local(named)


def _base(settings: Settings, folder: Path) -> Obtained:
    """The base's small files; its weights too, where nothing takes their place."""
    patterns = FILES if settings.weights is None else FILES[:4]
    if _beside(folder, settings.base).is_dir():
        path = _beside(folder, settings.base)
        return obtain_folder(settings.base, revision=None, patterns=patterns, local=path)
    named = REPOSITORY.fullmatch(settings.base)
    if named is None or is_local(settings.base):
        msg = (
            f"base {settings.base!r:.200} is no folder seen from {folder} and no repository. "
            f"Write OWNER/NAME@REVISION or the path of a folder."
        )
        raise InputError(msg)
    return obtain_folder(named[1], revision=named[2], patterns=patterns, name="vlm")


def _processor(settings: Settings, folder: Path) -> Any:
    changed: dict[str, Any] = {}
    if settings.pixels is not None:
        least, most = settings.pixels
        changed = {"size": {"shortest_edge": least, "longest_edge": most}}
    processor = processor_of(folder, **changed)
    if settings.tokens:
        processor.tokenizer.add_special_tokens({"additional_special_tokens": list(settings.tokens)})
    return processor


def _chat(settings: Settings, processor: Any, file: Path) -> tuple[str, str]:
    """The text up to the prompt, and from there to the token that is read."""
    before_image, _, rest = settings.template.partition(IMAGE)
    before, _, after = rest.partition(PROMPT)
    if settings.chat:
        head, tail = rendered(
            processor, origin=file, before_image=before_image, before=before, after=after
        )
    else:
        token = getattr(processor, "image_token", None)
        if token is None:
            msg = f"{file}: the processor names no image token. Leave chat: false out."
            raise InputError(msg)
        head, tail = f"{before_image}{token}{before}", after
    if settings.read == "last":
        if not tail:
            msg = f"{file}: nothing follows the prompt, so the token to read would be its last "
            raise InputError(msg + "word. Write something behind {prompt}.")
        return head, tail
    if settings.read not in processor.tokenizer.get_vocab():
        msg = f"{file}: read: {settings.read!r} is no token of the base. Add it under tokens:."
        raise InputError(msg)
    if settings.read not in tail:
        msg = f"{file}: read: {settings.read!r} does not stand behind " + "{prompt} in template. "
        raise InputError(msg + "Put it there.")
    return head, tail[: tail.index(settings.read) + len(settings.read)]


def _network(
    settings: Settings, base: Obtained, file: Path, dtype: torch.dtype
) -> tuple[Any, nn.Module, dict[str, Any]]:
    """The model, its head, and what identifies both."""
    folder, identity = file.parent, {"base": base.identity}
    common: dict[str, Any] = {"dtype": dtype, "trust_remote_code": False}
    inside = settings.head is None
    taken: StateDict = {}
    if settings.weights is None:
        path = weights_in(base.path, USUAL_NAMES[0])
        if inside:
            taken = {n: t for n, t in read(path).items() if _of_head(n, settings)}
        network = by_library(
            AutoModelForImageTextToText,
            base.path,
            origin=base.path,
            extra=settings.head_prefix if inside else None,
            local_files_only=True,
            use_safetensors=True,
            **common,
        )
    else:
        found = obtain(
            Weights(repo=None, file=USUAL_NAMES[0]), local=_beside(folder, settings.weights)
        )
        identity["weights"], path = found.identity, found.path
        state = read(path)
        taken = {n: state.pop(n) for n in list(state) if inside and _of_head(n, settings)}
        network = _filled(state, base.path, path, common)
    if settings.head is not None:
        found = obtain(
            Weights(repo=None, file="head.safetensors"), local=_beside(folder, settings.head)
        )
        identity["head"], path = found.identity, found.path
        taken = {n: t for n, t in read(path).items() if _of_head(n, settings)}
    if settings.adapter is not None:
        adapter = adapter_in(_beside(folder, settings.adapter))
        if adapter is None:
            msg = (
                f"{_beside(folder, settings.adapter)} holds no adapter_config.json. Check adapter:."
            )
            raise InputError(msg)
        network, identity["adapter"] = merge(network, adapter), adapter.identity
    width = network.config.get_text_config().hidden_size
    return network, _head(taken, settings, width=width, origin=path, file=file), identity


def _of_head(name: str, settings: Settings) -> bool:
    return name.startswith(settings.head_prefix)


def _filled(state: StateDict, base: Path, path: Path, common: Mapping[str, Any]) -> Any:
    """The base's architecture with other tensors, whose vocabulary may be another."""
    config = AutoConfig.from_pretrained(str(base), trust_remote_code=False, local_files_only=True)
    words = next((t for n, t in state.items() if n.endswith("embed_tokens.weight")), None)
    if words is not None:
        config.get_text_config().vocab_size = words.shape[0]
    kinds = AutoModelForImageTextToText._model_mapping
    if type(config) not in kinds:
        msg = f"{base} is a {config.model_type!r} model, which does not answer about images. "
        raise InputError(f"{msg}Name a vision-language model under base:.")
    kind = kinds[type(config)]
    tensors = in_memory(state)
    return by_library(kind, None, origin=path, config=config, state_dict=tensors, **common)


def _head(
    state: StateDict, settings: Settings, *, width: int, origin: Path, file: Path
) -> nn.Module:
    """The head's layers in the order of their numbers, in float32.

    Raises:
        InputError: There are none, or they do not follow on one another or on the model.
    """
    tensors = {name.removeprefix(settings.head_prefix): t for name, t in in_memory(state).items()}
    layers: dict[int, nn.Linear] = {}
    for name, weight in tensors.items():
        named = re.fullmatch(r"(?:.*?(\d+)\.)?weight", name)
        if named is None or weight.ndim != 2:
            continue
        bias = tensors.get(f"{name.removesuffix('weight')}bias")
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
        layer.weight.data = weight.float()
        if bias is not None:
            layer.bias.data = bias.float()
        layers[int(named[1] or 0)] = layer
    ordered = [layers[number] for number in sorted(layers)]
    held = sum(len(list(layer.parameters())) for layer in ordered)
    if not ordered or held != len(tensors):
        other = ", ".join(sorted(tensors)[:3]) or "none"
        msg = (
            f"{file}: the tensors of {origin} that start with {settings.head_prefix!r} are no head "
            f"of linear layers ({len(tensors)}: {other}). Check head: and head_prefix:."
        )
        raise InputError(msg)
    sizes = [(layer.in_features, layer.out_features) for layer in ordered]
    broken = [ends for ends in pairwise(sizes) if ends[0][1] != ends[1][0]]
    if sizes[0][0] != width or broken:
        told = ", ".join(f"{into} to {out}" for into, out in sizes)
        msg = (
            f"{file}: the head's layers ({told}) do not follow on a model of width {width}. "
            f"Name the head that was trained with this base."
        )
        raise InputError(msg)
    if settings.output >= sizes[-1][1]:
        msg = f"{file}: output: {settings.output}, but the head has {sizes[-1][1]}. Count from 0."
        raise InputError(msg)
    between = ACTIVATIONS[settings.activation]
    modules = [module for layer in ordered for module in (layer, between())][:-1]
    return nn.Sequential(*modules).eval().requires_grad_(False)
