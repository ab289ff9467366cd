"""`open_clip:ARCH/TAG`, `open_clip:ARCH:PATH`: open_clip's models, pretrained or your own."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import open_clip
from open_clip.convert import convert_state_dict
from open_clip.model import convert_to_custom_text_state_dict
from open_clip.transform import PreprocessCfg, image_transform_v2

from aas_bench.errors import BackendError, InputError, UnknownNameError
from aas_bench.rewards.catalog import default_device
from aas_bench.rewards.dual import DualEncoder, OpenClipTowers
from aas_bench.rewards.facts import Weights
from aas_bench.rewards.fetch import Obtained, obtain
from aas_bench.rewards.pixels import LibraryTransform
from aas_bench.rewards.spelling import local
from aas_bench.rewards.tokens import Ids, PromptTokens, open_clip_tokens
from aas_bench.rewards.weights import fill, in_memory, read, torch_dtype, unfilled

FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
PREPROCESSING = ("mean", "std", "interpolation", "resize_mode")


def load(
    argument: str, *, device: str | None, dtype: str | None, weights: str | Path | None
) -> DualEncoder:
    """A pretrained model of open_clip: exp(logit_scale) * cosine, plus the bias where it has one.

    Args:
        argument: `ARCH/TAG` as `open_clip.list_pretrained()` has them, or `ARCH:PATH` (also
            `ARCH/PATH` with an absolute path or one that starts with a dot). With `weights` the
            tag may be any word.
        device: Where it runs; None: "cuda" where there is one, else "cpu".
        dtype: Of the weights in use; None: "float32".
        weights: A local file to load instead.

    Raises:
        UnknownNameError: open_clip has no such architecture.
        InputError: It has no such tag, or the tag is not on the Hugging Face Hub.
    """
    arch = re.split("[/:]", argument, maxsplit=1)[0]
    separator, tag = argument[len(arch) :][:1], argument[len(arch) + 1 :]
    if weights is None and tag and (separator == ":" or tag.startswith((".", "/", "~"))):
        weights, tag = local(tag), ""
    if open_clip.get_model_config(arch) is None:
        known = open_clip.list_models()
        raise UnknownNameError(
            "open_clip architecture",
            arch,
            known,
            hint="Write open_clip:ARCH/TAG or open_clip:ARCH:PATH.",
        )
    told: dict[str, Any] = open_clip.get_pretrained_cfg(arch, tag)
    found = _obtain(arch, tag, told, weights)
    with unfilled():
        model = open_clip.create_model(
            arch, pretrained=None, force_quick_gelu=bool(told.get("quick_gelu"))
        )
    fill(
        model,
        _converted(model, in_memory(read(found.path))),
        origin=found.path,
        device=device or default_device(),
        dtype=torch_dtype(dtype or "float32"),
    )
    return DualEncoder(
        name=f"open_clip:{argument}",
        towers=OpenClipTowers(model),
        tokens=_tokens(arch),
        transform=_transform(model, told),
        unit="logit",
        device=device or default_device(),
        identity={**found.identity, "architecture": arch},
    )


def _obtain(arch: str, tag: str, told: dict[str, Any], weights: str | Path | None) -> Obtained:
    if weights is not None:
        return obtain(Weights(repo=None, file=FILES[0]), local=weights)
    if not told:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(arch)) or "none"
        msg = f"open_clip has no weights {tag!r} for {arch}. Its tags: {tags}."
        raise InputError(msg)
    repo, _, file = told.get("hf_hub", "").rpartition("/")
    if not repo:
        msg = (
            f"open_clip:{arch}/{tag} is not on the Hugging Face Hub. Download {told.get('url')} "
            f"and name it by its path: open_clip:{arch}:PATH."
        )
        raise InputError(msg)
    if file:
        return obtain(Weights(repo=repo, file=file))
    try:
        return obtain(Weights(repo=repo, file=FILES[0]))
    except BackendError as error:
        if error.retryable:
            raise
        # the repository is there without the file: older ones have the pickle only
        return obtain(Weights(repo=repo, file=FILES[1]))


def _converted(model: Any, state: dict[str, Any]) -> dict[str, Any]:
    """The tensors under the names of `model`, which may build its text tower apart."""
    state = convert_state_dict(model, state)
    if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
        state = convert_to_custom_text_state_dict(state)
    wanted = model.state_dict()
    for name in ("logit_scale", "logit_bias"):
        if name in state and name in wanted:
            state[name] = state[name].reshape(wanted[name].shape)
    return state


def _transform(model: Any, told: dict[str, Any]) -> LibraryTransform:
    settings = {key: told[key] for key in PREPROCESSING if key in told}
    config = PreprocessCfg(size=model.visual.image_size, **settings)
    described = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()}
    return LibraryTransform(
        function=image_transform_v2(config, is_train=False),
        settings={"library": "open_clip", **described},
    )


def _tokens(arch: str) -> PromptTokens:
    text = open_clip.get_model_config(arch)["text_cfg"]
    if "hf_tokenizer_name" not in text:
        return open_clip_tokens(text.get("context_length", 77))
    theirs = open_clip.get_tokenizer(arch)
    if theirs.tokenizer_mode or theirs.strip_sep_token:
        msg = f"the tokenizer of {arch} rearranges its ids, which open_clip: does not support."
        raise InputError(f"{msg} Wrap the model in a function and name it module:factory.")
    inner = theirs.tokenizer

    def encode(prompt: str) -> Ids:
        ids: Ids = inner(theirs.clean_fn(prompt), verbose=False)["input_ids"]
        return ids

    last = encode("a")[-1]
    return PromptTokens(
        family=f"open_clip {text['hf_tokenizer_name']}",
        encode=encode,
        limit=theirs.context_length,
        pad=inner.pad_token_id,
        to_limit=True,
        end=last if last in (inner.eos_token_id, inner.sep_token_id) else None,
    )
