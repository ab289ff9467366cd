"""`hf:REPO`: a repository on the Hub whose config.json names an architecture that scores pairs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from aas_bench.errors import InputError
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.blip import match_model
from aas_bench.rewards.catalog import default_device
from aas_bench.rewards.dual import DualEncoder, TransformersTowers
from aas_bench.rewards.facts import RewardRow
from aas_bench.rewards.fetch import Obtained, obtain_folder
from aas_bench.rewards.pixels import ImageTransform
from aas_bench.rewards.tokens import folder_tokens
from aas_bench.rewards.weights import fill, read, torch_dtype, unfilled

SMALL_FILES = ("*.json", "*.txt", "*.model")
WEIGHTS_FILES = ("model.safetensors", "pytorch_model.bin")

RESAMPLING: dict[int, Literal["bilinear", "bicubic"]] = {2: "bilinear", 3: "bicubic"}


@dataclass(frozen=True, kw_only=True)
class _Request:
    name: str
    files: Obtained
    config: dict[str, Any]
    device: str
    dtype: str
    lower: bool


def load(
    argument: str, *, device: str | None, dtype: str | None, weights: str | Path | None
) -> RewardModel:
    """The model of a repository, recognised from its config.json.

    Args:
        argument: `owner/name` or `owner/name@revision`; without a revision the newest commit is
            taken and recorded.
        device: Where it runs; None: "cuda" where there is one, else "cpu".
        dtype: Of the weights in use; None: "float32".
        weights: A local folder with the repository's files; None: the Hub.

    Raises:
        InputError: The architecture is none of CLIP, SigLIP and BLIP image-text matching.
        BackendError: The files could not be downloaded.
    """
    repo, _, revision = argument.partition("@")
    return from_repository(
        f"hf:{argument}",
        repo,
        revision=revision or None,
        device=device or default_device(),
        dtype=dtype or "float32",
        weights=weights,
    )


def load_siglip(
    row: RewardRow, *, device: str, dtype: str, weights: str | Path | None
) -> RewardModel:
    """SigLIP 2 (Tschannen et al., 2025): exp(logit_scale) * cosine + bias.

    It was trained on lower-cased text, so prompts are lower-cased.

    Args:
        row: The row of the catalogue.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: A local folder with the repository's files; None: the official ones.
    """
    assert row.weights is not None
    assert row.weights.repo is not None
    return from_repository(
        row.name,
        row.weights.repo,
        revision=row.weights.revision,
        device=device,
        dtype=dtype,
        weights=weights,
        lower=True,
    )


def from_repository(
    name: str,
    repo: str,
    *,
    revision: str | None,
    device: str,
    dtype: str,
    weights: str | Path | None,
    lower: bool = False,
) -> RewardModel:
    """As `load`, with the name of the scores.

    Args:
        name: The name of its scores.
        repo: `owner/name`.
        revision: Full commit hash; None: the newest.
        device: Where it runs.
        dtype: Of the weights in use.
        weights: A local folder with the repository's files; None: the Hub.
        lower: Whether prompts are lower-cased first.
    """
    files = obtain_folder(
        repo, revision=revision, patterns=(*SMALL_FILES, WEIGHTS_FILES[0]), local=weights
    )
    config = _json(files.path / "config.json")
    family = FAMILIES.get(config.get("model_type", ""))
    architectures = config.get("architectures") or ["?"]
    if family is None or (config["model_type"] == "blip" and architectures != [BLIP_MATCHING]):
        msg = (
            f"{repo} is a {config.get('model_type')!r} model ({', '.join(architectures)}), which "
            f"hf: cannot score with: it knows clip, siglip and {BLIP_MATCHING}. "
            f"Wrap it in a function and name it module:factory."
        )
        raise InputError(msg)
    if weights is None and not (files.path / WEIGHTS_FILES[0]).is_file():
        # an old repository without safetensors
        files = obtain_folder(repo, revision=revision, patterns=(*SMALL_FILES, WEIGHTS_FILES[1]))
    return family(
        _Request(name=name, files=files, config=config, device=device, dtype=dtype, lower=lower)
    )


def _weights_in(folder: Path) -> Path:
    for file in WEIGHTS_FILES:
        if (folder / file).is_file():
            return folder / file
    msg = f"{folder} has neither {' nor '.join(WEIGHTS_FILES)}. Weights in parts are not read."
    raise InputError(msg)


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        msg = f"{path} is missing. Give a folder with all the repository's files."
        raise InputError(msg)
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _transform(folder: Path) -> ImageTransform:
    """What preprocessor_config.json asks of transformers' Pillow processors."""
    told = _json(folder / "preprocessor_config.json")
    size, crop = _side(told.get("size")), _side(told.get("crop_size"))
    cropped = bool(told.get("do_center_crop"))
    resample = RESAMPLING.get(told.get("resample", 3))
    if size is None or resample is None or (cropped and crop != size):
        msg = (
            f"{folder / 'preprocessor_config.json'} asks for a resize that hf: does not know. "
            f"Wrap the model in a function and name it module:factory."
        )
        raise InputError(msg)
    return ImageTransform(
        size=size,
        fit="crop-floor" if cropped else "squash",
        resample=resample,
        mean=tuple(told["image_mean"]),
        std=tuple(told["image_std"]),
    )


def _side(size: Any) -> int | None:
    """The one side length of any of the ways in which these files write a size."""
    sides = set(size.values()) if isinstance(size, dict) else {size}
    side = sides.pop() if len(sides) == 1 else None
    return side if isinstance(side, int) else None


def _dual(request: _Request, model: Any, *, to_limit: bool) -> DualEncoder:
    path = _weights_in(request.files.path)
    fill(
        model,
        read(path),
        origin=path,
        device=request.device,
        dtype=torch_dtype(request.dtype),
        ignore=(r".*\.position_ids",),
    )
    tokens = folder_tokens(
        request.files.path,
        limit=model.config.text_config.max_position_embeddings,
        to_limit=to_limit,
        lower=request.lower,
    )
    return DualEncoder(
        name=request.name,
        towers=TransformersTowers(model),
        tokens=tokens,
        transform=_transform(request.files.path),
        unit="logit",
        device=request.device,
        identity=request.files.identity,
    )


def _clip(request: _Request) -> RewardModel:
    with unfilled():
        model = CLIPModel(CLIPConfig.from_dict(request.config))
    return _dual(request, model, to_limit=False)


def _siglip(request: _Request) -> RewardModel:
    with unfilled():
        model = SiglipModel(SiglipConfig.from_dict(request.config))
    # it was trained on rows padded to the limit and pools at the last of them
    return _dual(request, model, to_limit=True)


def _blip(request: _Request) -> RewardModel:
    folder, identity = request.files.path, request.files.identity
    return match_model(
        request.name,
        found=Obtained(path=_weights_in(folder), identity=identity),
        vocabulary=Obtained(path=folder / "vocab.txt", identity=identity),
        architecture=request.config,
        device=request.device,
        dtype=request.dtype,
    )


BLIP_MATCHING = "BlipForImageTextRetrieval"
FAMILIES: dict[str, Callable[[_Request], RewardModel]] = {
    "clip": _clip,
    "siglip": _siglip,
    "blip": _blip,
}
