"""What each effect does to pixels, and that a stronger dose moves its measure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from aas_bench.counterfactual import apply
from aas_bench.counterfactual.effects import EFFECTS
from aas_bench.counterfactual.requests import REQUESTS
from aas_bench.counterfactual.scenes import SCENES, SIZES, photograph
from aas_bench.errors import InputError, UnknownNameError
from aas_bench.tasks.taxonomy import DIMENSIONS

PAIRS = [(e, s) for e in EFFECTS.values() for s in SCENES.values() if s.name not in e.excluded]
EACH_PAIR = pytest.mark.parametrize(("effect", "scene"), PAIRS, ids=lambda row: row.name)
EACH_EFFECT = pytest.mark.parametrize("effect", EFFECTS.values(), ids=lambda effect: effect.name)


def test_every_dimension_has_an_effect():
    assert [effect.dimension for effect in EFFECTS.values()] == sorted(
        DIMENSIONS, key=[e.dimension for e in EFFECTS.values()].index
    )
    assert len(EFFECTS) == len(DIMENSIONS) == 12
    assert set(REQUESTS) == set(EFFECTS)


@EACH_EFFECT
def test_a_row_is_complete(effect):
    assert effect.name == effect.dimension.replace(" ", "-")
    assert len(effect.requests) >= 5
    assert len(set(effect.requests)) == len(effect.requests)
    assert all(request.count("{caption}") == 1 for request in effect.requests)
    assert set(effect.excluded) < set(SCENES)
    assert all(reason.endswith(".") for reason in effect.excluded.values())
    assert effect.proxy is None or effect.proxy.endswith(".")


@EACH_PAIR
def test_dose_zero_returns_the_photograph(effect, scene):
    image = photograph(scene)
    same = effect(image, 0.0, scene)
    assert same.tobytes() == image.tobytes()
    assert not np.shares_memory(same, image)


@EACH_PAIR
def test_a_stronger_dose_moves_the_measure_strictly(effect, scene, curves):
    steps = np.diff(curves[effect.name, scene.name])
    assert (steps > 0).all() if effect.measure.met_by == "more" else (steps < 0).all()


@EACH_PAIR
def test_also_at_the_smallest_size(effect, scene):
    image = photograph(scene, size=SIZES[0])
    values = [effect.measure(effect(image, dose, scene)) for dose in (0, 0.25, 0.5, 0.75, 1)]
    steps = np.diff(values)
    assert (steps > 0).all() if effect.measure.met_by == "more" else (steps < 0).all()


@EACH_EFFECT
def test_scales_are_the_medians_of_the_split(effect, curves):
    mine = np.array([curve for (name, _), curve in curves.items() if name == effect.name])
    assert effect.measure.photograph == pytest.approx(np.median(mine[:, 0]), rel=0.02)
    assert effect.measure.full == pytest.approx(np.median(mine[:, -1]), rel=0.02)


@EACH_EFFECT
@settings(max_examples=5)
@given(dose=st.floats(min_value=1e-6, max_value=1), scene=st.sampled_from(list(SCENES.values())))
def test_any_dose_gives_the_same_picture_each_time(effect, dose, scene):
    image = photograph(scene, size=320)
    before = image.copy()
    once, twice = effect(image, dose, scene), effect(image, dose, scene)
    assert once.shape == image.shape
    assert once.dtype == np.uint8
    assert once.tobytes() == twice.tobytes()
    assert image.tobytes() == before.tobytes()


@pytest.mark.parametrize("dose", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_dose_out_of_range_is_refused(dose):
    scene = SCENES["coffee"]
    with pytest.raises(InputError, match=r"effect 'clarity' is out of range\. Give a number in"):
        EFFECTS["clarity"](photograph(scene), dose, scene)


@pytest.mark.parametrize(
    "image",
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3), np.float32)],
    ids=["grey", "alpha", "float"],
)
def test_an_array_that_is_no_rgb_image_is_refused(image):
    with pytest.raises(InputError, match=r"Give \(height, width, 3\), uint8"):
        EFFECTS["clarity"](image, 0.5, SCENES["coffee"])


def test_an_unknown_effect_offers_near_names():
    with pytest.raises(UnknownNameError, match=r"'claritty'\. Did you mean clarity"):
        EFFECTS["claritty"]


def test_a_wording_that_does_not_exist_is_refused():
    with pytest.raises(InputError, match=r"no wording 5\. Give 0 to 4"):
        EFFECTS["clarity"].prompt(SCENES["coffee"], wording=5)


@EACH_EFFECT
def test_a_prompt_is_the_caption_with_the_request(effect):
    scene = SCENES["coffee"]
    prompts = [effect.prompt(scene, wording=k) for k in range(len(effect.requests))]
    assert all(scene.caption in prompt for prompt in prompts)
    assert all(len(prompt) > len(scene.caption) + 20 for prompt in prompts)
    assert len(set(prompts)) == len(prompts)


def change(name, scene_name, dose=1.0):
    """Largest change over the channels at each pixel, and the picture after it."""
    scene = SCENES[scene_name]
    before = photograph(scene)
    after = EFFECTS[name](before, dose, scene)
    return np.abs(after.astype(int) - before).max(axis=2), after


def core(scene_name, *, grow):
    """True in the main object's box, grown by a fraction of the sides."""
    left, top, right, bottom = SCENES[scene_name].box
    height, width = photograph(SCENES[scene_name]).shape[:2]
    y = (np.arange(height) + 0.5)[:, None] / height
    x = (np.arange(width) + 0.5)[None, :] / width
    inside_x = (x > left - grow) & (x < right + grow)
    return inside_x & (y > top - grow) & (y < bottom + grow)


