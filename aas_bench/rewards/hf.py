"""`hf:REPO`: a folder or repository whose config.json names an architecture that scores pairs."""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import numpy as np
import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageClassification,
    BlipConfig,
    CLIPConfig,
    CLIPModel,
    Siglip2Config,
    Siglip2Model,
    SiglipConfig,
    SiglipModel,
)

from aas_bench.errors import InputError
from aas_bench.rewards.aesthetic import ImageOnly
from aas_bench.rewards.base import RewardModel
from aas_bench.rewards.blip import match_model
from aas_bench.rewards.catalog import default_device
from aas_bench.rewards.dual import DualEncoder, Embedding, TransformersTowers, unit_vectors
from aas_bench.rewards.facts import Local, RewardRow
from aas_bench.rewards.fetch import Obtained, obtain_folder, parts_of, read_json, weights_in
from aas_bench.rewards.lora import Adapter, adapter_in, merge
from aas_bench.rewards.pixels import (
    Fit,
    ImageTransform,
    LibraryTransform,
    Triple,
    without_far_ends,
)
from aas_bench.rewards.spelling import is_local, local
from aas_bench.rewards.tokens import folder_tokens
from aas_bench.rewards.weights import (
    by_library,
    fill,
    in_memory,
    read,
    refuse_endless,
    torch_dtype,
    unfilled,
)

SMALL_FILES = ("*.json", "*.txt", "*.model")
SAFE_FILES = ("model.safetensors", "model-*-of-*.safetensors", "adapter_model.safetensors")
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
    adapter: Adapter | None

    @property
    def identity(self) -> dict[str, Any]:
        """What identifies the files, as JSON values."""
        return self.files.identity | (self.adapter.identity if self.adapter else {})


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
        InputError: The architecture is none that scores pairs or pictures by itself.
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


