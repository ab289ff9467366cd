"""`hf:REPO`: a repository on the Hub whose config.json names an architecture that scores pairs."""

from __future__ import annotations

import glob
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from transformers import BlipConfig, CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

from aas_bench.errors import InputError
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.blip import match_model
from aas_bench.rewards.catalog import default_device
from aas_bench.rewards.dual import DualEncoder, TransformersTowers
from aas_bench.rewards.facts import RewardRow
from aas_bench.rewards.fetch import Obtained, obtain_folder, parts_of, read_json, weights_in
from aas_bench.rewards.pixels import Fit, ImageTransform, Triple
from aas_bench.rewards.spelling import is_local, local
from aas_bench.rewards.tokens import folder_tokens
from aas_bench.rewards.weights import fill, read, torch_dtype, unfilled

SMALL_FILES = ("*.json", "*.txt", "*.model")
SAFE_FILES = ("model.safetensors", "model-*-of-*.safetensors")
OLD_FILES = ("pytorch_model.bin", "pytorch_model-*-of-*.bin")
RESCALED = 1 / 255
STEPS = ("do_resize", "do_rescale", "do_normalize")
PROBES = ("a photograph of a red apple on a table", "two blue sailing boats at night")
M = TypeVar("M")

RESAMPLING: dict[str, Literal["bilinear", "bicubic"]] = {"2": "bilinear", "3": "bicubic"}


@dataclass(frozen=True, kw_only=True)
class _Request:
    name: str
    files: Obtained
    weights: Path
    config: dict[str, Any]
    device: str
    dtype: str
    lower: bool


def load(
    argument: str, *, device: str | None, dtype: str | None, weights: str | Path | None
) -> RewardModel:
    """The model of a folder or repository, recognised from its config.json.

    Args:
        argument: A folder, or a weights file in it; else `owner/name` or `owner/name@revision`,
            where without a revision the newest commit is taken and recorded.
        device: Where it runs; None: "cuda" where there is one, else "cpu".
        dtype: Of the weights in use; None: "float32".
        weights: A local folder with the repository's files; None: as `argument` says.

    Raises:
        InputError: The architecture is none of CLIP, SigLIP and BLIP image-text matching.
        BackendError: The files could not be downloaded.
    """
    if weights is None and is_local(argument):
        weights = local(argument)
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
    short = name.partition(":")[0]
    if weights is None:
        files = _from_hub(repo, revision, short)
        path = weights_in(files.path, SAFE_FILES[0])
    else:
        files, path = _from_folder(Path(weights).expanduser(), short)
    config = read_json(files.path / "config.json")
    family = _family(config, files.path if weights else repo)
    return family(
        _Request(
            name=name,
            files=files,
            weights=path,
            config=config,
            device=device,
            dtype=dtype,
            lower=lower,
        )
    )


def _family(config: dict[str, Any], origin: object) -> Callable[[_Request], RewardModel]:
    model_type, architectures = config.get("model_type"), config.get("architectures")
    if not isinstance(architectures, list):
        architectures = ["?"]
    family = FAMILIES.get(str(model_type))
    if family is None or (model_type == "blip" and architectures != [BLIP_MATCHING]):
        msg = (
            f"{origin} is a {model_type!r} model ({', '.join(map(str, architectures))}), which "
            f"hf: cannot score with: it knows clip, siglip and {BLIP_MATCHING}. "
            f"Wrap it in a function and name it module:factory."
        )
        raise InputError(msg)
    return family


def _from_hub(repo: str, revision: str | None, name: str) -> Obtained:
    files = obtain_folder(repo, revision=revision, patterns=(*SMALL_FILES, *SAFE_FILES), name=name)
    if any(files.path.glob("*.safetensors")):
        return files
    # an old repository
    return obtain_folder(repo, revision=revision, patterns=(*SMALL_FILES, *OLD_FILES), name=name)


def _from_folder(given: Path, name: str) -> tuple[Obtained, Path]:
    if not given.exists():
        msg = f"there is no file or folder {given}. Give a folder with all the files of the model."
        raise InputError(msg)
    folder = given.parent if given.is_file() else given
    _ = _family(read_json(folder / "config.json"), folder)  # before large files are hashed
    path = weights_in(given, SAFE_FILES[0])
    patterns = (*SMALL_FILES, *(glob.escape(part.name) for part in parts_of(path)))
    files = obtain_folder(name, revision=None, patterns=patterns, local=folder, name=name)
    return files, path


