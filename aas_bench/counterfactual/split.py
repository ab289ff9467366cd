"""The counterfactual split: photographs, and the same photographs with one effect at one dose.

The pair is known by construction: the distorted image has what the distorted prompt asks for, and
differs from the original in nothing else. What is independent of what: all pairs of one scene
share its caption and its photograph, so the scene is the cluster (`index`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from PIL import Image

from aas_bench.counterfactual.effects import EFFECTS, Effect
from aas_bench.counterfactual.scenes import SCENES, SIZE, Pixels, Scene, check_size, photograph
from aas_bench.errors import InputError
from aas_bench.registry import R, Registry
from aas_bench.tables.schema import PROMPT_DISTORTED, PROMPT_ORIGINAL, Label
from aas_bench.tasks.catalog import DEFAULT
from aas_bench.tasks.task import Kind

if TYPE_CHECKING:
    from datasets import Dataset, Features

T = TypeVar("T")

DOSES: Final = (0.25, 0.5, 0.75, 1.0)
PARAPHRASE_DOSE: Final = 0.75
"""The dose that the default split asks for in every wording; the other doses use the first."""
_MOST_THREADS: Final = 8


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

    Example:
        >>> row = next(counterfactual_rows(scenes=["coffee"], effects=["clarity"], doses=[1.0]))
        >>> row["pair_id"], row["image_distorted"].size
        ('clarity/coffee/1.00/w0', (384, 256))
    """
    return _checked_rows(
        Image.fromarray,
        size=size,
        effects=effects,
        scenes=scenes,
        doses=doses,
        wordings=wordings,
    )


def _checked_rows(
    finish: Callable[[Pixels], Any],
    *,
    size: int = SIZE,
    effects: Iterable[str] | None = None,
    scenes: Iterable[str] | None = None,
    doses: Sequence[float] = DOSES,
    wordings: int | None = None,
) -> Iterator[dict[str, Any]]:
    chosen_effects = _named(EFFECTS, effects)
    chosen_scenes = _named(SCENES, scenes)
    check_size(size)
    _check(doses, chosen_effects, chosen_scenes, wordings)
    return _rows(finish, size, chosen_effects, chosen_scenes, sorted(set(doses)), wordings)


@cache
def pairs_of() -> Mapping[Kind, int]:
    """How many pairs a whole result on the default split rests on, by what it is of."""
    asked = [e for e in EFFECTS.values() for scene in SCENES if scene not in e.excluded]
    return {
        "generator": len(asked),
        "reward_model": sum(len(DOSES) - 1 + len(effect.requests) for effect in asked),
    }


@cache
def names() -> Mapping[str, Sequence[str]]:
    """What the pairs of the default split can be chosen and grouped by, without making them.

    Example:
        >>> names()["effect"][:2], names()["dimension"][1]
        (['clarity', 'color-brightness'], 'color brightness')
    """
    effects = list(EFFECTS.values())
    first = _names(next(iter(SCENES.values())), effects[0], DOSES[0], 0)
    return {
        "effect": [effect.name for effect in effects],
        "dimension": [effect.dimension for effect in effects],
        "column": [*first, PROMPT_ORIGINAL, PROMPT_DISTORTED],
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
    finish: Callable[[Pixels], Any],
    size: int,
    effects: list[Effect],
    scenes: list[Scene],
    doses: list[float],
    wordings: int | None,
) -> Iterator[dict[str, Any]]:
    """The rows; the pictures of a scene are made and finished in threads, each once."""
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        for scene in scenes:
            pixels = photograph(scene, size=size)
            original = finish(pixels)
            some = [e for e in effects if scene.name not in e.excluded]
            items = [(effect, dose) for effect in some for dose in doses]
            pictures = pool.map(partial(_picture, finish, pixels, scene), items)
            for (effect, dose), distorted in zip(items, pictures, strict=True):
                for wording in range(_n_wordings(effect, dose, wordings)):
                    yield {
                        **_names(scene, effect, dose, wording),
                        "image_original": original,
                        "image_distorted": distorted,
                        "prompt_original": scene.caption,
                        "prompt_distorted": effect.prompt(scene, wording=wording),
                    }


def _picture(
    finish: Callable[[Pixels], T], pixels: Pixels, scene: Scene, item: tuple[Effect, float]
) -> T:
    effect, dose = item
    return finish(effect(pixels, dose, scene))


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
    """The pair schema and the five columns of this split.

    Example:
        >>> list(counterfactual_features())[-5:]
        ['scene', 'effect', 'dose', 'wording', 'item']
    """
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

    Example:
        >>> pairs = counterfactual_dataset(scenes=["coffee"], effects=["clarity"], wordings=1)
        >>> pairs["pair_id"][:2]
        ['clarity/coffee/0.25/w0', 'clarity/coffee/0.50/w0']
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


def counterfactual_files(folder: Path, **options: Any) -> Dataset:
    """The pairs of `counterfactual_rows` with their pictures as PPM files in a folder.

    Neither compressed nor lossy: more than half the work of the split is to compress PNG and to
    decompress it again. Meant for a folder that is removed after use, as in the demo.

    Args:
        folder: Where the files go, some 130 MB by default; the pairs hold as long as it does.
        options: As of `counterfactual_rows`.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     pairs = counterfactual_files(Path(folder), scenes=["coffee"], effects=["clarity"])
        ...     pairs[0]["image_distorted"].size
        (384, 256)
    """
    from datasets import Dataset, Split

    rows = list(_checked_rows(partial(_filed, folder), **options))
    return Dataset.from_list(rows, features=counterfactual_features(), split=Split.TEST)


def _filed(folder: Path, pixels: Pixels) -> dict[str, Any]:
    path = folder / f"{hashlib.sha256(pixels.tobytes()).hexdigest()}.ppm"
    Image.fromarray(pixels).save(path, "PPM")
    return {"bytes": None, "path": str(path)}


def encoded_rows(options: dict[str, Any], revision: str) -> Iterator[dict[str, Any]]:
    """The rows with their images as PNG bytes, each picture encoded once.

    Args:
        options: The arguments of `counterfactual_rows`.
        revision: What `split_revision` returns; makes the cache forget older splits.

    Example:
        >>> options = {"scenes": ["coffee"], "effects": ["clarity"], "doses": [1.0]}
        >>> next(encoded_rows(options, split_revision()))["image_distorted"]["bytes"][1:4]
        b'PNG'
    """
    return _checked_rows(_encoded, **options)


def _encoded(pixels: Pixels) -> dict[str, Any]:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return {"bytes": buffer.getvalue(), "path": None}


def split_revision() -> str:
    """What the pixels and texts depend on: 16 hex digits over our code and the imaging packages.

    Example:
        >>> len(split_revision())
        16
    """
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    for package in ("numpy", "pillow", "scipy"):
        digest.update(f"{package}={version(package)}".encode())
    return digest.hexdigest()[:16]
