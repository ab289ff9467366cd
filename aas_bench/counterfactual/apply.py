"""The effects on pixels: `change(image, dose, scene) -> image`, for a dose above 0 and up to 1.

Images are uint8 RGB arrays of shape (height, width, 3). Nothing is random: textures come from
fixed waves, and lengths are fractions of the longer side.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter, uniform_filter1d
from scipy.special import expit

from aas_bench.counterfactual.effect_meters import Plane, View, signed_lean
from aas_bench.counterfactual.scenes import SCENES, Box, Pixels, Scene, photograph

_DRAB: Final = np.array([112, 104, 74], dtype=np.float32)
"""A muddy khaki, the colour of the bad backdrop."""
_COLD: Final = np.array([0.80, 0.97, 1.22], dtype=np.float32)
"""Gains of red, green and blue that turn grey into a cold grey."""


def blur(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """Out of focus: a Gaussian of up to 1.6 % of the side."""
    sigma = 0.016 * max(image.shape[:2]) * dose
    return _pixels(gaussian_filter(_float(image), (sigma, sigma, 0)))


def darken(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """Dark, drained colours: light down by up to 70 %, colour by another 50 %."""
    view = View(image)
    drained = _mix(view.colour, view.luma[..., None], 0.5 * dose)
    return _pixels(drained * (1 - 0.7 * dose))


def clash(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """Colours that clash: greenish and bright ones go acid green, the others hot magenta."""
    view = View(image)
    red, green, blue = view.channels
    greenish = _smooth(green - _mix(red, blue, 0.5), 0.02 * view.side)
    bright = _smooth(view.luma, 0.02 * view.side)
    side = np.tanh((greenish + 0.1 * (bright - np.median(bright))) / 4)
    push = 110 * dose * side
    return _pixels(np.dstack([red - push / 3, green + 2 / 3 * push, blue - push / 3]))


def flatten_light(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """Flat light: broad differences of light down by up to 90 %, contrast by half."""
    view = View(image)
    broad = _smooth(view.luma, 0.06 * view.side)[..., None]
    mean = view.luma.mean()
    fine = view.colour - broad
    return _pixels(mean + (broad - mean) * (1 - 0.9 * dose) + fine * (1 - 0.5 * dose))


def mush(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """Crude, mushy parts: dabs of up to 5 % of the side.

    Each pixel becomes the mean of the calmest of the four squares that have it as a corner
    (Kuwahara et al., Processing of RI-angiocardiographic images, 1976).
    """
    view = View(image)
    reach = 1 + int(np.ceil(0.023 * view.side * dose))
    planes = (*view.channels, view.luma, view.luma**2)
    means = np.stack([uniform_filter(plane, reach + 1, mode="nearest") for plane in planes])
    spread = means[4] - means[3] ** 2
    before = (reach + 1) // 2
    steps = [
        (down, across) for down in (-before, reach - before) for across in (-before, reach - before)
    ]
    calmest = np.argmin([_moved(spread, *step) for step in steps], axis=0)
    dabs = [np.choose(calmest, [_moved(plane, *step) for step in steps]) for plane in means[:3]]
    return _pixels(np.dstack(dabs))


def _moved(plane: Plane, down: int, across: int) -> Plane:
    """Element [y, x] becomes [y + down, x + across], clipped to the picture."""
    height, width = plane.shape
    rows = np.clip(np.arange(height) + down, 0, height - 1)
    columns = np.clip(np.arange(width) + across, 0, width - 1)
    return plane[rows][:, columns]


def posterise(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """Artificial surfaces: smoothed, then few tones, in steps of up to 72 grey levels."""
    sigma = 0.004 * max(image.shape[:2]) * dose
    step = 1 + 71 * dose
    smooth = gaussian_filter(_float(image), (sigma, sigma, 0))
    return _pixels(np.floor(smooth / step) * step + step / 2)


def spoil_backdrop(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """A drab, stained sheet in place of what lies around the main object."""
    y, x = _places(image)
    stains = np.sin(7 * x + 3 * np.sin(5 * y)) * np.sin(6 * y + 2 * np.sin(4 * x))
    sheet = _DRAB + 16 * stains[..., None]
    outside = 1 - _ellipse(image, scene, soft=0.16)
    return _pixels(_mix(_float(image), sheet, dose * outside[..., None]))


def fade_subject(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """The main object fades into what lies around it, up to 92 %."""
    inside = _rectangle(image, scene, soft=0.03)
    reach = 0.10 * max(image.shape[:2])
    outside = (1 - inside)[..., None] + 1e-4
    around = _smooth(_float(image) * outside, reach) / _smooth(outside, reach)
    return _pixels(_mix(_float(image), around, 0.92 * dose * inside[..., None]))


def empty_out(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """Things vanish from the edges inward, until 5 % are left on a plain ground."""
    left, top, right, bottom = _box(scene)
    y, x = _places(image)
    far = np.hypot(x - (left + right) / 2, y - (top + bottom) / 2)
    limit = np.quantile(far, 1 - 0.95 * dose)
    gone = expit((far - limit) / 0.02)
    plain = np.median(image.reshape(-1, 3), axis=0).astype(np.float32)
    ground = plain + 0.15 * (_smooth(_float(image), 0.25 * max(image.shape[:2])) - plain)
    return _pixels(_mix(_float(image), ground, gone[..., None]))


_GUESTS: Final[dict[str, tuple[str, float, float]]] = {
    "astronaut": ("coffee", 0.79, 0.25),
    "chelsea": ("coffee", 0.78, 0.72),
    "coffee": ("rocket", 0.2, 0.7),
    "rocket": ("chelsea", 0.2, 0.38),
    "hopper": ("coffee", 0.2, 0.3),
    "hubble": ("chelsea", 0.35, 0.4),
    "retina": ("rocket", 0.42, 0.55),
    "china": ("coffee", 0.78, 0.38),
    "flower": ("chelsea", 0.18, 0.42),
}
"""Scene: the scene whose main object is pasted in, and where (x, y as fractions).

