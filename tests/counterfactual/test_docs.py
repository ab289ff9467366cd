"""The page on the split says what the rows say."""

from pathlib import Path

import pytest

from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.scenes import SCENES

TEXT = (Path(__file__).parents[2] / "docs" / "counterfactual.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("scene", SCENES.values(), ids=lambda scene: scene.name)
def test_a_scene_is_told_with_its_licence(scene):
    assert f"| {scene.name} | {scene.caption} | {scene.credit} | {scene.licence} |" in TEXT


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=lambda effect: effect.name)
def test_an_effect_is_told_with_its_measure_and_limits(effect):
    measure = effect.measure
    done = effect.change.__doc__.splitlines()[0]
    told = (
        f"| {effect.name} | {done} | {measure.name}, {measure.unit}: {measure.met_by} "
        f"| {', '.join(effect.excluded) or '–'} | {effect.proxy or '–'} |"
    )
    assert told in TEXT
