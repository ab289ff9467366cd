"""What a pipeline class of the installed diffusers takes and returns, read from its source.

Importing diffusers imports torch, and checking a submission needs neither: the signature stands in
the file. What qualifies is text-to-image by inspection, never by a list of ours.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

NEEDED: Final = (
    *("prompt", "height", "width", "num_inference_steps"),
    *("generator", "output_type"),
)
"""Without these a class cannot be asked for one seeded image of stated size and steps."""

_SUFFIX: Final = "Pipeline"
_CLASS: Final = re.compile(r"^class (\w+Pipeline)\(", re.MULTILINE)
_MAPPING: Final = re.compile(r"AUTO_TEXT2IMAGE\w* = OrderedDict\((.*?)\n\)", re.DOTALL)
_LISTED: Final = re.compile(r"(\w+Pipeline)\)")
_SHOWN_INPUT: Final = re.compile(r"(\w+_)?(images?|mask|video|video_length|audio|frames)")
_NOT_SHOWN: Final = re.compile(r"(negative_)?ip_adapter_image|\w*(attention|embeds)_mask")
_OTHER_USES: Final = re.compile(
    r"(Controlled|ControlNet|Control|Img2Img|ImageToImage|Inpaint(ing)?|Edit|Fill|Refiner|Union"
    r"|SuperResolution|Upscale|InstructPix2Pix|Adapter|XS|Onnx)"
)
_GIVEN_PARTS: Final = ("controlnet", "adapter", "t2i_adapter")


@dataclass(frozen=True, kw_only=True)
class ClassSource:
    """One class as its source tells it.

    Attributes:
        name: The class.
        arguments: What its call takes, by name: the default, `...` where there is none or it is
            no plain value.
        required: Those of them without a default.
        parts: What its constructor takes: denoiser, VAE, tokenizer, ...
        needed: Those of them without a default.
        output: The field of its result that holds the images; None where it returns none.
        exported: Whether `diffusers.NAME` is the class.
        deprecated: Whether diffusers keeps it among its deprecated ones.
        listed: Whether diffusers itself lists it as text-to-image (`AutoPipelineForText2Image`).
    """

    name: str
    arguments: Mapping[str, Any]
    required: tuple[str, ...]
    parts: frozenset[str]
    needed: frozenset[str]
    output: str | None
    exported: bool
    deprecated: bool
    listed: bool

    def unfit(self) -> str | None:
        """Why it is not text-to-image as a submission needs it; None where it is."""
        lacks = [name for name in NEEDED if name not in self.arguments]
        others = [name for name in self.required if name != "prompt"]
        shown = [name for name in self.arguments if _is_shown(name)]
        given = [name for name in _GIVEN_PARTS if name in self.parts]
        if "prompt" in lacks:
            return "takes no prompt"
        if self.output is None:
            return "returns no images"
        if given:
            return f"is steered by another picture ({given[0]})"
        if others:
            return f"needs more than a prompt ({', '.join(others)})"
        if shown and not (self.listed and not any("control" in name for name in shown)):
            return f"starts from more than a prompt ({', '.join(shown)})"
        if lacks:
            return f"cannot be asked for a seeded image of stated size (no {', '.join(lacks)})"
        if self.name.startswith("Onnx"):
            return "runs ONNX graphs, not safetensors"
        if self.deprecated:
            return "is among those that diffusers gives up (deprecated)"
        return None if self.exported else "is not exported by the installed diffusers"


def installed() -> bool:
    """Whether there is a diffusers to look into."""
    return _root() is not None


def is_family(name: str) -> bool:
    """Whether diffusers itself has a folder of pipelines of this name, as for Kolors' own parts.

    Where diffusers is not installed, any plain name may be one: it is looked up before a run.
    """
    if not name.isidentifier():
        return False
    root = _root()
    return root is None or (root / "pipelines" / name / "__init__.py").is_file()


@lru_cache(maxsize=64)
def find_class(name: str) -> ClassSource | None:
    """The class of this name in the installed diffusers; None where it has none.

    Example:
        >>> find_class("NoSuchPipeline") is None
        True
    """
    root, file = _root(), _files().get(name)
    if root is None or file is None:
        return None
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kind = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name)
    call, make = (_method(kind, each) for each in ("__call__", "__init__"))
    arguments = {} if call is None else _arguments(call)
    parts = {} if make is None else _arguments(make)
    listed = name in _listed()
    return ClassSource(
        name=name,
        arguments={key: each for key, (each, _) in arguments.items()},
        required=tuple(key for key, (_, needed) in arguments.items() if needed),
        parts=frozenset(parts),
        needed=frozenset(key for key, (_, needed) in parts.items() if needed),
        output=None if call is None else _output(call, listed=listed),
        exported=f'"{name}"' in (root / "__init__.py").read_text(encoding="utf-8"),
        deprecated="deprecated" in file.relative_to(root).parts,
        listed=listed,
    )


def nearest(name: str) -> str | None:
    """The class that makes images from a prompt whose name is nearest; None where none is near.

    `FluxInpaintPipeline` leads to `FluxPipeline`, `FluxPipline` too.
    """
    short = {each.removesuffix(_SUFFIX): each for each in _files()}
    plain = _OTHER_USES.sub("", name).removesuffix(_SUFFIX)
    for stem in difflib.get_close_matches(plain, short, n=8, cutoff=0.6):
        near = short[stem]
        found = find_class(near)
        if near != name and found is not None and found.unfit() is None:
            return near
    return None


@lru_cache(maxsize=1)
def _root() -> Path | None:
    spec = find_spec("diffusers")
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


@lru_cache(maxsize=1)
def _files() -> Mapping[str, Path]:
    """The file of each pipeline class; reading them all takes a tenth of a second."""
    root = _root()
    files = [] if root is None else sorted((root / "pipelines").rglob("pipeline_*.py"))
    return {name: file for file in files for name in _CLASS.findall(file.read_text("utf-8"))}


@lru_cache(maxsize=1)
def _listed() -> frozenset[str]:
    root = _root()
    file = None if root is None else root / "pipelines" / "auto_pipeline.py"
    if file is None or not file.is_file():
        return frozenset()
    blocks = _MAPPING.findall(file.read_text(encoding="utf-8"))
    return frozenset(name for block in blocks for name in _LISTED.findall(block))


def _is_shown(argument: str) -> bool:
    """Whether an argument is a picture, sound or film that the class is shown."""
    shown = _SHOWN_INPUT.fullmatch(argument) is not None
    return shown and _NOT_SHOWN.fullmatch(argument) is None


def _method(kind: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    methods = (node for node in kind.body if isinstance(node, ast.FunctionDef))
    return next((each for each in methods if each.name == name), None)


def _arguments(method: ast.FunctionDef) -> dict[str, tuple[Any, bool]]:
    """Default and whether there is none, by name, without self."""
    plain = [*method.args.posonlyargs, *method.args.args][1:]
    missing: list[ast.expr | None] = [None] * (len(plain) - len(method.args.defaults))
    defaults = [*missing, *method.args.defaults, *method.args.kw_defaults]
    names = [each.arg for each in [*plain, *method.args.kwonlyargs]]
    return {
        name: (_value(default), default is None)
        for name, default in zip(names, defaults, strict=True)
    }


def _value(node: ast.expr | None) -> Any:
    try:
        return ... if node is None else ast.literal_eval(node)
    except ValueError:
        return ...


def _output(call: ast.FunctionDef, *, listed: bool) -> str | None:
    """The field with the images, from what the call returns.

    A combined class hands on what its last part returned; only the list of diffusers tells of it.
    """
    returned = [n.value for n in ast.walk(call) if isinstance(n, ast.Return)]
    calls = [value for value in returned if isinstance(value, ast.Call)]
    for made in calls:
        fields = [keyword.arg for keyword in made.keywords]
        for field in ("images", "image"):
            if field in fields:
                return field
        if isinstance(made.func, ast.Name) and made.func.id == "ImagePipelineOutput":
            return "images"
    return "images" if listed and not calls else None
