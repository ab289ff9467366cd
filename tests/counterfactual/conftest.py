"""Every photograph under every effect, made once."""

from types import SimpleNamespace

import numpy as np
import pytest

from aas_bench.counterfactual.effect_meters import View
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES, photograph

STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
PAIRS = [(e, s) for e in EFFECTS.values() for s in SCENES.values() if s.name not in e.excluded]


@pytest.fixture(scope="session")
def curves():
    """The effect's own measure at each of STEPS, by effect and scene."""

    def curve(effect, scene):
        image = photograph(scene)
        return [effect.measure(effect(image, dose, scene)) for dose in STEPS]

    return {(e.name, s.name): curve(e, s) for e, s in PAIRS}


@pytest.fixture(scope="session")
def checker():
    """A small grey picture with squares, and views of plain ones."""
    squares = np.indices((64, 96)).sum(axis=0) // 8 % 2 * 120 + 60
    image = np.repeat(squares[..., None], 3, axis=2).astype(np.uint8)
    return SimpleNamespace(
        image=image, view=View(image), plain=View(np.full((64, 96, 3), 90, np.uint8))
    )
