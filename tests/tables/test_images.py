import contextlib
import io
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.toy_pairs import encoded, picture

from aas_bench.errors import InputError
from aas_bench.tables import images
from aas_bench.tables.images import open_image, to_rgb


def pixels(value):
    image = open_image(value)
    assert image.mode == "RGB"
    return np.asarray(image)


@given(st.integers(0, 2**32 - 1), st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_rgb_comes_back_bit_for_bit_by_every_way(seed, size):
    image = picture(seed, size=size)
    expected = np.asarray(image)
    data = encoded(image)
    for value in (image, data, bytearray(data), {"bytes": data, "path": "elsewhere.png"}):
        np.testing.assert_array_equal(pixels(value), expected)
    assert to_rgb(image) is image


def test_a_file_by_its_path(tmp_path):
    file = tmp_path / "a.png"
    picture(1).save(file)
    for value in (file, str(file), {"bytes": None, "path": str(file)}):
        np.testing.assert_array_equal(pixels(value), np.asarray(picture(1)))


def test_exif_orientation_is_applied():
    image = picture(2, size=(8, 4))
    turned = image.transpose(Image.Transpose.ROTATE_90)  # a camera held upright
    exif = Image.Exif()
    exif[Image.ExifTags.Base.Orientation] = 6  # to be turned by 270 degrees
    np.testing.assert_array_equal(pixels(encoded(turned, exif=exif)), np.asarray(image))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_laid_on_white(mode):
    opaque, clear = {"RGBA": ((9, 9, 9, 255), (9, 9, 9, 0)), "LA": ((9, 255), (9, 0))}[mode]
    image = Image.new(mode, (2, 1), opaque)
    image.putpixel((1, 0), clear)
    assert pixels(encoded(image)).tolist() == [[[9, 9, 9], [255, 255, 255]]]


def test_palette_with_and_without_a_clear_colour():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    assert pixels(encoded(image)).tolist() == [[[255, 0, 0], [0, 0, 255]]]
    assert pixels(encoded(image, transparency=0)).tolist() == [[[255, 255, 255], [0, 0, 255]]]


@given(st.lists(st.integers(0, 255), min_size=1, max_size=9))
def test_sixteen_bit_grey_is_scaled_not_clipped(grey):
    deep = (np.array([grey]) * 257).astype(np.uint16)
    assert pixels(encoded(Image.fromarray(deep)))[0, :, 1].tolist() == grey


@pytest.mark.parametrize("mode", ["1", "L", "CMYK", "YCbCr", "HSV", "LAB"])
def test_other_modes_become_rgb(mode):
    image = Image.new("RGB", (3, 2), "white").convert(mode) if mode != "LAB" else None
    image = image or Image.new("LAB", (3, 2), (255, 128, 128))
    assert np.abs(np.asarray(to_rgb(image)).astype(int) - 255).max() <= 2


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (3, 2), c) for c in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pixels(data)[0, 0].tolist() == [255, 0, 0]
    moved = Image.open(io.BytesIO(data))
    moved.seek(1)
    assert np.asarray(to_rgb(moved))[0, 0].tolist() == [255, 0, 0]


whole = encoded(picture(3, size=(40, 40)))
jpeg = encoded(picture(3, size=(40, 40)), "JPEG")


@pytest.mark.parametrize("data", [whole[:-200], whole[:60] + b"??" + whole[62:], jpeg[:-300]])
def test_damaged_images_name_themselves(data):
    with pytest.raises(InputError, match=r"^image_original of a/1 cannot be read.*Replace"):
        open_image(data, name="image_original of a/1")
    with pytest.raises(InputError, match="cannot be read"):
        to_rgb(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("data", [b"", b"GIF", b"<svg/>", encoded(picture(1), "EPS")])
def test_only_formats_that_pillow_reads_by_itself(data):
    with pytest.raises(
        InputError, match=r"is no image of a known format. Give one of AVIF, BMP, GIF"
    ):
        open_image(data)


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (None, "is missing. Fill the cell"),
        ({"bytes": None, "path": None}, "is missing. Fill the cell"),
        (3, "a int is not an image"),
        ("nowhere/x.png", r"there is no file 'nowhere/x.png'"),
        ("https://example.org/x.png", "is an address. Download"),
        ("zip://x.png::https://example.org/x.zip", "is an address. Download"),
        (Image.new("F", (1, 1)), "float pixels have no defined range"),
        (Image.new("I", (1, 1), 70000), "values outside 0 to 65535"),
    ],
)
def test_what_is_no_image(value, match):
    with pytest.raises(InputError, match=match):
        open_image(value)


def _rotated(kind):
    exif = Image.Exif()
    exif[Image.ExifTags.Base.Orientation] = 6
    exif[Image.ExifTags.Base.Software] = "a name of some length"
    options = {"exif": exif} if kind in ("JPEG", "PNG", "TIFF", "WEBP") else {}
    return encoded(picture(5), kind, **options)


@pytest.mark.filterwarnings("ignore")  # Pillow comments on what it meets
@given(
    st.sampled_from(["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM"]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=6)), max_size=4),
    st.floats(0, 1),
)
def test_any_damage_gives_an_image_or_an_input_error(kind, patches, kept):
    data = bytearray(_rotated(kind))
    for place, patch in patches:
        start = int(place * len(data))
        data[start : start + len(patch)] = patch
    data = data[: max(1, int(kept * len(data)))] if kept < 0.5 else data
    with contextlib.suppress(InputError):
        assert open_image(bytes(data)).mode == "RGB"


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch):
    side = 9460  # 89.5 million pixels: just above the limit, at which Pillow only warns
    header = encoded(Image.new("1", (side, side)))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("it was unpacked"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with pytest.raises(InputError, match=r"more than 89,478,485 pixels. Scale it down"):
            open_image(header)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(InputError, match="more than 89,478,485 pixels"):
                open_image(header)


def test_a_large_pil_image_is_refused(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 100)
    with pytest.raises(InputError, match="more than 100 pixels"):
        to_rgb(picture(1))
