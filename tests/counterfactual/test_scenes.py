"""The photographs are the ones we know, wherever the test runs."""

import numpy as np
import pytest

from aas_bench.counterfactual import scenes
from aas_bench.counterfactual.reading import requested_effects
from aas_bench.counterfactual.scenes import SCENES, SIZE, SIZES, photograph
from aas_bench.errors import InputError, UnknownNameError

ALL = pytest.mark.parametrize("scene", SCENES.values(), ids=lambda scene: scene.name)


def test_there_are_at_least_eight():
    assert len(SCENES) >= 8


@ALL
def test_a_photograph_is_read_scaled_and_shared(scene):
    image = photograph(scene)
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert max(image.shape[:2]) == SIZE
    assert image.shape[2] == 3
    assert np.ptp(image, axis=2).max() > 0, "a colour photograph"
    assert photograph(scene) is image
    with pytest.raises(ValueError, match="read-only"):
        image[0, 0] = 0


@ALL
def test_a_row_is_complete(scene):
    assert scene.caption.count(".") == 1
    assert scene.caption.endswith(".")
    assert scene.credit.endswith(".")
    assert scene.licence.endswith(".")
    assert scene.public_domain == (scene.licence in {"CC0.", "Public domain."})
    if scene.box is not None:
        left, top, right, bottom = scene.box
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1


@ALL
def test_a_caption_asks_for_no_effect(scene):
    assert requested_effects(scene.caption) == ()


def test_captions_differ():
    assert len({scene.caption for scene in SCENES.values()}) == len(SCENES)


@pytest.mark.parametrize("size", [SIZES[0] - 1, SIZES[1] + 1, 0, -384])
def test_a_size_out_of_range_says_what_to_give(size):
    with pytest.raises(InputError, match=rf"size is {size} pixels\. Give 320 to 512"):
        photograph(SCENES["coffee"], size=size)


def test_a_changed_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "coffee.png").write_bytes(b"another picture")

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(scenes, "find_spec", lambda package: Spec())
    with pytest.raises(InputError, match=r"'skimage' does not hold data/coffee.png.*pip install"):
        photograph(SCENES["coffee"], size=SIZES[0] + 3)


def test_an_unknown_scene_offers_near_names():
    with pytest.raises(UnknownNameError, match=r"'astronout'\. Did you mean astronaut"):
        SCENES["astronout"]
