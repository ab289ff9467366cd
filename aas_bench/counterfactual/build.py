"""The counterfactual split: photographs, and the same photographs with one effect at one dose.

The pair is known by construction: the distorted image has what the distorted prompt asks for, and
differs from the original in nothing else. What is independent of what: all pairs of one scene
share its caption and its photograph, so the scene is the cluster (`index`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from aas_bench.counterfactual.effects import EFFECTS, Effect
from aas_bench.counterfactual.scenes import SCENES, SIZE, Scene, check_size, photograph
from aas_bench.errors import InputError
from aas_bench.registry import R, Registry
from aas_bench.tables.schema import IMAGE_COLUMNS, Label
from aas_bench.tasks.catalog import DEFAULT
from aas_bench.tasks.task import Kind

if TYPE_CHECKING:
    from datasets import Dataset, Features

DOSES: Final = (0.25, 0.5, 0.75, 1.0)
PARAPHRASE_DOSE: Final = 0.75
"""The dose that the default split asks for in every wording; the other doses use the first."""


def counterfactual_rows(
    *,
    size: int = SIZE,
    effects: Iterable[str] | None = None,
    scenes: Iterable[str] | None = None,
    doses: Sequence[float] = DOSES,
    wordings: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The pairs, scene by scene, then by effect, dose and wording.

    Beyond the pair schema: `scene`, `effect`, `dose` (float), `wording` (int) and `item`, equal
    for pairs that differ in wording only. Rows with the same picture hold the same image object.

    Args:
        size: Longer side of the images in pixels, 320 to 512.
        effects: Names of effects; None: all.
        scenes: Names of scenes; None: all. A scene that an effect excludes has no pair with it.
        doses: In [0, 1]; at dose 0 both images are equal and the label is -1.
        wordings: How many wordings of each request, at every dose. None: the first one, and all
            of them at dose 0.75, for the analysis of paraphrases.

    Raises:
        UnknownNameError: No effect or scene is called so.
        InputError: A dose, the size or the number of wordings is out of range, or every scene is
            excluded.
    """
    chosen_effects = _named(EFFECTS, effects)
    chosen_scenes = _named(SCENES, scenes)
    check_size(size)
    _check(doses, chosen_effects, chosen_scenes, wordings)
    return _rows(size, chosen_effects, chosen_scenes, sorted(set(doses)), wordings)


@cache
def pairs_of() -> Mapping[Kind, int]:
    """How many pairs a whole result on the default split rests on, by what it is of."""
    asked = [e for e in EFFECTS.values() for scene in SCENES if scene not in e.excluded]
    return {
        "generator": len(asked),
        "reward_model": sum(len(DOSES) - 1 + len(effect.requests) for effect in asked),
    }


def _named(rows: Registry[R], names: Iterable[str] | None) -> list[R]:
    return [rows[name] for name in (rows if names is None else dict.fromkeys(names))]


def _check(
    doses: Sequence[float], effects: list[Effect], scenes: list[Scene], wordings: int | None
) -> None:
    if not doses or not all(0 <= dose <= 1 for dose in doses):
        msg = f"doses are {list(doses)}. Give one or more numbers in [0, 1]."
        raise InputError(msg)
    if all(scene.name in effect.excluded for effect in effects for scene in scenes):
        why = " ".join(e.excluded[s.name] for e in effects for s in scenes)
        msg = f"no pair can be made of these effects and scenes. Choose others. {why}".rstrip()
        raise InputError(msg)
    most = min(len(effect.requests) for effect in effects)
    if wordings is not None and not 1 <= wordings <= most:
        msg = f"wordings is {wordings}. Give 1 to {most}, or None for the default split."
        raise InputError(msg)


def _rows(
    size: int,
    effects: list[Effect],
    scenes: list[Scene],
    doses: list[float],
    wordings: int | None,
) -> Iterator[dict[str, Any]]:
    for scene in scenes:
        pixels = photograph(scene, size=size)
        original = Image.fromarray(pixels)
        for effect in effects:
            if scene.name in effect.excluded:
                continue
            for dose in doses:
                distorted = Image.fromarray(effect(pixels, dose, scene))
                for wording in range(_n_wordings(effect, dose, wordings)):
                    yield {
                        **_names(scene, effect, dose, wording),
                        "image_original": original,
                        "image_distorted": distorted,
                        "prompt_original": scene.caption,
                        "prompt_distorted": effect.prompt(scene, wording=wording),
                    }


def _n_wordings(effect: Effect, dose: float, wordings: int | None) -> int:
    if wordings is not None:
        return wordings
    return len(effect.requests) if dose == PARAPHRASE_DOSE else 1


def _names(scene: Scene, effect: Effect, dose: float, wording: int) -> dict[str, Any]:
    item = f"{effect.name}/{scene.name}/{dose:.2f}"
    return {
        "pair_id": f"{item}/w{wording}",
        "index": list(SCENES).index(scene.name),
        "model": DEFAULT.name,
        "dimensions": [effect.dimension],
        "label": int(Label.DISTORTED if dose > 0 else Label.TIE),
        "scene": scene.name,
        "effect": effect.name,
        "dose": dose,
        "wording": wording,
        "item": item,
    }


def counterfactual_features() -> Features:
    """The pair schema and the five columns of this split."""
    from datasets import Features, Value

    from aas_bench.tables.schema import pair_features

    return Features(
        {
            **pair_features(),
            "scene": Value("string"),
            "effect": Value("string"),
            "dose": Value("float64"),
            "wording": Value("int64"),
            "item": Value("string"),
        }
    )


def counterfactual_dataset(
    *,
    size: int = SIZE,
    effects: Iterable[str] | None = None,
    scenes: Iterable[str] | None = None,
    doses: Sequence[float] = DOSES,
    wordings: int | None = None,
) -> Dataset:
    """The pairs of `counterfactual_rows` as a dataset; images as PNG, so nothing is lost.

    Built row by row into the cache of `datasets`, and read from there when asked again; the key
    covers the arguments and `split_revision`.

    Raises:
        UnknownNameError: No effect or scene is called so.
        InputError: A dose, the size or the number of wordings is out of range.
    """
    from datasets import Dataset, Split

    options: dict[str, Any] = {
        "size": size,
        "effects": list(EFFECTS if effects is None else effects),
        "scenes": list(SCENES if scenes is None else scenes),
        "doses": list(doses),
        "wordings": wordings,
    }
    counterfactual_rows(**options)  # checks its arguments at once, before a file is made
    return Dataset.from_generator(
        encoded_rows,
        features=counterfactual_features(),
        gen_kwargs={"options": options, "revision": split_revision()},
        split=Split.TEST,
    )


def encoded_rows(options: dict[str, Any], revision: str) -> Iterator[dict[str, Any]]:
    """The rows with their images as PNG bytes, each picture encoded once.

    Args:
        options: The arguments of `counterfactual_rows`.
        revision: What `split_revision` returns; makes the cache forget older splits.
    """
    recent: dict[str, tuple[Image.Image, bytes]] = {}
    for row in counterfactual_rows(**options):
        for column in IMAGE_COLUMNS:
            image = row[column]
            if column not in recent or recent[column][0] is not image:
                recent[column] = image, _png(image)
            row[column] = {"bytes": recent[column][1], "path": None}
        yield row


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def split_revision() -> str:
    """What the pixels and texts depend on: 16 hex digits over our code and the imaging packages."""
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    for package in ("numpy", "pillow", "scipy"):
        digest.update(f"{package}={version(package)}".encode())
    return digest.hexdigest()[:16]