def _image_settings(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The image processor's settings, and the file that holds them: an old or a new one."""
    whole = folder / "processor_config.json"
    inside = read_json(whole).get("image_processor") if whole.is_file() else None
    if isinstance(inside, dict):
        return whole, inside
    alone = folder / "preprocessor_config.json"
    return alone, read_json(alone)


def _transform(folder: Path, *, size: int) -> ImageTransform:
    """What the image processor's settings ask of transformers' Pillow processors.

    Args:
        folder: Holds processor_config.json or preprocessor_config.json.
        size: Side of the images that the vision tower reads.
    """
    file, told = _image_settings(folder)
    side, crop = _side(told.get("size")), _side(told.get("crop_size"))
    cropped = bool(told.get("do_center_crop"))
    resample = RESAMPLING.get(str(told.get("resample", 3)))
    mean, std = _triple(told.get("image_mean")), _triple(told.get("image_std"))
    if side is None or resample is None or (cropped and crop != side):
        raise _unknown_settings(file, "a resize")
    if side != size:
        msg = (
            f"{file} makes images of {side} pixels, but the model reads {size}. "
            f"Copy the settings that belong to this model."
        )
        raise InputError(msg)
    scale = told.get("rescale_factor", RESCALED)
    scaled = isinstance(scale, float) and abs(scale - RESCALED) < 1e-9
    if not (scaled and all(told.get(step, True) for step in STEPS)):
        raise _unknown_settings(file, "a scale of pixel values")
    if mean is None or std is None:
        raise _unknown_settings(file, "a mean or deviation")
    fit: Fit = "crop-floor" if cropped else "squash"
    return ImageTransform(size=side, fit=fit, resample=resample, mean=mean, std=std)


def _unknown_settings(file: Path, what: str) -> InputError:
    return InputError(
        f"{file} asks for {what} that hf: does not know. "
        f"Wrap the model in a function and name it module:factory."
    )


def _triple(values: Any) -> Triple | None:
    """Three numbers, one for each channel; None for anything else."""
    if not (isinstance(values, list) and len(values) == 3):
        return None
    if not all(isinstance(value, (int, float)) for value in values):
        return None
    red, green, blue = map(float, values)
    return red, green, blue


def _side(size: Any) -> int | None:
    """The one side length of any of the ways in which these files write a size."""
    first, *others = list(size.values()) if isinstance(size, dict) and size else [size]
    return first if isinstance(first, int) and all(side == first for side in others) else None


def _dual(request: _Request, model: Any, *, to_limit: bool) -> DualEncoder:
    folder = request.files.path
    transform = _transform(folder, size=model.config.vision_config.image_size)
    tokens = folder_tokens(
        folder,
        limit=model.config.text_config.max_position_embeddings,
        to_limit=to_limit,
        lower=request.lower,
    )
    fill(
        model,
        read(request.weights),
        origin=request.weights,
        device=request.device,
        dtype=torch_dtype(request.dtype),
        ignore=(r".*\.position_ids",),
    )
    dual = DualEncoder(
        name=request.name,
        towers=TransformersTowers(model),
        tokens=tokens,
        transform=transform,
        unit="logit",
        device=request.device,
        identity=request.files.identity,
    )
    _refuse_deaf(dual, folder)
    return dual


def _refuse_deaf(dual: DualEncoder, folder: Path) -> None:
    """A text tower that takes two prompts for one is a wrong set-up, not a finding."""
    one, other = dual.encode_prompts(PROBES)
    if np.allclose(one, other, rtol=0, atol=1e-6):
        msg = (
            f"{folder}: the prompts {PROBES[0]!r} and {PROBES[1]!r} are one to this model. Copy "
            f"its own tokenizer files into the folder, and check its weights."
        )
        raise InputError(msg)


def _built(request: _Request, build: Callable[[], M]) -> M:
    """The network that config.json describes; what transformers cannot build is told in a line."""
    try:
        with unfilled():
            return build()
    except Exception as error:  # config.json is foreign, and transformers raises of all kinds
        told = " ".join(str(error).split())
        msg = (
            f"{request.files.path / 'config.json'} does not describe a model that transformers "
            f"can build ({type(error).__name__}: {told:.200}). Save or download it again."
        )
        raise InputError(msg) from error


def _clip(request: _Request) -> RewardModel:
    model = _built(request, lambda: CLIPModel(CLIPConfig.from_dict(request.config)))
    return _dual(request, model, to_limit=False)


def _siglip(request: _Request) -> RewardModel:
    model = _built(request, lambda: SiglipModel(SiglipConfig.from_dict(request.config)))
    # it was trained on rows padded to the limit and pools at the last of them
    return _dual(request, model, to_limit=True)


def _blip(request: _Request) -> RewardModel:
    folder, identity = request.files.path, request.files.identity
    names = ("vocab.txt", "tokenizer.json")
    vocabulary = next((folder / name for name in names if (folder / name).is_file()), None)
    if vocabulary is None:
        msg = f"{folder} has neither {' nor '.join(names)}. Copy the tokenizer's files into it."
        raise InputError(msg)
    _built(request, lambda: BlipConfig(**request.config))
    return match_model(
        request.name,
        found=Obtained(path=request.weights, identity=identity),
        vocabulary=Obtained(path=vocabulary, identity=identity),
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