def load_siglip(row: RewardRow, *, device: str, dtype: str, weights: Local) -> RewardModel:
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
        only=("siglip", "siglip2"),
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
    only: tuple[str, ...] = (),
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
        only: Types of model that the name stands for; none: any.
    """
    short = name.partition(":")[0]
    files, path, adapter = _found(repo, revision, weights, short)
    config = read_json(files.path / "config.json")
    if only and config.get("model_type") not in only:
        msg = (
            f"{files.path} is a {config.get('model_type')!r:.50} model, not {' or '.join(only)}. "
            f"Name it hf:FOLDER."
        )
        raise InputError(msg)
    refuse_endless(config, files.path)
    family = _family(config, files.path if weights or adapter else repo)
    return family(
        _Request(
            name=name,
            files=files,
            weights=path,
            config=config,
            device=device,
            dtype=dtype,
            lower=lower,
            adapter=adapter,
        )
    )


def _found(
    repo: str, revision: str | None, weights: str | Path | None, name: str
) -> tuple[Obtained, Path, Adapter | None]:
    """The files of a model, its weights among them, and the adapter that was asked for."""
    if weights is None:
        files = _from_hub(repo, revision, name)
        adapter = adapter_in(files.path)
        if adapter is None:
            return files, weights_in(files.path, SAFE_FILES[0]), None
    else:
        adapter = adapter_in(weights)
        if adapter is None:
            return *_from_folder(Path(weights).expanduser(), name), None
    if isinstance(adapter.base, Path):
        return *_from_folder(adapter.base, name), adapter
    files = _from_hub(adapter.base, None, name)
    return files, weights_in(files.path, SAFE_FILES[0]), adapter


def _family(config: dict[str, Any], origin: object) -> Callable[[_Request], RewardModel]:
    model_type, architectures = config.get("model_type"), config.get("architectures")
    if not (isinstance(architectures, list) and architectures):
        architectures = ["?"]
    if str(architectures[0]).endswith(CLASSIFICATION):
        return _classifier
    family = FAMILIES.get(str(model_type))
    if family is None or (model_type == "blip" and architectures != [BLIP_MATCHING]):
        reads_images = "vision_config" in config or str(architectures[0]).endswith(CHAT)
        nearest = (
            f"For how surely it says yes write vlm-yes:{origin}, for a head of your own "
            f"vlm:SETTINGS.yaml."
            if reads_images and model_type != "blip"
            else "Wrap it in a function and name it module:factory."
        )
        msg = (
            f"{origin} is a {model_type!r} model ({', '.join(map(str, architectures))}), which "
            f"hf: cannot score with: it knows clip, siglip, siglip2, {BLIP_MATCHING} and "
            f"{CLASSIFICATION} of one output. {nearest}"
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


def _dual(
    request: _Request,
    model: Any,
    *,
    to_limit: bool,
    transform: LibraryTransform | None = None,
    kind: type[DualEncoder] = DualEncoder,
) -> DualEncoder:
    folder = request.files.path
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
    if request.adapter is not None:
        model = merge(model, request.adapter)
    dual = kind(
        name=request.name,
        towers=TransformersTowers(model),
        tokens=tokens,
        transform=transform or _transform(folder, size=model.config.vision_config.image_size),
        unit="logit",
        device=request.device,
        identity=request.identity,
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


class _NaFlexEncoder(DualEncoder):
    """SigLIP 2 on images in their own proportions: patches, their mask and their grid."""

    def preprocess(self, image: Image.Image) -> Any:
        """Padded patches (most, 3 * side * side), mask (most,) and grid (2,)."""
        return self._transform(without_far_ends(image))

    def encode_images(self, images: Sequence[Any]) -> Sequence[Embedding]:
        """Unit vectors (width,), float32."""
        with torch.inference_mode():
            pixels, mask, grid = (
                torch.stack(part).to(self._device) for part in zip(*images, strict=True)
            )
            embeddings = (
                cast("TransformersTowers", self._towers)
                .model.get_image_features(
                    pixel_values=pixels.to(self._towers.dtype),
                    pixel_attention_mask=mask,
                    spatial_shapes=grid,
                )
                .pooler_output
            )
            return unit_vectors(embeddings)


def _siglip2(request: _Request) -> RewardModel:
    model = _built(request, lambda: Siglip2Model(Siglip2Config.from_dict(request.config)))
    processor = _image_processor(request.files.path)

    def transform(image: Image.Image) -> Any:
        made = processor(image, return_tensors="pt")
        parts = ("pixel_values", "pixel_attention_mask", "spatial_shapes")
        return tuple(made[part][0] for part in parts)

    settings = {"patch_size": processor.patch_size, "max_num_patches": processor.max_num_patches}
    library = LibraryTransform(function=transform, settings=_described(processor) | settings)
    # it was trained on rows padded to the limit and pools at the last of them
    return _dual(request, model, to_limit=True, transform=library, kind=_NaFlexEncoder)


def _classifier(request: _Request) -> RewardModel:
    """A head on a vision tower, of one output: its logit."""
    config = _built(request, lambda: AutoConfig.for_model(**request.config))
    if config.num_labels != 1:
        labels = [str(config.id2label[i]) for i in range(min(config.num_labels, 3))]
        msg = (
            f"{request.files.path} has {config.num_labels} outputs ({', '.join(labels)}, ...), and "
            f"which of them is the score is not known. Save it with num_labels=1, or name a "
            f"function that returns one output: module:factory."
        )
        raise InputError(msg)
    kind = type(_built(request, lambda: AutoModelForImageClassification.from_config(config)))
    processor = _image_processor(request.files.path)
    dtype = torch_dtype(request.dtype)
    # files keep older names of the layers, which transformers knows to translate
    network = by_library(
        kind,
        None,
        origin=request.weights,
        config=config,
        state_dict=in_memory(read(request.weights)),
        dtype=dtype,
    ).to(request.device)
    if request.adapter is not None:
        network = merge(network, request.adapter)
    return ImageOnly(
        name=request.name,
        network=lambda pixels: network(pixel_values=pixels).logits[:, 0].float(),
        dtype=dtype,
        transform=LibraryTransform(
            function=lambda image: processor(without_far_ends(image), return_tensors="pt")[
                "pixel_values"
            ][0],
            settings=_described(processor),
        ),
        device=request.device,
        identity=request.identity,
    )


def _image_processor(folder: Path) -> Any:
    """The image processor that transformers makes of a folder's settings, working with Pillow."""
    file, _ = _image_settings(folder)
    try:
        return AutoImageProcessor.from_pretrained(
            str(folder), backend="pil", trust_remote_code=False, local_files_only=True
        )
    except Exception as error:  # the settings are foreign, and transformers raises of all kinds
        told = " ".join(str(error).split())
        msg = f"{file} describes no image processor ({told:.200}). Save it with the model."
        raise InputError(msg) from error


def _described(processor: Any) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(processor.to_json_string())
    return {"library": "transformers", **told}


def _blip(request: _Request) -> RewardModel:
    folder, identity = request.files.path, request.identity
    if request.adapter is not None:
        msg = (
            f"{request.adapter.folder} is a low-rank adapter of a BLIP model, which hf: does not "
            f"merge. Merge it first: merge_and_unload(), then save_pretrained(FOLDER)."
        )
        raise InputError(msg)
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
CLASSIFICATION, CHAT = "ForImageClassification", "ForConditionalGeneration"
FAMILIES: dict[str, Callable[[_Request], RewardModel]] = {
    "clip": _clip,
    "siglip": _siglip,
    "siglip2": _siglip2,
    "blip": _blip,
}