A scene in the public domain has a guest in the public domain.
"""


def paste_guest(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """A round piece of another photograph that does not belong, up to 60 % of the short side."""
    name, across, down = _GUESTS[scene.name]
    height, width = image.shape[:2]
    guest = _main_square(SCENES[name])
    radius = (0.1 + 0.2 * dose) * min(height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    v, u = (y - down * height) / radius, (x - across * width) / radius
    last = len(guest) - 1
    rows, columns = (np.clip(np.rint((c + 1) / 2 * last), 0, last).astype(int) for c in (v, u))
    mask = np.clip((1 - np.hypot(u, v)) * radius / 2, 0, 1)[..., None]
    return _pixels(_mix(_float(image), _float(guest[rows, columns]), mask))


def _main_square(scene: Scene) -> Pixels:
    """The square around a scene's main object."""
    image = photograph(scene)
    height, width = image.shape[:2]
    left, top, right, bottom = _box(scene)
    side = round(min(max((right - left) * width, (bottom - top) * height), height, width))
    y = np.clip(round((top + bottom) / 2 * height - side / 2), 0, height - side)
    x = np.clip(round((left + right) / 2 * width - side / 2), 0, width - side)
    return image[y : y + side, x : x + side]


def gloom(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """A gloomy grade: cold, grey, dark towards the corners."""
    view = View(image)
    cold = _mix(view.colour, view.luma[..., None] * _COLD, 0.8 * dose)
    y, x = _places(image)
    corner = 2 * (x - 0.5) ** 2 + 2 * (y - 0.5) ** 2
    shade = (1 - 0.45 * dose) * (1 - 0.4 * dose * corner)
    return _pixels(cold * shade[..., None])


def push_aside(image: Pixels, dose: float, scene: Scene) -> Pixels:
    """Lopsided: all is squeezed by up to 30 % and slides out by 20 % where it leans to already."""
    rightward = signed_lean(View(image)) >= 0
    straight = _float(image if rightward else image[:, ::-1])
    width = image.shape[1]
    start = 0.5 * dose * width
    source = (np.arange(width) - start) / (1 - 0.3 * dose)
    left = np.clip(np.floor(source).astype(int), 0, width - 2)
    moved = _mix(straight[:, left], straight[:, left + 1], np.clip(source - left, 0, 1)[:, None])
    edge = straight[:, : max(1, width // 20)].mean(axis=1, keepdims=True)
    bare = _smooth(edge, 0.1 * max(image.shape[:2]))
    moved = _mix(moved, bare, np.clip(-source, 0, 1)[:, None])
    return _pixels(moved if rightward else moved[:, ::-1])


def _float(image: Pixels) -> Plane:
    return image.astype(np.float32)


def _pixels(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


def _mix(a: Plane, b: Plane, share: float | Plane) -> Plane:
    return np.asarray(a + share * (b - a), dtype=np.float32)


def _smooth(values: Plane, sigma: float) -> Plane:
    """About a Gaussian of standard deviation `sigma` pixels: three boxes, fast at any width."""
    width = max(1, round(float(np.sqrt(4 * sigma * sigma + 1))))
    for _ in range(3):
        for axis in (0, 1):
            values = uniform_filter1d(values, width, axis=axis, mode="nearest")
    return values


def _box(scene: Scene) -> Box:
    return scene.box or (0.0, 0.0, 1.0, 1.0)


def _places(image: Pixels) -> tuple[Plane, Plane]:
    """Where each pixel is, down and across, 0 to 1; both broadcast to (height, width)."""
    height, width = image.shape[:2]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    return down, across


def _ellipse(image: Pixels, scene: Scene, *, soft: float) -> Plane:
    """1 inside the ellipse around the main object's box, 0 outside, shape (height, width)."""
    left, top, right, bottom = _box(scene)
    y, x = _places(image)
    u = (x - (left + right) / 2) / ((right - left) / 2)
    v = (y - (top + bottom) / 2) / ((bottom - top) / 2)
    r = (np.abs(u) ** 3 + np.abs(v) ** 3) ** (1 / 3)
    return np.asarray(expit((1 - r) * 4 / soft), dtype=np.float32)


def _rectangle(image: Pixels, scene: Scene, *, soft: float) -> Plane:
    """1 inside the main object's box, 0 outside, shape (height, width)."""
    left, top, right, bottom = _box(scene)
    height, width = image.shape[:2]
    mask = np.zeros((height, width), dtype=np.float32)
    mask[
        round(top * height) : round(bottom * height), round(left * width) : round(right * width)
    ] = 1
    return _smooth(mask, soft * max(height, width))
