"""The photographs: files in the folder `photographs` of this package, as they were published.

Where each file comes from stands in `photographs/SOURCES.md`. Captions and boxes are ours, made by
looking at the pictures.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from aas_bench.errors import InputError
from aas_bench.registry import Registry

Pixels: TypeAlias = NDArray[np.uint8]
Box: TypeAlias = tuple[float, float, float, float]

SIZE: Final = 384
"""Longer side of a scene unless asked otherwise, in pixels."""
SIZES: Final = (320, 512)
"""Smallest and largest longer side: effects vanish below, photographs end above."""
PHOTOGRAPHS: Final = Path(__file__).parent / "photographs"
"""The folder of the files."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One photograph and what is known of it.

    Attributes:
        name: What users type.
        file: Its name in `PHOTOGRAPHS`.
        sha256: Of the file, so that the split cannot change without notice.
        caption: One sentence that says what the picture shows; the pair's original prompt.
        box: The main object as (left, top, right, bottom), each a fraction of the width or height;
            None where nothing stands out from its surroundings.
        credit: Who made it, and where it comes from.
        licence: What is known of its terms.
        public_domain: Whether it is in the public domain or CC0, so that it may appear in files
            that we commit.

    Example:
        >>> SCENES["coffee"].licence
        'CC0.'
    """

    name: str
    file: str
    sha256: str
    caption: str
    box: Box | None
    credit: str
    licence: str
    public_domain: bool


SCENES: Final = Registry(
    "scene",
    (
        Scene(
            name="astronaut",
            file="astronaut.png",
            sha256="88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
            caption="A smiling astronaut in an orange space suit sits between a flag and a model "
            "of a space shuttle.",
            box=(0.04, 0.02, 0.72, 1.0),
            credit="NASA; Eileen Collins, from the NASA Great Images database.",
            licence="Public domain.",
            public_domain=True,
        ),
        Scene(
            name="chelsea",
            file="chelsea.png",
            sha256="596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
            caption="The face of a ginger tabby cat, seen from close by.",
            box=(0.0, 0.0, 0.88, 1.0),
            credit="Stefan van der Walt.",
            licence="CC0.",
            public_domain=True,
        ),
        Scene(
            name="coffee",
            file="coffee.png",
            sha256="cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
            caption="A cup of espresso and a spoon on a red saucer, on a wooden table.",
            box=(0.13, 0.03, 0.81, 0.97),
            credit="Rachel Michetti, courtesy of Pikolo Espresso Bar.",
            licence="CC0.",
            public_domain=True,
        ),
        Scene(
            name="rocket",
            file="rocket.jpg",
            sha256="c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
            caption="A white rocket on its launch pad between tall lattice towers in the evening.",
            box=(0.45, 0.27, 0.56, 1.0),
            credit="SpaceX; DSCOVR on Falcon 9.",
            licence="Public domain.",
            public_domain=True,
        ),
        Scene(
            name="hopper",
            file="grace_hopper.jpg",
            sha256="a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130",
            caption="A naval officer with glasses, in uniform and cap, in front of a flag and a "
            "blue wall.",
            box=(0.03, 0.04, 1.0, 1.0),
            credit="U.S. Navy; official portrait of Commodore Grace M. Hopper, 1984.",
            licence="Public domain.",
            public_domain=True,
        ),
        Scene(
            name="hubble",
            file="hubble_deep_field.jpg",
            sha256="3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4",
            caption="Thousands of galaxies scattered across deep space, seen by a telescope.",
            box=None,
            credit="NASA; Hubble eXtreme Deep Field.",
            licence="Public domain.",
            public_domain=True,
        ),
        Scene(
            name="retina",
            file="retina.jpg",
            sha256="38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6",
            caption="The back of a human eye: an orange disc crossed by branching blood vessels.",
            box=None,
            credit="Mikael Häggström, WikiJournal of Medicine 2014.",
            licence="CC0.",
            public_domain=True,
        ),
        Scene(
            name="china",
            file="china.jpg",
            sha256="8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
            caption="A tall Chinese pagoda with curved roofs above trees and a lake.",
            box=(0.09, 0.05, 0.57, 0.9),
            credit="danielbuechele on Flickr.",
            licence="CC BY 2.0.",
            public_domain=False,
        ),
        Scene(
            name="flower",
            file="flower.jpg",
            sha256="a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
            caption="A large orange dahlia in full bloom in front of green leaves.",
            box=(0.25, 0.18, 0.71, 0.86),
            credit="vultilion on Flickr (scikit-learn's note names danielbuechele, and links to "
            "vultilion).",
            licence="CC BY 2.0.",
            public_domain=False,
        ),
    ),
    hint=f"Scenes are in {__name__}.SCENES.",
)


def photograph(scene: Scene, *, size: int = SIZE) -> Pixels:
    """The scene's photograph, scaled to a longer side of `size` pixels.

    Scaled by Lanczos resampling in Pillow: the same pixels every time.

    Args:
        scene: A row of `SCENES`.
        size: Longer side in pixels, 320 to 512.

    Returns:
        Shape (height, width, 3), uint8, RGB; read-only, since calls share it.

    Raises:
        InputError: The size is out of range, or the file is not the one that we know.

    Example:
        >>> photograph(SCENES["coffee"]).shape
        (256, 384, 3)
    """
    check_size(size)
    return _photograph(scene.name, size)


def check_size(size: int) -> None:
    """Raise InputError unless the split can be made at this longer side.

    Example:
        >>> check_size(64)
        Traceback (most recent call last):
        aas_bench.errors.InputError: size is 64 pixels. Give 320 to 512.
    """
    if not SIZES[0] <= size <= SIZES[1]:
        msg = f"size is {size} pixels. Give {SIZES[0]} to {SIZES[1]}."
        raise InputError(msg)


@lru_cache(maxsize=16)
def _photograph(name: str, size: int) -> Pixels:
    with Image.open(BytesIO(_file(SCENES[name]))) as file:
        image = file.convert("RGB")
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    pixels = np.array(image.resize((width, height), Image.Resampling.LANCZOS))
    pixels.flags.writeable = False
    return pixels


def _file(scene: Scene) -> bytes:
    """The file's content; another one would make another split, so it is refused."""
    path = PHOTOGRAPHS / scene.file
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() == scene.sha256:
        return content
    msg = (
        f"scene {scene.name!r}: {path} is not the photograph that the split is made from. Install "
        "the package anew: pip install --force-reinstall --no-deps aas-bench"
    )
    raise InputError(msg)
