"""Each measure on pictures whose value is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from aas_bench.counterfactual import effect_meters
from aas_bench.counterfactual.effect_meters import View
from aas_bench.counterfactual.effects import EFFECTS


def filled(*colour, shape=(64, 96)):
    return np.broadcast_to(np.array(colour, np.uint8), (*shape, 3)).copy()


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=lambda effect: effect.name)
def test_plain_and_tiny_pictures_have_a_finite_value(effect):
    for image in (filled(0, 0, 0), filled(255, 255, 255), filled(3, 200, 90, shape=(1, 1))):
        assert np.isfinite(effect.measure(image))
        assert np.isfinite(effect.measure.presence(View(image)))


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=lambda effect: effect.name)
@given(image=arrays(np.uint8, (9, 13, 3)))
def test_any_picture_has_a_finite_value(effect, image):
    before = image.copy()
    assert np.isfinite(effect.measure(image))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("effect", EFFECTS.values(), ids=lambda effect: effect.name)
def test_presence_is_zero_in_a_photograph_and_one_at_the_whole_dose(effect):
    measure = effect.measure
    scale = measure.full - measure.photograph
    assert (scale > 0) == (measure.met_by == "more")
    view = View(filled(90, 120, 30))
    value = measure.photograph + measure.presence(view) * scale
    assert value == pytest.approx(measure.function(view))


def test_luma_is_that_of_the_television_standard():
    view = View(filled(255, 0, 0, shape=(1, 1)))
    assert view.luma[0, 0] == pytest.approx(255 * 0.299)


def test_sharpness_does_not_depend_on_contrast(checker):
    faint = (checker.image.astype(int) - 60) // 4 + 60
    assert effect_meters.sharpness(View(faint.astype(np.uint8))) == pytest.approx(
        effect_meters.sharpness(checker.view), abs=0.3
    )


def test_sharpness_of_a_plain_picture_is_none_at_all(checker):
    assert effect_meters.sharpness(checker.plain) == pytest.approx(0)


def test_colour_strength_is_the_span_of_the_channels():
    assert effect_meters.colour_strength(View(filled(200, 150, 40))) == 160
    assert effect_meters.colour_strength(View(filled(77, 77, 77))) == 0


def test_acid_colour_is_nought_on_the_daylight_axis():
    assert effect_meters.acid_colour(View(filled(200, 120, 40))) == 0
    assert effect_meters.acid_colour(View(filled(0, 255, 0))) == 255
    assert effect_meters.acid_colour(View(filled(255, 0, 255))) == 255


def test_light_range_of_two_halves_is_half_their_distance():
    image = filled(20, 20, 20, shape=(100, 400))
    image[:, 200:] = 220
    assert effect_meters.light_range(View(image)) == pytest.approx(100, rel=0.03)


def test_texture_share_counts_pixels(checker):
    image = filled(100, 100, 100, shape=(50, 100))
    image[:, 50::2] = 110
    assert effect_meters.texture_share(View(image)) == pytest.approx(0.5, abs=0.02)
    assert effect_meters.texture_share(checker.plain) == 0


def test_entropy_of_four_equal_tones_is_two_bits():
    image = np.repeat(np.array([10, 60, 120, 250], np.uint8), 50).reshape(10, 20)
    assert effect_meters.tonal_entropy(View(np.dstack([image] * 3))) == pytest.approx(2)
    assert effect_meters.tonal_entropy(View(filled(1, 2, 3))) == 0


def test_backdrop_is_the_outer_frame_alone():
    image = filled(100, 100, 100, shape=(100, 100))
    image[20:80, 20:80:2] = 200
    assert effect_meters.backdrop_detail(View(image)) == 0
    assert effect_meters.prominence(View(image)) > 10


def test_prominence_compares_middle_and_frame(checker):
    assert effect_meters.prominence(checker.view) == pytest.approx(0, abs=1)


def test_busy_share_is_the_share_of_the_area_with_detail(checker):
    image = filled(100, 100, 100, shape=(200, 400))
    image[:, 300:] = np.indices((200, 100)).sum(axis=0)[..., None] % 2 * 200
    assert effect_meters.busy_share(View(image)) == pytest.approx(0.25, abs=0.03)
    assert effect_meters.busy_share(checker.plain) == 0


def test_spread_of_hues_grows_with_the_foreign_area():
    def with_patch(width):
        image = filled(120, 120, 120, shape=(100, 200))
        image[20:80, 20 : 20 + width] = (230, 60, 20)
        return effect_meters.colour_spread(View(image))

    assert with_patch(0) == 0
    assert with_patch(20) < with_patch(50) < with_patch(80)


def test_spread_of_hues_ignores_light():
    image = filled(50, 50, 50)
    image[:, 48:] = 200
    assert effect_meters.colour_spread(View(image)) == pytest.approx(0, abs=1e-4)


def test_warm_light_ignores_blue():
    assert effect_meters.warm_light(View(filled(100, 40, 7))) == 70
    assert effect_meters.warm_light(View(filled(0, 0, 255))) == 0


@given(column=st.integers(min_value=1, max_value=97))
def test_lean_is_where_the_detail_is(column):
    image = filled(0, 0, 0, shape=(20, 100))
    image[:, column : column + 2] = 255
    expected = (column + 0.5) / 100 * 2 - 1  # steps at column - 1 | column and column + 1 | + 2
    at_the_end = column + 2 == 100
    if not at_the_end:
        assert effect_meters.signed_lean(View(image)) == pytest.approx(expected, abs=0.02)
    mirrored = np.ascontiguousarray(image[:, ::-1])
    assert effect_meters.lean(View(mirrored)) == pytest.approx(
        effect_meters.lean(View(image)), abs=0.03
    )
