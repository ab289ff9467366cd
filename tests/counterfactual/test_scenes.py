"""The photographs are the ones we know, wherever the test runs."""

from pathlib import Path

import numpy as np
import pytest
import skimage
import sklearn

from aas_bench.counterfactual import scenes
from aas_bench.counterfactual.reading import requested_effects
from aas_bench.counterfactual.scenes import SCENES, SIZE, SIZES, photograph
from aas_bench.errors import InputError, UnknownNameError

UPSTREAM = {
    scene.name: (Path(skimage.__file__).parent / "data", scene.file) for scene in SCENES.values()
}
UPSTREAM |= {
    name: (Path(sklearn.__file__).parent / "datasets" / "images", f"{name}.jpg")
    for name in ("china", "flower")
}
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
    monkeypatch.setattr(scenes, "PHOTOGRAPHS", tmp_path)
    for write in (lambda: None, lambda: (tmp_path / "coffee.png").write_bytes(b"another picture")):
        write()
        with pytest.raises(InputError, match=r"coffee\.png is not the photograph .*pip install"):
            photograph(SCENES["coffee"], size=SIZES[0] + 3)


@ALL
def test_a_photograph_is_the_one_that_its_source_ships(scene):
    if scene.name == "hopper":
        package = pytest.importorskip("matplotlib", reason="ships this one, and is not needed")
        folder, name = Path(package.get_data_path()) / "sample_data", scene.file
    else:
        folder, name = UPSTREAM[scene.name]
    assert (folder / name).read_bytes() == (scenes.PHOTOGRAPHS / scene.file).read_bytes()


@ALL
def test_the_sources_tell_each_file_with_its_licence(scene):
    told = (scenes.PHOTOGRAPHS / "SOURCES.md").read_text(encoding="utf-8")
    (line,) = [line for line in told.splitlines() if line.startswith(f"| {scene.file} |")]
    assert scene.licence.removesuffix(".") in line
    assert scene.sha256 in line


def test_every_file_is_a_scene():
    files = {path.name for path in scenes.PHOTOGRAPHS.iterdir()} - {"SOURCES.md"}
    assert files == {scene.file for scene in SCENES.values()}


def test_an_unknown_scene_offers_near_names():
    with pytest.raises(UnknownNameError, match=r"'astronout'\. Did you mean astronaut"):
        SCENES["astronout"]