def test_blur_is_a_gaussian_of_stated_width():
    before = photograph(SCENES["coffee"])
    expected = gaussian_filter(before[..., 1].astype(float), 0.016 * 384 * 0.5)
    _, after = change("clarity", "coffee", 0.5)
    assert np.abs(after[..., 1] - expected).max() < 1


def test_darkening_multiplies_grey_light():
    grey = np.full((40, 60, 3), 200, np.uint8)
    assert np.unique(apply.darken(grey, 1.0, SCENES["coffee"])) == [60]


def test_flat_light_keeps_the_mean():
    before = photograph(SCENES["china"]).mean()
    _, after = change("lighting-distinction", "china")
    assert after.mean() == pytest.approx(before, abs=2)


def test_few_tones_are_left():
    _, after = change("detail-realism", "china")
    assert all(len(np.unique(after[..., c])) <= 256 // 72 + 1 for c in range(3))


def test_dabs_keep_a_hard_edge_where_a_blur_would_not():
    image = np.zeros((384, 384, 3), np.uint8)
    image[:, 192:] = 200
    dabs = apply.mush(image, 1.0, SCENES["coffee"])
    assert set(np.unique(dabs)) == {0, 200}


def test_a_spoilt_backdrop_leaves_the_middle_of_the_object():
    changed, after = change("background", "flower")
    assert changed[core("flower", grow=-0.15)].max() <= 3
    frame = after[~core("flower", grow=0.15)].astype(int)
    assert frame.std(axis=0).max() < 20


def test_a_fading_object_leaves_what_is_around_it():
    changed, _ = change("main-object", "flower")
    assert changed[~core("flower", grow=0.12)].max() <= 1
    assert changed[core("flower", grow=-0.1)].mean() > 30


@pytest.mark.parametrize("dose", [0.25, 0.5, 0.75, 1.0])
def test_the_stated_share_is_emptied(dose):
    _, after = change("richness", "coffee", dose)
    steps = np.abs(np.diff(after.astype(int), axis=1)).max(axis=2)
    plain = (steps <= 1).mean()
    assert plain == pytest.approx(0.95 * dose, abs=0.14)


def test_a_guest_covers_a_disc_and_nothing_else():
    changed, _ = change("object-pairing", "hubble")
    height, width = changed.shape
    y, x = np.mgrid[:height, :width]
    inside = np.hypot(y - 0.4 * height, x - 0.35 * width) <= 0.3 * height
    assert changed[~inside].max() == 0
    assert (changed[inside] > 10).mean() > 0.9


@pytest.mark.parametrize("scene", [s for s in SCENES.values() if s.public_domain])
def test_guests_of_free_pictures_are_free(scene):
    guest, _, _ = apply._GUESTS[scene.name]
    assert SCENES[guest].public_domain


def test_guests_are_other_scenes():
    assert set(apply._GUESTS) == set(SCENES)
    assert all(name != guest for name, (guest, _, _) in apply._GUESTS.items())


def test_gloom_turns_grey_into_a_cold_dark_grey():
    after = apply.gloom(np.full((40, 60, 3), 200, np.uint8), 1.0, SCENES["coffee"])
    red, green, blue = np.moveaxis(after.astype(int), 2, 0)
    assert (blue > green).all()
    assert (green > red).all()
    assert after[0, 0].mean() < after[20, 30].mean() < 200


@pytest.mark.parametrize("mirrored", [False, True])
def test_pushing_aside_goes_where_the_picture_leans_already(mirrored):
    image = photograph(SCENES["coffee"])
    image = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
    after = apply.push_aside(image, 1.0, SCENES["coffee"])
    bare = np.abs(np.diff(after.astype(int), axis=1)).max(axis=(0, 2)) == 0
    assert bare.mean() == pytest.approx(0.5, abs=0.02)
    assert bare[:10].all() == mirrored
    assert bare[-10:].all() != mirrored
